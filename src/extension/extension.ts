import * as vscode from 'vscode';
import { registerAutostart } from './autostart';
import { registerCompletion } from './completion';
import { registerDebugging } from './debugging';
import { registerDiagnostics } from './diagnostics';
import { registerDocuments } from './documents';
import { registerOpenScenario } from './open-scenario';
import { registerNewDomain } from './new-domain';
import { registerPanel } from './panel';
import { SideBySide } from './side-by-side';

export function activate(context: vscode.ExtensionContext): void {
  registerDebugging(context);
  registerDocuments(context);
  registerDiagnostics(context);
  registerCompletion(context);
  const sideBySide = new SideBySide();
  context.subscriptions.push(sideBySide);
  registerPanel(context, sideBySide);
  registerNewDomain(context);
  registerOpenScenario(context);
  registerAutostart();
}
