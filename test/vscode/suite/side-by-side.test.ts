import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { type Stop, Stops, frames } from './stops';

const scenario = (): vscode.Uri => vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0].uri, 'nvme-intel-ir.irq.yaml');

describe('two kernels side by side in VS Code', function () {
  this.timeout(60_000);
  let stops: Stops;

  beforeEach(() => (stops = new Stops()));
  afterEach(async () => {
    await vscode.debug.stopDebugging();
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    stops.dispose();
  });

  /** A session on v5.10 that stands in an MSI domain, and one on v5.9 that was led there. */
  async function together(): Promise<{ here: Stop; there: Stop }> {
    await vscode.window.showTextDocument(scenario());
    vscode.debug.addBreakpoints([new vscode.FunctionBreakpoint('msi_domain_alloc', true, 'domain->name == "INTEL-IR-MSI-0-3"')]);
    await vscode.commands.executeCommand('workbench.action.debug.start');
    const here = await stops.next();
    await vscode.commands.executeCommand('irqstep.compareKernels', 'v5.9');
    const entry = await stops.next();
    assert.equal(entry.reason, 'entry');
    const there = await stops.next();
    assert.deepEqual([there.session.id, there.reason], [entry.session.id, 'goto']);
    return { here, there };
  }

  const top = async (stop: Stop): Promise<string> => {
    const [{ name, line }] = await frames(stop);
    return `${name.replace(/ .*/, '')}:${line}`;
  };

  it('the other one is led to the same place, and the look stays where it was', async () => {
    const { here, there } = await together();
    assert.match(there.session.name, / on v5\.9$/);
    assert.equal(await top(there), await top(here));
    assert.equal(vscode.debug.activeDebugSession?.id, here.session.id);
    const before = (await frames(there)).map(({ name }) => name);
    assert.ok(before.includes('arch_setup_msi_irqs only v5.9'));
  });

  it('a step in one is a step in both, forwards and backwards', async () => {
    const { here, there } = await together();
    for (const command of ['stepOver', 'stepInto', 'stepBack']) {
      await vscode.commands.executeCommand(`workbench.action.debug.${command}`);
      const led = [await stops.next(), await stops.next()];
      assert.deepEqual(led.map(({ session, reason }) => [session.id, reason]), [[here.session.id, 'step'], [there.session.id, 'goto']]);
      assert.equal(await top(there), await top(here));
    }
  });

  it('the one that was led can lead', async () => {
    const { here, there } = await together();
    await there.session.customRequest('stepOut', { threadId: there.threadId });
    const led = [await stops.next(), await stops.next()];
    assert.deepEqual(led.map(({ session, reason }) => [session.id, reason]), [[there.session.id, 'step'], [here.session.id, 'goto']]);
    assert.equal(await top(there), await top(here));
  });

  it('when one ends, the other goes on alone', async () => {
    const { here, there } = await together();
    await vscode.debug.stopDebugging(there.session);
    // The adapter is told when VS Code has said that the other session is over.
    while ((await frames(here)).some(({ name }) => / (only|\u2260|\u2248|\u21C5) /.test(name))) await new Promise((resolve) => setTimeout(resolve, 50));
    await here.session.customRequest('next', { threadId: here.threadId });
    assert.equal((await stops.next()).session.id, here.session.id);
  });
});
