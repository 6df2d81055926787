import type { Op } from '../../../stepper/op';
import { type irq_chip, type irq_data, IRQ_LEVEL } from '../../include/irq';
import { handle_level_irq, irq_modify_status, irq_set_chip_and_handler_name } from '../../irq/chip';
import { disable_irq_nosync, enable_irq } from '../../irq/manage';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, raw_spinlock } from '../../lib/locking';
import { has, kernel, machine } from '../../world';
import { lapic_assign_legacy_vector } from './apic/lapic';
import { ISA_IRQ_VECTOR } from './hw_irq';

// The 8259 pair: arch/x86/kernel/i8259.c. The machine's pair keeps nothing that waits.

export const NR_IRQS_LEGACY = 16;
export const PIC_CASCADE_IR = 2;

export interface legacy_pic {
  readonly nr_legacy_irqs: number;
  readonly mask: (irq: number) => Op;
  readonly unmask: (irq: number) => Op;
  readonly mask_all: () => Op;
  readonly restore_mask: () => Op;
  readonly init: (auto_eoi: boolean) => Op;
  readonly probe: () => Op<number>;
  readonly irq_pending: (irq: number) => Op<boolean>;
  readonly make_irq: (irq: number) => Op;
}

export const i8259_globals = () => ({
  legacy_pic: default_legacy_pic,
  i8259A_lock: new raw_spinlock('i8259A_lock'),
  /** one bit for each interrupt; 1 = masked */
  cached_irq_mask: 0xffff,
  i8259A_chip: {
    name: 'XT-PIC',
    irq_mask: disable_8259A_irq,
    irq_disable: disable_8259A_irq,
    irq_unmask: enable_8259A_irq,
    irq_mask_ack: mask_and_ack_8259A,
    flags: 0,
  } as irq_chip,
});

export const nr_legacy_irqs = (): number => kernel.legacy_pic.nr_legacy_irqs;

/** Source: arch/x86/kernel/i8259.c, mask_8259A_irq() */
function* mask_8259A_irq(irq: number): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.i8259A_lock);
  kernel.cached_irq_mask |= 1 << irq;
  machine.pic.mask = kernel.cached_irq_mask;
  yield* raw_spin_unlock_irqrestore(kernel.i8259A_lock, flags);
}

/** Source: arch/x86/kernel/i8259.c, unmask_8259A_irq() */
function* unmask_8259A_irq(irq: number): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.i8259A_lock);
  kernel.cached_irq_mask &= ~(1 << irq);
  machine.pic.mask = kernel.cached_irq_mask;
  yield* raw_spin_unlock_irqrestore(kernel.i8259A_lock, flags);
}

function* disable_8259A_irq(data: irq_data): Op {
  yield* mask_8259A_irq(data.irq);
}

function* enable_8259A_irq(data: irq_data): Op {
  yield* unmask_8259A_irq(data.irq);
}

/** Source: arch/x86/kernel/i8259.c, mask_and_ack_8259A() */
function* mask_and_ack_8259A(data: irq_data): Op {
  yield* mask_8259A_irq(data.irq);
}

/** Nothing ever waits in the machine's pair. */
function* i8259A_irq_pending(irq: number): Op<boolean> {
  return false;
}

/** The interrupt goes back from the IOAPIC to the pair. Source: arch/x86/kernel/i8259.c, make_8259A_irq() */
function* make_8259A_irq(irq: number): Op {
  yield* disable_irq_nosync(irq);
  kernel.io_apic_irqs &= ~(1 << irq);
  yield* irq_set_chip_and_handler_name(irq, kernel.i8259A_chip, handle_level_irq, null);
  if (has('legacy-pic-level')) yield* irq_modify_status(irq, 0, IRQ_LEVEL);
  yield* enable_irq(irq);
  yield* lapic_assign_legacy_vector(irq, true);
}

function* probe_8259A(): Op<number> {
  return nr_legacy_irqs();
}

/** All masked, in the registers only. Source: arch/x86/kernel/i8259.c, mask_8259A() */
function* mask_8259A(): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.i8259A_lock);
  machine.pic.mask = 0xffff;
  yield* raw_spin_unlock_irqrestore(kernel.i8259A_lock, flags);
}

/** The registers get the mask that was set last. Source: arch/x86/kernel/i8259.c, unmask_8259A() */
function* unmask_8259A(): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.i8259A_lock);
  machine.pic.mask = kernel.cached_irq_mask;
  yield* raw_spin_unlock_irqrestore(kernel.i8259A_lock, flags);
}

/** With automatic EOI acknowledging only masks. Source: arch/x86/kernel/i8259.c, init_8259A() */
function* init_8259A(auto_eoi: boolean): Op {
  machine.pic.base = ISA_IRQ_VECTOR(0);
  yield* unmask_8259A();
}

const default_legacy_pic: legacy_pic = Object.freeze({
  nr_legacy_irqs: NR_IRQS_LEGACY,
  mask: mask_8259A_irq,
  unmask: unmask_8259A_irq,
  mask_all: mask_8259A,
  restore_mask: unmask_8259A,
  init: init_8259A,
  probe: probe_8259A,
  irq_pending: i8259A_irq_pending,
  make_irq: make_8259A_irq,
});

function* legacy_pic_noop(): Op {
  return;
}

/** Of a machine without an 8259 pair. */
export const null_legacy_pic: legacy_pic = Object.freeze({
  nr_legacy_irqs: 0,
  mask: legacy_pic_noop,
  unmask: legacy_pic_noop,
  mask_all: legacy_pic_noop,
  restore_mask: legacy_pic_noop,
  init: legacy_pic_noop,
  probe: legacy_pic_probe,
  irq_pending: i8259A_irq_pending,
  make_irq: legacy_pic_noop,
});

/** Source: arch/x86/kernel/i8259.c, legacy_pic_probe() */
function* legacy_pic_probe(): Op<number> {
  return 0;
}
