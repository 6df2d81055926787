import assert from 'node:assert/strict';
import { IRQD } from '../../src/kernel/include/irq';
import type { irq_desc } from '../../src/kernel/include/irqdesc';
import { kstat_irqs_cpu } from '../../src/kernel/irq/irqdesc';
import { msi_desc_to_pci_dev } from '../../src/kernel/include/msi';
import type { World } from '../../src/kernel/world';
import { drain } from '../../src/scenario/drain';
import { ModelGuest } from '../../src/scenario/guest';
import { replayed } from './replayed';

const CAPTURES = ['5.10.0-32-b-4cpu-noiommu', '5.10.0-32-c-4cpu-intelir'];

/** Lets every CPU take its interrupts. */
function deliver(world: World): void {
  drain(new ModelGuest(world, []), 0, function* () {
    yield { wait: 'window' };
  });
}

/** Irqs that a device can raise, with the CPU that they go to. */
function started(world: World): { irq: number; desc: irq_desc; cpu: number }[] {
  return [...world.kernel.irq_desc_tree].flatMap(([irq, desc]) => {
    const { common } = desc.irq_data;
    return (common.state_use_accessors & IRQD.IRQ_STARTED) === 0 ? [] : [{ irq, desc, cpu: common.effective_affinity.first }];
  });
}

for (const name of CAPTURES) {
  describe(`the world of ${name}`, () => {
    it('has hardware in which each message reaches the CPU and the descriptor of its irq', () => {
      const { world } = replayed(name, 'msix4-req');
      const messages = started(world).filter(({ desc }) => desc.irq_common_data.msi_desc);
      assert.ok(messages.length >= 14);
      for (const { irq, desc, cpu } of messages) {
        const msi = desc.irq_common_data.msi_desc!;
        const after = new Map(desc.kstat_irqs).set(cpu, kstat_irqs_cpu(desc, cpu) + 1);
        msi_desc_to_pci_dev(msi).hw.raise(msi.msi_attrib.entry_nr);
        deliver(world);
        assert.deepEqual(desc.kstat_irqs, after, `irq ${irq}`);
      }
    });

    it('has IOAPIC pins that do the same', () => {
      const { world } = replayed(name, 'msix4-req');
      for (const irq of [0, 1, 4, 8, 12]) {
        const desc = world.kernel.irq_desc_tree.get(irq)!;
        const before = desc.tot_count;
        world.machine.setGsi(desc.irq_data.hwirq, true);
        world.machine.setGsi(desc.irq_data.hwirq, false);
        deliver(world);
        assert.equal(desc.tot_count, before + 1, `irq ${irq}`);
      }
    });

    it('holds back the message of an entry that is masked', () => {
      const { world } = replayed(name, 'msix4-unreq1');
      const [desc] = [...world.kernel.irq_desc_tree.values()].filter(d => d.action === null && d.irq_common_data.msi_desc !== null);
      const msi = desc.irq_common_data.msi_desc!;
      msi_desc_to_pci_dev(msi).hw.raise(msi.msi_attrib.entry_nr);
      deliver(world);
      assert.equal(desc.tot_count, 0);
      assert.ok(msi_desc_to_pci_dev(msi).hw.msix!.isPending(msi.msi_attrib.entry_nr));
    });
  });
}
