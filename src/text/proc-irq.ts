import { irqd_is_setaffinity_pending } from '../kernel/include/irq';
import type { irq_desc } from '../kernel/include/irqdesc';
import { cpumask } from '../kernel/lib/cpumask';
import { bitsHex } from './format';
import { KernelReadError, type TextFile } from './text-file';

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

/** /proc/irq/N, once the line has it: its files, and a directory for each handler whose name is its own. Source: kernel/irq/proc.c, register_irq_proc(), register_handler_proc() */
export function procIrqFiles(irq: number, desc: irq_desc): TextFile[] {
  if (!desc.dir) return [];
  const folder = `/proc/irq/${irq}`;
  return [
    ...Object.entries(PROC_IRQ).map(([name, print]) => ({ path: `${folder}/${name}`, read: () => print(desc) })),
    ...[...desc.dir].map(name => directory(`${folder}/${name}/`)),
  ];
}

const directory = (path: string): TextFile => ({
  path,
  read: () => {
    throw new KernelReadError(path, 'EISDIR', 'this is a directory, and it is empty');
  },
});
