import { RTE } from '../../../../hardware/io-apic';
import { APIC_LVT0, LVT } from '../../../../hardware/local-apic-registers';
import { DELIVERY } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import { panic_if_irq_remap } from '../../../drivers/iommu/irq_remapping';
import { IRQ_LEVEL, type irq_chip, type irq_data } from '../../../include/irq';
import { cpu_to_node, NUMA_NO_NODE } from '../../../include/topology';
import { handle_edge_irq, irq_clear_status_flags, irq_set_chip, irq_set_chip_and_handler_name } from '../../../irq/chip';
import { no_irq_chip } from '../../../irq/dummychip';
import { irq_get_irq_data, irq_get_next_irq } from '../../../irq/irqdesc';
import { irq_domain_activate_irq, irq_domain_deactivate_irq } from '../../../irq/irqdomain';
import { local_irq_restore, local_irq_save, mutex_lock, mutex_unlock } from '../../../lib/locking';
import { panic, WARN_ON_ONCE } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { irq_alloc_info } from '../hw_irq';
import { nr_legacy_irqs, NR_IRQS_LEGACY } from '../i8259';
import { ack_APIC_irq, apic_printk, APIC_QUIET, apic_read, apic_write, read_apic_id, x2apic_enabled } from './apic';
import { clear_IO_APIC_pin, ioapic_read_entry, ioapic_write_entry, mpc_ioapic_id, unmask_ioapic_irq } from './io_apic';
import { add_pin_to_irq_node, alloc_isa_irq_from_domain, ioapic_set_alloc_attr } from './io_apic_domain';
import { find_irq_entry, find_isa_irq, irq_trigger } from './io_apic_mp';
import type { irq_pin, mp_chip_data } from './io_apic_types';
import { irqd_cfg } from './vector';

// The last of the IOAPIC's boot: lines without a vector, and the timer. This part of arch/x86/kernel/apic/io_apic.c.

const IO_APIC_IRQ = (irq: number): boolean => irq >= NR_IRQS_LEGACY || ((kernel.io_apic_irqs >>> irq) & 1) === 1;

/** A line of the IOAPIC that has no vector goes back to the 8259 pair. With reservation mode all have one. Source: arch/x86/kernel/apic/io_apic.c, init_IO_APIC_traps() */
export function* init_IO_APIC_traps(): Op {
  for (let irq = yield* irq_get_next_irq(0); irq < kernel.nr_irqs; irq = yield* irq_get_next_irq(irq + 1)) {
    const cfg = yield* irqd_cfg(irq_get_irq_data(irq));
    if (!IO_APIC_IRQ(irq) || !cfg || cfg.vector) continue;

    if (irq < nr_legacy_irqs()) yield* kernel.legacy_pic.make_irq(irq);
    else yield* irq_set_chip(irq, no_irq_chip);
  }
}

function* mask_lapic_irq(): Op {
  apic_write(APIC_LVT0, LVT.with(apic_read(APIC_LVT0), { masked: 1 }));
}

function* unmask_lapic_irq(): Op {
  apic_write(APIC_LVT0, LVT.with(apic_read(APIC_LVT0), { masked: 0 }));
}

function* ack_lapic_irq(): Op {
  ack_APIC_irq();
}

/** The local APIC's own pin LINT0. */
const lapic_chip: irq_chip = Object.freeze({ name: 'local-APIC', irq_mask: mask_lapic_irq, irq_unmask: unmask_lapic_irq, irq_ack: ack_lapic_irq, flags: 0 });

/** Source: arch/x86/kernel/apic/io_apic.c, lapic_register_intr() */
function* lapic_register_intr(irq: number): Op {
  yield* irq_clear_status_flags(irq, IRQ_LEVEL);
  yield* irq_set_chip_and_handler_name(irq, lapic_chip, handle_edge_irq, 'edge');
}

/** The timer on a pin that the firmware does not name. Source: arch/x86/kernel/apic/io_apic.c, mp_alloc_timer_irq() */
function* mp_alloc_timer_irq(ioapic: number, pin: number): Op<number> {
  const domain = kernel.ioapics[ioapic].irqdomain;
  if (!domain) return -1;

  const info = new irq_alloc_info();
  yield* ioapic_set_alloc_attr(info, NUMA_NO_NODE, 0, 0);
  info.devid = mpc_ioapic_id(ioapic);
  info.ioapic!.pin = pin;
  yield* mutex_lock(kernel.ioapic_mutex);
  const irq = yield* alloc_isa_irq_from_domain(domain, 0, ioapic, pin, info);
  yield* mutex_unlock(kernel.ioapic_mutex);
  return irq;
}

/** The pin that the timer's entry goes to is another one now. Source: arch/x86/kernel/apic/io_apic.c, replace_pin_at_irq_node() */
function* replace_pin_at_irq_node(data: mp_chip_data, node: number, from: irq_pin, to: irq_pin): Op {
  const entry = data.irq_2_pin.find(({ apic, pin }) => apic === from.apic && pin === from.pin);
  if (entry) Object.assign(entry, to);
  else yield* add_pin_to_irq_node(data, node, to.apic, to.pin);
}

/** Whether a few ticks come, with interrupts open. There is no clock to wait for: the machine tells. Source: arch/x86/kernel/apic/io_apic.c, timer_irq_works() */
function* timer_irq_works(): Op<boolean> {
  if (kernel.config.cmdline.includes('no_timer_check')) return true;

  const flags = yield* local_irq_save();
  yield* local_irq_restore(true);
  const ticks = machine.timerTicks();
  yield* local_irq_restore(flags);
  return ticks;
}

/** The RTC's pin stands for the pair's ExtINT until the RTC has interrupted a few times: the pair is acknowledged then. The machine has no clock to interrupt by. Source: arch/x86/kernel/apic/io_apic.c, unlock_ExtINT_logic() */
function* unlock_ExtINT_logic(): Op {
  const { apic, pin } = yield* find_isa_irq(8, 'INT');
  if (WARN_ON_ONCE(pin === -1, 'arch/x86/kernel/apic/io_apic.c unlock_ExtINT_logic')) return;

  const entry0 = yield* ioapic_read_entry(apic, pin);
  yield* clear_IO_APIC_pin(apic, pin);

  yield* ioapic_write_entry(apic, pin, RTE.encode({ delivery_mode: DELIVERY.EXTINT, polarity: RTE.get(entry0, 'polarity'), dest: read_apic_id() & 0xff }));

  yield* clear_IO_APIC_pin(apic, pin);
  yield* ioapic_write_entry(apic, pin, entry0);
}

/** The timer through the IOAPIC; where it does not tick there, through every other way that boards have been found to have. Source: arch/x86/kernel/apic/io_apic.c, check_timer() */
export function* check_timer(): Op {
  const irq_data = irq_get_irq_data(0)!;
  const cfg = yield* irqd_cfg(irq_data);
  const vector = cfg?.vector ?? 0;

  const flags = yield* local_irq_save();

  yield* kernel.legacy_pic.mask(0);
  apic_write(APIC_LVT0, LVT.encode({ masked: 1, delivery_mode: DELIVERY.EXTINT }));
  yield* kernel.legacy_pic.init(true);

  const pin1 = yield* find_isa_irq(0, 'INT');
  const pin2 = kernel.ioapic_i8259;
  const said = `apic1=${pin1.apic} pin1=${pin1.pin} apic2=${pin2.apic} pin2=${pin2.pin}`;
  apic_printk(APIC_QUIET, `..TIMER: vector=0x${vector.toString(16).toUpperCase().padStart(2, '0')} ${said}`, 'info');

  const works = (yield* timer_through_ioapic(irq_data, pin1, pin2)) || (yield* timer_through_lapic(vector));
  if (!works) panic("IO-APIC + timer doesn't work!  Boot with apic=debug and send a report.  Then try booting with the 'noapic' option.");

  yield* local_irq_restore(flags);
}

/** Directly, then through the 8259 pair and its pin. Where the firmware names only one pin, that is taken for both. This part of check_timer(). */
function* timer_through_ioapic(irq_data: irq_data, named: irq_pin, i8259: irq_pin): Op<boolean> {
  const no_pin1 = named.pin === -1;
  if (no_pin1) panic_if_irq_remap('BIOS bug: timer not connected to IO-APIC');
  const pin1 = no_pin1 ? i8259 : named;
  const pin2 = i8259.pin === -1 ? named : i8259;
  if (pin1.pin === -1) return false;

  if (no_pin1) {
    yield* mp_alloc_timer_irq(pin1.apic, pin1.pin);
  } else {
    const entry = yield* find_irq_entry(pin1.apic, pin1.pin);
    if (entry >= 0 && (yield* irq_trigger(kernel.mp_irqs[entry]))) yield* unmask_ioapic_irq(irq_data);
  }
  yield* irq_domain_deactivate_irq(irq_data);
  yield* irq_domain_activate_irq(irq_data, false);
  if (yield* timer_irq_works()) {
    if (kernel.config.cmdline.includes('disable_timer_pin_1')) yield* clear_IO_APIC_pin(0, pin1.pin);
    return true;
  }
  panic_if_irq_remap("timer doesn't work through Interrupt-remapped IO-APIC");
  yield* clear_IO_APIC_pin(pin1.apic, pin1.pin);
  if (!no_pin1) apic_printk(APIC_QUIET, '..MP-BIOS bug: 8254 timer not connected to IO-APIC', 'err');

  apic_printk(APIC_QUIET, '...trying to set up timer (IRQ0) through the 8259A ...', 'info');
  apic_printk(APIC_QUIET, `..... (found apic ${pin2.apic} pin ${pin2.pin}) ...`, 'info');
  yield* replace_pin_at_irq_node(irq_data.chip_data as mp_chip_data, cpu_to_node(0), pin1, pin2);
  yield* irq_domain_deactivate_irq(irq_data);
  yield* irq_domain_activate_irq(irq_data, false);
  yield* kernel.legacy_pic.unmask(0);
  if (yield* timer_irq_works()) {
    apic_printk(APIC_QUIET, '....... works.', 'info');
    return true;
  }

  yield* kernel.legacy_pic.mask(0);
  yield* clear_IO_APIC_pin(pin2.apic, pin2.pin);
  apic_printk(APIC_QUIET, '....... failed.', 'info');
  return false;
}

/** The 8259 pair's line at the boot CPU's LINT0: as an interrupt of the local APIC, then as the pair's own. This part of check_timer(). */
function* timer_through_lapic(vector: number): Op<boolean> {
  apic_printk(APIC_QUIET, '...trying to set up timer as Virtual Wire IRQ...', 'info');
  yield* lapic_register_intr(0);
  apic_write(APIC_LVT0, LVT.encode({ delivery_mode: DELIVERY.FIXED, vector }));
  yield* kernel.legacy_pic.unmask(0);
  if (yield* timer_irq_works()) {
    apic_printk(APIC_QUIET, '..... works.', 'info');
    return true;
  }

  yield* kernel.legacy_pic.mask(0);
  apic_write(APIC_LVT0, LVT.encode({ masked: 1, delivery_mode: DELIVERY.FIXED, vector }));
  apic_printk(APIC_QUIET, '..... failed.', 'info');

  apic_printk(APIC_QUIET, '...trying to set up timer as ExtINT IRQ...', 'info');
  yield* kernel.legacy_pic.init(false);
  yield* kernel.legacy_pic.make_irq(0);
  apic_write(APIC_LVT0, LVT.encode({ delivery_mode: DELIVERY.EXTINT }));
  yield* kernel.legacy_pic.unmask(0);
  yield* unlock_ExtINT_logic();
  if (yield* timer_irq_works()) {
    apic_printk(APIC_QUIET, '..... works.', 'info');
    return true;
  }

  apic_printk(APIC_QUIET, '..... failed :(.', 'info');
  if (x2apic_enabled()) {
    apic_printk(APIC_QUIET, 'Perhaps problem with the pre-enabled x2apic mode\nTry booting with x2apic and interrupt-remapping disabled in the bios.', 'info');
  }
  return false;
}
