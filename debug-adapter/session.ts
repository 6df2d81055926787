// One client's session: routes its requests, and tells it what happens.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { kernel_death } from '../src/kernel/lib/printk';
import type { Goal, Host } from '../src/stepper/stepper';
import { ChangeTracker } from './panel/changes';
import { compareRequests } from './compare/requests';
import type { Comparison, Mark } from './compare/comparison';
import { breakpointRequests, Breakpoints, dapOf } from './breakpoints/breakpoints';
import { Client, clientRequests } from './client';
import { completionRequests, TRIGGERS } from './expressions/completions';
import { Connection } from './protocol/connection';
import { controlRequests } from './control';
import { evaluateRequests } from './expressions/evaluate';
import { exceptionRequests, EXCEPTION_FILTERS, ExceptionStops } from './exceptions';
import { launchRequests, makeOn, type LaunchArguments, type Load } from './launch';
import { KernelLog } from './output';
import { panelRequests } from './panel/panel';
import { Registry } from './protocol/registry';
import type { KernelGuest, Run, Stop } from './run';
import { sourceRequests } from './sources';
import { stackRequests } from './stack';
import { threadRequests } from './threads';

const registry = new Registry([
  ...clientRequests,
  ...launchRequests,
  ...breakpointRequests,
  ...exceptionRequests,
  ...controlRequests,
  ...threadRequests,
  ...stackRequests,
  ...sourceRequests,
  ...evaluateRequests,
  ...completionRequests,
  ...panelRequests,
  ...compareRequests,
]);

export interface SessionOptions {
  readonly load: Load;
  /** The folder where the model's listing is installed. */
  readonly listing: string;
}

export class Session {
  readonly connection: Connection;
  readonly client = new Client();
  readonly log = new KernelLog(body => this.connection.event('output', body));
  readonly breakpoints = new Breakpoints((...line) => this.log.print(...line));
  readonly changes = new ChangeTracker();
  run: Run | undefined;
  launched: LaunchArguments | undefined;
  /** It goes where another session has gone: its stop is nobody's wish. */
  private follows = false;
  private compared: Comparison | undefined;
  /** Of what goes wrong in the model, what stops it. */
  readonly exceptions = new ExceptionStops();
  readonly load: Load;
  readonly listing: string;

  constructor({ load, listing }: SessionOptions) {
    this.load = load;
    this.listing = listing;
    this.connection = new Connection((command, args) => registry.answer(command, args, this));
    this.connection.on('close', () => this.end());
  }

  get capabilities(): DebugProtocol.Capabilities {
    return { ...registry.capabilities(), exceptionBreakpointFilters: EXCEPTION_FILTERS, completionTriggerCharacters: TRIGGERS };
  }

  /** What the run is compared with. */
  get comparison(): Comparison | undefined {
    return this.compared;
  }

  set comparison(next: Comparison | undefined) {
    this.compared?.end();
    this.compared = next;
  }

  /** The same scenario on another kernel. @throws RequestError when it cannot run there */
  makeOn(kernel: string): (host: Host) => KernelGuest {
    return makeOn(kernel, this);
  }

  /** Of the frames of a thread those that the other kernel does not have like this, by their index. */
  marks(thread: number): (Mark | undefined)[] {
    const { run, comparison } = this;
    return run && thread === run.thread && run.state === 'stopped' ? (comparison?.marks(run.stepper.step, run.stepper.frames(thread)) ?? []) : [];
  }

  /** What the client has been told of frames is no longer so. */
  framesChanged(): void {
    if (this.client.invalidated && this.run?.state === 'stopped') this.connection.event('invalidated', { areas: ['stacks'] });
  }

  /** Goes to a step, as another session is there: the client is told that it goes on, as it did not ask for that. */
  follow(step: number): void {
    const { run } = this;
    if (!run) return;
    this.connection.event('continued', { threadId: run.thread, allThreadsContinued: true });
    this.resume({ kind: 'toStep', step }, true);
  }

  /** Nobody listens any more. */
  end(): void {
    this.comparison = undefined;
    this.run?.end();
  }

  /** Goes on once the request in progress is answered. */
  resume(goal: Goal, follows = false): void {
    const { run } = this;
    if (!run) return;
    this.follows = follows;
    run.state = 'running';
    this.connection.later(() => {
      this.changes.leave();
      run.resume(goal).catch((error: unknown) => this.broke(run, error));
    });
  }

  /** What does not lie in the model is shown, and ends the run, not the adapter. */
  private broke(run: Run, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.connection.event('output', { category: 'stderr', output: `irqstep: the run cannot go on: ${text}\n` });
    this.terminate(run);
  }

  /** Tells the client where the run stopped. */
  stopped(run: Run, stop: Stop): void {
    if (run !== this.run) return;
    if (this.launched?.noDebug) { this.finish(run, stop); return; }
    this.tell(this.breakpoints.review(run, stop.reason === 'end'), run);
    this.connection.event('stopped', { ...this.reasonOf(run, stop), ...this.followed(stop), threadId: run.thread, allThreadsStopped: true });
  }

  /** Where it was sent; the client stays where it looks. */
  private followed({ reason }: Stop): Partial<DebugProtocol.StoppedEvent['body']> {
    if (!this.follows) return {};
    return { preserveFocusHint: true, ...(reason === 'step' || reason === 'start' ? { reason: 'goto', description: `As on ${this.comparison?.other.kernel ?? 'the other kernel'}` } : {}) };
  }

  /** The end of a run that nobody debugs. */
  private finish(run: Run, { error, failure }: Stop): void {
    const report = error instanceof kernel_death ? error.report : [];
    if (error) this.connection.event('output', { category: 'stderr', output: [`${failure ?? 'error'}: ${error.message}`, ...report, ''].join('\n') });
    this.terminate(run);
  }

  /** The client forgets the run. */
  terminate(run: Run): void {
    if (run.state === 'terminated') return;
    this.log.flush(run);
    this.end();
    this.connection.event('terminated');
  }

  /** Binds the breakpoints to a new run, and tells what became of them. */
  rebind(run: Run): void {
    this.tell(this.breakpoints.rebind(run), run);
  }

  private tell(changed: ReturnType<Breakpoints['rebind']>, run: Run): void {
    for (const breakpoint of changed) this.connection.event('breakpoint', { reason: 'changed', breakpoint: dapOf(breakpoint, run) });
  }

  private reasonOf(run: Run, { reason, error, failure }: Stop): Partial<DebugProtocol.StoppedEvent['body']> {
    switch (reason) {
      case 'breakpoint': {
        const { ids, onFunctions } = this.breakpoints.hitAt(run.stepper.step);
        if (ids.length === 0) return { reason: 'exception', description: `Paused on ${failure}`, text: error?.message ?? '' };
        return { reason: onFunctions ? 'function breakpoint' : 'breakpoint', hitBreakpointIds: ids };
      }
      case 'end':
        return { reason: 'end', description: 'End of the scenario', text: 'nothing is left to run; step back, or continue to end the session' };
      case 'start':
        return { reason: 'entry', description: 'Start of the scenario', text: 'nothing lies before this' };
      case 'exception':
      case 'deadlock':
        return { reason: 'exception', description: `Paused on ${failure ?? 'error'}`, text: error?.message ?? '' };
      default:
        return { reason };
    }
  }
}
