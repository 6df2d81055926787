import type { Op } from '../../../../stepper/op';
import { PCIFRONT_PORT } from '../../../../hardware/xen/other-domain';
import { xen_find_device_domain_owner, xen_register_device_domain_owner, xen_unregister_device_domain_owner } from '../../../arch/x86/pci/xen_initdom';
import { dev_driver_string, type PciDev } from '../../../include/pci';
import { EINVAL, ENOMEM } from '../../../lib/errno';
import { pr_err, pr_info } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { has, kernel, machine } from '../../../world';
import { flush_workqueue } from '../../../workqueue';
import { bind_interdomain_evtchn_to_irqhandler, bind_interdomain_evtchn_to_irqhandler_lateeoi, unbind_from_irqhandler } from '../events/events_bind';
import { DRV_NAME, xen_pcibk_device } from './pciback';
import { xen_pcibk_handle_event } from './pciback_ops';
import { pcistub_get_pci_dev, pcistub_put_pci_dev } from './pci_stub';

// A domain comes, and goes: drivers/xen/xen-pciback/xenbus.c.

/** The errno without its sign comes first. Source: drivers/xen/xenbus/xenbus_client.c, xenbus_va_dev_error() */
const xenbus_dev_error = ({ otherend_id }: xen_pcibk_device, err: number, text: string): void => pr_err(`${DRV_NAME} pci-${otherend_id}-0: ${-err} ${text}`);

/** @returns 0 or -EINVAL. Source: drivers/xen/xen-pciback/xenbus.c, xen_pcibk_export_device() */
function* xen_pcibk_export_device(pdev: xen_pcibk_device, dev: PciDev): Op<number> {
  const said = (text: string): string => `${dev_driver_string(dev)} ${dev.name}: ${text}`;
  if (!(yield* pcistub_get_pci_dev(pdev, dev))) {
    xenbus_dev_error(pdev, -EINVAL, `Couldn't locate PCI device (${dev.name})! perhaps already in-use?`);
    return -EINVAL;
  }
  pdev.devices.push(dev);

  pr_info(said(`registering for ${pdev.otherend_id}`));
  if ((yield* xen_register_device_domain_owner(dev, pdev.otherend_id)) !== 0) {
    pr_err(said(`Stealing ownership from dom${yield* xen_find_device_domain_owner(dev)}.`));
    yield* xen_unregister_device_domain_owner(dev);
    yield* xen_register_device_domain_owner(dev, pdev.otherend_id);
  }
  return 0;
}

/** @returns 0 or an errno. Source: drivers/xen/xen-pciback/xenbus.c, xen_pcibk_do_attach() */
function* xen_pcibk_do_attach(pdev: xen_pcibk_device, remote_evtchn: number): Op<number> {
  pdev.sh_info = machine.xen!.others.get(pdev.otherend_id)!.page;
  const bind = has('xen-lateeoi') ? bind_interdomain_evtchn_to_irqhandler_lateeoi : bind_interdomain_evtchn_to_irqhandler;
  const err = yield* bind(pdev.otherend_id, remote_evtchn, xen_pcibk_handle_event, 0, DRV_NAME, pdev);
  if (err < 0) {
    xenbus_dev_error(pdev, err, 'Error binding event channel to IRQ');
    return err;
  }
  pdev.evtchn_irq = err;
  return 0;
}

/** The domain has been built, and its pcifront is ready. @returns 0 or an errno. Source: drivers/xen/xen-pciback/xenbus.c, xen_pcibk_xenbus_probe(), xen_pcibk_setup_backend() and xen_pcibk_attach() */
export function* xen_pcibk_xenbus_probe(otherend_id: number, devices: readonly PciDev[]): Op<number> {
  const pdev = kzalloc('alloc_pdev: pdev', () => new xen_pcibk_device(otherend_id));
  if (!pdev) return -ENOMEM;
  kernel.xen_pcibk_devices.push(pdev);
  for (const dev of devices) {
    const err = yield* xen_pcibk_export_device(pdev, dev);
    if (err) return err;
  }
  return yield* xen_pcibk_do_attach(pdev, PCIFRONT_PORT);
}

/** Source: drivers/xen/xen-pciback/xenbus.c, xen_pcibk_disconnect() */
function* xen_pcibk_disconnect(pdev: xen_pcibk_device): Op {
  if (pdev.evtchn_irq >= 0) {
    yield* unbind_from_irqhandler(pdev.evtchn_irq, pdev);
    pdev.evtchn_irq = -1;
  }
  yield* flush_workqueue(pdev.op_work);
  pdev.sh_info = null;
}

/** The domain is gone: what it has left goes, too. Source: drivers/xen/xen-pciback/xenbus.c, xen_pcibk_xenbus_remove() and free_pdev() */
export function* xen_pcibk_xenbus_remove(pdev: xen_pcibk_device): Op {
  yield* xen_pcibk_disconnect(pdev);
  for (const dev of pdev.devices.splice(0)) yield* pcistub_put_pci_dev(dev);
  kernel.xen_pcibk_devices.splice(kernel.xen_pcibk_devices.indexOf(pdev), 1);
}
