import * as vscode from 'vscode';
import type { Diagnostic } from '../scenario/diagnostic';
import { loadScenario } from '../scenario/load';
import { SCENARIO_FILES } from './debugging';

/** What is wrong with the open scenarios, in the editor's Problems. */
export function registerDiagnostics(context: vscode.ExtensionContext): void {
  const problems = vscode.languages.createDiagnosticCollection('irqstep');
  const check = (document: vscode.TextDocument): void => {
    if (vscode.languages.match(SCENARIO_FILES, document) > 0) problems.set(document.uri, diagnosticsOf(document));
  };
  vscode.workspace.textDocuments.forEach(check);
  context.subscriptions.push(
    problems,
    vscode.workspace.onDidOpenTextDocument(check),
    vscode.workspace.onDidChangeTextDocument((event) => check(event.document)),
    vscode.workspace.onDidCloseTextDocument((document) => problems.delete(document.uri)),
  );
}

function diagnosticsOf(document: vscode.TextDocument): vscode.Diagnostic[] {
  const loaded = loadScenario(document.uri.fsPath, document.getText());
  return loaded.ok ? [] : loaded.diagnostics.map(diagnostic);
}

function diagnostic(d: Diagnostic): vscode.Diagnostic {
  const range = new vscode.Range(d.line - 1, d.column - 1, d.endLine - 1, d.endColumn - 1);
  const shown = new vscode.Diagnostic(range, d.message, vscode.DiagnosticSeverity.Error);
  shown.source = 'irqstep';
  return shown;
}
