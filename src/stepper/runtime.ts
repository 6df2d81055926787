// The one object that instrumented code talks to. Its fields belong to the run that was resumed last.
import { addModule, probeOf, type ModuleTable } from './registry';

/** Iterations that the loops of plain functions may make within one statement. */
const LOOP_BUDGET = 10_000_000;

const NO_MARKS = new Uint8Array(0);
const NEVER = 2 ** 31 - 1;

/** A plain function's loop cannot be paused, so it is ended. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
}

/** Has the run to stop at this probe? The slow path of every probe that is looked at. */
export type Look = (probe: number, depth: number, values: unknown[]) => boolean;

class Runtime {
  /** Probes passed: the index of the step. */
  n = 0;
  /** Look at every probe once so many are passed. */
  lim = NEVER;
  /** Nonzero: look at this probe whenever it is passed. */
  t: Uint8Array = NO_MARKS;
  at: Look = () => false;

  /** Depth of the running frame; the stack's arrays are indexed by it, from 1. */
  sp = 0;
  fn: number[] = [];
  pos: number[] = [];
  vals: unknown[][] = [];

  private loopStep = -1;
  private fuel = 0;

  /** A function begins. @returns its depth */
  enter(fn: number): number {
    const depth = ++this.sp;
    this.fn[depth] = fn;
    return depth;
  }

  /** A frame is about to call or wait: notes where it is and its variables. Frames above it may have been left by an exception. */
  c(depth: number, probe: number, values: unknown[]): void {
    this.sp = depth;
    this.pos[depth] = probe;
    this.vals[depth] = values;
  }

  /** A function returns. @returns its value */
  r<T>(depth: number, value?: T): T | undefined {
    this.sp = depth - 1;
    return value;
  }

  /** An iteration of a loop in a plain function. */
  spin(loop: number): void {
    if (this.n !== this.loopStep) {
      this.loopStep = this.n;
      this.fuel = LOOP_BUDGET;
    }
    if (--this.fuel >= 0) return;
    const { path, line, column } = probeOf(loop);
    throw new BudgetError(`${path}:${line}:${column}: this loop is in a plain function and went round ${LOOP_BUDGET} times in one statement; write it in a generator function, where it can be paused`);
  }

  /** Before a resume: every statement has its whole loop budget again. */
  refuel(): void {
    this.loopStep = -1;
  }

  /** After a resume: model code that somebody calls now stops nowhere and leaves no trace in the run. */
  rest(): void {
    this.lim = NEVER;
    this.t = NO_MARKS;
    this.at = () => false;
    this.sp = 0;
    this.fn = [];
    this.pos = [];
    this.vals = [];
    this.refuel();
  }

  module(table: ModuleTable): number {
    return addModule(table);
  }
}

export const $ = new Runtime();
