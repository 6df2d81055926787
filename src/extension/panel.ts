import * as vscode from 'vscode';
import type { Section } from '../../debug-adapter/panel-protocol';
import type { ToHost, ToPage } from '../../webview/messages';
import { DEBUG_TYPE } from './debugging';
import { request } from './documents';

const VIEW_TYPE = 'irqstep.hierarchy';

/** The panel "Interrupt hierarchy": opened by a command, or beside the code at a session's first stop. */
export function registerPanel(context: vscode.ExtensionContext): void {
  const host = new PanelHost(context.extensionUri);
  context.subscriptions.push(
    vscode.commands.registerCommand('irqstep.showHierarchy', () => host.show()),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: (panel) => {
        host.adopt(panel);
        return Promise.resolve();
      },
    }),
    vscode.debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, {
      createDebugAdapterTracker: (session) => ({ onDidSendMessage: (m: unknown) => host.onAdapterMessage(session, m) }),
    }),
    vscode.debug.onDidTerminateDebugSession((session) => host.onTerminated(session)),
    vscode.debug.onDidChangeActiveStackItem((item) => host.onStackItem(item)),
  );
}

/** Holds one webview and what it should show; the model stays in the adapter. */
class PanelHost {
  private panel: vscode.WebviewPanel | undefined;
  /** the session that is shown: the one that stopped last, or that the user has chosen since */
  private session: vscode.DebugSession | undefined;
  /** all that are stopped now, those that stopped last at the end */
  private readonly stopped = new Set<vscode.DebugSession>();
  private frameId: number | undefined;
  private irq: number | null = null;
  private sections: Section[] = [];
  /** sessions that opened the panel already: a user who closed it keeps it closed */
  private readonly opened = new WeakSet<vscode.DebugSession>();
  /** counts requests, so that a late answer is dropped */
  private asked = 0;

  constructor(private readonly extension: vscode.Uri) {}

  show(): void {
    if (this.panel) this.panel.reveal(undefined, true);
    else
      this.adopt(
        vscode.window.createWebviewPanel(VIEW_TYPE, 'Interrupt hierarchy', { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true }, {}),
      );
  }

  adopt(panel: vscode.WebviewPanel): void {
    this.panel = panel;
    const root = vscode.Uri.joinPath(this.extension, 'dist', 'webview');
    panel.webview.options = { enableScripts: true, localResourceRoots: [root] };
    panel.webview.onDidReceiveMessage((message: ToHost) => this.onPageMessage(message));
    panel.onDidDispose(() => (this.panel = undefined));
    panel.webview.html = page(panel.webview, root);
  }

  onAdapterMessage(session: vscode.DebugSession, message: unknown): void {
    const event = (message as { event?: string }).event;
    if (event === 'stopped') {
      this.stopped.delete(session);
      this.stopped.add(session);
      this.look(session, undefined);
      if (!this.opened.has(session)) {
        this.opened.add(session);
        this.show();
      }
    } else if (event === 'continued' || isResume(message)) {
      this.stopped.delete(session);
      if (session === this.session) void this.refresh();
    }
  }

  onTerminated(session: vscode.DebugSession): void {
    this.stopped.delete(session);
    if (session !== this.session) return;
    const other = [...this.stopped].at(-1);
    this.look(other, undefined);
    if (!other) this.send({ type: 'idle', reason: `${session.name} has ended. Start a scenario with F5.` });
  }

  onStackItem(item: vscode.DebugThread | vscode.DebugStackFrame | undefined): void {
    if (item?.session.type !== DEBUG_TYPE) return;
    const frameId = item instanceof vscode.DebugStackFrame ? item.frameId : undefined;
    if (item.session !== this.session || frameId !== this.frameId) this.look(item.session, frameId);
  }

  private look(session: vscode.DebugSession | undefined, frameId: number | undefined): void {
    this.session = session;
    this.frameId = frameId;
    void this.refresh();
  }

  private onPageMessage(message: ToHost): void {
    switch (message.type) {
      case 'ready':
        this.irq = message.irq;
        this.sections = message.sections;
        break;
      case 'select':
        this.irq = message.irq;
        break;
      case 'sections':
        this.sections = message.sections;
        break;
      case 'vectors':
        void this.sendVectors(message.cpu);
        return;
      case 'openText':
        void vscode.commands.executeCommand('irqstep.openTextFile', message.path);
        return;
      case 'kernel':
        void this.restart(message.kernel);
        return;
    }
    void this.refresh();
  }

  private async refresh(): Promise<void> {
    const session = this.session;
    const mine = ++this.asked;
    if (!this.panel) return;
    if (!session) { this.send({ type: 'idle', reason: 'No session. Open a scenario (*.irq.yaml) and press F5.' }); return; }
    if (!this.stopped.has(session)) { this.send({ type: 'running', session: session.name }); return; }
    try {
      const snapshot = await request(session, 'irqstep/snapshot', {
        sections: this.sections,
        ...(this.irq !== null && { irq: this.irq }),
        ...(this.frameId !== undefined && { frameId: this.frameId }),
      });
      if (mine === this.asked) this.send({ type: 'snapshot', session: session.name, snapshot });
    } catch (error) {
      if (mine === this.asked) this.send({ type: 'idle', reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The scenario from its beginning, on another kernel. */
  private async restart(kernel: string): Promise<void> {
    try {
      await this.session?.customRequest('restart', { arguments: { kernel } });
    } catch (error) {
      void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
    }
  }

  private async sendVectors(cpu: number): Promise<void> {
    const session = this.session;
    if (!session || !this.stopped.has(session)) return;
    // A run that goes on or ends meanwhile refuses: the next stop asks again.
    const answer = await request(session, 'irqstep/vectors', { cpu }).catch(() => undefined);
    if (answer && session === this.session) this.send({ type: 'vectors', cpu, vectors: answer.vectors });
  }

  private send(message: ToPage): void {
    void this.panel?.webview.postMessage(message);
  }
}

/** The response to a request that lets the run go on. */
function isResume(message: unknown): boolean {
  const { type, command, success } = message as { type?: string; command?: string; success?: boolean };
  return type === 'response' && success === true && ['continue', 'next', 'stepIn', 'stepOut', 'stepBack', 'reverseContinue', 'restart'].includes(command ?? '');
}

function page(webview: vscode.Webview, root: vscode.Uri): string {
  const script = webview.asWebviewUri(vscode.Uri.joinPath(root, 'panel.js')).toString();
  const csp = `default-src 'none'; script-src ${webview.cspSource}; style-src ${webview.cspSource}; font-src ${webview.cspSource}`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<title>Interrupt hierarchy</title>
</head>
<body><irqstep-panel></irqstep-panel><script src="${script}"></script></body>
</html>`;
}
