import type { Op } from '../../../stepper/op';
import { type irq_data, irq_data_get_msi_desc, IRQCHIP_ONESHOT_SAFE } from '../../include/irq';
import { DOMAIN_BUS, type fwnode_handle, type irq_domain } from '../../include/irqdomain';
import { type msi_alloc_info_t, type msi_desc, msi_desc_to_pci_dev, type msi_domain_info, MSI_FLAG, type msi_msg } from '../../include/msi';
import type { device } from '../../include/device';
import { pci_dev_id, type PciDev } from '../../include/pci';
import { irq_domain_update_bus_token } from '../../irq/irqdomain';
import { msi_create_irq_domain, msi_domain_set_default_info_flags } from '../../irq/msi';
import { ENOSPC, ENOTSUPP } from '../../lib/errno';
import { limit_bound } from '../../lib/limit';
import { WARN_ON } from '../../lib/printk';
import { has } from '../../world';
import { __pci_write_msi_msg, pci_msi_mask_irq, pci_msi_unmask_irq } from './msi_message';

// The part of drivers/pci/msi.c that makes an irqdomain one for PCI/MSI.

/** Write the message for MSI-X and for the first vector of MSI, which stands for all. Source: drivers/pci/msi.c, pci_msi_domain_write_msg() */
export function* pci_msi_domain_write_msg(irq_data: irq_data, msg: msi_msg): Op {
  const desc = irq_data_get_msi_desc(irq_data)!;
  if (desc.irq === irq_data.irq) yield* __pci_write_msi_msg(desc, msg);
}

/** The message's number in its domain: entry, requester id, PCI domain. Source: drivers/pci/msi.c, pci_msi_domain_calc_hwirq() */
export function* pci_msi_domain_calc_hwirq(desc: msi_desc): Op<number> {
  const dev = msi_desc_to_pci_dev(desc);
  // 32 bits in the kernel too: PCI domains from 32 on share numbers with lower ones.
  return (desc.msi_attrib.entry_nr | (pci_dev_id(dev) << 11) | (dev.domain_nr << 27)) >>> 0;
}

const pci_msi_desc_is_multi_msi = (desc: msi_desc): boolean => !desc.msi_attrib.is_msix && desc.nvec_used > 1;

/** @returns 0; 1 for multi-MSI that the domain cannot; -ENOTSUPP for MSI-X that it cannot. Source: drivers/pci/msi.c, pci_msi_domain_check_cap() */
export function* pci_msi_domain_check_cap(domain: irq_domain, info: msi_domain_info, dev: device): Op<number> {
  const desc = dev.msi_list[0];

  if (pci_msi_desc_is_multi_msi(desc) && !(info.flags & MSI_FLAG.MULTI_PCI_MSI)) {
    limit_bound({ name: `vectors of one MSI in domain ${domain.name}, which does not remap`, needed: desc.nvec_used, size: 1 });
    return 1;
  }
  if (desc.msi_attrib.is_msix && !(info.flags & MSI_FLAG.PCI_MSIX)) return -ENOTSUPP;
  return 0;
}

/** @returns 1 where multi-MSI found no space, so that it is tried with one vector; else `error`. Source: drivers/pci/msi.c, pci_msi_domain_handle_error() */
export function* pci_msi_domain_handle_error(domain: irq_domain, desc: msi_desc, error: number): Op<number> {
  if (pci_msi_desc_is_multi_msi(desc) && error === -ENOSPC) return 1;
  return error;
}

/** Source: drivers/pci/msi.c, pci_msi_domain_set_desc() */
export function* pci_msi_domain_set_desc(arg: msi_alloc_info_t, desc: msi_desc): Op {
  arg.desc = desc;
  arg.hwirq = yield* pci_msi_domain_calc_hwirq(desc);
}

/** Fill the callbacks that the domain does not bring itself. Source: drivers/pci/msi.c, pci_msi_domain_update_dom_ops() */
function* pci_msi_domain_update_dom_ops(info: msi_domain_info): Op {
  const ops = info.ops;
  // Before v2-19 this is built with GENERIC_MSI_DOMAIN_OPS only, and x86 is without.
  if (has('v2-19')) ops.set_desc ??= pci_msi_domain_set_desc;
  ops.msi_check ??= pci_msi_domain_check_cap;
  ops.handle_error ??= pci_msi_domain_handle_error;
}

/** Source: drivers/pci/msi.c, pci_msi_domain_update_chip_ops() */
function* pci_msi_domain_update_chip_ops(info: msi_domain_info): Op {
  const chip = info.chip;
  chip.irq_write_msi_msg ??= pci_msi_domain_write_msg;
  chip.irq_mask ??= pci_msi_mask_irq;
  chip.irq_unmask ??= pci_msi_unmask_irq;
}

/** @returns a PCI/MSI domain below `parent`. Source: drivers/pci/msi.c, pci_msi_create_irq_domain() */
export function* pci_msi_create_irq_domain(fwnode: fwnode_handle | null, info: msi_domain_info, parent: irq_domain | null): Op<irq_domain> {
  if (WARN_ON((info.flags & MSI_FLAG.LEVEL_CAPABLE) !== 0, 'drivers/pci/msi.c pci_msi_create_irq_domain')) info.flags &= ~MSI_FLAG.LEVEL_CAPABLE;

  if (info.flags & MSI_FLAG.USE_DEF_DOM_OPS) yield* pci_msi_domain_update_dom_ops(info);
  if (info.flags & MSI_FLAG.USE_DEF_CHIP_OPS) yield* pci_msi_domain_update_chip_ops(info);

  if (has('v2-43')) {
    yield* msi_domain_set_default_info_flags(info);
  } else {
    // x86 selects GENERIC_IRQ_RESERVATION_MODE.
    info.flags |= MSI_FLAG.ACTIVATE_EARLY | MSI_FLAG.MUST_REACTIVATE;
    info.chip.flags |= IRQCHIP_ONESHOT_SAFE;
  }

  const domain = yield* msi_create_irq_domain(fwnode, info, parent);
  yield* irq_domain_update_bus_token(domain, DOMAIN_BUS.PCI_MSI);
  return domain;
}

/** Whether the device's interrupts go through a domain of its own kind (VMD, hypervisor), or through none. Source: drivers/pci/msi.c, pci_dev_has_special_msi_domain() */
export function* pci_dev_has_special_msi_domain(pdev: PciDev): Op<boolean> {
  const dom = pdev.msi_domain;
  if (!dom) return true;
  return dom.bus_token !== DOMAIN_BUS.PCI_MSI;
}
