import type { Op } from '../../stepper/op';
import type { cpumask } from '../lib/cpumask';
import { kernel } from '../world';

export const isolation_globals = () => ({
  /** CPUs that managed interrupts shall keep to (isolcpus=managed_irq,...); null = no isolation */
  housekeeping_mask: null as cpumask | null,
});

/** Whether managed interrupts are kept off isolated CPUs. Source: kernel/sched/isolation.c, housekeeping_enabled(HK_FLAG_MANAGED_IRQ) */
export function* housekeeping_enabled(): Op<boolean> {
  return kernel.housekeeping_mask !== null;
}

/** @returns the CPUs that are not isolated. Source: kernel/sched/isolation.c, housekeeping_cpumask() */
export function* housekeeping_cpumask(): Op<cpumask> {
  return kernel.housekeeping_mask ?? kernel.cpu_possible_mask;
}
