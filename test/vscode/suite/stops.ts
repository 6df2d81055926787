import * as vscode from 'vscode';

/** A stop that VS Code has been told of. */
export interface Stop {
  session: vscode.DebugSession;
  reason: string;
  threadId: number;
}

interface DapFrame {
  id: number;
  name: string;
  line: number;
  source?: { path?: string; name?: string };
}

/** Hears the `stopped` events of all irqstep sessions; made before the session starts. */
export class Stops implements vscode.Disposable {
  private readonly heard: Stop[] = [];
  private waiting: ((stop: Stop) => void) | undefined;
  private readonly registration = vscode.debug.registerDebugAdapterTrackerFactory('irqstep', {
    createDebugAdapterTracker: (session) => ({
      onDidSendMessage: (message: { event?: string; body?: { reason: string; threadId: number } }) => {
        if (message.event === 'stopped' && message.body) this.push({ session, ...message.body });
      },
    }),
  });

  /** The next stop not taken yet. */
  next(): Promise<Stop> {
    const stop = this.heard.shift();
    return stop ? Promise.resolve(stop) : new Promise((resolve) => (this.waiting = resolve));
  }

  private push(stop: Stop): void {
    const taker = this.waiting;
    this.waiting = undefined;
    if (taker) taker(stop);
    else this.heard.push(stop);
  }

  dispose(): void {
    this.registration.dispose();
  }
}

/** Top first. */
export async function frames({ session, threadId }: Stop): Promise<DapFrame[]> {
  return ((await session.customRequest('stackTrace', { threadId })) as { stackFrames: DapFrame[] }).stackFrames;
}

/** Names and values of the first scope of a frame. */
export async function locals(stop: Stop): Promise<Record<string, string>> {
  const [top] = await frames(stop);
  const { scopes } = (await stop.session.customRequest('scopes', { frameId: top.id })) as { scopes: { variablesReference: number }[] };
  const { variables } = (await stop.session.customRequest('variables', { variablesReference: scopes[0].variablesReference })) as { variables: { name: string; value: string }[] };
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}
