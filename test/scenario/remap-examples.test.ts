// The examples of remapping and of UV hubs, where their comments say to look.
import assert from 'node:assert/strict';
import { IRTE_HIGH, IRTE_LOW } from '../../src/hardware/irte';
import { UV_ROUTE_ENTRY } from '../../src/hardware/uv-hub';
import { intel_ir_data } from '../../src/kernel/drivers/iommu/intel/irte';
import type { irq_data } from '../../src/kernel/include/irq';
import { limit_text } from '../../src/kernel/lib/limit';
import { playFile, type Played } from './play';

const [EIO, ENOSPC] = [-5, -28];

function chain(played: Played, irq: number): irq_data[] {
  const levels = [];
  for (let data: irq_data | null = played.desc(irq).irq_data; data; data = data.parent_data) levels.push(data);
  return levels;
}

const irDataOf = (played: Played, irq: number): intel_ir_data => chain(played, irq).map(({ chip_data }) => chip_data).find(d => d instanceof intel_ir_data)!;
/** Irqs of a device's MSI, in order. */
const irqsOf = ({ guest }: Played, address: string): number[] => {
  const { msi_list } = guest.world.kernel.pci_devices.find(({ name }) => name === address)!;
  return msi_list.flatMap(({ irq, nvec_used }) => Array.from({ length: nvec_used }, (_, i) => irq + i));
};

describe('examples/multi-msi.irq.yaml', () => {
  let played: Played;
  before(async () => (played = await playFile('examples/multi-msi.irq.yaml')));

  it('gets what one message of the unit may use, else one vector, else nothing', () => {
    assert.deepEqual(played.results, [1, 0, ENOSPC, 5, 0, 0, 0, 0, 0]);
    assert.deepEqual([...new Set(played.guest.world.kernel.limits.map(limit_text))], ['limit: remapping entries for one message of dmar0: 16 needed, 8 there']);
    assert.deepEqual([...new Set(played.log.filter(text => text.startsWith('DMAR-IR: ')))].slice(-2), [
      'DMAR-IR: Requested mask 4 exceeds the max invalidation handle mask value 3',
      'DMAR-IR: Failed to allocate IRTE',
    ]);
  });

  it('puts 5 vectors into a region of 8 entries, at a multiple of 8, each at its sub-handle; the message is one', () => {
    const irqs = irqsOf(played, '0000:00:04.0');
    assert.equal(irqs.length, 5);
    const where = irqs.map(irq => irDataOf(played, irq).irq_2_iommu);
    assert.deepEqual(where.map(({ irte_index, sub_handle, irte_mask }) => [irte_index, sub_handle, irte_mask]), [0, 1, 2, 3, 4].map(i => [16, i, 3]));
    assert.deepEqual(irqs.map(irq => irDataOf(played, irq).msi_entry.data), [0, 1, 2, 3, 4]);
    assert.equal(played.desc(irqs[0]).irq_data.common.msi_desc!.msg.data, 0);
    // 5 vectors want 3 bits of the data
    assert.equal(where[0].iommu.ir_table!.bitmap.toString(), '0-23');
  });

  it('sends vector 4 where its own entry says, after a move too', () => {
    const irq = irqsOf(played, '0000:00:04.0')[4];
    assert.equal(played.desc(irq).tot_count, 2);
    assert.match(played.place(irq), /^0:/);
    const remapped = played.guest.world.machine.events.filter(event => event.kind === 'remapped');
    assert.deepEqual(remapped.map(({ index }) => index), [20, 20]);
  });
});

describe('examples/dmar-fault.irq.yaml', () => {
  let played: Played;
  before(async () => (played = await playFile('examples/dmar-fault.irq.yaml')));

  it('prints each fault as the kernel does, by the interrupt of the unit that found it', () => {
    assert.equal(played.stop.reason, 'end');
    const evil = 'DMAR: [INTR-REMAP] Request device [02:00.0] fault index';
    assert.deepEqual(played.log.filter(text => text.includes('INTR-REMAP')), [
      `${evil} 0 [fault reason 37] Blocked a compatibility format interrupt request`,
      `${evil} 2 [fault reason 34] Present field in the IRTE entry is clear`,
      `${evil} 0 [fault reason 33] Interrupt index exceeded the interrupt-remapping table size`,
      `${evil} 0 [fault reason 32] Detected reserved fields in the decoded interrupt-remapped request`,
      'DMAR: [INTR-REMAP] Request device [00:03.0] fault index 0 [fault reason 38] Blocked an interrupt request due to source-id verification failure',
    ]);
    assert.deepEqual([24, 25].map(irq => [played.desc(irq).action!.name, played.desc(irq).tot_count]), [['dmar0', 4], ['dmar1', 1]]);
  });

  it('says of a message without an entry that it has none, which the kernel cannot', () => {
    const faults = played.guest.world.machine.events.filter(event => event.kind === 'fault');
    assert.deepEqual(faults.map(({ reason, index, unit }) => [reason, index, unit]), [[0x25, -1, 0], [0x22, 2, 0], [0x21, 0x10000, 0], [0x20, 0, 0], [0x26, 0, 1]]);
  });

  it('gives each device the domain of its unit: the unit that names a bridge has all behind it', () => {
    const { pci_devices } = played.guest.world.kernel;
    assert.deepEqual(pci_devices.map(dev => [dev.name, dev.msi_domain!.name]), [
      ['0000:00:03.0', 'INTEL-IR-MSI-1-3'], ['0000:00:1c.0', 'INTEL-IR-MSI-0-3'], ['0000:01:00.0', 'INTEL-IR-MSI-0-3'], ['0000:02:01.0', 'INTEL-IR-MSI-0-3'],
    ]);
  });

  it('checks only the bus of what a bridge to conventional PCI signs, and takes its message', () => {
    const [irq] = irqsOf(played, '0000:02:01.0');
    assert.deepEqual(IRTE_HIGH.decode(irDataOf(played, irq).irte_entry.high), { sid: 0x0202, sq: 0, svt: 2 });
    assert.equal(played.desc(irq).tot_count, 1);
  });
});

describe('examples/posted.irq.yaml', () => {
  let played: Played;
  before(async () => (played = await playFile('examples/posted.irq.yaml')));

  it('counts only what arrives while the host has the interrupt', () => {
    assert.deepEqual(played.results, [1, ...new Array<number>(11).fill(0)]);
    const [irq] = irqsOf(played, '0000:00:04.0');
    assert.deepEqual([...played.desc(irq).kstat_irqs].sort(), [[1, 1], [3, 1]]);
  });

  it('notifies the CPU of a virtual CPU that runs, and nobody while it does not', () => {
    const { kernel, machine } = played.guest.world;
    assert.deepEqual(kernel.irq_stat.map(stat => stat.kvm_posted_intr_ipis), [0, 0, 1, 0]);
    assert.deepEqual(machine.events.filter(event => event.kind === 'posted').map(({ vector, notified }) => [vector, notified]), [[0x51, true], [0x51, false]]);
    assert.deepEqual(kernel.kvm_vcpus.map(({ virr }) => virr), [[0x51]]);
  });

  it('is remapped again at the end, with the CPU that it was moved to meanwhile', () => {
    const [irq] = irqsOf(played, '0000:00:04.0');
    const { irq_2_iommu, irte_entry } = irDataOf(played, irq);
    assert.equal(irq_2_iommu.mode, 'IRQ_REMAPPING');
    const { pst, dest_id } = IRTE_LOW.decode(played.guest.world.machine.remapUnits[0].peekEntry(irq_2_iommu.irte_index)!.low);
    assert.deepEqual([pst, dest_id], [0, 0x200]);
    assert.equal(played.guest.world.machine.remapUnits[0].peekEntry(irq_2_iommu.irte_index)!.low, irte_entry.low);
  });
});

describe('examples/uv-hub.irq.yaml', () => {
  let played: Played;
  before(async () => (played = await playFile('examples/uv-hub.irq.yaml')));

  it('makes the domain UV-CORE, a tree below VECTOR whose numbers are the irqs', () => {
    assert.deepEqual(played.results, [25, 26, 0, 0, 0, 0, 0]);
    const [uv, vector] = chain(played, 26);
    assert.deepEqual([uv.domain!.name, uv.domain!.flags, uv.hwirq, uv.chip.name, vector.domain!.name], ['UV-CORE', 3, 26, 'UV-CORE', 'VECTOR']);
    assert.equal(played.desc(26).handle_irq.name, 'handle_percpu_irq');
  });

  it('takes a vector on the CPU asked for when it is allocated, without a reservation', () => {
    const { trace } = played.guest.world.kernel;
    const first = trace.findIndex(({ text }) => text.startsWith('irq=25 '));
    assert.deepEqual(trace.slice(first - 1, first + 4).map(({ event }) => event), ['irq_matrix_alloc', 'vector_alloc', 'vector_update', 'vector_config', 'vector_setup']);
    assert.match(trace[first].text, /^irq=25 vector=\d+ reserved=0 ret=0$/);
  });

  it('moves at once the one that may move', () => {
    assert.deepEqual([...played.desc(26).kstat_irqs].sort(), [[1, 1], [2, 1]]);
    assert.match(played.place(26), /^2:/);
  });

  it('leaves the register of one that is gone unmasked, as the kernel does', () => {
    const entry = UV_ROUTE_ENTRY.decode(played.guest.world.machine.uvHubs[1].peek64(0x61b00));
    assert.equal(entry.mask, 0);
    assert.notEqual(entry.vector, 0);
    assert.equal(played.guest.world.kernel.irq_desc_tree.has(25), false);
  });

  it('refuses to move the one that is bound to its CPU', async () => {
    const text = 'machine: { uv: true, cpus: 2 }\nsteps: [{ uvSetup: { name: gru, cpu: 1 } }, { affinity: { irq: 24, cpus: 0 } }, { uvRaise: gru }, { uvTeardown: gru }]\n';
    assert.deepEqual((await playFile('x.irq.yaml', text)).results, [24, EIO, 0, 0]);
  });
});
