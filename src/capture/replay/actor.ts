import type { Op, Wait } from '../../stepper/op';
import { $ } from '../../stepper/runtime';
import type { TraceLine } from '../reading/trace';

/** A task of the model, with its stack. */
export class Actor {
  private op: Op | undefined;
  readonly stack = new Frames();
  wait: Wait | undefined;
  /** it was left where it may not be preempted: its CPU is its own */
  holdsCpu = false;
  /** who it is in the capture: the task of its first event */
  captured: string | undefined;
  /** its next event, when the next of all was `from` */
  seen: { readonly from: TraceLine | undefined; readonly next: TraceLine | undefined } | undefined;
  /** the next event of all when it ran last; undefined while it sleeps */
  ranBefore: TraceLine | undefined;

  get begun(): boolean {
    return this.op !== undefined;
  }

  /** it ends, and others that run beside it may end before: who did shows later */
  ends = false;

  /** it is about to free these interrupt numbers, and waits for its turn */
  frees: { readonly from: number; readonly count: number } | undefined;
  /** it is about to take so many, and waits for its turn */
  takes: number | undefined;

  constructor(
    readonly name: string,
    public cpu: number,
    /** stays on its CPU */
    readonly pinned: boolean,
    private readonly start: () => Op,
  ) {}

  /** Goes on to where it lets go, or to its end. */
  next(): IteratorResult<number | Wait, void> {
    // eslint-disable-next-line irqstep/yield-star -- a scheduler holds the operation itself
    this.op ??= this.start();
    return this.op.next();
  }

  /** Can a captured line be of this task, by their names? The trace does not know the name of a task that has ended. */
  mayBe({ task, cpu }: TraceLine): boolean {
    if (this.pinned && cpu !== this.cpu) return false;
    const kind = kindOf(this.name);
    if (task === '<idle>-0') return kind === 'swapper';
    return task.startsWith('<...>') ? kind !== 'swapper' : kindOf(task) === kind;
  }

  get runnable(): boolean {
    return this.wait?.wait !== 'until' || this.wait.ready();
  }
}

/** Workqueues whose work is done by their rescuer, a task of the same name, where no kworker comes in time. */
const RESCUERS = /^nvme-(?:reset-)?wq-/;

/** The kernel's own tasks by the first part of their names; '' for any other. */
export const kindOf = (name: string): string => (RESCUERS.test(name) ? 'kworker' : (/^(kworker|cpuhp|migration|swapper)\b/.exec(name)?.[1] ?? ''));

export class Frames {
  sp = 0;
  fn: number[] = [0];
  pos: number[] = [0];
  vals: unknown[][] = [[]];
}

/** Runs what has these frames. @param look whether to let go before a marked statement @param failed is told while the frames are there */
export function withFrames<T>(frames: Frames, marks: Uint8Array, look: (probe: number, depth: number, values: unknown[]) => boolean, run: () => T, failed: () => void): T {
  const { n, lim, t, at, sp, fn, pos, vals } = $;
  Object.assign($, { n: 0, t: marks, at: look, sp: frames.sp, fn: frames.fn, pos: frames.pos, vals: frames.vals });
  $.refuel();
  try {
    return run();
  } catch (error) {
    failed();
    throw error;
  } finally {
    frames.sp = $.sp;
    Object.assign($, { n, lim, t, at, sp, fn, pos, vals });
  }
}
