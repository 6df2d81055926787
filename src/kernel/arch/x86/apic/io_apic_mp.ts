import type { Op } from '../../../../stepper/op';
import { __fix_to_virt, FIX_IO_APIC_BASE_0 } from '../../../include/fixmap';
import { EINVAL } from '../../../lib/errno';
import { pr_err, pr_info, pr_warn, WARN_ON } from '../../../lib/printk';
import { kernel } from '../../../world';
import { apic_printk, APIC_VERBOSE } from './apic';
import { io_apic_get_redir_entries, io_apic_get_version, mpc_ioapic_id } from './io_apic';
import type { ioapic, ioapic_domain_type, mpc_intsrc } from './io_apic_types';

// What the firmware says about IOAPICs and lines: this part of arch/x86/kernel/apic/io_apic.c.

export const MP_ISA_BUS = 0;

/** mp_bus_not_pci: only the ISA bus is in the table. */
export const is_isa = (intsrc: mpc_intsrc): boolean => intsrc.srcbus === MP_ISA_BUS;

/** Remember what the firmware says about a line. Source: arch/x86/kernel/apic/io_apic.c, mp_save_irq() */
export function* mp_save_irq(m: mpc_intsrc): Op {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  apic_printk(
    APIC_VERBOSE,
    `Int: type 0, pol ${m.irqflag & 3}, trig ${(m.irqflag >> 2) & 3}, bus ${hex(m.srcbus)}, IRQ ${hex(m.srcbusirq)}, APIC ID ${m.dstapic.toString(16)}, APIC INT ${hex(m.dstirq)}`,
  );
  const known = kernel.mp_irqs.some(other => (Object.keys(m) as (keyof mpc_intsrc)[]).every(key => other[key] === m[key]));
  if (!known) kernel.mp_irqs.push(m);
}

/** IOAPICs get their fixed places. Source: arch/x86/kernel/apic/io_apic.c, io_apic_init_mappings() */
export function* io_apic_init_mappings(): Op {
  for (const [i, { mp_config }] of kernel.ioapics.entries()) {
    const virt = __fix_to_virt(FIX_IO_APIC_BASE_0() + BigInt(i)) + BigInt(mp_config.apicaddr & 0xfff);
    apic_printk(APIC_VERBOSE, `mapped IOAPIC to ${virt.toString(16)} (${mp_config.apicaddr.toString(16).padStart(8, '0')})`);
  }
}

/** An IOAPIC of the MADT. @returns 0 or -EINVAL. Source: arch/x86/kernel/apic/io_apic.c, mp_register_ioapic() */
export function* mp_register_ioapic(id: number, address: number, gsi_base: number, type: ioapic_domain_type): Op<number> {
  if (!address) {
    pr_warn('Bogus (zero) I/O APIC address found, skipping!');
    return -EINVAL;
  }

  const idx = kernel.ioapics.length;
  const entries = io_apic_get_redir_entries(address);
  const gsi_end = gsi_base + entries - 1;
  const added: ioapic = {
    nr_registers: entries,
    saved_registers: null,
    mp_config: { apicid: id, apicver: io_apic_get_version(address), apicaddr: address },
    gsi_config: { gsi_base, gsi_end },
    irqdomain_cfg: { type },
    irqdomain: null,
  };
  kernel.ioapics.push(added);
  if (gsi_end >= kernel.gsi_top) kernel.gsi_top = gsi_end + 1;

  pr_info(`IOAPIC[${idx}]: apic_id ${id}, version ${added.mp_config.apicver}, address 0x${address.toString(16)}, GSI ${gsi_base}-${gsi_end}`);
  return 0;
}

/** @returns the index of the IOAPIC of a line, or -1. Source: arch/x86/kernel/apic/io_apic.c, mp_find_ioapic() */
export function* mp_find_ioapic(gsi: number): Op<number> {
  if (kernel.ioapics.length === 0) return -1;

  const i = kernel.ioapics.findIndex(({ gsi_config }) => gsi >= gsi_config.gsi_base && gsi <= gsi_config.gsi_end);
  if (i < 0) pr_err(`ERROR: Unable to locate IOAPIC for GSI ${gsi}`);
  return i;
}

/** Source: arch/x86/kernel/apic/io_apic.c, mp_find_ioapic_pin() */
export function* mp_find_ioapic_pin(idx: number, gsi: number): Op<number> {
  if (WARN_ON(idx < 0, 'arch/x86/kernel/apic/io_apic.c mp_find_ioapic_pin')) return -1;
  return gsi - kernel.ioapics[idx].gsi_config.gsi_base;
}

/** @returns the index in mp_irqs of what is connected to a pin, or -1. Source: arch/x86/kernel/apic/io_apic.c, find_irq_entry() */
export function* find_irq_entry(idx: number, pin: number): Op<number> {
  return kernel.mp_irqs.findIndex(m => m.irqtype === 'INT' && m.dstapic === mpc_ioapic_id(idx) && m.dstirq === pin);
}

/** The pin and the IOAPIC that an ISA interrupt is connected to; -1 for none. Source: arch/x86/kernel/apic/io_apic.c, find_isa_irq_pin(), find_isa_irq_apic() */
export function* find_isa_irq(irq: number, type: mpc_intsrc['irqtype']): Op<{ apic: number; pin: number }> {
  const found = kernel.mp_irqs.find(m => is_isa(m) && m.irqtype === type && m.srcbusirq === irq);
  if (!found) return { apic: -1, pin: -1 };
  return { apic: kernel.ioapics.findIndex(({ mp_config }) => mp_config.apicid === found.dstapic), pin: found.dstirq };
}

/** Source: arch/x86/kernel/apic/io_apic.c, irq_polarity() */
function* irq_polarity(m: mpc_intsrc): Op<number> {
  const polarity = m.irqflag & 3;
  if (polarity === 0) return is_isa(m) ? 0 : 1;
  return polarity === 1 ? 0 : 1;
}

/** Source: arch/x86/kernel/apic/io_apic.c, irq_trigger() */
export function* irq_trigger(m: mpc_intsrc): Op<number> {
  const trigger = (m.irqflag >> 2) & 3;
  if (trigger === 0) return is_isa(m) ? 0 : 1;
  return trigger === 1 ? 0 : 1;
}

/** What the firmware says about a line; undefined where it says nothing. Source: arch/x86/kernel/apic/io_apic.c, acpi_get_override_irq() */
export function* acpi_get_override_irq(gsi: number): Op<{ trigger: number; polarity: number } | undefined> {
  if (kernel.skip_ioapic_setup) return undefined;

  const idx = yield* mp_find_ioapic(gsi);
  if (idx < 0) return undefined;

  const entry = yield* find_irq_entry(idx, yield* mp_find_ioapic_pin(idx, gsi));
  if (entry < 0) return undefined;

  const m = kernel.mp_irqs[entry];
  return { trigger: yield* irq_trigger(m), polarity: yield* irq_polarity(m) };
}
