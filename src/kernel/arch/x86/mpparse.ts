import type { Op } from '../../../stepper/op';
import { kernel, machine } from '../../world';
import { mp_register_ioapic, mp_save_irq } from './apic/io_apic_mp';

// The MP table, which firmware has besides ACPI's: arch/x86/kernel/mpparse.c.

/** IOAPICs and lines, where ACPI has told of the CPUs only. Source: arch/x86/kernel/mpparse.c, default_get_smp_config() */
export function* get_smp_config(): Op {
  const table = machine.config.mpTable;
  if (!table || !kernel.smp_found_config || (kernel.acpi_lapic && kernel.acpi_ioapic)) return;
  yield* smp_read_mpc();
}

/** Source: arch/x86/kernel/mpparse.c, smp_read_mpc(), MP_ioapic_info() */
function* smp_read_mpc(): Op {
  for (const { config } of machine.ioapics) yield* mp_register_ioapic(config.id, config.address, kernel.gsi_top, 'LEGACY');
  for (const { flags, bus, irq, apic, pin } of machine.config.mpTable!) {
    yield* mp_save_irq({ irqtype: 'INT', irqflag: flags, srcbus: bus, srcbusirq: irq, dstapic: apic, dstirq: pin });
  }
}
