import type { Op } from '../../stepper/op';
import { irq_alloc_info } from '../arch/x86/hw_irq';
import { irq_affinity_desc } from '../include/interrupt';
import {
  IRQ_SET_MASK_OK_DONE, IRQCHIP_ONESHOT_SAFE, IRQCHIP_SUPPORTS_LEVEL_MSI, irq_data_get_affinity_mask, irqd_affinity_is_managed, irqd_clr_activated, irqd_clr_can_reserve,
  irqd_is_activated, irqd_set_managed_shutdown, irqd_set_msi_nomask_quirk, type irq_data,
} from '../include/irq';
import { DOMAIN_BUS, IRQ_DOMAIN_FLAG, irq_domain_is_msi_device, type fwnode_handle, type irq_domain, type irq_domain_ops } from '../include/irqdomain';
import { MSI_FLAG, MSI_XA_DOMAIN_SIZE, msi_desc, msi_msg, type msi_alloc_info_t, type msi_domain_info, type msi_domain_ops } from '../include/msi';
import type { device } from '../include/device';
import type { cpumask } from '../lib/cpumask';
import { EEXIST, EINVAL, ENOSPC } from '../lib/errno';
import { called } from '../lib/fault';
import { BUG_ON, WARN_ON } from '../lib/printk';
import { kzalloc } from '../lib/slab';
import { has, kernel } from '../world';
import { msi_handle_pci_fail } from './msi_device_irqs';
import { __irq_set_handler, irq_chip_compose_msi_msg, irq_set_handler_data, irq_set_msi_desc_off } from './chip';
import {
  __irq_domain_alloc_irqs, irq_domain_activate_irq, irq_domain_alloc_irqs_hierarchy, irq_domain_alloc_irqs_parent, irq_domain_create_hierarchy,
  irq_domain_deactivate_irq, irq_domain_free_irqs, irq_domain_free_irqs_common, irq_domain_free_irqs_top, irq_domain_get_irq_data,
  irq_domain_set_hwirq_and_chip, irq_domain_update_bus_token, irq_find_mapping,
} from './irqdomain';

const info_of = (domain: irq_domain): msi_domain_info => domain.host_data as msi_domain_info;

/** A device's description of `nvec` messages, not allocated yet. @param affinity one for each, copied, or null. @returns it, or null. Source: kernel/irq/msi.c, alloc_msi_entry() */
export function* alloc_msi_entry(dev: device, nvec: number, affinity: readonly irq_affinity_desc[] | null): Op<msi_desc | null> {
  const attrib = { is_msix: false, multiple: 0, multi_cap: 0, maskbit: false, is_64: false, is_virtual: false, entry_nr: 0, default_irq: 0 };
  const desc = kzalloc('alloc_msi_entry: struct msi_desc', () => new msi_desc(dev, nvec, null, attrib));
  if (!desc || !affinity) return desc;

  desc.affinity = kzalloc('alloc_msi_entry: affinity', () => affinity.slice(0, nvec).map(({ mask, is_managed }) => new irq_affinity_desc(mask.copy(), is_managed)));
  return desc.affinity ? desc : null;
}

function* irq_chip_write_msi_msg(data: irq_data, msg: msi_msg): Op {
  yield* called(data.chip.irq_write_msi_msg)(data, msg);
}

/** msg[1], to end a level interrupt, is for chips that can send it. */
function* msi_check_level(domain: irq_domain, msg: readonly [msi_msg, msi_msg]): Op {
  const info = info_of(domain);
  const capable = info.flags & MSI_FLAG.LEVEL_CAPABLE && info.chip.flags & IRQCHIP_SUPPORTS_LEVEL_MSI;
  WARN_ON(!capable && (msg[1].address_lo | msg[1].address_hi | msg[1].data) !== 0, 'kernel/irq/msi.c msi_check_level');
}

/** The parent moves the interrupt; the device gets a new message unless the parent says that the old one still does. @returns what the parent says. Source: kernel/irq/msi.c, msi_domain_set_affinity() */
export function* msi_domain_set_affinity(data: irq_data, mask: cpumask, force: boolean): Op<number> {
  const parent = data.parent_data!;
  const msg = [new msi_msg(), new msi_msg()] as const;
  const ret = yield* called(parent.chip.irq_set_affinity)(parent, mask, force);
  if (ret >= 0 && ret !== IRQ_SET_MASK_OK_DONE) {
    BUG_ON((yield* irq_chip_compose_msi_msg(data, msg[0])) !== 0, 'kernel/irq/msi.c msi_domain_set_affinity');
    yield* msi_check_level(data.domain!, msg);
    yield* irq_chip_write_msi_msg(data, msg[0]);
  }
  return ret;
}

function* msi_domain_activate(domain: irq_domain, irq_data: irq_data, early: boolean): Op<number> {
  const msg = [new msi_msg(), new msi_msg()] as const;
  BUG_ON((yield* irq_chip_compose_msi_msg(irq_data, msg[0])) !== 0, 'kernel/irq/msi.c msi_domain_activate');
  yield* msi_check_level(irq_data.domain!, msg);
  yield* irq_chip_write_msi_msg(irq_data, msg[0]);
  return 0;
}

function* msi_domain_deactivate(domain: irq_domain, irq_data: irq_data): Op {
  yield* irq_chip_write_msi_msg(irq_data, new msi_msg());
}

/** @returns 0; -EEXIST when the hwirq is mapped; what the parents or msi_init say. Source: kernel/irq/msi.c, msi_domain_alloc() */
function* msi_domain_alloc(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const info = info_of(domain);
  const { ops } = info;
  const msi_arg = arg as msi_alloc_info_t;
  const hwirq = yield* called(ops.get_hwirq)(info, msi_arg);

  if ((yield* irq_find_mapping(domain, hwirq)) > 0) return -EEXIST;
  if (domain.parent) {
    const ret = yield* irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);
    if (ret < 0) return ret;
  }

  for (let i = 0; i < nr_irqs; i++) {
    const ret = yield* called(ops.msi_init)(domain, info, virq + i, hwirq + i, msi_arg);
    if (ret >= 0) continue;
    // the kernel's own loop: the first one is left out
    if (ops.msi_free) for (i--; i > 0; i--) yield* ops.msi_free(domain, info, virq + i);
    yield* irq_domain_free_irqs_top(domain, virq, nr_irqs);
    return ret;
  }
  return 0;
}

function* msi_domain_free(domain: irq_domain, virq: number, nr_irqs: number): Op {
  const info = info_of(domain);
  if (info.ops.msi_free) for (let i = 0; i < nr_irqs; i++) yield* info.ops.msi_free(domain, info, virq + i);
  yield* irq_domain_free_irqs_top(domain, virq, nr_irqs);
}

const msi_domain_ops: irq_domain_ops = Object.freeze({
  alloc: msi_domain_alloc,
  free: msi_domain_free,
  activate: msi_domain_activate,
  deactivate: msi_domain_deactivate,
});

function* msi_domain_ops_get_hwirq(info: msi_domain_info, arg: msi_alloc_info_t): Op<number> {
  return arg.hwirq;
}

function* msi_domain_ops_prepare(domain: irq_domain, dev: device, nvec: number, arg: msi_alloc_info_t): Op<number> {
  Object.assign(arg, new irq_alloc_info());
  return 0;
}

function* msi_domain_ops_set_desc(arg: msi_alloc_info_t, desc: msi_desc): Op {
  arg.desc = desc;
}

function* msi_domain_ops_init(domain: irq_domain, info: msi_domain_info, virq: number, hwirq: number, arg: msi_alloc_info_t): Op<number> {
  yield* irq_domain_set_hwirq_and_chip(domain, virq, hwirq, info.chip, info.chip_data ?? null);
  if (info.handler && info.handler_name) {
    yield* __irq_set_handler(virq, info.handler, false, info.handler_name);
    if (info.handler_data) yield* irq_set_handler_data(virq, info.handler_data);
  }
  return 0;
}

function* msi_domain_ops_check(domain: irq_domain, info: msi_domain_info, dev: device): Op<number> {
  return 0;
}

const msi_domain_ops_default: Readonly<msi_domain_ops> = Object.freeze({
  get_hwirq: msi_domain_ops_get_hwirq,
  msi_init: msi_domain_ops_init,
  msi_check: msi_domain_ops_check,
  msi_prepare: msi_domain_ops_prepare,
  set_desc: msi_domain_ops_set_desc,
  domain_alloc_irqs: __msi_domain_alloc_irqs,
  domain_free_irqs: __msi_domain_free_irqs,
});

/** Complete the domain's own ops: allocating and freeing always, the rest where it asks for defaults. */
function* msi_domain_update_dom_ops(info: msi_domain_info): Op {
  const { ops } = info;
  const def = msi_domain_ops_default;
  if (has('v2-29')) {
    ops.domain_alloc_irqs ??= def.domain_alloc_irqs;
    ops.domain_free_irqs ??= def.domain_free_irqs;
  }
  if (!(info.flags & MSI_FLAG.USE_DEF_DOM_OPS)) return;

  ops.msi_init ??= def.msi_init;
  ops.msi_check ??= def.msi_check;
  // Before v2-19 these are built with GENERIC_MSI_DOMAIN_OPS only, and x86 is without: a domain without its own has none.
  if (!has('v2-19')) return;
  ops.get_hwirq ??= def.get_hwirq;
  ops.msi_prepare ??= def.msi_prepare;
  ops.set_desc ??= def.set_desc;
}

function* msi_domain_update_chip_ops(info: msi_domain_info): Op {
  const { chip } = info;
  BUG_ON(!chip.irq_mask || !chip.irq_unmask, 'kernel/irq/msi.c msi_domain_update_chip_ops');
  chip.irq_set_affinity ??= msi_domain_set_affinity;
}

/** A domain of messages on top of `parent`; `info` is completed in place. Source: kernel/irq/msi.c, msi_create_irq_domain() */
export function* msi_create_irq_domain(fwnode: fwnode_handle | null, info: msi_domain_info, parent: irq_domain | null): Op<irq_domain> {
  if (has('v2-29') || info.flags & MSI_FLAG.USE_DEF_DOM_OPS) yield* msi_domain_update_dom_ops(info);
  if (info.flags & MSI_FLAG.USE_DEF_CHIP_OPS) yield* msi_domain_update_chip_ops(info);
  return yield* irq_domain_create_hierarchy(parent, IRQ_DOMAIN_FLAG.MSI, 0, fwnode, msi_domain_ops, info);
}

/** The same for a device's own domain. @returns null for a table larger than any can be. Source: kernel/irq/msi.c (v6.2), __msi_create_irq_domain() */
export function* __msi_create_irq_domain(fwnode: fwnode_handle, info: msi_domain_info, flags: number, parent: irq_domain): Op<irq_domain | null> {
  if (info.hwsize! > MSI_XA_DOMAIN_SIZE) return null;
  // unknown, or no table at all
  info.hwsize ||= MSI_XA_DOMAIN_SIZE;

  yield* msi_domain_update_dom_ops(info);
  yield* msi_domain_update_chip_ops(info);
  const domain = yield* irq_domain_create_hierarchy(parent, flags | IRQ_DOMAIN_FLAG.MSI, 0, fwnode, msi_domain_ops, info);
  yield* irq_domain_update_bus_token(domain, info.bus_token!);
  return domain;
}

/** What messages want that can be allocated before they are requested. x86 selects GENERIC_IRQ_RESERVATION_MODE. Source: [V2 43/46] kernel/irq/msi.c, msi_domain_set_default_info_flags() */
export function* msi_domain_set_default_info_flags(info: msi_domain_info): Op {
  info.flags |= MSI_FLAG.ACTIVATE_EARLY | MSI_FLAG.MUST_REACTIVATE;
  info.chip.flags |= IRQCHIP_ONESHOT_SAFE;
}

/** Ask whether the domain can do it, then fill `arg`. @returns 0 or what the domain says (1: fewer). Source: kernel/irq/msi.c, msi_domain_prepare_irqs() */
export function* msi_domain_prepare_irqs(domain: irq_domain, dev: device, nvec: number, arg: msi_alloc_info_t): Op<number> {
  const info = info_of(domain);
  const ret = yield* called(info.ops.msi_check)(domain, info, dev);
  return ret === 0 ? yield* called(info.ops.msi_prepare)(domain, dev, nvec, arg) : ret;
}

/** Messages for irqs virq .. virq + nvec - 1 that are allocated in the parents already. @returns 0, -EINVAL for a multi-message or unallocated entry, or an alloc's errno. Source: kernel/irq/msi.c, msi_domain_populate_irqs() */
export function* msi_domain_populate_irqs(domain: irq_domain, dev: device, virq: number, nvec: number, arg: msi_alloc_info_t): Op<number> {
  const { ops } = info_of(domain);
  const mine = (desc: msi_desc): boolean => desc.irq >= virq && desc.irq < virq + nvec;
  let ret = 0;
  for (const desc of dev.msi_list) {
    if (WARN_ON(desc.irq === 0 || desc.nvec_used !== 1, 'kernel/irq/msi.c msi_domain_populate_irqs')) {
      ret = -EINVAL;
      break;
    }
    if (!mine(desc)) continue;
    yield* called(ops.set_desc)(arg, desc);
    ret = yield* irq_domain_alloc_irqs_hierarchy(domain, desc.irq, 1, arg);
    if (ret) break;
    yield* irq_set_msi_desc_off(desc.irq, 0, desc);
  }
  if (ret) {
    for (const desc of dev.msi_list) if (mine(desc)) yield* irq_domain_free_irqs_common(domain, desc.irq, 1);
  }
  return ret;
}

/** Whether a vector need not be taken before request_irq(): a message to nowhere must be maskable. */
export function* msi_check_reservation_mode(domain: irq_domain, info: msi_domain_info, dev: device): Op<boolean> {
  const by_vmd = has('v2-23') && domain.bus_token === DOMAIN_BUS.VMD_MSI;
  const by_device = irq_domain_is_msi_device(domain) && domain.bus_token !== DOMAIN_BUS.PCI_DEVICE_IMS;
  if (domain.bus_token !== DOMAIN_BUS.PCI_MSI && !by_device && !by_vmd) return false;
  if (!(info.flags & MSI_FLAG.MUST_REACTIVATE)) return false;
  if (kernel.pci_msi_ignore_mask) return false;
  const { msi_attrib } = dev.msi_list[0];
  return msi_attrib.is_msix || msi_attrib.maskbit;
}

/** The allocated interrupts of a device, message by message: a macro of include/linux/msi.h. */
const for_each_msi_vector = (dev: device): number[] =>
  dev.msi_list.filter((desc) => desc.irq !== 0).flatMap((desc) => Array.from({ length: desc.nvec_used }, (_, i) => desc.irq + i));

/** Interrupts that are activated at allocation: of a multi-message entry only the first, in kernels without the fix. */
const early_irqs = (dev: device): number[] => (has('multi-msi-early-activation') ? for_each_msi_vector(dev) : dev.msi_list.map((desc) => desc.irq));

/** Source: kernel/irq/msi.c (v5.17), msi_init_virq() */
export function* msi_init_virq(domain: irq_domain, virq: number, can_reserve: boolean): Op<number> {
  const data = (yield* irq_domain_get_irq_data(domain, virq))!;
  if (!can_reserve) irqd_clr_can_reserve(data);
  if (!(info_of(domain).flags & MSI_FLAG.ACTIVATE_EARLY)) return 0;

  const ret = yield* irq_domain_activate_irq(data, can_reserve);
  // request_irq() shall activate again, with a vector
  if (ret === 0 && can_reserve) irqd_clr_activated(data);
  return ret;
}

/**
 * Interrupts for all of dev's msi_descs; where the domain wants it, activated before the device is.
 * @returns 0; what msi_check or msi_prepare say; -ENOSPC (or handle_error's version) when an allocation fails, those before it kept; what activation says. Source: kernel/irq/msi.c, __msi_domain_alloc_irqs()
 */
export function* __msi_domain_alloc_irqs(domain: irq_domain, dev: device, nvec: number): Op<number> {
  const info = info_of(domain);
  const { ops } = info;
  const arg = new irq_alloc_info();
  let ret = yield* msi_domain_prepare_irqs(domain, dev, nvec, arg);
  if (ret) return ret;

  if (has('v2-45') && ops.msi_alloc_store) {
    ret = yield* ops.msi_alloc_store(domain, dev, nvec);
    if (ret) return ret;
  }
  let allocated = 0;
  let can_reserve = has('msi-activate-each') && (yield* msi_check_reservation_mode(domain, info, dev));
  for (const desc of dev.msi_list) {
    if (ops.prepare_desc) yield* ops.prepare_desc(domain, arg, desc);
    yield* called(ops.set_desc)(arg, desc);
    const virq = yield* __irq_domain_alloc_irqs(domain, -1, desc.nvec_used, dev.numa_node, arg, false, desc.affinity);
    if (virq < 0) {
      if (irq_domain_is_msi_device(domain)) return yield* msi_handle_pci_fail(domain, desc, allocated);
      ret = -ENOSPC;
      if (ops.handle_error) ret = yield* ops.handle_error(domain, desc, ret);
      if (ops.msi_finish) yield* ops.msi_finish(arg, ret);
      return ret;
    }
    for (let i = 0; i < desc.nvec_used; i++) {
      yield* irq_set_msi_desc_off(virq, i, desc);
      if (!has('msi-activate-each')) continue;
      ret = yield* msi_init_virq(domain, virq + i, can_reserve);
      if (ret) return ret;
    }
    allocated++;
  }
  if (ops.msi_finish) yield* ops.msi_finish(arg, 0);
  if (has('msi-activate-each')) return 0;

  can_reserve = yield* msi_check_reservation_mode(domain, info, dev);
  if (info.flags & MSI_FLAG.ACTIVATE_EARLY) {
    for (const irq of early_irqs(dev)) {
      const data = (yield* irq_domain_get_irq_data(domain, irq))!;
      if (!can_reserve) {
        irqd_clr_can_reserve(data);
        if (domain.flags & IRQ_DOMAIN_FLAG.MSI_NOMASK_QUIRK) irqd_set_msi_nomask_quirk(data);
        if (has('managed-shutdown-at-alloc') && irqd_affinity_is_managed(data) && !irq_data_get_affinity_mask(data).intersects(kernel.cpu_online_mask)) {
          irqd_set_managed_shutdown(data);
          continue;
        }
      }
      ret = yield* irq_domain_activate_irq(data, can_reserve);
      if (ret === 0) continue;
      if (!has('msi-deactivate-on-teardown')) {
        for (const earlier of early_irqs(dev)) {
          if (earlier === irq) break;
          const active = (yield* irq_domain_get_irq_data(domain, earlier))!;
          if (irqd_is_activated(active)) yield* irq_domain_deactivate_irq(active);
        }
      }
      yield* msi_domain_free_irqs(domain, dev);
      return ret;
    }
  }

  // request_irq() shall activate again, with a vector
  if (can_reserve) {
    for (const irq of early_irqs(dev)) irqd_clr_activated((yield* irq_domain_get_irq_data(domain, irq))!);
  }
  return 0;
}

/** As the domain does it; before v2-29 that is one way for all. @returns 0, an errno, or the number of messages to try instead. Source: kernel/irq/msi.c, msi_domain_alloc_irqs() */
export function* msi_domain_alloc_irqs(domain: irq_domain, dev: device, nvec: number): Op<number> {
  if (!has('v2-29')) return yield* __msi_domain_alloc_irqs(domain, dev, nvec);
  return yield* info_of(domain).ops.domain_alloc_irqs!(domain, dev, nvec);
}

export function* __msi_domain_free_irqs(domain: irq_domain, dev: device): Op {
  if (has('msi-deactivate-on-teardown')) {
    for (const irq of for_each_msi_vector(dev)) {
      const data = (yield* irq_domain_get_irq_data(domain, irq))!;
      if (irqd_is_activated(data)) yield* irq_domain_deactivate_irq(data);
    }
  }
  for (const desc of dev.msi_list) {
    // after a failed allocation some have none
    if (desc.irq === 0) continue;
    yield* irq_domain_free_irqs(desc.irq, desc.nvec_used);
    desc.irq = 0;
  }

  const { ops } = info_of(domain);
  if (has('v2-45') && ops.msi_free_store) yield* ops.msi_free_store(domain, dev);
}

/** As the domain does it; before v2-29 one way for all. Source: kernel/irq/msi.c, msi_domain_free_irqs() */
export function* msi_domain_free_irqs(domain: irq_domain, dev: device): Op {
  if (has('v2-29')) yield* info_of(domain).ops.domain_free_irqs!(domain, dev);
  else yield* __msi_domain_free_irqs(domain, dev);
}

/** @returns what msi_create_irq_domain() was given. Source: kernel/irq/msi.c, msi_get_domain_info() */
export function* msi_get_domain_info(domain: irq_domain): Op<msi_domain_info> {
  return info_of(domain);
}
