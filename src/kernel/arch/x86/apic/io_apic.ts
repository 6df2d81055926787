import {
  IOAPIC_DATA, IOAPIC_EOI, IOAPIC_INDEX, IOAPIC_RTE, IOAPIC_VERSION, RTE, VERSION_REGISTER,
} from '../../../../hardware/io-apic';
import { APIC_TMR } from '../../../../hardware/local-apic-registers';
import { DELIVERY } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import type { ChangeId } from '../../../changes';
import {
  IRQ_SET_MASK_OK_DONE, type irq_chip, type irq_data, type irqchip_irq_state, irqd_irq_masked, irqd_is_setaffinity_pending,
} from '../../../include/irq';
import { irq_chip_ack_parent, irq_chip_retrigger_hierarchy } from '../../../irq/chip';
import { irq_move_masked_irq } from '../../../irq/migration';
import type { cpumask } from '../../../lib/cpumask';
import { EINVAL } from '../../../lib/errno';
import { mutex, raw_spin_lock, raw_spin_lock_irqsave, raw_spin_unlock, raw_spin_unlock_irqrestore, raw_spinlock } from '../../../lib/locking';
import { pr_err } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { acpi_boot_globals } from '../acpi/boot';
import { x86_chip_flags } from '../hw_irq';
import { nr_legacy_irqs } from '../i8259';
import { ack_APIC_irq, vector_bit } from './apic';
import { type ioapic, type irq_pin, type mp_chip_data, type mpc_intsrc } from './io_apic_types';
import { apic_ack_irq, irqd_cfg } from './vector';
import { irq_complete_move } from './vector_move';

export * from './io_apic_domain';
export * from './io_apic_mp';
export * from './io_apic_types';

// The IOAPIC's registers and its irq_chips: arch/x86/kernel/apic/io_apic.c. Which pin is which interrupt, and the domain: io_apic_domain.ts.

export const io_apic_globals = (changes: ReadonlySet<ChangeId>) => ({
  ioapics: [] as ioapic[],
  /** one past the highest global interrupt line */
  gsi_top: 0,
  mp_irqs: [] as mpc_intsrc[],
  skip_ioapic_setup: false,
  ioapic_initialized: false,
  ioapic_dynirq_base: 0,
  ioapic_lock: new raw_spinlock('ioapic_lock'),
  ioapic_mutex: new mutex('ioapic_mutex'),
  /** the pin that the 8259 pair is connected to */
  ioapic_i8259: { apic: -1, pin: -1 },
  ioapic_chip: ioapic_chip('IO-APIC', ioapic_ack_level, x86_chip_flags(changes)),
  ioapic_ir_chip: ioapic_chip('IR-IO-APIC', ioapic_ir_ack_level, x86_chip_flags(changes)),
  ...acpi_boot_globals(),
});

const ioapic_chip = (name: string, irq_eoi: (data: irq_data) => Op, flags: number): irq_chip => ({
  name,
  irq_startup: startup_ioapic_irq,
  irq_mask: mask_ioapic_irq,
  irq_unmask: unmask_ioapic_irq,
  irq_ack: irq_chip_ack_parent,
  irq_eoi,
  irq_set_affinity: ioapic_set_affinity,
  irq_retrigger: irq_chip_retrigger_hierarchy,
  irq_get_irqchip_state: ioapic_irq_get_chip_state,
  flags,
});

export const mpc_ioapic_id = (idx: number): number => kernel.ioapics[idx].mp_config.apicid;
const mpc_ioapic_ver = (idx: number): number => kernel.ioapics[idx].mp_config.apicver;
const mpc_ioapic_addr = (idx: number): number => kernel.ioapics[idx].mp_config.apicaddr;

/** All pins of all IOAPICs. */
const ioapic_pins = (): irq_pin[] =>
  kernel.ioapics.flatMap(({ nr_registers }, apic) => Array.from({ length: nr_registers }, (_, pin) => ({ apic, pin })));

/** Source: arch/x86/kernel/apic/io_apic.c, disable_ioapic_support() */
export function* disable_ioapic_support(): Op {
  kernel.skip_ioapic_setup = true;
}

/** Source: arch/x86/kernel/apic/io_apic.c, arch_early_ioapic_init() */
export function* arch_early_ioapic_init(): Op<number> {
  if (nr_legacy_irqs() === 0) kernel.io_apic_irqs = -1;

  for (const ioapic of kernel.ioapics) ioapic.saved_registers = new Array<bigint>(ioapic.nr_registers).fill(0n);

  return 0;
}

/** The lowest number for an interrupt that may have any. Source: arch/x86/kernel/apic/io_apic.c, arch_dynirq_lower_bound() */
export function* arch_dynirq_lower_bound(from: number): Op<number> {
  // The remapping units' fault interrupts are allocated before the IOAPICs are set up.
  if (!kernel.ioapic_initialized) return kernel.gsi_top;
  return kernel.ioapic_dynirq_base || from;
}

/** Source: arch/x86/kernel/apic/io_apic.c, io_apic_eoi() */
function io_apic_eoi(apic: number, vector: number): void {
  machine.write32(mpc_ioapic_addr(apic) + IOAPIC_EOI, vector);
}

/** Source: arch/x86/kernel/apic/io_apic.c, native_io_apic_read() */
export function io_apic_read(apic: number, reg: number): number {
  return io_apic_read_at(mpc_ioapic_addr(apic), reg);
}

/** The same for an IOAPIC that is not registered yet. */
function io_apic_read_at(address: number, reg: number): number {
  machine.write32(address + IOAPIC_INDEX, reg);
  return machine.read32(address + IOAPIC_DATA);
}

function io_apic_write(apic: number, reg: number, value: number): void {
  machine.write32(mpc_ioapic_addr(apic) + IOAPIC_INDEX, reg);
  machine.write32(mpc_ioapic_addr(apic) + IOAPIC_DATA, value);
}

const low_word = (entry: bigint): number => Number(entry & 0xffffffffn);
const high_word = (entry: bigint): number => Number(entry >> 32n);

/** Source: arch/x86/kernel/apic/io_apic.c, __ioapic_read_entry() */
function* __ioapic_read_entry(apic: number, pin: number): Op<bigint> {
  const w1 = io_apic_read(apic, IOAPIC_RTE(pin));
  const w2 = io_apic_read(apic, IOAPIC_RTE(pin) + 1);
  return (BigInt(w2) << 32n) | BigInt(w1);
}

/** Source: arch/x86/kernel/apic/io_apic.c, ioapic_read_entry() */
export function* ioapic_read_entry(apic: number, pin: number): Op<bigint> {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  const entry = yield* __ioapic_read_entry(apic, pin);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);
  return entry;
}

/** The high word first: the low one may unmask. Source: arch/x86/kernel/apic/io_apic.c, __ioapic_write_entry() */
function* __ioapic_write_entry(apic: number, pin: number, e: bigint): Op {
  io_apic_write(apic, IOAPIC_RTE(pin) + 1, high_word(e));
  io_apic_write(apic, IOAPIC_RTE(pin), low_word(e));
}

/** Source: arch/x86/kernel/apic/io_apic.c, ioapic_write_entry() */
export function* ioapic_write_entry(apic: number, pin: number, e: bigint): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  yield* __ioapic_write_entry(apic, pin, e);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);
}

/** The low word first: masked before the rest changes. Source: arch/x86/kernel/apic/io_apic.c, ioapic_mask_entry() */
export function* ioapic_mask_entry(apic: number, pin: number): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  io_apic_write(apic, IOAPIC_RTE(pin), low_word(RTE.encode({ mask: 1 })));
  io_apic_write(apic, IOAPIC_RTE(pin) + 1, 0);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);
}

/** Source: arch/x86/kernel/apic/io_apic.c, io_apic_modify_irq(), for the mask bit */
function* io_apic_modify_irq(data: mp_chip_data, mask: 0 | 1): Op {
  data.entry = RTE.with(data.entry, { mask });
  for (const { apic, pin } of data.irq_2_pin) {
    io_apic_write(apic, IOAPIC_RTE(pin), low_word(data.entry));
    // Reading back waits until the mask has reached the IOAPIC.
    if (mask) io_apic_read(apic, IOAPIC_RTE(pin));
  }
}

/** Source: arch/x86/kernel/apic/io_apic.c, mask_ioapic_irq() */
function* mask_ioapic_irq(irq_data: irq_data): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  yield* io_apic_modify_irq(irq_data.chip_data as mp_chip_data, 1);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);
}

/** Source: arch/x86/kernel/apic/io_apic.c, __unmask_ioapic() */
function* __unmask_ioapic(data: mp_chip_data): Op {
  yield* io_apic_modify_irq(data, 0);
}

/** Source: arch/x86/kernel/apic/io_apic.c, unmask_ioapic_irq() */
export function* unmask_ioapic_irq(irq_data: irq_data): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  yield* __unmask_ioapic(irq_data.chip_data as mp_chip_data);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);
}

/** Clear remote IRR: by the EOI register from version 0x20 on, else by a moment as an edge entry. Source: arch/x86/kernel/apic/io_apic.c, __eoi_ioapic_pin() */
function* __eoi_ioapic_pin(apic: number, pin: number, vector: number): Op {
  if (mpc_ioapic_ver(apic) >= 0x20) {
    io_apic_eoi(apic, vector);
  } else {
    const entry = yield* __ioapic_read_entry(apic, pin);
    yield* __ioapic_write_entry(apic, pin, RTE.with(entry, { mask: 1, trigger: 0 }));
    yield* __ioapic_write_entry(apic, pin, entry);
  }
}

/** Source: arch/x86/kernel/apic/io_apic.c, eoi_ioapic_pin() */
function* eoi_ioapic_pin(vector: number, data: mp_chip_data): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  for (const { apic, pin } of data.irq_2_pin) yield* __eoi_ioapic_pin(apic, pin, vector);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);
}

/** Source: arch/x86/kernel/apic/io_apic.c, clear_IO_APIC_pin() */
export function* clear_IO_APIC_pin(apic: number, pin: number): Op {
  let entry = yield* ioapic_read_entry(apic, pin);
  if (RTE.get(entry, 'delivery_mode') === DELIVERY.SMI) return;

  if (RTE.get(entry, 'mask') === 0) {
    yield* ioapic_write_entry(apic, pin, RTE.with(entry, { mask: 1 }));
    entry = yield* ioapic_read_entry(apic, pin);
  }

  if (RTE.get(entry, 'irr')) {
    // An edge entry keeps its remote IRR whatever one does.
    if (RTE.get(entry, 'trigger') === 0) yield* ioapic_write_entry(apic, pin, RTE.with(entry, { trigger: 1 }));
    const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
    yield* __eoi_ioapic_pin(apic, pin, RTE.get(entry, 'vector'));
    yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);
  }

  yield* ioapic_mask_entry(apic, pin);
  entry = yield* ioapic_read_entry(apic, pin);
  if (RTE.get(entry, 'irr')) pr_err(`Unable to reset IRR for apic: ${mpc_ioapic_id(apic)}, pin :${pin}`);
}

/** Source: arch/x86/kernel/apic/io_apic.c, clear_IO_APIC() */
function* clear_IO_APIC(): Op {
  for (const { apic, pin } of ioapic_pins()) yield* clear_IO_APIC_pin(apic, pin);
}

/** Find where the 8259 pair is connected, and empty all entries. Source: arch/x86/kernel/apic/io_apic.c, enable_IO_APIC() */
export function* enable_IO_APIC(): Op {
  if (kernel.skip_ioapic_setup) kernel.ioapics.length = 0;

  if (nr_legacy_irqs() === 0 || kernel.ioapics.length === 0) return;

  for (const { apic, pin } of ioapic_pins()) {
    const entry = yield* ioapic_read_entry(apic, pin);
    if (RTE.get(entry, 'mask') === 0 && RTE.get(entry, 'delivery_mode') === DELIVERY.EXTINT) {
      kernel.ioapic_i8259 = { apic, pin };
      break;
    }
  }

  yield* clear_IO_APIC();
}

/** Source: arch/x86/kernel/apic/io_apic.c, save_ioapic_entries() */
export function* save_ioapic_entries(): Op<number> {
  for (const { apic, pin } of ioapic_pins()) kernel.ioapics[apic].saved_registers![pin] = yield* ioapic_read_entry(apic, pin);
  return 0;
}

/** Source: arch/x86/kernel/apic/io_apic.c, mask_ioapic_entries() */
export function* mask_ioapic_entries(): Op {
  for (const { apic, pin } of ioapic_pins()) {
    const entry = kernel.ioapics[apic].saved_registers![pin];
    if (RTE.get(entry, 'mask') === 0) yield* ioapic_write_entry(apic, pin, RTE.with(entry, { mask: 1 }));
  }
}

/** Source: arch/x86/kernel/apic/io_apic.c, restore_ioapic_entries() */
export function* restore_ioapic_entries(): Op {
  for (const { apic, pin } of ioapic_pins()) yield* ioapic_write_entry(apic, pin, kernel.ioapics[apic].saved_registers![pin]);
}

/** @returns pins. Source: arch/x86/kernel/apic/io_apic.c, io_apic_get_redir_entries() */
export const io_apic_get_redir_entries = (address: number): number =>
  VERSION_REGISTER.get(io_apic_read_at(address, IOAPIC_VERSION), 'max_redirect') + 1;

/** Source: arch/x86/kernel/apic/io_apic.c, io_apic_get_version() */
export const io_apic_get_version = (address: number): number => VERSION_REGISTER.get(io_apic_read_at(address, IOAPIC_VERSION), 'version');

/** Unmasks; an edge that the 8259 pair saw before is reported. @returns 1 if the interrupt was pending. Source: arch/x86/kernel/apic/io_apic.c, startup_ioapic_irq() */
function* startup_ioapic_irq(data: irq_data): Op<number> {
  let was_pending = 0;

  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  if (data.irq < nr_legacy_irqs()) {
    yield* kernel.legacy_pic.mask(data.irq);
    if (yield* kernel.legacy_pic.irq_pending(data.irq)) was_pending = 1;
  }
  yield* __unmask_ioapic(data.chip_data as mp_chip_data);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);

  return was_pending;
}

/** Whether remote IRR is set on a pin. Source: arch/x86/kernel/apic/io_apic.c, io_apic_level_ack_pending() */
function* io_apic_level_ack_pending(data: mp_chip_data): Op<boolean> {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  let pending = false;
  for (const { apic, pin } of data.irq_2_pin) {
    pending = RTE.get(BigInt(io_apic_read(apic, IOAPIC_RTE(pin))), 'irr') === 1;
    if (pending) break;
  }
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);

  return pending;
}

/** @returns whether the interrupt is to be moved now; it is masked then. Source: arch/x86/kernel/apic/io_apic.c, ioapic_prepare_move() */
function* ioapic_prepare_move(data: irq_data): Op<boolean> {
  if (!irqd_is_setaffinity_pending(data)) return false;
  if (!irqd_irq_masked(data)) yield* mask_ioapic_irq(data);
  return true;
}

/** Moves, but not while remote IRR is set: an entry reprogrammed then would never fire again. Source: arch/x86/kernel/apic/io_apic.c, ioapic_finish_move() */
function* ioapic_finish_move(data: irq_data, moveit: boolean): Op {
  if (!moveit) return;
  if (!(yield* io_apic_level_ack_pending(data.chip_data as mp_chip_data))) yield* irq_move_masked_irq(data);
  if (!irqd_irq_masked(data)) yield* unmask_ioapic_irq(data);
}

/** Source: arch/x86/kernel/apic/io_apic.c, ioapic_ack_level() */
function* ioapic_ack_level(irq_data: irq_data): Op {
  const cfg = (yield* irqd_cfg(irq_data))!;

  yield* irq_complete_move(cfg);
  const moveit = yield* ioapic_prepare_move(irq_data);

  const arrived_as = cfg.vector;
  const level = vector_bit(APIC_TMR, arrived_as);

  // Acknowledged before it is moved: later the end of interrupt would not find the entry.
  ack_APIC_irq();

  // What arrived as an edge (erratum, or sent again by a CPU that went offline) ends no level interrupt at the IOAPIC.
  if (!level) {
    kernel.irq_mis_count++;
    yield* eoi_ioapic_pin(cfg.vector, irq_data.chip_data as mp_chip_data);
  }

  yield* ioapic_finish_move(irq_data, moveit);
}

/** Under remapping the entry's vector is the pin: the end of interrupt goes to that. Source: arch/x86/kernel/apic/io_apic.c, ioapic_ir_ack_level() */
function* ioapic_ir_ack_level(irq_data: irq_data): Op {
  const data = irq_data.chip_data as mp_chip_data;

  yield* apic_ack_irq(irq_data);
  yield* eoi_ioapic_pin(RTE.get(data.entry, 'vector'), data);
}

/** Write the entry; vector and destination are its own only without remapping. Source: arch/x86/kernel/apic/io_apic.c, ioapic_configure_entry() */
export function* ioapic_configure_entry(irqd: irq_data): Op {
  const mpd = irqd.chip_data as mp_chip_data;
  const cfg = (yield* irqd_cfg(irqd))!;

  if (irqd.chip === kernel.ioapic_chip) mpd.entry = RTE.with(mpd.entry, { dest: cfg.dest_apicid & 0xff, vector: cfg.vector });
  for (const { apic, pin } of mpd.irq_2_pin) yield* __ioapic_write_entry(apic, pin, mpd.entry);
}

/** Source: arch/x86/kernel/apic/io_apic.c, ioapic_set_affinity() */
function* ioapic_set_affinity(irq_data: irq_data, mask: cpumask, force: boolean): Op<number> {
  const parent = irq_data.parent_data!;

  const ret = yield* parent.chip.irq_set_affinity!(parent, mask, force);
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  if (ret >= 0 && ret !== IRQ_SET_MASK_OK_DONE) yield* ioapic_configure_entry(irq_data);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);

  return ret;
}

/** Whether a level interrupt is still in flight: remote IRR. Source: arch/x86/kernel/apic/io_apic.c, ioapic_irq_get_chip_state() */
function* ioapic_irq_get_chip_state(irqd: irq_data, which: irqchip_irq_state): Op<boolean | number> {
  if (which !== 'active') return -EINVAL;

  let state = false;
  yield* raw_spin_lock(kernel.ioapic_lock);
  for (const { apic, pin } of (irqd.chip_data as mp_chip_data).irq_2_pin) {
    const rentry = yield* __ioapic_read_entry(apic, pin);
    if (RTE.get(rentry, 'irr') && RTE.get(rentry, 'trigger')) {
      state = true;
      break;
    }
  }
  yield* raw_spin_unlock(kernel.ioapic_lock);
  return state;
}
