// What stable releases brought to v5.10: each change in a machine that shows it.
import assert from 'node:assert/strict';
import { play } from './play';

const ENOSPC = -28;

describe('v5.10.223', () => {
  it('lets a CPU go whose managed interrupts would fit nowhere else: they do not move (irq_matrix_allocated)', async () => {
    // Two queues each, one of them on CPU 1; what else there is has to be on CPU 0, and leaves room for two there.
    const names = ['a', 'b', 'c'];
    const devices = names.map((name, i) => `{ name: ${name}, kind: custom, address: 00:04.${i}, msix: 2 }`);
    const machine = `machine: { cpus: 2, devices: [${devices.join(', ')}, { name: big, kind: custom, address: 00:05.0, msix: 400 }] }
cmdline: irqaffinity=0
drivers:
  queues: { alloc: { min: 2, max: 2, flags: [PCI_IRQ_MSIX, PCI_IRQ_AFFINITY] } }
  big: { alloc: { min: 190, max: 190, flags: [PCI_IRQ_MSIX] }, request: ["big-%d"] }`;
    const steps = [...names.map(name => `probe: { device: ${name}, driver: queues }`), 'probe: { device: big, driver: big }', 'offline: 1'];
    const refused = await play(machine, steps, { kernel: 'v5.10.223-matrix-managed-stay' });
    assert.deepEqual(refused.results, [0, 0, 0, 0, ENOSPC]);
    assert.ok(refused.log.some(text => text === 'CPU 1 has 3 vectors, 2 available. Cannot disable CPU'), refused.log.slice(-5).join('\n'));
    assert.deepEqual((await play(machine, steps)).results, [0, 0, 0, 0, 0]);
  });

  it('does not map a pin that firmware connects to the cascade (mp_map_pin_to_irq)', async () => {
    const machine = 'machine: { cpus: 2, overrides: [{ irq: 2, gsi: 16 }] }';
    const chipOf2 = async (kernel: string): Promise<string> => (await play(machine, ['boot'], { kernel })).desc(2).irq_data.chip.name;
    assert.deepEqual([await chipOf2('v5.10'), await chipOf2('v5.10.223')], ['IO-APIC', 'XT-PIC']);
  });
});
