import assert from 'node:assert/strict';
import type { MachineConfig } from '../../../src/hardware/machine-config';
import { acpi_register_gsi, acpi_unregister_gsi } from '../../../src/kernel/arch/x86/acpi/boot';
import { dmar_fault } from '../../../src/kernel/drivers/iommu/intel/dmar';
import { pci_alloc_irq_vectors, pci_free_irq_vectors } from '../../../src/kernel/drivers/pci/msi_api';
import { PCI_IRQ_MSI, type PciDev } from '../../../src/kernel/include/pci';
import { irq_find_mapping } from '../../../src/kernel/irq/irqdomain';
import { irq_set_vcpu_affinity } from '../../../src/kernel/irq/manage';
import { ENOSPC } from '../../../src/kernel/lib/errno';
import { readTextFile } from '../../../src/text/files';
import { events, remapped, run } from './machines';
import { NIC, NVME, Rig } from './rig';

/** The machine of the capture with a unit that can post. */
function withPosting(): MachineConfig {
  const config = remapped();
  return { ...config, intelRemap: { units: config.intelRemap!.units.map(unit => ({ ...unit, pi: true })) } };
}

describe('vectors with remapping', () => {
  let rig: Rig;
  let nic: PciDev;

  beforeEach(() => {
    rig = new Rig(withPosting());
    nic = rig.device(NIC);
    rig.enable(nic);
    rig.msix(nic, 3);
  });

  const entry = (index: number): string => rig.world.machine.remapUnits[0].peekEntry(index)!.low.toString(16);

  it('allocates entries after those of the IOAPIC and a message that stays', () => {
    assert.deepEqual(nic.msi_list.map(({ irq, msg }) => [irq, msg.address_lo.toString(16), msg.data]), [[25, 'fee00218', 0], [26, 'fee00238', 0], [27, 'fee00258', 0]]);
    assert.deepEqual([entry(16), rig.world.machine.remapUnits[0].peekEntry(16)!.high.toString(16)], ['10000ef000d', '40018']);
    assert.equal(rig.kernel.irq_desc_tree.get(25)!.irq_data.parent_data!.hwirq, 0x100000);
  });

  it('moves at once and frees the old vector before the write returns; the device keeps its message', () => {
    for (const irq of [25, 26, 27]) rig.request(irq);
    assert.deepEqual([25, 26, 27].map(irq => rig.place(irq)), [{ cpu: 3, vector: 34 }, { cpu: 0, vector: 34 }, { cpu: 1, vector: 35 }]);
    rig.raise(nic, 0);

    const from = rig.kernel.trace.length;
    assert.equal(rig.move(25, 2), 0);
    assert.deepEqual(events(rig.world, from).map(line => line.split(' ').slice(0, 3).join(' ')), [
      'irq_matrix_alloc: bit=35 cpu=2', 'vector_alloc: irq=25 vector=35', 'vector_update: irq=25 vector=35', 'vector_config: irq=25 vector=35',
      'vector_free_moved: irq=25 cpu=3', 'irq_matrix_free: bit=34 cpu=3',
    ]);
    assert.equal(nic.msi_list[0].msg.address_lo.toString(16), 'fee00218');
    rig.raise(nic, 0);
    assert.deepEqual(rig.handled, [{ irq: 25, cpu: 3 }, { irq: 25, cpu: 2 }]);
  });

  it('empties the entry when the handler goes: an interrupt is then a fault that the unit reports', () => {
    rig.request(25);
    rig.free(25);
    assert.equal(entry(16), '0');
    const before = rig.kernel.log.length;
    rig.world.machine.sendMessage(nic.hw.requesterId, 0, 0xfee00218, 0);
    run(rig.world, 0, function* () {});
    assert.deepEqual(rig.kernel.log.slice(before).map(({ text }) => text), [
      'DMAR: DRHD: handling fault status reg 2',
      'DMAR: [INTR-REMAP] Request device [00:03.0] fault index 10 [fault reason 34] Present field in the IRTE entry is clear',
    ]);
    run(rig.world, 0, () => pci_free_irq_vectors(nic));
    assert.equal(rig.kernel.dmar_drhd_units[0].iommu.ir_table!.bitmap.test(16), false);
  });

  it('maps a line on demand: its RTE carries pin and index, its user count keeps it', () => {
    const nvme = rig.device(NVME);
    const irq = run(rig.world, 1, () => acpi_register_gsi(nvme, 20, 0, 1));
    assert.equal(irq, 20);
    assert.equal(run(rig.world, 1, () => acpi_register_gsi(null, 20, 0, 1)), 20);
    run(rig.world, 1, () => acpi_unregister_gsi(20));
    assert.equal(rig.kernel.irq_desc_tree.has(20), true);
    run(rig.world, 1, () => acpi_unregister_gsi(20));
    assert.equal(rig.kernel.irq_desc_tree.has(20), false);
  });

  it('ends a level interrupt at the IOAPIC: the line works again', () => {
    rig.request(23);
    const level = (): void => {
      run(rig.world, 0, function* () { rig.world.machine.setGsi(23, true); rig.world.machine.setGsi(23, false); });
    };
    level();
    level();
    assert.deepEqual(rig.handled.map(({ irq }) => irq), [23, 23]);
  });

  it('needs as many entries as a power of two for several messages of one MSI, in one region', () => {
    const config = remapped();
    for (const [kernel, activated] of [['v5.10', 1], ['v5.10.223', 3]] as const) {
      const multi = new Rig({ ...config, pci: [{ ...config.pci[0], msix: undefined, msi: { vectors: 8, maskable: true, addr64: true } }] }, { kernel });
      const dev = multi.device(NIC);
      multi.enable(dev);
      assert.equal(run(multi.world, 0, () => pci_alloc_irq_vectors(dev, 3, 3, PCI_IRQ_MSI)), 3);
      const { bitmap } = multi.kernel.dmar_drhd_units[0].iommu.ir_table!;
      assert.equal(bitmap.toString(), '0-19'); // 0-15 are lines
      const present = [16, 17, 18, 19].filter(index => multi.world.machine.remapUnits[0].peekEntry(index)!.low & 1n);
      assert.equal(present.length, activated);

      for (const irq of [25, 26, 27]) multi.request(irq);
      for (const vector of [0, 1, 2]) multi.raise(dev, vector);
      assert.deepEqual(multi.handled.map(({ irq }) => irq), [25, 26, 27]);

      for (const irq of [25, 26, 27]) multi.free(irq);
      run(multi.world, 0, () => pci_free_irq_vectors(dev));
      assert.equal(bitmap.toString(), '0-15');
    }
  });

  it('posts to a virtual CPU and remaps again', () => {
    rig.request(25);
    const before = entry(16);
    const descriptor = rig.world.machine.memory.alloc(64, 64);
    assert.equal(run(rig.world, 0, () => irq_set_vcpu_affinity(25, { pi_desc_addr: descriptor, vector: 0x51 })), 0);
    rig.raise(nic, 0);
    assert.deepEqual(rig.handled, []);
    assert.equal(rig.world.machine.memory.read32(descriptor + 8), 1 << 0x11);

    // while posted a move is only remembered
    rig.move(25, 0);
    assert.equal((BigInt(`0x${entry(16)}`) >> 15n) & 1n, 1n);
    run(rig.world, 0, () => irq_set_vcpu_affinity(25, null));
    assert.notEqual(entry(16), before);
    rig.raise(nic, 0);
    assert.deepEqual(rig.handled, [{ irq: 25, cpu: 0 }]);
  });

  it('blocks a message that is not remapped', () => {
    const before = rig.kernel.log.length;
    rig.world.machine.sendMessage(nic.hw.requesterId, 0, 0xfee01004, 0x4022);
    run(rig.world, 0, function* () {});
    assert.match(rig.kernel.log[before + 1].text, /fault index 0 \[fault reason 37\] Blocked a compatibility format interrupt request/);
  });

  it('numbers an entry from 0x8000 on as a negative int, found all the same', () => {
    const nvme = rig.device(NVME);
    rig.enable(nvme);
    const { bitmap } = rig.kernel.dmar_drhd_units[0].iommu.ir_table!;
    for (let i = 0; i < 0x8000; i++) bitmap.set(i);
    rig.msix(nvme, 1);
    const { irq } = nvme.msi_list[0];
    const { hwirq, domain } = rig.kernel.irq_desc_tree.get(irq)!.irq_data.parent_data!;
    assert.equal(hwirq, -0x80000000);
    assert.equal(run(rig.world, 0, () => irq_find_mapping(domain, hwirq)), irq);
    assert.match(readTextFile(rig.world, `/sys/kernel/debug/irq/irqs/${irq}`), /hwirq: +0xffffffff80000000\n/);
  });

  it('allocates entries under dmar_global_lock, and reports faults under register_lock', () => {
    const nvme = rig.device(NVME);
    rig.enable(nvme);
    rig.kernel.dmar_global_lock.owner = 1;
    assert.throws(() => rig.msix(nvme, 1), /waits for ever on dmar_global_lock/);
    const { iommu } = rig.kernel.dmar_drhd_units[0];
    iommu.register_lock.owner = 1;
    assert.throws(() => run(rig.world, 0, () => dmar_fault(0, iommu)), /waits for ever on register_lock/);
  });

  it('has no entry left after 65536', () => {
    rig.kernel.dmar_drhd_units[0].iommu.ir_table!.bitmap.setAll();
    const nvme = rig.device(NVME);
    rig.enable(nvme);
    assert.equal(rig.msix(nvme, 1), -ENOSPC);
    assert.ok(rig.kernel.log.some(({ text }) => text === 'DMAR-IR: Failed to allocate IRTE'));
  });
});
