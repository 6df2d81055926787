import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import { ENOMEM } from '../../lib/errno';
import { should_fail } from '../../lib/slab';
import { devres_add } from '../base/devres';
import { pci_disable_msi, pci_disable_msix } from './msi';
import { pci_disable_device, pci_enable_device, pci_is_enabled } from './pci';

/** pci_enable_device() until the driver goes. @returns 0 or an errno. Source: drivers/pci/pci.c, pcim_enable_device() */
export function* pcim_enable_device(pdev: PciDev): Op<number> {
  if (should_fail('pcim_enable_device: struct pci_devres')) return -ENOMEM;

  yield* devres_add(pdev, pcim_release, null);
  return yield* pci_enable_device(pdev);
}

/** MSI goes, too, if the driver left it on. Source: drivers/pci/pci.c, pcim_release() */
function* pcim_release(dev: PciDev): Op {
  if (dev.msi_enabled) yield* pci_disable_msi(dev);
  if (dev.msix_enabled) yield* pci_disable_msix(dev);
  if (pci_is_enabled(dev)) yield* pci_disable_device(dev);
}
