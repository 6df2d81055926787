import type { Op } from '../../../stepper/op';
import type { irq_affinity_desc } from '../../include/interrupt';
import { DOMAIN_BUS, irq_domain_is_msi_parent } from '../../include/irqdomain';
import { MSI_ANY_INDEX, MSI_DEFAULT_DOMAIN, MSI_FLAG, type msi_domain_template, type msi_map, MSI_SECONDARY_DOMAIN } from '../../include/msi';
import type { PciDev } from '../../include/pci';
import { msi_create_device_irq_domain } from '../../irq/msi_device_data';
import { msi_domain_alloc_irq_at, msi_domain_free_irqs_range } from '../../irq/msi_device_irqs';
import { ENOTSUPP } from '../../lib/errno';
import { WARN_ON_ONCE } from '../../lib/printk';
import { pci_msi_domain_supports } from './msi_device_domain';

// Interrupts of a device one at a time: of its MSI-X table while that is in use, and of a store of messages of its own. What drivers/pci/msi/api.c and irqdomain.c (v6.2) have for that.

/** Source: drivers/pci/msi/api.c (v6.2), pci_msix_can_alloc_dyn() */
export function* pci_msix_can_alloc_dyn(dev: PciDev): Op<boolean> {
  if (!dev.msix_cap) return false;
  return yield* pci_msi_domain_supports(dev, MSI_FLAG.PCI_MSIX_ALLOC_DYN, false);
}

/** @param index of the entry, or MSI_ANY_INDEX @returns as msi_domain_alloc_irq_at(); -ENOTSUPP while MSI-X is off, or without a domain that can do it. Source: drivers/pci/msi/api.c (v6.2), pci_msix_alloc_irq_at() */
export function* pci_msix_alloc_irq_at(dev: PciDev, index: number, affdesc: irq_affinity_desc | null): Op<msi_map> {
  if (!dev.msix_enabled || !(yield* pci_msix_can_alloc_dyn(dev))) return { index: -ENOTSUPP, virq: 0 };
  return yield* msi_domain_alloc_irq_at(dev, MSI_DEFAULT_DOMAIN, index, affdesc, null);
}

/** Source: drivers/pci/msi/api.c (v6.2), pci_msix_free_irq() */
export function* pci_msix_free_irq(dev: PciDev, map: msi_map): Op {
  if (WARN_ON_ONCE(map.index < 0 || map.virq <= 0, 'drivers/pci/msi/api.c pci_msix_free_irq')) return;
  if (WARN_ON_ONCE(!(yield* pci_msix_can_alloc_dyn(dev)), 'drivers/pci/msi/api.c pci_msix_free_irq', 'dynamic')) return;
  yield* msi_domain_free_irqs_range(dev, MSI_DEFAULT_DOMAIN, map.index, map.index);
}

/**
 * A second MSI domain of a device, for messages that it keeps itself. Where they go is what the domain below does: the template's chip masks and writes, and sets no affinity.
 * @param hwsize slots of a table; 0: the numbers mean nothing to the device @param data for the template's callbacks: msi_domain_info.data
 * @returns false for a template against these rules, and where the domain below is none of MSI parents or does not support it. Source: drivers/pci/msi/irqdomain.c (v6.2), pci_create_ims_domain()
 */
export function* pci_create_ims_domain(pdev: PciDev, template: msi_domain_template, hwsize: number, data: unknown): Op<boolean> {
  if (!pdev.msi_domain || !irq_domain_is_msi_parent(pdev.msi_domain)) return false;

  const { bus_token, flags, chip } = template;
  if (bus_token !== DOMAIN_BUS.PCI_DEVICE_IMS || !(flags & MSI_FLAG.ALLOC_SIMPLE_MSI_DESCS) || !(flags & MSI_FLAG.FREE_MSI_DESCS)) return false;
  if (!chip.irq_mask || !chip.irq_unmask || !chip.irq_write_msi_msg || chip.irq_set_affinity) return false;

  return yield* msi_create_device_irq_domain(pdev, MSI_SECONDARY_DOMAIN, template, hwsize, data, null);
}

/** @param icookie what the chip's callbacks need to know of this instance: a PASID, a queue @returns as msi_domain_alloc_irq_at(). Source: drivers/pci/msi/api.c (v6.2), pci_ims_alloc_irq() */
export function* pci_ims_alloc_irq(dev: PciDev, icookie: unknown, affdesc: irq_affinity_desc | null): Op<msi_map> {
  return yield* msi_domain_alloc_irq_at(dev, MSI_SECONDARY_DOMAIN, MSI_ANY_INDEX, affdesc, icookie);
}

/** Source: drivers/pci/msi/api.c (v6.2), pci_ims_free_irq() */
export function* pci_ims_free_irq(dev: PciDev, map: msi_map): Op {
  if (WARN_ON_ONCE(map.index < 0 || map.virq <= 0, 'drivers/pci/msi/api.c pci_ims_free_irq')) return;
  yield* msi_domain_free_irqs_range(dev, MSI_SECONDARY_DOMAIN, map.index, map.index);
}
