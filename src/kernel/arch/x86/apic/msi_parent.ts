import type { Op } from '../../../../stepper/op';
import { IRQCHIP_AFFINITY_PRE_STARTUP, IRQCHIP_SKIP_SET_WAKE } from '../../../include/irq';
import { DOMAIN_BUS, type irq_domain, IRQ_DOMAIN_FLAG } from '../../../include/irqdomain';
import { MSI_FLAG, MSI_GENERIC_FLAGS_MASK, type msi_domain_info, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import type { device } from '../../../include/device';
import type { PciDev } from '../../../include/pci';
import { handle_edge_irq, irq_chip_ack_parent, irq_chip_retrigger_hierarchy } from '../../../irq/chip';
import { EINVAL } from '../../../lib/errno';
import { WARN_ON_ONCE } from '../../../lib/printk';
import { has, kernel } from '../../../world';
import type { irq_alloc_info } from '../hw_irq';
import { msi_set_affinity } from './msi';
import { init_irq_alloc_info } from './vector';

// The vector domain as one on which devices have MSI domains of their own: this part of arch/x86/kernel/apic/msi.c (v6.2).

/** Whether a device's messages go to the vector domain, as those of any device do until something has taken it over. Source: arch/x86/kernel/apic/msi.c (v6.2), pci_dev_has_default_msi_parent_domain() */
export function* pci_dev_has_default_msi_parent_domain(dev: PciDev): Op<boolean> {
  const domain = dev.msi_domain ?? dev.parent_bus.msi_domain;
  return domain !== null && domain === kernel.x86_vector_domain;
}

/** The kind of allocation follows from what the domain is for. @returns 0, or -EINVAL for another one. Source: arch/x86/kernel/apic/msi.c (v6.2), x86_msi_prepare() */
function* x86_msi_prepare(domain: irq_domain, _dev: device, _nvec: number, alloc: irq_alloc_info): Op<number> {
  yield* init_irq_alloc_info(alloc, null);

  switch ((domain.host_data as msi_domain_info).bus_token) {
    case DOMAIN_BUS.PCI_DEVICE_MSI:
      alloc.type = X86_IRQ_ALLOC_TYPE.PCI_MSI;
      return 0;
    case DOMAIN_BUS.PCI_DEVICE_MSIX:
    case DOMAIN_BUS.PCI_DEVICE_IMS:
      alloc.type = X86_IRQ_ALLOC_TYPE.PCI_MSIX;
      return 0;
    default:
      return -EINVAL;
  }
}

const WHERE = 'arch/x86/kernel/apic/msi.c x86_init_dev_msi_info';

/**
 * What a device's domain may and must do on `real_parent`: the vector domain itself, or a remapping unit's on top of it.
 * @returns false for another domain there, and for one that `real_parent` does not support. Source: arch/x86/kernel/apic/msi.c (v6.2), x86_init_dev_msi_info()
 */
function* x86_init_dev_msi_info(_dev: PciDev, domain: irq_domain, real_parent: irq_domain, info: msi_domain_info): Op<boolean> {
  const { supported_flags } = real_parent.msi_parent_ops!;

  switch (real_parent.bus_token) {
    case DOMAIN_BUS.ANY:
      if (WARN_ON_ONCE(domain !== real_parent, WHERE)) return false;
      info.chip.irq_set_affinity = msi_set_affinity;
      info.flags |= MSI_FLAG.NOMASK_QUIRK;
      break;
    case DOMAIN_BUS.DMAR:
    case DOMAIN_BUS.AMDVI:
      break;
    default:
      WARN_ON_ONCE(true, WHERE);
      return false;
  }

  switch (info.bus_token) {
    case DOMAIN_BUS.PCI_DEVICE_MSI:
    case DOMAIN_BUS.PCI_DEVICE_MSIX:
      break;
    case DOMAIN_BUS.PCI_DEVICE_IMS:
      if (!(supported_flags & MSI_FLAG.PCI_IMS)) return false;
      break;
    default:
      WARN_ON_ONCE(true, WHERE);
      return false;
  }

  info.flags = (info.flags & supported_flags) | MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS;
  info.ops.msi_prepare = x86_msi_prepare;
  info.chip.irq_ack = irq_chip_ack_parent;
  info.chip.irq_retrigger = irq_chip_retrigger_hierarchy;
  info.chip.flags |= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP;
  info.handler = handle_edge_irq;
  info.handler_name = 'edge';
  return true;
}

/** What any MSI domain on top of the vector domain may do. No multi-MSI: vectors of one CPU next to each other are not to be had. */
export const X86_VECTOR_MSI_FLAGS_SUPPORTED = (): number => MSI_GENERIC_FLAGS_MASK | MSI_FLAG.PCI_MSIX | (has('msix-alloc-dyn') ? MSI_FLAG.PCI_MSIX_ALLOC_DYN : 0);

/** What a remapping unit adds. One that is made up for a guest cannot know of a device's own store: its host would not either. */
export const remapped_msi_flags = (virtual: boolean): number => X86_VECTOR_MSI_FLAGS_SUPPORTED() | MSI_FLAG.MULTI_PCI_MSI | (has('pci-ims') && !virtual ? MSI_FLAG.PCI_IMS : 0);

/** Flag of a remapping unit's domain. */
export const isolated_msi = (): number => (has('ir-isolated-msi') ? IRQ_DOMAIN_FLAG.MSI_REMAP : 0);

/** There is no PCI/MSI domain for all devices. Source: arch/x86/kernel/apic/msi.c (v6.2), native_create_pci_msi_domain() */
export function* native_create_pci_msi_domain(): Op<irq_domain | null> {
  if (kernel.disable_apic) return null;

  const domain = kernel.x86_vector_domain!;
  domain.flags |= IRQ_DOMAIN_FLAG.MSI_PARENT;
  domain.msi_parent_ops = { supported_flags: X86_VECTOR_MSI_FLAGS_SUPPORTED(), prefix: '', init_dev_msi_info: x86_init_dev_msi_info };
  return domain;
}
