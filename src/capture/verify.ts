import type { Op } from '../stepper/op';
import { AFFINITY, AFFINITY_LIST, write_irq_affinity } from '../kernel/irq/proc';
import { KERNELS } from '../kernel/changes';
import type { World } from '../kernel/world';
import { drain } from '../scenario/drain';
import { boot, powerOn } from '../scenario/power-on';
import { readCapture, type Capture } from './capture';
import { EventComparison, ObservedTrace, type Difference } from './compare-events';
import { capturedLines, same, stateLines, type StateLine } from './compare-state';
import type { Section, Unread } from './files';
import { lens_command, type lens_slot } from './irqlens';
import { HoldingGuest, lateEvents, raisedBy } from './late';
import { planOf, type PlannedAction, type PlannedStep } from './plan';
import { resume, resumeManagedMaps, slotsAt } from './resume';
import type { ScriptAction } from './script';
import { shellResult } from './shell';
import { stackNow } from './stack';

/** What a comparison came to. */
export interface Verdict {
  readonly name: string;
  readonly events: Count;
  readonly state: Count;
  /** taken from the capture, one sentence each */
  readonly inputs: readonly string[];
  readonly resumed: number;
  /** lines of the range that were not understood */
  readonly unread: number;
  readonly difference: Difference | undefined;
  /** everything was there, was understood and is the same */
  readonly ok: boolean;
}

/** M of N */
export interface Count {
  readonly matched: number;
  readonly total: number;
}

/**
 * Performs a capture's scripted steps on the model and compares what the model does with what the kernel did.
 * @param print gets the report, line by line; the last one is `CAPTURE: events M/N, state M/N, inputs K, resumed R, unread U`
 */
export function verify(folder: string, print: (line: string) => void): Verdict {
  const capture = readCapture(folder);
  const plan = planOf(capture);
  const problems = [...capture.problems, ...plan.problems, ...refusals(capture, plan.steps)];
  for (const problem of problems) print(`${capture.name}: ${problem}`);

  const run = new Run(capture);
  for (const step of capture.kernel === undefined ? [] : plan.steps) run.step(step, print);
  const verdict = run.verdict(problems.length === 0, plan.steps);
  printUnread(capture.name, run.unread(plan.steps), print);
  if (verdict.difference) printDifference(verdict.difference, print);
  const { events, state } = verdict;
  print(`${capture.name}: events ${events.matched}/${events.total}, state ${state.matched}/${state.total}, inputs ${verdict.inputs.length}, resumed ${verdict.resumed}, unread ${verdict.unread}`);
  return verdict;
}

function refusals({ kernel, uname }: Capture, steps: readonly PlannedStep[]): string[] {
  if (kernel === undefined) return uname === '' ? [] : [`the model has no kernel "${uname}", only ${Object.keys(KERNELS).join(' and ')}: nothing is checked`];
  return steps.length === 0 ? ['none of the steps that can be performed is in it: nothing is checked'] : [];
}

/** The first ones: where they stand. */
function printUnread(name: string, unread: readonly Unread[], print: (line: string) => void): void {
  for (const { file, line, text } of unread.slice(0, 3)) print(`${name}: ${file}:${line} is not understood: ${text.slice(0, 100)}`);
}

function printDifference({ where, captured, model, stack }: Difference, print: (line: string) => void): void {
  print(`first difference: ${where}`);
  print(`  capture: ${captured ?? '(nothing)'}`);
  print(`  model:   ${model ?? '(nothing)'}`);
  for (const frame of stack) print(`    at ${frame}`);
}

/** The model on its way through the steps. */
class Run {
  private guest: HoldingGuest | undefined;
  private trace = new ObservedTrace();
  private slots: lens_slot[] = [];
  private readonly matched = { events: 0, state: 0 };
  private readonly inputs: string[] = [];
  private resumed = 0;
  private difference: Difference | undefined;
  /** the model's stack at the last event that named an irq */
  private readonly stackOf = new Map<number | undefined, readonly string[]>();
  /** the model cannot go on */
  private failure = false;

  /** everything that the script did */
  private readonly script: readonly ScriptAction[];

  constructor(private readonly capture: Capture) {
    this.script = capture.steps.flatMap(({ actions }) => actions);
  }

  step(step: PlannedStep, print: (line: string) => void): void {
    const before = { ...this.matched };
    const inputs = this.inputs.length;
    if (step.resume !== undefined && !this.failure) this.tryLoad(step.resume, step);
    for (const action of step.actions) {
      if (this.failure) break;
      this.perform(action);
    }
    const total = this.total(step);
    const part = (key: 'events' | 'state'): string => `${this.matched[key] - before[key]}/${total[key]}`;
    print(`${step.name}: events ${part('events')}, state ${part('state')}${step.resume === undefined ? '' : `, resumed at ${step.resume}`}`);
    for (const input of this.inputs.slice(inputs)) print(`  input: ${input}`);
  }

  /** The lines of a step that are compared: its events; its results and what its snapshots show. */
  private total({ actions }: PlannedStep): Record<'events' | 'state', number> {
    const sum = (count: (action: PlannedAction) => number): number => actions.reduce((total, action) => total + count(action), 0);
    return {
      events: sum(({ action }) => action.events.length),
      state: sum(({ action, label }) => (hasResult(action) ? 1 : 0) + (label === undefined ? 0 : capturedLines(this.capture, label))),
    };
  }

  private tryLoad(label: string, step: PlannedStep): void {
    try {
      this.load(label, step);
    } catch (error) {
      this.failure = true;
      const model = error instanceof Error ? error.message : String(error);
      this.difference ??= { where: `state of snapshot ${label}`, captured: null, model, stack: [] };
    }
  }

  /** Powers a machine on, boots it, and puts the state of a snapshot in place. */
  private load(label: string, step: PlannedStep): void {
    const { kernel, machine, cmdline, config } = this.capture;
    const world = powerOn({ machine, kernel: kernel!, cmdline, config });
    this.guest = new HoldingGuest(world, []);
    boot(this.guest);
    this.guest.enter(0);
    const line = step.actions[0]?.action.start.line ?? 0;
    this.slots = slotsAt(world, this.capture, line);
    resume(world, this.capture, label, this.slots);
    const unseen = resumeManagedMaps(world, this.capture, line);
    if (unseen.length > 0) this.inputs.push(`managed vectors of CPUs that never came up (${unseen.join(', ')}): no snapshot shows them, they are from the trace before line ${line}`);
    this.trace = new ObservedTrace();
    world.kernel.trace = this.trace;
    this.resumed++;
  }

  private get world(): World {
    return this.guest!.world;
  }

  private perform({ action, label }: PlannedAction): void {
    const comparison = new EventComparison(action, runner(action).task);
    this.trace.observer = event => {
      comparison.event(event);
      const irq = /^irq=(\d+)/.exec(event.text)?.[1];
      if (irq !== undefined) this.stackOf.set(Number(irq), stackNow());
    };
    this.noteInputs(action);
    this.holdLate(action);
    if (action.events.at(0)?.hardirq) this.takeHeld(action);
    const result = this.execute(action);
    this.raiseUnscripted(action, comparison);
    comparison.end();
    this.trace.observer = undefined;

    this.matched.events += comparison.matched;
    this.difference ??= comparison.difference;
    if (hasResult(action)) this.compareState({ where: `trace-vectors.txt:${action.start.line}, result of ${action.text}`, irq: undefined, captured: action.result!, model: result });
    if (label !== undefined) this.compareSnapshot(label);
  }

  /** @returns what the script gets */
  private execute(action: ScriptAction): string {
    const { cpu } = runner(action);
    let result = '';
    try {
      if (action.kind === 'CMD') this.run(cpu, () => lens_command(this.slots, action.text), value => (result = value));
      if (action.kind === 'WRITE') this.run(cpu, () => writeAffinity(action.text), value => (result = shellResult(value)));
      this.takeHeld(action);
      this.deliver(cpu);
    } catch (error) {
      this.failure = true;
      result = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      this.difference ??= { where: `trace-vectors.txt:${action.start.line}, ${action.text}`, captured: action.result ?? null, model: result, stack: this.failureStack };
    }
    return result;
  }

  private failureStack: readonly string[] = [];

  /** Runs a task to its end on `cpu`, and keeps the stack of what it throws. */
  private run<T>(cpu: number, task: () => Op<T>, done: (value: T) => void): void {
    const failed = (): void => void (this.failureStack = stackNow());
    drain(this.guest!, cpu, function* () {
      try {
        done(yield* task());
      } catch (error) {
        failed();
        throw error;
      }
    });
  }

  /** Lets every CPU take what its local APIC has for it. */
  private deliver(cpu: number): void {
    drain(this.guest!, cpu, function* () {
      yield { wait: 'window' };
    });
  }

  /** CPUs that take what the command raises only when the script has gone on. */
  private holdLate(action: ScriptAction): void {
    const { held } = this.guest!;
    const late = lateEvents(this.script, action, raisedBy(action, this.world.kernel));
    for (const { cpu, line } of late.filter(event => !held.has(event.cpu))) {
      held.add(cpu);
      this.inputs.push(`CPU ${cpu} took its interrupt later (line ${line})`);
    }
  }

  /** CPUs that were late take their interrupts while this command runs. */
  private takeHeld(action: ScriptAction): void {
    const due = [...this.guest!.held].filter(cpu => action.events.some(event => event.hardirq && event.cpu === cpu));
    if (due.length === 0) return;
    for (const cpu of due) this.guest!.held.delete(cpu);
    this.deliver(runner(action).cpu);
  }

  /** A hard interrupt that the model did not make and whose irq the script does not fire came by itself. */
  private raiseUnscripted(action: ScriptAction, comparison: EventComparison): void {
    for (let line = comparison.left.at(0); line?.hardirq && !comparison.difference; line = comparison.left.at(0)) {
      const left = comparison.left.length;
      const irq = comparison.left.map(l => /^irq=(\d+)/.exec(l.text)?.[1]).find(n => n !== undefined);
      const desc = irq === undefined ? undefined : this.world.kernel.irq_desc_tree.get(Number(irq));
      const msi = desc?.irq_common_data.msi_desc;
      if (!desc || !msi) return;
      this.inputs.push(`irq ${irq!} came by itself (line ${line.line})`);
      msi.dev.hw.raise(msi.msi_attrib.is_msix ? msi.msi_attrib.entry_nr : desc.irq_data.irq - msi.irq);
      this.deliver(runner(action).cpu);
      if (comparison.left.length === left) return;
    }
  }

  private noteInputs(action: ScriptAction): void {
    const { cpu, task } = runner(action);
    if (hasResult(action)) this.inputs.push(`${action.kind} ${action.text}, by ${task} on CPU ${cpu} (line ${action.start.line})`);
    // Whom an interrupt hits is known only from the capture.
    for (const { cpu: on, task: hit } of action.events) {
      const expected = on === cpu ? task : '<idle>-0';
      const input = `${hit} ran on CPU ${on} (line ${action.start.line})`;
      if (hit !== expected && !this.inputs.includes(input)) this.inputs.push(input);
    }
  }

  private compareSnapshot(label: string): void {
    for (const line of stateLines(this.world, this.capture, label)) this.compareState(line);
  }

  private compareState(line: StateLine): void {
    if (same(line)) this.matched.state++;
    else this.difference ??= { ...line, stack: this.stackOf.get(line.irq) ?? [] };
  }

  verdict(complete: boolean, steps: readonly PlannedStep[]): Verdict {
    const totals = steps.map(step => this.total(step));
    const count = (key: 'events' | 'state'): Count => ({ matched: this.matched[key], total: totals.reduce((sum, total) => sum + total[key], 0) });
    const [events, state, unread] = [count('events'), count('state'), this.unread(steps).length];
    const all = ({ matched, total }: Count): boolean => total > 0 && matched === total;
    const ok = complete && !this.difference && unread === 0 && all(events) && all(state);
    return { name: this.capture.name, events, state, inputs: this.inputs, resumed: this.resumed, unread, difference: this.difference, ok };
  }

  /** Lines of the range's part of the trace and of its snapshots. */
  unread(steps: readonly PlannedStep[]): Unread[] {
    const performed = (line: number): boolean => steps.some(({ lines: [first, last] }) => line >= first && line <= last);
    const { snapshots, interrupts, sysIrqs } = this.capture;
    const labels = new Set(steps.flatMap(({ resume: first, actions }) => [first, ...actions.map(({ label }) => label)]));
    const sections: Record<string, readonly Section[]> = { 'irqlens.txt': snapshots, 'proc-interrupts.txt': interrupts, 'sys-kernel-irq.txt': sysIrqs };
    const shown = (file: string, line: number): boolean =>
      (sections[file] ?? []).some(({ label, firstLine, lines }) => labels.has(label) && line >= firstLine && line < firstLine + lines.length);
    const stepLines = this.capture.steps.flatMap(step => step.unread).filter(({ line }) => performed(line));
    const commands = steps.flatMap(({ actions }) => actions).filter(({ action }) => action.kind === 'TRY');
    const fileLines = this.capture.unread.filter(({ file, line }) => (file === 'trace-vectors.txt' ? performed(line) : shown(file, line)));
    const unknown = commands.map(({ action }) => ({ file: 'trace-vectors.txt', line: action.start.line, text: action.text }));
    return [...stepLines, ...unknown, ...fileLines];
  }
}

/** A shell command that is none of those known is not performed. */
const hasResult = ({ kind, result }: ScriptAction): boolean => result !== undefined && kind !== 'TRY';

/** Who performs a command and where: the task of its first event outside of interrupts, else the one that announced it. */
function runner({ start, events }: ScriptAction): { readonly task: string; readonly cpu: number } {
  const { task, cpu } = events.find(event => !event.hardirq) ?? start;
  return { task, cpu };
}

/** `/proc/irq/24/smp_affinity_list <- 1` */
function* writeAffinity(text: string): Op<number> {
  const match = /^\/proc\/irq\/(\d+)\/(smp_affinity(?:_list)?) <- (.*)$/.exec(text);
  if (!match) throw new Error(`this write is not understood: ${text}`);
  return yield* write_irq_affinity(match[2] === 'smp_affinity' ? AFFINITY : AFFINITY_LIST, Number(match[1]), `${match[3]}\n`);
}
