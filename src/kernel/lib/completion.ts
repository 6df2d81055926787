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

/** There is no clock: time runs out when `expired` says so. @returns whether it was said before. Source: kernel/sched/completion.c, wait_for_completion_timeout() */
export function* wait_for_completion_timeout(x: completion, expired: () => boolean): Op<boolean> {
  while (x.done === 0 && !expired()) yield { wait: 'until', on: x.name, ready: () => x.done > 0 || expired() };
  return yield* try_wait_for_completion(x);
}

/** @returns whether it was said; does not wait. Source: kernel/sched/completion.c, try_wait_for_completion() */
export function* try_wait_for_completion(x: completion): Op<boolean> {
  if (x.done === 0) return false;
  x.done--;
  return true;
}

/** Wakes one waiter. Source: kernel/sched/completion.c, complete() */
export function* complete(x: completion): Op {
  x.done++;
}
