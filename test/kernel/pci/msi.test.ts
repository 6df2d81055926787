import assert from 'node:assert/strict';
import type { MachineConfig, PciFunctionConfig } from '../../../src/hardware/machine-config';
import { MSI_FLAGS, MSIX_FLAGS, PCI_MSIX_FLAGS } from '../../../src/hardware/pci-registers';
import { pattern_driver } from '../../../src/kernel/drivers/pattern';
import {
  pci_alloc_irq_vectors, pci_alloc_irq_vectors_affinity, pci_enable_msix_range, pci_free_irq_vectors, pci_irq_get_affinity, pci_irq_vector,
} from '../../../src/kernel/drivers/pci/msi_api';
import { __pci_read_msi_msg, __pci_write_msi_msg } from '../../../src/kernel/drivers/pci/msi_message';
import { pci_msi_domain_calc_hwirq } from '../../../src/kernel/drivers/pci/msi_irqdomain';
import { pci_enable_device, pci_set_master } from '../../../src/kernel/drivers/pci/pci';
import { pci_device_probe, pci_device_remove } from '../../../src/kernel/drivers/pci/pci-driver';
import { msi_msg } from '../../../src/kernel/include/msi';
import { PCI_IRQ_AFFINITY, PCI_IRQ_ALL_TYPES, PCI_IRQ_LEGACY, PCI_IRQ_MSI, PCI_IRQ_MSIX, type PciDev } from '../../../src/kernel/include/pci';
import { EINVAL, ENODEV, ENOSPC, ERANGE } from '../../../src/kernel/lib/errno';
import type { World } from '../../../src/kernel/world';
import type { Op } from '../../../src/stepper/op';
import { boot, type Options, plain, remapped, run } from '../x86/machines';

const base: PciFunctionConfig = { address: '0000:00:08.0', vendor: 0x1234, device: 0x11e8, class: 0x00ff00, intxPin: 1, gsi: 20, node: -1 };
const MSIX: PciFunctionConfig = { ...base, msix: { entries: 5 } };
const MSI8: PciFunctionConfig = { ...base, msi: { vectors: 8, maskable: true, addr64: true } };
const BOTH: PciFunctionConfig = { ...base, msi: { vectors: 1, maskable: false, addr64: true }, msix: { entries: 5 } };

/** A booted machine with one device, and what can be done with it. */
class Rig {
  readonly world: World;
  readonly dev: PciDev;

  constructor(fn: PciFunctionConfig, machine: MachineConfig = plain(), options: Options = {}) {
    this.world = boot({ ...machine, pci: [fn] }, options);
    this.dev = this.world.kernel.pci_devices[0]!;
  }

  run<T>(op: () => Op<T>): T {
    return run(this.world, 0, op);
  }

  alloc(min: number, max: number, flags: number): number {
    return this.run(() => pci_alloc_irq_vectors(this.dev, min, max, flags));
  }

  get control(): Record<'qsize' | 'maskall' | 'enable', number> {
    return MSIX_FLAGS.decode(this.dev.hw.read16(this.dev.msix_cap + PCI_MSIX_FLAGS));
  }

  /** Vector control of each table entry. */
  get masks(): boolean[] {
    return Array.from({ length: this.dev.hw.msix!.place.entries }, (_, i) => this.dev.hw.msix!.masked(i));
  }
}

describe('pci_alloc_irq_vectors_affinity', () => {
  it('takes MSI-X before MSI before the pin', () => {
    assert.equal(new Rig(BOTH).alloc(1, 4, PCI_IRQ_ALL_TYPES), 4);
    const msi = new Rig(BOTH);
    assert.equal(msi.alloc(1, 4, PCI_IRQ_MSI | PCI_IRQ_LEGACY), 1);
    assert.equal(msi.dev.msi_enabled, true);
    const pin = new Rig(base);
    pin.run(() => pci_enable_device(pin.dev));
    assert.equal(pin.alloc(1, 4, PCI_IRQ_ALL_TYPES), 1);
    assert.equal(pin.run(() => pci_irq_vector(pin.dev, 0)), 20);
  });

  it('gives as many as the table has, or -ENOSPC when that is too few', () => {
    assert.equal(new Rig(MSIX).alloc(1, 100, PCI_IRQ_MSIX), 5);
    const rig = new Rig(MSIX);
    assert.equal(rig.alloc(6, 100, PCI_IRQ_MSIX), -ENOSPC);
    assert.deepEqual(rig.dev.msi_list, []);
    assert.equal(rig.control.enable, 0);
  });

  it('answers -ERANGE, and -EINVAL without the capability or with pci=nomsi', () => {
    assert.equal(new Rig(MSIX).alloc(3, 2, PCI_IRQ_MSIX), -ERANGE);
    assert.equal(new Rig(base).alloc(1, 1, PCI_IRQ_MSIX), -EINVAL);
    assert.equal(new Rig(MSIX, plain(), { cmdline: 'pci=nomsi' }).alloc(1, 1, PCI_IRQ_MSIX), -EINVAL);
  });

  it('refuses MSI-X a second time, and MSI while MSI-X is on', () => {
    const rig = new Rig(BOTH);
    rig.alloc(1, 1, PCI_IRQ_MSIX);
    assert.equal(rig.alloc(1, 1, PCI_IRQ_MSIX), -EINVAL);
    assert.equal(rig.alloc(1, 1, PCI_IRQ_MSI), -EINVAL);
    assert.match(rig.world.kernel.log.map(l => l.text).join('\n'), /can't enable MSI \(MSI-X already enabled\)/);
  });

  it('warns and answers -ENODEV for a device without an MSI domain', () => {
    const rig = new Rig(MSIX);
    rig.dev.msi_domain = null;
    assert.equal(rig.alloc(1, 1, PCI_IRQ_MSIX), -ENODEV);
  });

  // b-4cpu-noiommu, steps.txt: "1 4 m" gives 1, "8 8 m" gives -28; c-4cpu-intelir: 8
  it('has several vectors of MSI only with remapping', () => {
    const one = new Rig(MSI8);
    assert.equal(one.alloc(1, 4, PCI_IRQ_MSI), 1);
    assert.equal(new Rig(MSI8).alloc(8, 8, PCI_IRQ_MSI), -ENOSPC);
    const eight = new Rig(MSI8, remapped());
    assert.equal(eight.alloc(8, 8, PCI_IRQ_MSI), 8);
    assert.equal(MSI_FLAGS.get(eight.dev.hw.read16(eight.dev.msi_cap + 2), 'qsize'), 3);
    assert.deepEqual(eight.dev.msi_list.length, 1);
    assert.equal(eight.dev.irq, eight.dev.msi_list[0].irq);
  });

  it('reserves the pre-vector and spreads the rest, one to a CPU', () => {
    const rig = new Rig(MSIX);
    const affd = { pre_vectors: 1, post_vectors: 0, nr_sets: 0, set_size: [0, 0, 0, 0] };
    assert.equal(rig.run(() => pci_alloc_irq_vectors_affinity(rig.dev, 1, 5, PCI_IRQ_MSIX | PCI_IRQ_AFFINITY, affd)), 5);
    const masks = [0, 1, 2, 3, 4].map(nr => String(rig.run(() => pci_irq_get_affinity(rig.dev, nr))));
    assert.deepEqual(masks, ['0-3', '0', '1', '2', '3']);
  });

  it('knows no affinity of vectors that were not spread', () => {
    const rig = new Rig(MSIX);
    rig.alloc(2, 2, PCI_IRQ_MSIX);
    assert.equal(rig.run(() => pci_irq_get_affinity(rig.dev, 1)), null);
  });

  it('takes vectors at once where the hypervisor has the mask bits', () => {
    const rig = new Rig(MSIX);
    rig.world.kernel.pci_msi_ignore_mask = true;
    const before = rig.world.kernel.vector_matrix.total_allocated;
    rig.alloc(2, 2, PCI_IRQ_MSIX);
    assert.equal(rig.world.kernel.vector_matrix.total_allocated, before + 2);
  });

  it('tells a driver that asks entry by entry its irqs; an entry twice is -EINVAL', () => {
    const rig = new Rig(MSIX);
    const entries = [{ entry: 4, vector: 0 }, { entry: 1, vector: 0 }];
    assert.equal(rig.run(() => pci_enable_msix_range(rig.dev, entries, 2, 2)), 2);
    assert.deepEqual(entries.map(e => e.vector), rig.dev.msi_list.map(d => d.irq));
    assert.notEqual(rig.dev.hw.msix!.message(4).data, 0);
    assert.equal(rig.dev.hw.msix!.message(0).data, 0);
    const twice = new Rig(MSIX);
    assert.equal(twice.run(() => pci_enable_msix_range(twice.dev, [{ entry: 1, vector: 0 }, { entry: 1, vector: 0 }], 2, 2)), -EINVAL);
  });
});

describe('MSI-X set-up', () => {
  it('leaves MSI-X on, the function unmasked, the pin off and the used entries masked', () => {
    const rig = new Rig(MSIX);
    rig.alloc(2, 2, PCI_IRQ_MSIX);
    assert.deepEqual(rig.control, { qsize: 4, maskall: 0, enable: 1 });
    assert.equal((rig.dev.hw.read16(4) >> 10) & 1, 1);
    assert.deepEqual(rig.dev.msi_irqs, rig.dev.msi_list.map(d => d.irq));
  });

  it('masks what nobody uses only from 5.10.60 on', () => {
    const masksAfter = (kernel: 'v5.10' | 'v5.10.223'): boolean[] => {
      const rig = new Rig(MSIX, plain(), { kernel });
      for (let entry = 0; entry < 5; entry++) rig.world.machine.write32(rig.dev.hw.space.bar(0) + entry * 16 + 12, 0);
      rig.alloc(2, 2, PCI_IRQ_MSIX);
      return rig.masks;
    };
    assert.deepEqual(masksAfter('v5.10'), [true, true, false, false, false]);
    assert.deepEqual(masksAfter('v5.10.223'), [true, true, true, true, true]);
  });

  it('gives everything back, the device masked and its pin on', () => {
    const rig = new Rig(MSIX);
    const irqs = rig.world.kernel.irq_desc_tree.size;
    rig.alloc(5, 5, PCI_IRQ_MSIX);
    rig.run(() => pci_free_irq_vectors(rig.dev));
    assert.equal(rig.control.enable, 0);
    assert.deepEqual(rig.masks, [true, true, true, true, true]);
    assert.equal((rig.dev.hw.read16(4) >> 10) & 1, 0);
    assert.equal(rig.world.kernel.irq_desc_tree.size, irqs);
    assert.equal(rig.dev.msi_irqs, null);
  });

  it('does not free what is still requested', () => {
    const rig = new Rig(MSIX);
    const driver = pattern_driver({ name: 'edu', alloc: [{ min: 1, max: 1, flags: PCI_IRQ_MSIX }], request: [{ vector: 0, name: 'edu', flags: 0 }] });
    rig.run(() => pci_device_probe(rig.dev, driver));
    assert.throws(() => rig.run(() => pci_free_irq_vectors(rig.dev)), /kernel BUG at drivers\/pci\/msi.c free_msi_irqs/);
  });
});

describe('a message', () => {
  // 5.10.0-32-b-4cpu-noiommu, irqlens.txt: address 0xfee01004, data 0x40ef of irqs that are allocated only
  it('carries the shutdown vector until the irq is requested', () => {
    const rig = new Rig(MSIX);
    rig.alloc(1, 1, PCI_IRQ_MSIX);
    const msg = rig.run(() => __pci_read_msi_msg(rig.dev.msi_list[0]));
    assert.deepEqual([msg.address_hi, msg.address_lo, msg.data], [0, 0xfee01004, 0x40ef]);
  });

  it('is written while its entry is masked only from 5.10.60 on', () => {
    const masksAtWrite = (kernel: 'v5.10' | 'v5.10.223'): boolean[] => {
      const rig = new Rig(MSIX, plain(), { kernel });
      rig.alloc(1, 1, PCI_IRQ_MSIX);
      const desc = rig.dev.msi_list[0];
      rig.world.machine.write32(rig.dev.hw.space.bar(0) + 12, 0);
      desc.masked = 0;
      const { hw } = rig.dev;
      const seen: boolean[] = [];
      const write = hw.writeMemory.bind(hw);
      hw.writeMemory = (address, value) => {
        if ((address & 0xf) !== 12) seen.push(hw.msix!.masked(0));
        write(address, value);
      };
      rig.run(() => __pci_write_msi_msg(desc, new msi_msg()));
      assert.equal(hw.msix!.masked(0), false);
      return seen;
    };
    assert.deepEqual(masksAtWrite('v5.10'), [false, false, false]);
    assert.deepEqual(masksAtWrite('v5.10.223'), [true, true, true]);
  });

  it('of an interrupt that the device raises reaches the handler, and a masked one waits in the pending bit', () => {
    const rig = new Rig(MSIX);
    const driver = pattern_driver({ name: 'edu', alloc: [{ min: 2, max: 2, flags: PCI_IRQ_MSIX }], request: [{ vector: 1, name: 'edu', flags: 0 }] });
    assert.equal(rig.run(() => pci_device_probe(rig.dev, driver)), 0);
    const raise = (entry: number) => rig.run(function* () { rig.dev.hw.raise(entry); });
    raise(1);
    const irq = rig.run(() => pci_irq_vector(rig.dev, 1));
    assert.equal(rig.world.kernel.irq_desc_tree.get(irq)!.tot_count, 1);
    raise(0); // allocated, never requested: its entry is masked
    assert.equal(rig.dev.hw.msix!.isPending(0), true);
    rig.run(() => pci_device_remove(rig.dev, driver));
    raise(1);
    assert.equal(rig.world.machine.interruptWaiting(), false);
  });

  it('has the number entry | requester << 11 | domain << 27 in its domain', () => {
    const rig = new Rig(MSIX);
    rig.alloc(2, 2, PCI_IRQ_MSIX);
    assert.equal(rig.run(() => pci_msi_domain_calc_hwirq(rig.dev.msi_list[1])), (0x40 << 11) | 1);
  });
});

describe('a pin', () => {
  const driver = pattern_driver({ name: 'edu', alloc: [{ min: 1, max: 1, flags: PCI_IRQ_LEGACY }], request: [{ vector: 0, name: 'edu', flags: 0x80 }] });

  for (const [name, machine] of [['plain', plain()], ['remapped', remapped()]] as const) {
    it(`interrupts as often as the device asks, on a ${name} machine`, () => {
      const rig = new Rig(base, machine);
      assert.equal(rig.run(() => pci_device_probe(rig.dev, driver)), 0);
      for (let i = 0; i < 3; i++) rig.run(function* () { rig.dev.hw.assertIntx(); });
      assert.equal(rig.world.kernel.irq_desc_tree.get(rig.dev.irq)!.tot_count, 3);
      assert.equal(rig.dev.hw.intxDriven, false);
    });
  }

  it('enabling nests and registers the line once', () => {
    const rig = new Rig(base);
    rig.run(() => pci_enable_device(rig.dev));
    rig.run(() => pci_enable_device(rig.dev));
    rig.run(() => pci_set_master(rig.dev));
    assert.deepEqual([rig.dev.enable_cnt, rig.dev.irq, rig.dev.irq_managed, rig.dev.is_busmaster], [2, 20, true, true]);
  });
});

describe('the MSI domain of a device', () => {
  it('is the default without remapping, and the unit\'s own with it', () => {
    assert.equal(new Rig(MSIX).dev.msi_domain!.name, 'PCI-MSI-3');
    assert.equal(new Rig(MSIX, remapped()).dev.msi_domain!.name, 'INTEL-IR-MSI-0-3');
  });
});
