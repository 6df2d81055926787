import type { Op } from '../stepper/op';
import { num_possible_nodes } from './include/topology';
import { cpu_relax_until, local_irq_restore, local_irq_save } from './lib/locking';
import { pr_info } from './lib/printk';
import { kernel } from './world';

// Functions that another CPU calls, and the CPUs at boot: kernel/smp.c.

/** A call that waits for its CPU. */
interface call_single_data {
  readonly func: () => Op;
  done: boolean;
}

export const smp_globals = (nr_cpus: number) => ({
  call_single_queue: Array.from({ length: nr_cpus }, () => [] as call_single_data[]),
});

/** `func` runs on `cpu`, with interrupts off; the caller waits. Source: kernel/smp.c, smp_call_function_single(), generic_exec_single(), with wait set */
export function* smp_call_function_single(cpu: number, func: () => Op): Op {
  const flags = yield* local_irq_save();
  if (cpu === kernel.this_cpu) {
    yield* func();
    yield* local_irq_restore(flags);
    return;
  }

  const csd: call_single_data = { func, done: false };
  const queue = kernel.call_single_queue[cpu];
  queue.push(csd);
  // Only the first one needs an interrupt.
  if (queue.length === 1) yield* kernel.smp_ops.send_call_func_single_ipi(cpu);
  yield* local_irq_restore(flags);
  yield* cpu_relax_until(`a call on CPU ${cpu}`, () => csd.done);
}

/** What other CPUs want of this one. Source: kernel/smp.c, flush_smp_call_function_queue() */
export function* generic_smp_call_function_single_interrupt(): Op {
  for (const csd of kernel.call_single_queue[kernel.this_cpu].splice(0)) {
    yield* csd.func();
    csd.done = true;
  }
}

/** Source: kernel/smp.c, smp_init(), before the CPUs are brought up */
export function* smp_init_begin(): Op {
  pr_info('smp: Bringing up secondary CPUs ...');
}

/** Source: kernel/smp.c, smp_init(), when they are up */
export function* smp_init_end(): Op {
  const nodes = num_possible_nodes();
  const cpus = kernel.cpu_online_mask.weight;
  pr_info(`smp: Brought up ${nodes} node${nodes > 1 ? 's' : ''}, ${cpus} CPU${cpus > 1 ? 's' : ''}`);
}
