import assert from 'node:assert/strict';
import { join } from 'node:path';
import { openWorkbench, type Workbench } from '../workbench.mjs';

describe('a person steps through the default example', function () {
  this.timeout(180_000);
  let workbench: Workbench;

  before(async () => {
    workbench = await openWorkbench({ env: { IRQSTEP_AUTOSTART: join(process.cwd(), 'examples', 'nvme-msix.irq.yaml') } });
  });
  after(() => workbench.close());

  it('stands at its first breakpoint with the hierarchy panel beside the code', async () => {
    const stack = await workbench.stopped();
    assert.match(stack[0], /^x86_vector_alloc_irqs/);
    const panel = workbench.panel();
    await panel.locator('domain-tree vscode-tree-item[data-domain="VECTOR"]').waitFor();
    assert.match((await panel.locator('irqstep-panel h2').textContent())!, /^Statement [\d,]+$/);
    await workbench.screenshot('first-stop');
  });

  it('shows the chain of the interrupt when it is activated, and the message that was composed', async () => {
    await workbench.page.keyboard.press('F5');
    await workbench.stopped();
    await workbench.screenshot('second-stop');
    const levels = await workbench.panel().locator('chain-view li .domain').allTextContents();
    assert.deepEqual(levels, ['PCI-MSI-3', 'VECTOR']);
  });

  it('sees another kernel go along, with what differs in the stack, in the code and in the panel', async () => {
    await workbench.command('Compare with another kernel');
    await workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: /^v5\.9(?!\d)/ }).first().click();
    const panel = workbench.panel();
    await panel.locator('irqstep-panel header .beside', { hasText: 'v5.9' }).waitFor();
    const frames = workbench.page.locator('.debug-call-stack .stack-frame');
    await frames.filter({ hasText: '\u2260 v5.9' }).first().waitFor();
    assert.ok((await panel.locator('.beside', { hasText: 'X86_IRQ_ALLOC_TYPE_MSIX' }).count()) > 0, 'the allocation info of v5.9 has another type');
    await workbench.screenshot('two-kernels');
    const before = await panel.locator('irqstep-panel header .beside').textContent();
    await workbench.page.keyboard.press('F10');
    await panel.locator('irqstep-panel header .beside').filter({ hasNotText: before! }).waitFor();
    await workbench.screenshot('two-kernels-stepped');
  });
});
