// Modules of the user's own under the adapter.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { load } from '../../debug-adapter/load';
import type { PanelRequests } from '../../debug-adapter/panel-protocol';
import { suiteHooks, TestClient } from './client';

const EXAMPLE = `${process.cwd()}/examples/own-domain/own-domain.irq.yaml`;
const CHIP = `${process.cwd()}/examples/own-domain/accel-ims.ts`;
const lines = readFileSync(CHIP, 'utf8').split('\n');
const line = (text: string): number => lines.findIndex(l => l.includes(text)) + 1;

type Set = { breakpoints: DebugProtocol.Breakpoint[] };

/** A client that has launched it and waits to configure. */
async function launched(program: string, args: object = { allowModules: true }): Promise<TestClient> {
  const client = await TestClient.open();
  await client.initialize();
  await client.ask('launch', { program, ...args });
  await client.next('initialized');
  return client;
}

async function stoppedAt(text: string, more: object = {}): Promise<TestClient> {
  const client = await launched(EXAMPLE);
  const { breakpoints } = await client.ask<Set>('setBreakpoints', { source: { path: CHIP }, breakpoints: [{ line: line(text), ...more }] });
  assert.deepEqual(breakpoints.map(b => [b.verified, b.line]), [[true, line(text)]]);
  await client.ask('configurationDone');
  await client.stops('breakpoint');
  return client;
}

describe("debug adapter: a domain of the user's own", () => {
  suiteHooks(load);
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'irqstep-dap-'))));
  after(() => rmSync(folder, { recursive: true }));

  function scenario(module: string): string {
    writeFileSync(join(folder, 'm.ts'), module);
    writeFileSync(join(folder, 'a.irq.yaml'), 'modules: [./m.ts]\nsteps:\n  - call: go\n');
    return join(folder, 'a.irq.yaml');
  }

  /** A client that stands in a function of the module, with no breakpoint left. */
  async function reached(module: string, name: string): Promise<TestClient> {
    const client = await launched(scenario(module));
    await client.breakOn(name);
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    await client.breakOn();
    return client;
  }

  async function pausedOn(client: TestClient): Promise<void> {
    await client.ask('continue', { threadId: 1 });
    await client.ask('pause', { threadId: 1 });
    await client.stops('pause');
  }

  it('stops at a breakpoint in the file, with frames of the file between those of the model', async () => {
    const client = await stoppedAt('taken.set(first + i)');
    const { stackFrames } = await client.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: 1 });
    assert.deepEqual(stackFrames.slice(0, 4).map(f => f.name), ['accel_domain_alloc', 'irq_domain_alloc_irqs_hierarchy', '__irq_domain_alloc_irqs', 'add_queue']);
    assert.deepEqual([stackFrames[0].source?.path, stackFrames[0].line, stackFrames[0].column], [CHIP, line('taken.set(first + i)'), 5]);
    assert.match(stackFrames[3].source!.path!, /own-domain\/accel-driver\.ts$/);
    const locals = Object.fromEntries((await client.scope('Locals')).map(({ name, value }) => [name, value]));
    assert.deepEqual([locals['virq'], locals['first'], locals['err'], locals['i']], ['25', '0', '0', '0']);
    assert.equal(await client.evaluate('domain->parent->name'), '"INTEL-IR-0"');
  });

  it('has its place in the panel: the domain above the remapping unit, a level of the chain', async () => {
    const client = await stoppedAt('readl(slot_of(data) + CTRL) & ~CTRL_MASKED');
    const { domains, chain } = await client.ask<PanelRequests['irqstep/snapshot']['body']>('irqstep/snapshot', { sections: ['domains', 'chain'], irq: 25 });
    const own = domains!.find(({ name }) => name === 'ACCEL-0000:00:05.0')!;
    assert.equal(domains!.find(({ id }) => id === own.parent)?.name, 'INTEL-IR-0');
    assert.deepEqual(chain!.levels.map(({ domain, chip }) => [domain, chip]), [['ACCEL-0000:00:05.0', 'ACCEL'], ['INTEL-IR-0', 'INTEL-IR'], ['VECTOR', 'APIC']]);
  });

  it('stops by condition, and at the callbacks of its domain and chip', async () => {
    const client = await stoppedAt('return -ENOSPC', { condition: 'first < 0' });
    assert.deepEqual((await client.stack()).slice(0, 1), [`accel_domain_alloc:${line('return -ENOSPC')}`]);
    const other = await launched(EXAMPLE);
    await other.breakOn('ACCEL-*:activate', 'ACCEL:irq_unmask');
    await other.ask('configurationDone');
    await other.stops('function breakpoint');
    assert.match((await other.stack())[0], /^accel_domain_activate:/);
    other.forget('breakpoint');
    await other.go('continue', 'function breakpoint');
    other.forget('breakpoint');
    assert.match((await other.stack())[0], /^accel_unmask:/);
  });

  it('steps line by line, into the model and out of it, and back', async () => {
    const client = await stoppedAt('const msg = new msi_msg()');
    const at = async (): Promise<string> => (await client.stack())[0];
    const first = line('const msg = new msi_msg()');
    await client.go('next', 'step');
    assert.equal(await at(), `accel_write_message:${first + 1}`);
    await client.go('stepIn', 'step');
    assert.match(await at(), /^irq_chip_compose_msi_msg:/);
    await client.go('stepOut', 'step');
    assert.equal(await at(), `accel_write_message:${first + 2}`);
    await client.go('stepBack', 'step');
    assert.equal(await at(), `accel_write_message:${first + 1}`);
    await client.go('stepBack', 'step');
    assert.equal(await at(), `accel_write_message:${first}`);
    // Its caller has nothing left to do but to return.
    await client.go('stepOut', 'step');
    assert.match(await at(), /^__irq_domain_activate_irq:/);
  });

  it('runs again what it ran, to the same end', async () => {
    const client = await stoppedAt('const msg = new msi_msg()');
    await client.go('reverseContinue', 'entry');
    await client.go('continue', 'breakpoint');
    assert.match((await client.stack())[0], /^accel_write_message:/);
  });

  it('refuses breakpoints in a file that has changed since', async () => {
    const program = scenario('export function* go() {\n  return 0;\n}\n');
    const client = await launched(program);
    writeFileSync(join(folder, 'm.ts'), 'export function* go() {\n\n  return 0;\n}\n');
    const { breakpoints } = await client.ask<Set>('setBreakpoints', { source: { path: join(folder, 'm.ts') }, breakpoints: [{ line: 3 }] });
    assert.deepEqual(breakpoints.map(b => [b.verified, b.message]), [[false, 'this file has changed since the scenario was launched: restart it']]);
    await client.ask('restart', {});
    const changed = await client.next<{ breakpoint: DebugProtocol.Breakpoint }>('breakpoint');
    assert.deepEqual([changed.breakpoint.verified, changed.breakpoint.line], [true, 3]);
    await client.stops('breakpoint');
  });

  it('stops where it throws, and says what', async () => {
    const client = await launched(scenario('const half = (n: number): number => {\n  throw new RangeError(`${n} is odd`);\n};\nexport function* go() {\n  const n = 3;\n  return half(n);\n}\n'));
    await client.ask('configurationDone');
    const { text, description } = await client.stops('exception');
    assert.deepEqual([description, text], ['Paused on module error', `${folder}/m.ts:2:9: 3 is odd`]);
    assert.deepEqual((await client.stack()).slice(0, 1), ['go:6']);
    assert.deepEqual((await client.scope('Locals')).map(({ name, value }) => [name, value]), [['n', '3']]);
  });

  it('stops at the load that throws, or that goes round for ever, and the next session is well', async () => {
    for (const [module, said] of [
      ['const n: number = 1;\nthrow new Error(`no ${n}`);\nexport function* go() {}\n', 'm.ts:2:7: no 1'],
      ['for (;;) {}\nexport function* go() {}\n', 'm.ts:1:10: plain functions were called, or went round their loops, 500000 times within one statement'],
    ]) {
      const client = await launched(scenario(module));
      await client.ask('configurationDone');
      const { text, description } = await client.stops('exception');
      assert.equal(description, 'Paused on module error');
      assert.ok(text!.startsWith(`${folder}/${said}`), text);
    }
    const client = await launched(scenario('export function* go() {}'));
    await client.ask('configurationDone');
    await client.stops('end');
  });

  it('is paused in an endless callback of its chip, which the kernel called with a lock held, and ended there', async () => {
    const module = `import { handle_edge_irq, irq_create_mapping, irq_domain_create_linear, irq_set_chip_and_handler, request_irq } from 'irqstep/model';
const chip = { name: 'MINE', flags: 0, *irq_mask() {}, *irq_ack() {},
  *irq_unmask(data) {
    for (;;) {}
  } };
export function* go() {
  const domain = yield* irq_domain_create_linear(null, 1, { *map(domain, virq) { yield* irq_set_chip_and_handler(virq, chip, handle_edge_irq); return 0; } }, null);
  return yield* request_irq(yield* irq_create_mapping(domain, 0), function* () { return 1; }, 0, 'mine', null);
}
`;
    const client = await reached(module, 'MINE:irq_unmask');
    await pausedOn(client);
    const stack = await client.stack();
    assert.match(stack[0], /irq_unmask:4$/);
    assert.ok(stack.some(frame => frame.startsWith('__setup_irq:')), stack.join());
    await client.ask('continue', { threadId: 1 });
    await client.ask('disconnect');
  });

  it('stops where it returns what it may not', async () => {
    const client = await launched(scenario("export function* go() {\n  return 'done';\n}\n"));
    await client.ask('configurationDone');
    const { text } = await client.stops('exception');
    assert.equal(text, `${folder}/m.ts:1:8: go() returned "done"; expected a number (an errno, a count) or nothing`);
    assert.deepEqual((await client.stack()).slice(0, 1), ['go:2']);
  });

  const ENDLESS = 'export function* go() {\n  let turns = 0;\n  for (;;) {\n    turns++;\n  }\n}\n';

  const inLoop = (): Promise<TestClient> => reached(ENDLESS, 'go');

  it('is paused in an endless loop, looked at, and goes on', async () => {
    const client = await inLoop();
    const turns = async (): Promise<number> => Number((await client.scope('Locals'))[0].value);
    let before = 0;
    for (let i = 0; i < 3; i++) {
      await pausedOn(client);
      assert.match((await client.stack())[0], /^go:[34]$/);
      const now = await turns();
      assert.ok(now >= before, `${now} after ${before}`);
      before = now;
    }
  });

  it('is paused between statements that take long', async () => {
    const client = await reached('const long = (): number => {\n  let sum = 0;\n  for (let i = 0; i < 400000; i++) sum += String(i).length;\n  return sum;\n};\nexport function* go() {\n  for (;;) long();\n}\n', 'go');
    await pausedOn(client);
    assert.deepEqual((await client.stack()).slice(0, 1), ['go:7']);
    await client.ask('continue', { threadId: 1 });
    await client.ask('terminate');
    await client.next('terminated');
  });

  it('is ended in an endless loop, and the adapter goes on', async () => {
    for (const command of ['terminate', 'disconnect']) {
      const client = await inLoop();
      await client.ask('continue', { threadId: 1 });
      await client.ask(command);
      if (command === 'terminate') await client.next('terminated');
    }
    const client = await launched(scenario('export function* go() {}'));
    await client.ask('configurationDone');
    await client.stops('end');
  });

  it('is not loaded by a client that does not say that it may be', async () => {
    for (const args of [{}, { allowModules: false }]) {
      const client = await TestClient.open();
      await client.initialize();
      assert.match(await client.refused('launch', { program: EXAMPLE, ...args }), /own-domain\.irq\.yaml:17:1: modules are code that runs in the debugger, and this session may not load any/);
      await client.next('output');
    }
  });
});
