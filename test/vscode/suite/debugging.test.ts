import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { Stops, frames, locals } from './stops';

const example = (name: string): vscode.Uri => vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0].uri, name);

describe('debugging a scenario in VS Code', function () {
  this.timeout(60_000);
  let stops: Stops;
  const folder = vscode.Uri.file(mkdtempSync(join(tmpdir(), 'irqstep-suite-')));

  beforeEach(() => (stops = new Stops()));
  afterEach(async () => {
    await vscode.debug.stopDebugging();
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    stops.dispose();
  });

  after(() => rmSync(folder.fsPath, { recursive: true }));

  /** F5: no launch.json, the scenario in the editor, a breakpoint on a kernel function. */
  async function startAt(scenario: string, functionName: string): Promise<ReturnType<Stops['next']>> {
    await vscode.window.showTextDocument(example(scenario));
    vscode.debug.addBreakpoints([new vscode.FunctionBreakpoint(functionName)]);
    await vscode.commands.executeCommand('workbench.action.debug.start');
    return stops.next();
  }

  it('F5 without a launch.json stops at a function breakpoint, with the kernel call stack above the scenario', async () => {
    const stop = await startAt('nvme-msix.irq.yaml', 'x86_vector_alloc_irqs');
    const stack = await frames(stop);
    assert.equal(stop.reason, 'function breakpoint');
    // The first to ask for a vector is the INTx pin: pci_enable_device() maps it before MSI-X is thought of.
    assert.deepEqual(
      stack.slice(0, 4).map((f) => f.name),
      ['x86_vector_alloc_irqs', 'irq_domain_alloc_irqs_hierarchy', 'irq_domain_alloc_irqs_parent', 'mp_irqdomain_alloc'],
    );
    assert.ok(stack.some((f) => f.name === 'nvme_pci_enable'));
    assert.match(stack.at(-1)!.source!.path!, /nvme-msix\.irq\.yaml$/);
    assert.equal((await locals(stop))['nr_irqs'], '1');
  });

  it('steps back to where it came from', async () => {
    const first = await startAt('nvme-msix.irq.yaml', 'x86_vector_alloc_irqs');
    const before = await frames(first);
    await vscode.commands.executeCommand('workbench.action.debug.stepOver');
    const after = await frames(await stops.next());
    assert.notEqual(after[0].line, before[0].line);
    await vscode.commands.executeCommand('workbench.action.debug.stepBack');
    const back = await frames(await stops.next());
    assert.deepEqual([back[0].name, back[0].line], [before[0].name, before[0].line]);
  });

  it('keeps two sessions apart: when one is stopped, the other still stands where it stood', async () => {
    const first = await startAt('nvme-msix.irq.yaml', 'x86_vector_alloc_irqs');
    await vscode.window.showTextDocument(example('nvme-intel-ir.irq.yaml'));
    await vscode.debug.startDebugging(undefined, { type: 'irqstep', request: 'launch', name: 'second', program: example('nvme-intel-ir.irq.yaml').fsPath });
    const second = await stops.next();
    assert.notEqual(second.session.id, first.session.id);
    await vscode.debug.stopDebugging(second.session);
    assert.equal((await frames(first))[0].name, 'x86_vector_alloc_irqs');
  });

  it('shows the model as a read-only listing, and the text files of the stopped kernel', async () => {
    const stop = await startAt('nvme-intel-ir.irq.yaml', 'intel_ir_compose_msi_msg');
    const listing = vscode.Uri.parse((await frames(stop))[0].source!.path!);
    assert.equal(listing.scheme, 'irqstep-model');
    const text = (await vscode.workspace.openTextDocument(listing)).getText();
    assert.match(text, /function\* intel_ir_compose_msi_msg/);
    const interrupts = await vscode.workspace.openTextDocument(vscode.Uri.from({ scheme: 'irqstep-text', path: '/proc/interrupts' }));
    assert.match(interrupts.getText(), /^ {11}CPU0 {7}CPU1/);
  });

  it('puts what is wrong with a scenario into the Problems, at its place', async () => {
    const document = await openText('broken.irq.yaml', 'steps:\n  - boot\nstepps: []\n');
    const problems = vscode.languages.getDiagnostics(document.uri).filter((d) => d.source === 'irqstep');
    assert.deepEqual(
      problems.map((d) => d.range.start.line),
      [2],
    );
    assert.match(problems[0].message, /stepps.*steps/);
  });

  it('offers the keys and values that the schema allows where the cursor is', async () => {
    const document = await openText('new.irq.yaml', 'machine:\n  remap: \n  devices:\n    - { name: disk, kind: nvme, address: 00:04.0 }\nsteps:\n  - probe: \n');
    const offered = async (line: number, column: number): Promise<string[]> => {
      const list = await vscode.commands.executeCommand<vscode.CompletionList>('vscode.executeCompletionItemProvider', document.uri, new vscode.Position(line, column));
      return list.items.map((item) => (typeof item.label === 'string' ? item.label : item.label.label));
    };
    assert.ok((await offered(1, 9)).includes('intel'));
    assert.ok((await offered(5, 11)).includes('disk'));
  });

  async function openText(name: string, text: string): Promise<vscode.TextDocument> {
    const uri = vscode.Uri.joinPath(folder, name);
    await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
    return vscode.workspace.openTextDocument(uri);
  }
});
