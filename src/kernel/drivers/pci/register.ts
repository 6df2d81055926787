import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import { kernel, spawn } from '../../world';
import { pci_device_probe, pci_device_remove, type pci_driver } from './pci-driver';

/** Whether a driver is for a device: its table of ids. */
export type pci_match = (dev: PciDev) => boolean;

/** A driver that has come, and what it is for. */
export interface registered_driver {
  readonly drv: pci_driver;
  readonly match: pci_match;
}

/** A device comes: the first driver that is for it and takes it has it. Source: drivers/base/dd.c, device_attach() */
export function* device_attach(dev: PciDev): Op {
  for (const { drv, match } of kernel.pci_drivers) {
    if (match(dev) && (yield* pci_device_probe(dev, drv)) >= 0) return;
  }
}

/** A driver comes: it gets the devices that it is for and that nobody has, in the order of their discovery. Source: drivers/pci/pci-driver.c, __pci_register_driver(); drivers/base/dd.c, driver_attach() */
export function* __pci_register_driver(drv: pci_driver, match: pci_match): Op {
  kernel.pci_drivers.push({ drv, match });
  for (const dev of kernel.pci_devices) {
    if (dev.driver !== null || !match(dev)) continue;
    if (drv.is_async?.()) spawn({ name: `kworker/u${2 * kernel.nr_cpu_ids}:${dev.devfn}-events_unbound`, cpu: kernel.this_cpu, run: () => __driver_attach_async_helper(dev, drv) });
    else yield* pci_device_probe(dev, drv);
  }
}

/** Source: drivers/base/dd.c, __driver_attach_async_helper() */
function* __driver_attach_async_helper(dev: PciDev, drv: pci_driver): Op {
  yield* pci_device_probe(dev, drv);
}

/** A driver goes: it lets go of its devices, the last one first. Source: drivers/pci/pci-driver.c, pci_unregister_driver(); drivers/base/dd.c, driver_detach() */
export function* pci_unregister_driver(drv: pci_driver): Op {
  kernel.pci_drivers = kernel.pci_drivers.filter(registered => registered.drv !== drv);
  const bound = kernel.klist_devices.filter(dev => dev.driver === drv.name);
  for (const dev of bound.reverse()) yield* pci_device_remove(dev, drv);
}
