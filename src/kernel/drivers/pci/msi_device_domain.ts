import type { Op } from '../../../stepper/op';
import { type irq_data, irq_data_get_msi_desc, IRQCHIP_ONESHOT_SAFE } from '../../include/irq';
import { DOMAIN_BUS, type irq_domain, irq_domain_is_hierarchy, irq_domain_is_msi_parent } from '../../include/irqdomain';
import { type msi_alloc_info_t, MSI_DEFAULT_DOMAIN, type msi_desc, msi_desc_to_pci_dev, type msi_domain_info, type msi_domain_template, MSI_FLAG } from '../../include/msi';
import type { PciDev } from '../../include/pci';
import { msi_create_device_irq_domain, msi_match_device_irq_domain, msi_remove_device_irq_domain } from '../../irq/msi_device_data';
import { WARN_ON_ONCE } from '../../lib/printk';
import { has } from '../../world';
import { msix_prepare_msi_desc } from './msi';
import { pci_msi_domain_write_msg } from './msi_irqdomain';
import { msi_mask_irq, msix_mask_irq } from './msi_message';

// MSI domains that devices have for themselves: the part of drivers/pci/msi/irqdomain.c (v6.2) that makes them.

/** A message's number in a device's own domain is its number in the device. Source: drivers/pci/msi/irqdomain.c (v6.2), pci_device_domain_set_desc() */
function* pci_device_domain_set_desc(arg: msi_alloc_info_t, desc: msi_desc): Op {
  arg.desc = desc;
  arg.hwirq = desc.msi_attrib.entry_nr;
}

/** Descriptors of entries are prepared when they are made, but for those that are added later. Source: drivers/pci/msi/irqdomain.c (v6.2), pci_msix_prepare_desc() */
function* pci_msix_prepare_desc(_domain: irq_domain, _arg: msi_alloc_info_t, desc: msi_desc): Op {
  if (desc.mask_base === 0) yield* msix_prepare_msi_desc(msi_desc_to_pci_dev(desc), desc);
}

/** Source: drivers/pci/msi/irqdomain.c (v6.2), pci_irq_mask_msi() */
function* pci_irq_mask_msi(data: irq_data): Op {
  const desc = irq_data_get_msi_desc(data)!;
  const bit = 1 << (data.irq - desc.irq);
  yield* msi_mask_irq(desc, bit, bit);
}

/** Source: drivers/pci/msi/irqdomain.c (v6.2), pci_irq_unmask_msi() */
function* pci_irq_unmask_msi(data: irq_data): Op {
  const desc = irq_data_get_msi_desc(data)!;
  yield* msi_mask_irq(desc, 1 << (data.irq - desc.irq), 0);
}

/** Source: drivers/pci/msi/irqdomain.c (v6.2), pci_irq_mask_msix() */
function* pci_irq_mask_msix(data: irq_data): Op {
  yield* msix_mask_irq(irq_data_get_msi_desc(data)!, 1);
}

/** Source: drivers/pci/msi/irqdomain.c (v6.2), pci_irq_unmask_msix() */
function* pci_irq_unmask_msix(data: irq_data): Op {
  yield* msix_mask_irq(irq_data_get_msi_desc(data)!, 0);
}

const MSI_COMMON_FLAGS = MSI_FLAG.FREE_MSI_DESCS | MSI_FLAG.ACTIVATE_EARLY | MSI_FLAG.DEV_SYSFS | MSI_FLAG.MUST_REACTIVATE;

const pci_msi_template: msi_domain_template = Object.freeze({
  chip: { name: 'PCI-MSI', irq_mask: pci_irq_mask_msi, irq_unmask: pci_irq_unmask_msi, irq_write_msi_msg: pci_msi_domain_write_msg, flags: IRQCHIP_ONESHOT_SAFE },
  ops: { set_desc: pci_device_domain_set_desc },
  flags: MSI_COMMON_FLAGS | MSI_FLAG.MULTI_PCI_MSI,
  bus_token: DOMAIN_BUS.PCI_DEVICE_MSI,
});

const pci_msix_template: msi_domain_template = Object.freeze({
  chip: { name: 'PCI-MSIX', irq_mask: pci_irq_mask_msix, irq_unmask: pci_irq_unmask_msix, irq_write_msi_msg: pci_msi_domain_write_msg, flags: IRQCHIP_ONESHOT_SAFE },
  ops: { prepare_desc: pci_msix_prepare_desc, set_desc: pci_device_domain_set_desc },
  flags: MSI_COMMON_FLAGS | MSI_FLAG.PCI_MSIX | MSI_FLAG.PCI_MSIX_ALLOC_DYN,
  bus_token: DOMAIN_BUS.PCI_DEVICE_MSIX,
});

/** @param hwsize of the device's table @returns true where the device needs none of its own, too. Source: drivers/pci/msi/irqdomain.c (v6.2), pci_create_device_domain() */
function* pci_create_device_domain(pdev: PciDev, tmpl: msi_domain_template, hwsize: number): Op<boolean> {
  if (!pdev.msi_domain || !irq_domain_is_msi_parent(pdev.msi_domain)) return true;
  return yield* msi_create_device_irq_domain(pdev, MSI_DEFAULT_DOMAIN, tmpl, hwsize, null, null);
}

const pci_match_device_domain = (pdev: PciDev, bus_token: number): Op<boolean> => msi_match_device_irq_domain(pdev, MSI_DEFAULT_DOMAIN, bus_token);

/** A device has one domain at a time: that for MSI-X goes. @returns false while MSI-X is on, or without a domain. Source: drivers/pci/msi/irqdomain.c (v6.2), pci_setup_msi_device_domain() */
export function* pci_setup_msi_device_domain(pdev: PciDev): Op<boolean> {
  if (WARN_ON_ONCE(pdev.msix_enabled, 'drivers/pci/msi/irqdomain.c pci_setup_msi_device_domain')) return false;

  if (yield* pci_match_device_domain(pdev, DOMAIN_BUS.PCI_DEVICE_MSI)) return true;
  if (yield* pci_match_device_domain(pdev, DOMAIN_BUS.PCI_DEVICE_MSIX)) yield* msi_remove_device_irq_domain(pdev, MSI_DEFAULT_DOMAIN);
  return yield* pci_create_device_domain(pdev, pci_msi_template, 1);
}

/** The same the other way round. @param hwsize entries of the table. Source: drivers/pci/msi/irqdomain.c (v6.2), pci_setup_msix_device_domain() */
export function* pci_setup_msix_device_domain(pdev: PciDev, hwsize: number): Op<boolean> {
  if (WARN_ON_ONCE(pdev.msi_enabled, 'drivers/pci/msi/irqdomain.c pci_setup_msix_device_domain')) return false;

  if (yield* pci_match_device_domain(pdev, DOMAIN_BUS.PCI_DEVICE_MSIX)) return true;
  if (yield* pci_match_device_domain(pdev, DOMAIN_BUS.PCI_DEVICE_MSI)) yield* msi_remove_device_irq_domain(pdev, MSI_DEFAULT_DOMAIN);
  return yield* pci_create_device_domain(pdev, pci_msix_template, hwsize);
}

/** Whether what a device's messages go through can do all of `feature_mask`. @param legacy the answer where it has no domain, until 'msi-needs-domain'. Source: drivers/pci/msi/irqdomain.c (v6.2), pci_msi_domain_supports() */
export function* pci_msi_domain_supports(pdev: PciDev, feature_mask: number, legacy = true): Op<boolean> {
  const domain = pdev.msi_domain;
  if (!domain || !irq_domain_is_hierarchy(domain)) return legacy && !has('msi-needs-domain');
  const supported = domain.msi_parent_ops?.supported_flags ?? (domain.host_data as msi_domain_info).flags;
  return (supported & feature_mask) === feature_mask;
}
