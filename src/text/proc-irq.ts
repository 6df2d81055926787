import { irqd_is_setaffinity_pending } from '../kernel/include/irq';
import type { irq_desc } from '../kernel/include/irqdesc';
import { cpumask } from '../kernel/lib/cpumask';
import { bitsHex } from './format';

/** An affinity that waits for the next interrupt is shown as if it were in force. Source: kernel/irq/proc.c, show_irq_affinity() */
const affinity = (desc: irq_desc): cpumask => (irqd_is_setaffinity_pending(desc.irq_data) ? desc.pending_mask : desc.irq_common_data.affinity);

/** The files of /proc/irq/N, by name. */
export const PROC_IRQ: Record<string, (desc: irq_desc) => string> = {
  affinity_hint: desc => `${bitsHex(desc.affinity_hint ?? new cpumask(desc.pending_mask.nbits))}\n`,
  effective_affinity: desc => `${bitsHex(desc.irq_common_data.effective_affinity)}\n`,
  effective_affinity_list: desc => `${desc.irq_common_data.effective_affinity.toString()}\n`,
  node: desc => `${desc.irq_common_data.node}\n`,
  smp_affinity: desc => `${bitsHex(affinity(desc))}\n`,
  smp_affinity_list: desc => `${affinity(desc).toString()}\n`,
  spurious: desc => `count ${desc.irq_count}\nunhandled ${desc.irqs_unhandled}\nlast_unhandled 0 ms\n`,
};
