import * as vscode from 'vscode';
import type { Section, SnapshotArguments } from '../../debug-adapter/panel-protocol';
import type { Other, ToHost, ToPage } from '../../webview/messages';
import { DEBUG_TYPE } from './debugging';
import { request } from './documents';
import type { SideBySide } from './side-by-side';
import { isResume, isStop } from './stops';

const VIEW_TYPE = 'irqstep.hierarchy';

/** The panel "Interrupt hierarchy": opened by a command, or beside the code at a session's first stop. */
export function registerPanel(context: vscode.ExtensionContext, sideBySide: SideBySide): void {
  const host = new PanelHost(context.extensionUri, sideBySide);
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
    sideBySide.onDidChange(() => host.onPeers()),
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

  constructor(
    private readonly extension: vscode.Uri,
    private readonly sideBySide: SideBySide,
  ) {}

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
    if (isStop(message)) {
      this.stopped.delete(session);
      this.stopped.add(session);
      if (staysAway(message) && session !== this.session) return;
      this.look(session, undefined);
      if (!this.opened.has(session)) {
        this.opened.add(session);
        this.show();
      }
    } else if (isResume(message)) {
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

  /** What stands beside the session is another state now, or gone. */
  onPeers(): void {
    void this.refresh();
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
      case 'compare':
        void vscode.commands.executeCommand('irqstep.compareKernels', message.kernel);
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
      const what: SnapshotArguments = { sections: this.sections, ...(this.irq !== null && { irq: this.irq }) };
      const snapshot = await request(session, 'irqstep/snapshot', { ...what, ...(this.frameId !== undefined && { frameId: this.frameId }) });
      const other = await this.beside(session, what);
      if (mine === this.asked) this.send({ type: 'snapshot', session: session.name, snapshot, ...(other && { other }) });
    } catch (error) {
      if (mine === this.asked) this.send({ type: 'idle', reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The state of the session that goes with this one. One that goes on or ends meanwhile has none. */
  private async beside(session: vscode.DebugSession, what: SnapshotArguments): Promise<Other | undefined> {
    const peer = this.sideBySide.peerOf(session);
    const snapshot = peer && (await request(peer, 'irqstep/snapshot', { ...what, sections: what.sections.filter((section) => section !== 'series') }).catch(() => undefined));
    return peer && snapshot && { session: peer.name, snapshot };
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

/** A stop of a session that only goes along. */
const staysAway = (message: unknown): boolean => (message as { body?: { preserveFocusHint?: boolean } }).body?.preserveFocusHint === true;

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
