import type { Op } from '../../stepper/op';
import { bitmap_parselist } from '../lib/bitmap_parse';
import type { cpumask } from '../lib/cpumask';
import { pr_warn } from '../lib/printk';
import { kernel } from '../world';

export const isolation_globals = () => ({
  /** CPUs that managed interrupts shall keep to (isolcpus=managed_irq,...); null = no isolation */
  housekeeping_mask: null as cpumask | null,
});

/**
 * isolcpus= of the command line: flags, then a list of CPUs. Only the flag managed_irq concerns interrupts; some CPU that is there keeps them.
 * Source: kernel/sched/isolation.c, housekeeping_isolcpus_setup(), housekeeping_setup()
 */
export function* housekeeping_isolcpus_setup(value: string): Op {
  const [, flags, list] = /^((?:[a-z_]+,)*)(.*)$/i.exec(value)!;
  if (!flags.split(',').includes('managed_irq')) return;

  const isolated = bitmap_parselist(list, kernel.nr_cpu_ids);
  if (typeof isolated === 'number') {
    pr_warn('Housekeeping: nohz_full= or isolcpus= incorrect CPU range');
    return;
  }

  const mask = kernel.cpu_possible_mask.copy();
  for (const cpu of isolated) mask.clear(cpu);
  if (!mask.intersects(kernel.cpu_present_mask)) {
    pr_warn(`Housekeeping: must include one present CPU, using boot CPU:${kernel.this_cpu}`);
    mask.set(kernel.this_cpu);
  }
  kernel.housekeeping_mask = mask;
}

/** Whether managed interrupts are kept off isolated CPUs. Source: kernel/sched/isolation.c, housekeeping_enabled(HK_FLAG_MANAGED_IRQ) */
export function* housekeeping_enabled(): Op<boolean> {
  return kernel.housekeeping_mask !== null;
}

/** @returns the CPUs that are not isolated. Source: kernel/sched/isolation.c, housekeeping_cpumask() */
export function* housekeeping_cpumask(): Op<cpumask> {
  return kernel.housekeeping_mask ?? kernel.cpu_possible_mask;
}
