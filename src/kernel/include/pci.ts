import type { PciFunction } from '../../hardware/pci';
import type { devres } from '../drivers/base/devres';
import type { pci_driver } from '../drivers/pci/pci-driver';
import { raw_spinlock } from '../lib/locking';
import { device } from './device';
import type { fwnode_handle, irq_domain } from './irqdomain';
import type { msi_device_data } from './msi';

/** pci_alloc_irq_vectors_affinity() may fall back on the INTx line. */
export const PCI_IRQ_LEGACY = 1;
/** It may take MSI. */
export const PCI_IRQ_MSI = 2;
/** It may take MSI-X. */
export const PCI_IRQ_MSIX = 4;
/** The vectors are spread over the CPUs, for life. */
export const PCI_IRQ_AFFINITY = 8;
export const PCI_IRQ_VIRTUAL = 16;
/** Whatever the device has. */
export const PCI_IRQ_ALL_TYPES = 7;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** What the platform keeps for a PCI bus and all below it. Source: arch/x86/include/asm/pci.h, struct pci_sysdata */
export interface pci_sysdata {
  /** PCI domain */
  domain: number;
  /** NUMA node or -1 */
  node: number;
  /** the VMD that hides the bus */
  vmd_dev: PciDev | null;
  /** names the bus's own irqdomain (Hyper-V) */
  fwnode?: fwnode_handle | null;
}

/** struct pci_bus with its struct device. */
export class pci_bus {
  static readonly struct = 'pci_bus';
  /** what devices on it get */
  msi_domain: irq_domain | null = null;
  /** of a root bus: what the kernel may do itself behind it, in the words of ACPI's _OSC; all where no firmware has a say */
  native: readonly string[] = ['PCIeHotplug', 'AER', 'PME'];

  constructor(
    readonly number: number,
    /** the bridge to it; null: a root bus */
    readonly self: PciDev | null,
    readonly parent: pci_bus | null,
    readonly sysdata: pci_sysdata,
    /** what its configuration accesses reach, on it and on the buses below */
    readonly functions: readonly PciFunction[],
  ) {}

  /** "0000:00" */
  get name(): string {
    return `${hex(this.sysdata.domain, 4)}:${hex(this.number, 2)}`;
  }
}

/** struct pci_dev with its struct device: what interrupt code sees of a PCI function. */
export class PciDev extends device {
  static readonly struct = 'pci_dev';
  /** it has msi_device_data, one of its resources; kernels before v5.17 have none */
  msi_data: msi_device_data | null = null;
  /** msi_desc.masked of its MSI descriptor, in kernels that have it */
  readonly msi_lock = new raw_spinlock('msi_lock');
  msi_enabled = false;
  msix_enabled = false;
  /** config offsets of the capabilities; 0 = absent */
  msi_cap = 0;
  msix_cap = 0;
  /** physical address of the MSI-X table, while it is in use */
  msix_base = 0;
  /** devfns of its bus that it may send as, besides its own */
  readonly dma_alias_mask = new Set<number>();
  /** it can make virtual functions */
  is_physfn = false;
  is_virtfn = false;
  /** SR-IOV of a physical function; null: it has none */
  sriov: pci_sriov | null = null;
  /** of a virtual function: the one that made it */
  physfn: PciDev | null = null;
  /** of a virtual function, whose own BARs say nothing: where they lie, by their numbers */
  resource: readonly number[] = [];
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
  /** pci_restore_state() has something to restore */
  state_saved = false;
  driver: string | null = null;
  /** the driver's functions */
  drv: pci_driver | null = null;
  /** what goes when the driver goes, the last first */
  readonly devres: devres[] = [];
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
    numa_node: number,
    readonly parent_bus: pci_bus,
  ) {
    super(numa_node);
  }

  /** "0000:00:04.0" */
  get name(): string {
    return `${hex(this.domain_nr, 4)}:${hex(this.bus, 2)}:${hex(this.devfn >> 3, 2)}.${this.devfn & 7}`;
  }
}

/** Source: arch/x86/include/asm/pci.h, pci_domain_nr() */
export const pci_domain_nr = ({ sysdata }: pci_bus): number => sysdata.domain;

/** Source: arch/x86/include/asm/pci.h, is_vmd() */
export const is_vmd = ({ sysdata }: pci_bus): boolean => sysdata.vmd_dev !== null;

/** Who sends for a device: a VMD for those that it hides. Source: arch/x86/pci/common.c, pci_real_dma_dev() */
export const pci_real_dma_dev = (dev: PciDev): PciDev => dev.parent_bus.sysdata.vmd_dev ?? dev;

/** The root bus above, whose host bridge it is. Source: drivers/pci/host-bridge.c, pci_find_host_bridge() */
export const pci_find_host_bridge = (bus: pci_bus): pci_bus => (bus.parent ? pci_find_host_bridge(bus.parent) : bus);

/** How a device's log lines begin: with its driver's name, or its bus's. */
export const dev_driver_string = (dev: PciDev): string => dev.driver ?? 'pci';

/** SR-IOV of a physical function. Source: drivers/pci/pci.h, struct pci_sriov */
export interface pci_sriov {
  /** config offset of the capability */
  readonly pos: number;
  readonly total_VFs: number;
  initial_VFs: number;
  /** how many there are */
  num_VFs: number;
  /** requester ids from the physical function to the first, and from one to the next */
  offset: number;
  stride: number;
  /** SRIOV_CTRL */
  ctrl: number;
  /** device id of the virtual functions */
  readonly vf_device: number;
  /** bytes of the virtual functions' BARs */
  readonly barsz: readonly number[];
}

/** Source: include/linux/pci.h, pci_physfn() */
export const pci_physfn = (dev: PciDev): PciDev => (dev.is_virtfn ? dev.physfn! : dev);

/** Requester id: bus << 8 | devfn. */
export const pci_dev_id = (dev: PciDev): number => (dev.bus << 8) | dev.devfn;

/** Inlines of include/linux/pci.h. */
export const dev_is_pci = (dev: device): dev is PciDev => dev instanceof PciDev;
/** @throws for what is no PCI function: the kernel looks at nothing, and would take it for one */
export function to_pci_dev(dev: device | null): PciDev {
  if (dev && dev_is_pci(dev)) return dev;
  throw new Error(`${dev?.name ?? 'NULL'} is no PCI function`);
}
