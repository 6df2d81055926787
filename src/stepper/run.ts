// One power-on of a guest, from its first step to its end, in slices.
import type { Guest, MakeGuest, ScriptStep, TaskSpec } from './guest';
import type { Op } from './op';
import { scriptProbe } from './registry';
import { $ } from './runtime';
import { Scheduler } from './scheduler';
import type { Context, Task } from './task';
import type { Watch } from './watch';

/** Why a run does not go on. */
export interface Halt {
  readonly reason: 'stop' | 'mark' | 'end' | 'exception' | 'deadlock';
  /** The last task that ran; absent when none did. */
  readonly task: Task | undefined;
  readonly error?: Error;
}

/** Tasks sleep, and nothing is left that could wake them. */
export class DeadlockError extends Error {
  override readonly name = 'DeadlockError';
}

/** Resumes within a slice, so that contexts that only wait for each other end it too. */
const RESUMES = 2000;
const NO_MARKS = new Uint8Array(0);

export class Run {
  readonly guest: Guest;
  readonly scheduler: Scheduler;
  /** Probes passed. */
  step = 0;
  /** Who is resumed next: stopped at a probe. Otherwise the scheduler chooses. */
  active: Context | undefined;
  lastTask: Task | undefined;
  halt: Halt | undefined;

  private watch: Watch | undefined;
  private end = 0;
  private fault: { error: unknown } | undefined;
  private started = false;

  /**
   * @param marks the probes to ask about, by id
   * @param accepts the client's answer at a marked probe
   */
  constructor(
    make: MakeGuest,
    private readonly marks: () => Uint8Array,
    private readonly accepts: (probe: number, depth: number, values: readonly unknown[]) => boolean,
  ) {
    const early: TaskSpec[] = [];
    let spawn = (task: TaskSpec): void => void early.push(task);
    this.guest = make({ spawn: task => spawn(task) });
    this.scheduler = new Scheduler(this.guest);
    spawn = task => this.scheduler.spawn(task);
    early.forEach(spawn);
  }

  /** Goes on for at most so many probes. @returns why it stopped; undefined when only the slice is over */
  slice(watch: Watch, probes: number): Halt | undefined {
    this.watch = watch;
    this.end = this.step + probes;
    this.halt = undefined;
    this.fault = undefined;
    if (!this.started && !this.startUp(probes)) return this.halt;
    for (let resumes = 0; resumes < RESUMES && this.step <= this.end && !this.halt; resumes++) {
      const context = this.active ?? this.scheduler.next() ?? this.nextStep();
      if (context) this.resume(context, watch);
      else this.halt = this.over();
    }
    return this.halt;
  }

  /** @returns whether the first step can begin */
  private startUp(probes: number): boolean {
    try {
      this.started = this.guest.startUp?.(probes) ?? true;
    } catch (error) {
      this.halt = { reason: 'exception', task: undefined, error: errorOf(error) };
    }
    return this.started;
  }

  private nextStep(): Context | undefined {
    this.guest.enter(0);
    const step = this.guest.nextStep();
    if (step) this.scheduler.spawn({ ...step.task, run: () => scriptFrame(step) });
    return step ? this.scheduler.next() : undefined;
  }

  private over(): Halt {
    const stuck = this.scheduler.stuck;
    if (stuck.length === 0) return { reason: 'end', task: undefined };
    const list = stuck.map(({ name, task, wait }) => `${name} on CPU ${task.cpu} waits for ${wait?.wait === 'until' ? wait.on : 'a CPU'}`);
    return { reason: 'deadlock', task: stuck[0].task, error: new DeadlockError(`nothing can run, and the script has no step left: ${list.join('; ')}`) };
  }

  private resume(context: Context, watch: Watch): void {
    this.active = context;
    this.lastTask = context.task;
    context.wait = undefined;
    this.guest.enter(context.task.cpu);
    this.load(context.task, watch);
    try {
      context.op ??= context.start();
      const { done, value } = context.op.next();
      this.unload(context.task);
      if (done) this.scheduler.ended(context);
      else if (typeof value !== 'number') this.scheduler.waits(context, value);
      if (done || typeof value !== 'number') this.active = undefined;
    } catch (error) {
      this.unload(context.task);
      this.halt = { reason: 'exception', task: context.task, error: errorOf(error) };
    }
    $.rest();
    if (this.fault) throw this.fault.error;
  }

  private load(task: Task, watch: Watch): void {
    $.n = this.step;
    $.lim = watch.from < this.end ? watch.from : this.end;
    $.t = watch.marks ? this.marks() : NO_MARKS;
    $.at = this.look;
    $.sp = task.stack.sp;
    $.fn = task.stack.fn;
    $.pos = task.stack.pos;
    $.vals = task.stack.vals;
    $.refuel();
  }

  private unload(task: Task): void {
    this.step = $.n;
    task.stack.sp = $.sp;
  }

  private readonly look = (probe: number, depth: number, values: unknown[]): boolean => {
    const task = this.active!.task;
    const watch = this.watch!;
    task.stack.pos[depth] = probe;
    task.stack.vals[depth] = values;
    // Frames above may have been left by an exception.
    $.sp = depth;
    this.unload(task);
    if ($.t[probe] && this.isAccepted(probe, depth, values) && watch.stopsAtMark(this.step)) this.halt = { reason: 'mark', task };
    else if (this.step > watch.from && watch.stops({ step: this.step, task, depth })) this.halt = { reason: 'stop', task };
    if ($.tired) this.end = this.step - 1;
    return this.halt !== undefined || this.fault !== undefined || this.step > this.end;
  };

  /** The client's own errors end the run, not the model's statement. */
  private isAccepted(probe: number, depth: number, values: readonly unknown[]): boolean {
    try {
      return this.accepts(probe, depth, values);
    } catch (error) {
      this.fault = { error };
      return false;
    }
  }
}

/** Whatever was thrown, as an error. */
function errorOf(error: unknown): Error {
  if (error instanceof Error) return error;
  // An object need not have a text.
  return new Error(typeof error === 'object' && error !== null ? 'an object that is no Error was thrown' : `${String(error)} was thrown`);
}

/** A step of the script: instrumented by hand. */
function* scriptFrame(step: ScriptStep): Op {
  const { id } = scriptProbe(step);
  const depth = $.enter(id);
  if (($.n++ >= $.lim || $.t[id]) && $.at(id, depth, [])) yield id;
  $.c(depth, id, []);
  yield* step.task.run();
  $.r(depth);
}
