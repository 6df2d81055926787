import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import { cpumask_of_node } from '../../include/topology';
import { HK_FLAG, housekeeping_cpumask } from '../../sched/isolation';
import { EBUSY } from '../../lib/errno';
import { printk } from '../../lib/printk';
import { kernel } from '../../world';
import { work_on_cpu } from '../../workqueue';
import { devres_release_all } from '../base/devres';
import { pci_iov_remove } from './iov';

/** A driver for PCI functions. */
export interface pci_driver {
  readonly name: string;
  /** @returns 0 or an errno */
  readonly probe: (pdev: PciDev) => Op<number>;
  readonly remove: (pdev: PciDev) => Op;
  /** Makes so many virtual functions, or (0) lets all go. @returns how many, or an errno */
  readonly sriov_configure?: (pdev: PciDev, num_vfs: number) => Op<number>;
  /** over a sleep of the system; each returns 0 or an errno */
  readonly pm?: { readonly suspend: (pdev: PciDev) => Op<number>; readonly resume: (pdev: PciDev) => Op<number> };
  /** whether its devices are probed side by side (PROBE_PREFER_ASYNCHRONOUS) */
  readonly is_async?: () => boolean;
}

/** x86 leaves the INTx irq as it is while MSI is in use. Source: drivers/pci/pci-driver.c, pcibios_alloc_irq() */
export function* pcibios_alloc_irq(dev: PciDev): Op<number> {
  return 0;
}

/** Source: drivers/pci/pci-driver.c, pcibios_free_irq() */
export function* pcibios_free_irq(dev: PciDev): Op {
  return;
}

/** A device that belongs to a node is set up by a CPU of that node, if one of them is up. @returns 0 or the errno of the probe. Source: drivers/pci/pci-driver.c, pci_call_probe() */
function* pci_call_probe(drv: pci_driver, dev: PciDev): Op<number> {
  const node = dev.numa_node;
  const near = node < 0 ? undefined : cpumask_of_node(node).and(yield* housekeeping_cpumask(HK_FLAG.DOMAIN | HK_FLAG.WQ));
  if (near && !near.empty) return yield* work_on_cpu(near.first, () => drv.probe(dev));
  return yield* drv.probe(dev);
}

/** Bind a driver. @returns 0, or the errno of its probe: the device is then without a driver. Source: drivers/pci/pci-driver.c, pci_device_probe() */
export function* pci_device_probe(dev: PciDev, drv: pci_driver): Op<number> {
  // The driver core refuses a device that has resources already: drivers/base/dd.c, really_probe().
  if (dev.devres.length > 0) {
    printk('err', `pci ${dev.name}: Resources present before probing`);
    return -EBUSY;
  }
  yield* pcibios_alloc_irq(dev);

  dev.driver = drv.name;
  dev.drv = drv;
  const error = yield* pci_call_probe(drv, dev);
  if (error < 0) {
    dev.driver = null;
    dev.drv = null;
    yield* pcibios_free_irq(dev);
    yield* devres_release_all(dev);
    return error;
  }
  yield* driver_bound(dev);
  return error;
}

/** The driver has the device. Source: drivers/base/dd.c, driver_bound() */
function* driver_bound(dev: PciDev): Op {
  kernel.klist_devices.push(dev);
}

/** Unbind a driver. Source: drivers/pci/pci-driver.c, pci_device_remove() */
export function* pci_device_remove(dev: PciDev, drv: pci_driver): Op {
  kernel.klist_devices.splice(kernel.klist_devices.indexOf(dev), 1);
  yield* drv.remove(dev);
  yield* pcibios_free_irq(dev);
  dev.driver = null;
  dev.drv = null;
  yield* pci_iov_remove(dev);
  yield* devres_release_all(dev);
}

/** Source: drivers/base/dd.c, device_release_driver() */
export function* device_release_driver(dev: PciDev): Op {
  if (dev.drv) yield* pci_device_remove(dev, dev.drv);
}
