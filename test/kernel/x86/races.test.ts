import assert from 'node:assert/strict';
import { SPIV } from '../../../src/hardware/local-apic-registers';
import { sysvec_irq_move_cleanup } from '../../../src/kernel/arch/x86/apic/vector_move';
import { native_cpu_disable } from '../../../src/kernel/arch/x86/smpboot';
import { pci_alloc_irq_vectors } from '../../../src/kernel/drivers/pci/msi_api';
import { PCI_IRQ_MSI, type PciDev } from '../../../src/kernel/include/pci';
import { plain, run, takeInterrupts } from './machines';
import { NIC, Rig } from './rig';

const nothing = function* (): Generator<never, void> {};

describe('races', () => {
  let rig: Rig;
  let nic: PciDev;

  const lapic = (cpu: number) => rig.world.machine.cpus[cpu].lapic;
  const interruptsOff = (cpu: number): void => void (rig.kernel.cpus[cpu].irqs_enabled = false);
  const interruptsOn = (cpu: number): void => {
    rig.kernel.cpus[cpu].irqs_enabled = true;
    takeInterrupts(rig.world);
  };
  const warnings = (): string[] => rig.kernel.log.filter(({ level }) => level === 'warn' || level === 'emerg').map(({ text }) => text);

  /** 24 on CPU 2, vector 34. */
  beforeEach(() => {
    rig = new Rig();
    nic = rig.device(NIC);
    rig.enable(nic);
    rig.msix(nic, 3);
    rig.request(24);
  });

  it('a late interrupt on the old vector does not finish the move', () => {
    rig.move(24, 3);
    interruptsOff(2);
    rig.raise(nic, 0);
    // a second message is on its way to the old place when the first is handled
    interruptsOn(2);
    lapic(2).accept(34);
    run(rig.world, 0, nothing);
    assert.deepEqual(rig.handled.map(({ cpu }) => cpu), [2, 2]);
    assert.equal(rig.chip(24).move_in_progress, true);

    rig.raise(nic, 0);
    assert.equal(rig.chip(24).prev_vector, 0);
    assert.deepEqual(warnings(), []);
  });

  it('a vector that still waits in the old local APIC is not freed yet', () => {
    rig.move(24, 3);
    rig.raise(nic, 0);
    interruptsOff(2);
    rig.raise(nic, 0);
    assert.equal(rig.chip(24).clist, 2);
    lapic(2).accept(34);

    run(rig.world, 2, sysvec_irq_move_cleanup);
    assert.deepEqual([rig.chip(24).prev_vector, rig.chip(24).clist], [34, 2]);
    interruptsOn(2);
    assert.deepEqual([rig.chip(24).prev_vector, rig.chip(24).clist], [0, null]);
    assert.deepEqual(rig.handled.map(({ cpu }) => cpu), [2, 3, 2]);
  });

  it('an interrupt between the two messages of an MSI that cannot be masked is sent again', () => {
    const config = plain();
    rig = new Rig({ ...config, pci: [{ ...config.pci[0], msix: undefined, msi: { vectors: 1, maskable: false, addr64: true } }] });
    nic = rig.device(NIC);
    rig.enable(nic);
    run(rig.world, 0, () => pci_alloc_irq_vectors(nic, 1, 1, PCI_IRQ_MSI));
    rig.request(24);
    // another vector on CPU 3, so that address and data change
    rig.kernel.vector_matrix.maps[3].alloc_map.set(34);
    rig.move(24, 3);

    const data = nic.msi_cap + 12;
    const write16 = nic.hw.write16.bind(nic.hw);
    let armed = true;
    nic.hw.write16 = (offset, value) => {
      write16(offset, value);
      if (offset !== data || !armed) return;
      armed = false;
      nic.hw.raise(0);
    };
    rig.raise(nic, 0);
    assert.equal(armed, false);
    assert.deepEqual(rig.place(24), { cpu: 3, vector: 35 });
    assert.deepEqual(rig.handled.map(({ cpu }) => cpu).sort(), [2, 3]);
    assert.equal(rig.kernel.vector_irq[2][35], null);
    assert.deepEqual(warnings(), []);
  });

  it('a level interrupt is not moved while remote IRR is set', () => {
    rig.request(23);
    const { cpu } = rig.place(23);
    rig.move(23, (cpu + 1) % 4);
    // the end of interrupt does not reach the IOAPIC
    lapic(cpu).spurious = SPIV.with(lapic(cpu).spurious, { directed_eoi: 1 });
    run(rig.world, 0, function* () { rig.world.machine.setGsi(23, true); });
    assert.equal(rig.place(23).cpu, cpu);
    assert.equal(rig.handled.length, 1);
  });

  it('an interrupt that waits in a CPU going offline is sent again elsewhere', () => {
    interruptsOff(2);
    rig.raise(nic, 0);
    assert.equal(lapic(2).deliverable(), 34);
    assert.equal(run(rig.world, 2, native_cpu_disable), 0);
    assert.equal(rig.kernel.vector_irq[2][34], 'VECTOR_RETRIGGERED');
    assert.notEqual(rig.place(24).cpu, 2);
    assert.deepEqual(rig.handled, [{ irq: 24, cpu: rig.place(24).cpu }]);
  });
});
