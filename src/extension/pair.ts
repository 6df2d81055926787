import type * as vscode from 'vscode';
import type { Compared, Place } from '../../debug-adapter/compare-protocol';
import { request } from './documents';
import type { Stops } from './stops';

/** Tells where both stand now. */
type Arrived = (...marked: readonly [session: vscode.DebugSession, place: Place | undefined][]) => void;

/** Two sessions of one scenario. One leads at a time: the one that stopped last of its own accord. */
export class Pair {
  readonly sessions: readonly [vscode.DebugSession, vscode.DebugSession];
  private wanted: vscode.DebugSession | undefined;
  private led: vscode.DebugSession | undefined;
  private busy = false;
  private ended = false;
  private readonly waiting = new Map<vscode.DebugSession, (result: Compared) => void>();

  /** @param failed is told why the two cannot go together */
  constructor(
    a: vscode.DebugSession,
    b: vscode.DebugSession,
    private readonly stops: Stops,
    private readonly arrived: Arrived,
    private readonly failed: (why: string) => void,
  ) {
    this.sessions = [a, b];
  }

  otherThan(session: vscode.DebugSession): vscode.DebugSession {
    const [a, b] = this.sessions;
    return session === a ? b : a;
  }

  /** Whether it goes where the other one stands: its stop leads nobody. */
  isLed(session: vscode.DebugSession): boolean {
    return this.led === session;
  }

  /** A session has stopped: the other one shall come. Whoever says so last is followed. */
  lead(session: vscode.DebugSession): void {
    this.wanted = session;
    if (!this.busy) void this.follow();
  }

  /** The adapter of a session has compared it. */
  compared(session: vscode.DebugSession, result: Compared): void {
    this.waiting.get(session)?.(result);
    this.waiting.delete(session);
  }

  end(): void {
    this.ended = true;
    for (const [session, resolve] of this.waiting) resolve({ kernel: '', error: `${session.name} has ended` });
    this.waiting.clear();
  }

  private async follow(): Promise<void> {
    this.busy = true;
    while (this.wanted && !this.ended) {
      const leader = this.wanted;
      this.wanted = undefined;
      // A session that goes on or ends meanwhile refuses: its next stop leads again.
      await this.bring(leader).catch(() => undefined);
      this.led = undefined;
    }
    this.busy = false;
  }

  private async bring(leader: vscode.DebugSession): Promise<void> {
    const follower = this.otherThan(leader);
    if (!(await this.compare(leader, follower))) return;
    const place = await request(leader, 'irqstep/counterpart', {});
    if (!this.stops.isStopped(follower)) return;
    this.led = follower;
    const arrival = this.stops.next(follower);
    await request(follower, 'irqstep/goTo', { step: place.step });
    await arrival;
    this.led = undefined;
    // What it is marked by comes with the next stop when its own comparison is not ready.
    const there = await request(follower, 'irqstep/counterpart', {}).catch(() => undefined);
    this.arrived([leader, place], [follower, there]);
  }

  /** Each adapter compares its run with the other's kernel, once. @returns whether the leader's has */
  private async compare(leader: vscode.DebugSession, follower: vscode.DebugSession): Promise<boolean> {
    const { kernel } = await request(leader, 'irqstep/snapshot', { sections: [] });
    const other = await request(follower, 'irqstep/compare', { kernel });
    const done = new Promise<Compared>((resolve) => this.waiting.set(leader, resolve));
    const { state } = await request(leader, 'irqstep/compare', { kernel: other.kernel });
    if (state === 'ready') this.waiting.delete(leader);
    const { error } = state === 'ready' ? {} : await done;
    if (error !== undefined && !this.ended) this.failed(error);
    return error === undefined;
  }
}
