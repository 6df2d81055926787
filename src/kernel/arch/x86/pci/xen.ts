import { PCI_INTERRUPT_LINE } from '../../../../hardware/pci-registers';
import { DOMID_SELF, MAP_PIRQ_TYPE, PHYSDEVOP, XEN_HVM_CPUID_APIC_ACCESS_VIRT, XEN_HVM_CPUID_X2APIC_VIRT, XENFEAT } from '../../../../hardware/xen/interface';
import type { Op } from '../../../../stepper/op';
import { pci_read_config_byte } from '../../../drivers/pci/access';
import { xen_bind_pirq_gsi_to_irq, xen_irq_from_gsi } from '../../../drivers/xen/events/events_pirq';
import type { PciDev } from '../../../include/pci';
import { xen_feature, xen_hvm_domain, xen_initial_domain, xen_pv_domain } from '../../../include/xen';
import { EEXIST, ENODEV, EPERM } from '../../../lib/errno';
import { pr_err, pr_info, printk } from '../../../lib/printk';
import { has, kernel, machine } from '../../../world';
import { ACPI_ACTIVE_HIGH, ACPI_EDGE_SENSITIVE, ACPI_LEVEL_SENSITIVE } from '../acpi/boot';
import { acpi_get_override_irq } from '../apic/io_apic_mp';
import { nr_legacy_irqs, NR_IRQS_LEGACY } from '../i8259';
import { HYPERVISOR_physdev_op } from '../xen/hypercall';
import { set_initdom_msi_ops, set_pcifront_msi_ops, xen_hvm_setup_msi_irqs, xen_setup_pci_msi, xen_teardown_msi_irq, xen_teardown_msi_irqs } from './xen_msi';

// How a guest of Xen's gets the interrupts of PCI devices, lines first: arch/x86/pci/xen.c. Messages are in xen_msi.ts.

/** A PV guest's line: pciback has put the pirq into the register. @returns 0 or an errno. Source: arch/x86/pci/xen.c, xen_pcifront_enable_irq() */
function* xen_pcifront_enable_irq(dev: PciDev): Op<number> {
  const gsi = pci_read_config_byte(dev, PCI_INTERRUPT_LINE);
  const pirq = gsi;
  const share = gsi >= nr_legacy_irqs();

  const rc = yield* xen_bind_pirq_gsi_to_irq(gsi, pirq, share, 'pcifront');
  if (rc < 0) {
    printk('warn', `pci ${dev.name}: Xen PCI: failed to bind GSI${gsi} (PIRQ${pirq}) to IRQ: ${rc}`);
    return rc;
  }

  dev.irq = rc;
  pr_info(`pci ${dev.name}: Xen PCI mapped GSI${gsi} to IRQ${dev.irq}`);
  return 0;
}

/** @param set_pirq the pirq has the number of the line @returns the irq, or negative. Source: arch/x86/pci/xen.c, xen_register_pirq() */
function* xen_register_pirq(gsi: number, triggering: number, set_pirq: boolean): Op<number> {
  const there = xen_irq_from_gsi(gsi);
  if (there > 0) return there;

  const map_irq = { domid: DOMID_SELF, type: MAP_PIRQ_TYPE.GSI, index: gsi, pirq: set_pirq ? gsi : -1, bus: 0, devfn: 0, entry_nr: 0, table_base: 0 };
  const rc = HYPERVISOR_physdev_op(PHYSDEVOP.map_pirq, map_irq);
  if (rc) {
    printk('warn', `xen map irq failed ${rc}`);
    return -EPERM; // C: -1
  }

  const edge = triggering === ACPI_EDGE_SENSITIVE;
  const irq = yield* xen_bind_pirq_gsi_to_irq(gsi, map_irq.pirq, !edge, edge ? 'ioapic-edge' : 'ioapic-level');
  if (irq >= 0) printk('debug', `xen: --> pirq=${map_irq.pirq} -> irq=${irq} (gsi=${gsi})`);
  return irq;
}

/** Source: arch/x86/pci/xen.c, acpi_register_gsi_xen_hvm() */
function* acpi_register_gsi_xen_hvm(dev: PciDev | null, gsi: number, trigger: number, polarity: number): Op<number> {
  if (!xen_hvm_domain()) return -EPERM; // C: -1
  return yield* xen_register_pirq(gsi, trigger, false);
}

/** dom0 tells Xen how the line works. Source: arch/x86/pci/xen.c, xen_register_gsi() */
function* xen_register_gsi(gsi: number, triggering: number, polarity: number): Op<number> {
  if (!xen_pv_domain()) return -EPERM; // C: -1

  printk('debug', `xen: registering gsi ${gsi} triggering ${triggering} polarity ${polarity}`);
  const irq = yield* xen_register_pirq(gsi, triggering, true);

  const setup_gsi = { gsi, triggering: triggering === ACPI_EDGE_SENSITIVE ? 0 : 1, polarity: polarity === ACPI_ACTIVE_HIGH ? 0 : 1 };
  const rc = HYPERVISOR_physdev_op(PHYSDEVOP.setup_gsi, setup_gsi);
  if (rc === -EEXIST) pr_info(`Already setup the GSI :${gsi}`);
  else if (rc) pr_err(`Failed to setup GSI :${gsi}, err_code:${rc}`);

  return irq;
}

/** Source: arch/x86/pci/xen.c, acpi_register_gsi_xen() */
function* acpi_register_gsi_xen(dev: PciDev | null, gsi: number, trigger: number, polarity: number): Op<number> {
  return yield* xen_register_gsi(gsi, trigger, polarity);
}

/** A PV guest without devices of its own: x86_init.pci.arch_init. @returns 0, or -ENODEV for others. Source: arch/x86/pci/xen.c, pci_xen_init() */
export function* pci_xen_init(): Op<number> {
  if (!xen_pv_domain() || xen_initial_domain()) return -ENODEV;

  pr_info('PCI: setting up Xen PCI frontend stub');

  kernel.pcibios_enable_irq = xen_pcifront_enable_irq;
  kernel.pcibios_disable_irq = null;

  if (has('v2-28')) yield* xen_setup_pci_msi();
  else yield* set_pcifront_msi_ops();
  return 0;
}

/** The CPUs bring messages to virtual machines by themselves: then they need no pirqs. */
function apic_virtualised(): boolean {
  if (kernel.disable_apic) return false;
  const eax = machine.xen!.cpuidEax(4);
  return ((eax & XEN_HVM_CPUID_X2APIC_VIRT) !== 0 && kernel.x2apic_mode) || (eax & XEN_HVM_CPUID_APIC_ACCESS_VIRT) !== 0;
}

/** Before v2-26 the name of xen_hvm_msi_init(). Source: arch/x86/pci/xen.c (v5.9), xen_msi_init() */
function* xen_msi_init(): Op {
  if (apic_virtualised()) return;
  kernel.x86_msi.setup_msi_irqs = xen_hvm_setup_msi_irqs;
  kernel.x86_msi.teardown_msi_irq = xen_teardown_msi_irq;
}

/** Source: arch/x86/pci/xen.c, xen_hvm_msi_init() */
function* xen_hvm_msi_init(): Op {
  if (apic_virtualised()) return;
  if (has('v2-28')) {
    yield* xen_setup_pci_msi();
    return;
  }
  kernel.x86_msi.setup_msi_irqs = xen_hvm_setup_msi_irqs;
  kernel.x86_msi.teardown_msi_irq = xen_teardown_msi_irq;
  if (has('v2-27')) kernel.x86_msi.teardown_msi_irqs = xen_teardown_msi_irqs;
}

/** @returns 0, also where Xen has no pirqs for such guests: then nothing changes. Source: arch/x86/pci/xen.c, pci_xen_hvm_init() */
export function* pci_xen_hvm_init(): Op<number> {
  if (!kernel.xen_have_vector_callback || !xen_feature(XENFEAT.hvm_pirqs)) return 0;

  // Lines stay on their pins; only who registers them changes.
  kernel.__acpi_register_gsi = acpi_register_gsi_xen_hvm;
  kernel.__acpi_unregister_gsi = null;

  // It has to know whether x2APIC mode is on.
  kernel.x86_platform.apic_post_init = has('v2-26') ? xen_hvm_msi_init : xen_msi_init;
  return 0;
}

/** A PV guest with the machine's devices. Source: arch/x86/pci/xen.c, pci_xen_initial_domain() */
export function* pci_xen_initial_domain(): Op<number> {
  if (has('v2-28')) yield* xen_setup_pci_msi();
  else yield* set_initdom_msi_ops();

  kernel.__acpi_register_gsi = acpi_register_gsi_xen;
  kernel.__acpi_unregister_gsi = null;

  for (let irq = 0; irq < NR_IRQS_LEGACY; irq++) {
    const override = yield* acpi_get_override_irq(irq);
    if (override) yield* xen_register_pirq(irq, override.trigger ? ACPI_LEVEL_SENSITIVE : ACPI_EDGE_SENSITIVE, true);
  }
  if (kernel.ioapics.length === 0) {
    for (let irq = 0; irq < nr_legacy_irqs(); irq++) yield* xen_bind_pirq_gsi_to_irq(irq, irq, false, 'xt-pic');
  }
  return 0;
}
