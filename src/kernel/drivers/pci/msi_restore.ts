import { MSI_FLAGS, MSIX_FLAGS, PCI_MSI_FLAGS } from '../../../hardware/pci-registers';
import type { Op } from '../../../stepper/op';
import { arch_restore_msi_irqs } from '../../arch/x86/x86_init';
import { irq_get_irq_data } from '../../irq/irqdesc';
import { irq_data_get_msi_desc } from '../../include/irq';
import type { PciDev } from '../../include/pci';
import { BUG_ON } from '../../lib/printk';
import { pci_read_config_word, pci_write_config_word } from './access';
import { pci_intx_for_msi, pci_msi_set_enable, pci_msix_clear_and_set_ctrl } from './msi';
import { __pci_write_msi_msg, msi_mask, msi_mask_irq, msix_mask_irq } from './msi_message';

// A device gets back, after a sleep or a reset, what its driver had set up: this part of drivers/pci/msi.c.

/** What each descriptor remembers; of an interrupt that nobody has requested: zeros. Source: drivers/pci/msi.c, default_restore_msi_irqs() and default_restore_msi_irq() */
export function* default_restore_msi_irqs(dev: PciDev): Op {
  for (const entry of dev.msi_list) if (dev.msix_enabled || dev.msi_enabled) yield* __pci_write_msi_msg(entry, entry.msg);
}

/** Source: drivers/pci/msi.c, __pci_restore_msi_state() */
function* __pci_restore_msi_state(dev: PciDev): Op {
  if (!dev.msi_enabled) return;

  const entry = irq_data_get_msi_desc(irq_get_irq_data(dev.irq)!)!;

  yield* pci_intx_for_msi(dev, 0);
  yield* pci_msi_set_enable(dev, 0);
  yield* arch_restore_msi_irqs(dev);

  const control = pci_read_config_word(dev, dev.msi_cap + PCI_MSI_FLAGS);
  yield* msi_mask_irq(entry, msi_mask(entry.msi_attrib.multi_cap), entry.masked);
  pci_write_config_word(dev, dev.msi_cap + PCI_MSI_FLAGS, MSI_FLAGS.with(control, { qsize: entry.msi_attrib.multiple, enable: 1 }));
}

/** Source: drivers/pci/msi.c, __pci_restore_msix_state() */
function* __pci_restore_msix_state(dev: PciDev): Op {
  if (!dev.msix_enabled) return;
  BUG_ON(dev.msi_list.length === 0, 'drivers/pci/msi.c __pci_restore_msix_state');

  yield* pci_intx_for_msi(dev, 0);
  yield* pci_msix_clear_and_set_ctrl(dev, 0, MSIX_FLAGS.encode({ enable: 1, maskall: 1 }));

  yield* arch_restore_msi_irqs(dev);
  for (const entry of dev.msi_list) yield* msix_mask_irq(entry, entry.masked);

  yield* pci_msix_clear_and_set_ctrl(dev, MSIX_FLAGS.encode({ maskall: 1 }), 0);
}

/** Source: drivers/pci/msi.c, pci_restore_msi_state() */
export function* pci_restore_msi_state(dev: PciDev): Op {
  yield* __pci_restore_msi_state(dev);
  yield* __pci_restore_msix_state(dev);
}
