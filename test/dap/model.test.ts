// The real model under the adapter.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Load } from '../../debug-adapter/launch';
import type { PanelRequests } from '../../debug-adapter/panel-protocol';
import { loadScenario } from '../../src/scenario/load';
import { suiteHooks, TestClient, type Stopped } from './client';

const REMAPPED = 'examples/nvme-intel-ir.irq.yaml';
const PLAIN = 'examples/nvme-msix.irq.yaml';

const load: Load = (path, options) => loadText(path, readFileSync(path, 'utf8'), options);

/** The same scenarios with the boot as their first step. */
const loadWithBoot: Load = (path, options) => loadText(path, readFileSync(path, 'utf8').replace('steps:\n', 'steps:\n  - boot\n'), options);

const loadText = (path: string, text: string, options: { readonly kernel?: string }): ReturnType<Load> => {
  const loaded = loadScenario(path, text, options);
  return loaded.ok ? { ok: true, kernel: loaded.scenario.kernel, make: loaded.make } : loaded;
};

/** A client that stands at the first hit of a function breakpoint. */
async function at(program: string, name: string, condition?: string, more: Partial<DebugProtocol.InitializeRequestArguments> = {}): Promise<{ client: TestClient; stopped: Stopped }> {
  const client = await TestClient.launched(program, {}, more);
  const [breakpoint] = await client.breakOn({ name, ...(condition === undefined ? {} : { condition }) });
  assert.equal(breakpoint.verified, true, breakpoint.message);
  await client.ask('configurationDone');
  return { client, stopped: await client.stops('function breakpoint') };
}

const functions = async (client: TestClient, threadId?: number): Promise<string[]> => (await client.stack(threadId)).map(frame => frame.replace(/:\d+$/, ''));

const snapshot = (client: TestClient, args: PanelRequests['irqstep/snapshot']['arguments']): Promise<PanelRequests['irqstep/snapshot']['body']> =>
  client.ask('irqstep/snapshot', args);

describe('debug adapter: the kernel model', () => {
  suiteHooks(load);

  it('stops in the allocation of an MSI-X vector, with the call stack of the kernel', async () => {
    const { client } = await at(REMAPPED, 'x86_vector_alloc_irqs', 'arg->type == X86_IRQ_ALLOC_TYPE_PCI_MSIX');
    assert.deepEqual((await functions(client)).slice(0, 10), [
      'x86_vector_alloc_irqs',
      'irq_domain_alloc_irqs_hierarchy',
      'irq_domain_alloc_irqs_parent',
      'intel_irq_remapping_alloc',
      'irq_domain_alloc_irqs_hierarchy',
      'irq_domain_alloc_irqs_parent',
      'msi_domain_alloc',
      'irq_domain_alloc_irqs_hierarchy',
      '__irq_domain_alloc_irqs',
      '__msi_domain_alloc_irqs',
    ]);
  });

  it('tells the domains apart that share a function: the MSI domain of the remapped machine', async () => {
    const { client } = await at(REMAPPED, 'INTEL-IR-MSI-*:activate');
    assert.equal((await functions(client))[0], 'msi_domain_activate');
    assert.equal(await client.evaluate('irq_data->domain'), 'INTEL-IR-MSI-0-3');
  });

  it('tells chips apart: with remapping, the interrupt is acknowledged by INTEL-IR, and not by APIC', async () => {
    const remapped = await at(REMAPPED, 'INTEL-IR:irq_ack');
    assert.equal((await functions(remapped.client, remapped.stopped.threadId))[0], 'apic_ack_irq');
    const plain = await at(PLAIN, 'APIC:irq_ack');
    assert.deepEqual((await functions(plain.client, plain.stopped.threadId)).slice(0, 3), ['apic_ack_edge', 'irq_chip_ack_parent', 'handle_edge_irq']);
  });

  it('shows the chain of the interrupt and decodes what was composed for the device', async () => {
    const { client } = await at(REMAPPED, 'pci_msi_domain_write_msg');
    const { irq, chain, current } = await snapshot(client, { sections: ['chain', 'current'] });
    assert.deepEqual(chain!.levels.map(l => [l.domain, l.chip, l.chipData?.type]), [
      ['INTEL-IR-MSI-0-3', 'IR-PCI-MSI', undefined],
      ['INTEL-IR-0', 'INTEL-IR', 'intel_ir_data'],
      ['VECTOR', 'APIC', 'apic_chip_data'],
    ]);
    assert.equal(chain!.irq, irq);
    assert.equal(current!.message!.format, 'Intel remappable format');
    const bits = Object.fromEntries(current!.message!.fields.map(f => [f.name, f.value]));
    assert.deepEqual([bits.dmar_format, bits.dmar_subhandle_valid, bits.dmar_base_address], ['0x1', '0x1', '0xfee']);
    const entry = chain!.levels[1].chipData!.fields.find(f => f.name === 'irte_entry')!;
    const low = entry.fields!.find(f => f.name === 'low')!;
    assert.equal(low.fields!.find(f => f.name === 'vector')!.value, '0xef', 'reserved only: the shutdown vector');
  });

  it('sees the vector appear when the interrupt is activated for real', async () => {
    const { client } = await at(PLAIN, 'apic_update_vector');
    const before = (await snapshot(client, { sections: ['matrix', 'chain'] })).chain!;
    await client.go('stepOut', 'step');
    const { chain, matrix } = await snapshot(client, { sections: ['matrix', 'chain'], irq: before.irq });
    const vector = chain!.levels.at(-1)!.chipData!.fields.find(f => f.name === 'vector')!;
    assert.deepEqual([vector.changed, vector.was], [true, '0']);
    assert.equal(matrix!.cpus.length, 4);
    const cpu = Number(chain!.levels.at(-1)!.chipData!.fields.find(f => f.name === 'cpu')!.value);
    const { vectors } = await client.ask<PanelRequests['irqstep/vectors']['body']>('irqstep/vectors', { cpu });
    assert.ok(vectors.some(v => v.irq === before.irq && v.vector === Number.parseInt(vector.value)));
  });

  it('is in the same World at a step however it got there', async () => {
    const { client } = await at(PLAIN, 'pci_msi_domain_write_msg');
    const look = async (): Promise<unknown> => [
      await snapshot(client, { sections: ['domains'] }).then(({ step, domains }) => [step, domains!.map(({ changed: _, ...domain }) => domain)]),
      (await client.ask<{ content: string }>('irqstep/textFile', { path: '/proc/interrupts' })).content,
      (await client.ask<{ content: string }>('irqstep/textFile', { path: 'trace' })).content,
      await client.stack(),
    ];
    const there = await look();
    for (let i = 0; i < 5; i++) {
      await client.ask('stepBack', { threadId: 1, granularity: 'instruction' });
      await client.stops('step');
    }
    assert.notDeepEqual(await look(), there);
    for (let i = 0; i < 5; i++) {
      await client.ask('stepIn', { threadId: 1 });
      await client.next('stopped');
    }
    assert.deepEqual(await look(), there);
  });

  it('opens every variable of every frame at an interrupt, and the machine, without an error', async () => {
    const { client, stopped } = await at(REMAPPED, 'handle_edge_irq');
    const { stackFrames } = await client.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: stopped.threadId });
    let opened = 0;
    const open = async (reference: { variablesReference: number }, depth: number): Promise<void> => {
      for (const variable of await client.children(reference, { filter: undefined, start: 0, count: 20 })) {
        opened++;
        if (variable.variablesReference > 0 && depth > 0) await open(variable, depth - 1);
      }
    };
    for (const frame of stackFrames.slice(0, 3)) {
      const { scopes } = await client.ask<{ scopes: DebugProtocol.Scope[] }>('scopes', { frameId: frame.id });
      for (const scope of scopes) await open(scope, 1);
    }
    assert.ok(opened > 200, String(opened));
  });

  it('gives a client without the extension the real path of a listing whose text is what runs', async () => {
    const { client } = await at(PLAIN, 'x86_vector_alloc_irqs', undefined, { clientID: 'nvim' });
    const { stackFrames } = await client.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: 1 });
    const { path, checksums } = stackFrames[0].source!;
    assert.match(path!, /arch\/x86\/apic\/vector\.ts$/);
    assert.equal(createHash('sha256').update(readFileSync(path!)).digest('hex'), checksums![0].checksum);
    const { breakpoints } = await client.ask<{ breakpoints: DebugProtocol.Breakpoint[] }>('setBreakpoints', { source: { path }, breakpoints: [{ line: stackFrames[0].line }] });
    assert.equal(breakpoints[0].verified, true);
  });

  it('lists the text files, and says which are near a path that there is not', async () => {
    const { client } = await at(PLAIN, 'request_threaded_irq');
    const { paths } = await client.ask<PanelRequests['irqstep/textFiles']['body']>('irqstep/textFiles', {});
    assert.ok(paths.includes('/proc/interrupts'));
    assert.match(await client.refused('irqstep/textFile', { path: '/proc/interupts' }), /the nearest are \/proc\/interrupts/);
  });

  it('runs another kernel than the scenario names, and refuses one that it does not know', async () => {
    const client = await TestClient.open();
    await client.initialize();
    assert.match(await client.refused('launch', { program: `${process.cwd()}/${PLAIN}`, kernel: 'v2.4' }), /unknown kernel v2\.4/);
    await client.next('output');
    await client.ask('launch', { program: PLAIN, cwd: process.cwd(), kernel: 'v5.10.223', stopOnEntry: true });
    await client.next('initialized');
    await client.ask('configurationDone');
    await client.stops('entry');
    assert.equal((await snapshot(client, { sections: [] })).kernel, 'v5.10.223');
  });

  it('starts again after another patch of the series, and says which patches that kernel has', async () => {
    const client = await TestClient.open();
    await client.initialize();
    await client.ask('launch', { program: PLAIN, cwd: process.cwd(), kernel: 'v5.10', stopOnEntry: true });
    await client.next('initialized');
    await client.ask('configurationDone');
    await client.stops('entry');
    const merged = (await snapshot(client, { sections: ['series'] })).series!;
    assert.deepEqual([merged.patches, merged.groups.map(({ patches }) => patches.length).reduce((sum, n) => sum + n)], [38, 46]);
    await client.ask('restart', { arguments: { kernel: 'series:17' } });
    await client.stops('entry');
    const { kernel, series } = await snapshot(client, { sections: ['series'] });
    assert.deepEqual([kernel, series!.patches], ['series:17', 17]);
    assert.deepEqual(series!.groups.flatMap(({ patches }) => patches).filter(({ present }) => present).map(({ number }) => number), Array.from({ length: 17 }, (_, i) => i + 1));
    assert.match(await client.refused('restart', { arguments: { kernel: 'v5.10-v2-18' } }), /v2-19 needs v2-18/);
    await client.next('output');
    assert.equal((await snapshot(client, { sections: [] })).kernel, 'series:17');
  });

  it('runs the examples to their end', async () => {
    for (const program of [REMAPPED, PLAIN]) {
      const client = await TestClient.launched(program);
      await client.ask('configurationDone');
      await client.stops('end');
    }
  });
});

describe('debug adapter: the boot as a step', () => {
  suiteHooks(loadWithBoot);

  it('is stepped like everything else: the VECTOR domain is made there', async () => {
    const { client } = await at(REMAPPED, 'arch_early_irq_init');
    assert.equal(await client.evaluate('irq_domain_list'), '[0]');
    await client.go('stepOut', 'step');
    assert.equal(await client.evaluate('irq_domain_list[0]'), 'VECTOR');
  });

  it('is one step, in however many tasks: next goes over it, and a breakpoint on its line is hit once', async () => {
    const client = await TestClient.launched(PLAIN, { stopOnEntry: true });
    await client.ask('configurationDone');
    await client.stops('entry');
    const [boot] = await client.stack();
    assert.match(boot, /^boot swapper\/0:/);
    await client.go('next', 'step');
    assert.match((await client.stack())[0], /^probe nvme0:/);
    const lines = [boot, (await client.stack())[0]].map(frame => ({ line: Number(frame.split(':')[1]) }));
    await client.ask('setBreakpoints', { source: { path: `${process.cwd()}/${PLAIN}` }, breakpoints: lines });
    await client.ask('restart', {});
    await client.stops('entry');
    // The restarted run stands at the boot's breakpoint; none of the boot's other tasks does.
    await client.go('continue', 'breakpoint');
    assert.match((await client.stack())[0], /^probe nvme0:/);
  });

  it('says of a breakpoint on a domain at the end, when it is known, that there never was one of that name', async () => {
    const client = await TestClient.launched(REMAPPED);
    const [unknown, known] = await client.breakOn('INTEL-IR-9:alloc', { name: 'IO-APIC-IR-0:alloc', condition: 'virq == 4711' });
    assert.deepEqual([unknown.verified, known.verified], [true, true], 'no domain is there yet');
    await client.ask('configurationDone');
    let event = await client.any();
    while (event.event === 'output') event = await client.any();
    const { breakpoint } = event.body as { breakpoint: DebugProtocol.Breakpoint };
    assert.deepEqual([event.event, breakpoint.id, breakpoint.verified, breakpoint.reason], ['breakpoint', unknown.id, false, 'pending']);
    assert.match(breakpoint.message!, /no domain matches INTEL-IR-9 yet; did you mean INTEL-IR-0\?/);
    // The other one now knows which of the functions is meant.
    assert.equal((await client.next<{ breakpoint: DebugProtocol.Breakpoint }>('breakpoint')).breakpoint.id, known.id);
    await client.next('stopped');
  });
});
