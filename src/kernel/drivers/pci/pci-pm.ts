import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import type { pci_driver } from './pci-driver';
import { pci_restore_msi_state } from './msi_restore';

// A PCI function over a sleep of the system: parts of drivers/pci/pci-driver.c and pci.c. No power goes: registers keep what they hold.

/** What comes back is the messages; the first registers are not modelled. Source: drivers/pci/pci.c, pci_save_state() */
export function* pci_save_state(dev: PciDev): Op {
  dev.state_saved = true;
}

/** Once for each time that it was saved. Source: drivers/pci/pci.c, pci_restore_state() */
export function* pci_restore_state(dev: PciDev): Op {
  if (!dev.state_saved) return;
  yield* pci_restore_msi_state(dev);
  dev.state_saved = false;
}

/** The driver first; behind it, with interrupts off, what it has not saved is saved. @returns 0 or the driver's errno. Source: drivers/pci/pci-driver.c, pci_pm_suspend() */
export function* pci_pm_suspend(dev: PciDev, drv: pci_driver): Op<number> {
  dev.state_saved = false;
  const error = drv.pm ? yield* drv.pm.suspend(dev) : 0;
  if (error === 0) yield* pci_pm_suspend_noirq(dev);
  return error;
}

/** Source: drivers/pci/pci-driver.c, pci_pm_suspend_noirq() */
function* pci_pm_suspend_noirq(dev: PciDev): Op {
  if (!dev.state_saved) yield* pci_save_state(dev);
}

/** The other way round: the messages are back before the driver is asked. @returns 0 or the driver's errno. Source: drivers/pci/pci-driver.c, pci_pm_resume_noirq(), pci_pm_resume() */
export function* pci_pm_resume(dev: PciDev, drv: pci_driver): Op<number> {
  yield* pci_restore_state(dev);
  return drv.pm ? yield* drv.pm.resume(dev) : 0;
}
