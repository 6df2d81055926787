// A message store under the adapter: what the panel and the variables show of it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Load } from '../../debug-adapter/launch';
import type { PanelRequests } from '../../debug-adapter/panel-protocol';
import { childrenOf, type Item } from '../../debug-adapter/variables/children';
import { loadScenario } from '../../src/scenario/load';
import { playFile } from '../scenario/play';
import { suiteHooks, TestClient } from './client';

const load: Load = (path, options) => {
  const loaded = loadScenario(path, readFileSync(path, 'utf8'), options);
  return loaded.ok ? { ok: true, kernel: loaded.scenario.kernel, make: loaded.make } : loaded;
};

describe('debug adapter: message stores', () => {
  suiteHooks(load);

  it('says that the kernel never was, and shows the domain of the parts, the slot\'s number, and the message that stands there', async () => {
    const client = await TestClient.launched('examples/ims/array.irq.yaml');
    await client.breakOn('ims_array_unmask_irq');
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    const { kernelNote, domains, chain, current } = await client.ask<PanelRequests['irqstep/snapshot']['body']>('irqstep/snapshot', { sections: ['domains', 'chain', 'current'] });
    assert.equal(kernelNote, "with patches posted in 2020 and 2021, not in today's mainline");

    const parts = domains!.find(({ name }) => name === '0000:00:05.0-11')!;
    assert.equal(domains![parts.parent!].name, 'INTEL-IR-0');
    assert.deepEqual([parts.busToken, parts.mapped], ['DEVICE_MSI', 2]);
    assert.deepEqual(parts.devices.map(({ name, driver, kind, irqs }) => [name, driver, kind, irqs.map(({ irq }) => irq)]), [['mdev0', 'ims', 'IMS', [25, 26]], ['mdev1', 'ims', null, []]]);

    assert.deepEqual(chain!.levels.map(({ domain, chip }) => [domain, chip]), [['0000:00:05.0-11', 'IMS'], ['INTEL-IR-0', 'INTEL-IR'], ['VECTOR', 'APIC']]);
    assert.equal(current!.message!.format, 'Intel remappable format');
    const slot = current!.msiDesc!.fields.find(({ name }) => name === 'device_msi')!;
    assert.deepEqual(slot.fields!.map(({ name, value }) => [name, value]), [['priv', 'NULL'], ['priv_iomem', '0xe0000000'], ['hwirq', '0x0']]);
  });

  it('says nothing of that of a kernel that was', async () => {
    const client = await TestClient.launched('examples/nvme-msix.irq.yaml');
    await client.breakOn('msi_domain_alloc');
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    const { kernelNote } = await client.ask<PanelRequests['irqstep/snapshot']['body']>('irqstep/snapshot', { sections: [] });
    assert.equal(kernelNote, undefined);
  });
});

describe('the variables of a message store', () => {
  it('are its slots, each with its message, opened into bits', async () => {
    const { guest } = await playFile('examples/ims/pasid-race.irq.yaml');
    const store = guest.world.machine.pci.find(({ ims }) => ims)!.ims!;
    const [open, masked] = childrenOf(store).indexed!.page(0, 2);
    assert.deepEqual([open.text, masked.text], ['0x4022 to 0xfee04004', '0x4022 to 0xfee08004, masked']);
    const ctrl = masked.children!.named().find(({ name }) => name === 'ctrl')!;
    const bits = new Map(ctrl.children!.named().map((bit: Item) => [bit.name, bit.value]));
    assert.deepEqual([bits.get('bit0'), bits.get('pasid_enable'), bits.get('pasid')], [1, 1, 6]);
  });
});
