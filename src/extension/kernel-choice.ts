import * as vscode from 'vscode';
import type { Series } from '../../debug-adapter/panel-protocol';

/** Asks for a kernel: a release, or a point of the patch series. @param own the one that there is already */
export async function chooseKernel(own: string, series: Series | undefined): Promise<string | undefined> {
  const separator = (label: string): vscode.QuickPickItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const releases = (series?.kernels ?? []).filter((name) => name !== own).map((label): vscode.QuickPickItem => ({ label }));
  const patches = (series?.groups ?? []).flatMap(({ title, patches: group }) => [
    separator(title),
    ...group.map(({ number, subject }): vscode.QuickPickItem => ({ label: `series:${number}`, description: subject })),
  ]);
  const chosen = await vscode.window.showQuickPick([separator('releases'), ...releases, ...patches.filter(({ label }) => label !== own)], {
    title: `Compare ${own} with another kernel`,
    placeHolder: 'A release, or v5.9 with the first patches of the series',
    matchOnDescription: true,
  });
  return chosen?.label;
}
