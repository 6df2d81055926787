import type { Op } from '../../stepper/op';
import { kernel, spawn } from '../world';

/** Work that an interrupt leaves for the time right behind it. */
export class tasklet_struct {
  /** who has it disabled: it waits while that is more than 0 */
  count = 0;

  constructor(
    readonly name: string,
    readonly func: () => Op,
  ) {}
}

export const tasklet_globals = () => ({
  /** those that are scheduled, in order */
  tasklet_vec: [] as tasklet_struct[],
});

/** Runs behind the interrupt, or in ksoftirqd where there is none. Source: kernel/softirq.c, tasklet_schedule() */
export function* tasklet_schedule(t: tasklet_struct): Op {
  if (kernel.tasklet_vec.includes(t)) return;
  kernel.tasklet_vec.push(t);
  if (kernel.cpus[kernel.this_cpu].hardirq_count === 0) yield* wakeup_softirqd();
}

function* wakeup_softirqd(): Op {
  const cpu = kernel.this_cpu;
  spawn({ name: `ksoftirqd/${cpu}`, cpu, run: tasklet_action });
}

/** Those that are disabled stay. Source: kernel/softirq.c, tasklet_action_common() */
export function* tasklet_action(): Op {
  const list = kernel.tasklet_vec.filter(t => t.count === 0);
  kernel.tasklet_vec = kernel.tasklet_vec.filter(t => t.count > 0);
  for (const t of list) yield* t.func();
}

/** Source: include/linux/interrupt.h, tasklet_disable() */
export function* tasklet_disable(t: tasklet_struct): Op {
  t.count++;
}

/** Source: include/linux/interrupt.h, tasklet_enable() */
export function* tasklet_enable(t: tasklet_struct): Op {
  if (--t.count === 0 && kernel.tasklet_vec.includes(t)) yield* wakeup_softirqd();
}
