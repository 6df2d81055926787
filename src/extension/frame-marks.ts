import * as vscode from 'vscode';
import type { FrameMark } from '../../debug-adapter/compare-protocol';

/** Marks in the editors the lines of frames that another kernel does not have like this. */
export class FrameMarks implements vscode.Disposable {
  private readonly bySession = new Map<string, readonly FrameMark[]>();
  private readonly decoration = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor('diffEditor.insertedLineBackground'),
    overviewRulerColor: new vscode.ThemeColor('charts.purple'),
    overviewRulerLane: vscode.OverviewRulerLane.Right,
    after: { margin: '0 0 0 2em', color: new vscode.ThemeColor('editorCodeLens.foreground'), fontStyle: 'italic' },
  });
  private readonly registration = vscode.window.onDidChangeVisibleTextEditors(() => this.draw());

  dispose(): void {
    this.registration.dispose();
    this.decoration.dispose();
  }

  /** Instead of those that the session had before. */
  show({ id }: vscode.DebugSession, marks: readonly FrameMark[]): void {
    if (marks.length > 0) this.bySession.set(id, marks);
    else this.bySession.delete(id);
    this.draw();
  }

  private draw(): void {
    for (const editor of vscode.window.visibleTextEditors) editor.setDecorations(this.decoration, this.decorationsIn(editor.document));
  }

  /** One for each line, whatever frames stand there. */
  private decorationsIn(document: vscode.TextDocument): vscode.DecorationOptions[] {
    const texts = new Map<number, Set<string>>();
    for (const { path, line, text } of [...this.bySession.values()].flat()) {
      if (!isAt(document, path) || line > document.lineCount) continue;
      texts.set(line, (texts.get(line) ?? new Set()).add(text));
    }
    return [...texts].map(([line, all]) => ({ range: document.lineAt(line - 1).range, renderOptions: { after: { contentText: [...all].join('; ') } } }));
  }
}

/** A frame's source is named by a URI, or by the path of a file. */
const isAt = ({ uri }: vscode.TextDocument, path: string): boolean => (uri.scheme === 'file' ? uri.fsPath === path : uri.toString() === vscode.Uri.parse(path).toString());
