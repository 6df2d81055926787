import {
  MSI_FLAGS, MSIX_FLAGS, MSIX_LOCATION, MSIX_VECTOR_CTRL, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, PCI_MSI_FLAGS, PCI_MSI_MASK_32, PCI_MSI_MASK_64,
  PCI_MSIX_ENTRY_SIZE, PCI_MSIX_ENTRY_VECTOR_CTRL, PCI_MSIX_FLAGS, PCI_MSIX_TABLE,
} from '../../../hardware/pci-registers';
import type { Op } from '../../../stepper/op';
import * as x86_init from '../../arch/x86/x86_init';
import type { irq_affinity, irq_affinity_desc } from '../../include/interrupt';
import { irq_desc_has_action } from '../../include/irqdesc';
import { irq_domain_is_hierarchy } from '../../include/irqdomain';
import { MSI_DEFAULT_DOMAIN, type msi_desc, MSI_FLAG } from '../../include/msi';
import { dev_driver_string, type PciDev } from '../../include/pci';
import { irq_create_affinity_masks } from '../../irq/affinity';
import { irq_to_desc } from '../../irq/irqdesc';
import { alloc_msi_entry, msi_domain_alloc_irqs, msi_domain_free_irqs } from '../../irq/msi';
import { msi_get_device_domain } from '../../irq/msi_device_data';
import { EIO, EINVAL, ENODEV, ENOMEM } from '../../lib/errno';
import { BUG_ON, pr_err, WARN_ON_ONCE } from '../../lib/printk';
import { should_fail } from '../../lib/slab';
import { has, kernel } from '../../world';
import { pci_read_config_dword, pci_read_config_word, pci_write_config_word, readl, writel } from './access';
import { pci_msi_domain_supports } from './msi_device_domain';
import { __pci_msi_desc_mask_irq, __pci_msix_desc_mask_irq, msi_mask, msi_mask_irq, msix_mask_irq, pci_msix_desc_addr } from './msi_message';
import { pci_intx, pci_resource_start } from './pci';
import { pcibios_alloc_irq, pcibios_free_irq } from './pci-driver';

// The part of drivers/pci/msi.c that sets a device's MSI or MSI-X capability up and down.

/** What a driver asks of MSI-X entry by entry; `vector` is filled in: the Linux irq. */
export interface msix_entry {
  entry: number;
  vector: number;
}

const ENABLE = MSIX_FLAGS.encode({ enable: 1 });
const MASKALL = MSIX_FLAGS.encode({ maskall: 1 });

/** Source: drivers/pci/pci.h, pci_msi_set_enable() */
export function* pci_msi_set_enable(dev: PciDev, enable: number): Op {
  const control = pci_read_config_word(dev, dev.msi_cap + PCI_MSI_FLAGS);
  pci_write_config_word(dev, dev.msi_cap + PCI_MSI_FLAGS, MSI_FLAGS.with(control, { enable }));
}

/** Source: drivers/pci/pci.h, pci_msix_clear_and_set_ctrl() */
export function* pci_msix_clear_and_set_ctrl(dev: PciDev, clear: number, set: number): Op {
  const ctrl = pci_read_config_word(dev, dev.msix_cap + PCI_MSIX_FLAGS);
  pci_write_config_word(dev, dev.msix_cap + PCI_MSIX_FLAGS, (ctrl & ~clear) | set);
}

/** Allocate the irqs of the device's descriptors. @returns 0, an errno, or how many could be had. Source: drivers/pci/msi.c, pci_msi_setup_msi_irqs() */
function* pci_msi_setup_msi_irqs(dev: PciDev, nvec: number, type: number): Op<number> {
  const domain = has('msi-parent-domains') ? yield* msi_get_device_domain(dev, MSI_DEFAULT_DOMAIN) : dev.msi_domain;
  if (domain && irq_domain_is_hierarchy(domain)) return yield* msi_domain_alloc_irqs(domain, dev, nvec);

  return has('v2-35') ? no_arch_setup_msi_irqs() : yield* x86_init.arch_setup_msi_irqs(dev, nvec, type);
}

/** From v2-35 on, for a platform that has irqdomains for everything: inline in the caller, which the warning names. Source: include/linux/msi.h, arch_setup_msi_irqs() */
function no_arch_setup_msi_irqs(): number {
  WARN_ON_ONCE(true, 'include/linux/msi.h pci_msi_setup_msi_irqs');
  return -ENODEV;
}

/** Source: drivers/pci/msi.c, pci_msi_teardown_msi_irqs() */
function* pci_msi_teardown_msi_irqs(dev: PciDev): Op {
  const domain = has('msi-parent-domains') ? yield* msi_get_device_domain(dev, MSI_DEFAULT_DOMAIN) : dev.msi_domain;
  if (domain && irq_domain_is_hierarchy(domain)) yield* msi_domain_free_irqs(domain, dev);
  else if (has('v2-35')) WARN_ON_ONCE(true, 'include/linux/msi.h pci_msi_teardown_msi_irqs');
  else yield* x86_init.arch_teardown_msi_irqs(dev);
}

/** Before v2-35: interrupt by interrupt. Source: drivers/pci/msi.c, default_teardown_msi_irqs() */
export function* default_teardown_msi_irqs(dev: PciDev): Op {
  for (const entry of dev.msi_list) {
    if (entry.irq === 0) continue;
    for (let i = 0; i < entry.nvec_used; i++) yield* x86_init.arch_teardown_msi_irq(entry.irq + i);
  }
}

/** Free the irqs and forget the descriptors. @throws kernel_bug when one is still requested. Source: drivers/pci/msi.c, free_msi_irqs() */
export function* free_msi_irqs(dev: PciDev): Op {
  for (const entry of dev.msi_list) {
    if (entry.irq === 0) continue;
    for (let i = 0; i < entry.nvec_used; i++) BUG_ON(irq_desc_has_action(irq_to_desc(entry.irq + i) ?? null), 'drivers/pci/msi.c free_msi_irqs');
  }

  if (has('msi-sysfs-first')) dev.msi_irqs = null;
  yield* pci_msi_teardown_msi_irqs(dev);

  dev.msi_list = [];
  dev.msi_irqs = null;
  dev.msix_base = 0;
}

/** Source: drivers/pci/msi.c, pci_intx_for_msi() */
export function* pci_intx_for_msi(dev: PciDev, enable: number): Op {
  yield* pci_intx(dev, enable);
}

/** Make the directory msi_irqs. @returns 0 or -ENOMEM. Source: drivers/pci/msi.c, populate_msi_sysfs() */
function* populate_msi_sysfs(pdev: PciDev): Op<number> {
  const irqs = pdev.msi_list.flatMap(entry => Array.from({ length: entry.nvec_used }, (_, i) => entry.irq + i));
  if (irqs.length === 0) return 0;
  if (should_fail('populate_msi_sysfs: msi_attrs')) return -ENOMEM;
  for (let i = 0; i < irqs.length; i++) {
    for (const part of ['struct device_attribute', 'name']) if (should_fail(`populate_msi_sysfs: ${part}`)) return -ENOMEM;
  }
  for (const part of ['msi_irq_group', 'msi_irq_groups']) if (should_fail(`populate_msi_sysfs: ${part}`)) return -ENOMEM;
  pdev.msi_irqs = irqs;
  return 0;
}

/** @returns one descriptor for all vectors, or null. Source: drivers/pci/msi.c, msi_setup_entry() */
function* msi_setup_entry(dev: PciDev, nvec: number, affd: irq_affinity | null): Op<msi_desc | null> {
  const masks = affd ? yield* irq_create_affinity_masks(nvec, affd) : null;

  const entry = yield* alloc_msi_entry(dev, nvec, masks);
  if (!entry) return null;

  const control = MSI_FLAGS.decode(pci_read_config_word(dev, dev.msi_cap + PCI_MSI_FLAGS));
  entry.msi_attrib.is_msix = false;
  entry.msi_attrib.is_64 = control.is_64bit === 1;
  entry.msi_attrib.is_virtual = false;
  entry.msi_attrib.entry_nr = 0;
  entry.msi_attrib.maskbit = control.maskbit === 1;
  entry.msi_attrib.default_irq = dev.irq;
  entry.msi_attrib.multi_cap = control.qmask;
  entry.msi_attrib.multiple = Math.ceil(Math.log2(nvec));

  entry.mask_pos = dev.msi_cap + (control.is_64bit ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
  if (entry.msi_attrib.maskbit) entry.masked = pci_read_config_dword(dev, entry.mask_pos);
  return entry;
}

/** @returns -EIO for a message above 4 GiB that the device cannot send, else 0. Source: drivers/pci/msi.c, msi_verify_entries() */
function* msi_verify_entries(dev: PciDev): Op<number> {
  for (const entry of dev.msi_list) {
    if (!dev.no_64bit_msi || entry.msg.address_hi === 0) continue;
    pr_err(`${dev_driver_string(dev)} ${dev.name}: Device has broken 64-bit MSI but arch tried to assign one above 4G`);
    return -EIO;
  }
  return 0;
}

/** The flag that unmasks `mask`; before 'msi-mask-valid-bits' it also sets the bits of vectors that the device does not have. */
const msi_unmasked = (mask: number): number => (has('msi-mask-valid-bits') ? 0 : ~mask);

/** @returns 0, an errno, or how many vectors could be had. Source: drivers/pci/msi.c, msi_capability_init() */
export function* msi_capability_init(dev: PciDev, nvec: number, affd: irq_affinity | null): Op<number> {
  if (has('multi-msi-early-reject') && nvec > 1 && !(yield* pci_msi_domain_supports(dev, MSI_FLAG.MULTI_PCI_MSI))) return 1;
  yield* pci_msi_set_enable(dev, 0);

  const entry = yield* msi_setup_entry(dev, nvec, affd);
  if (!entry) return -ENOMEM;

  const mask = msi_mask(entry.msi_attrib.multi_cap);
  yield* msi_mask_irq(entry, mask, mask);

  dev.msi_list.push(entry);

  let ret = yield* pci_msi_setup_msi_irqs(dev, nvec, PCI_CAP_ID_MSI);
  if (ret === 0) ret = yield* msi_verify_entries(dev);
  if (ret === 0) ret = yield* populate_msi_sysfs(dev);
  if (ret !== 0) {
    yield* msi_mask_irq(entry, mask, msi_unmasked(mask));
    yield* free_msi_irqs(dev);
    return ret;
  }

  yield* pci_intx_for_msi(dev, 0);
  yield* pci_msi_set_enable(dev, 1);
  dev.msi_enabled = true;

  yield* pcibios_free_irq(dev);
  dev.irq = entry.irq;
  return 0;
}

/** @returns the physical address of the table; null when its BAR has none. Source: drivers/pci/msi.c, msix_map_region() */
function* msix_map_region(dev: PciDev, nr_entries: number): Op<number | null> {
  const { bir, offset } = MSIX_LOCATION.decode(pci_read_config_dword(dev, dev.msix_cap + PCI_MSIX_TABLE));
  const start = pci_resource_start(dev, bir);
  return start === 0 ? null : start + offset * 8;
}

/** Make a descriptor for each vector. @returns 0, or -ENOMEM with none left. Source: drivers/pci/msi.c, msix_setup_entries() */
function* msix_setup_entries(dev: PciDev, base: number, entries: readonly msix_entry[] | null, nvec: number, affd: irq_affinity | null): Op<number> {
  const vec_count = yield* pci_msix_vec_count(dev);
  const masks = affd ? yield* irq_create_affinity_masks(nvec, affd) : null;
  return yield* add_msix_descs(dev, base, entries, nvec, masks, vec_count);
}

/** The same, with masks that are there. Source: drivers/pci/msi/msi.c (v5.17), msix_setup_msi_descs() */
function* msix_setup_msi_descs(dev: PciDev, base: number, entries: readonly msix_entry[] | null, nvec: number, masks: readonly irq_affinity_desc[] | null): Op<number> {
  return yield* add_msix_descs(dev, base, entries, nvec, masks, yield* pci_msix_vec_count(dev));
}

function* add_msix_descs(
  dev: PciDev, base: number, entries: readonly msix_entry[] | null, nvec: number, masks: readonly irq_affinity_desc[] | null, vec_count: number,
): Op<number> {
  for (let i = 0; i < nvec; i++) {
    const entry = yield* alloc_msi_entry(dev, 1, masks && masks.slice(i, i + 1));
    if (!entry) {
      if (i > 0) yield* free_msi_irqs(dev);
      return -ENOMEM;
    }
    entry.msi_attrib.is_msix = true;
    entry.msi_attrib.is_64 = true;
    entry.msi_attrib.entry_nr = entries ? entries[i].entry : i;
    entry.msi_attrib.is_virtual = entry.msi_attrib.entry_nr >= vec_count;
    entry.msi_attrib.default_irq = dev.irq;
    entry.mask_base = base;
    if (has('msi-mask-all-unused')) yield* msix_read_masked(entry);

    dev.msi_list.push(entry);
  }
  return 0;
}

/** The rest of the descriptor of an entry that is added while MSI-X is on. Source: drivers/pci/msi/msi.c (v6.2), msix_prepare_msi_desc() */
export function* msix_prepare_msi_desc(dev: PciDev, desc: msi_desc): Op {
  desc.msi_attrib.is_msix = true;
  desc.msi_attrib.is_64 = true;
  desc.msi_attrib.default_irq = dev.irq;
  desc.mask_base = dev.msix_base;
  yield* msix_read_masked(desc);
}

/** Take over the vector control that the entry has. */
function* msix_read_masked(entry: msi_desc): Op {
  const desc_addr = pci_msix_desc_addr(entry);
  entry.masked = desc_addr === null ? 0 : readl(desc_addr + PCI_MSIX_ENTRY_VECTOR_CTRL);
}

/** Tell the driver its irqs. Source: drivers/pci/msi.c (v5.15), msix_update_entries() */
function* msix_update_entries(dev: PciDev, entries: msix_entry[] | null): Op {
  if (entries) for (const [i, entry] of dev.msi_list.entries()) entries[i].vector = entry.irq;
}

/** Before 'msi-mask-all-unused': the same, and the entries that are used are masked. Source: drivers/pci/msi.c, msix_program_entries() */
function* msix_program_entries(dev: PciDev, entries: msix_entry[] | null): Op {
  for (const [i, entry] of dev.msi_list.entries()) {
    if (entries) entries[i].vector = entry.irq;

    yield* msix_read_masked(entry);
    yield* msix_mask_irq(entry, 1);
  }
}

/** Mask the whole table, also what nobody uses: a stale entry must not fire in a crash kernel. Source: drivers/pci/msi.c (v5.15), msix_mask_all() */
function* msix_mask_all(base: number, tsize: number): Op {
  if (kernel.pci_msi_ignore_mask) return;

  const ctrl = MSIX_VECTOR_CTRL.encode({ maskbit: 1 });
  for (let i = 0; i < tsize; i++) writel(ctrl, base + i * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL);
}

/** @returns 0, an errno, or how many vectors could be had. Source: drivers/pci/msi.c, msix_capability_init() */
export function* msix_capability_init(dev: PciDev, entries: msix_entry[] | null, nvec: number, affd: irq_affinity | null): Op<number> {
  if (has('msix-enable-early')) yield* pci_msix_clear_and_set_ctrl(dev, 0, MASKALL | ENABLE);
  else yield* pci_msix_clear_and_set_ctrl(dev, ENABLE, 0);

  const ret = yield* msix_setup(dev, entries, nvec, affd);
  if (ret !== 0 && has('msix-enable-early')) yield* pci_msix_clear_and_set_ctrl(dev, MASKALL | ENABLE, 0);
  return ret;
}

/** What msix_capability_init() does between its first and its last control write. */
function* msix_setup(dev: PciDev, entries: msix_entry[] | null, nvec: number, affd: irq_affinity | null): Op<number> {
  const control = pci_read_config_word(dev, dev.msix_cap + PCI_MSIX_FLAGS);
  const tsize = MSIX_FLAGS.get(control, 'qsize') + 1;
  const base = yield* msix_map_region(dev, tsize);
  if (base === null) return -ENOMEM;
  dev.msix_base = base;

  let ret: number;
  if (has('msi-device-data')) ret = yield* msix_setup_msi_descs(dev, base, entries, nvec, affd ? yield* irq_create_affinity_masks(nvec, affd) : null);
  else ret = yield* msix_setup_entries(dev, base, entries, nvec, affd);
  if (ret) return ret;

  ret = yield* pci_msi_setup_msi_irqs(dev, nvec, PCI_CAP_ID_MSIX);
  if (ret < 0) ret = yield* msix_available(dev, ret);
  if (ret === 0) ret = yield* msi_verify_entries(dev);
  if (ret !== 0) {
    yield* free_msi_irqs(dev);
    return ret;
  }

  // Some devices let the table be touched only while MSI-X is enabled: everything is masked first.
  if (!has('msix-enable-early')) yield* pci_msix_clear_and_set_ctrl(dev, 0, MASKALL | ENABLE);

  if (has('msi-mask-all-unused')) yield* msix_update_entries(dev, entries);
  else yield* msix_program_entries(dev, entries);
  ret = yield* populate_msi_sysfs(dev);
  if (ret) {
    yield* free_msi_irqs(dev);
    return ret;
  }

  yield* pci_intx_for_msi(dev, 0);
  dev.msix_enabled = true;
  if (has('msi-mask-all-unused')) yield* msix_mask_all(base, tsize);
  yield* pci_msix_clear_and_set_ctrl(dev, MASKALL, 0);

  yield* pcibios_free_irq(dev);
  return 0;
}

/** After a failure: @returns how many irqs there are, so that the caller tries with those; `error` when there is none. */
function* msix_available(dev: PciDev, error: number): Op<number> {
  const avail = dev.msi_list.filter(entry => entry.irq !== 0).length;
  return avail !== 0 ? avail : error;
}

/** @returns the vectors that the device can use, a power of two up to 32; -EINVAL without MSI. Source: drivers/pci/msi.c, pci_msi_vec_count() */
export function* pci_msi_vec_count(dev: PciDev): Op<number> {
  if (!dev.msi_cap) return -EINVAL;

  const msgctl = pci_read_config_word(dev, dev.msi_cap + PCI_MSI_FLAGS);
  return 1 << MSI_FLAGS.get(msgctl, 'qmask');
}

/** @returns the entries of the table; -EINVAL without MSI-X. Source: drivers/pci/msi.c, pci_msix_vec_count() */
export function* pci_msix_vec_count(dev: PciDev): Op<number> {
  if (!dev.msix_cap) return -EINVAL;

  const control = pci_read_config_word(dev, dev.msix_cap + PCI_MSIX_FLAGS);
  return MSIX_FLAGS.get(control, 'qsize') + 1;
}

/** Source: drivers/pci/msi.c, pci_msi_shutdown() */
function* pci_msi_shutdown(dev: PciDev): Op {
  if (!kernel.pci_msi_enable || !dev.msi_enabled) return;

  BUG_ON(dev.msi_list.length === 0, 'drivers/pci/msi.c pci_msi_shutdown');
  const desc = dev.msi_list[0];

  yield* pci_msi_set_enable(dev, 0);
  yield* pci_intx_for_msi(dev, 1);
  dev.msi_enabled = false;

  // The device goes back unmasked.
  const mask = msi_mask(desc.msi_attrib.multi_cap);
  if (has('msi-mask-valid-bits')) yield* msi_mask_irq(desc, mask, msi_unmasked(mask));
  else yield* __pci_msi_desc_mask_irq(desc, mask, msi_unmasked(mask));

  dev.irq = desc.msi_attrib.default_irq;
  yield* pcibios_alloc_irq(dev);
}

/** Source: drivers/pci/msi.c, pci_disable_msi() */
export function* pci_disable_msi(dev: PciDev): Op {
  if (!kernel.pci_msi_enable || !dev.msi_enabled) return;

  yield* pci_msi_shutdown(dev);
  yield* free_msi_irqs(dev);
}

/** Source: drivers/pci/msi.c, pci_msix_shutdown() */
function* pci_msix_shutdown(dev: PciDev): Op {
  if (!kernel.pci_msi_enable || !dev.msix_enabled) return;

  // The device goes back masked; the cached state stays.
  for (const entry of dev.msi_list) yield* __pci_msix_desc_mask_irq(entry, 1);

  yield* pci_msix_clear_and_set_ctrl(dev, ENABLE, 0);
  yield* pci_intx_for_msi(dev, 1);
  dev.msix_enabled = false;
  yield* pcibios_alloc_irq(dev);
}

/** Source: drivers/pci/msi.c, pci_disable_msix() */
export function* pci_disable_msix(dev: PciDev): Op {
  if (!kernel.pci_msi_enable || !dev.msix_enabled) return;

  yield* pci_msix_shutdown(dev);
  yield* free_msi_irqs(dev);
}
