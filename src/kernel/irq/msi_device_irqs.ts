import type { Op } from '../../stepper/op';
import { irq_alloc_info } from '../arch/x86/hw_irq';
import type { irq_affinity_desc } from '../include/interrupt';
import { irqd_is_activated } from '../include/irq';
import { DOMAIN_BUS, type irq_domain } from '../include/irqdomain';
import { MSI_ANY_INDEX, MSI_DEFAULT_DOMAIN, MSI_FLAG, type msi_desc, type msi_domain_info, type msi_map } from '../include/msi';
import type { PciDev } from '../include/pci';
import { EBUSY, EINVAL, ENODEV, ENOMEM, ENOSPC, ERANGE } from '../lib/errno';
import { member_of } from '../lib/fault';
import { limit_bound } from '../lib/limit';
import { WARN_ON_ONCE } from '../lib/printk';
import { irq_set_msi_desc_off } from './chip';
import { __irq_domain_alloc_irqs, irq_domain_deactivate_irq, irq_domain_free_irqs, irq_domain_get_irq_data } from './irqdomain';
import { alloc_msi_entry, msi_check_reservation_mode, msi_domain_prepare_irqs, msi_init_virq } from './msi';
import { msi_domain_get_hwsize, msi_get_device_domain } from './msi_device_data';

// Interrupts one at a time, in a device's own domains: this part of kernel/irq/msi.c (v6.2).

/** Which interrupts of which domain are meant. Source: kernel/irq/msi.c (v6.2), struct msi_ctrl */
interface msi_ctrl {
  readonly domid: number;
  readonly first: number;
  readonly last: number;
  readonly nirqs: number;
}

/** Where struct msi_device_data has its mutex, in C. */
const OFFSETOF_MUTEX = 0x10;

/** The descriptors of one of a device's domains, by their numbers. @throws kernel_oops for a device that has no data for messages */
const store_of = (dev: PciDev, domid: number): msi_desc[] => {
  const { __domains } = member_of(dev.msi_data, OFFSETOF_MUTEX);
  return domid === MSI_DEFAULT_DOMAIN ? dev.msi_list : __domains[domid].store;
};

/** Those of a range. */
const descs_of = (dev: PciDev, { domid, first, last }: msi_ctrl): msi_desc[] => store_of(dev, domid).filter(({ msi_attrib: { entry_nr } }) => entry_nr >= first && entry_nr <= last);

/** @param index or MSI_ANY_INDEX @returns 0; -ERANGE beyond the domain's size; -EBUSY where the number, or each, is taken. Source: kernel/irq/msi.c (v6.2), msi_insert_desc() */
function* msi_insert_desc(dev: PciDev, desc: msi_desc, domid: number, index: number): Op<number> {
  const hwsize = yield* msi_domain_get_hwsize(dev, domid);
  const store = store_of(dev, domid);
  const taken = new Set(store.map(({ msi_attrib }) => msi_attrib.entry_nr));

  if (index === MSI_ANY_INDEX) {
    index = 0;
    while (taken.has(index)) index++;
    if (index >= hwsize) {
      limit_bound({ name: `messages of ${(yield* msi_get_device_domain(dev, domid))?.name ?? dev.name}`, needed: 1, used: taken.size, size: hwsize });
      return -EBUSY;
    }
  } else {
    if (index >= hwsize) return -ERANGE;
    if (taken.has(index)) return -EBUSY;
  }

  desc.msi_attrib.entry_nr = index;
  const behind = store.findIndex(({ msi_attrib }) => msi_attrib.entry_nr > index);
  store.splice(behind < 0 ? store.length : behind, 0, desc);
  return 0;
}

/** Which buses' drivers try again with fewer. @returns how many to try; -ENOSPC for none. Source: kernel/irq/msi.c (v6.2), msi_handle_pci_fail() */
export function* msi_handle_pci_fail(domain: irq_domain, desc: msi_desc, allocated: number): Op<number> {
  switch (domain.bus_token) {
    case DOMAIN_BUS.PCI_MSI:
    case DOMAIN_BUS.PCI_DEVICE_MSI:
    case DOMAIN_BUS.PCI_DEVICE_MSIX:
    case DOMAIN_BUS.VMD_MSI:
      break;
    default:
      return -ENOSPC;
  }
  if (desc.nvec_used > 1) return 1;
  return allocated || -ENOSPC;
}

/** Interrupts for those of the range that have none yet. @returns 0; what msi_prepare, an allocation or an activation says. Source: kernel/irq/msi.c (v6.2), __msi_domain_alloc_irqs() */
function* __msi_domain_alloc_irqs(dev: PciDev, domain: irq_domain, ctrl: msi_ctrl): Op<number> {
  const info = domain.host_data as msi_domain_info;
  const { ops } = info;
  const arg = new irq_alloc_info();
  let allocated = 0;

  let ret = yield* msi_domain_prepare_irqs(domain, dev, ctrl.nirqs, arg);
  if (ret) return ret;

  const can_reserve = yield* msi_check_reservation_mode(domain, info, dev);
  for (const desc of descs_of(dev, ctrl)) {
    if (desc.irq !== 0) continue;
    if (WARN_ON_ONCE(allocated >= ctrl.nirqs, 'kernel/irq/msi.c __msi_domain_alloc_irqs')) return -EINVAL;

    if (ops.prepare_desc) yield* ops.prepare_desc(domain, arg, desc);
    yield* ops.set_desc!(arg, desc);
    const virq = yield* __irq_domain_alloc_irqs(domain, -1, desc.nvec_used, dev.numa_node, arg, false, desc.affinity);
    if (virq < 0) return yield* msi_handle_pci_fail(domain, desc, allocated);

    for (let i = 0; i < desc.nvec_used; i++) {
      yield* irq_set_msi_desc_off(virq, i, desc);
      ret = yield* msi_init_virq(domain, virq + i, can_reserve);
      if (ret) return ret;
    }
    if (info.flags & MSI_FLAG.DEV_SYSFS) dev.msi_irqs?.push(desc.irq);
    allocated++;
  }
  return 0;
}

/**
 * One interrupt of one of a device's domains, whose numbers the kernel keeps.
 * @param index of the message, or MSI_ANY_INDEX @param icookie for the chip's and the domain's callbacks, in a secondary domain
 * @returns the interrupt; or as index -ENODEV without such a domain, -ENOMEM, -ERANGE, -EBUSY, or what the allocation says. Source: kernel/irq/msi.c (v6.2), msi_domain_alloc_irq_at()
 */
export function* msi_domain_alloc_irq_at(dev: PciDev, domid: number, index: number, affdesc: irq_affinity_desc | null, icookie: unknown): Op<msi_map> {
  member_of(dev.msi_data, OFFSETOF_MUTEX);
  const domain = yield* msi_get_device_domain(dev, domid);
  if (!domain) return { index: -ENODEV, virq: 0 };

  const desc = yield* alloc_msi_entry(dev, 1, affdesc && [affdesc]);
  if (!desc) return { index: -ENOMEM, virq: 0 };
  if (domid !== MSI_DEFAULT_DOMAIN) desc.data = { dcookie: 0, icookie };

  let ret = yield* msi_insert_desc(dev, desc, domid, index);
  if (ret) return { index: ret, virq: 0 };

  const at = desc.msi_attrib.entry_nr;
  const ctrl = { domid, first: at, last: at, nirqs: 1 };
  ret = yield* __msi_domain_alloc_irqs(dev, domain, ctrl);
  if (ret) {
    yield* msi_domain_free_locked(dev, ctrl);
    return { index: ret, virq: 0 };
  }
  return { index: at, virq: desc.irq };
}

/** Source: kernel/irq/msi.c (v6.2), __msi_domain_free_irqs() */
function* __msi_domain_free_irqs(dev: PciDev, domain: irq_domain, ctrl: msi_ctrl): Op {
  const info = domain.host_data as msi_domain_info;
  for (const desc of descs_of(dev, ctrl)) {
    if (desc.irq === 0) continue;

    for (let i = 0; i < desc.nvec_used; i++) {
      const irqd = yield* irq_domain_get_irq_data(domain, desc.irq + i);
      if (irqd && irqd_is_activated(irqd)) yield* irq_domain_deactivate_irq(irqd);
    }
    yield* irq_domain_free_irqs(desc.irq, desc.nvec_used);
    const listed = info.flags & MSI_FLAG.DEV_SYSFS ? (dev.msi_irqs?.indexOf(desc.irq) ?? -1) : -1;
    if (listed >= 0) dev.msi_irqs!.splice(listed, 1);
    desc.irq = 0;
  }
}

/** Source: kernel/irq/msi.c (v6.2), msi_domain_free_locked() */
function* msi_domain_free_locked(dev: PciDev, ctrl: msi_ctrl): Op {
  const domain = yield* msi_get_device_domain(dev, ctrl.domid);
  if (!domain) return;

  yield* __msi_domain_free_irqs(dev, domain, ctrl);
  if ((domain.host_data as msi_domain_info).flags & MSI_FLAG.FREE_MSI_DESCS) yield* msi_domain_free_descs(dev, ctrl);
}

/** Source: kernel/irq/msi.c (v6.2), msi_domain_free_descs() */
function* msi_domain_free_descs(dev: PciDev, ctrl: msi_ctrl): Op {
  const store = store_of(dev, ctrl.domid);
  for (const desc of descs_of(dev, ctrl)) store.splice(store.indexOf(desc), 1);
}

/** Gives interrupts back, and their descriptors where the domain wants that. @param last included. Source: kernel/irq/msi.c (v6.2), msi_domain_free_irqs_range() */
export function* msi_domain_free_irqs_range(dev: PciDev, domid: number, first: number, last: number): Op {
  yield* msi_domain_free_locked(dev, { domid, first, last, nirqs: 0 });
}

/** The Linux irq of a message. @returns it; 0 for none. Source: kernel/irq/msi.c (v6.2), msi_domain_get_virq() */
export function* msi_domain_get_virq(dev: PciDev, domid: number, index: number): Op<number> {
  if (!dev.msi_data) return 0;

  // A PCI/MSI has one descriptor for all its interrupts.
  const pcimsi = domid === MSI_DEFAULT_DOMAIN && dev.msi_enabled;
  const desc = store_of(dev, domid).find(({ msi_attrib }) => msi_attrib.entry_nr === (pcimsi ? 0 : index));
  if (!desc || desc.irq === 0) return 0;
  if (!pcimsi) return desc.irq;
  return index < desc.nvec_used ? desc.irq + index : 0;
}
