import type { HardwareEvent } from '../hardware/events';
import { do_IRQ_entry } from '../kernel/arch/x86/irq';
import type { bound_limit } from '../kernel/lib/limit';
import type { LogLine } from '../kernel/lib/printk';
import type { TraceEvent } from '../kernel/trace/trace';
import type { World } from '../kernel/world';
import type { ScenarioGuest } from '../scenario/load';
import { type FrameInfo, type Guest, type Host, type ProbeHit, type ProbeInfo, Stepper, type StopEvent } from '../stepper/stepper';
import type { Journal } from './journal';

/** A call of a model function, or, at the root, a step of the scenario. */
export interface Call {
  readonly name: string;
  readonly path: string;
  readonly line: number;
  readonly cpu: number;
  /** the interrupt or task that begins here; undefined for a call by the function above */
  readonly context: string | undefined;
  readonly args: readonly { readonly name: string; readonly value: unknown }[];
  readonly items: Item[];
}

/** What happened in a function, in order. */
export type Item = { readonly call: Call } | { readonly trace: TraceEvent } | { readonly log: LogLine } | { readonly limit: bound_limit } | { readonly hardware: HardwareEvent };

/** A guest whose calls can be recorded. */
export interface RecordableGuest extends Guest {
  readonly world: World;
  readonly results?: ScenarioGuest['results'];
}

export interface Recording<G extends RecordableGuest = ScenarioGuest> {
  readonly steps: readonly { readonly call: Call; /** absent when the step did not end, or returns nothing */ readonly result: number | undefined }[];
  readonly stop: StopEvent;
  /** as it is at the end; of a run that failed, before the statement that failed */
  readonly guest: G;
  /** where the run failed, top first; empty when it did not */
  readonly failedAt: readonly FrameInfo[];
}

/** Texts of arguments are made at the call: later the objects have changed. */
export type Describe = (name: string, value: unknown) => unknown;

/** What else a recording may do. */
export interface RecordOptions {
  /** gets every statement; the run stops when it is full */
  readonly journal?: Journal;
  /** gets the stepper, which can be paused: then the recording ends */
  readonly started?: (stepper: Stepper) => void;
}

/** Runs a scenario to its end and notes every call. */
export async function recordCalls<G extends RecordableGuest>(make: (host: Host) => G, describe: Describe, { journal, started }: RecordOptions = {}): Promise<Recording<G>> {
  const guests: G[] = [];
  const stepper = new Stepper(host => {
    const guest = make(host);
    guests.push(guest);
    return guest;
  });
  const recorder = new Recorder(guests[0], stepper, describe, journal);
  started?.(stepper);
  stepper.setMarks(recorder.probes.keys());
  stepper.onProbe = hit => {
    recorder.pass(hit);
    return journal?.isFull ?? false;
  };
  const stop = await stepper.run({ kind: 'continue' });
  recorder.noteEvents();
  return { steps: recorder.steps, stop, guest: guests.at(-1)!, failedAt: stop.error ? stepper.frames(stop.thread) : [] };
}

/** What an interrupted CPU runs first. */
const ENTRY = do_IRQ_entry.name;

class Recorder {
  /** every statement of the model and of the script */
  readonly probes: ReadonlyMap<number, ProbeInfo>;
  /** one for each step of the script */
  private readonly roots: Call[] = [];
  /** open calls by task, by depth - 1 */
  private readonly stacks = new Map<number, Call[]>();
  /** those of the step of the script that runs */
  private step: Call[] = [];
  /** the call whose statement ran last */
  private running: Call | undefined;
  private seen: Record<'hardware' | 'trace' | 'log' | 'limit', number>;

  constructor(
    private readonly guest: RecordableGuest,
    stepper: Stepper,
    private readonly describe: Describe,
    private readonly journal: Journal | undefined,
  ) {
    const paths = new Set([...stepper.modules().map(m => m.path), ...(guest.steps?.() ?? []).map(s => s.source.path)]);
    this.probes = new Map([...paths].flatMap(path => stepper.probesBetween(path, 1, Infinity).map(probe => [probe.id, probe])));
    this.seen = this.lengths();
  }

  get steps(): Recording['steps'] {
    const results = this.results();
    return this.roots.map(call => ({ call, result: results.get(call) }));
  }

  /** Not all steps of the script are here: what looks at the invariants calls nothing of the model. */
  private results(): ReadonlyMap<Call, number> {
    const script = this.guest.steps?.() ?? [];
    const found = new Map<Call, number>();
    let next = 0;
    for (const { step, value } of this.guest.results ?? []) {
      const { title, source } = script[step];
      while (next < this.roots.length && !(this.roots[next].name === title && this.roots[next].line === source.line)) next++;
      if (next < this.roots.length) found.set(this.roots[next++], value);
    }
    return found;
  }

  /** A statement is about to run. */
  pass(hit: ProbeHit): void {
    this.noteEvents();
    const { depth } = hit;
    const stack = this.stacks.get(hit.task) ?? [];
    this.stacks.set(hit.task, stack);
    stack.length = Math.min(stack.length, depth);
    const probe = this.probes.get(hit.probe)!;
    const parent = depth > 1 ? stack[depth - 2] : undefined;
    if (probe.entry) stack[depth - 1] = parent && this.guest.isPart?.(probe.fn!) ? parent : this.begin(hit, probe, parent);
    if (probe.fn!.module.source === '') this.step = stack;
    this.running = stack[depth - 1];
    this.journal?.note(hit.step, hit.probe, this.running, depth > 1 ? stack[depth - 2] : undefined);
  }

  private begin(hit: ProbeHit, { fn, path, names }: ProbeInfo, parent: Call | undefined): Call {
    const { name, line, params, module } = fn!;
    const call: Call = {
      name,
      path,
      line,
      cpu: this.guest.world.kernel.this_cpu,
      context: name === ENTRY || (!parent && module.source !== '') ? hit.frames()[0].context : undefined,
      args: params.map(param => ({ name: param.replace(/^_/, ''), value: this.describe(param, hit.values[names.indexOf(param)]) })),
      items: [],
    };
    // An interrupt of a CPU that idled belongs to what ran when it came, a task of the kernel's to what waits for it; only a step of the script is nobody's.
    const owner = parent ?? (module.source === '' ? undefined : name === ENTRY ? this.running : this.step.at(-1));
    if (owner) owner.items.push({ call });
    else this.roots.push(call);
    return call;
  }

  /** What the statement before has left in the World's records. */
  noteEvents(): void {
    const { kernel, machine } = this.guest.world;
    const items = this.running?.items ?? [];
    const { hardware, trace, log, limit } = this.seen;
    for (let i = hardware; i < machine.events.length; i++) items.push({ hardware: machine.events[i] });
    for (let i = trace; i < kernel.trace.length; i++) items.push({ trace: kernel.trace[i] });
    for (let i = log; i < kernel.log.length; i++) items.push({ log: kernel.log[i] });
    for (let i = limit; i < kernel.limits.length; i++) items.push({ limit: kernel.limits[i] });
    this.seen = this.lengths();
  }

  private lengths(): Recorder['seen'] {
    const { kernel, machine } = this.guest.world;
    return { hardware: machine.events.length, trace: kernel.trace.length, log: kernel.log.length, limit: kernel.limits.length };
  }
}
