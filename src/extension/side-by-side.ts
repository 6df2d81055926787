import * as vscode from 'vscode';
import type { Compared, Place } from '../../debug-adapter/compare-protocol';
import { DEBUG_TYPE } from './debugging';
import { request } from './documents';
import { FrameMarks } from './frame-marks';
import { chooseKernel } from './kernel-choice';
import { Pair } from './pair';
import { Stops } from './stops';

/** Sessions on two kernels that go together: where one stops, the other one goes. */
export class SideBySide implements vscode.Disposable {
  private readonly pairs = new Set<Pair>();
  private readonly stops = new Stops();
  private readonly marks = new FrameMarks();
  private readonly arrived = new vscode.EventEmitter<void>();
  /** A session has arrived beside the other one, or has left it. */
  readonly onDidChange = this.arrived.event;
  private readonly registrations: vscode.Disposable;

  constructor() {
    this.registrations = vscode.Disposable.from(
      vscode.debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, { createDebugAdapterTracker: (session) => ({ onDidSendMessage: (message: unknown) => this.onMessage(session, message) }) }),
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
        if (event === 'irqstep/compared') this.pairOf(session)?.compared(session, body as Compared);
      }),
      vscode.debug.onDidTerminateDebugSession((session) => {
        this.stops.forget(session);
        this.part(session);
      }),
      vscode.commands.registerCommand('irqstep.compareKernels', (kernel?: string) => this.compare(kernel)),
      this.marks,
      this.arrived,
    );
  }

  dispose(): void {
    this.registrations.dispose();
  }

  /** The session that goes with another one, while it is stopped. */
  peerOf(session: vscode.DebugSession): vscode.DebugSession | undefined {
    const peer = this.pairOf(session)?.otherThan(session);
    return peer && this.stops.isStopped(peer) ? peer : undefined;
  }

  /** Starts the scenario in front on another kernel, and leads it to the same place. */
  private async compare(wanted: string | undefined): Promise<void> {
    const session = vscode.debug.activeDebugSession;
    if (session?.type !== DEBUG_TYPE || !this.stops.isStopped(session)) {
      void vscode.window.showInformationMessage('Start a scenario and let it stop first: the other kernel is led to the same place.');
      return;
    }
    try {
      const { kernel: own, series } = await request(session, 'irqstep/snapshot', { sections: ['series'] });
      const kernel = wanted ?? (await chooseKernel(own, series));
      if (kernel === undefined) return;
      this.part(session);
      const other = await this.start(session, kernel);
      const pair = new Pair(session, other, this.stops, (...marked) => this.onArrival(...marked), (why) => this.onFailure(session, why));
      this.pairs.add(pair);
      pair.lead(session);
    } catch (error) {
      void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
    }
  }

  /** The same launch on another kernel, stopped at its first statement. */
  private async start(session: vscode.DebugSession, kernel: string): Promise<vscode.DebugSession> {
    const { configuration } = session;
    const name = `${configuration.name.replace(/ on \S+$/, '')} on ${kernel}`;
    const started = this.stops.nextOf(name);
    const config: vscode.DebugConfiguration = { ...configuration, name, kernel, stopOnEntry: true, beside: true };
    if (!(await vscode.debug.startDebugging(session.workspaceFolder, config))) {
      started.cancel();
      throw new Error(`the scenario does not run on ${kernel}: the Debug Console says why`);
    }
    return started.stopped;
  }

  private onMessage(session: vscode.DebugSession, message: unknown): void {
    const stop = this.stops.note(session, message);
    const pair = this.pairOf(session);
    if (stop && pair && !pair.isLed(session)) pair.lead(session);
  }

  private onArrival(...marked: readonly [session: vscode.DebugSession, place: Place | undefined][]): void {
    for (const [session, place] of marked) this.marks.show(session, place?.marks ?? []);
    this.arrived.fire();
  }

  private onFailure(session: vscode.DebugSession, why: string): void {
    void vscode.window.showWarningMessage(`The two kernels cannot go together: ${why}`);
    this.part(session);
  }

  /** Both of a pair go on alone. */
  private part(session: vscode.DebugSession): void {
    const pair = this.pairOf(session);
    if (!pair) return;
    this.pairs.delete(pair);
    pair.end();
    for (const one of pair.sessions) {
      this.marks.show(one, []);
      void Promise.resolve(one.customRequest('irqstep/compare', {})).catch(() => undefined);
    }
    this.arrived.fire();
  }

  private pairOf(session: vscode.DebugSession): Pair | undefined {
    return [...this.pairs].find(({ sessions }) => sessions.includes(session));
  }
}
