import { PHYSDEVOP } from '../../../../hardware/xen/interface';
import type { Op } from '../../../../stepper/op';
import { xen_find_device_domain_owner, xen_unregister_device_domain_owner } from '../../../arch/x86/pci/xen_initdom';
import { HYPERVISOR_physdev_op } from '../../../arch/x86/xen/hypercall';
import { dev_driver_string, type PciDev, pci_dev_id } from '../../../include/pci';
import { ENOMEM, ENOSYS } from '../../../lib/errno';
import { pr_err, pr_info, pr_warn } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { kernel } from '../../../world';
import { pci_enable_device } from '../../pci/pci';
import type { pci_driver } from '../../pci/pci-driver';
import { pci_restore_state, pci_save_state } from '../../pci/pci-pm';
import { pcistub_device, type xen_pcibk_device } from './pciback';
import { xen_pcibk_reset_device } from './pciback_ops';

// A device that is to go to another domain gets a driver that keeps others away: drivers/xen/xen-pciback/pci_stub.c.

const said = (dev: PciDev, text: string): string => `${dev_driver_string(dev)} ${dev.name}: xen_pciback: ${text}`;
const physdev = (dev: PciDev): { seg: number; bus: number; devfn: number } => ({ seg: dev.domain_nr, bus: dev.bus, devfn: pci_dev_id(dev) & 0xff });

/** @returns 0 or an errno. Source: drivers/xen/xen-pciback/pci_stub.c, pcistub_init_device() */
function* pcistub_init_device(dev: PciDev): Op<number> {
  const err = yield* pci_enable_device(dev);
  if (err) return err;

  if (dev.msix_cap) {
    const prepared = HYPERVISOR_physdev_op(PHYSDEVOP.prepare_msix, physdev(dev));
    if (prepared && prepared !== -ENOSYS) pr_err(said(dev, `MSI-X preparation failed (${prepared})`));
  }
  yield* pci_save_state(dev);
  yield* pci_restore_state(dev);
  yield* xen_pcibk_reset_device(dev);
  return 0;
}

/** @returns 0 or an errno. Source: drivers/xen/xen-pciback/pci_stub.c, pcistub_probe() and pcistub_seize() */
function* pcistub_probe(dev: PciDev): Op<number> {
  pr_info(said(dev, 'seizing device'));
  const psdev = kzalloc('pcistub_device_alloc: psdev', () => new pcistub_device(dev));
  if (!psdev) return -ENOMEM;
  const err = yield* pcistub_init_device(dev);
  if (err === 0) kernel.pcistub_devices.push(psdev);
  return err;
}

const found = (dev: PciDev): pcistub_device | undefined => kernel.pcistub_devices.find(psdev => psdev.dev === dev);

/** The domain has done with the device, or is done for. Its state is what it was when it was seized. Source: drivers/xen/xen-pciback/pci_stub.c, pcistub_put_pci_dev() */
export function* pcistub_put_pci_dev(dev: PciDev): Op {
  dev.state_saved = true; // pci_load_saved_state()
  yield* pci_restore_state(dev);
  yield* xen_pcibk_reset_device(dev);

  yield* xen_unregister_device_domain_owner(dev);
  const psdev = found(dev);
  if (psdev) psdev.pdev = null;
}

/** Source: drivers/xen/xen-pciback/pci_stub.c, pcistub_get_pci_dev_by_slot() */
export function* pcistub_get_pci_dev(pdev: xen_pcibk_device, dev: PciDev): Op<PciDev | null> {
  const psdev = found(dev);
  if (!psdev || psdev.pdev) return null;
  psdev.pdev = pdev;
  return dev;
}

/** Source: drivers/xen/xen-pciback/pci_stub.c, pcistub_device_release() */
function* pcistub_device_release(dev: PciDev): Op {
  yield* xen_unregister_device_domain_owner(dev);
  if (dev.msix_cap) {
    const err = HYPERVISOR_physdev_op(PHYSDEVOP.release_msix, physdev(dev));
    if (err && err !== -ENOSYS) pr_warn(said(dev, `MSI-X release failed (${err})`));
  }
  yield* xen_pcibk_reset_device(dev);
}

/** Also while a domain has the device. Source: drivers/xen/xen-pciback/pci_stub.c, pcistub_remove() */
function* pcistub_remove(dev: PciDev): Op {
  const psdev = found(dev)!;
  if (psdev.pdev) {
    pr_warn(said(dev, `****** removing device ${dev.name} while still in-use by domain ${yield* xen_find_device_domain_owner(dev)}! ******`));
    pr_warn(said(dev, "****** driver domain may still access this device's i/o resources!"));
    pr_warn(said(dev, '****** shutdown driver domain before binding device'));
    pr_warn(said(dev, '****** to other drivers or domains'));
    const { devices } = psdev.pdev;
    devices.splice(devices.indexOf(dev), 1);
    yield* pcistub_put_pci_dev(dev);
  }
  kernel.pcistub_devices.splice(kernel.pcistub_devices.indexOf(psdev), 1);
  yield* pcistub_device_release(dev);
}

export const xen_pcibk_pci_driver: pci_driver = Object.freeze({ name: 'pciback', probe: pcistub_probe, remove: pcistub_remove });
