// The stepper's public face: runs a guest, stops it, shows where it is, and goes back by running it anew.
import type { Guest, MakeGuest } from './guest';
import { firstLine, modules, probeOf, probesAt, probesBetween, registrySize, scriptProbe, type ModuleInfo, type ProbeInfo } from './registry';
import { Run, type Halt } from './run';
import { $ } from './runtime';
import { frameOf, mergeParts, threadName, type FrameInfo } from './frames';
import type { Task } from './task';
import { Continue, LastAtDepth, LastMark, LastOutermost, StepIn, StepOver, StepOverScript, ToStep, type Watch } from './watch';

export type { FrameInfo } from './frames';
export type { Entry, Guest, Host, MakeGuest, ScriptStep, TaskSpec } from './guest';
export type { FunctionInfo, ModuleInfo, ProbeInfo, ScriptPlace } from './registry';
export { DeadlockError } from './run';
export { BudgetError } from './runtime';

/** `failed`: an exception left the model, or a deadlock. */
export type Outcome = 'running' | 'stopped' | 'ended' | 'failed';

/** A CPU with a live stack, or a sleeping task. The id is the same in every replay: CPU n is n + 1, and tasks come behind the CPUs. */
export interface ThreadInfo {
  readonly id: number;
  readonly name: string;
  readonly cpu: number;
  readonly kind: 'cpu' | 'sleeping';
}

/** Where to go. Steps are of a thread, and follow its task through sleep; `back` undoes `next`, `backInto` undoes `stepIn`. */
export type Goal =
  | { readonly kind: 'continue' }
  | { readonly kind: 'next' | 'stepIn' | 'stepOut' | 'back'; readonly thread: number }
  | { readonly kind: 'backInto' | 'reverseContinue' }
  /** With so many probes passed; 1 is the first statement. */
  | { readonly kind: 'toStep'; readonly step: number };

export interface StopEvent {
  /** `start`: going back found nothing further. `end` after `exception` and `deadlock` too, when asked to go on. */
  readonly reason: 'breakpoint' | 'step' | 'pause' | 'entry' | 'end' | 'exception' | 'deadlock' | 'start';
  /** 0 when none is left. */
  readonly thread: number;
  /** The statement that runs next, when the thread stands before one. */
  readonly probe?: number;
  readonly error?: Error;
}

/** A marked probe is being passed. */
export interface ProbeHit {
  readonly probe: number;
  readonly thread: number;
  /** The same for as long as the task lives; the thread changes when it sleeps. */
  readonly task: number;
  /** Probes passed with this one; a hit of the same step is the same hit, replayed. */
  readonly step: number;
  /** Of its frame, from 1 at the bottom of the stack. */
  readonly depth: number;
  /** Of the variables that the probe names, by index. */
  readonly values: readonly unknown[];
  /** This hit only is looked for while going back: print nothing. */
  readonly replay: boolean;
  /** Top first. */
  frames(): FrameInfo[];
}

/**
 * Thrown out of the model by who watches it: the run stops before the statement that runs, and can go on from there.
 * Only while Stepper.running has a value.
 */
export class Interruption extends Error {
  override readonly name: string = 'Interruption';
}

/** So long a run keeps the event loop waiting, in ms. */
const SLICE = 15;
/** Parts of a slice: what a statement costs varies, so the clock is looked at between them. */
const PARTS = 5;
const MAX_PART = 200_000;
/** Steps before now that are searched first when going back. */
const NEAR = 4096;

export class Stepper {
  /** The client's decision at a marked probe: true stops. Without it every mark stops. */
  onProbe?: (hit: ProbeHit) => boolean;

  private live: Run;
  private busy = false;
  private pauseWanted = false;
  private error: Error | undefined;
  private marked: readonly number[] = [];
  private table = new Uint8Array(0);
  private partProbes = 2000;
  private replaying = false;
  private ahead = false;
  /** Where `next` went, and from where: the way back. A run is the same each time. */
  private readonly wentFrom = new Map<number, number>();

  constructor(private readonly make: MakeGuest) {
    this.live = this.powerOn();
  }

  /** Probes passed, with the one of the statement that runs next; 0 before the first. */
  get step(): number {
    return this.live.step;
  }

  /** The step of the statement that the model is in, while it goes forward; undefined while it is replayed, and between statements. */
  get running(): number | undefined {
    return this.ahead && this.live.active ? $.n : undefined;
  }

  get outcome(): Outcome {
    if (this.busy) return 'running';
    if (this.error) return 'failed';
    return this.live.halt?.reason === 'end' ? 'ended' : 'stopped';
  }

  /** The guest of the current run: another one after going back. */
  get guest(): Guest {
    return this.live.guest;
  }

  // ---- looking

  threads(): ThreadInfo[] {
    const { scheduler, guest } = this.live;
    const cpus = Array.from({ length: guest.cpus }, (_, cpu) => scheduler.taskOn(cpu)).filter(task => task !== undefined);
    return [...cpus, ...scheduler.sleepers].map(task => {
      const id = this.threadOf(task);
      return { id, name: threadName(task), cpu: task.cpu, kind: id <= guest.cpus ? 'cpu' : 'sleeping' };
    });
  }

  /** The frames of a thread, top first; none for a thread that is not listed. */
  frames(thread: number): FrameInfo[] {
    const task = this.taskOf(thread);
    if (!task) return [];
    const frames = Array.from({ length: task.stack.sp }, (_, i) => frameOf(task, task.stack.sp - i));
    const { guest } = this.live;
    return guest.isPart ? mergeParts(frames, fn => guest.isPart!(fn)) : frames;
  }

  /** Modules with their source, in the order they were loaded. */
  modules(): ModuleInfo[] {
    return modules();
  }

  /** The probes on the first line at or after `line` that has one; none when the file has none or is not known. */
  probesAt(path: string, line: number): ProbeInfo[] {
    const script = this.scriptStarts().filter(p => p.path === path && p.line >= line);
    return script.length > 0 ? firstLine(script.sort((a, b) => a.line - b.line)) : probesAt(path, line);
  }

  /** The probes that start in these lines, both inclusive: the places where a breakpoint can be. */
  probesBetween(path: string, line: number, endLine: number): ProbeInfo[] {
    const script = this.scriptStarts().filter(p => p.path === path && p.line >= line && p.line <= endLine);
    return script.length > 0 ? script : probesBetween(path, line, endLine);
  }

  probe(id: number): ProbeInfo {
    return probeOf(id);
  }

  /** The probes that the client wants to be asked about, instead of those before. */
  setMarks(probes: Iterable<number>): void {
    this.marked = [...probes];
    this.fillTable();
  }

  // ---- going

  /**
   * Goes on until the goal is reached, or something else stops it.
   * @throws Error when the run is under way already; what onProbe or the guest throws
   */
  async run(goal: Goal): Promise<StopEvent> {
    if (this.busy) throw new Error(`cannot ${goal.kind}: the run is under way, pause it first`);
    this.busy = true;
    this.pauseWanted = false;
    try {
      return await this.pursue(goal);
    } finally {
      this.busy = false;
      this.replaying = false;
    }
  }

  /** Stops a run under way at its next slice; without one, nothing. */
  pause(): void {
    this.pauseWanted = this.busy;
  }

  private pursue(goal: Goal): Promise<StopEvent> {
    switch (goal.kind) {
      case 'continue':
        return this.forward(new Continue());
      case 'next':
        return this.next(goal.thread);
      case 'stepIn':
      case 'stepOut':
        return this.stepFrom(goal.kind, goal.thread);
      case 'toStep':
        return goal.step > this.step ? this.forward(new ToStep(goal.step), goal.step === 1 ? 'entry' : 'step') : this.replay(goal.step);
      case 'backInto':
        return this.replay(this.here - 1);
      case 'back':
        return this.back(goal.thread);
      case 'reverseContinue':
        return this.reverse();
    }
  }

  private async next(thread: number): Promise<StopEvent> {
    const from = this.here;
    const stop = await this.stepFrom('next', thread);
    const arrived = stop.reason === 'step' || stop.reason === 'end';
    if (arrived && this.here > from) this.wentFrom.set(this.here, from);
    return stop;
  }

  private stepFrom(kind: 'next' | 'stepIn' | 'stepOut', thread: number): Promise<StopEvent> {
    const task = this.taskOf(thread);
    if (!task) return this.forward(new ToStep(this.step + 1));
    if (kind === 'stepIn') return this.forward(new StepIn(task));
    const others = kind === 'next' && task.stack.sp === 1 ? this.otherSteps(task.stack.pos[1]) : undefined;
    if (others) return this.forward(new StepOverScript(others));
    return this.forward(new StepOver(task, kind === 'next' ? task.stack.sp : task.stack.sp - 1));
  }

  private async forward(watch: Watch, reason: 'step' | 'entry' = 'step'): Promise<StopEvent> {
    if (this.error) return { reason: 'end', thread: 0, error: this.error };
    this.ahead = true;
    const halt = await this.advance(watch).finally(() => (this.ahead = false));
    if (halt?.reason === 'deadlock') this.error = halt.error;
    if (halt?.reason === 'exception') return this.failed(halt.error!);
    return this.event(halt, reason);
  }

  /** Back to the statement that threw: its frames and variables are those that matter. */
  private async failed(error: Error): Promise<StopEvent> {
    const there = this.step > 0 ? await this.replay(this.step) : undefined;
    if (there?.reason === 'pause') return there;
    if (!(error instanceof Interruption)) this.error = error;
    return { ...this.event(undefined, 'step'), reason: 'exception', error };
  }

  private async replay(step: number): Promise<StopEvent> {
    const target = Math.max(step, 1);
    this.restart();
    return this.event(await this.advance(new ToStep(target)), step < 1 ? 'start' : 'step');
  }

  /**
   * Where `next` came from; else the last statement before this one in the same frame, or the one that called it. Before a
   * task's first statement: the outermost one of the stack that ended there, or the step before where none did.
   */
  private async back(thread: number): Promise<StopEvent> {
    const now = this.here;
    const task = this.taskOf(thread);
    const from = this.wentFrom.get(now);
    if (from !== undefined && task === this.live.active?.task) return this.replay(from);
    const depth = task ? task.stack.sp - (this.isBeforeFirstStatement(task) ? 1 : 0) : 0;
    for (let near = NEAR; ; near *= 8) {
      const start = Math.max(now - near, 0);
      const watch = task && depth > 0 ? new LastAtDepth(task.id, depth, start, now) : new LastOutermost(start, now);
      this.restart();
      if (!(await this.advance(watch))) return this.event(undefined, 'step');
      if (watch.last !== undefined || near >= now) return this.replay(watch.last ?? now - 1);
    }
  }

  private async reverse(): Promise<StopEvent> {
    const watch = new LastMark(this.here);
    this.restart();
    this.replaying = true;
    if (!(await this.advance(watch))) return this.event(undefined, 'step');
    const found = await this.replay(watch.last ?? 0);
    return found.reason === 'step' ? { ...found, reason: 'breakpoint' } : found;
  }

  /** @returns why the run stopped; undefined when it was paused */
  private async advance(watch: Watch): Promise<Halt | undefined> {
    if (this.table.length < registrySize()) this.fillTable();
    for (;;) {
      const halt = this.slice(watch);
      if (halt) return halt;
      await turn();
      if (this.pauseWanted) return undefined;
    }
  }

  /** Part after part until its time is over. */
  private slice(watch: Watch): Halt | undefined {
    const start = performance.now();
    for (let now = start; now - start < SLICE; ) {
      const halt = this.live.slice(watch, this.partProbes);
      if (halt) return halt;
      const before = now;
      now = performance.now();
      this.tunePart(now - before);
    }
    return undefined;
  }

  private tunePart(took: number): void {
    const factor = Math.min(Math.max(SLICE / PARTS / Math.max(took, 0.1), 0.1), 2);
    this.partProbes = Math.round(Math.min(Math.max(this.partProbes * factor, 100), MAX_PART));
  }

  private event(halt: Halt | undefined, step: 'step' | 'entry' | 'start'): StopEvent {
    const { active, lastTask } = this.live;
    const task = halt ? halt.task : (active?.task ?? lastTask);
    const reason = !halt ? 'pause' : halt.reason === 'stop' ? step : halt.reason === 'mark' ? 'breakpoint' : halt.reason;
    return {
      reason,
      thread: task ? this.threadOf(task) : 0,
      ...(active && { probe: active.task.stack.pos[active.task.stack.sp] }),
      ...(halt?.error && { error: halt.error }),
    };
  }

  private restart(): void {
    this.live = this.powerOn();
    this.error = undefined;
  }

  private powerOn(): Run {
    return new Run(
      this.make,
      () => this.table,
      (probe, depth, values) => this.ask(probe, depth, values),
    );
  }

  private ask(probe: number, depth: number, values: readonly unknown[]): boolean {
    if (!this.onProbe) return true;
    const { task } = this.live.active!;
    const thread = this.threadOf(task);
    return this.onProbe({ probe, thread, task: task.id, step: this.step, depth, values, replay: this.replaying, frames: () => this.frames(thread) });
  }

  // ---- where it is

  /** The step that stands before a statement; one more than the last when none does. */
  private get here(): number {
    return this.live.active ? this.step : this.step + 1;
  }

  private isBeforeFirstStatement(task: Task): boolean {
    return this.live.active?.task === task && probeOf(task.stack.pos[task.stack.sp]).entry;
  }

  private threadOf(task: Task): number {
    // The idle tasks have the CPUs' numbers.
    return (this.live.scheduler.taskOn(task.cpu) === task ? task.cpu : task.id) + 1;
  }

  private taskOf(thread: number): Task | undefined {
    const { scheduler, guest } = this.live;
    return thread <= guest.cpus ? scheduler.taskOn(thread - 1) : scheduler.sleepers.find(task => task.id + 1 === thread);
  }

  /** Of a step of the script, which may be several tasks at one place, the probes of the others; undefined for a statement of the model. */
  private otherSteps(id: number): Set<number> | undefined {
    const { path, line, column } = probeOf(id);
    const isHere = (p: ProbeInfo): boolean => p.path === path && p.line === line && p.column === column;
    const steps = this.scriptProbes();
    return steps.some(isHere) ? new Set(steps.filter(p => !isHere(p)).map(p => p.id)) : undefined;
  }

  private scriptProbes(): ProbeInfo[] {
    return (this.guest.steps?.() ?? []).map(scriptProbe);
  }

  /** Where a step is several tasks at one place, the first of them. */
  private scriptStarts(): ProbeInfo[] {
    const starts = new Map<string, ProbeInfo>();
    for (const probe of this.scriptProbes()) {
      const place = `${probe.line}:${probe.column}:${probe.path}`;
      if (!starts.has(place)) starts.set(place, probe);
    }
    return [...starts.values()];
  }

  private fillTable(): void {
    this.table = new Uint8Array(registrySize());
    for (const probe of this.marked) this.table[probe] = 1;
  }
}

/** The event loop's turn. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
