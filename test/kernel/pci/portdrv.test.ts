import assert from 'node:assert/strict';
import type { MachineConfig, PciFunctionConfig } from '../../../src/hardware/machine-config';
import type { World } from '../../../src/kernel/world';
import { boot, plain } from '../x86/machines';

const ROOT_PORT = 4;
const DOWNSTREAM = 6;
const AER = 0x00010001;
const DPC = 0x0001001d;

/** A port of this kind: one plain MSI, a slot that can be hotplugged, error reporting and containment. */
function port(kind: number): PciFunctionConfig {
  const words = new Array<number>(1024).fill(0);
  const at: Record<number, number> = {
    0x00: 0x000c1b36, 0x04: 0x00100000, 0x08: 0x06040000, 0x0c: 0x00010000, 0x18: 0x00010100, 0x34: 0x40, 0x3c: 0x100,
    0x40: ((2 | (kind << 4) | (1 << 8)) << 16) | 0x8010,
    0x54: 1 << 6,
    0x80: 0x05,
    0x100: AER | (0x150 << 20),
    0x150: DPC,
  };
  for (const [offset, word] of Object.entries(at)) words[Number(offset) / 4] = word;
  return { address: '0000:00:0d.0', vendor: 0x1b36, device: 0x0c, class: 0x060400, intxPin: 1, gsi: 21, node: -1, config: words.map(word => (word >>> 0).toString(16).padStart(8, '0')).join(' ') };
}

function booted(kind: number, osc: readonly string[]): World {
  const machine = plain();
  const config: MachineConfig = { ...machine, osc, pci: [...machine.pci, port(kind)] };
  return boot(config);
}

const logged = (world: World): string[] => world.kernel.log.flatMap(({ text }) => /^pcieport .*?: (.*)$/.exec(text)?.[1] ?? []);

/** Of the port's vectors. */
function actions({ kernel }: World): string[] {
  const dev = kernel.pci_devices.find(({ name }) => name === '0000:00:0d.0')!;
  return dev.msi_list.flatMap(({ irq }) => {
    const names: string[] = [];
    for (let action = kernel.irq_desc_tree.get(irq)!.action; action; action = action.next) names.push(`${action.name}${action.thread === null ? '' : ' (thread)'}`);
    return names;
  });
}

describe('portdrv', () => {
  const ALL = ['PCIeHotplug', 'PME', 'AER'];

  it('has the services of a root port share a vector; those of AER, hotplug and containment have threads', () => {
    const world = booted(ROOT_PORT, ALL);
    assert.deepEqual(actions(world), ['PCIe PME', 'aerdrv (thread)', 'pciehp (thread)', 'pcie-dpc (thread)']);
    assert.deepEqual(logged(world).map(text => text.replace(/\d+$/, 'N')), ['PME: Signaling with IRQ N', 'AER: enabled with IRQ N', 'DPC: enabled with IRQ N']);
  });

  it("finds no driver for a downstream port's error reporting", () => {
    assert.deepEqual(actions(booted(DOWNSTREAM, ALL)), ['pciehp (thread)', 'pcie-dpc (thread)']);
  });

  it('gives a root port a vector for bandwidth notification, though firmware keeps all services and nobody requests it', () => {
    const world = booted(ROOT_PORT, []);
    const dev = world.kernel.pci_devices.find(({ name }) => name === '0000:00:0d.0')!;
    assert.deepEqual([dev.msi_list.length, actions(world)], [1, []]);
  });
});
