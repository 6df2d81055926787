import {
  MSI_FLAGS, MSIX_VECTOR_CTRL, PCI_MSI_ADDRESS_HI, PCI_MSI_ADDRESS_LO, PCI_MSI_DATA_32, PCI_MSI_DATA_64, PCI_MSI_FLAGS, PCI_MSIX_ENTRY_DATA,
  PCI_MSIX_ENTRY_LOWER_ADDR, PCI_MSIX_ENTRY_SIZE, PCI_MSIX_ENTRY_UPPER_ADDR, PCI_MSIX_ENTRY_VECTOR_CTRL,
} from '../../../hardware/pci-registers';
import type { Op } from '../../../stepper/op';
import { type irq_data, irq_data_get_msi_desc } from '../../include/irq';
import { type msi_desc, msi_desc_to_pci_dev, msi_msg } from '../../include/msi';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../lib/locking';
import { WARN_ON } from '../../lib/printk';
import { has, kernel } from '../../world';
import { pci_read_config_dword, pci_read_config_word, pci_write_config_dword, pci_write_config_word, readl, writel } from './access';

// The part of drivers/pci/msi.c that writes mask bits and messages into a device.

const PCI_MSIX_ENTRY_CTRL_MASKBIT = MSIX_VECTOR_CTRL.encode({ maskbit: 1 });

/** Mask bits for 2^x vectors. Source: drivers/pci/msi.c, msi_mask() */
export const msi_mask = (x: number): number => (x >= 5 ? 0xffffffff : 2 ** 2 ** x - 1);

/**
 * Change the MSI mask bits `mask` to those of `flag` in the device.
 * @returns what was written; 0 where there are no mask bits. The caller keeps it or not, unless it is kept here. Source: drivers/pci/msi.c, __pci_msi_desc_mask_irq()
 */
export function* __pci_msi_desc_mask_irq(desc: msi_desc, mask: number, flag: number): Op<number> {
  if (kernel.pci_msi_ignore_mask || !desc.msi_attrib.maskbit) return 0;
  if (!has('msi-mask-lock')) return write_mask_bits(desc, mask, flag);

  // The vectors of a device share the register, and each may be masked on another CPU.
  const flags = yield* raw_spin_lock_irqsave(msi_desc_to_pci_dev(desc).msi_lock);
  desc.masked = write_mask_bits(desc, mask, flag);
  yield* raw_spin_unlock_irqrestore(msi_desc_to_pci_dev(desc).msi_lock, flags);
  return desc.masked;
}

function write_mask_bits(desc: msi_desc, mask: number, flag: number): number {
  const mask_bits = ((desc.masked & ~mask) | flag) >>> 0;
  pci_write_config_dword(msi_desc_to_pci_dev(desc), desc.mask_pos, mask_bits);
  return mask_bits;
}

/** Like __pci_msi_desc_mask_irq(), and keeps the result. Source: drivers/pci/msi.c, msi_mask_irq() */
export function* msi_mask_irq(desc: msi_desc, mask: number, flag: number): Op {
  const mask_bits = yield* __pci_msi_desc_mask_irq(desc, mask, flag);
  if (!has('msi-mask-lock')) desc.masked = mask_bits;
}

/** @returns the physical address of the descriptor's table entry; null for a virtual one. Source: drivers/pci/msi.c, pci_msix_desc_addr() */
export const pci_msix_desc_addr = (desc: msi_desc): number | null =>
  desc.msi_attrib.is_virtual ? null : desc.mask_base + desc.msi_attrib.entry_nr * PCI_MSIX_ENTRY_SIZE;

/** Write the mask bit of one MSI-X entry. @returns the vector control written, 0 if none was. Source: drivers/pci/msi.c, __pci_msix_desc_mask_irq() */
export function* __pci_msix_desc_mask_irq(desc: msi_desc, flag: number): Op<number> {
  if (kernel.pci_msi_ignore_mask) return 0;

  const desc_addr = pci_msix_desc_addr(desc);
  if (desc_addr === null) return 0;

  const mask_bits = MSIX_VECTOR_CTRL.with(desc.masked, { maskbit: flag & 1 });
  writel(mask_bits, desc_addr + PCI_MSIX_ENTRY_VECTOR_CTRL);
  return mask_bits;
}

/** Like __pci_msix_desc_mask_irq(), and keeps the result. Source: drivers/pci/msi.c, msix_mask_irq() */
export function* msix_mask_irq(desc: msi_desc, flag: number): Op {
  desc.masked = yield* __pci_msix_desc_mask_irq(desc, flag);
}

/** Source: drivers/pci/msi.c, msi_set_mask_bit() */
export function* msi_set_mask_bit(data: irq_data, flag: number): Op {
  const desc = irq_data_get_msi_desc(data)!;

  if (desc.msi_attrib.is_msix) {
    yield* msix_mask_irq(desc, flag);
    readl(desc.mask_base); // the read pushes the write out to the device
  } else {
    const offset = data.irq - desc.irq;
    yield* msi_mask_irq(desc, 1 << offset, flag << offset);
  }
}

/** irq_chip.irq_mask of PCI-MSI chips. Source: drivers/pci/msi.c, pci_msi_mask_irq() */
export function* pci_msi_mask_irq(data: irq_data): Op {
  yield* msi_set_mask_bit(data, 1);
}

/** irq_chip.irq_unmask of PCI-MSI chips. Source: drivers/pci/msi.c, pci_msi_unmask_irq() */
export function* pci_msi_unmask_irq(data: irq_data): Op {
  yield* msi_set_mask_bit(data, 0);
}

/** @returns the message as the device has it. Source: drivers/pci/msi.c, __pci_read_msi_msg() */
export function* __pci_read_msi_msg(entry: msi_desc): Op<msi_msg> {
  const msg = new msi_msg();

  if (entry.msi_attrib.is_msix) {
    const base = pci_msix_desc_addr(entry);
    if (base === null) {
      WARN_ON(true, 'drivers/pci/msi.c __pci_read_msi_msg');
      return msg;
    }
    msg.address_lo = readl(base + PCI_MSIX_ENTRY_LOWER_ADDR);
    msg.address_hi = readl(base + PCI_MSIX_ENTRY_UPPER_ADDR);
    msg.data = readl(base + PCI_MSIX_ENTRY_DATA);
  } else {
    const dev = msi_desc_to_pci_dev(entry);
    const pos = dev.msi_cap;
    msg.address_lo = pci_read_config_dword(dev, pos + PCI_MSI_ADDRESS_LO);
    if (entry.msi_attrib.is_64) {
      msg.address_hi = pci_read_config_dword(dev, pos + PCI_MSI_ADDRESS_HI);
      msg.data = pci_read_config_word(dev, pos + PCI_MSI_DATA_64);
    } else {
      msg.data = pci_read_config_word(dev, pos + PCI_MSI_DATA_32);
    }
  }
  return msg;
}

/** Program the device's MSI-X entry or MSI capability and remember the message. Source: drivers/pci/msi.c, __pci_write_msi_msg() */
export function* __pci_write_msi_msg(entry: msi_desc, msg: msi_msg): Op {
  if (entry.msi_attrib.is_msix) yield* write_msix_msg(entry, msg);
  else yield* write_msi_msg(entry, msg);
  entry.msg = Object.assign(new msi_msg(), msg);
}

/** The MSI-X arm of __pci_write_msi_msg(): three writes, an interrupt in between would carry half of the new message. */
function* write_msix_msg(entry: msi_desc, msg: msi_msg): Op {
  const base = pci_msix_desc_addr(entry);
  if (base === null) return;

  const unmasked = has('msix-write-masked') && (entry.masked & PCI_MSIX_ENTRY_CTRL_MASKBIT) === 0;
  if (unmasked) yield* __pci_msix_desc_mask_irq(entry, PCI_MSIX_ENTRY_CTRL_MASKBIT);

  writel(msg.address_lo, base + PCI_MSIX_ENTRY_LOWER_ADDR);
  writel(msg.address_hi, base + PCI_MSIX_ENTRY_UPPER_ADDR);
  writel(msg.data, base + PCI_MSIX_ENTRY_DATA);

  if (unmasked) yield* __pci_msix_desc_mask_irq(entry, 0);
}

/** The MSI arm of __pci_write_msi_msg(). */
function* write_msi_msg(entry: msi_desc, msg: msi_msg): Op {
  const dev = msi_desc_to_pci_dev(entry);
  const pos = dev.msi_cap;
  const msgctl = pci_read_config_word(dev, pos + PCI_MSI_FLAGS);
  pci_write_config_word(dev, pos + PCI_MSI_FLAGS, MSI_FLAGS.with(msgctl, { qsize: entry.msi_attrib.multiple }));

  pci_write_config_dword(dev, pos + PCI_MSI_ADDRESS_LO, msg.address_lo);
  if (entry.msi_attrib.is_64) {
    pci_write_config_dword(dev, pos + PCI_MSI_ADDRESS_HI, msg.address_hi);
    pci_write_config_word(dev, pos + PCI_MSI_DATA_64, msg.data);
  } else {
    pci_write_config_word(dev, pos + PCI_MSI_DATA_32, msg.data);
  }
}
