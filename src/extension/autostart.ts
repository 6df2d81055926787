import * as vscode from 'vscode';
import { launchOf } from './debugging';

/** `npm start` names a scenario in the environment: it is opened and debugged at once, with a breakpoint where its allocation begins. */
export function registerAutostart(): void {
  const program = process.env['IRQSTEP_AUTOSTART'];
  if (program) void start(program);
}

async function start(program: string): Promise<void> {
  await vscode.window.showTextDocument(vscode.Uri.file(program), { viewColumn: vscode.ViewColumn.One });
  const first = 'x86_vector_alloc_irqs';
  const known = vscode.debug.breakpoints.some((b) => b instanceof vscode.FunctionBreakpoint && b.functionName === first);
  if (!known) vscode.debug.addBreakpoints([new vscode.FunctionBreakpoint(first)]);
  await vscode.commands.executeCommand('workbench.view.debug');
  await vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], launchOf(program));
}
