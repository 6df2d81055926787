import { IMS_CTRL, IMS_SLOT, IMS_SLOT_SIZE } from '../../../hardware/ims-store';
import type { Op } from '../../../stepper/op';
import { dev_get_msi_domain, type device } from '../../include/device';
import { type irq_data, irq_data_get_msi_desc } from '../../include/irq';
import type { irq_domain } from '../../include/irqdomain';
import { MSI_FLAG, type msi_desc, type msi_msg } from '../../include/msi';
import { type PciDev, to_pci_dev } from '../../include/pci';
import { handle_edge_irq } from '../../irq/chip';
import { irq_domain_alloc_named_fwnode } from '../../irq/irqdomain';
import { platform_msi_create_irq_domain, platform_msi_domain_alloc_irqs } from '../base/platform-msi';
import { readl, writel } from '../pci/access';

// The same device with a driver that hands its slots out by platform MSI, which v5.10 has, and x86 has no use for. No kernel has this driver.

/** Each part has an equal share of the slots. */
export function platform_slot(dev: device, msi_index: number): number {
  const { slots, subdevices } = to_pci_dev(dev.parent).hw.ims!.config;
  return dev.id * Math.floor(slots / subdevices.length) + msi_index;
}

const slot_address = ({ dev, platform }: msi_desc): number => to_pci_dev(dev.parent).hw.ims!.address + platform_slot(dev, platform!.msi_index) * IMS_SLOT_SIZE;

function set_mask(data: irq_data, masked: boolean): void {
  const ctrl = slot_address(irq_data_get_msi_desc(data)!) + IMS_SLOT.ctrl;
  writel(IMS_CTRL.with(readl(ctrl), { bit0: masked }), ctrl);
}

function* ims_platform_mask_irq(data: irq_data): Op {
  set_mask(data, true);
}

function* ims_platform_unmask_irq(data: irq_data): Op {
  set_mask(data, false);
}

function* ims_platform_write_msg(desc: msi_desc, msg: msi_msg): Op {
  const slot = slot_address(desc);
  writel(msg.address_lo, slot + IMS_SLOT.address_lo);
  writel(msg.address_hi, slot + IMS_SLOT.address_hi);
  writel(msg.data, slot + IMS_SLOT.data);
}

/** One for all parts of `pdev`, beside its own. What its chip leaves out platform MSI fills in: irq_ack with v2-41 only. */
export function* ims_platform_create_domain(pdev: PciDev): Op<irq_domain> {
  const fn = yield* irq_domain_alloc_named_fwnode(pdev.name);
  const chip = { name: 'IMS-pMSI', irq_mask: ims_platform_mask_irq, irq_unmask: ims_platform_unmask_irq, flags: 0 };
  const info = { flags: MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS, ops: {}, chip, handler: handle_edge_irq, handler_name: 'edge' };
  return yield* platform_msi_create_irq_domain(fn, info, dev_get_msi_domain(pdev)?.parent ?? null);
}

/** @returns as platform_msi_domain_alloc_irqs() */
export const ims_platform_alloc_irqs = (dev: device, nvec: number): Op<number> => platform_msi_domain_alloc_irqs(dev, nvec, ims_platform_write_msg);
