import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';

/** A driver for PCI functions. */
export interface pci_driver {
  readonly name: string;
  /** @returns 0 or an errno */
  readonly probe: (pdev: PciDev) => Op<number>;
  readonly remove: (pdev: PciDev) => Op;
}

/** x86 leaves the INTx irq as it is while MSI is in use. Source: drivers/pci/pci-driver.c, pcibios_alloc_irq() */
export function* pcibios_alloc_irq(dev: PciDev): Op<number> {
  return 0;
}

/** Source: drivers/pci/pci-driver.c, pcibios_free_irq() */
export function* pcibios_free_irq(dev: PciDev): Op {
  return;
}

/** Bind a driver. @returns 0, or the errno of its probe: the device is then without a driver. Source: drivers/pci/pci-driver.c, pci_device_probe() */
export function* pci_device_probe(dev: PciDev, drv: pci_driver): Op<number> {
  yield* pcibios_alloc_irq(dev);

  dev.driver = drv.name;
  const error = yield* drv.probe(dev);
  if (error < 0) {
    dev.driver = null;
    yield* pcibios_free_irq(dev);
  }
  return error;
}

/** Unbind a driver. Source: drivers/pci/pci-driver.c, pci_device_remove() */
export function* pci_device_remove(dev: PciDev, drv: pci_driver): Op {
  yield* drv.remove(dev);
  yield* pcibios_free_irq(dev);
  dev.driver = null;
}
