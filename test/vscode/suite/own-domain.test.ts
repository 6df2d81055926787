import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { Stops, frames, locals } from './stops';

/** What VS Code sends to the adapter. */
class Launches implements vscode.Disposable {
  readonly seen: Record<string, unknown>[] = [];
  private readonly registration = vscode.debug.registerDebugAdapterTrackerFactory('irqstep', {
    createDebugAdapterTracker: () => ({
      onWillReceiveMessage: (message: { command?: string; arguments?: Record<string, unknown> }) => {
        if (message.command === 'launch' && message.arguments) this.seen.push(message.arguments);
      },
    }),
  });
  dispose(): void {
    this.registration.dispose();
  }
}

describe("a domain of the user's own in VS Code", function () {
  this.timeout(60_000);
  let stops: Stops;
  let launches: Launches;
  const folder = vscode.Uri.file(mkdtempSync(join(tmpdir(), 'irqstep-own-')));

  beforeEach(() => {
    stops = new Stops();
    launches = new Launches();
  });
  afterEach(async () => {
    await vscode.debug.stopDebugging();
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    stops.dispose();
    launches.dispose();
  });
  after(() => rmSync(folder.fsPath, { recursive: true }));

  it('"New irq domain" writes a module, a scenario and typings; a breakpoint in the module is hit', async () => {
    await vscode.commands.executeCommand('irqstep.newDomain', folder, 'door-bell');
    assert.deepEqual(readdirSync(folder.fsPath).sort(), ['door-bell.irq.yaml', 'door-bell.ts', 'irqstep-model.d.ts', 'tsconfig.json']);
    const module = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder, 'door-bell.ts'));
    const line = module.getText().split('\n').findIndex((text) => text.includes('irq_domain_set_info(domain, virq'));
    vscode.debug.addBreakpoints([new vscode.SourceBreakpoint(new vscode.Location(module.uri, new vscode.Position(line, 0)))]);
    assert.equal(vscode.window.activeTextEditor?.document.fileName, vscode.Uri.joinPath(folder, 'door-bell.irq.yaml').fsPath);
    await vscode.commands.executeCommand('workbench.action.debug.start');
    const stop = await stops.next();
    const [top] = await frames(stop);
    assert.deepEqual([stop.reason, top.name, top.line], ['breakpoint', 'my_alloc', line + 1]);
    assert.ok(top.source?.path?.endsWith(module.uri.path), top.source?.path);
    assert.equal((await locals(stop))['hwirq'], '0x0');
  });

  it('says in the Problems what is wrong with a module, at its place', async () => {
    const file = (name: string): vscode.Uri => vscode.Uri.joinPath(folder, name);
    await vscode.workspace.fs.writeFile(file('bad.ts'), new TextEncoder().encode('export function* go() {\n  return Date.now();\n}\n'));
    await vscode.workspace.fs.writeFile(file('bad.irq.yaml'), new TextEncoder().encode('modules: [./bad.ts]\nsteps:\n  - call: go\n'));
    await vscode.workspace.openTextDocument(file('bad.irq.yaml'));
    const problems = vscode.languages.getDiagnostics(file('bad.ts')).filter((d) => d.source === 'irqstep');
    assert.deepEqual(problems.map((d) => [d.range.start.line, d.range.start.character]), [[1, 9]]);
    assert.match(problems[0].message, /^Date is not here/);
  });

  it('lets modules run by the trust of the workspace, whatever a launch configuration says', async () => {
    const program = vscode.Uri.joinPath(folder, 'door-bell.irq.yaml').fsPath;
    const start = (allowModules: boolean): Thenable<boolean> => vscode.debug.startDebugging(undefined, { type: 'irqstep', request: 'launch', name: 'x', program, stopOnEntry: true, allowModules });
    assert.equal(vscode.workspace.isTrusted, true);
    await start(true);
    await stops.next();
    await vscode.debug.stopDebugging();
    // VS Code shows what the adapter says in a dialog, which a test may not have.
    await Promise.resolve(start(false)).catch((error: unknown) => assert.match(String(error), /door-bell\.irq\.yaml:4:1: modules are code that runs in the debugger.* expected a trusted workspace/s));
    process.env['IRQSTEP_TRUSTED_FOLDER'] = '/elsewhere';
    try {
      await Promise.resolve(start(true)).catch((error: unknown) => assert.match(String(error), /expected a trusted workspace/));
    } finally {
      delete process.env['IRQSTEP_TRUSTED_FOLDER'];
    }
    assert.deepEqual(launches.seen.map((args) => args['allowModules']), [true, false, false]);
  });
});
