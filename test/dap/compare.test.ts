// Two sessions on two kernels that go together, as an extension drives them: over real sockets, each checked message by message.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { CompareRequests, Compared, Place } from '../../debug-adapter/compare-protocol';
import type { Load } from '../../debug-adapter/launch';
import { loadScenario } from '../../src/scenario/load';
import { suiteHooks, TestClient } from './client';

const REMAPPED = 'examples/nvme-intel-ir.irq.yaml';
/** Long enough that nothing is ready at once. */
const LONG = 'examples/exhaustion.irq.yaml';
const BEFORE = 'v5.9';
const AFTER = 'v5.10';

const load: Load = (path, options) => {
  const loaded = loadScenario(path, readFileSync(path, 'utf8'), options);
  return loaded.ok ? { ok: true, kernel: loaded.scenario.kernel, make: loaded.make } : loaded;
};

/** Of a frame's name. */
const MARK = / (only|\u2260|\u2248|\u21C5) /;

type Body<C extends keyof CompareRequests> = CompareRequests[C]['body'];

const place = (client: TestClient): Promise<Place> => client.ask('irqstep/counterpart', {});
const names = async (client: TestClient, threadId = 1): Promise<string[]> => (await client.stack(threadId)).map(frame => frame.replace(/:\d+$/, ''));

/** Compares, and waits until that can be asked about. */
async function compare(client: TestClient, kernel: string): Promise<void> {
  const body = await client.ask<Body<'irqstep/compare'>>('irqstep/compare', { kernel });
  if (body.state === 'ready') return;
  assert.deepEqual(await client.next<Compared>('irqstep/compared'), { kernel });
}

/** A client on a kernel that stands at a function, or at the first statement. */
async function on(kernel: string, breakpoint?: string, condition?: string, program = REMAPPED): Promise<TestClient> {
  const client = await TestClient.launched(program, { kernel, stopOnEntry: breakpoint === undefined });
  if (breakpoint !== undefined) await client.breakOn({ name: breakpoint, ...(condition === undefined ? {} : { condition }) });
  await client.ask('configurationDone');
  await client.stops(breakpoint === undefined ? 'entry' : 'function breakpoint');
  return client;
}

/** One goes where the other stands. */
async function follow(leader: TestClient, follower: TestClient, reason = 'goto'): Promise<Place> {
  const found = await place(leader);
  await follower.ask('irqstep/goTo', { step: found.step });
  await follower.next('continued');
  const stopped = await follower.stops(reason);
  assert.equal(stopped.preserveFocusHint, true, 'the client stays where it looks');
  return found;
}

describe('debug adapter: two kernels side by side', function () {
  this.timeout(60_000);
  suiteHooks(load);

  it('finds the same statement of the same call on the other kernel, though its callers are others there', async () => {
    const after = await on(AFTER, 'msi_domain_alloc', 'domain->name == "INTEL-IR-MSI-0-3"');
    const before = await on(BEFORE);
    await compare(after, BEFORE);
    const { exact } = await follow(after, before);
    assert.equal(exact, true);
    const [here, there] = [await names(after), (await names(before)).map(name => name.replace(/ .*/, ''))];
    assert.deepEqual([here[0], there[0]].map(name => name.replace(/ .*/, '')), ['msi_domain_alloc', 'msi_domain_alloc']);
    assert.ok(there.includes('arch_setup_msi_irqs') && !here.includes('arch_setup_msi_irqs'));
    assert.equal(await before.evaluate('virq'), await after.evaluate('virq'));
  });

  it('goes there and back: the counterpart of the counterpart is where one came from', async () => {
    const after = await on(AFTER, 'intel_irq_remapping_activate');
    const before = await on(BEFORE);
    await compare(after, BEFORE);
    await compare(before, AFTER);
    const { step } = await follow(after, before);
    const back = await place(before);
    await after.go('stepIn', 'step');
    assert.notEqual((await place(after)).step, step);
    await after.ask('irqstep/goTo', { step: back.step });
    await after.next('continued');
    await after.stops('goto');
    assert.deepEqual({ ...(await place(after)), marks: [] }, { step, exact: true, marks: [] });
  });

  it('goes to the next statement that both have where the other kernel has no such function', async () => {
    const before = await on(BEFORE, 'native_setup_msi_irqs');
    const after = await on(AFTER);
    await compare(before, AFTER);
    await compare(after, BEFORE);
    const { exact, marks } = await follow(before, after);
    assert.equal(exact, false);
    assert.deepEqual(marks.slice(0, 2).map(({ text }) => text), ['only on v5.9', 'only on v5.9']);
    assert.match(marks[0].path, /^irqstep-model:\/.*\.ts$/);
    assert.match((await names(after))[0], /^msi_domain_alloc_irqs/);
    assert.match((await names(before))[0], /^native_setup_msi_irqs only v5.9$/);
  });

  it('marks frames that the other kernel calls in another way, and no others', async () => {
    const after = await on(AFTER, 'msi_domain_alloc', 'domain->name == "INTEL-IR-MSI-0-3"');
    assert.deepEqual((await names(after)).filter(name => MARK.test(name)), [], 'nothing is compared yet');
    await compare(after, BEFORE);
    const frames = await names(after);
    assert.equal(frames[0], 'msi_domain_alloc \u2260 v5.9');
    assert.ok(frames.includes('msix_capability_init') && frames.includes('nvme_probe'));
    await after.ask('irqstep/compare', {});
    assert.deepEqual((await names(after)).filter(name => MARK.test(name)), []);
    assert.match(await after.refused('irqstep/counterpart', {}), /there is none: irqstep\/compare names the kernel/);
  });

  it('says which function stands for one that has another name', async () => {
    const after = await on(AFTER, 'pci_msi_domain_set_desc');
    await compare(after, BEFORE);
    assert.equal((await names(after))[0], 'pci_msi_domain_set_desc \u2248 pci_msi_set_desc');
    assert.equal((await place(after)).exact, true);
    await after.go('next', 'step');
    assert.equal((await place(after)).exact, false, 'of two functions only the beginning is the same place');
  });

  it('steps together, forwards and backwards, to the end', async () => {
    const after = await on(AFTER);
    const before = await on(BEFORE);
    await compare(after, BEFORE);
    const steps = [(await follow(after, before)).step];
    for (const command of ['stepIn', 'stepIn', 'next', 'stepBack']) {
      await after.go(command, 'step');
      steps.push((await follow(after, before)).step);
    }
    assert.ok(steps[1] > steps[0] && steps[2] > steps[1] && steps[3] > steps[2] && steps[4] < steps[3], steps.join());
    await after.go('continue', 'end');
    await follow(after, before, 'end');
    assert.match((await before.stack(0x7fffffff))[0], /^end of the scenario/);
    // From its end too, one can be sent back.
    await before.ask('irqstep/goTo', { step: steps[0] });
    await before.next('continued');
    await before.stops('goto');
  });

  it('with a kernel that is the same nothing is marked and every step has itself as its counterpart', async () => {
    const client = await on(AFTER, 'irq_matrix_alloc');
    await compare(client, 'v5.10');
    const { step } = await client.ask<{ step: number }>('irqstep/snapshot', { sections: [] });
    assert.deepEqual(await place(client), { step, exact: true, marks: [] });
  });

  it('tells a client that can look again that its frames are others now', async () => {
    const client = await TestClient.launched(REMAPPED, { stopOnEntry: true }, { supportsInvalidatedEvent: true });
    await client.ask('configurationDone');
    await client.stops('entry');
    await client.ask('irqstep/compare', { kernel: BEFORE });
    assert.deepEqual(await client.next('invalidated'), { areas: ['stacks'] });
    await client.next('irqstep/compared');
    await client.ask('irqstep/compare', {});
    await client.next('invalidated');
  });

  it('answers while it compares, in whatever order it is asked, and a restart or the end of the session ends that', async () => {
    const client = await on(AFTER, undefined, undefined, LONG);
    assert.deepEqual(await client.ask('irqstep/compare', { kernel: BEFORE }), { kernel: 'v5.10', state: 'comparing' });
    assert.match(await client.refused('irqstep/counterpart', {}), /the comparison with v5.9 is not ready yet/);
    assert.deepEqual(await client.ask('irqstep/compare', { kernel: BEFORE }), { kernel: 'v5.10', state: 'comparing' });
    await client.go('stepIn', 'step');
    await client.ask('restart', {});
    await client.stops('entry');
    assert.match(await client.refused('irqstep/counterpart', {}), /there is none/);
    await client.ask('irqstep/compare', { kernel: BEFORE });
    assert.deepEqual(await client.ask('irqstep/compare', { kernel: 'v5.10.223' }), { kernel: 'v5.10', state: 'comparing' });
    await client.ask('irqstep/compare', {});
    await client.go('next', 'step');
    await client.ask('irqstep/compare', { kernel: BEFORE });
    await client.ask('terminate', {});
    await client.next('terminated');
    assert.match(await client.refused('irqstep/goTo', { step: 3 }), /the run has ended/);
    await client.ask('disconnect', {});
  });

  it('refuses what cannot be, and the session goes on', async () => {
    const client = await TestClient.open();
    await client.initialize();
    assert.match(await client.refused('irqstep/compare', { kernel: BEFORE }), /nothing has been launched/);
    const other = await on(AFTER);
    assert.match(await other.refused('irqstep/compare', { kernel: 'v2.4' }), /unknown kernel v2\.4/);
    await other.next('output');
    assert.match(await other.refused('irqstep/goTo', { step: 0 }), /found step 0; expected a number from 1 on/);
    assert.match(await other.refused('irqstep/goTo', { step: 1.5 }), /expected a number from 1 on/);
    await other.go('stepIn', 'step');
  });

  it('one that ends leaves the other as it is', async () => {
    const after = await on(AFTER);
    const before = await on(BEFORE);
    await compare(after, BEFORE);
    await compare(before, AFTER);
    await before.ask('disconnect', {});
    await after.go('stepIn', 'step');
    assert.equal((await place(after)).exact, true);
    await after.ask('irqstep/compare', {});
    await after.go('stepIn', 'step');
  });
});
