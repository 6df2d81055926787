import { IRQD, irqd_has_set, irqd_is_level_type } from '../kernel/include/irq';
import type { irq_desc } from '../kernel/include/irqdesc';
import { kstat_irqs_cpu } from '../kernel/irq/irqdesc';
import type { World } from '../kernel/world';

const line = (text: string): string => (text === '' ? '' : `${text}\n`);

/** Names of who handles a line, in the order in which they are asked. */
export function actionNames({ action }: irq_desc): string[] {
  const names: string[] = [];
  for (let next = action; next; next = next.next) names.push(next.name);
  return names;
}

/** The files of /sys/kernel/irq/N, by name. What is not known is an empty file. Source: kernel/irq/irqdesc.c, irq_attrs */
export const SYS_IRQ: Record<string, (desc: irq_desc, world: World) => string> = {
  actions: desc => line(actionNames(desc).join(',')),
  chip_name: ({ irq_data }) => line(irq_data.chip.name),
  hwirq: ({ irq_data }) => line(irq_data.domain ? String(irq_data.hwirq | 0) : ''),
  name: ({ name }) => line(name ?? ''),
  per_cpu_count: (desc, { kernel }) => line([...kernel.cpu_possible_mask].map(cpu => kstat_irqs_cpu(desc, cpu) >>> 0).join(',')),
  type: ({ irq_data }) => line(irqd_is_level_type(irq_data) ? 'level' : 'edge'),
  wakeup: ({ irq_data }) => line(irqd_has_set(irq_data, IRQD.WAKEUP_STATE) ? 'enabled' : 'disabled'),
};
