import type { Op } from '../../stepper/op';
import { mutex } from '../lib/locking';
import { has } from '../world';
import type { irq_data } from './irq';
import type { msi_parent_ops } from './msi';
import type { PciDev } from './pci';

/** DOMAIN_BUS_* of include/linux/irqdomain.h */
export const DOMAIN_BUS = {
  ANY: 0,
  WIRED: 1,
  GENERIC_MSI: 2,
  PCI_MSI: 3,
  PLATFORM_MSI: 4,
  NEXUS: 5,
  IPI: 6,
  FSL_MC_MSI: 7,
  TI_SCI_INTA_MSI: 8,
  WAKEUP: 9,
  VMD_MSI: 10,
  DEVICE_MSI: 11,
  /** of kernels that have no DEVICE_MSI */
  PCI_DEVICE_MSI: 11,
  PCI_DEVICE_MSIX: 12,
  DMAR: 13,
  AMDVI: 14,
  PCI_DEVICE_IMS: 15,
} as const;

/** "PCI_DEVICE_MSI": as the chosen kernel calls it; undefined for a number that none has. */
export function bus_token_name(bus_token: number): string | undefined {
  const names = Object.entries(DOMAIN_BUS).flatMap(([name, value]) => (value === bus_token ? name : []));
  return names.length > 1 && has('msi-parent-domains') && !has('v2-44') ? names[1] : names.at(0);
}

/** IRQ_DOMAIN_FLAG_* of irq_domain.flags */
export const IRQ_DOMAIN_FLAG = {
  HIERARCHY: 1 << 0,
  NAME_ALLOCATED: 1 << 1,
  IPI_PER_CPU: 1 << 2,
  IPI_SINGLE: 1 << 3,
  MSI: 1 << 4,
  /** later kernels: ISOLATED_MSI */
  MSI_REMAP: 1 << 5,
  MSI_NOMASK_QUIRK: 1 << 6,
  MSI_PARENT: 1 << 8,
  MSI_DEVICE: 1 << 9,
  NONCORE: 1 << 16,
} as const;

/** Callbacks of a domain: `alloc` makes it one of a hierarchy, `map` is for one that stands alone. `arg` is the allocation info that travels up the hierarchy. Errors are negative errnos. Source: include/linux/irqdomain.h */
export interface irq_domain_ops {
  /** Sets `virq` up, for irq_create_mapping(): chip and flow handler. */
  map?: (domain: irq_domain, virq: number, hwirq: number) => Op<number>;
  unmap?: (domain: irq_domain, virq: number) => Op;
  alloc?: (domain: irq_domain, virq: number, nr_irqs: number, arg: unknown) => Op<number>;
  free?: (domain: irq_domain, virq: number, nr_irqs: number) => Op;
  activate?: (domain: irq_domain, irqd: irq_data, reserve: boolean) => Op<number>;
  deactivate?: (domain: irq_domain, irqd: irq_data) => Op;
}

/** The firmware node that names a domain; `type` NAMED: "X", NAMED_ID: "X-n". */
export interface fwnode_handle {
  readonly name: string;
}

/** A number space of interrupts: hwirq <-> virq, and a place in the hierarchy. */
export class irq_domain {
  flags = 0;
  mapcount = 0;
  bus_token: number = DOMAIN_BUS.ANY;
  parent: irq_domain | null = null;
  /** of a domain on which devices have MSI domains of their own */
  msi_parent_ops: msi_parent_ops | null = null;
  /** the device whose own domain it is */
  dev: PciDev | null = null;
  /** hwirqs below revmap_size -> virq; 0 = none */
  readonly linear_revmap: Map<number, number> = new Map();
  readonly revmap_tree: Map<number, irq_data> = new Map();
  readonly revmap_tree_mutex = new mutex('revmap_tree_mutex');

  constructor(
    public name: string,
    readonly fwnode: fwnode_handle | null,
    readonly ops: irq_domain_ops,
    readonly host_data: unknown,
    readonly revmap_size: number,
    /** 0xffffffffffffffff for a tree */
    readonly hwirq_max: bigint,
  ) {}
}

/** Inlines of include/linux/irqdomain.h (v6.2). */
export const irq_domain_is_msi_parent = (domain: irq_domain): boolean => (domain.flags & IRQ_DOMAIN_FLAG.MSI_PARENT) !== 0;
export const irq_domain_is_msi_device = (domain: irq_domain): boolean => (domain.flags & IRQ_DOMAIN_FLAG.MSI_DEVICE) !== 0;

export const irq_domain_is_hierarchy = (domain: irq_domain): boolean => (domain.flags & IRQ_DOMAIN_FLAG.HIERARCHY) !== 0;
