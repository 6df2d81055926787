// When a run has to stop: one small class a goal.
import type { Context, Task } from './task';

/** A probe that is being passed. */
export interface Passing {
  /** Probes passed with this one. */
  readonly step: number;
  readonly task: Task;
  readonly depth: number;
}

export interface Watch {
  /** Probes are looked at once so many are passed. */
  readonly from: number;
  /** Is the client asked at marked probes? */
  readonly marks: boolean;
  /** Stop here? */
  stops(at: Passing): boolean;
  /** A marked probe that the client accepted: stop there? */
  stopsAtMark(step: number): boolean;
}

/** Goes on to a mark or the end. */
export class Continue implements Watch {
  readonly from: number = Infinity;
  readonly marks = true;
  stops(_at: Passing): boolean {
    return false;
  }
  stopsAtMark(): boolean {
    return true;
  }
}

/** Stops with `step` probes passed, whatever lies between. */
export class ToStep implements Watch {
  readonly from: number;
  readonly marks = false;
  constructor(private readonly step: number) {
    this.from = step - 1;
  }
  stops(at: Passing): boolean {
    return at.step >= this.step;
  }
  stopsAtMark(): boolean {
    return false;
  }
}

/** The next statement of a task, in whatever frame; when the task is over, the next one of any. */
export class StepIn extends Continue {
  override readonly from = 0;
  constructor(protected readonly task: Task) {
    super();
    task.stack.mark();
  }
  override stops({ task }: Passing): boolean {
    return task === this.task || this.isOver;
  }
  /** Nothing is left of the stack that the step started on. */
  protected get isOver(): boolean {
    return this.task.contexts.length === 0 || !this.task.stack.isMarked(1);
  }
}

/** The next statement in a frame that was there at the start, and not deeper than `limit`. */
export class StepOver extends StepIn {
  constructor(
    task: Task,
    private readonly limit: number,
  ) {
    super(task);
  }
  override stops({ task, depth }: Passing): boolean {
    return (task === this.task && depth <= this.limit && task.stack.isMarked(depth)) || this.isOver;
  }
}

/** The next step of the script: all that this one starts, in however many tasks, is gone over. */
export class StepOverScript extends Continue {
  override readonly from = 0;
  /** @param others the probes of all steps but this one */
  constructor(private readonly others: ReadonlySet<number>) {
    super();
  }
  override stops({ task, depth }: Passing): boolean {
    return depth === 1 && this.others.has(task.stack.pos[1]);
  }
}

/** Notes the last step before `until` that a task took at a depth. */
export class LastAtDepth implements Watch {
  readonly marks = false;
  last: number | undefined;
  constructor(
    private readonly taskId: number,
    private readonly depth: number,
    readonly from: number,
    private readonly until: number,
  ) {}
  stops({ step, task, depth }: Passing): boolean {
    if (step >= this.until) return true;
    if (task.id === this.taskId && depth === this.depth) this.last = step;
    return false;
  }
  stopsAtMark(): boolean {
    return false;
  }
}

/**
 * Notes where going back leads from between two stacks: the last outermost statement of the stack that ran before `until`,
 * when it has ended since; otherwise the step before.
 */
export class LastOutermost implements Watch {
  readonly marks = false;
  /** By the stack's lowest context. */
  private readonly outermost = new Map<Context, number>();
  private before: Context | undefined;
  constructor(
    readonly from: number,
    private readonly until: number,
  ) {}
  stops({ step, task, depth }: Passing): boolean {
    if (step >= this.until) return true;
    const [lowest] = task.contexts;
    if (depth === 1) this.outermost.set(lowest, step);
    this.before = lowest;
    return false;
  }
  get last(): number | undefined {
    const { before } = this;
    const isOver = before !== undefined && before.task.contexts[0] !== before;
    return isOver ? this.outermost.get(before) : this.until - 1;
  }
  stopsAtMark(): boolean {
    return false;
  }
}

/** Notes the last mark before `until` that the client accepts. */
export class LastMark implements Watch {
  readonly from: number;
  readonly marks = true;
  last: number | undefined;
  constructor(private readonly until: number) {
    this.from = until - 1;
  }
  stops({ step }: Passing): boolean {
    return step >= this.until;
  }
  stopsAtMark(step: number): boolean {
    if (step < this.until) this.last = step;
    return false;
  }
}
