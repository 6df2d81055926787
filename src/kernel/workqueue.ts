import type { Op } from '../stepper/op';
import { complete, completion, wait_for_completion } from './lib/completion';
import { kernel, spawn } from './world';

// Work that is done by a task of the kernel's: kernel/workqueue.c.

/** Does one thing after the other, in the order in which it came. */
export class workqueue_struct {
  readonly works: (() => Op)[] = [];
  running = false;
  constructor(readonly name: string) {}
}

/** A worker runs `func` when what was queued before is done. Source: kernel/workqueue.c, queue_work() */
export function* queue_work(wq: workqueue_struct, func: () => Op): Op {
  wq.works.push(func);
  if (wq.running) return;
  wq.running = true;
  spawn({ name: 'kworker/u:0', cpu: kernel.this_cpu, run: () => process_works(wq) });
}

function* process_works(wq: workqueue_struct): Op {
  for (let work = wq.works.shift(); work; work = wq.works.shift()) yield* work();
  wq.running = false;
}

/** Source: kernel/workqueue.c, flush_workqueue() */
export function* flush_workqueue(wq: workqueue_struct): Op {
  while (wq.running) yield { wait: 'until', on: wq.name, ready: () => !wq.running };
}

/** Have a worker of `cpu` run `fn`, and wait for it. @returns what fn returns. Source: kernel/workqueue.c, work_on_cpu() */
export function* work_on_cpu(cpu: number, fn: () => Op<number>): Op<number> {
  const done = new completion('work_on_cpu');
  let ret = 0;
  spawn({
    name: `kworker/${cpu}:1`,
    cpu,
    *run() {
      ret = yield* fn();
      yield* complete(done);
    },
  });
  yield* wait_for_completion(done);
  return ret;
}
