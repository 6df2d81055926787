import assert from 'node:assert/strict';
import { RTE } from '../../../src/hardware/io-apic';
import { APIC_LVT0, LVT } from '../../../src/hardware/local-apic-registers';
import type { MachineConfig } from '../../../src/hardware/machine-config';
import { DELIVERY } from '../../../src/hardware/message';
import { TIMER_ROUTES, type TimerRoute } from '../../../src/hardware/timer-route';
import { type apic_chip_data, apic_chip_data_of } from '../../../src/kernel/arch/x86/apic/apic_chip_data';
import type { mp_chip_data } from '../../../src/kernel/arch/x86/apic/io_apic_types';
import { boot_steps } from '../../../src/kernel/init/main';
import type { World } from '../../../src/kernel/world';
import { boot, plain, powerOn, remapped, run } from './machines';

const ticking = (...timerRoutes: TimerRoute[]): MachineConfig => ({ ...plain(), timerRoutes });
const timerLines = ({ kernel }: World): string[] => kernel.log.map(({ text }) => text).filter(text => /^\.\.|^IO-APIC \+ timer/.test(text) && !/^\.\.\. APIC|^\.\.\.\. node/.test(text));
const irq0 = ({ kernel }: World) => kernel.irq_desc_tree.get(0)!;
const lint0 = ({ machine }: World) => LVT.decode(machine.cpus[0].lapic.peek(APIC_LVT0)!);
const chipData = (world: World): apic_chip_data => apic_chip_data_of(irq0(world).irq_data)!;

const SAID = '..TIMER: vector=0x30 apic1=0 pin1=2 apic2=-1 pin2=-1';
const THROUGH_8259A = ['..MP-BIOS bug: 8254 timer not connected to IO-APIC', '...trying to set up timer (IRQ0) through the 8259A ...', '..... (found apic 0 pin 2) ...'];
const VIRTUAL_WIRE = '...trying to set up timer as Virtual Wire IRQ...';

describe('the check of the timer (check_timer)', () => {
  it('is content with the IOAPIC pin: the 8259 pair and LINT0 stay closed', () => {
    const world = boot(plain());
    assert.deepEqual(timerLines(world), [SAID]);
    assert.equal(irq0(world).irq_data.chip.name, 'IO-APIC');
    assert.deepEqual([world.machine.pic.mask & 1, lint0(world).masked], [1, 1]);
  });

  it('opens the 8259 pair beside the pin where that alone brings no ticks', () => {
    const world = boot(ticking('8259A'));
    assert.deepEqual(timerLines(world), [SAID, ...THROUGH_8259A, '....... works.']);
    assert.equal(world.machine.pic.mask & 1, 0);
    assert.equal(RTE.get(world.machine.ioapics[0].rte[2], 'mask'), 0);
    assert.deepEqual((irq0(world).irq_data.chip_data as mp_chip_data).irq_2_pin, [{ apic: 0, pin: 2 }]);
  });

  // 5.9.2-oracle-b-4cpu-noiommu: dmesg.txt, and local-APIC 2-edge in proc-interrupts.txt
  it('takes the pair by LINT0 with the vector that the timer has, and closes the pin', () => {
    const world = boot(ticking('virtual-wire'));
    assert.deepEqual(timerLines(world), [SAID, ...THROUGH_8259A, '....... failed.', VIRTUAL_WIRE, '..... works.']);
    assert.equal(irq0(world).irq_data.chip.name, 'local-APIC');
    assert.deepEqual([lint0(world).masked, lint0(world).delivery_mode, lint0(world).vector], [0, DELIVERY.FIXED, chipData(world).vector]);
    assert.equal(RTE.get(world.machine.ioapics[0].rte[2], 'mask'), 1);

    const before = irq0(world).kstat_irqs.get(0) ?? 0;
    run(world, 0, function* () { world.machine.raiseIsa(0); });
    assert.equal(irq0(world).kstat_irqs.get(0), before + 1);
  });

  // 5.10.0-32-u6-4cpu-threadirqs: dmesg.txt, and irq_matrix_assign_system: bit=48 in trace-vectors.txt
  it('gives the timer back to the pair at last: its vector is a system vector then', () => {
    const world = boot(ticking('ext-int'));
    assert.deepEqual(timerLines(world), [SAID, ...THROUGH_8259A, '....... failed.', VIRTUAL_WIRE, '..... failed.', '...trying to set up timer as ExtINT IRQ...', '..... works.']);
    assert.equal(irq0(world).irq_data.chip.name, 'XT-PIC');
    assert.deepEqual([lint0(world).masked, lint0(world).delivery_mode], [0, DELIVERY.EXTINT]);
    assert.ok(world.kernel.vector_matrix.system_map.test(0x30));

    const before = irq0(world).kstat_irqs.get(0) ?? 0;
    run(world, 0, function* () { world.machine.raiseIsa(0); });
    assert.equal(irq0(world).kstat_irqs.get(0), before + 1);
  });

  it('leaves the pin of the RTC as it was, which it uses to unlock the pair (unlock_ExtINT_logic)', () => {
    const { delivery_mode, mask, trigger, polarity } = RTE.decode(boot(ticking('ext-int')).machine.ioapics[0].rte[8]);
    assert.deepEqual({ delivery_mode, mask, trigger, polarity }, { delivery_mode: DELIVERY.FIXED, mask: 0, trigger: 0, polarity: 0 });
  });

  const panics = (config: MachineConfig): { world: World; error: Error } => {
    const world = powerOn(config);
    try {
      for (const step of boot_steps(world)) run(world, step.cpu, step.run);
    } catch (error) {
      return { world, error: error as Error };
    }
    throw new Error('the kernel has not panicked');
  };

  it('panics where no way works', () => {
    const { world, error } = panics(ticking());
    assert.match(error.message, /IO-APIC \+ timer doesn't work! {2}Boot with apic=debug and send a report\. {2}Then try booting with the 'noapic' option\./);
    assert.ok(timerLines(world).includes('..... failed :(.'));
  });

  it('panics at once under remapping: the other ways cannot be remapped', () => {
    const { world, error } = panics({ ...remapped(), timerRoutes: TIMER_ROUTES.filter(route => route !== 'io-apic') });
    assert.match(error.message, /timer doesn't work through Interrupt-remapped IO-APIC/);
    assert.deepEqual(timerLines(world), [SAID]);
  });

  it('is left out with no_timer_check', () => {
    assert.deepEqual(timerLines(boot(ticking(), { cmdline: 'no_timer_check' })), [SAID]);
  });

  it('closes the pin that works with disable_timer_pin_1', () => {
    assert.equal(RTE.get(boot(plain(), { cmdline: 'disable_timer_pin_1' }).machine.ioapics[0].rte[2], 'mask'), 1);
  });
});

describe('parameters of kernel/irq/spurious.c', () => {
  const said = (cmdline: string): string[] => boot(plain(), { cmdline }).kernel.log.map(({ text }) => text).filter(text => /lockup|Misrouted|may .*impact/.test(text));

  it('say in the log what they do', () => {
    assert.deepEqual(said('noirqdebug'), ['IRQ lockup detection disabled']);
    assert.deepEqual(said('irqfixup'), ['Misrouted IRQ fixup support enabled.', 'This may impact system performance.']);
    assert.deepEqual(said('irqpoll'), ['Misrouted IRQ fixup and polling support enabled', 'This may significantly impact system performance']);
    assert.deepEqual(said(''), []);
  });
});
