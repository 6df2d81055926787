import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { IRQF_SHARED } from '../../src/kernel/include/interrupt';
import { EINVAL } from '../../src/kernel/lib/errno';
import { play, type Played } from './play';

const machine = (card: string): string => `machine: { cpus: 4, devices: [{ name: card, kind: custom, address: 00:05.0, ${card} }] }`;
const FALLBACK = 'alloc: [{ min: 3, max: 3, flags: [PCI_IRQ_MSIX] }, { min: 1, max: 1, flags: [PCI_IRQ_MSI] }, { min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }]';

/** Names of the handlers of a device, with the CPUs that they may run on. */
const handlers = ({ guest: { world } }: Played): string[] =>
  [...world.kernel.irq_desc_tree.values()].flatMap(({ irq_common_data, action }) => (action && /^card/.test(action.name) ? [`${action.name} ${irq_common_data.affinity.toString()}`] : []));

describe('examples/own-drivers.irq.yaml', () => {
  it('does what it says: two queues of different sets on one CPU, a shared pin, a thread', async () => {
    const text = readFileSync('examples/own-drivers.irq.yaml', 'utf8');
    const [head, steps] = text.split(/^steps:\n/m);
    const run = await play(head, steps.trimEnd().split(/\n? {2}- /).slice(1));
    assert.equal(run.stop.error, undefined);
    const spread = [...run.guest.world.kernel.irq_desc_tree.values()].filter(({ action }) => action && /^dpu-q[15]$/.test(action.name));
    assert.deepEqual(spread.map(({ irq_common_data }) => irq_common_data.affinity.toString()), ['0', '0']);
    // mate's: gpio is gone
    assert.deepEqual([run.desc(22).action!.name, run.desc(22).action!.next, run.desc(22).tot_count], ['gpio', null, 1]);
    assert.deepEqual([run.desc(23).threads_handled, run.desc(23).threads_oneshot], [1, 0]);
  });
});

describe('a driver of the scenario', () => {
  it('takes the devices that it matches, before the kernel\'s own', async () => {
    const head = 'machine: { devices: [{ name: card, kind: nic, address: 00:03.0 }] }\ndrivers: { card: { match: { vendor: 0x8086, device: 0x10d3 }, alloc: { min: 1, max: 1 } } }';
    const run = await play(head, ['probe: card']);
    assert.deepEqual(run.results, [0]);
    assert.equal(run.guest.world.kernel.pci_devices[0].driver, 'card');
    assert.deepEqual(handlers(run), ['card-0 0-3']);
  });

  it('falls back from MSI-X to MSI, and to the pin that it shares', async () => {
    const drivers = `drivers: { mine: { ${FALLBACK}, request: [card-rx, card-tx, card] } }`;
    const kinds = await Promise.all(['msix: 4', 'msix: 2, msi: { vectors: 1 }', 'msix: 2'].map(async card => {
      const run = await play(`${machine(card)}\n${drivers}`, ['probe: { device: card, driver: mine }']);
      const { msi_enabled, msix_enabled } = run.guest.world.kernel.pci_devices[0];
      return [msix_enabled ? 'MSI-X' : msi_enabled ? 'MSI' : 'INTx', handlers(run).map(text => text.split(' ')[0])];
    }));
    assert.deepEqual(kinds, [['MSI-X', ['card-rx', 'card-tx', 'card']], ['MSI', ['card-rx']], ['INTx', ['card-rx']]]);
  });

  it('spreads each of its sets over all CPUs', async () => {
    const drivers = 'drivers: { mine: { alloc: { min: 2, max: 9, flags: [PCI_IRQ_MSIX, PCI_IRQ_AFFINITY], pre: 1, sets: [8, 4] }, request: [card, card-q%d] } }';
    const run = await play(`${machine('msix: 16')}\n${drivers}`, ['probe: { device: card, driver: mine }']);
    assert.deepEqual(handlers(run), ['card 0-3', ...[1, 2, 3, 4].map(q => `card-q${q} ${q - 1}`), ...[5, 6, 7, 8].map(q => `card-q${q} ${q - 5}`)]);
  });

  it('may leave a device to a thread, which wants IRQF_ONESHOT where there is no handler', async () => {
    const driver = (flags: string): string => `drivers: { mine: { alloc: { min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }, request: [{ name: card, handler: 'NULL', flags: [${flags}] }] } }`;
    const run = await play(`${machine('gsi: 22')}\n${driver('IRQF_ONESHOT')}`, ['probe: { device: card, driver: mine }', 'assert: card']);
    assert.deepEqual([run.results[0], run.desc(22).threads_handled, run.desc(22).action!.thread], [0, 1, 'irq/22-card']);
    const refused = await play(`${machine('gsi: 22')}\n${driver('')}`, ['probe: { device: card, driver: mine }']);
    assert.equal(refused.results[0], -EINVAL);
    assert.ok(refused.log.includes('genirq: Threaded irq requested with handler=NULL and !ONESHOT for card (irq 22)'));
    assert.equal(refused.guest.world.kernel.irq_desc_tree.has(22), false, 'the pin is given back');
  });

  it('shares a pin if it does not say otherwise', async () => {
    const driver = (request: string): string => `drivers: { mine: { alloc: { min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }, request: [${request}] } }`;
    const flags = await Promise.all(['card', '{ name: card, flags: [] }'].map(async request => {
      const run = await play(`${machine('gsi: 22')}\n${driver(request)}`, ['probe: { device: card, driver: mine }']);
      return run.desc(22).action!.flags & IRQF_SHARED;
    }));
    assert.deepEqual(flags, [IRQF_SHARED, 0]);
  });
});
