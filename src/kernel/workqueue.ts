import type { Op } from '../stepper/op';
import { complete, completion, wait_for_completion } from './lib/completion';
import { spawn } from './world';

// Work that is done by a task of the kernel's: kernel/workqueue.c.

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
