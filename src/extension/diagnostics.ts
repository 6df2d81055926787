import * as vscode from 'vscode';
import type { Diagnostic } from '../scenario/diagnostic';
import { loadScenario } from '../scenario/load';
import { SCENARIO_FILES } from './debugging';

/** What is wrong with the open scenarios and the modules that they name, in the editor's Problems. Modules are read as they are on disk. */
export function registerDiagnostics(context: vscode.ExtensionContext): void {
  const problems = new Problems();
  const isScenario = (document: vscode.TextDocument): boolean => vscode.languages.match(SCENARIO_FILES, document) > 0;
  const check = (document: vscode.TextDocument): void => {
    if (isScenario(document)) problems.check(document);
  };
  vscode.workspace.textDocuments.forEach(check);
  context.subscriptions.push(
    problems,
    vscode.workspace.onDidOpenTextDocument(check),
    vscode.workspace.onDidChangeTextDocument((event) => check(event.document)),
    vscode.workspace.onDidSaveTextDocument((document) => {
      if (document.languageId === 'typescript') vscode.workspace.textDocuments.forEach(check);
    }),
    vscode.workspace.onDidCloseTextDocument((document) => problems.forget(document.uri)),
  );
}

class Problems implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('irqstep');
  /** what each scenario is to blame for, by the paths of files */
  private readonly found = new Map<string, ReadonlyMap<string, readonly Diagnostic[]>>();

  check(document: vscode.TextDocument): void {
    const { fsPath } = document.uri;
    const root = vscode.workspace.getWorkspaceFolder(document.uri)?.uri.fsPath;
    const loaded = loadScenario(fsPath, document.getText(), root === undefined ? {} : { root });
    const byPath = new Map<string, Diagnostic[]>([[fsPath, []]]);
    for (const d of loaded.ok ? [] : loaded.diagnostics) byPath.set(d.path, [...(byPath.get(d.path) ?? []), d]);
    this.put(fsPath, byPath);
  }

  forget(uri: vscode.Uri): void {
    this.put(uri.fsPath, new Map());
  }

  private put(scenario: string, byPath: ReadonlyMap<string, readonly Diagnostic[]>): void {
    const touched = new Set([...(this.found.get(scenario)?.keys() ?? []), ...byPath.keys()]);
    this.found.set(scenario, byPath);
    for (const path of touched) this.collection.set(vscode.Uri.file(path), [...this.found.values()].flatMap((files) => files.get(path) ?? []).map(diagnostic));
  }

  dispose(): void {
    this.collection.dispose();
  }
}

function diagnostic(d: Diagnostic): vscode.Diagnostic {
  const range = new vscode.Range(d.line - 1, d.column - 1, d.endLine - 1, d.endColumn - 1);
  const shown = new vscode.Diagnostic(range, d.message, vscode.DiagnosticSeverity.Error);
  shown.source = 'irqstep';
  return shown;
}
