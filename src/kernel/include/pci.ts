import type { PciFunction } from '../../hardware/pci';
import { raw_spinlock } from '../lib/locking';
import type { irq_domain } from './irqdomain';
import type { msi_desc } from './msi';

export const PCI_IRQ_LEGACY = 1;
export const PCI_IRQ_MSI = 2;
export const PCI_IRQ_MSIX = 4;
export const PCI_IRQ_AFFINITY = 8;
export const PCI_IRQ_VIRTUAL = 16;
export const PCI_IRQ_ALL_TYPES = 7;

/** struct pci_dev with its struct device: what interrupt code sees of a PCI function. */
export class PciDev {
  static readonly struct = 'pci_dev';
  msi_domain: irq_domain | null = null;
  msi_list: msi_desc[] = [];
  /** it has msi_device_data, in kernels that have it; a resource of the device */
  msi_data = false;
  /** msi_desc.masked of its MSI descriptor, in kernels that have it */
  readonly msi_lock = new raw_spinlock('msi_lock');
  msi_enabled = false;
  msix_enabled = false;
  /** config offsets of the capabilities; 0 = absent */
  msi_cap = 0;
  msix_cap = 0;
  /** devfns of its bus that it may send as, besides its own */
  readonly dma_alias_mask = new Set<number>();
  /** how the function is connected (PCI_EXP_TYPE); null: conventional PCI */
  pcie_type: number | null = null;
  /** of a bridge: the bus behind it */
  subordinate: number | null = null;
  /** the bridge to its bus; null on a root bus (bus->self) */
  bridge: PciDev | null = null;
  no_msi = false;
  no_64bit_msi = false;
  /** INTx line's Linux irq; 0 = none */
  irq = 0;
  /** 1..4 = INTA..INTD; 0 = no pin */
  pin = 0;
  /** the pin's GSI is registered with the IOAPIC */
  irq_managed = false;
  enable_cnt = 0;
  is_busmaster = false;
  driver: string | null = null;
  /** what pci_set_drvdata() keeps for the driver */
  drvdata: unknown = null;
  /** sysfs directory msi_irqs; null = there is none */
  msi_irqs: number[] | null = null;

  constructor(
    readonly hw: PciFunction,
    readonly domain_nr: number,
    readonly bus: number,
    readonly devfn: number,
    /** NUMA node or -1 */
    public numa_node: number,
  ) {}

  /** "0000:00:04.0" */
  get name(): string {
    const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
    return `${hex(this.domain_nr, 4)}:${hex(this.bus, 2)}:${hex(this.devfn >> 3, 2)}.${this.devfn & 7}`;
  }
}

/** How a device's log lines begin: with its driver's name, or its bus's. */
export const dev_driver_string = (dev: PciDev): string => dev.driver ?? 'pci';

/** Requester id: bus << 8 | devfn. */
export const pci_dev_id = (dev: PciDev): number => (dev.bus << 8) | dev.devfn;
