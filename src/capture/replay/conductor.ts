import type { TraceEvent } from '../../kernel/trace/trace';
import type { Probes } from '../../scenario/drain';
import type { TaskSpec } from '../../stepper/guest';
import type { Op } from '../../stepper/op';
import { $ } from '../../stepper/runtime';
import { Actor, Frames, kindOf, withFrames } from './actor';
import { burstOf, firstOf } from './burst';
import type { EventComparison } from '../model-and-capture/compare-events';
import { BOUND, EVENT, FREE, gates, LOCK, TAKE, UNLOCKED } from './gates';
import type { HoldingGuest } from './late';
import { SideBySide } from './side-by-side';
import { READY, turnOf } from './turns';
import { isMovedUnseen } from './unscripted';
import { lineText } from '../reading/script';
import { stackNow } from './stack';
import { irqOf, isOfInterrupt, taskOf, type TraceLine } from '../reading/trace';

/** A task as the capture knows it (undefined: it has not shown yet), or `interrupts of CPU n`, or LOST. */
export type Runner = { readonly captured: string | undefined } | string;

/** An interrupt that the capture does not show. */
export const LOST = 'lost';

/**
 * Runs the model's tasks in the order and on the CPUs in which the capture's tasks ran: before a task makes an event or
 * takes a lock in which events are made, the one that made the next captured event takes over, on the CPU where it was. Interrupts that no script raised arrive where their events stand.
 */
export class Conductor {
  private readonly actors: Actor[] = [];
  /** statements before which a task waits for its turn */
  private readonly gates = gates();
  private running: Actor | undefined;
  private readonly sideBySide: SideBySide;
  /** entries that run, one in the other */
  private entries = 0;
  /** line of an event that an interrupt could not bring about */
  private stalled = -1;
  /** numbers of the lines that belong to what is performed are below this one */
  until = 0;
  /** the model's stack where it failed */
  failureStack: readonly string[] = [];
  /** irqs whose devices raise them before the watched statement that is about to run */
  readonly arriving: number[] = [];
  private isUnseen = false;
  isTooEarly: (irq: number) => boolean = () => false;
  private marks = this.gates;
  private watchers: readonly Probes[] = [];

  /**
   * @param note gets what was taken from the capture
   * @param raise lets an irq's device raise it; false: there is no such device
   * @param pick chooses one of so many; whether that was right may show in a later step only
   */
  constructor(
    private readonly guest: HoldingGuest,
    private readonly events: EventComparison,
    private readonly note: (input: string) => void,
    private readonly raise: (irq: number) => boolean,
    private readonly pick: (count: number, showsLater?: boolean) => number,
  ) {
    this.sideBySide = new SideBySide(pick, note);
  }

  /** Somebody wants to know of statements. */
  watch(watchers: readonly Probes[]): void {
    this.watchers = watchers;
    this.marks = this.gates.map((gate, probe) => (gate || watchers.some(({ marks }) => marks[probe]) ? 1 : 0));
  }

  /** Who runs: a task, or the interrupts of a CPU. */
  get who(): Runner {
    if (this.isUnseen) return LOST;
    return this.entries > 0 || !this.running ? `interrupts of CPU ${this.guest.world.kernel.this_cpu}` : this.running;
  }

  /** Functions of the task that the running interrupt has hit, by their ids, outermost first, from 1 on; none where it hit nobody. */
  get hit(): readonly number[] {
    const { running } = this;
    if (this.entries === 0 || running?.cpu !== this.guest.world.kernel.this_cpu) return [];
    return running.stack.fn.slice(0, running.stack.sp + 1);
  }

  /** A task that the model or its script starts. */
  spawn(task: TaskSpec, pinned = true): void {
    this.actors.push(new Actor(task.name, task.cpu, pinned, task.run));
  }

  /** An event that the model has made. */
  readonly observe = (event: TraceEvent): void => {
    if (this.isUnseen) return;
    const actor = this.running;
    this.events.event(event, line => event.hardirq || (this.entries > 0 ? line.softirq : actor === undefined || this.isOf(line, actor)));
    const line = this.events.next;
    if (this.entries === 0) $.lim = (line && line.line < this.until) || this.actors.length > 1 ? 0 : Infinity;
  };

  /** Runs until every task has ended. @throws Error when those that are left sleep for good, or the model fails */
  run(): void {
    for (;;) {
      this.takeEntries();
      const actor = this.choose();
      if (!actor) break;
      this.resume(actor);
    }
    const stuck = this.actors.find(({ wait }) => wait?.wait === 'until');
    if (stuck?.wait?.wait === 'until') throw new Error(`nothing can run: ${stuck.name} on CPU ${stuck.cpu} waits for ${stuck.wait.on}`);
  }

  /** A CPU takes its interrupts only when the event of line `line` is the next one. */
  hold(cpu: number, line: number): void {
    if (this.guest.held.has(cpu)) return;
    this.guest.held.add(cpu);
    this.note(`CPU ${cpu} took its interrupt later (${lineText(line)})`);
  }

  /** Held CPUs that did something before all else take their interrupts now. */
  takeHeld(): void {
    while (isOfInterrupt(this.events.next) && this.guest.held.has(this.events.next!.cpu) && this.interrupt());
  }

  /** What came by itself before line `until`, and was not yet made. @param has whether it has come already @returns whether all of it was made */
  settle(has: (burst: readonly TraceLine[]) => boolean = () => true): void {
    while (isOfInterrupt(this.events.next) && this.events.next!.line < this.until && has(this.burst()) && this.interrupt());
  }

  /** An irq's device raises it, and the CPUs take it. */
  comes(irq: number): boolean {
    if (!this.raise(irq)) return false;
    this.takeEntries();
    return true;
  }

  /** The same for an interrupt of which the capture has lost all. */
  private comesUnseen(irq: number): void {
    this.isUnseen = true;
    this.comes(irq);
    this.isUnseen = false;
    this.note(`irq ${irq} came by itself, which the trees have lost (${lineText(this.events.next!.line)})`);
  }

  /** Is the line one of this task? A task that the capture has not shown yet is the first one that is nobody else's. */
  private isOf(line: TraceLine, actor: Actor): boolean {
    const name = taskOf(line);
    if (actor.captured === undefined && actor.mayBe(line) && !this.actors.some(other => other.captured === name)) actor.captured = name;
    return actor.captured === name;
  }

  /** Who made the next captured event. */
  private wanted(): { readonly actor: Actor; readonly line: TraceLine } | undefined {
    const line = this.events.next;
    if (!line || isOfInterrupt(line) || line.line >= this.until) return undefined;
    const name = taskOf(line);
    const actor = this.actors.find(a => a.captured === name) ?? this.bind(name, this.actors.filter(a => a.captured === undefined && a.mayBe(line)));
    return actor && { actor, line };
  }

  /** Which of several kworkers it is cannot be seen from its name. */
  private bind(name: string, candidates: readonly Actor[]): Actor | undefined {
    const kworkers = candidates.filter(a => kindOf(a.name) === 'kworker');
    if (kworkers.length < 2) return candidates.at(0);
    const actor = kworkers[this.pick(kworkers.length)];
    actor.captured = name;
    this.note(`${name} did what was queued as ${actor.name}`);
    return actor;
  }

  private choose(): Actor | undefined {
    const unknown = this.beforeUnknown();
    if (unknown) return unknown;
    const fresh = this.sideBySide.toBegin(this.actors);
    if (fresh && this.canRun(fresh)) return fresh;
    const wanted = this.wanted()?.actor;
    const actors = [...new Set([wanted, this.running, ...this.actors])].filter(actor => actor !== undefined && this.actors.includes(actor)) as Actor[];
    const turns = new Map(actors.map(actor => [actor, this.turnOf(actor, wanted)]));
    const chosen = actors.sort((a, b) => turns.get(a)! - turns.get(b)!).find(actor => !actor.ends && this.canRun(actor)) ?? this.sideBySide.toEnd(this.actors);
    if (chosen && chosen !== wanted && turns.get(chosen) === READY) this.note(`${chosen.captured ?? chosen.name} went on (${lineText(this.events.next!.line)}), so that the numbers of interrupts are as they were`);
    return chosen;
  }

  private turnOf(actor: Actor, wanted: Actor | undefined): number {
    const { allocated_irqs, gsi_top } = this.guest.world.kernel;
    return turnOf(actor, { wanted, actors: this.actors, irqOf: other => this.irqOf(other), free: count => allocated_irqs.nextZeroArea(gsi_top, count) });
  }

  /** The irq of a task's next event that names one; undefined where that is not known. */
  private irqOf(actor: Actor): number | undefined {
    const next = this.nextOf(actor);
    const line = next && firstOf(this.events.left(), this.until, taskOf(next), other => irqOf(other) !== undefined);
    return line && irqOf(line);
  }

  /** Somebody who has not shown makes the next event: then those that do not go on as far as they can, as one of them may queue whose event it is. */
  private beforeUnknown(): Actor | undefined {
    const { next } = this.events;
    if (!next || isOfInterrupt(next) || next.line >= this.until || this.actors.some(({ captured }) => captured === taskOf(next))) return undefined;
    return this.actors.find(actor => actor.captured === undefined && !actor.mayBe(next) && !actor.frees && actor.takes === undefined && actor.ranBefore !== next && this.isFree(actor, actor.cpu));
  }

  private canRun(actor: Actor): boolean {
    return this.isFree(actor, this.cpuOf(actor));
  }

  private isFree(actor: Actor, cpu: number): boolean {
    this.guest.enter(actor.cpu);
    return actor.runnable && !this.isTaken(cpu, actor);
  }

  private isTaken(cpu: number, by: Actor): boolean {
    return this.actors.some(other => other !== by && other.holdsCpu && other.cpu === cpu);
  }

  /** Where a task goes on: where it made its next event, if it may move there. */
  private cpuOf(actor: Actor): number {
    return actor.pinned || actor.holdsCpu ? actor.cpu : (this.nextOf(actor)?.cpu ?? actor.cpu);
  }

  /** A task's next captured event, as far as it is known which task it is. */
  private nextOf(actor: Actor): TraceLine | undefined {
    const { next } = this.events;
    if (actor.captured === undefined) {
      const wanted = this.wanted();
      return wanted?.actor === actor ? wanted.line : undefined;
    }
    if (actor.seen?.from !== next) actor.seen = { from: next, next: firstOf(this.events.left(), this.until, actor.captured) };
    return actor.seen?.next;
  }

  private resume(actor: Actor): void {
    this.running = actor;
    this.place(actor);
    actor.holdsCpu = false;
    actor.frees = undefined;
    actor.takes = undefined;
    actor.ends = false;
    actor.ranBefore = this.events.next;
    this.guest.enter(actor.cpu);
    $.lim = this.events.next ? 0 : Infinity;
    const { done, value } = this.within(actor.stack, () => actor.next());
    if (done) {
      this.actors.splice(this.actors.indexOf(actor), 1);
      this.running = undefined;
    } else if (typeof value === 'number') {
      actor.wait = undefined;
      actor.holdsCpu = !this.isPreemptible(actor.cpu);
      for (const irq of this.arriving.splice(0)) this.comes(irq);
      const line = this.events.next;
      if (line && isOfInterrupt(line) && this.goesOn(line)) this.interrupt();
    } else {
      actor.wait = value;
      if (value.wait === 'until') actor.ranBefore = undefined;
      actor.holdsCpu = !this.isPreemptible(actor.cpu);
    }
  }

  /** Moves a task that may be moved to the CPU where it made its next event. */
  private place(actor: Actor): void {
    const cpu = this.cpuOf(actor);
    if (cpu === actor.cpu) return;
    actor.cpu = cpu;
    const { task, line } = this.nextOf(actor)!;
    this.note(`${task} ran on CPU ${cpu} (${lineText(line)})`);
  }

  private isPreemptible(cpu: number): boolean {
    const { irqs_enabled, hardirq_count } = this.guest.world.kernel.cpus[cpu];
    return irqs_enabled && hardirq_count === 0;
  }

  /** Whether the running task has to let go here. */
  private readonly look = (probe: number, depth: number, values: unknown[]): boolean => {
    for (const { marks, pass } of this.watchers) {
      if (!marks[probe]) continue;
      $.sp = depth;
      $.vals[depth] = values;
      pass(probe);
    }
    const actor = this.running;
    if (actor && this.entries === 0 && this.arriving.length > 0) return true;
    if (this.entries > 0) return this.gates[probe] === LOCK && this.isOvertaken();
    const line = this.events.next;
    if (actor && this.gates[probe] === BOUND) return this.isPreemptible(actor.cpu) && this.sideBySide.waits(actor, this.actors);
    if (!actor || !line || line.line >= this.until) return false;
    const isPreemptible = this.isPreemptible(actor.cpu);
    if (isOfInterrupt(line)) return isPreemptible && line.line !== this.stalled && this.goesOn(line);
    if (isPreemptible && this.cpuOf(actor) !== actor.cpu) return true;
    if (this.gates[probe] === TAKE && values[0] === -1) return isPreemptible && this.isOneOfSeveral(actor, { takes: Number(values[2]) });
    if (this.gates[probe] === FREE) return isPreemptible && this.isOneOfSeveral(actor, { frees: { from: Number(values[0]), count: Number(values[1]) } });
    const wanted = this.wanted();
    if (wanted?.actor === actor) return false;
    const waits = this.gates[probe] === EVENT || (this.gates[probe] === LOCK && this.isInLock(actor));
    return wanted !== undefined && waits && (isPreemptible || line.cpu !== actor.cpu);
  };

  /** What a task is about to do with numbers of interrupts has its turn among what others do with them. @returns whether there are others */
  private isOneOfSeveral(actor: Actor, numbers: Pick<Actor, 'takes'> | Pick<Actor, 'frees'>): boolean {
    if (this.actors.length === 1) return false;
    Object.assign(actor, numbers);
    return true;
  }

  /** Whether another CPU's interrupt, which waits there, made its events while the running one went on to its own. */
  private isOvertaken(): boolean {
    const { next } = this.events;
    const { this_cpu: cpu } = this.guest.world.kernel;
    if (!next?.hardirq || next.line >= this.until || next.cpu === cpu || !this.guest.pending(next.cpu)) return false;
    const last = this.burst().at(-1)!;
    for (const own of this.events.left()) if (own.line > last.line) return own.line < this.until && own.hardirq && own.cpu === cpu;
    return false;
  }

  /** Whether the task's next captured event is one that is made with vector_lock held. */
  private isInLock(actor: Actor): boolean {
    const next = this.nextOf(actor);
    return next !== undefined && !UNLOCKED.includes(next.event);
  }

  /** An interrupt hits a task only if the task makes an event after it; else it comes when the task has ended. */
  private goesOn({ line: first }: TraceLine): boolean {
    for (const line of this.events.left()) {
      if (line.line >= this.until) return false;
      if (line.line > first && !isOfInterrupt(line)) return true;
    }
    return false;
  }

  /** Lowest CPU first, until no CPU has one. */
  private takeEntries(): void {
    for (let cpu = 0; cpu < this.guest.cpus; cpu++) if (this.takeEntry(cpu)) cpu = -1;
  }

  private takeEntry(cpu: number): boolean {
    this.guest.enter(cpu);
    const entry = this.guest.pending(cpu);
    if (!entry) return false;
    this.entries++;
    this.finish(cpu, entry.run());
    this.entries--;
    return true;
  }

  private finish(cpu: number, op: Op): void {
    const frames = new Frames();
    for (;;) {
      this.guest.enter(cpu);
      $.lim = Infinity;
      const { done, value } = this.within(frames, () => op.next());
      if (done) return;
      if (typeof value === 'number') {
        this.takeEntry(this.events.next!.cpu);
        continue;
      }
      this.takeEntries();
      this.guest.enter(cpu);
      if (value.wait === 'until' && !value.ready()) throw new Error(`an interrupt on CPU ${cpu} waits for ${value.on}`);
    }
  }

  /** The next captured event is of an interrupt that the model has not made: it came by itself. @returns whether it did something */
  private interrupt(): boolean {
    const line = this.events.next;
    if (!line || !isOfInterrupt(line) || line.line >= this.until || line.line === this.stalled) return false;
    if (line.softirq) return this.tick(line);
    if (this.guest.held.delete(line.cpu)) {
      this.takeEntries();
      if (this.events.next !== line) return true;
    }
    const irq = this.burst().map(irqOf).find(n => n !== undefined);
    if (irq !== undefined && this.isTooEarly(irq)) return false;
    this.stalled = line.line;
    if (irq !== undefined && isMovedUnseen(this.guest.world, line, irq)) this.comesUnseen(irq);
    if (irq === undefined || !this.comes(irq)) return false;
    if (this.events.next === line) return false;
    this.note(`irq ${irq} came by itself (${lineText(line.line)})`);
    return true;
  }

  /** The next captured event is of a timer: its CPU's clock interrupted, and before it the interrupt that the timer is about. @returns whether it did something */
  private tick(line: TraceLine): boolean {
    this.stalled = line.line;
    const irq = irqOf(line);
    if (!this.guest.waitsForTick(line.cpu) && irq !== undefined && this.comes(irq)) this.note(`irq ${irq} came by itself (before ${lineText(line.line)})`);
    this.guest.tick(line.cpu, () => this.takeEntry(line.cpu));
    if (this.events.next === line) return false;
    this.note(`the timer of CPU ${line.cpu} came by itself (${lineText(line.line)})`);
    return true;
  }

  private burst(): readonly TraceLine[] {
    return burstOf(this.events.left());
  }

  private within<T>(frames: Frames, run: () => T): T {
    return withFrames(frames, this.marks, this.look, run, () => {
      if (this.failureStack.length === 0) this.failureStack = stackNow();
    });
  }
}
