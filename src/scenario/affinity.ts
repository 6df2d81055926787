import { AFFINITY_LIST, write_irq_affinity } from '../kernel/irq/proc';
import { ENOENT } from '../kernel/lib/errno';
import { kernel } from '../kernel/world';
import type { Op } from '../stepper/op';

/** As `echo LIST > /proc/irq/N/smp_affinity_list`. */
export function* writeAffinity(irq: number, list: string): Op<number> {
  if (!kernel.irq_desc_tree.has(irq)) return -ENOENT;
  return Math.min(yield* write_irq_affinity(AFFINITY_LIST, irq, list), 0);
}
