import type { irq_domain } from '../../../include/irqdomain';
import type { pci_bus, PciDev, pci_sysdata } from '../../../include/pci';
import { srcu_struct } from '../../../lib/srcu';

/** An interrupt of a device below the VMD. */
export class vmd_irq_entry {
  static readonly struct = 'vmd_irq';
  /** its driver has it enabled: it is on the list */
  enabled = false;

  constructor(
    /** whose list it belongs on */
    readonly irq: vmd_irq_list,
    readonly virq: number,
  ) {}
}

/** Interrupts that share a vector of the VMD. */
export class vmd_irq_list {
  static readonly struct = 'vmd_irq_list';
  /** those that are enabled, in the order of that */
  readonly irq_list = new Set<vmd_irq_entry>();
  readonly srcu = new srcu_struct();
  /** how many were assigned, enabled or not; 32 bits, unsigned */
  count = 0;
}

export class vmd_dev {
  static readonly struct = 'vmd_dev';
  /** vectors of the VMD itself */
  msix_count = 0;
  /** the first that devices behind it may use (vmd-first-vector) */
  first_vec = 0;
  /** one for each of them */
  irqs: vmd_irq_list[] = [];
  readonly sysdata: pci_sysdata = { domain: 0, node: -1, vmd_dev: null };
  irq_domain: irq_domain | null = null;
  bus: pci_bus | null = null;

  constructor(readonly dev: PciDev) {}
}

/** The VMD that hides a bus. Source: drivers/pci/controller/vmd.c, vmd_from_bus() */
export const vmd_from_bus = ({ sysdata }: pci_bus): vmd_dev => sysdata.vmd_dev!.drvdata as vmd_dev;

export const index_from_irqs = (vmd: vmd_dev, irqs: vmd_irq_list): number => vmd.irqs.indexOf(irqs);
