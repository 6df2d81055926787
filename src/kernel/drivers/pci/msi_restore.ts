import { MSIX_FLAGS } from '../../../hardware/pci-registers';
import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import { pci_intx_for_msi, pci_msix_clear_and_set_ctrl } from './msi';
import { __pci_write_msi_msg, msix_mask_irq } from './msi_message';

// The part of drivers/pci/msi.c that gives a device its messages back after a sleep. A device with MSI alone does not sleep here.

const ENABLE = MSIX_FLAGS.encode({ enable: 1 });
const MASKALL = MSIX_FLAGS.encode({ maskall: 1 });

/** What each descriptor remembers; of an interrupt that nobody has requested: zeros. Source: drivers/pci/msi.c, default_restore_msi_irqs() */
function* default_restore_msi_irqs(dev: PciDev): Op {
  for (const entry of dev.msi_list) yield* __pci_write_msi_msg(entry, entry.msg);
}

/** Source: drivers/pci/msi.c, pci_restore_msi_state(), __pci_restore_msix_state() */
export function* pci_restore_msi_state(dev: PciDev): Op {
  if (!dev.msix_enabled) return;

  yield* pci_intx_for_msi(dev, 0);
  yield* pci_msix_clear_and_set_ctrl(dev, 0, ENABLE | MASKALL);

  yield* default_restore_msi_irqs(dev);
  for (const entry of dev.msi_list) yield* msix_mask_irq(entry, entry.masked);

  yield* pci_msix_clear_and_set_ctrl(dev, MASKALL, 0);
}
