import { IOMMU_CAP } from '../../../hardware/amd-iommu-registers';
import { CAP } from '../../../hardware/dmar-registers';
import type { Op } from '../../../stepper/op';
import { x86_msi_prepare } from '../../arch/x86/apic/msi';
import { dev_get_msi_domain, type device } from '../../include/device';
import { DOMAIN_BUS, type fwnode_handle, type irq_domain } from '../../include/irqdomain';
import { MSI_FLAG, type msi_domain_info } from '../../include/msi';
import type { PciDev } from '../../include/pci';
import { irq_domain_alloc_named_fwnode, irq_domain_update_bus_token } from '../../irq/irqdomain';
import { __msi_domain_alloc_irqs, __msi_domain_free_irqs, alloc_msi_entry, msi_create_irq_domain, msi_domain_set_default_info_flags } from '../../irq/msi';
import { ENOMEM } from '../../lib/errno';
import { pr_info } from '../../lib/printk';
import { has, kernel, machine } from '../../world';
import { platform_msi_update_chip_ops } from './platform-msi';

// Messages of parts of a PCI device that are no PCI functions, as posted in 2020 and never merged: what v2-44 adds to drivers/base/platform-msi.c.

/** Source: [V2 44/46] drivers/base/platform-msi.c, device_msi_free_msi_entries() */
function* device_msi_free_msi_entries(dev: device): Op {
  dev.msi_list = [];
}

/**
 * One descriptor for each of `nvec` messages, then their interrupts. Where that fails midway the interrupts that were there stay, without descriptors.
 * @returns 0, -ENOMEM, or as __msi_domain_alloc_irqs(). Source: [V2 44/46] drivers/base/platform-msi.c, device_msi_alloc_irqs()
 */
function* device_msi_alloc_irqs(domain: irq_domain, dev: device, nvec: number): Op<number> {
  for (let i = 0; i < nvec; i++) {
    const entry = yield* alloc_msi_entry(dev, 1, null);
    if (!entry) {
      yield* device_msi_free_msi_entries(dev);
      return -ENOMEM;
    }
    entry.device_msi = { priv: null, priv_iomem: 0, hwirq: 0 };
    dev.msi_list.push(entry);
  }

  const ret = yield* __msi_domain_alloc_irqs(domain, dev, nvec);
  if (ret) yield* device_msi_free_msi_entries(dev);
  return ret;
}

/** Source: [V2 44/46] drivers/base/platform-msi.c, device_msi_free_irqs() */
function* device_msi_free_irqs(domain: irq_domain, dev: device): Op {
  yield* __msi_domain_free_irqs(domain, dev);
  yield* device_msi_free_msi_entries(dev);
}

/** Source: [V2 44/46] drivers/base/platform-msi.c, device_msi_update_dom_ops() */
function* device_msi_update_dom_ops({ ops }: msi_domain_info): Op {
  ops.domain_alloc_irqs ??= device_msi_alloc_irqs;
  ops.domain_free_irqs ??= device_msi_free_irqs;
  // arch_msi_prepare
  ops.msi_prepare ??= x86_msi_prepare;
}

/** `info` is completed in place. Source: [V2 44/46] drivers/base/platform-msi.c, device_msi_create_irq_domain() */
export function* device_msi_create_irq_domain(fn: fwnode_handle, info: msi_domain_info, parent: irq_domain | null): Op<irq_domain> {
  if (info.flags & MSI_FLAG.USE_DEF_CHIP_OPS) yield* platform_msi_update_chip_ops(info);
  if (info.flags & MSI_FLAG.USE_DEF_DOM_OPS) yield* device_msi_update_dom_ops(info);
  yield* msi_domain_set_default_info_flags(info);

  const domain = yield* msi_create_irq_domain(fn, info, parent);
  yield* irq_domain_update_bus_token(domain, DOMAIN_BUS.DEVICE_MSI);
  return domain;
}

/** Makers of virtual machines, as DMI tables name them. */
const VMM_VENDORS: readonly string[] = ['QEMU', 'Bochs', 'KVM', 'Xen', 'VMware', 'VMW', 'VMware Inc.', 'innotek GmbH', 'Oracle Corporation', 'Parallels', 'BHYVE'];

/** Whether messages that a device keeps itself reach the CPUs: the host of a guest would not know of them. No sign is sure, so each counts. Source: [re-post] arch/x86/pci/common.c, arch_support_pci_device_ims(), on_bare_metal() */
function* arch_support_pci_device_ims(_pdev: PciDev): Op<boolean> {
  const { hypervisor, hyperv, xen, smbios } = machine.config;
  // the CPUs' hypervisor bit
  if (hypervisor ?? hyperv ?? xen) return false;
  if (smbios?.virtualMachine) return false;
  if (viommu_hint()) return false;
  if (smbios && VMM_VENDORS.includes(smbios.vendor)) return false;

  pr_info('System running on bare metal, report to bugzilla.kernel.org if not the case.');
  return true;
}

/** IOMMU_CAP_VIOMMU_HINT: a unit that is made up for a guest must be told of every new entry. Source: [re-post] intel_iommu_capable(), amd_iommu_capable() */
const viommu_hint = (): boolean => kernel.dmar_drhd_units.some(({ iommu }) => CAP.get(iommu.cap, 'cm') === 1) || kernel.amd_iommu_list.some(({ cap }) => IOMMU_CAP.get(cap, 'npcache') === 1);

/** A domain for the parts of `pdev`, beside its own: on the same parent. @returns it, or null without one. Source: [V2 44/46] drivers/base/platform-msi.c, pci_subdevice_msi_create_irq_domain() */
export function* pci_subdevice_msi_create_irq_domain(pdev: PciDev, info: msi_domain_info): Op<irq_domain | null> {
  if (has('repost-no-guests') && !(yield* arch_support_pci_device_ims(pdev))) return null;

  const pdev_msi = dev_get_msi_domain(pdev);
  if (!pdev_msi) return null;

  const fn = yield* irq_domain_alloc_named_fwnode(pdev.name);
  return yield* device_msi_create_irq_domain(fn, info, pdev_msi.parent);
}
