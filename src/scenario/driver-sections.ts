import type { PciAddress, Unsigned, VectorCount, VectorIndex } from './scenario-file';

// The scenario language: drivers that are descriptions.

/** How a driver gets its interrupts: pci_alloc_irq_vectors_affinity(), then one request_irq() a vector. */
export interface DriverSection {
  /** The devices that it takes when a step probes them and names no driver. */
  match?: MatchSection;
  /** What it allocates; of several, each is tried when the one before gets nothing: MSI-X, then MSI, then the pin. */
  alloc: AllocSection | AllocAttempts;
  /** What it requests, from vector 0 on: a name each, or a map. A last name ending in %d is for all vectors that remain. Default: DRIVER-%d. */
  request?: (string | DriverRequest)[];
}

/**
 * @minItems 1
 */
export type AllocAttempts = AllocSection[];

/** All that is written must be so. */
export interface MatchSection {
  address?: PciAddress;
  vendor?: Unsigned;
  device?: Unsigned;
  /** Class code, three bytes. */
  class?: Unsigned;
}

/** A request_irq(), or a request_threaded_irq(). */
export interface DriverRequest {
  /** As /proc/interrupts shows it; %d is the vector's number. */
  name: string;
  /** Default: IRQF_SHARED where `alloc` may come to the pin. */
  flags?: RequestFlag[];
  /** What the handler says: IRQ_HANDLED (default) serves the device; IRQ_NONE does not; IRQ_WAKE_THREAD leaves it to a thread. NULL: there is no handler but the thread. */
  handler?: 'IRQ_HANDLED' | 'IRQ_NONE' | 'IRQ_WAKE_THREAD' | 'NULL';
}

export type RequestFlag = 'IRQF_SHARED' | 'IRQF_NOBALANCING' | 'IRQF_NO_THREAD' | 'IRQF_ONESHOT';

export interface AllocSection {
  /** Fewest vectors that will do. */
  min: VectorCount;
  /** Most vectors that are of use. */
  max: VectorCount;
  /** Default: PCI_IRQ_MSIX and PCI_IRQ_MSI. */
  flags?: ('PCI_IRQ_MSIX' | 'PCI_IRQ_MSI' | 'PCI_IRQ_LEGACY' | 'PCI_IRQ_AFFINITY')[];
  /** Vectors before the spread ones (with PCI_IRQ_AFFINITY): pre_vectors. */
  pre?: VectorIndex;
  /** Vectors behind the spread ones (with PCI_IRQ_AFFINITY): post_vectors. */
  post?: VectorIndex;
  /**
   * The spread vectors in sets, each over all CPUs (with PCI_IRQ_AFFINITY), as a driver's calc_sets(): sizes at most; the first set has what the others leave.
   * @minItems 1
   * @maxItems 4
   * @expected one to four sizes
   */
  sets?: VectorCount[];
}
