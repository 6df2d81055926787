import { IMS_CTRL, IMS_SLOT, IMS_SLOT_SIZE } from '../../../hardware/ims-store';
import type { Op } from '../../../stepper/op';
import type { device } from '../../include/device';
import { type irq_chip, type irq_data, irq_data_get_msi_desc, IRQCHIP_SKIP_SET_WAKE } from '../../include/irq';
import type { irq_domain } from '../../include/irqdomain';
import { MSI_FLAG, type msi_alloc_info_t, type msi_desc, type msi_domain_info, type msi_domain_ops, type msi_msg } from '../../include/msi';
import type { PciDev } from '../../include/pci';
import { handle_edge_irq, irq_chip_retrigger_hierarchy } from '../../irq/chip';
import { bitmap } from '../../lib/bitmap';
import { EINVAL, ENOSPC } from '../../lib/errno';
import { limit_bound } from '../../lib/limit';
import { kzalloc } from '../../lib/slab';
import { has } from '../../world';
import { pci_subdevice_msi_create_irq_domain } from '../base/device-msi';
import { readl, writel } from '../pci/access';

// Messages in an array of slots of a device (IMS), as posted in 2020 and never merged: drivers/irqchip/irq-ims-msi.c of v2-46, and of the re-post of February 2021.
// As it was posted, v2-46 compiles nothing of it: the file asks for other CONFIG symbols than the Kconfig file defines. Here it is as it was meant. Queues: irq-ims-queue.ts.

/** What software may do to the lowest bits of a slot's control word; the others are the driver's. */
export const IMS_CONTROL_WORD_IRQMASK = 0x7;
/** irq_set_auxdata(): the driver's bits of the control word. */
export const IMS_AUXDATA_CONTROL_WORD = 0;

export interface ims_array_info {
  /** physical address of slot 0 */
  readonly slots: number;
  readonly max_slots: number;
}

export interface ims_array_data {
  readonly info: ims_array_info;
  /** slots that are taken */
  readonly map: bitmap;
}

/** The control word with the interrupt masked. Of the bit v2-46 thinks that it unmasks; the first devices had it the other way round, and so has what was posted later. */
export const ims_masked = (ctrl: number): number => IMS_CTRL.with(ctrl, { bit0: has('repost-mask-bit') });
export const ims_unmasked = (ctrl: number): number => IMS_CTRL.with(ctrl, { bit0: !has('repost-mask-bit') });

/** The driver's bits that let a slot belong to an address space. Source: [re-post] include/linux/irqchip/irq-ims-msi.h, ims_ctrl_pasid_aux() */
export const ims_ctrl_pasid_aux = (pasid: number, enable: boolean): number => IMS_CTRL.encode({ pasid, pasid_enable: enable });

const slot_of = (data: irq_data): number => irq_data_get_msi_desc(data)!.device_msi!.priv_iomem;

/** A read waits for what was written: of the word itself, from the second posting on. Source: [re-post] iowrite32_and_flush() */
function iowrite32_and_flush(value: number, address: number, read = address): void {
  writel(value, address);
  if (has('repost-mask-bit')) readl(read);
}

/** Source: [V2 46/46] ims_array_mask_irq() */
function* ims_array_mask_irq(data: irq_data): Op {
  const ctrl = slot_of(data) + IMS_SLOT.ctrl;
  iowrite32_and_flush(ims_masked(readl(ctrl)), ctrl);
}

/** Source: [V2 46/46] ims_array_unmask_irq() */
function* ims_array_unmask_irq(data: irq_data): Op {
  const ctrl = slot_of(data) + IMS_SLOT.ctrl;
  iowrite32_and_flush(ims_unmasked(readl(ctrl)), ctrl);
}

/** Three stores: an open slot would send half of the old message and half of the new between them. Source: [V2 46/46] ims_array_write_msi_msg() */
function* ims_array_write_msi_msg(data: irq_data, msg: msi_msg): Op {
  const slot = slot_of(data);
  writel(msg.address_lo, slot + IMS_SLOT.address_lo);
  writel(msg.address_hi, slot + IMS_SLOT.address_hi);
  iowrite32_and_flush(msg.data, slot + IMS_SLOT.data, has('repost-ims') ? slot + IMS_SLOT.data : slot);
}

/** @param auxval no bit of those that the interrupt core owns. @returns 0 or -EINVAL. Source: [re-post] ims_array_set_auxdata() */
function* ims_array_set_auxdata(data: irq_data, which: number, auxval: number): Op<number> {
  if (which !== IMS_AUXDATA_CONTROL_WORD) return -EINVAL;
  // a u64 in C: what is above the word is not the driver's either
  if (auxval & IMS_CONTROL_WORD_IRQMASK || auxval > 0xffffffff) return -EINVAL;

  const ctrl = slot_of(data) + IMS_SLOT.ctrl;
  iowrite32_and_flush(((readl(ctrl) & IMS_CONTROL_WORD_IRQMASK) | auxval) >>> 0, ctrl);
  return 0;
}

const ims_array_msi_controller = (): irq_chip => ({
  name: 'IMS',
  irq_mask: ims_array_mask_irq,
  irq_unmask: ims_array_unmask_irq,
  irq_write_msi_msg: ims_array_write_msi_msg,
  irq_retrigger: irq_chip_retrigger_hierarchy,
  ...(has('repost-auxdata') && { irq_set_auxdata: ims_array_set_auxdata }),
  flags: IRQCHIP_SKIP_SET_WAKE,
});

/** A control word of 0 masks as long as bit 0 unmasks; between the change of the bit and the re-post it leaves the slot open. @param address of the slot. Source: [V2 46/46] ims_array_reset_slot() */
function* ims_array_reset_slot(address: number): Op {
  writel(0, address + IMS_SLOT.address_lo);
  writel(0, address + IMS_SLOT.address_hi);
  writel(0, address + IMS_SLOT.data);
  if (has('repost-ims')) iowrite32_and_flush(ims_masked(0), address + IMS_SLOT.ctrl);
  else writel(0, address + IMS_SLOT.ctrl);
}

const data_of = (domain: irq_domain): ims_array_data => (domain.host_data as msi_domain_info).data as ims_array_data;

/** Source: [V2 46/46] ims_array_free_msi_store() */
function* ims_array_free_msi_store(domain: irq_domain, dev: device): Op {
  const { map } = data_of(domain);
  for (const { device_msi } of dev.msi_list) {
    if (!device_msi?.priv_iomem) continue;
    map.clear(device_msi.hwirq);
    yield* ims_array_reset_slot(device_msi.priv_iomem);
    device_msi.priv_iomem = 0;
    device_msi.hwirq = 0;
  }
}

/** A slot for each descriptor; two devices that do this at once may get the same. @returns 0, or -ENOSPC with none. Source: [V2 46/46] ims_array_alloc_msi_store() */
function* ims_array_alloc_msi_store(domain: irq_domain, dev: device, nvec: number): Op<number> {
  const { info, map } = data_of(domain);
  const used = map.weight;
  for (const entry of dev.msi_list) {
    const idx = map.nextZero();
    if (idx < 0 || idx >= info.max_slots) {
      limit_bound({ name: `slots of ${domain.name}`, needed: nvec, used, size: info.max_slots });
      yield* ims_array_free_msi_store(domain, dev);
      return -ENOSPC;
    }
    map.set(idx);
    const device_msi = entry.device_msi!;
    device_msi.priv_iomem = info.slots + idx * IMS_SLOT_SIZE;
    if (has('repost-ims')) yield* ims_array_reset_slot(device_msi.priv_iomem);
    device_msi.hwirq = idx;
  }
  return 0;
}

/** Without it all have hwirq 0, and the domain has one interrupt at most. Source: [re-post] ims_set_desc() */
export function* ims_set_desc(arg: msi_alloc_info_t, desc: msi_desc): Op {
  arg.desc = desc;
  arg.hwirq = desc.device_msi!.hwirq;
}

/** What both stores start from. @returns null when there is no memory */
export function ims_domain_info(where: string, ops: msi_domain_ops): Omit<msi_domain_info, 'chip'> | null {
  return kzalloc(`${where}: info`, () => ({
    flags: MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS,
    ops: { ...ops },
    handler: handle_edge_irq,
    handler_name: 'edge',
  }));
}

/** A domain for the slots of `pdev`; it fills its chip with defaults, so that each has a chip of its own. @returns it, or null. Source: [V2 46/46] pci_ims_array_create_msi_irq_domain() */
export function* pci_ims_array_create_msi_irq_domain(pdev: PciDev, ims_info: ims_array_info): Op<irq_domain | null> {
  const where = 'pci_ims_array_create_msi_irq_domain';
  const info = ims_domain_info(where, {
    msi_alloc_store: ims_array_alloc_msi_store,
    msi_free_store: ims_array_free_msi_store,
    ...(has('repost-ims') && { set_desc: ims_set_desc }),
  });
  if (!info) return null;

  const data = kzalloc<ims_array_data>(`${where}: struct ims_array_data`, () => ({ info: ims_info, map: new bitmap(ims_info.max_slots) }));
  if (!data) return null;

  const chip = kzalloc(`${where}: chip`, ims_array_msi_controller);
  if (!chip) return null;

  return yield* pci_subdevice_msi_create_irq_domain(pdev, Object.assign(info, { data, chip }));
}
