// The one object that instrumented code talks to. Its fields belong to the run that was resumed last.
import { addModule, functionOf, probeOf, type ModuleTable, type ProbeInfo } from './registry';
import { isOp, shown } from './shown';

/** Iterations that the loops of plain functions may make within one statement. */
const LOOP_BUDGET = 10_000_000;
/** Turns and calls that plain functions of somebody else's code may make: who knows what one of them costs. */
const GUARD_BUDGET = 500_000;
/** So many of them, and the run looks at the clock with its next statement. */
const TIRING = 50_000;
/** Frames of one task: a kernel's stack holds fewer, a host's more. */
const MAX_DEPTH = 1000;

const NO_MARKS = new Uint8Array(0);
const NEVER = 2 ** 31 - 1;
const NOWHERE = -1;

/** A plain function's loop cannot be paused, so it is ended. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
}

/** A recursion that would not end in time. */
export class DepthError extends Error {
  override readonly name = 'DepthError';
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

  /** Statements have cost more than usual: the slice is to end. */
  tired = false;

  /** Depth of the running frame; the stack's arrays are indexed by it, from 1. */
  sp = 0;
  fn: number[] = [];
  pos: number[] = [];
  vals: unknown[][] = [];

  /** the first plain function of somebody else's code that was called since plainly() */
  private plain = NOWHERE;
  private loopStep = -1;
  private fuel = 0;
  private guards = 0;

  /** A function begins. @returns its depth */
  enter(fn: number): number {
    const depth = ++this.sp;
    if (depth > MAX_DEPTH) this.tooDeep(fn);
    this.fn[depth] = fn;
    return depth;
  }

  private tooDeep(fn: number): never {
    this.sp--;
    const { name, module, line, column } = functionOf(fn);
    throw new DepthError(`${module.path}:${line}:${column}: ${MAX_DEPTH} calls stand inside of each other, and ${name} would be one more: the stack is used up`);
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
    if (this.burn(1)) return;
    const { path, line, column } = probeOf(loop);
    throw new BudgetError(`${path}:${line}:${column}: this loop is in a plain function and went round ${LOOP_BUDGET} times in one statement; write it in a generator function, where it can be paused`);
  }

  /** The same in somebody else's code, and a call of a plain function there. */
  guard(place: number): void {
    if (this.plain === NOWHERE) this.plain = place;
    if (++this.guards === TIRING) {
      this.tired = true;
      this.lim = this.n;
    }
    if (this.burn(LOOP_BUDGET / GUARD_BUDGET)) return;
    const { path, line, column } = probeOf(place);
    throw new BudgetError(`${path}:${line}:${column}: plain functions were called, or went round their loops, ${GUARD_BUDGET} times within one statement; write what takes long in a generator function (function*), where it can be paused`);
  }

  /** What somebody else's code delegates to: the run would take whatever else yields for one of its own stops. @throws TypeError for what is no Op */
  op<T>(called: T): T {
    if (isOp(called)) return called;
    throw new TypeError(`yield* of ${shown(called)}; expected an Op: the call of a generator function`);
  }

  /** Calls what should only make an Op. @returns its value, and where it stands if it is a plain function of somebody else's code */
  plainly<T>(call: () => T): { readonly value: T; readonly place: ProbeInfo | undefined } {
    this.plain = NOWHERE;
    const value = call();
    return { value, place: this.plain === NOWHERE ? undefined : probeOf(this.plain) };
  }

  /** @returns whether there was so much left of the statement's budget */
  private burn(fuel: number): boolean {
    if (this.n !== this.loopStep) {
      this.loopStep = this.n;
      this.fuel = LOOP_BUDGET;
    }
    this.fuel -= fuel;
    return this.fuel >= 0;
  }

  /** Before a resume: every statement has its whole loop budget again. */
  refuel(): void {
    this.loopStep = -1;
    this.guards = 0;
    this.tired = false;
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
