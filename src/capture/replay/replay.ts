import { TIMER_ROUTES } from '../../hardware/timer-route';
import { IRQD } from '../../kernel/include/irq';
import type { World } from '../../kernel/world';
import type { Probes } from '../../scenario/drain';
import { PORT_IRQ, serial8250_shutdown, serial8250_startup } from '../../kernel/drivers/serial8250';
import { bootTasks, powerOn } from '../../scenario/power-on';
import { actionOf } from './actions';
import type { Capture } from '../capture';
import { EventComparison, ObservedTrace, type Difference } from '../model-and-capture/compare-events';
import { CallCheck } from '../model-and-capture/call-check';
import { clockArrivals, isTooEarly, spuriousChannels } from './clock-arrivals';
import { compareLog, type LogMark } from '../model-and-capture/compare-log';
import { capturedLines, countsAreMasked, partLines, PARTS, same, type Part, type StateLine } from '../model-and-capture/compare-state';
import { Conductor } from './conductor';
import { linesOf, type Unread } from '../reading/files';
import { Words } from '../later-kernels/rewordings';
import type { lens_slot } from './irqlens';
import { shows } from './instants';
import { kprobes } from './kprobes';
import type { Plan, PlannedItem } from './plan';
import { SEND } from './rig';
import { fires, HoldingGuest, lateEvents, raisedBy } from './late';
import { lineText, placeOf, type ScriptAction } from '../reading/script';
import { stackNow } from './stack';
import type { TraceLine } from '../reading/trace';
import { raiseIrq, total } from './unscripted';

/** M of N */
export interface Count {
  matched: number;
  total: number;
}

/** One of several ways in which tasks may have run, where the capture leaves several: an input, too. */
export interface Choice {
  readonly taken: number;
  readonly count: number;
  /** where it shows whether it was right; undefined: anywhere behind */
  readonly step: string | undefined;
}

/** A whole capture performed on the model, from power-on. */
export class Replay {
  readonly world: World;
  readonly inputs: string[] = [];
  readonly state: Count;
  readonly calls: CallCheck;
  readonly log: Count = { matched: 0, total: 0 };
  /** why something of a line of the log is not compared, and in how many lines */
  logMasks: ReadonlyMap<string, number> = new Map();
  private readonly logMarks: LogMark[] = [];
  /** items that are not understood */
  readonly unread: Unread[] = [];
  /** the model cannot go on */
  failure = false;
  private readonly trace = new ObservedTrace();
  private readonly events: EventComparison;
  private readonly conductor: Conductor;
  /** what the capture's kernel calls things */
  readonly words: Words;
  private readonly slots: lens_slot[] = [];
  /** in the order in which they were found, each once; the first one has made the others, or some of them */
  readonly differences: Difference[] = [];
  private readonly seen = new Set<string>();
  /** timers that interrupted before they had a user */
  private readonly spurious: readonly number[];
  /** the model's stack at the last event that named an irq */
  private readonly stackOf = new Map<number | undefined, readonly string[]>();

  readonly choices: Choice[] = [];
  /** How many choices had been made when there was a difference that another one might have avoided: it ends there. */
  contested: number | undefined;
  /** the one that is performed, or in which the replay has ended */
  step = '';

  /**
   * @param taken the first choices
   * @param settled how many of them no difference can change
   * @param kernel another than the capture's
   */
  constructor(
    private readonly capture: Capture,
    private readonly plan: Plan,
    private readonly taken: readonly number[] = [],
    private readonly settled = 0,
    kernel = capture.kernel!,
  ) {
    const { machine, cmdline, config, script } = capture;
    if (machine.clocks) this.inputs.push(`the clocks counted ${machine.clocks.lapic} (local APIC), ${machine.clocks.pmTimer} (PM timer), ${machine.clocks.tsc} (time stamp counter) while the timer was measured`);
    if (machine.timerRoutes) this.inputs.push(`too few of the timer's ticks came through ${TIMER_ROUTES.filter(route => !machine.timerRoutes!.includes(route)).join(', ')} while the timer was checked`);
    for (const { address, silent } of machine.pci) if (silent) this.inputs.push(`${address} answered no command`);
    this.world = powerOn({ machine, kernel, cmdline, config });
    const guest = new HoldingGuest(this.world, [], { spawn: task => this.conductor.spawn(task, !task.name.startsWith('kworker/u')) });
    this.events = new EventComparison(script.events, difference => this.differ(difference));
    this.conductor = new Conductor(guest, this.events, input => this.inputs.push(input), irq => raiseIrq(this.world, irq), (count, showsLater) => this.pick(count, showsLater));
    this.words = new Words(capture.later?.rewordings);
    this.calls = new CallCheck({ capture, world: this.world, conductor: this.conductor, note: input => this.inputs.push(input), differ: difference => this.differ(difference) });
    this.spurious = spuriousChannels(linesOf(capture.dmesg));
    this.conductor.isTooEarly = irq => isTooEarly(this.world, this.spurious, irq);
    this.state = { matched: 0, total: this.lines(plan.items) };
    const { trace } = this;
    trace.observer = event => {
      this.conductor.observe(event);
      const irq = /^irq=(\d+)/.exec(event.text)?.[1];
      if (irq !== undefined) this.stackOf.set(Number(irq), stackNow());
    };
    this.world.kernel.trace = trace;
  }

  get matchedEvents(): Count {
    return { matched: this.events.matched, total: this.events.total };
  }

  private pick(count: number, showsLater = false): number {
    const taken = this.taken.at(this.choices.length) ?? 0;
    this.choices.push({ taken, count, step: showsLater ? undefined : this.step });
    return taken;
  }

  /** The log, when all is over. */
  compareLog(): void {
    const { matched, total, difference, masked } = compareLog(this.capture.dmesg, this.world.kernel.log, this.logMarks, this.words);
    Object.assign(this.log, { matched, total });
    this.logMasks = masked;
    if (difference) this.differ({ where: `dmesg.txt, ${difference.step}`, captured: difference.captured, model: difference.model, stack: [] });
  }

  /** Lines of state that these items show. */
  lines(items: readonly PlannedItem[]): number {
    return items.reduce((sum, { kind, text, command }) => sum + (kind === 'snapshot' ? capturedLines(this.capture, text) : hasResult(command) ? 1 : 0), 0);
  }

  perform(item: PlannedItem): void {
    if (this.failure || this.contested !== undefined) return;
    this.step = item.step;
    if (this.logMarks.at(-1)?.step !== item.step) this.logMarks.push({ step: item.step, from: this.world.kernel.log.length });
    this.conductor.until = item.until;
    const traced = isTraced(item.step);
    if (traced) this.calls.start();
    const at = this.plan.items.indexOf(item);
    const isFirst = this.plan.items.at(at - 1)?.until !== item.until;
    const isLast = this.plan.items.at(at + 1)?.until !== item.until;
    try {
      if (traced && isFirst && !(item.command && fires(item.command))) this.calls.begin(this.treesUntil(item));
      if (item.kind === 'boot') this.boot(item);
      else if (item.kind === 'snapshot') this.snapshot(item.text);
      else if (item.text === SEND) this.send();
      else this.run(item);
      if (isLast || item.text === 'traffic') this.conductor.settle();
    } catch (error) {
      this.failure = true;
      const model = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      this.differ({ where: `${item.step}, ${item.text}`, captured: item.command?.result ?? null, model, stack: this.conductor.failureStack });
    }
    if (!isLast) return;
    this.events.end(item.until);
    if (traced) this.calls.end(this.treesUntil(item));
  }

  /** Behind the last traced step stand trees of interrupts that came before the tracer was off. */
  private treesUntil(item: PlannedItem): number {
    const next = this.plan.items.slice(this.plan.items.indexOf(item) + 1);
    return next.some(({ step, until }) => isTraced(step) && until !== item.until) ? item.until : Infinity;
  }

  /** Arrivals of a clock's interrupts that show later. */
  private clock(item: PlannedItem): Probes {
    const { items } = this.plan;
    const label = items.slice(items.indexOf(item)).find(({ kind }) => kind === 'snapshot')?.text;
    const irqs = this.capture.sysIrqs.find(s => s.label === label)?.irqs ?? [];
    return clockArrivals(this.world, this.spurious, new Map(irqs.map(irq => [irq.irq, irq])), (irq, why) => {
      this.conductor.arriving.push(irq);
      this.inputs.push(`irq ${irq} came by itself ${why}`);
    }, irq => this.holdFor(irq));
  }

  /** The CPU that still has an irq's old vector frees it where its event stands. */
  private holdFor(irq: number): void {
    const { next } = this.events;
    for (const line of this.events.left()) {
      if (!line.hardirq || !line.text.startsWith(`irq=${irq} `)) continue;
      if (line !== next) this.conductor.hold(line.cpu, line.line);
      return;
    }
  }

  private boot(item: PlannedItem): void {
    this.conductor.watch([this.clock(item)]);
    for (const { name, cpu, run } of bootTasks(this.world)) {
      this.conductor.spawn({ name, cpu, run }, name.startsWith('swapper'));
      this.conductor.run();
    }
    this.conductor.watch([]);
  }

  private run(item: PlannedItem): void {
    const action = actionOf(item, this.slots);
    if (!action) {
      this.unread.push({ ...placeOf(item.command?.start.line ?? item.until), text: item.text });
      return;
    }
    let result: string | undefined;
    const task = item.command?.start.task ?? 'init-1';
    this.inputs.push(item.command ? `${item.command.kind} ${item.text} (${lineText(item.command.start.line)})` : `${item.step}: ${item.text}`);
    this.conductor.spawn({
      name: task,
      cpu: this.shellCpu(item),
      *run() {
        result = yield* action();
      },
    }, false);
    this.conductor.takeHeld();
    this.holdLate(item);
    const probes = this.probes(item);
    // An interrupt may come before the rig has its kprobes on, and another one before they are off again.
    if (probes.length > 0) this.conductor.settle(burst => !burst.some(isKprobe));
    this.conductor.watch([...this.calls.watchers, ...probes, this.clock(item)]);
    this.conductor.run();
    if (probes.length > 0) this.conductor.settle(burst => burst.some(isKprobe));
    this.conductor.watch(this.calls.watchers);
    if (!hasResult(item.command)) return;
    this.compareState({ where: `${lineText(item.command!.start.line)}, result of ${item.text}`, irq: undefined, captured: item.command!.result!, model: result ?? null });
  }

  /** CPUs that take what a command raises only when the script has gone on. */
  private holdLate({ command, until }: PlannedItem): void {
    if (!command) return;
    const { steps, events } = this.capture.script;
    const next = steps.flatMap(({ actions }) => actions).find(action => action.start.line >= until && fires(action));
    const span = [command.start.line, until, next?.start.line ?? Infinity] as const;
    for (const { cpu, line } of lateEvents(events, span, raisedBy(command, this.world.kernel))) this.conductor.hold(cpu, line);
  }

  /** The rig opens the second serial port, sends its files, and closes it; its trace is off meanwhile. How often the port interrupts is seen afterwards. */
  private send(): void {
    const { trace } = this;
    const observer = trace.observer;
    const irq = PORT_IRQ[1];
    const count = this.capture.sysIrqs.at(-1)?.irqs.find(other => other.irq === irq)?.per_cpu_count.reduce((a, b) => a + b, 0) ?? 0;
    const { conductor } = this;
    trace.observer = undefined;
    conductor.spawn({
      name: 'init-1',
      cpu: 0,
      *run() {
        yield* serial8250_startup(1);
        for (let i = 0; i < count; i++) conductor.comes(irq);
        yield* serial8250_shutdown(1);
      },
    }, false);
    conductor.run();
    trace.observer = observer;
    this.inputs.push(`the rig sends its files: irq ${irq} comes ${count} times`);
  }

  /** The rig has its kprobes on while it takes a CPU offline; its first version had none. */
  private probes({ command }: PlannedItem): Probes[] {
    const { events } = this.capture.script;
    return goesOffline(command) && events.some(isKprobe) ? [kprobes(this.world, new Set(events.map(({ event }) => event)))] : [];
  }

  /** Where the shell is: where it left its last mark, if that CPU is online. */
  private shellCpu({ command }: PlannedItem): number {
    const online = this.world.kernel.cpu_online_mask;
    const cpu = command?.start.cpu ?? 0;
    const goes = /cpu(\d+)\/online$/.exec(command?.text ?? '')?.[1];
    return online.test(cpu) && String(cpu) !== goes ? cpu : 0;
  }

  private snapshot(label: string): void {
    for (const part of PARTS) {
      this.conductor.settle(burst => shows(this.capture, label, part, burst));
      this.arrivals(label, part);
      for (const line of partLines(this.world, this.capture, label, part, this.words)) this.compareState(line);
    }
  }

  /** Interrupts that came without an event: those of devices whose counts are compared, and one that ended a pending move. */
  private arrivals(label: string, part: Part): void {
    const under = <T extends { readonly label: string }>(sections: readonly T[]): T | undefined => sections.find(s => s.label === label);
    const online = part === 'interrupts' ? under(this.capture.interrupts)?.cpus : undefined;
    const counted = part === 'interrupts' ? under(this.capture.interrupts)?.rows.map(row => [Number(row.label), row.counts] as const) : under(this.capture.sysIrqs)?.irqs.map(irq => [irq.irq, irq.per_cpu_count] as const);
    const counts = new Map(counted?.map(([irq, columns]) => [irq, columns.reduce((a, b) => a + b, 0)]));
    const states = new Map(under(this.capture.snapshots)?.irqs.map(({ irq, state }) => [irq, state]));
    const isPending = (state: number | undefined): boolean => state !== undefined && (state & IRQD.SETAFFINITY_PENDING) !== 0;
    for (const [irq, desc] of this.world.kernel.irq_desc_tree) {
      if (desc.action?.name === 'irqlens') continue;
      let missing = 0;
      if ((part === 'interrupts' || part === 'tables') && !countsAreMasked(this.world, String(irq))) missing = (counts.get(irq) ?? 0) - total(desc, online);
      if (part === 'irqs' && states.has(irq) && isPending(desc.irq_common_data.state_use_accessors) && !isPending(states.get(irq))) missing = 1;
      let times = 0;
      while (times < missing && this.conductor.comes(irq)) times++;
      if (times > 0) this.inputs.push(`irq ${irq} came by itself ${times === 1 ? '' : `${times} times `}before snapshot ${label}`);
    }
  }

  private differ(difference: Difference): void {
    const sides = `${difference.captured}\n${difference.model}`;
    if (this.seen.has(sides)) return;
    this.seen.add(sides);
    this.differences.push(difference);
    if (otherWay(this.choices, this.settled, this.step)) this.contested ??= this.choices.length;
  }

  private compareState(line: StateLine): void {
    // What only the model has is none of the capture's lines.
    if (line.captured === null) this.state.total++;
    if (same(line)) this.state.matched++;
    else this.differ({ ...line, stack: this.stackOf.get(line.irq) ?? [] });
  }
}

/**
 * The choices up to the last one of a step, or of none, that can still be made otherwise, with that one made otherwise.
 * @param from those before this one stay
 */
export function otherWay(choices: readonly Choice[], from: number, step: string | undefined): number[] | undefined {
  const last = choices.map(({ taken, count, step: of }, i) => i >= from && (of === step || of === undefined) && taken + 1 < count).lastIndexOf(true);
  return last < 0 ? undefined : choices.slice(0, last + 1).map(({ taken }, i) => (i === last ? taken + 1 : taken));
}

/** Made under the function graph tracer. */
const isTraced = (step: string): boolean => step.startsWith('fg-');
const goesOffline = (command: ScriptAction | undefined): boolean => /^echo 0 > .*\/online$/.test(command?.text ?? '');
const isKprobe = ({ event }: TraceLine): boolean => event.startsWith('kp_');
const hasResult = (command: ScriptAction | undefined): boolean => command?.result !== undefined;
