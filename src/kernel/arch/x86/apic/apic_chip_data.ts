import type { irq_data } from '../../../include/irq';
import { kernel } from '../../../world';
import { irq_cfg } from '../hw_irq';

// What arch/x86/kernel/apic/vector.c keeps of an interrupt.

/** irq_cfg as part of apic_chip_data: the way back for container_of(). */
class apicd_irq_cfg extends irq_cfg {
  constructor(readonly apicd: apic_chip_data) {
    super();
  }
}

/** The VECTOR level of an interrupt. */
export class apic_chip_data {
  /** what is programmed into hardware; in shutdown state another vector than `vector` */
  readonly hw_irq_cfg: irq_cfg = new apicd_irq_cfg(this);
  /** owned in the matrix; 0 = none */
  vector = 0;
  /** left behind by a move, not yet free; 0 = none */
  prev_vector = 0;
  cpu = 0;
  prev_cpu = 0;
  irq = 0;
  /** CPU whose cleanup_list this is on */
  clist: number | null = null;
  move_in_progress = false;
  is_managed = false;
  can_reserve = false;
  has_reserved = false;
}

/** container_of(cfg, struct apic_chip_data, hw_irq_cfg) */
export function cfg_to_apicd(cfg: irq_cfg): apic_chip_data {
  if (cfg instanceof apicd_irq_cfg) return cfg.apicd;
  throw new Error('this irq_cfg is part of no apic_chip_data');
}

/** Source: arch/x86/kernel/apic/vector.c, apic_chip_data() */
export function apic_chip_data_of(irqd: irq_data | null): apic_chip_data | null {
  if (!irqd) return null;

  let root = irqd;
  while (root.parent_data) root = root.parent_data;
  return root.chip_data as apic_chip_data | null;
}

/** Take it off the cleanup list it is on. */
export function hlist_del_init(apicd: apic_chip_data): void {
  if (apicd.clist === null) return;
  const list = kernel.cleanup_list[apicd.clist];
  list.splice(list.indexOf(apicd), 1);
  apicd.clist = null;
}
