import { APIC_DEFAULT_PHYS_BASE } from '../../../../hardware/local-apic-registers';
import type { IsaOverride } from '../../../../hardware/machine-config';
import type { Op } from '../../../../stepper/op';
import type { PciDev } from '../../../include/pci';
import { NUMA_NO_NODE } from '../../../include/topology';
import { ENODEV, EPERM } from '../../../lib/errno';
import { mutex, mutex_lock, mutex_unlock } from '../../../lib/locking';
import { pr_err, pr_info, pr_warn, printk } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { generic_processor_info, register_lapic_address } from '../apic/apic';
import { mpc_ioapic_id } from '../apic/io_apic';
import { IOAPIC_MAP_ALLOC, ioapic_set_alloc_attr, mp_map_gsi_to_irq, mp_unmap_irq } from '../apic/io_apic_domain';
import { acpi_get_override_irq, mp_find_ioapic, mp_find_ioapic_pin, MP_ISA_BUS, mp_register_ioapic, mp_save_irq } from '../apic/io_apic_mp';
import { irq_alloc_info } from '../hw_irq';
import { nr_legacy_irqs } from '../i8259';

// What ACPI's MADT says of CPUs, IOAPICs and interrupt lines: arch/x86/kernel/acpi/boot.c.

export const ACPI_LEVEL_SENSITIVE = 0;
export const ACPI_EDGE_SENSITIVE = 1;
export const ACPI_ACTIVE_HIGH = 0;
export const ACPI_ACTIVE_LOW = 1;

const INVALID_ACPI_IRQ = -1;
/** The interrupt that ACPI itself uses. */
export const SCI_INTERRUPT = 9;

export const acpi_boot_globals = () => ({
  /** there are no tables */
  acpi_disabled: false,
  __acpi_register_gsi: acpi_register_gsi_ioapic,
  __acpi_unregister_gsi: acpi_unregister_gsi_ioapic as ((gsi: number) => Op) | null,
  acpi_ioapic_lock: new mutex('acpi_ioapic_lock'),
  /** by ISA interrupt; -1 = connected nowhere */
  isa_irq_to_gsi: Array.from({ length: 16 }, (_, irq) => irq),
});

/** A MADT with local APICs is there: the machine's always is. Source: arch/x86/kernel/acpi/boot.c, early_acpi_boot_init(), early_acpi_process_madt() */
export function* early_acpi_boot_init(): Op {
  if (kernel.acpi_disabled) return;
  if (kernel.disable_apic) return;
  yield* acpi_parse_madt();
  yield* register_lapic_address(APIC_DEFAULT_PHYS_BASE);
  kernel.acpi_lapic = true;
  kernel.smp_found_config = true;
}

/** Source: arch/x86/kernel/acpi/boot.c, acpi_parse_madt() */
function* acpi_parse_madt(): Op {
  printk('debug', `ACPI: Local APIC address 0x${APIC_DEFAULT_PHYS_BASE.toString(16).padStart(8, '0')}`);
}

/** Source: arch/x86/kernel/acpi/boot.c, acpi_boot_init(), acpi_process_madt() */
export function* acpi_boot_init(): Op {
  if (kernel.acpi_disabled) return;
  yield* acpi_process_madt();
  yield* acpi_parse_hpet();
}

function* acpi_process_madt(): Op {
  if (!kernel.disable_apic) yield* acpi_parse_madt();
  yield* acpi_parse_madt_lapic_entries();

  yield* mutex_lock(kernel.acpi_ioapic_lock);
  const error = yield* acpi_parse_madt_ioapic_entries();
  yield* mutex_unlock(kernel.acpi_ioapic_lock);
  if (error === 0) yield* acpi_set_irq_model_ioapic();

  if (kernel.acpi_lapic && kernel.acpi_ioapic) pr_info('Using ACPI (MADT) for SMP configuration information');
  else if (kernel.acpi_lapic) pr_info('Using ACPI for processor (LAPIC) configuration information');
}

/** Source: arch/x86/kernel/acpi/boot.c, acpi_parse_hpet() */
function* acpi_parse_hpet(): Op {
  const hpet = machine.config.hpet;
  if (!hpet) return;
  kernel.hpet_address = hpet.address;
  kernel.hpet_blockid = hpet.id;
}

/** From now on lines are those of the IOAPICs. Source: arch/x86/kernel/acpi/boot.c, acpi_set_irq_model_ioapic() */
function* acpi_set_irq_model_ioapic(): Op {
  kernel.acpi_ioapic = true;
}

/** Source: arch/x86/kernel/acpi/boot.c, acpi_parse_madt_lapic_entries() */
function* acpi_parse_madt_lapic_entries(): Op {
  for (const [cpu, { apicId, present = true }] of machine.cpus.entries()) if (present && cpu < kernel.nr_cpu_ids) yield* generic_processor_info(cpu, apicId);
  kernel.boot_cpu_physical_apicid = machine.cpus[0].apicId;
}

/** ACPI names CPUs that the kernel has not taken: it tries to, as if they were plugged in now. Source: drivers/acpi/acpi_processor.c, acpi_processor_hotadd_init() */
export function* acpi_processor_init(): Op {
  for (const [cpu, { apicId, present = true }] of machine.cpus.entries()) if (present && cpu >= kernel.nr_cpu_ids) yield* generic_processor_info(cpu, apicId);
}

/** @returns 0, or -ENODEV with noapic on the command line or without an IOAPIC. Source: arch/x86/kernel/acpi/boot.c, acpi_parse_madt_ioapic_entries() */
function* acpi_parse_madt_ioapic_entries(): Op<number> {
  if (kernel.disable_apic) return -ENODEV;
  if (kernel.skip_ioapic_setup) {
    pr_info("ACPI: Skipping IOAPIC probe due to 'noapic' option.");
    return -ENODEV;
  }
  if (machine.ioapics.length === 0) {
    pr_err('ACPI: No IOAPIC entries present');
    return -ENODEV;
  }

  for (const { config } of machine.ioapics) {
    // Lines that may be ISA ones keep their numbers.
    const type = config.gsiBase < nr_legacy_irqs() ? 'LEGACY' : 'DYNAMIC';
    yield* mp_register_ioapic(config.id, config.address, config.gsiBase, type);
  }

  const overrides = machine.config.isaOverrides;
  for (const override of overrides) yield* acpi_parse_int_src_ovr(override);
  if (!overrides.some(({ irq }) => irq === SCI_INTERRUPT)) yield* acpi_sci_ioapic_setup(SCI_INTERRUPT, 0, 0, SCI_INTERRUPT);

  yield* mp_config_acpi_legacy_irqs();
  return 0;
}

const POLARITY = ['dfl', 'high', 'res', 'low'];
const TRIGGER = ['dfl', 'edge', 'res', 'level'];

/** Source: arch/x86/kernel/acpi/boot.c, acpi_parse_int_src_ovr() */
function* acpi_parse_int_src_ovr({ irq, gsi, level, low }: IsaOverride): Op {
  const trigger = level ? 3 : 0;
  const polarity = low ? 3 : level ? 1 : 0;
  pr_info(`ACPI: INT_SRC_OVR (bus 0 bus_irq ${irq} global_irq ${gsi} ${POLARITY[polarity]} ${TRIGGER[trigger]})`);
  if (irq === SCI_INTERRUPT) yield* acpi_sci_ioapic_setup(irq, polarity, trigger, gsi);
  else yield* mp_override_legacy_irq(irq, polarity, trigger, gsi);
}

/** ACPI's interrupt is level, active low where nothing else is said. Source: arch/x86/kernel/acpi/boot.c, acpi_sci_ioapic_setup() */
function* acpi_sci_ioapic_setup(bus_irq: number, polarity: number, trigger: number, gsi: number): Op {
  yield* mp_override_legacy_irq(bus_irq, polarity || 3, trigger || 3, gsi);
}

/** @returns 0, or negative where no IOAPIC has the line. Source: arch/x86/kernel/acpi/boot.c, mp_register_ioapic_irq() */
function* mp_register_ioapic_irq(bus_irq: number, polarity: number, trigger: number, gsi: number): Op<number> {
  const ioapic = yield* mp_find_ioapic(gsi);
  if (ioapic < 0) {
    pr_warn(`Failed to find ioapic for gsi : ${gsi}`);
    return ioapic;
  }
  const pin = yield* mp_find_ioapic_pin(ioapic, gsi);

  yield* mp_save_irq({
    irqtype: 'INT', irqflag: (trigger << 2) | polarity, srcbus: MP_ISA_BUS, srcbusirq: bus_irq, dstapic: mpc_ioapic_id(ioapic), dstirq: pin,
  });
  return 0;
}

/** Source: arch/x86/kernel/acpi/boot.c, mp_override_legacy_irq() */
function* mp_override_legacy_irq(bus_irq: number, polarity: number, trigger: number, gsi: number): Op {
  // A timer that would be level triggered is a mistake of the firmware.
  if (bus_irq === 0 && trigger === 3) trigger = 1;

  if ((yield* mp_register_ioapic_irq(bus_irq, polarity, trigger, gsi)) < 0) return;

  if (gsi < nr_legacy_irqs() && kernel.isa_irq_to_gsi[gsi] === gsi) kernel.isa_irq_to_gsi[gsi] = INVALID_ACPI_IRQ;
  kernel.isa_irq_to_gsi[bus_irq] = gsi;
}

/** ISA interrupts without an override are on the pin of their number. Source: arch/x86/kernel/acpi/boot.c, mp_config_acpi_legacy_irqs() */
function* mp_config_acpi_legacy_irqs(): Op {
  for (let i = 0; i < nr_legacy_irqs(); i++) {
    const gsi = kernel.isa_irq_to_gsi[i];
    if (gsi === INVALID_ACPI_IRQ) continue;

    const ioapic = yield* mp_find_ioapic(gsi);
    if (ioapic < 0) continue;
    const pin = yield* mp_find_ioapic_pin(ioapic, gsi);
    const dstapic = mpc_ioapic_id(ioapic);

    const taken = kernel.mp_irqs.some(m => (m.srcbus === MP_ISA_BUS && m.srcbusirq === i) || (m.dstapic === dstapic && m.dstirq === pin));
    if (taken) printk('debug', `ACPI: IRQ${i} used by override.`);
    else yield* mp_save_irq({ irqtype: 'INT', irqflag: 0, srcbus: MP_ISA_BUS, srcbusirq: i, dstapic, dstirq: pin });
  }
}

/** The Linux interrupt of a global line, as the firmware says it is to be; it is allocated if it is new. @returns it, or an errno. Source: arch/x86/kernel/acpi/boot.c, acpi_gsi_to_irq() */
export function* acpi_gsi_to_irq(gsi: number): Op<number> {
  if (!kernel.acpi_ioapic) return gsi;

  const override = yield* acpi_get_override_irq(gsi);
  if (!override) return -EPERM; // C: -1, no errno

  const trigger = override.trigger ? ACPI_LEVEL_SENSITIVE : ACPI_EDGE_SENSITIVE;
  const polarity = override.polarity ? ACPI_ACTIVE_LOW : ACPI_ACTIVE_HIGH;
  return yield* acpi_register_gsi(null, gsi, trigger, polarity);
}

/** A device takes a line. @returns its Linux interrupt, or an errno. Source: arch/x86/kernel/acpi/boot.c, acpi_register_gsi() */
export function* acpi_register_gsi(dev: PciDev | null, gsi: number, trigger: number, polarity: number): Op<number> {
  // Without IOAPICs the lines are those of the 8259 pair.
  if (!kernel.acpi_ioapic) return gsi;
  return yield* kernel.__acpi_register_gsi(dev, gsi, trigger, polarity);
}

/** Source: arch/x86/kernel/acpi/boot.c, acpi_register_gsi_ioapic() */
function* acpi_register_gsi_ioapic(dev: PciDev | null, gsi: number, trigger: number, polarity: number): Op<number> {
  const node = dev ? dev.numa_node : NUMA_NO_NODE;
  const info = new irq_alloc_info();
  yield* ioapic_set_alloc_attr(info, node, trigger === ACPI_EDGE_SENSITIVE ? 0 : 1, polarity === ACPI_ACTIVE_HIGH ? 0 : 1);

  yield* mutex_lock(kernel.acpi_ioapic_lock);
  const irq = yield* mp_map_gsi_to_irq(gsi, IOAPIC_MAP_ALLOC, info);
  yield* mutex_unlock(kernel.acpi_ioapic_lock);

  return irq;
}

/** Source: arch/x86/kernel/acpi/boot.c, acpi_unregister_gsi() */
export function* acpi_unregister_gsi(gsi: number): Op {
  if (kernel.acpi_ioapic && kernel.__acpi_unregister_gsi) yield* kernel.__acpi_unregister_gsi(gsi);
}

/** Source: arch/x86/kernel/acpi/boot.c, acpi_unregister_gsi_ioapic() */
function* acpi_unregister_gsi_ioapic(gsi: number): Op {
  yield* mutex_lock(kernel.acpi_ioapic_lock);
  const irq = yield* mp_map_gsi_to_irq(gsi, 0, null);
  if (irq > 0) yield* mp_unmap_irq(irq);
  yield* mutex_unlock(kernel.acpi_ioapic_lock);
}
