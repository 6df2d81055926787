import type { irq_domain } from '../../../include/irqdomain';
import type { ioapic_entry_owner } from '../hw_irq';

// What arch/x86/kernel/apic/io_apic.c keeps of IOAPICs, lines and interrupts.

export type ioapic_domain_type = 'LEGACY' | 'STRICT' | 'DYNAMIC';

/** An IOAPIC by its Linux number. */
export interface ioapic {
  nr_registers: number;
  /** entries as they were before remapping was enabled; null when not saved */
  saved_registers: bigint[] | null;
  readonly mp_config: { readonly apicid: number; readonly apicver: number; readonly apicaddr: number };
  readonly gsi_config: { readonly gsi_base: number; readonly gsi_end: number };
  readonly irqdomain_cfg: { readonly type: ioapic_domain_type };
  irqdomain: irq_domain | null;
}

export interface irq_pin {
  apic: number;
  pin: number;
}

/** The IO-APIC level of an interrupt. */
export class mp_chip_data implements ioapic_entry_owner {
  readonly irq_2_pin: irq_pin[] = [];
  /** as last written: RTE, or IR_RTE under remapping; both have mask, trigger, polarity and vector in the same place */
  entry = 0n;
  /** 1 = level */
  trigger = 0;
  /** 1 = active low */
  polarity = 0;
  /** users */
  count = 0;
  isa_irq = false;
}

/** What the firmware says about an interrupt line (struct mpc_intsrc). */
export interface mpc_intsrc {
  readonly irqtype: 'INT' | 'ExtINT';
  /** bits 0-1 polarity, 2-3 trigger: 0 as usual for the bus, 1 high or edge, 3 low or level */
  readonly irqflag: number;
  readonly srcbus: number;
  readonly srcbusirq: number;
  readonly dstapic: number;
  readonly dstirq: number;
}
