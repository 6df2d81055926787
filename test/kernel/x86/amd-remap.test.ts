import assert from 'node:assert/strict';
import type { MachineConfig } from '../../../src/hardware/machine-config';
import { DTE_2 } from '../../../src/hardware/amd-iommu-registers';
import { IRTE_32, IRTE_GA_HI, IRTE_GA_LO, IRTE_GA_LO_VAPIC } from '../../../src/hardware/amd-irte';
import { RTE } from '../../../src/hardware/io-apic';
import { amd_ir_data, type amd_iommu_pi_data } from '../../../src/kernel/drivers/iommu/amd/amd_iommu_types';
import { amd_iommu_attach_device } from '../../../src/kernel/drivers/iommu/amd/device';
import { amd_iommu_register_ga_log_notifier } from '../../../src/kernel/drivers/iommu/amd/events';
import { amd_iommu_update_ga } from '../../../src/kernel/drivers/iommu/amd/guest';
import { dte_data } from '../../../src/kernel/drivers/iommu/amd/irq_table';
import { pci_alloc_irq_vectors, pci_free_irq_vectors } from '../../../src/kernel/drivers/pci/msi_api';
import { PCI_IRQ_MSI } from '../../../src/kernel/include/pci';
import { irqd_msi_nomask_quirk } from '../../../src/kernel/include/irq';
import { irq_set_vcpu_affinity } from '../../../src/kernel/irq/manage';
import { ENOSPC } from '../../../src/kernel/lib/errno';
import type { KernelTask } from '../../../src/kernel/world';
import { amdRemapped, IOMMU } from './amd-machine';
import { boot, events, type Options, run } from './machines';
import { NIC, NVME, Rig } from './rig';

const IOAPIC = 0xa0;
const MULTI_MSI = 9;
/** Requester id of the network card. */
const NIC_ID = 0x18;

class AmdRig extends Rig {
  readonly unit = this.world.machine.amdRemapUnits[0];

  private readonly tasks: KernelTask[] = [];

  constructor(config: MachineConfig, options?: Options) {
    super(config, options);
    this.world.spawn = task => void this.tasks.push(task);
  }

  /** Lets interrupt threads do their work. */
  settle(): void {
    run(this.world, 0, function* () {});
    for (let task = this.tasks.shift(); task; task = this.tasks.shift()) run(this.world, task.cpu, task.run);
  }

  tableOf(devid: number): number {
    return this.kernel.irq_lookup_table.get(devid)!.table;
  }

  entry(devid: number, index: number) {
    return this.unit.peekEntry(this.tableOf(devid), index);
  }

  data(irq: number): amd_ir_data {
    for (let d = this.kernel.irq_desc_tree.get(irq)!.irq_data; ; d = d.parent_data!) if (d.chip_data instanceof amd_ir_data) return d.chip_data;
  }

  /** Entries of a device's table that are taken. */
  taken(devid: number): number[] {
    return Array.from({ length: 512 }, (_, i) => i).filter(i => IRTE_GA_HI.get(this.entry(devid, i).high, 'vector') !== 0);
  }

  log(from: number): string[] {
    return this.kernel.log.slice(from).map(({ text }) => text);
  }
}

describe('the boot of an AMD machine', () => {
  // 5.10.0-32-e-4cpu-amdir, snapshot boot
  it('makes the domains AMD-IR-0 and AMD-IR-MSI-0-3, and IO-APIC-IR-0 below', () => {
    const { irq_domain_list } = new AmdRig(amdRemapped()).kernel;
    assert.deepEqual(irq_domain_list.map(d => `${d.name} < ${d.parent?.name ?? '-'} ${d.flags.toString(16)} ${d.mapcount}`), [
      'PCI-MSI-3 < VECTOR 53 1', 'IO-APIC-IR-0 < AMD-IR-0 3 15', 'AMD-IR-MSI-0-3 < AMD-IR-0 13 0', 'AMD-IR-0 < VECTOR 3 15', 'VECTOR < - 3 16',
    ]);
  });

  it('says what the log of the capture says', () => {
    const lines = (kernel: 'v5.10' | 'v5.10.223'): string[] => boot(amdRemapped(), { kernel }).kernel.log.map(({ text }) => text).filter(text => /AMD-Vi|^ PreF/.test(text));
    const ends = 'AMD-Vi: Interrupt remapping enabled';
    assert.deepEqual(lines('v5.10.223'), [`pci ${IOMMU}: AMD-Vi: Found IOMMU cap 0x40`, 'AMD-Vi: Extended features (0x29d3): PreF PPR GT IA GA HE', ends]);
    assert.deepEqual(lines('v5.10'), [`pci ${IOMMU}: AMD-Vi: Found IOMMU cap 0x40`, `pci ${IOMMU}: AMD-Vi: Extended features (0x29d3):`, ' PreF PPR GT IA GA HE', ends]);
  });

  it("gives the unit's own function an MSI that is not remapped and has a vector at once", () => {
    const { kernel } = new AmdRig(amdRemapped());
    const { irq_data } = kernel.irq_desc_tree.get(24)!;
    assert.deepEqual([irq_data.domain!.name, irq_data.parent_data!.domain!.name, irq_data.hwirq], ['PCI-MSI-3', 'VECTOR', 2 << 11]);
    assert.ok(irqd_msi_nomask_quirk(irq_data));
    const activate = kernel.trace.find(({ event, text }) => event === 'vector_activate' && text.startsWith('irq=24'))!;
    assert.match(activate.text, /reserve=0/);
  });

  it('numbers the entries of IOAPIC pins as the pins, and keeps the first 32 for them', () => {
    const rig = new AmdRig(amdRemapped());
    assert.equal(rig.kernel.irq_lookup_table.get(IOAPIC)!.min_index, 32);
    assert.deepEqual(rig.taken(IOAPIC), Array.from({ length: 32 }, (_, i) => i));
    const { irq_data } = rig.kernel.irq_desc_tree.get(4)!;
    assert.deepEqual([irq_data.chip.name, irq_data.parent_data!.hwirq, rig.data(4).irq_2_irte.index], ['IR-IO-APIC', IOAPIC << 16, 4]);
    assert.deepEqual({ ...RTE.decode(rig.world.machine.ioapics[0].rte[4]), delivery_status: 0 }, {
      vector: 4, delivery_mode: 0, dest_mode: 0, delivery_status: 0, polarity: 0, irr: 0, trigger: 0, mask: 0, dest: 0,
    });
  });

  it('delivers a line through the entry of its pin, more than once', () => {
    const rig = new AmdRig(amdRemapped());
    rig.request(11);
    const line = (): void => run(rig.world, 0, function* () { rig.world.machine.setGsi(11, true); rig.world.machine.setGsi(11, false); });
    line();
    line();
    assert.deepEqual(rig.handled.map(({ irq }) => irq), [11, 11]);
  });

  it('remaps nothing without the IOAPIC of the southbridge', () => {
    const { kernel } = boot(amdRemapped({ ioapics: [{ id: 0, requesterId: 0xa1 }] }));
    assert.equal(kernel.irq_remapping_enabled, false);
    assert.deepEqual(kernel.log.filter(({ level }) => level === 'err').map(({ text }) => text), ['AMD-Vi: [Firmware Bug]: : No southbridge IOAPIC found', 'AMD-Vi: Disabling interrupt remapping']);
    assert.deepEqual([...new Set(kernel.pci_devices.map(dev => dev.msi_domain!.name))], ['PCI-MSI-3']);
  });

  it('remaps nothing with intremap=off or amd_iommu=off; only the first leaves the unit on', () => {
    for (const [cmdline, on] of [['intremap=off', true], ['amd_iommu=off', false]] as const) {
      const { kernel, machine } = boot(amdRemapped(), { cmdline });
      assert.deepEqual([kernel.irq_remapping_enabled, machine.amdRemapUnits[0].enabled, kernel.irq_desc_tree.has(24)], [false, on, on], cmdline);
    }
  });
});

for (const ga of [true, false]) {
  describe(`AMD interrupt remapping with entries of ${ga ? 128 : 32} bits`, () => {
    const vectorOf = ({ low, high }: { low: bigint; high: bigint }): number => (ga ? IRTE_GA_HI.get(high, 'vector') : IRTE_32.get(Number(low), 'vector'));
    const validOf = ({ low }: { low: bigint }): number => IRTE_GA_LO.get(low, 'valid');
    let rig: AmdRig;

    beforeEach(() => {
      rig = new AmdRig(amdRemapped({ ga }));
      rig.enable(rig.device(NIC));
      rig.msix(rig.device(NIC), 3);
    });

    it('allocates entries from 0 on in a table of the device, and writes their numbers as messages', () => {
      const nic = rig.device(NIC);
      assert.equal(nic.msi_domain!.name, 'AMD-IR-MSI-0-3');
      assert.deepEqual(nic.msi_list.map(({ irq, msg }) => [irq, msg.address_lo.toString(16), msg.data]), [[25, 'fee00000', 0], [26, 'fee00000', 1], [27, 'fee00000', 2]]);
      const dte = DTE_2.decode(rig.world.machine.memory.read64(dte_data(NIC_ID, 2)));
      assert.deepEqual([dte.irq_remap_enable, dte.irq_table_len, dte.int_ctl, dte.irq_table * 64], [1, 9, 2, rig.tableOf(NIC_ID)]);
      assert.notEqual(rig.tableOf(NIC_ID), rig.tableOf(IOAPIC));
    });

    it('has one hwirq for all entries of a device: only the first can be found by it', () => {
      const { parent_data } = rig.kernel.irq_desc_tree.get(26)!.irq_data;
      assert.equal(parent_data!.hwirq, NIC_ID << 16);
      assert.equal(parent_data!.domain!.revmap_tree.get(NIC_ID << 16)!.irq, 25);
      const inside = [...rig.kernel.irq_desc_tree.values()].filter(({ irq_data }) => irq_data.parent_data?.domain === parent_data!.domain);
      assert.equal(parent_data!.domain!.mapcount, inside.length);
    });

    it('moves at once and frees the old vector before the write returns; the device keeps its message', () => {
      const nic = rig.device(NIC);
      rig.request(25);
      rig.raise(nic, 0);
      const [{ cpu: old }, to] = [rig.place(25), (rig.place(25).cpu + 1) % 4];
      const from = rig.kernel.trace.length;
      assert.equal(rig.move(25, to), 0);
      assert.deepEqual(events(rig.world, from).map(line => line.split(':')[0]), ['irq_matrix_alloc', 'vector_alloc', 'vector_update', 'vector_config', 'vector_free_moved', 'irq_matrix_free']);
      assert.equal(vectorOf(rig.entry(NIC_ID, 0)), rig.place(25).vector);
      rig.raise(nic, 0);
      assert.deepEqual(rig.handled, [{ irq: 25, cpu: old }, { irq: 25, cpu: to }]);
    });

    it('keeps the vector in the entry of an interrupt that is not activated: the entry stays taken', () => {
      rig.request(25);
      rig.free(25);
      const entry = rig.entry(NIC_ID, 0);
      assert.deepEqual([validOf(entry), vectorOf(entry) !== 0], [0, true]);
      run(rig.world, 0, () => pci_free_irq_vectors(rig.device(NIC)));
      assert.deepEqual([0, 1, 2].map(i => rig.entry(NIC_ID, i).low | rig.entry(NIC_ID, i).high), [0n, 0n, 0n]);
    });

    it('reports an interrupt whose entry is not valid', () => {
      rig.request(25);
      rig.free(25);
      const from = rig.kernel.log.length;
      rig.world.machine.sendMessage(NIC_ID, 0, 0xfee00000, 0);
      rig.settle();
      assert.deepEqual(rig.log(from), ['pci 0000:00:03.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000 address=0xfdf8000000 flags=0x0008]']);
    });

    it('reports who sends and is in no table', () => {
      const from = rig.kernel.log.length;
      rig.world.machine.sendMessage(0x300, 0, 0xfee00000, 5);
      rig.settle();
      assert.equal(rig.log(from)[0], 'iommu ivhd0: AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=03:00.0 pasid=0x00000 address=0xfdf8050000 flags=0x0008]');
      assert.match(rig.log(from)[1], /^AMD-Vi: DTE\[0\]: [0-9a-f]{16}$/);
    });
  });
}

describe('AMD interrupt tables', () => {
  it('align the entries of one MSI to a power of two, and take no more than are asked for', () => {
    for (const [kernel, activated] of [['v5.10', 1], ['v5.10.223', 3]] as const) {
      const rig = new AmdRig(amdRemapped(), { kernel });
      const dev = rig.device(MULTI_MSI);
      const devid = MULTI_MSI << 3;
      rig.enable(dev);
      assert.equal(run(rig.world, 0, () => pci_alloc_irq_vectors(dev, 3, 3, PCI_IRQ_MSI)), 3);
      assert.deepEqual(rig.taken(devid), [0, 1, 2]);
      assert.deepEqual([25, 26, 27].map(irq => rig.kernel.irq_desc_tree.get(irq)!.irq_data.parent_data!.hwirq - (devid << 16)), [0, 1, 2]);
      assert.equal([0, 1, 2].filter(i => rig.entry(devid, i).low & 1n).length, activated);

      for (const irq of [25, 26, 27]) rig.request(irq);
      for (const vector of [0, 1, 2]) rig.raise(dev, vector);
      assert.deepEqual(rig.handled.map(({ irq }) => irq), [25, 26, 27]);
    }
  });

  it('skip to the next aligned entries where one in the way is taken', () => {
    const rig = new AmdRig(amdRemapped());
    const dev = rig.device(MULTI_MSI);
    rig.enable(dev);
    run(rig.world, 0, () => pci_alloc_irq_vectors(dev, 1, 1, PCI_IRQ_MSI));
    run(rig.world, 0, () => pci_free_irq_vectors(dev));
    rig.world.machine.memory.write64(rig.tableOf(MULTI_MSI << 3) + 16 * 2 + 8, IRTE_GA_HI.encode({ vector: 0xff }));
    assert.equal(run(rig.world, 0, () => pci_alloc_irq_vectors(dev, 4, 4, PCI_IRQ_MSI)), 4);
    assert.deepEqual(rig.taken(MULTI_MSI << 3), [2, 4, 5, 6, 7]);
    assert.equal(dev.msi_list[0].msg.data, 4);
  });

  it('are shared by a device and its alias, whose entries in the device table are one', () => {
    const rig = new AmdRig(amdRemapped({ aliases: [{ device: '0000:00:03.0', alias: '0000:00:04.0' }] }));
    const nvme = rig.device(NVME);
    rig.enable(nvme);
    rig.enable(rig.device(NIC));
    rig.msix(nvme, 2);
    rig.msix(rig.device(NIC), 3);
    assert.equal(rig.tableOf(NIC_ID), rig.tableOf(NVME << 3));
    assert.deepEqual(rig.device(NIC).msi_list.map(({ msg }) => msg.data), [2, 3, 4]);
    assert.equal(rig.world.machine.memory.read64(dte_data(NIC_ID, 2)), rig.world.machine.memory.read64(dte_data(NVME << 3, 2)));

    const irq = rig.device(NIC).msi_list[0].irq;
    rig.request(irq);
    rig.raise(rig.device(NIC), 0);
    rig.move(irq, 0);
    rig.raise(rig.device(NIC), 0);
    assert.deepEqual(rig.handled.map(({ cpu }) => cpu).at(-1), 0);
  });

  it('have room for 512 entries of a device', () => {
    const rig = new AmdRig(amdRemapped());
    const nvme = rig.device(NVME);
    rig.enable(nvme);
    rig.msix(nvme, 1);
    const table = rig.tableOf(NVME << 3);
    run(rig.world, 0, () => pci_free_irq_vectors(nvme));
    for (let i = 0; i < 510; i++) rig.world.machine.memory.write64(table + 16 * i + 8, 0xffn);
    assert.equal(rig.msix(nvme, 3), -ENOSPC);
    assert.ok(rig.kernel.log.some(({ text, level }) => level === 'warn' && text === 'AMD-Vi: Failed to allocate IRTE'));
    assert.equal(rig.msix(nvme, 2), 2);
    assert.deepEqual(nvme.msi_list.map(({ msg }) => msg.data), [510, 511]);
  });
});

describe('AMD interrupts for a guest', () => {
  const BACKING_PAGE = 0x4000000;
  const pi = (changes: Partial<amd_iommu_pi_data> = {}): amd_iommu_pi_data => ({
    ga_tag: 0x1002, prev_ga_tag: 0, base: BACKING_PAGE, is_guest_mode: true, vcpu_data: { pi_desc_addr: 0, vector: 0x51 }, ir_data: null, ...changes,
  });

  function given(guest: boolean): AmdRig {
    const rig = new AmdRig(amdRemapped({ guest }));
    const nic = rig.device(NIC);
    rig.enable(nic);
    rig.msix(nic, 1);
    rig.request(25);
    run(rig.world, 0, () => amd_iommu_attach_device(nic, true));
    return rig;
  }

  it('are logged while it does not run, and stand in its backing page', () => {
    const rig = given(true);
    const woken: number[] = [];
    run(rig.world, 0, () => amd_iommu_register_ga_log_notifier(function* (tag) { woken.push(tag); return 0; }));
    const data = pi();
    assert.equal(run(rig.world, 0, () => irq_set_vcpu_affinity(25, data)), 0);
    assert.equal(data.ir_data, rig.data(25));
    rig.raise(rig.device(NIC), 0);
    rig.settle();
    assert.deepEqual([rig.handled, woken, rig.world.machine.memory.read32(BACKING_PAGE + 0x220)], [[], [0x1002], 1 << 0x11]);
  });

  it('need no log while it runs: only the entry in the table is told where', () => {
    const rig = given(true);
    run(rig.world, 0, () => irq_set_vcpu_affinity(25, pi()));
    run(rig.world, 0, () => amd_iommu_update_ga(2, true, rig.data(25)));
    const live = IRTE_GA_LO_VAPIC.decode(rig.entry(NIC_ID, 0).low);
    assert.deepEqual([live.is_run, live.destination, IRTE_GA_LO_VAPIC.get((rig.data(25).entry as { lo: bigint }).lo, 'is_run')], [1, 2, 0]);
    rig.raise(rig.device(NIC), 0);
    const posted = rig.world.machine.events.filter(e => e.kind === 'posted');
    assert.deepEqual(posted.map(e => 'notified' in e && e.notified), [true]);
  });

  it('stay with it when the affinity changes, and come to the new CPU afterwards', () => {
    const rig = given(true);
    run(rig.world, 0, () => irq_set_vcpu_affinity(25, pi()));
    rig.move(25, 0);
    assert.equal(IRTE_GA_LO.get(rig.entry(NIC_ID, 0).low, 'guest_mode'), 1);
    const back = pi({ is_guest_mode: false });
    assert.equal(run(rig.world, 0, () => irq_set_vcpu_affinity(25, back)), 0);
    assert.equal(back.prev_ga_tag, 0x1002);
    rig.raise(rig.device(NIC), 0);
    assert.deepEqual(rig.handled, [{ irq: 25, cpu: 0 }]);
  });

  it('stay with the host where the unit has no entries for guests, or the device was not given away', () => {
    for (const [guest, attached] of [[false, true], [true, false]]) {
      const rig = given(guest);
      if (!attached) run(rig.world, 0, () => amd_iommu_attach_device(rig.device(NIC), false));
      assert.equal(run(rig.world, 0, () => irq_set_vcpu_affinity(25, pi())), 0);
      rig.raise(rig.device(NIC), 0);
      assert.deepEqual(rig.handled.map(({ irq }) => irq), [25]);
    }
  });
});

describe('an AMD machine in x2APIC mode', () => {
  it('has 32-bit destinations in its entries', () => {
    const rig = new AmdRig({ ...amdRemapped({ x2apic: true }), x2apic: true });
    assert.equal(rig.kernel.x2apic_mode, true);
    const nic = rig.device(NIC);
    rig.enable(nic);
    rig.msix(nic, 1);
    rig.request(25);
    assert.equal(IRTE_GA_LO.get(rig.entry(NIC_ID, 0).low, 'destination'), rig.chip(25).hw_irq_cfg.dest_apicid);
    rig.raise(nic, 0);
    assert.deepEqual(rig.handled.map(({ cpu }) => cpu), [rig.place(25).cpu]);
  });
});
