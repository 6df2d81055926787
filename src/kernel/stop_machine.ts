import type { Op } from '../stepper/op';
import { complete, completion, wait_for_completion } from './lib/completion';
import type { cpumask } from './lib/cpumask';
import { local_irq_restore, local_irq_save } from './lib/locking';
import { kernel, spawn } from './world';

// All CPUs stand still while one does something: kernel/stop_machine.c.

/** Each CPU goes through these at the same time. */
const MULTI_STOP = { PREPARE: 1, DISABLE_IRQ: 2, RUN: 3, EXIT: 4 } as const;

class multi_stop_data {
  state: number = MULTI_STOP.PREPARE;
  /** CPUs that have not done what the state asks */
  thread_ack: number;
  err = 0;
  /** CPUs whose stopper has not ended */
  nr_todo: number;
  readonly completion = new completion('stop_machine');

  constructor(
    readonly fn: () => Op<number>,
    readonly active_cpus: cpumask,
    readonly num_threads: number,
  ) {
    this.thread_ack = num_threads;
    this.nr_todo = num_threads;
  }
}

/** The last one to do it lets all go on. */
function* ack_state(msdata: multi_stop_data): Op {
  if (--msdata.thread_ack > 0) return;
  msdata.thread_ack = msdata.num_threads;
  msdata.state++;
}

/** Every CPU in step: interrupts off, then the active one runs the function, then on. Source: multi_cpu_stop() */
function* multi_cpu_stop(msdata: multi_stop_data): Op<number> {
  const is_active = msdata.active_cpus.test(kernel.this_cpu);
  let flags = kernel.cpus[kernel.this_cpu].irqs_enabled;
  let curstate = 0;
  let err = 0;

  do {
    const seen = curstate;
    if (msdata.state === seen) yield { wait: 'until', on: 'stop_machine', ready: () => msdata.state !== seen };
    curstate = msdata.state;
    if (curstate === MULTI_STOP.DISABLE_IRQ) flags = yield* local_irq_save();
    if (curstate === MULTI_STOP.RUN && is_active) err = yield* msdata.fn();
    yield* ack_state(msdata);
  } while (curstate !== MULTI_STOP.EXIT);

  yield* local_irq_restore(flags);
  return err;
}

/** What migration/N does with the work. Source: cpu_stopper_thread() */
function* cpu_stopper_thread(msdata: multi_stop_data): Op {
  const ret = yield* multi_cpu_stop(msdata);
  if (ret) msdata.err = ret;
  if (--msdata.nr_todo === 0) yield* complete(msdata.completion);
}

/** Runs `fn` on the CPUs of `cpus` while all online ones have their interrupts off. @returns 0 or fn's errno. Source: stop_machine_cpuslocked() */
export function* stop_machine_cpuslocked(fn: () => Op<number>, cpus: cpumask): Op<number> {
  const msdata = new multi_stop_data(fn, cpus, kernel.cpu_online_mask.weight);
  for (const cpu of kernel.cpu_online_mask) spawn({ name: `migration/${cpu}`, cpu, run: () => cpu_stopper_thread(msdata) });
  yield* wait_for_completion(msdata.completion);
  return msdata.err;
}
