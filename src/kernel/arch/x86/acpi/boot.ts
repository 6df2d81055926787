import type { IsaOverride } from '../../../../hardware/machine-config';
import type { Op } from '../../../../stepper/op';
import type { PciDev } from '../../../include/pci';
import { ENODEV } from '../../../lib/errno';
import { mutex, mutex_lock, mutex_unlock } from '../../../lib/locking';
import { pr_debug, pr_info } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { generic_processor_info } from '../apic/apic';
import { mpc_ioapic_id } from '../apic/io_apic';
import { IOAPIC_MAP_ALLOC, IOAPIC_MAP_CHECK, ioapic_set_alloc_attr, mp_map_gsi_to_irq, mp_unmap_irq } from '../apic/io_apic_domain';
import { mp_find_ioapic, mp_find_ioapic_pin, MP_ISA_BUS, mp_register_ioapic, mp_save_irq } from '../apic/io_apic_mp';
import { irq_alloc_info } from '../hw_irq';
import { nr_legacy_irqs } from '../i8259';

// What ACPI's MADT says of CPUs, IOAPICs and interrupt lines: arch/x86/kernel/acpi/boot.c.

const ACPI_EDGE_SENSITIVE = 1;
export const ACPI_ACTIVE_HIGH = 0;

const INVALID_ACPI_IRQ = -1;
const NUMA_NO_NODE = -1;
/** The interrupt that ACPI itself uses. */
export const SCI_INTERRUPT = 9;

export const acpi_boot_globals = () => ({
  acpi_ioapic_lock: new mutex('acpi_ioapic_lock'),
  /** by ISA interrupt; -1 = connected nowhere */
  isa_irq_to_gsi: Array.from({ length: 16 }, (_, irq) => irq),
});

/** Source: acpi_boot_init(), acpi_process_madt() */
export function* acpi_boot_init(): Op {
  yield* acpi_parse_madt_lapic_entries();
  kernel.acpi_lapic = true;

  if ((yield* acpi_parse_madt_ioapic_entries()) === 0) kernel.smp_found_config = true;
}

/** Source: acpi_parse_madt_lapic_entries() */
function* acpi_parse_madt_lapic_entries(): Op {
  for (const [cpu, { apicId, present = true }] of machine.cpus.entries()) if (present) yield* generic_processor_info(cpu, apicId);
  kernel.boot_cpu_physical_apicid = machine.cpus[0].apicId;
}

/** @returns 0, or -ENODEV with noapic on the command line or without an IOAPIC. Source: acpi_parse_madt_ioapic_entries() */
function* acpi_parse_madt_ioapic_entries(): Op<number> {
  if (kernel.skip_ioapic_setup) return -ENODEV;
  if (machine.ioapics.length === 0) return -ENODEV;

  for (const { config } of machine.ioapics) {
    // Lines that may be ISA ones keep their numbers.
    const type = config.gsiBase < nr_legacy_irqs() ? 'LEGACY' : 'DYNAMIC';
    yield* mp_register_ioapic(config.id, config.address, config.gsiBase, type);
  }

  const overrides = machine.config.isaOverrides;
  for (const override of overrides) yield* acpi_parse_int_src_ovr(override);
  if (!overrides.some(({ irq }) => irq === SCI_INTERRUPT)) yield* acpi_sci_ioapic_setup();

  yield* mp_config_acpi_legacy_irqs();
  return 0;
}

const POLARITY = ['dfl', 'high', 'res', 'low'];
const TRIGGER = ['dfl', 'edge', 'res', 'level'];

/** Source: acpi_parse_int_src_ovr() */
function* acpi_parse_int_src_ovr({ irq, gsi, level, low }: IsaOverride): Op {
  const trigger = level ? 3 : 0;
  const polarity = low ? 3 : level ? 1 : 0;
  pr_info(`ACPI: INT_SRC_OVR (bus 0 bus_irq ${irq} global_irq ${gsi} ${POLARITY[polarity]} ${TRIGGER[trigger]})`);
  yield* mp_override_legacy_irq(irq, polarity, trigger, gsi);
}

/** Without an override ACPI's interrupt is level, active low. Source: acpi_sci_ioapic_setup() */
function* acpi_sci_ioapic_setup(): Op {
  yield* mp_override_legacy_irq(SCI_INTERRUPT, 3, 3, SCI_INTERRUPT);
}

/** Source: mp_override_legacy_irq(), mp_register_ioapic_irq() */
function* mp_override_legacy_irq(bus_irq: number, polarity: number, trigger: number, gsi: number): Op {
  const ioapic = yield* mp_find_ioapic(gsi);
  if (ioapic < 0) return;
  const pin = yield* mp_find_ioapic_pin(ioapic, gsi);

  // A timer that would be level triggered is a mistake of the firmware.
  const irqflag = ((bus_irq === 0 && trigger === 3 ? 1 : trigger) << 2) | polarity;
  yield* mp_save_irq({ irqtype: 'INT', irqflag, srcbus: MP_ISA_BUS, srcbusirq: bus_irq, dstapic: mpc_ioapic_id(ioapic), dstirq: pin });

  if (gsi < nr_legacy_irqs() && kernel.isa_irq_to_gsi[gsi] === gsi) kernel.isa_irq_to_gsi[gsi] = INVALID_ACPI_IRQ;
  kernel.isa_irq_to_gsi[bus_irq] = gsi;
}

/** ISA interrupts without an override are on the pin of their number. Source: mp_config_acpi_legacy_irqs() */
function* mp_config_acpi_legacy_irqs(): Op {
  for (let i = 0; i < nr_legacy_irqs(); i++) {
    const gsi = kernel.isa_irq_to_gsi[i];
    if (gsi === INVALID_ACPI_IRQ) continue;

    const ioapic = yield* mp_find_ioapic(gsi);
    if (ioapic < 0) continue;
    const pin = yield* mp_find_ioapic_pin(ioapic, gsi);
    const dstapic = mpc_ioapic_id(ioapic);

    const taken = kernel.mp_irqs.some(m => (m.srcbus === MP_ISA_BUS && m.srcbusirq === i) || (m.dstapic === dstapic && m.dstirq === pin));
    if (taken) pr_debug(`ACPI: IRQ${i} used by override.`);
    else yield* mp_save_irq({ irqtype: 'INT', irqflag: 0, srcbus: MP_ISA_BUS, srcbusirq: i, dstapic, dstirq: pin });
  }
}

/** The Linux interrupt of a global line; it is allocated if it is new. @returns it, or an errno. Source: acpi_gsi_to_irq() */
export function* acpi_gsi_to_irq(gsi: number): Op<number> {
  return yield* mp_map_gsi_to_irq(gsi, IOAPIC_MAP_ALLOC | IOAPIC_MAP_CHECK, null);
}

/** A device takes a line. @returns its Linux interrupt, or an errno. Source: acpi_register_gsi() */
export function* acpi_register_gsi(dev: PciDev | null, gsi: number, trigger: number, polarity: number): Op<number> {
  // Without IOAPICs the lines are those of the 8259 pair.
  if (kernel.ioapics.length === 0) return gsi;
  return yield* acpi_register_gsi_ioapic(dev, gsi, trigger, polarity);
}

/** Source: acpi_register_gsi_ioapic() */
function* acpi_register_gsi_ioapic(dev: PciDev | null, gsi: number, trigger: number, polarity: number): Op<number> {
  const node = dev ? dev.numa_node : NUMA_NO_NODE;
  const info = new irq_alloc_info();
  yield* ioapic_set_alloc_attr(info, node, trigger === ACPI_EDGE_SENSITIVE ? 0 : 1, polarity === ACPI_ACTIVE_HIGH ? 0 : 1);

  yield* mutex_lock(kernel.acpi_ioapic_lock);
  const irq = yield* mp_map_gsi_to_irq(gsi, IOAPIC_MAP_ALLOC, info);
  yield* mutex_unlock(kernel.acpi_ioapic_lock);

  return irq;
}

/** Source: acpi_unregister_gsi_ioapic() */
export function* acpi_unregister_gsi(gsi: number): Op {
  if (kernel.ioapics.length === 0) return;

  yield* mutex_lock(kernel.acpi_ioapic_lock);
  const irq = yield* mp_map_gsi_to_irq(gsi, 0, null);
  if (irq > 0) yield* mp_unmap_irq(irq);
  yield* mutex_unlock(kernel.acpi_ioapic_lock);
}
