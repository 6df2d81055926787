// One launched scenario: where it stands, and going on from there.
import { kernel_oops } from '../src/kernel/lib/fault';
import { kernel_bug } from '../src/kernel/lib/printk';
import { enterWorld, type World } from '../src/kernel/world';
import { isOfModule, placed } from '../src/scenario/modules/thrown';
import { DeadlockError, Stepper, type FrameInfo, type Goal, type Guest, type Host, type ProbeInfo, type StopEvent } from '../src/stepper/stepper';
import type { Breakpoints } from './breakpoints/breakpoints';
import type { Client } from './client';
import { KernelWarning, type ExceptionStops } from './exceptions';
import type { KernelLog } from './output';
import type { Sources } from './sources';
import { VariableStore } from './variables/store';

/** A guest with a kernel in it. */
export interface KernelGuest extends Guest {
  readonly world: World;
}

/** `ready`: nothing has run. `over`: it stands behind the last step, from where one can only go back. */
export type State = 'ready' | 'running' | 'stopped' | 'over' | 'terminated';

export interface Stop extends StopEvent {
  /** Of an exception: what happened, in a word. */
  readonly failure?: 'kernel BUG' | 'NULL dereference' | 'deadlock' | 'warning' | 'errno' | 'module error' | 'error';
}

/** Where the client shall find something when nothing is left that runs. */
export const END_THREAD = 0x7fffffff;

export interface RunParts {
  readonly make: (host: Host) => KernelGuest;
  readonly kernel: string;
  readonly sources: Sources;
  readonly client: Client;
  readonly breakpoints: Breakpoints;
  readonly log: KernelLog;
  readonly exceptions: ExceptionStops;
  /** false: it runs to its end without a stop. */
  readonly debugs: boolean;
  readonly stopped: (run: Run, stop: Stop) => void;
}

export class Run {
  readonly stepper: Stepper;
  readonly variables: VariableStore;
  state: State = 'ready';
  /** Where it stopped last. */
  stop: Stop | undefined;
  readonly kernel: string;
  readonly sources: Sources;
  readonly client: Client;
  private readonly frameIds = new Map<number, { thread: number; index: number }>();
  private lastFrameId = 0;
  /** The step of the warning that it goes on from. */
  private passed: number | undefined;
  /** The first probes of all functions. */
  private known: ProbeInfo[] | undefined;

  /** @throws what the guest throws while it is built */
  constructor(private readonly parts: RunParts) {
    this.kernel = parts.kernel;
    this.sources = parts.sources;
    this.client = parts.client;
    this.variables = new VariableStore(() => parts.client.paging);
    this.stepper = new Stepper(host => this.watched(parts.make(host)));
    this.stepper.onProbe = hit => {
      parts.log.passing(hit, this);
      return parts.debugs && (parts.breakpoints.hit(hit, this) || parts.exceptions.hit(hit));
    };
  }

  /** Builds the guest anew. */
  get make(): RunParts['make'] {
    return this.parts.make;
  }

  get world(): World {
    // make() builds all of its guests.
    return (this.stepper.guest as KernelGuest).world;
  }

  get entries(): readonly ProbeInfo[] {
    this.known ??= this.sources.modules.flatMap(module => this.stepper.probesBetween(module.path, 1, Infinity).filter(probe => probe.entry));
    return this.known;
  }

  /** Tells the stepper which probes to ask about. */
  mark(): void {
    this.stepper.setMarks([...this.parts.breakpoints.probes, ...this.parts.log.probes(this), ...this.parts.exceptions.probes(this)]);
  }

  /** Goes on; the stop is reported when it comes. */
  async resume(goal: Goal): Promise<void> {
    this.forget();
    this.state = 'running';
    this.passed = this.stop?.failure === 'warning' ? this.stepper.step : undefined;
    const stop = await this.stepper.run(goal);
    // Nobody may be listening any more.
    if (this.ended) return;
    this.stop = { ...stop, ...failureOf(stop), ...this.parts.exceptions.at(stop, this) };
    const ignored = this.stop.reason === 'exception' && this.stop.failure !== 'warning' && !this.parts.exceptions.wants('failures');
    this.state = stop.reason === 'end' || ignored ? 'over' : 'stopped';
    this.parts.log.flush(this);
    this.parts.stopped(this, ignored ? { ...this.stop, reason: 'end' } : this.stop);
  }

  /** A WARN_ON() of the guest's kernel stops the run before its statement, but where it stood there already. */
  private watched(guest: KernelGuest): KernelGuest {
    guest.world.warned = (text, report) => {
      const { running } = this.stepper;
      if (running === undefined || running === this.passed || !this.parts.debugs || !this.parts.exceptions.wants('warnings')) return;
      throw new KernelWarning(text, report);
    };
    return guest;
  }

  /** The run is of no interest any more. */
  end(): void {
    this.state = 'terminated';
    this.stepper.pause();
    this.forget();
  }

  /** Makes its World the one that the model's functions look at: other sessions have run since. */
  enter(): void {
    enterWorld(this.world, this.world.kernel.this_cpu);
  }

  /** The model cannot go on from where it stands: what stopped it was no warning and no errno. */
  get failed(): boolean {
    return this.stop?.error !== undefined && this.stop.failure !== 'warning' && this.stop.failure !== 'errno';
  }

  /** The thread to look at. */
  get thread(): number {
    return this.stop?.thread || END_THREAD;
  }

  frameId(thread: number, index: number): number {
    this.frameIds.set(++this.lastFrameId, { thread, index });
    return this.lastFrameId;
  }

  /** The frame and those that called it; undefined for an id of another stop. */
  framesFrom(id: number): FrameInfo[] | undefined {
    const at = this.frameIds.get(id);
    return at && this.stepper.frames(at.thread).slice(at.index);
  }

  // end() may have come while the stepper was busy; TypeScript takes the state for the one set before.
  private get ended(): boolean {
    return this.state === 'terminated';
  }

  /** Ids and references of this stop are not those of the next. */
  private forget(): void {
    this.frameIds.clear();
    this.variables.clear();
  }
}

function failureOf({ error }: StopEvent): Pick<Stop, 'failure' | 'error'> {
  if (!error) return {};
  if (error instanceof KernelWarning) return { failure: 'warning' };
  if (error instanceof kernel_bug) return { failure: 'kernel BUG' };
  if (error instanceof kernel_oops) return { failure: 'NULL dereference' };
  if (error instanceof DeadlockError) return { failure: 'deadlock' };
  if (isOfModule(error)) return { failure: 'module error', error: placed(error) };
  return { failure: error instanceof TypeError ? 'NULL dereference' : 'error' };
}
