import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { MachineConfig } from '../../../src/hardware/machine-config';
import { nvme_driver } from '../../../src/kernel/drivers/nvme';
import { pattern_driver } from '../../../src/kernel/drivers/pattern';
import { pci_device_probe, pci_device_remove, type pci_driver } from '../../../src/kernel/drivers/pci/pci-driver';
import { PCI_IRQ_MSIX, type PciDev } from '../../../src/kernel/include/pci';
import type { World } from '../../../src/kernel/world';
import { boot, events as eventsOf, plain, remapped, run } from '../x86/machines';

/** What e1000e asks for: its probe allocates, ifconfig up requests. */
const e1000e = pattern_driver({
  name: 'e1000e',
  alloc: [{ min: 3, max: 3, flags: PCI_IRQ_MSIX }],
  request: ['eth0-rx-0', 'eth0-tx-0', 'eth0'].map((name, vector) => ({ vector, name, flags: 0 })),
});

const deviceAt = (world: World, address: string): PciDev => world.kernel.pci_devices.find(dev => dev.name === address)!;

function probe(world: World, address: string, driver: pci_driver): string[] {
  const from = world.kernel.trace.length;
  assert.equal(run(world, 2, () => pci_device_probe(deviceAt(world, address), driver)), 0);
  return eventsOf(world, from);
}

/** The events of a step of a capture. */
function capturedStep(capture: string, step: string): string[] {
  const text = gunzipSync(readFileSync(`test/captures/${capture}/trace-vectors.txt.gz`)).toString();
  const part = text.slice(text.indexOf(`ORACLE: STEP ${step}`), text.indexOf(`ORACLE: DONE ${step}`));
  const events = part.split('\n').flatMap(line => /\d+\.\d{6}: ((?:irq_matrix|vector)_\w+: .*)$/.exec(line)?.[1] ?? []);
  assert.ok(events.length > 10, `${capture} has a step ${step}`);
  return events;
}

/** What each event is about: "vector_clear: irq=24", "irq_matrix_free". */
const namesOf = (events: readonly string[]): string[] => events.map(event => /^vector_\w+: irq=\d+|^\w+/.exec(event)![0]);

describe('a captured probe', () => {
  const captures: [string, MachineConfig][] = [
    ['5.10.0-32-n-4cpu-1nvme-min', plain()],
    ['5.10.0-32-n-4cpu-1nvme-min-intelir', remapped()],
  ];
  for (const [capture, machine] of captures) {
    it(`of e1000e and nvme emits the events of ${capture}, one by one`, () => {
      const world = boot(machine);
      assert.deepEqual(probe(world, '0000:00:03.0', e1000e), capturedStep(capture, 'load-e1000e'));
      assert.deepEqual(probe(world, '0000:00:04.0', nvme_driver), capturedStep(capture, 'load-nvme'));
    });
  }

  it('is undone by remove: vectors, irqs and the pin\'s reservation come back', () => {
    const world = boot(plain());
    const { kernel } = world;
    const matrix = kernel.vector_matrix;
    const before = [matrix.global_available, matrix.global_reserved, matrix.total_allocated];
    const irqs = kernel.irq_desc_tree.size;
    probe(world, '0000:00:04.0', nvme_driver);
    const dev = deviceAt(world, '0000:00:04.0');
    assert.deepEqual(dev.msi_irqs, [24, 25, 26, 27, 28]);
    run(world, 0, () => pci_device_remove(dev, nvme_driver));
    assert.deepEqual([matrix.global_available, matrix.global_reserved, matrix.total_allocated], before);
    assert.equal(kernel.irq_desc_tree.size, irqs);
    assert.equal(dev.msi_irqs, null);
    assert.equal(dev.enable_cnt, 0);
  });

  // Vectors and counts differ: the capture has moved interrupts and taken CPUs away in between.
  it('is undone in the captured order: queues from the last down, then their irqs from the first up, then the pin', () => {
    const capture = '5.10.0-32-n-4cpu-1nvme-min';
    const world = boot(plain());
    probe(world, '0000:00:03.0', e1000e);
    probe(world, '0000:00:04.0', nvme_driver);
    for (const [step, address, driver] of [['unload-nvme', '0000:00:04.0', nvme_driver], ['unload-e1000e', '0000:00:03.0', e1000e]] as const) {
      const from = world.kernel.trace.length;
      run(world, 0, () => pci_device_remove(deviceAt(world, address), driver));
      assert.deepEqual(namesOf(eventsOf(world, from)), namesOf(capturedStep(capture, step)));
    }
  });

  it('of two controllers numbers them nvme0 and nvme1, and the number of a removed one is free again', () => {
    const [network, disk] = plain().pci;
    const world = boot({ ...plain(), pci: [network, disk, { ...disk, address: '0000:00:05.0', gsi: 21 }] });
    const names = (): string[] => [...world.kernel.irq_desc_tree.values()].flatMap(desc => (desc.action?.name.endsWith('q0') ? [desc.action.name] : []));
    probe(world, '0000:00:04.0', nvme_driver);
    probe(world, '0000:00:05.0', nvme_driver);
    assert.deepEqual(names(), ['nvme0q0', 'nvme1q0']);
    run(world, 0, () => pci_device_remove(deviceAt(world, '0000:00:04.0'), nvme_driver));
    probe(world, '0000:00:04.0', nvme_driver);
    assert.deepEqual(names().sort(), ['nvme0q0', 'nvme1q0']);
  });
});
