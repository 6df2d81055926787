import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cellsOf, vectorsOf } from '../../webview/vector-cells';
import { PanelPage } from './page';
import { stopBefore, stopInActivation, twoGroups } from './snapshot';

const AXE = readFileSync(createRequire(join(process.cwd(), 'package.json')).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  violations: { id: string; nodes: { html: string }[] }[];
}

describe('the hierarchy panel in a browser', function () {
  this.timeout(120_000);
  let browserPath: string;
  let panel: PanelPage;

  before(async () => {
    const chromium = (await import(pathToFileURL(join(process.cwd(), 'build', 'vscode', 'chromium.mjs')).href)) as { findChromium(): Promise<string> };
    browserPath = await chromium.findChromium();
  });
  beforeEach(async () => {
    panel = await PanelPage.open('dark', browserPath);
    await panel.send({ type: 'snapshot', session: 'test', snapshot: stopInActivation });
  });
  afterEach(() => panel.close());

  it('asks for what it shows as soon as it has loaded, and runs under its content policy without a violation', async () => {
    assert.deepEqual((await panel.sent())[0], { type: 'ready', irq: null, sections: ['chain', 'current', 'domains', 'matrix'] });
    assert.deepEqual(await panel.violations(), []);
  });

  it('shows the chain outermost level first and marks what changed, with its old value', async () => {
    const levels = await panel.page.locator('chain-view li .domain').allTextContents();
    assert.deepEqual(levels, ['INTEL-IR-MSI-0-3', 'INTEL-IR-0', 'VECTOR']);
    const vector = panel.page.locator('chain-view code.changed', { hasText: '0x22' });
    assert.equal(await vector.getAttribute('title'), 'was 0x0');
  });

  it('selects an interrupt from the domain tree and goes back to the frame', async () => {
    await panel.page.locator('[data-irq="27"]').click();
    assert.deepEqual((await panel.sent()).at(-1), { type: 'select', irq: 27 });
    await panel.page.getByRole('button', { name: 'follow the frame again' }).click();
    assert.deepEqual((await panel.sent()).at(-1), { type: 'select', irq: null });
  });

  it('has what is in no domain at the end of the tree, interrupts of no device folded away', async () => {
    const outside = panel.page.locator('domain-tree vscode-tree-item[data-domain=""]');
    assert.match((await outside.locator('vscode-tree-item[data-device]').textContent())!, /0000:00:1f\.2\s+no MSI, msi_domain NULL/);
    assert.equal(await outside.locator('[data-irq="2"]').isVisible(), false);
    await outside.locator('[data-others]').click();
    assert.match((await outside.locator('[data-irq="2"]').textContent())!, /irq 2 cascade/);
  });

  it('keeps the selection and closed sections when it is reloaded', async () => {
    await panel.page.locator('[data-irq="27"]').click();
    await panel.page.locator('[data-section="matrix"]').locator('.collapsible-header').click();
    await panel.page.reload();
    assert.deepEqual((await panel.sent())[0], { type: 'ready', irq: 27, sections: ['chain', 'current', 'domains'] });
  });

  it('says in words what the cursor of the matrix is on, moved by the keyboard', async () => {
    const matrix = panel.page.getByRole('application', { name: /Vectors of each CPU/ });
    await matrix.focus();
    for (const key of ['ArrowDown', 'ArrowRight', 'ArrowRight']) await panel.page.keyboard.press(key);
    assert.deepEqual((await panel.sent()).at(-1), { type: 'vectors', cpu: 1 });
    await panel.send({ type: 'vectors', cpu: 1, vectors: [{ vector: 34, irq: 26, state: 'managed', name: 'nvme0q1' }] });
    const text = (await panel.page.locator('vector-matrix .where').textContent())!.replace(/\s+/g, ' ');
    assert.match(text, /^CPU 1, vector 0x22 \(34\): managed, in use, irq 26 nvme0q1\./);
  });

  it('draws 4096 CPUs on one canvas of the rows in view', async () => {
    const cpus = Array.from({ length: 4096 }, (_, cpu) => ({ ...stopInActivation.matrix!.cpus[1], cpu }));
    await panel.send({ type: 'snapshot', session: 'big', snapshot: { ...stopInActivation, matrix: { ...stopInActivation.matrix!, cpus } } });
    assert.equal(await panel.page.locator('vector-matrix canvas').evaluate((c) => (c as HTMLCanvasElement).height), 24 * 16);
    const nodes = await panel.page.locator('vector-matrix').evaluate((e) => e.shadowRoot!.querySelectorAll('*').length);
    assert.ok(nodes < 100, `${nodes} elements`);
  });

  it('names the session that it shows, dims what is old while that one runs, and drops it for another one', async () => {
    assert.match((await panel.page.locator('irqstep-panel header').textContent())!, /test, v5\.10/);
    await panel.send({ type: 'running', session: 'test' });
    assert.equal(await panel.page.locator('irqstep-panel main.stale').count(), 1);
    await panel.send({ type: 'running', session: 'other' });
    assert.equal(await panel.page.locator('irqstep-panel main').count(), 0);
    assert.equal(await panel.page.getByRole('status').textContent(), 'other is running.');
    await panel.send({ type: 'snapshot', session: 'other', snapshot: stopInActivation });
    assert.equal(await panel.page.locator('irqstep-panel main.stale').count(), 0);
  });

  it('lists the patches by group, marks where the kernel stands, and asks for another one', async () => {
    await panel.page.locator('[data-section="series"]').locator('.collapsible-header').click();
    assert.deepEqual((await panel.sent()).at(-1), { type: 'sections', sections: ['chain', 'current', 'domains', 'matrix', 'series'] });
    await panel.send({ type: 'snapshot', session: 'test', snapshot: { ...stopInActivation, kernel: 'series:2', series: twoGroups } });
    assert.deepEqual(await panel.page.locator('series-view h3').allTextContents(), ['first things', 'later things']);
    assert.deepEqual(await panel.page.locator('series-view li.here').allTextContents().then((texts) => texts.map((text) => /\d/.exec(text)![0])), ['2']);
    assert.equal(await panel.page.locator('series-view li.present').count(), 2);
    await panel.page.getByRole('button', { name: 'Start again after patch 3' }).click();
    assert.deepEqual((await panel.sent()).at(-1), { type: 'kernel', kernel: 'series:3' });
    await panel.page.getByRole('button', { name: 'Start again on v5.9' }).click();
    assert.deepEqual((await panel.sent()).at(-1), { type: 'kernel', kernel: 'v5.9' });
  });

  it('puts the values of a kernel that goes along beside those that differ, and no others', async () => {
    await panel.send({ type: 'snapshot', session: 'test', snapshot: stopInActivation, other: { session: 'test on v5.9', snapshot: stopBefore } });
    const notes = (await panel.page.locator('.beside').allTextContents()).map((text) => text.trim());
    assert.deepEqual(notes, [
      'v5.9, statement 1,187',
      'v5.9: X86_IRQ_ALLOC_TYPE_MSIX',
      'only on v5.9: 0x10001',
      'v5.9: 0x00000000 0xfee00238 data 0x00000000',
      'v5.9: 22 mapped, ANY, HIERARCHY | NAME_ALLOCATED',
      'only on v5.9',
      'v5.9: system vectors 0-19,32,50,128,236,240-242,244,246-255',
    ]);
    await panel.send({ type: 'snapshot', session: 'test', snapshot: stopInActivation });
    assert.equal(await panel.page.locator('.beside').count(), 0);
  });

  it('asks for a kernel to be started beside the run', async () => {
    await panel.page.locator('[data-section="series"]').locator('.collapsible-header').click();
    await panel.send({ type: 'snapshot', session: 'test', snapshot: { ...stopInActivation, series: twoGroups } });
    await panel.page.getByRole('button', { name: 'Compare with series:3, beside this run' }).click();
    assert.deepEqual((await panel.sent()).at(-1), { type: 'compare', kernel: 'series:3' });
  });

  it('says what to do while there is no session', async () => {
    await panel.send({ type: 'idle', reason: 'No session. Open a scenario (*.irq.yaml) and press F5.' });
    assert.equal(await panel.page.getByRole('status').textContent(), 'No session. Open a scenario (*.irq.yaml) and press F5.');
  });

  for (const theme of ['dark', 'light'] as const)
    it(`has no accessibility fault that axe finds, ${theme} theme`, async () => {
      await panel.close();
      panel = await PanelPage.open(theme, browserPath);
      await panel.send({ type: 'snapshot', session: 'test', snapshot: { ...stopInActivation, series: twoGroups }, other: { session: 'test on v5.9', snapshot: stopBefore } });
      await panel.page.locator('[data-section="series"]').locator('.collapsible-header').click();
      await panel.page.evaluate(AXE);
      const result = await panel.page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResult> } }).axe.run());
      mkdirSync(join('dist', 'screenshots'), { recursive: true });
      await panel.page.screenshot({ path: join('dist', 'screenshots', `panel-${theme}.png`), fullPage: true });
      assert.deepEqual(
        result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`),
        [],
      );
    });
});

describe('the cells of the vector matrix', () => {
  it('reads the kernel list format', () => {
    assert.deepEqual([...vectorsOf('33-35,48')], [33, 34, 35, 48]);
    assert.deepEqual([...vectorsOf('')], []);
  });

  it('tells a managed vector in use from one set aside, and the system vectors inside the range', () => {
    const matrix = { ...stopInActivation.matrix!, cpus: [] };
    const cells = cellsOf(matrix, { cpu: 0, online: true, available: 0, allocated: 0, managed: 2, managedAllocated: 1, allocMap: '33,35-36', managedMap: '33-34', moving: '36' });
    assert.deepEqual(cells.slice(31, 38), ['outside', 'system', 'managed', 'reserved', 'allocated', 'moving', 'free']);
    assert.equal(cells[236], 'system');
    assert.equal(cells[237], 'outside');
  });
});
