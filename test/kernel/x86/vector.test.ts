import assert from 'node:assert/strict';
import { MSI_ADDRESS_LO } from '../../../src/hardware/message';
import { native_cpu_disable, start_secondary } from '../../../src/kernel/arch/x86/smpboot';
import { pci_alloc_irq_vectors, pci_free_irq_vectors } from '../../../src/kernel/drivers/pci/msi_api';
import { PCI_IRQ_MSI, type PciDev } from '../../../src/kernel/include/pci';
import { cpumask } from '../../../src/kernel/lib/cpumask';
import { EBUSY, ENOSPC } from '../../../src/kernel/lib/errno';
import { events, plain, run } from './machines';
import { NIC, NVME, Rig } from './rig';

describe('vectors without remapping', () => {
  let rig: Rig;
  let nic: PciDev;

  /** As the capture's load-e1000e: three MSI-X vectors, 24 to 26. */
  beforeEach(() => {
    rig = new Rig();
    nic = rig.device(NIC);
    rig.enable(nic);
    rig.msix(nic, 3);
  });

  it('reserves at allocation: line 23 and three MSI-X vectors', () => {
    const { global_available, global_reserved, total_allocated } = rig.kernel.vector_matrix;
    assert.deepEqual({ global_available, global_reserved, total_allocated }, { global_available: 798, global_reserved: 13, total_allocated: 6 });
    assert.deepEqual(nic.msi_list.map(({ irq, msg }) => [irq, msg.address_lo, msg.data]), [24, 25, 26].map(irq => [irq, 0xfee01004, 0x40ef]));
  });

  it('gives vectors when they are requested, round the CPUs as the capture has it', () => {
    for (const irq of [24, 25, 26]) rig.request(irq);
    assert.deepEqual([24, 25, 26].map(irq => rig.place(irq)), [{ cpu: 2, vector: 34 }, { cpu: 3, vector: 34 }, { cpu: 0, vector: 34 }]);
    assert.deepEqual([nic.msi_list[0].msg.address_lo, nic.msi_list[0].msg.data], [0xfee04004, 0x4022]);
  });

  it('delivers a message to the CPU that holds the vector, and ends it there', () => {
    rig.request(24);
    rig.raise(nic, 0);
    assert.deepEqual(rig.handled, [{ irq: 24, cpu: 2 }]);
    assert.equal(rig.world.machine.cpus[2].lapic.processorPriority(), 0x10);
  });

  it('moves in the next interrupt, and frees the old vector in the one after that', () => {
    rig.request(24);
    assert.equal(rig.move(24, 3), 0);
    assert.deepEqual(rig.place(24), { cpu: 2, vector: 34 });

    let from = rig.kernel.trace.length;
    rig.raise(nic, 0);
    assert.deepEqual(events(rig.world, from).filter(line => line.startsWith('vector')), [
      'vector_alloc: irq=24 vector=34 reserved=0 ret=0',
      'vector_update: irq=24 vector=34 cpu=3 prev_vector=34 prev_cpu=2',
      'vector_config: irq=24 vector=34 cpu=3 apicdest=0x00000008',
    ]);
    assert.ok(rig.kernel.trace.slice(from).every(({ hardirq, cpu }) => hardirq && cpu === 2));
    assert.equal(rig.chip(24).move_in_progress, true);
    assert.equal(MSI_ADDRESS_LO.get(nic.msi_list[0].msg.address_lo, 'destid_0_7'), 8);

    from = rig.kernel.trace.length;
    rig.raise(nic, 0);
    assert.deepEqual(events(rig.world, from), [
      'vector_free_moved: irq=24 cpu=2 vector=34 is_managed=0',
      'irq_matrix_free: bit=34 cpu=2 online=1 avl=200 alloc=1 managed=0 online_maps=4 global_avl=797, global_rsvd=12, total_alloc=7',
    ]);
    assert.deepEqual(rig.handled, [{ irq: 24, cpu: 2 }, { irq: 24, cpu: 3 }]);
    assert.deepEqual([rig.chip(24).prev_vector, rig.chip(24).clist, rig.kernel.vector_irq[2][34]], [0, null, null]);
  });

  it('answers -EBUSY to a second move until the first is finished', () => {
    rig.request(24);
    rig.move(24, 3);
    rig.raise(nic, 0);
    const vectorLevel = rig.kernel.irq_desc_tree.get(24)!.irq_data.parent_data!;
    const set = (cpu: number): number => run(rig.world, 3, () => vectorLevel.chip.irq_set_affinity!(vectorLevel, cpumask.of(4, cpu), false));
    assert.equal(set(1), -EBUSY);
    assert.equal(set(3), 0);
  });

  it('does not move to a CPU of the mask when it is on one already', () => {
    rig.request(24);
    rig.move(24, 2, 3);
    const from = rig.kernel.trace.length;
    rig.raise(nic, 0);
    assert.deepEqual(events(rig.world, from), []);
    assert.deepEqual(rig.place(24), { cpu: 2, vector: 34 });
  });

  it('is silent about an interrupt on a vector taken away, and complains about one that nobody knows', () => {
    const strike = (vector: number): void => run(rig.world, 0, function* () { rig.world.machine.cpus[1].lapic.accept(vector, false); });
    rig.request(24);
    rig.free(24);
    rig.kernel.vector_irq[1][100] = 'VECTOR_SHUTDOWN';
    const before = rig.kernel.log.length;
    strike(100);
    assert.equal(rig.kernel.log.length, before);
    strike(100);
    assert.equal(rig.kernel.log[before].text, 'common_interrupt: 1.100 No irq handler for vector');
    strike(0xef);
    assert.equal(rig.kernel.log[before + 1].text, 'Spurious interrupt (vector 0xef) on CPU#1. Acked');
    assert.equal(rig.world.machine.cpus[1].lapic.deliverable(), null);
  });

  it('reserves again when the handler goes, and forgets the reservation with the vectors', () => {
    rig.request(24);
    let from = rig.kernel.trace.length;
    rig.free(24);
    assert.deepEqual(events(rig.world, from).map(line => line.split(':')[0]), [
      'vector_deactivate', 'vector_clear', 'irq_matrix_free', 'irq_matrix_reserve', 'vector_reserve', 'vector_config',
    ]);
    from = rig.kernel.trace.length;
    run(rig.world, 0, () => pci_free_irq_vectors(nic));
    assert.deepEqual(events(rig.world, from).slice(0, 2), [
      'vector_teardown: irq=24 is_managed=0 has_reserved=1',
      'irq_matrix_remove_reserved: online_maps=4 global_avl=798, global_rsvd=12, total_alloc=6',
    ]);
    assert.equal(rig.kernel.vector_matrix.global_reserved, 10);
    assert.equal(rig.kernel.irq_desc_tree.has(24), false);
  });

  it('has no request granted when no CPU has a vector left, and keeps the reservation', () => {
    for (const { alloc_map, managed_map } of rig.kernel.vector_matrix.maps) for (let bit = 33; bit < 236; bit++) if (!managed_map.test(bit)) alloc_map.set(bit);
    for (const map of rig.kernel.vector_matrix.maps) map.available = 0;
    assert.equal(rig.request(24), -ENOSPC);
    assert.deepEqual([rig.chip(24).has_reserved, rig.chip(24).vector], [true, 0]);
  });

  it('says that an affinity is broken when its CPUs are full and another is not', () => {
    rig.kernel.vector_matrix.maps[1].available = 0;
    rig.move(24, 1);
    assert.equal(rig.request(24), 0);
    assert.equal(rig.place(24).cpu, 2);
    assert.equal(rig.kernel.log.at(-1)!.text, 'irq 24: Affinity broken due to vector space exhaustion.');
  });
});

describe('more vectors than there are', () => {
  it('are all allocated, and requested until none of 2 x 201 is left', () => {
    const config = plain(2);
    const rig = new Rig({ ...config, pci: [{ ...config.pci[0], msix: { entries: 1024 } }] });
    const dev = rig.device(NIC);
    rig.enable(dev, 1);
    assert.equal(rig.msix(dev, 1000, 1), 1000);
    assert.ok(rig.kernel.log.some(({ text }) => text === 'Interrupt reservation exceeds available resources'));

    const taken = rig.kernel.vector_matrix.total_allocated;
    const results = dev.msi_list.map(({ irq }) => rig.request(irq, 1));
    assert.equal(results.indexOf(-ENOSPC), 402 - taken);
    assert.deepEqual(new Set(results.slice(402 - taken)), new Set([-ENOSPC]));
    assert.equal(rig.kernel.vector_matrix.global_available, 0);
  });
});

describe('managed vectors', () => {
  it('go where the capture has them: one bit a CPU, the queue 0 vector beside', () => {
    const rig = new Rig();
    const nvme = rig.device(NVME);
    rig.enable(nvme);
    assert.equal(rig.queues(nvme, 4), 5);
    assert.deepEqual(rig.kernel.vector_matrix.maps.map(({ managed_map }) => managed_map.toString()), ['34', '35', '34', '34']);
    for (const irq of [24, 25, 26, 27, 28]) assert.equal(rig.request(irq), 0);
    assert.deepEqual([25, 26, 27, 28].map(irq => rig.place(irq)), [0, 1, 2, 3].map(cpu => ({ cpu, vector: cpu === 1 ? 35 : 34 })));
    assert.equal(rig.kernel.vector_matrix.maps[0].managed_allocated, 1);
  });

  it('are shut down with their last CPU and start again with it; others stay where they went', () => {
    const rig = new Rig();
    const nvme = rig.device(NVME);
    rig.enable(nvme);
    rig.queues(nvme, 4);
    for (const irq of [24, 25, 26, 27, 28]) rig.request(irq);

    assert.equal(rig.place(1).cpu, 3);
    rig.kernel.cpus[3].irqs_enabled = false;
    assert.equal(run(rig.world, 3, () => native_cpu_disable()), 0);
    assert.deepEqual([rig.chip(28).vector, rig.chip(28).hw_irq_cfg.vector], [0, 0xef]);
    assert.notEqual(rig.place(1).cpu, 3);
    const { online: isOnline, managed, allocated, managed_allocated } = rig.kernel.vector_matrix.maps[3];
    assert.deepEqual({ isOnline, managed, allocated, managed_allocated }, { isOnline: false, managed: 1, allocated: 0, managed_allocated: 0 });

    run(rig.world, 3, () => start_secondary());
    assert.equal(rig.kernel.vector_matrix.maps[3].available, 200);
  });
});

describe('NUMA', () => {
  it('tries the node first, within the affinity', () => {
    const config = plain(8);
    const rig = new Rig({ ...config, cpus: config.cpus.map(({ apicId }) => ({ apicId, node: apicId >> 2 })), pci: config.pci.map(f => ({ ...f, node: 1 })) });
    const nic = rig.device(NIC);
    rig.enable(nic);
    rig.msix(nic, 3);
    rig.request(24);
    assert.equal(rig.place(24).cpu >> 2, 1);

    // one CPU of its node only, though others of the node have as many left
    rig.move(26, 1, 6);
    const from = rig.kernel.trace.length;
    rig.request(26);
    assert.equal(rig.place(26).cpu, 6);
    assert.equal(events(rig.world, from).filter(line => line.startsWith('vector_alloc:')).length, 1);

    // its node full: 5.10 stays inside the affinity and leaves the node
    for (const cpu of [4, 5, 6, 7]) rig.kernel.vector_matrix.maps[cpu].available = 0;
    rig.move(25, 2, 5);
    rig.request(25);
    assert.equal(rig.place(25).cpu, 2);
  });
});

describe('MSI that cannot be masked', () => {
  it('has a vector from the start and moves in two steps', () => {
    const config = plain();
    const rig = new Rig({ ...config, pci: [{ ...config.pci[0], msix: undefined, msi: { vectors: 1, maskable: false, addr64: true } }] });
    const dev = rig.device(NIC);
    rig.enable(dev);
    assert.equal(run(rig.world, 0, () => pci_alloc_irq_vectors(dev, 1, 1, PCI_IRQ_MSI)), 1);
    const before = rig.place(24);
    assert.deepEqual([before, rig.chip(24).can_reserve], [{ cpu: 2, vector: 34 }, false]);
    rig.request(24);

    rig.move(24, 3);
    rig.raise(dev, 0);
    assert.deepEqual(rig.place(24), { cpu: 3, vector: 34 });
    rig.raise(dev, 0);
    assert.deepEqual(rig.handled, [{ irq: 24, cpu: 2 }, { irq: 24, cpu: 3 }]);
    assert.equal(rig.chip(24).prev_vector, 0);
  });
});

describe('a CPU that goes offline while an interrupt is leaving it', () => {
  /** Moves 24 from CPU 2 to CPU 3 and takes CPU 2 away before anything arrives on CPU 3. */
  function leave(kernel: 'v5.10' | 'v5.10.223'): Rig {
    const rig = new Rig(plain(), { kernel });
    const nic = rig.device(NIC);
    rig.enable(nic);
    rig.msix(nic, 3);
    rig.request(24);
    rig.move(24, 3);
    rig.raise(nic, 0);
    assert.deepEqual([rig.chip(24).move_in_progress, rig.chip(24).prev_cpu], [true, 2]);

    rig.kernel.cpus[2].irqs_enabled = false;
    assert.equal(run(rig.world, 2, () => native_cpu_disable()), 0);
    rig.raise(nic, 0);
    return rig;
  }

  it('keeps the vector for ever in v5.10', () => {
    const rig = leave('v5.10');
    assert.deepEqual([rig.chip(24).prev_vector, rig.kernel.vector_matrix.maps[2].alloc_map.toString()], [0, '34']);
  });

  it('gives it back in v5.10.223, and says that a move was under way', () => {
    const rig = leave('v5.10.223');
    assert.deepEqual([rig.chip(24).prev_vector, rig.kernel.vector_matrix.maps[2].alloc_map.toString()], [0, '']);
    assert.ok(rig.kernel.log.some(({ text }) => text === 'IRQ fixup: irq 24 move in progress, old vector 34'));
  });

  it('may not go when its vectors fit nowhere else', () => {
    const rig = new Rig();
    rig.kernel.vector_matrix.global_available = 200;
    rig.kernel.cpus[3].irqs_enabled = false;
    assert.equal(run(rig.world, 3, () => native_cpu_disable()), -ENOSPC);
    assert.equal(rig.kernel.log.at(-1)!.text, 'CPU 3 has 1 vectors, 0 available. Cannot disable CPU');
    assert.equal(rig.kernel.cpu_online_mask.test(3), true);
  });
});

describe('a level interrupt of the IOAPIC', () => {
  const PIN = 23;
  let rig: Rig;

  beforeEach(() => {
    rig = new Rig();
    rig.enable(rig.device(NIC));
    rig.request(PIN);
  });

  const line = (asserted: boolean): void => run(rig.world, 0, function* () { rig.world.machine.setGsi(PIN, asserted); });
  const pulse = (): void => {
    rig.kernel.cpus.forEach(cpu => (cpu.irqs_enabled = false));
    line(true);
    line(false);
    rig.kernel.cpus.forEach(cpu => (cpu.irqs_enabled = true));
    run(rig.world, 0, function* () {});
  };

  it('ends there after the handler, so that the next one comes', () => {
    pulse();
    pulse();
    assert.deepEqual(rig.handled.map(({ irq }) => irq), [PIN, PIN]);
    assert.equal(rig.kernel.irq_mis_count, 0);
  });

  it('moves at the end of the next one, when remote IRR is clear', () => {
    const { cpu } = rig.place(PIN);
    const target = (cpu + 1) % 4;
    rig.move(PIN, target);
    assert.equal(rig.place(PIN).cpu, cpu);
    pulse();
    assert.equal(rig.place(PIN).cpu, target);
    pulse();
    assert.deepEqual(rig.handled.map(handled => handled.cpu), [cpu, target]);
    assert.equal(rig.chip(PIN).prev_vector, 0);
  });
});
