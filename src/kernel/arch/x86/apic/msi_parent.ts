import type { Op } from '../../../../stepper/op';
import { IRQCHIP_AFFINITY_PRE_STARTUP, IRQCHIP_SKIP_SET_WAKE } from '../../../include/irq';
import { DOMAIN_BUS, type irq_domain, IRQ_DOMAIN_FLAG } from '../../../include/irqdomain';
import { MSI_FLAG, type msi_domain_info, type msi_parent_ops, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import type { device } from '../../../include/device';
import type { PciDev } from '../../../include/pci';
import { handle_edge_irq, irq_chip_ack_parent, irq_chip_retrigger_hierarchy } from '../../../irq/chip';
import { EINVAL } from '../../../lib/errno';
import { WARN_ON_ONCE } from '../../../lib/printk';
import { kernel } from '../../../world';
import type { irq_alloc_info } from '../hw_irq';
import { msi_set_affinity } from './msi';
import { init_irq_alloc_info } from './vector';

// The vector domain as one on which devices have MSI domains of their own: this part of arch/x86/kernel/apic/msi.c (v6.2).

/** The kind of allocation follows from what the domain is for. @returns 0, or -EINVAL for another one. Source: arch/x86/kernel/apic/msi.c (v6.2), x86_msi_prepare() */
function* x86_msi_prepare(domain: irq_domain, _dev: device, _nvec: number, alloc: irq_alloc_info): Op<number> {
  yield* init_irq_alloc_info(alloc, null);
  const type = new Map<number, number>([[DOMAIN_BUS.PCI_DEVICE_MSI, X86_IRQ_ALLOC_TYPE.PCI_MSI], [DOMAIN_BUS.PCI_DEVICE_MSIX, X86_IRQ_ALLOC_TYPE.PCI_MSIX]]).get((domain.host_data as msi_domain_info).bus_token!);
  if (type === undefined) return -EINVAL;
  alloc.type = type;
  return 0;
}

/** What a device's domain may and must do on the vector domain. @returns false for another domain below. Source: arch/x86/kernel/apic/msi.c (v6.2), x86_init_dev_msi_info() */
function* x86_init_dev_msi_info(_dev: PciDev, domain: irq_domain, real_parent: irq_domain, info: msi_domain_info): Op<boolean> {
  if (WARN_ON_ONCE(domain !== real_parent || real_parent.bus_token !== DOMAIN_BUS.ANY, 'arch/x86/kernel/apic/msi.c x86_init_dev_msi_info')) return false;

  info.flags = (info.flags & real_parent.msi_parent_ops!.supported_flags) | MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS;
  info.ops.msi_prepare = x86_msi_prepare;
  info.chip.irq_set_affinity = msi_set_affinity;
  info.chip.irq_ack = irq_chip_ack_parent;
  info.chip.irq_retrigger = irq_chip_retrigger_hierarchy;
  info.chip.flags |= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP;
  info.handler = handle_edge_irq;
  info.handler_name = 'edge';
  return true;
}

/** No multi-MSI: vectors of one CPU next to each other are not to be had. */
const x86_vector_msi_parent_ops: msi_parent_ops = Object.freeze({
  supported_flags: MSI_FLAG.ACTIVATE_EARLY | MSI_FLAG.MUST_REACTIVATE | MSI_FLAG.PCI_MSIX,
  prefix: '',
  init_dev_msi_info: x86_init_dev_msi_info,
});

/** There is no PCI/MSI domain for all devices. Source: arch/x86/kernel/apic/msi.c (v6.2), native_create_pci_msi_domain() */
export function* native_create_pci_msi_domain(): Op<irq_domain | null> {
  if (kernel.disable_apic) return null;

  const domain = kernel.x86_vector_domain!;
  domain.flags |= IRQ_DOMAIN_FLAG.MSI_PARENT;
  domain.msi_parent_ops = x86_vector_msi_parent_ops;
  return domain;
}
