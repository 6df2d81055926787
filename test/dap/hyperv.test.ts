// The real model of a guest of Hyper-V under the adapter.
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

describe('debug adapter: Hyper-V', () => {
  suiteHooks(load);

  it("stops in callbacks of the bus's chip and domain, and shows the host's table beside the kernel's state", async () => {
    const client = await TestClient.launched('examples/hyperv/virtual-function.irq.yaml');
    await client.breakOn('Hyper-V PCIe MSI:irq_compose_msi_msg', 'Hyper-V PCIe MSI:irq_unmask', 'F8615163-*:activate');
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    assert.match((await client.stack())[0], /^msi_domain_activate/);
    await client.go('continue', 'function breakpoint');
    assert.match((await client.stack())[0], /^hv_compose_msi_msg/);

    await client.breakOn('Hyper-V PCIe MSI:irq_unmask');
    await client.go('continue', 'function breakpoint');
    assert.match((await client.stack())[0], /^hv_irq_unmask/);
    const { chain, current, domains } = await client.ask<PanelRequests['irqstep/snapshot']['body']>('irqstep/snapshot', { sections: ['chain', 'current', 'domains'] });
    assert.deepEqual(chain!.levels.map(l => [l.domain, l.chip, l.chipData?.type]), [
      ['F8615163-0001-1000-2000-6045BD2E0A8F-3', 'Hyper-V PCIe MSI', 'tran_int_desc'],
      ['VECTOR', 'APIC', 'apic_chip_data'],
    ]);
    assert.equal(current!.message!.format, 'given by the Hyper-V host: its bits say nothing to a guest');
    const own = domains!.find(({ name }) => name.startsWith('F8615163'))!;
    assert.deepEqual([domains![own.parent!].name, own.devices.map(({ name }) => name)], ['VECTOR', ['0001:00:02.0']]);

    const host = (await client.scope('Machine')).find(({ name }) => name === 'Hyper-V host')!;
    const parts = await client.children(host);
    const table = await client.children(parts.find(({ name }) => name === 'redirection table')!);
    assert.equal(table.length, 3);
    assert.match(table[0].value, /index: \d+, address: .*, data: 0x0, vector: \d+/);
  });
});
