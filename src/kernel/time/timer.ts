import type { Op } from '../../stepper/op';
import { kernel } from '../world';

// Timers of the CPUs: kernel/time/timer.c. There is no clock: what is due in the next jiffy is due in the next tick.

/** A timer that stays on the CPU it was added on. */
export class timer_list {
  /** the CPU that it waits on; null: it does not wait */
  cpu: number | null = null;
  constructor(readonly fn: () => Op) {}
}

export const timer_globals = (nr_cpus: number) => ({
  /** by CPU, the first one first */
  timers: Array.from({ length: nr_cpus }, () => [] as timer_list[]),
  /** CPUs whose tick has found timers that are due */
  timer_softirq_pending: new Array<boolean>(nr_cpus).fill(false),
});

/** Inline of include/linux/timer.h. */
export const timer_pending = (timer: timer_list): boolean => timer.cpu !== null;

/** Due in the next jiffy. Source: kernel/time/timer.c, add_timer_on() */
export function* add_timer_on(timer: timer_list, cpu: number): Op {
  timer.cpu = cpu;
  kernel.timers[cpu].push(timer);
}

/** Source: kernel/time/timer.c, try_to_del_timer_sync() */
export function* try_to_del_timer_sync(timer: timer_list): Op {
  if (timer.cpu === null) return;
  const timers = kernel.timers[timer.cpu];
  timers.splice(timers.indexOf(timer), 1);
  timer.cpu = null;
}

/** What a tick does for timers: those that are due run behind it. Source: kernel/time/timer.c, run_local_timers() */
export function* run_local_timers(): Op {
  if (kernel.timers[kernel.this_cpu].length > 0) kernel.timer_softirq_pending[kernel.this_cpu] = true;
}

/** Source: kernel/time/timer.c, run_timer_softirq() */
export function* run_timer_softirq(): Op {
  kernel.timer_softirq_pending[kernel.this_cpu] = false;
  for (const timer of kernel.timers[kernel.this_cpu].splice(0)) {
    timer.cpu = null;
    yield* timer.fn();
  }
}
