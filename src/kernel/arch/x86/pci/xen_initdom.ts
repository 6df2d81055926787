import { MSIX_LOCATION, PCI_CAP_ID_MSI, PCI_MSIX_TABLE } from '../../../../hardware/pci-registers';
import { DOMID_SELF, MAP_PIRQ_TYPE, PHYSDEVOP } from '../../../../hardware/xen/interface';
import type { Op } from '../../../../stepper/op';
import { pci_read_config_dword } from '../../../drivers/pci/access';
import { pci_resource_start } from '../../../drivers/pci/pci';
import { xen_bind_pirq_msi_to_irq } from '../../../drivers/xen/events/events_pirq';
import { dev_driver_string, type PciDev, pci_dev_id } from '../../../include/pci';
import { EEXIST, EINVAL, ENODEV, ENOSYS } from '../../../lib/errno';
import { raw_spin_lock, raw_spin_unlock, raw_spinlock } from '../../../lib/locking';
import { pr_warn, WARN } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { kernel } from '../../../world';
import { HYPERVISOR_physdev_op } from '../xen/hypercall';
import { is_msix, one_only } from './xen_msi_common';

// dom0: messages of PCI devices, its own and those that it has given to other domains. This part of arch/x86/pci/xen.c.

/** Who has a device that is not dom0's own. Source: arch/x86/pci/xen.c, struct xen_device_domain_owner */
interface xen_device_domain_owner {
  domain: number;
  dev: PciDev;
}

export const xen_initdom_globals = () => ({
  /** Xen knows PCI segments */
  pci_seg_supported: true,
  dev_domain_list: [] as xen_device_domain_owner[],
  dev_domain_list_spinlock: new raw_spinlock('dev_domain_list_spinlock'),
});

const where = (dev: PciDev): { seg: number; bus: number; devfn: number } => ({ seg: dev.domain_nr, bus: dev.bus, devfn: pci_dev_id(dev) & 0xff });

/** dom0 asks Xen, which writes the message itself. @returns 0, 1 for several MSIs that Xen has not, or an errno. Source: arch/x86/pci/xen.c, xen_initdom_setup_msi_irqs() */
export function* xen_initdom_setup_msi_irqs(dev: PciDev, nvec: number, type: number): Op<number> {
  for (const msidesc of dev.msi_list) {
    const owner = yield* xen_find_device_domain_owner(dev);
    const domid = owner < 0 ? DOMID_SELF : owner;

    const { seg, bus, devfn } = where(dev);
    const map_irq = { domid, type: MAP_PIRQ_TYPE.MSI_SEG as number, index: -1, pirq: -1, bus: bus | (seg << 16), devfn, entry_nr: 0, table_base: 0 };
    const block = type === PCI_CAP_ID_MSI && nvec > 1;
    if (block) {
      map_irq.type = MAP_PIRQ_TYPE.MULTI_MSI;
      map_irq.entry_nr = nvec;
    } else if (is_msix(type)) {
      const { bir } = MSIX_LOCATION.decode(pci_read_config_dword(dev, dev.msix_cap + PCI_MSIX_TABLE));
      const start = pci_resource_start(dev, bir);
      if (start === 0) return -EINVAL;
      map_irq.table_base = start;
      map_irq.entry_nr = msidesc.msi_attrib.entry_nr;
    }

    let ret = -EINVAL;
    if (kernel.pci_seg_supported) ret = HYPERVISOR_physdev_op(PHYSDEVOP.map_pirq, map_irq);
    if (block && ret) return one_only('dom0 of this Xen', nvec);

    if (ret === -EINVAL && seg === 0) {
      Object.assign(map_irq, { type: MAP_PIRQ_TYPE.MSI, index: -1, pirq: -1, bus });
      ret = HYPERVISOR_physdev_op(PHYSDEVOP.map_pirq, map_irq);
      if (ret !== -EINVAL) kernel.pci_seg_supported = false;
    }
    if (ret) {
      pr_warn(`${dev_driver_string(dev)} ${dev.name}: xen map irq failed ${ret} for ${domid} domain`);
      return ret;
    }

    ret = yield* xen_bind_pirq_msi_to_irq(dev, msidesc, map_irq.pirq, type === PCI_CAP_ID_MSI ? nvec : 1, is_msix(type) ? 'msi-x' : 'msi', domid);
    if (ret < 0) return ret;
  }
  return 0;
}

/** Xen writes its messages into a device that has lost them. Source: arch/x86/pci/xen.c, xen_initdom_restore_msi_irqs() */
export function* xen_initdom_restore_msi_irqs(dev: PciDev): Op {
  const at = 'arch/x86/pci/xen.c xen_initdom_restore_msi_irqs';
  if (kernel.pci_seg_supported) {
    const ret = HYPERVISOR_physdev_op(PHYSDEVOP.restore_msi_ext, where(dev));
    if (ret === -ENOSYS) kernel.pci_seg_supported = false;
    WARN(ret !== 0 && ret !== -ENOSYS, `restore_msi_ext -> ${ret}`, at);
  }
  if (!kernel.pci_seg_supported) {
    const { bus, devfn } = where(dev);
    const ret = HYPERVISOR_physdev_op(PHYSDEVOP.restore_msi, { bus, devfn });
    WARN(ret !== 0 && ret !== -ENOSYS, `restore_msi -> ${ret}`, at);
  }
}

/** Source: arch/x86/pci/xen.c, find_device() */
const find_device = (dev: PciDev): xen_device_domain_owner | undefined => kernel.dev_domain_list.find(owner => owner.dev === dev);

/** @returns the domain that a device has been given to; -ENODEV: it is dom0's own. Source: arch/x86/pci/xen.c, xen_find_device_domain_owner() */
export function* xen_find_device_domain_owner(dev: PciDev): Op<number> {
  yield* raw_spin_lock(kernel.dev_domain_list_spinlock);
  const domain = find_device(dev)?.domain ?? -ENODEV;
  yield* raw_spin_unlock(kernel.dev_domain_list_spinlock);
  return domain;
}

/** @returns 0, -EEXIST where another domain has it, -ENODEV (not -ENOMEM) without memory. Source: arch/x86/pci/xen.c, xen_register_device_domain_owner() */
export function* xen_register_device_domain_owner(dev: PciDev, domain: number): Op<number> {
  const owner = kzalloc<xen_device_domain_owner>('xen_register_device_domain_owner: owner', () => ({ domain, dev }));
  if (!owner) return -ENODEV;

  yield* raw_spin_lock(kernel.dev_domain_list_spinlock);
  const taken = find_device(dev) !== undefined;
  if (!taken) kernel.dev_domain_list.push(owner);
  yield* raw_spin_unlock(kernel.dev_domain_list_spinlock);
  return taken ? -EEXIST : 0;
}

/** @returns 0, or -ENODEV where nobody has it. Source: arch/x86/pci/xen.c, xen_unregister_device_domain_owner() */
export function* xen_unregister_device_domain_owner(dev: PciDev): Op<number> {
  yield* raw_spin_lock(kernel.dev_domain_list_spinlock);
  const owner = find_device(dev);
  if (owner) kernel.dev_domain_list.splice(kernel.dev_domain_list.indexOf(owner), 1);
  yield* raw_spin_unlock(kernel.dev_domain_list_spinlock);
  return owner ? 0 : -ENODEV;
}
