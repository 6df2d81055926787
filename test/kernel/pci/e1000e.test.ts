import assert from 'node:assert/strict';
import { e1000_driver, e1000e_open } from '../../../src/kernel/drivers/e1000e';
import { pci_device_probe } from '../../../src/kernel/drivers/pci/pci-driver';
import { boot, events, plain, run } from '../x86/machines';

describe('e1000e on a card without MSI-X', () => {
  it('tries its message with a handler of the test when the interface comes up, and then requests it again', () => {
    const machine = plain();
    const world = boot({ ...machine, pci: machine.pci.map(({ msix: _, ...pci }) => ({ ...pci, msi: { vectors: 1, maskable: false, addr64: true } })) });
    const dev = world.kernel.pci_devices.find(({ name }) => name === '0000:00:03.0')!;
    assert.equal(run(world, 2, () => pci_device_probe(dev, e1000_driver)), 0);
    const from = world.kernel.trace.length;
    assert.equal(run(world, 2, () => e1000e_open(dev)), 0);

    const setups = events(world, from).filter(event => event.startsWith('vector_setup:'));
    assert.deepEqual([setups.length, dev.msi_enabled], [2, true]);
    const { action, tot_count } = world.kernel.irq_desc_tree.get(dev.irq)!;
    assert.deepEqual([action?.handler.name, tot_count], ['e1000_intr_msi', 0]);
  });
});
