import * as vscode from 'vscode';
import type { CompareRequests } from '../../debug-adapter/compare-protocol';
import type { PanelRequests } from '../../debug-adapter/panel-protocol';
import { DEBUG_TYPE } from './debugging';

/** The listing of the model that is stepped: irqstep-model:/irq/msi.ts */
const MODEL_SCHEME = 'irqstep-model';
/** The kernel's text files of a stopped run: irqstep-text:/proc/interrupts */
const TEXT_SCHEME = 'irqstep-text';

export function registerDocuments(context: vscode.ExtensionContext): void {
  const texts = new KernelText();
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider(MODEL_SCHEME, new ModelListing(context.extensionUri)),
    vscode.workspace.registerTextDocumentContentProvider(TEXT_SCHEME, texts),
    vscode.debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, { createDebugAdapterTracker: () => ({ onDidSendMessage: (m: unknown) => texts.onMessage(m) }) }),
    vscode.debug.onDidChangeActiveDebugSession(() => texts.refresh()),
    vscode.commands.registerCommand('irqstep.openTextFile', openTextFile),
  );
}

class ModelListing implements vscode.TextDocumentContentProvider {
  constructor(private readonly extension: vscode.Uri) {}

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const file = vscode.Uri.joinPath(this.extension, 'dist', 'model', uri.path);
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
  }
}

/** Read from the stopped session in front; read again at each stop, so that an open /proc/interrupts follows the steps. */
class KernelText implements vscode.TextDocumentContentProvider {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const session = vscode.debug.activeDebugSession;
    if (session?.type !== DEBUG_TYPE) return `(no irqstep session: ${uri.path} is printed while one is stopped)\n`;
    try {
      return (await request(session, 'irqstep/textFile', { path: uri.path })).content;
    } catch (error) {
      return `(${error instanceof Error ? error.message : String(error)})\n`;
    }
  }

  onMessage(message: unknown): void {
    if ((message as { event?: string }).event === 'stopped') this.refresh();
  }

  refresh(): void {
    for (const document of vscode.workspace.textDocuments) if (document.uri.scheme === TEXT_SCHEME) this.changed.fire(document.uri);
  }
}

type Requests = PanelRequests & CompareRequests;

/** A request of the adapter's own, typed. */
export async function request<C extends keyof Requests>(session: vscode.DebugSession, command: C, args: Requests[C]['arguments']): Promise<Requests[C]['body']> {
  return (await session.customRequest(command, args)) as Requests[C]['body'];
}

async function openTextFile(path?: string): Promise<void> {
  const session = vscode.debug.activeDebugSession;
  if (session?.type !== DEBUG_TYPE) {
    void vscode.window.showInformationMessage('Start a scenario first: the files are printed from its stopped run.');
    return;
  }
  const chosen = path ?? (await vscode.window.showQuickPick((await request(session, 'irqstep/textFiles', {})).paths, { placeHolder: 'A file as the modelled kernel prints it' }));
  if (!chosen) return;
  const document = await vscode.workspace.openTextDocument(vscode.Uri.from({ scheme: TEXT_SCHEME, path: chosen }));
  await vscode.window.showTextDocument(document, { preview: true, viewColumn: vscode.ViewColumn.Active });
}
