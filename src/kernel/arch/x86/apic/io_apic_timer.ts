import { APIC_LVT0, LVT } from '../../../../hardware/local-apic-registers';
import { DELIVERY } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import { panic_if_irq_remap } from '../../../drivers/iommu/irq_remapping';
import { IRQ_LEVEL, type irq_chip } from '../../../include/irq';
import { NUMA_NO_NODE } from '../../../include/topology';
import { handle_edge_irq, irq_clear_status_flags, irq_set_chip, irq_set_chip_and_handler_name } from '../../../irq/chip';
import { no_irq_chip } from '../../../irq/dummychip';
import { irq_get_irq_data, irq_get_next_irq } from '../../../irq/irqdesc';
import { irq_domain_activate_irq, irq_domain_deactivate_irq } from '../../../irq/irqdomain';
import { local_irq_restore, local_irq_save, mutex_lock, mutex_unlock } from '../../../lib/locking';
import { kernel } from '../../../world';
import { irq_alloc_info } from '../hw_irq';
import { nr_legacy_irqs, NR_IRQS_LEGACY } from '../i8259';
import { ack_APIC_irq, apic_printk, APIC_QUIET, apic_read, apic_write } from './apic';
import { mpc_ioapic_id, unmask_ioapic_irq } from './io_apic';
import { alloc_isa_irq_from_domain, ioapic_set_alloc_attr } from './io_apic_domain';
import { find_irq_entry, find_isa_irq, irq_trigger } from './io_apic_mp';
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

/** There is no clock to wait for a few ticks: the machine's timer works wherever it is connected. Source: arch/x86/kernel/apic/io_apic.c, timer_irq_works() */
function* timer_irq_works(): Op<boolean> {
  return true;
}

/** The timer through the IOAPIC; where the firmware names no pin, through the local APIC's own one. Source: arch/x86/kernel/apic/io_apic.c, check_timer(), less what it tries when the timer does not tick */
export function* check_timer(): Op {
  const irq_data = irq_get_irq_data(0)!;
  const cfg = yield* irqd_cfg(irq_data);
  const vector = cfg?.vector ?? 0;

  const flags = yield* local_irq_save();

  yield* kernel.legacy_pic.mask(0);
  apic_write(APIC_LVT0, LVT.encode({ masked: 1, delivery_mode: DELIVERY.EXTINT }));
  yield* kernel.legacy_pic.init(true);

  let { apic: apic1, pin: pin1 } = yield* find_isa_irq(0, 'INT');
  const { apic: apic2, pin: pin2 } = kernel.ioapic_i8259;

  apic_printk(APIC_QUIET, `..TIMER: vector=0x${vector.toString(16).toUpperCase().padStart(2, '0')} apic1=${apic1} pin1=${pin1} apic2=${apic2} pin2=${pin2}`, 'info');

  const no_pin1 = pin1 === -1;
  if (no_pin1) {
    panic_if_irq_remap('BIOS bug: timer not connected to IO-APIC');
    // The firmware may have named the 8259 pair's pin only.
    pin1 = pin2;
    apic1 = apic2;
  }

  if (pin1 !== -1) {
    if (no_pin1) {
      yield* mp_alloc_timer_irq(apic1, pin1);
    } else {
      const entry = yield* find_irq_entry(apic1, pin1);
      if (entry >= 0 && (yield* irq_trigger(kernel.mp_irqs[entry]))) yield* unmask_ioapic_irq(irq_data);
    }
    yield* irq_domain_deactivate_irq(irq_data);
    yield* irq_domain_activate_irq(irq_data, false);
    if (yield* timer_irq_works()) {
      yield* local_irq_restore(flags);
      return;
    }
  }

  apic_printk(APIC_QUIET, '...trying to set up timer as Virtual Wire IRQ...', 'info');
  yield* lapic_register_intr(0);
  apic_write(APIC_LVT0, LVT.encode({ delivery_mode: DELIVERY.FIXED, vector }));
  yield* kernel.legacy_pic.unmask(0);
  if (yield* timer_irq_works()) apic_printk(APIC_QUIET, '..... works.', 'info');

  yield* local_irq_restore(flags);
}
