import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import { kernel } from '../../world';
import { pci_disable_device, pci_enable_device } from './pci';

const PCI_CLASS_SERIAL_USB = 0x0c03;
/** UHCI, OHCI, EHCI, xHCI */
const HOST_CONTROLLERS = [0x0c0300, 0x0c0310, 0x0c0320, 0x0c0330];

/** Takes a USB controller from the firmware; it is enabled as long as that takes. Source: drivers/usb/host/pci-quirks.c, quirk_usb_early_handoff() */
function* quirk_usb_early_handoff(pdev: PciDev): Op {
  if (!HOST_CONTROLLERS.includes(pdev.hw.config.class)) return;
  if ((yield* pci_enable_device(pdev)) < 0) return;
  yield* pci_disable_device(pdev);
}

/** What is done to devices when all are found, before any driver gets one. Source: drivers/pci/quirks.c, pci_apply_final_quirks() */
export function* pci_apply_final_quirks(): Op {
  for (const dev of kernel.pci_devices) if (dev.hw.config.class >>> 8 === PCI_CLASS_SERIAL_USB) yield* quirk_usb_early_handoff(dev);
}
