import { ARB_REGISTER, ID_REGISTER, IOAPIC_ARB, IOAPIC_BOOT, IOAPIC_ID, IOAPIC_VERSION, IR_RTE, RTE, VERSION_REGISTER } from '../../../../hardware/io-apic';
import type { Op } from '../../../../stepper/op';
import { irq_get_irq_data, irq_get_next_irq } from '../../../irq/irqdesc';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { pr_cont, pr_info, printk, printk_open } from '../../../lib/printk';
import { kernel } from '../../../world';
import { io_apic_read, ioapic_read_entry, mpc_ioapic_id } from './io_apic';
import type { mp_chip_data } from './io_apic_types';

// The IOAPICs' registers in the log: this part of arch/x86/kernel/apic/io_apic.c.

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
const debug = (text: string): void => printk('debug', text);

/** What an entry says, by its format: both have the first part. */
function entry_text(pin: number, entry: bigint): string {
  const e = RTE.decode(entry);
  const ir = IR_RTE.decode(entry);
  const begin = [
    ` pin${pin.toString(16).padStart(2, '0')}`, e.mask ? 'disabled' : 'enabled ', e.trigger ? 'level' : 'edge ', e.polarity ? 'low ' : 'high',
    `V(${hex(e.vector, 2)})`, `IRR(${e.irr})`, `S(${e.delivery_status})`,
  ];
  const end = ir.format
    ? ['remapped', `I(${hex((ir.index2 << 15) | ir.index, 4)})`, ` Z(${hex(ir.zero, 1)})`]
    : [e.dest_mode ? 'logical ' : 'physical', `D(${hex(e.dest, 2)})`, `M(${e.delivery_mode})`];
  return [...begin, ...end].join(', ');
}

/** Source: arch/x86/kernel/apic/io_apic.c, io_apic_print_entries() */
function* io_apic_print_entries(apic: number, nr_entries: number): Op {
  debug(`IOAPIC ${apic}:`);
  for (let pin = 0; pin <= nr_entries; pin++) debug(entry_text(pin, yield* ioapic_read_entry(apic, pin)));
}

/** Source: arch/x86/kernel/apic/io_apic.c, print_IO_APIC() */
function* print_IO_APIC(idx: number): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  const reg_00 = io_apic_read(idx, IOAPIC_ID);
  const reg_01 = io_apic_read(idx, IOAPIC_VERSION);
  const { version, max_redirect, prq } = VERSION_REGISTER.decode(reg_01);
  const reg_02 = version >= 0x10 ? io_apic_read(idx, IOAPIC_ARB) : reg_01;
  const reg_03 = version >= 0x20 ? io_apic_read(idx, IOAPIC_BOOT) : reg_01;
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);

  const { id, delivery_type, lts } = ID_REGISTER.decode(reg_00);
  debug(`IO APIC #${mpc_ioapic_id(idx)}......`);
  debug(`.... register #00: ${hex(reg_00, 8)}`);
  debug(`.......    : physical APIC id: ${hex(id, 2)}`);
  debug(`.......    : Delivery Type: ${hex(delivery_type, 1)}`);
  debug(`.......    : LTS          : ${hex(lts, 1)}`);
  debug(`.... register #01: ${hex(reg_01, 8)}`);
  debug(`.......     : max redirection entries: ${hex(max_redirect, 2)}`);
  debug(`.......     : PRQ implemented: ${hex(prq, 1)}`);
  debug(`.......     : IO APIC version: ${hex(version, 2)}`);
  // A register that an IOAPIC lacks reads as the one that was read before.
  if (reg_02 !== reg_01) {
    debug(`.... register #02: ${hex(reg_02, 8)}`);
    debug(`.......     : arbitration: ${hex(ARB_REGISTER.get(reg_02, 'arbitration'), 2)}`);
  }
  if (reg_03 !== reg_02 && reg_03 !== reg_01) {
    debug(`.... register #03: ${hex(reg_03, 8)}`);
    debug(`.......     : Boot DT    : ${hex(reg_03 & 1, 1)}`);
  }

  debug('.... IRQ redirection table:');
  yield* io_apic_print_entries(idx, max_redirect);
}

/** Source: arch/x86/kernel/apic/io_apic.c, print_IO_APICs() */
export function* print_IO_APICs(): Op {
  debug(`number of MP IRQ sources: ${kernel.mp_irqs.length}.`);
  for (const [idx, { nr_registers }] of kernel.ioapics.entries()) debug(`number of IO-APIC #${mpc_ioapic_id(idx)} registers: ${nr_registers}.`);

  pr_info('testing the IO APIC.......................');
  for (let idx = 0; idx < kernel.ioapics.length; idx++) yield* print_IO_APIC(idx);

  debug('IRQ to pin mappings:');
  for (let irq = yield* irq_get_next_irq(0); irq < kernel.nr_irqs; irq = yield* irq_get_next_irq(irq + 1)) {
    const { chip, chip_data } = irq_get_irq_data(irq)!;
    if (chip !== kernel.ioapic_chip && chip !== kernel.ioapic_ir_chip) continue;
    const pins = (chip_data as mp_chip_data | null)?.irq_2_pin ?? [];
    if (pins.length === 0) continue;

    printk_open('debug', `IRQ${irq} `);
    for (const { apic, pin } of pins) pr_cont(`-> ${apic}:${pin}`);
    pr_cont('\n');
  }

  pr_info('.................................... done.');
}
