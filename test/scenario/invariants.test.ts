import assert from 'node:assert/strict';
import { apic_chip_data_of, type apic_chip_data } from '../../src/kernel/arch/x86/apic/apic_chip_data';
import { IRQD } from '../../src/kernel/include/irq';
import type { World } from '../../src/kernel/world';
import { checkInvariants } from '../../src/scenario/invariants';
import { replayed } from '../captures/replayed';
import { play } from './play';

const SNAPSHOTS: Record<string, readonly string[]> = {
  '5.10.0-32-n-4cpu-1nvme-min': ['boot', 'aff-moved', 'cpu-offline', 'cpu1-online', 'unload-nvme', 'msix4-req'],
  '5.10.0-32-c-4cpu-intelir': ['cpu-offline', 'msixmgd-req'],
};

/** Anything may come back. */
type Damage = (world: World, apicd: apic_chip_data) => unknown;

describe('the invariants', () => {
  for (const [name, labels] of Object.entries(SNAPSHOTS)) {
    it(`hold in what the kernel of ${name} showed`, () => {
      for (const label of labels) assert.deepEqual(checkInvariants(replayed(name, label).world), [], label);
    });
  }

  const MACHINE = 'machine: { cpus: 4, remap: REMAP, devices: [{ name: nvme0, kind: nvme, address: 00:04.0 }] }';
  const IRQ = 24;

  /** What they say of a world that was well, after `damage`. */
  async function after(damage: Damage, remap = 'none'): Promise<string[]> {
    const played = await play(MACHINE.replace('REMAP', remap), ['probe: nvme0']);
    assert.deepEqual(checkInvariants(played.guest.world), []);
    damage(played.guest.world, apic_chip_data_of(played.desc(IRQ).irq_data)!);
    return [...new Set(checkInvariants(played.guest.world).map(({ invariant }) => invariant))];
  }

  const damages: Record<string, [Damage, readonly string[], string?]> = {
    'a counter': [({ kernel }) => kernel.vector_matrix.maps[1].available--, ['I1', 'I5']],
    'a bit of the matrix': [({ kernel }, { cpu, vector }) => kernel.vector_matrix.maps[cpu].alloc_map.clear(vector), ['I2', 'I10']],
    'a vector that nobody gave back': [({ kernel }) => kernel.vector_matrix.maps[1].alloc_map.set(100), ['I2', 'orphan']],
    'a reservation': [({ kernel }) => kernel.vector_matrix.global_reserved++, ['I8']],
    'an entry of a vector table': [({ kernel }, { cpu, vector }) => (kernel.vector_irq[cpu][vector] = null), ['I10']],
    'a clean-up that waits for nothing': [(_world, apicd) => (apicd.clist = 0), ['I11', 'I24']],
    'a flag': [({ kernel }) => (kernel.irq_desc_tree.get(IRQ)!.irq_common_data.state_use_accessors &= ~IRQD.ACTIVATED), ['I16']],
    'the destination': [(_world, { hw_irq_cfg }) => (hw_irq_cfg.dest_apicid ^= 3), ['I15', 'I18']],
    'the device\'s message': [({ machine }) => (machine.pci[0].msix!.table[2] ^= 1), ['I18']],
    'the device\'s mask bit': [({ machine }) => (machine.pci[0].msix!.table[3] ^= 1), ['I16']],
    'a mapping': [({ kernel }) => kernel.irq_domain_list.find(d => d.name === 'PCI-MSI-3')!.revmap_tree.delete(0x10000), ['I20']],
    'a remapping entry': [({ machine, kernel }) => machine.memory.write64(tableOf(kernel) + 16 * 16, 0n), ['I17'], 'intel'],
    'an entry that nobody gave back': [({ kernel }) => kernel.dmar_drhd_units[0].iommu.ir_table!.bitmap.set(4000), ['I17'], 'intel'],
    'the number of an interrupt': [({ kernel }) => kernel.allocated_irqs.clear(IRQ), ['I23']],
    'a clean-up list': [({ kernel }, apicd) => kernel.cleanup_list[2].push(apicd), ['I24']],
    'a move that is pending': [({ kernel }) => (kernel.irq_desc_tree.get(IRQ)!.irq_common_data.state_use_accessors |= IRQD.SETAFFINITY_PENDING), ['I25']],
    'the device\'s capability': [({ kernel }) => (kernel.pci_devices[0].msix_enabled = false), ['I26']],
    'an entry of an AMD table': [({ machine, kernel }) => machine.memory.write64(amdTable(kernel) + 8, 0n), ['I17'], 'amd'],
    'a region of a unit': [({ kernel }) => kernel.dmar_drhd_units[0].iommu.ir_table!.bitmap.clear(16), ['I17'], 'intel'],
    'a line\'s entry': [({ machine }) => (machine.ioapics[0].rte[4] ^= 1n), ['I19']],
  };

  for (const [what, [damage, expected, remap]] of Object.entries(damages)) {
    it(`see damage of ${what}`, async () => assert.deepEqual(await after(damage, remap), expected));
  }

  it('excuse a wrong total where a CPU was down, and nowhere else', async () => {
    const unexcused = async (...steps: string[]): Promise<string[]> => {
      const { guest: { world } } = await play(MACHINE.replace('REMAP', 'none'), [...steps, 'probe: nvme0'], { kernel: 'v5.10' });
      world.kernel.vector_matrix.total_allocated++;
      return checkInvariants(world).filter(({ known }) => known === undefined).map(({ invariant }) => invariant);
    };
    assert.deepEqual([await unexcused('offline: 3'), await unexcused()], [[], ['I7']]);
  });
});

const amdTable = (kernel: World['kernel']): number => kernel.irq_lookup_table.get(0x20)!.table;
const tableOf = (kernel: World['kernel']): number => kernel.dmar_drhd_units[0].iommu.ir_table!.base;
