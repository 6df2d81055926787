// The real model of an AMD machine under the adapter.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Load } from '../../debug-adapter/launch';
import type { PanelRequests } from '../../debug-adapter/panel-protocol';
import { loadScenario } from '../../src/scenario/load';
import { suiteHooks, TestClient } from './client';

const load: Load = (path, options) => {
  const loaded = loadScenario(path, readFileSync(path, 'utf8'), options);
  return loaded.ok ? { ok: true, kernel: loaded.scenario.kernel, make: loaded.make } : loaded;
};

describe('debug adapter: AMD remapping', () => {
  suiteHooks(load);

  it('stops in the unit, and opens message and entry into their bits', async () => {
    const client = await TestClient.launched('examples/nvme-amd-ir.irq.yaml');
    const breakpoints = await client.breakOn('AMD-IR:irq_compose_msi_msg', 'AMD-IR-*:activate');
    assert.deepEqual(breakpoints.map(({ verified }) => verified), [true, true]);
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    assert.match((await client.stack())[0], /^irq_remapping_activate/);
    await client.breakOn('pci_msi_domain_write_msg');
    await client.go('continue', 'function breakpoint');
    const { chain, current } = await client.ask<PanelRequests['irqstep/snapshot']['body']>('irqstep/snapshot', { sections: ['chain', 'current'] });
    assert.deepEqual(chain!.levels.map(l => [l.domain, l.chip, l.chipData?.type]), [
      ['AMD-IR-MSI-0-3', 'IR-PCI-MSI', undefined],
      ['AMD-IR-0', 'AMD-IR', 'amd_ir_data'],
      ['VECTOR', 'APIC', 'apic_chip_data'],
    ]);
    assert.equal(current!.message!.format, 'AMD: the number of a table entry');
    const entry = chain!.levels[1].chipData!.fields.find(f => f.name === 'entry')!;
    assert.equal(entry.fields!.find(f => f.name === 'hi')!.fields!.find(f => f.name === 'vector')!.value, '0xef', 'reserved only: the shutdown vector');
  });
});

describe('debug adapter: limits', () => {
  suiteHooks(load);

  it('prints the limit that was reached, at the statement that found it', async () => {
    const client = await TestClient.launched('examples/exhaustion.irq.yaml');
    await client.ask('configurationDone');
    let output: { category?: string; output: string; source?: { path?: string } };
    do output = await client.next('output'); while (output.category !== 'console');
    assert.match(output.output, /^limit: vectors that can be reserved: 396 of 396 in use\n/);
    assert.match(output.source!.path!, /irq\/matrix\.ts$/);
    await client.ask('disconnect', {});
  });
});
