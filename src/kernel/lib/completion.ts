import type { Op } from '../../stepper/op';

/** Something that one task waits for and another one says. */
export class completion {
  done = 0;
  constructor(readonly name: string) {}
}

/** Sleeps until complete() was called once more than this has returned. Source: kernel/sched/completion.c, wait_for_completion() */
export function* wait_for_completion(x: completion): Op {
  while (x.done === 0) yield { wait: 'until', on: x.name, ready: () => x.done > 0 };
  x.done--;
}

/** Wakes one waiter. Source: kernel/sched/completion.c, complete() */
export function* complete(x: completion): Op {
  x.done++;
}
