// Tasks and what they are executing.
import type { Op, Wait } from './op';

/** Frames of one task, by depth from 1. Entries that interrupt the task lie on top of its own frames. */
export class Stack {
  sp = 0;
  /** Function ids; `~id` for a frame that a step started from (see mark()). */
  readonly fn: number[] = [0];
  /** Ids of the probes where the frames stand. */
  readonly pos: number[] = [0];
  readonly vals: unknown[][] = [[]];

  /** Tells the frames that are there now from later ones at the same depth. */
  mark(): void {
    for (let depth = 1; depth <= this.sp; depth++) this.fn[depth] = ~this.functionAt(depth);
  }

  isMarked(depth: number): boolean {
    return this.fn[depth] < 0;
  }

  functionAt(depth: number): number {
    const fn = this.fn[depth];
    return fn < 0 ? ~fn : fn;
  }
}

/** The last element that passes. */
export function findLast<T>(list: readonly T[], passes: (element: T) => boolean): T | undefined {
  for (let i = list.length - 1; i >= 0; i--) if (passes(list[i])) return list[i];
  return undefined;
}

/** A task's own code, or an entry that runs on its stack. */
export class Context {
  op: Op | undefined;
  wait: Wait | undefined;

  constructor(
    readonly task: Task,
    readonly name: string,
    readonly start: () => Op,
    /** Depth of the frames below. */
    readonly base: number,
  ) {}

  /** Would it go on if it were resumed? */
  get runnable(): boolean {
    return this.wait?.wait !== 'until' || this.wait.ready();
  }

  get sleeping(): boolean {
    return this.wait?.wait === 'until';
  }
}

/** Something with a stack of its own: a task of the guest, or a CPU's idle task, on which entries run when nothing else does. */
export class Task {
  readonly stack = new Stack();
  /** What runs on the stack, the interrupting above the interrupted; empty when over, or idle. */
  readonly contexts: Context[] = [];

  /** @param id the same in every replay */
  constructor(
    readonly id: number,
    readonly name: string,
    readonly cpu: number,
    readonly daemon: boolean,
  ) {}

  push(name: string, start: () => Op): Context {
    const context = new Context(this, name, start, this.stack.sp);
    this.contexts.push(context);
    return context;
  }

  /** The context that runs, or would. */
  get top(): Context | undefined {
    return this.contexts.at(-1);
  }
}
