import type { Op } from '../../stepper/op';
import { irqd_clr_activated, irqd_is_activated, irqd_set_activated, type irq_chip, type irq_data } from '../include/irq';
import type { irq_flow_handler } from '../include/irqdesc';
import { DOMAIN_BUS, irq_domain, IRQ_DOMAIN_FLAG, type fwnode_handle, type irq_domain_ops } from '../include/irqdomain';
import { ENOENT } from '../lib/errno';
import { mutex, mutex_lock, mutex_unlock } from '../lib/locking';
import { pr_debug, WARN_ON } from '../lib/printk';
import { has, kernel } from '../world';
import { __irq_set_handler, irq_set_handler_data } from './chip';
import { no_irq_chip } from './dummychip';
import { irq_get_irq_data } from './irqdesc';

// kernel/irq/irqdomain.c is two files here; who calls it need not know.
export * from './irqdomain_alloc';

export const irqdomain_globals = () => ({
  /** newest first */
  irq_domain_list: [] as irq_domain[],
  irq_domain_mutex: new mutex('irq_domain_mutex'),
  irq_default_domain: null as irq_domain | null,
  unknown_domains: 0,
});

/** hwirq_max of a domain without a limit */
const NO_LIMIT = 0xffffffffffffffffn;
const NO_LIMIT_32 = 0xffffffffn;
export const IRQCHIP_FWNODE_NAMED = 1;
export const IRQCHIP_FWNODE_NAMED_ID = 2;

export function* __irq_domain_alloc_fwnode(type: number, id: number, name: string): Op<fwnode_handle> {
  return Object.freeze({ name: type === IRQCHIP_FWNODE_NAMED_ID ? `${name}-${id}` : name });
}

/** Inlines of include/linux/irqdomain.h: "X" and "X-n". */
export const irq_domain_alloc_named_fwnode = (name: string): Op<fwnode_handle> => __irq_domain_alloc_fwnode(IRQCHIP_FWNODE_NAMED, 0, name);
/** A name and a number: the domain is called "name-id". Source: include/linux/irqdomain.h */
export const irq_domain_alloc_named_id_fwnode = (name: string, id: number): Op<fwnode_handle> => __irq_domain_alloc_fwnode(IRQCHIP_FWNODE_NAMED_ID, id, name);

/**
 * Make a domain and put it into the list.
 * @param size hwirqs below it are found in an array, all others in a tree
 * Source: kernel/irq/irqdomain.c, __irq_domain_add()
 */
export function* __irq_domain_add(fwnode: fwnode_handle | null, size: number, hwirq_max: bigint, ops: irq_domain_ops, host_data: unknown): Op<irq_domain> {
  const name = fwnode ? fwnode.name : `unknown-${++kernel.unknown_domains}`;
  const domain = new irq_domain(name, fwnode, ops, host_data, size, hwirq_max);
  domain.flags |= IRQ_DOMAIN_FLAG.NAME_ALLOCATED;
  yield* irq_domain_check_hierarchy(domain);

  yield* mutex_lock(kernel.irq_domain_mutex);
  kernel.irq_domain_list.unshift(domain);
  yield* mutex_unlock(kernel.irq_domain_mutex);
  pr_debug(`irq: Added domain ${domain.name}`);
  return domain;
}

/** Inlines of include/linux/irqdomain.h. */
export const irq_domain_create_linear = (fwnode: fwnode_handle | null, size: number, ops: irq_domain_ops, host_data: unknown): Op<irq_domain> =>
  __irq_domain_add(fwnode, size, BigInt(size), ops, host_data);
export const irq_domain_create_tree = (fwnode: fwnode_handle | null, ops: irq_domain_ops, host_data: unknown): Op<irq_domain> =>
  __irq_domain_add(fwnode, 0, NO_LIMIT, ops, host_data);

/** The domain must be empty. Source: kernel/irq/irqdomain.c, irq_domain_remove() */
export function* irq_domain_remove(domain: irq_domain): Op {
  yield* mutex_lock(kernel.irq_domain_mutex);
  WARN_ON(domain.revmap_tree.size > 0, 'kernel/irq/irqdomain.c irq_domain_remove');
  kernel.irq_domain_list.splice(kernel.irq_domain_list.indexOf(domain), 1);
  if (kernel.irq_default_domain === domain) yield* irq_set_default_host(null);
  yield* mutex_unlock(kernel.irq_domain_mutex);
  pr_debug(`irq: Removed domain ${domain.name}`);
}

/** The domain that a firmware node names, for a kind of bus. @returns it, or null. Source: kernel/irq/irqdomain.c, irq_find_matching_fwspec() */
export function* irq_find_matching_fwnode(fwnode: fwnode_handle, bus_token: number): Op<irq_domain | null> {
  yield* mutex_lock(kernel.irq_domain_mutex);
  const found = kernel.irq_domain_list.find(h => h.fwnode === fwnode && (bus_token === DOMAIN_BUS.ANY || h.bus_token === bus_token)) ?? null;
  yield* mutex_unlock(kernel.irq_domain_mutex);
  return found;
}

/** Say what kind of bus the domain serves: its name grows by the token. Source: kernel/irq/irqdomain.c, irq_domain_update_bus_token() */
export function* irq_domain_update_bus_token(domain: irq_domain, bus_token: number): Op {
  if (domain.bus_token === bus_token) return;
  yield* mutex_lock(kernel.irq_domain_mutex);
  domain.bus_token = bus_token;
  domain.name = `${domain.name}-${bus_token}`;
  domain.flags |= IRQ_DOMAIN_FLAG.NAME_ALLOCATED;
  yield* mutex_unlock(kernel.irq_domain_mutex);
}

/** The domain meant where none is given. */
export function* irq_set_default_host(domain: irq_domain | null): Op {
  kernel.irq_default_domain = domain;
}

/** hwirq is unsigned in C: a negative number stands for one of the highest. */
const in_linear_revmap = ({ revmap_size }: irq_domain, hwirq: number): boolean => hwirq >= 0 && hwirq < revmap_size;

export function* irq_domain_clear_mapping(domain: irq_domain, hwirq: number): Op {
  if (in_linear_revmap(domain, hwirq)) {
    domain.linear_revmap.delete(hwirq);
    return;
  }
  yield* mutex_lock(domain.revmap_tree_mutex);
  domain.revmap_tree.delete(hwirq);
  yield* mutex_unlock(domain.revmap_tree_mutex);
}

export function* irq_domain_set_mapping(domain: irq_domain, hwirq: number, data: irq_data): Op {
  if (in_linear_revmap(domain, hwirq)) {
    domain.linear_revmap.set(hwirq, data.irq);
    return;
  }
  yield* mutex_lock(domain.revmap_tree_mutex);
  // radix_tree_insert() refuses a hwirq that is there, and nobody looks: the second interrupt cannot be found
  if (!domain.revmap_tree.has(hwirq)) domain.revmap_tree.set(hwirq, data);
  yield* mutex_unlock(domain.revmap_tree_mutex);
}

/** @returns the Linux interrupt of `hwirq`, 0 for none. @param domain null: the default one. Source: kernel/irq/irqdomain.c, irq_find_mapping() */
export function* irq_find_mapping(domain: irq_domain | null, hwirq: number): Op<number> {
  domain ??= kernel.irq_default_domain;
  if (!domain) return 0;
  if (in_linear_revmap(domain, hwirq)) return domain.linear_revmap.get(hwirq) ?? 0;
  return domain.revmap_tree.get(hwirq)?.irq ?? 0;
}

/** Forget hwirq, chip and chip_data of a level. Source: kernel/irq/irqdomain.c, irq_domain_reset_irq_data() */
export function* irq_domain_reset_irq_data(data: irq_data): Op {
  data.hwirq = 0;
  data.chip = no_irq_chip;
  data.chip_data = null;
}

/** A domain on top of `parent`. @param size 0 for a tree. Source: kernel/irq/irqdomain.c, irq_domain_create_hierarchy() */
export function* irq_domain_create_hierarchy(
  parent: irq_domain | null, flags: number, size: number, fwnode: fwnode_handle | null, ops: irq_domain_ops, host_data: unknown,
): Op<irq_domain> {
  const domain = size ? yield* irq_domain_create_linear(fwnode, size, ops, host_data) : yield* __irq_domain_add(fwnode, 0, has('irq-domain-instantiate') ? NO_LIMIT_32 : NO_LIMIT, ops, host_data);
  domain.parent = parent;
  domain.flags |= flags;
  return domain;
}

/** @returns the level of `virq` that belongs to `domain`, or null. Source: kernel/irq/irqdomain.c, irq_domain_get_irq_data() */
export function* irq_domain_get_irq_data(domain: irq_domain, virq: number): Op<irq_data | null> {
  for (let data = irq_get_irq_data(virq); data; data = data.parent_data) {
    if (data.domain === domain) return data;
  }
  return null;
}

/** @returns 0 or -ENOENT when `virq` has no level of `domain`. Source: kernel/irq/irqdomain.c, irq_domain_set_hwirq_and_chip() */
export function* irq_domain_set_hwirq_and_chip(domain: irq_domain, virq: number, hwirq: number, chip: irq_chip | null, chip_data: unknown): Op<number> {
  const data = yield* irq_domain_get_irq_data(domain, virq);
  if (!data) return -ENOENT;
  data.hwirq = hwirq;
  data.chip = chip ?? no_irq_chip;
  data.chip_data = chip_data;
  return 0;
}

export function* irq_domain_set_info(
  domain: irq_domain, virq: number, hwirq: number, chip: irq_chip | null, chip_data: unknown,
  handler: irq_flow_handler | null, handler_data: unknown, handler_name: string | null,
): Op {
  yield* irq_domain_set_hwirq_and_chip(domain, virq, hwirq, chip, chip_data);
  yield* __irq_set_handler(virq, handler, false, handler_name);
  yield* irq_set_handler_data(virq, handler_data);
}

function* __irq_domain_deactivate_irq(data: irq_data): Op {
  const domain = data.domain;
  if (!domain) return;
  if (domain.ops.deactivate) yield* domain.ops.deactivate(domain, data);
  if (data.parent_data) yield* __irq_domain_deactivate_irq(data.parent_data);
}

function* __irq_domain_activate_irq(data: irq_data, reserve: boolean): Op<number> {
  const domain = data.domain;
  if (!domain) return 0;

  let ret = 0;
  if (data.parent_data) ret = yield* __irq_domain_activate_irq(data.parent_data, reserve);
  if (ret === 0 && domain.ops.activate) {
    ret = yield* domain.ops.activate(domain, data, reserve);
    if (ret && data.parent_data) yield* __irq_domain_deactivate_irq(data.parent_data);
  }
  return ret;
}

/**
 * Make the interrupt deliverable, the parents first; nothing to do when it is already. On an error what had been activated is undone.
 * @param reserve only as far as programming the hardware needs it: request_irq() comes later
 * @returns 0 or what a level said. Source: kernel/irq/irqdomain.c, irq_domain_activate_irq()
 */
export function* irq_domain_activate_irq(data: irq_data, reserve: boolean): Op<number> {
  let ret = 0;
  if (!irqd_is_activated(data)) ret = yield* __irq_domain_activate_irq(data, reserve);
  if (ret === 0) irqd_set_activated(data);
  return ret;
}

/** Undo it, the outermost level first. Source: kernel/irq/irqdomain.c, irq_domain_deactivate_irq() */
export function* irq_domain_deactivate_irq(data: irq_data): Op {
  if (!irqd_is_activated(data)) return;
  yield* __irq_domain_deactivate_irq(data);
  irqd_clr_activated(data);
}

function* irq_domain_check_hierarchy(domain: irq_domain): Op {
  if (domain.ops.alloc) domain.flags |= IRQ_DOMAIN_FLAG.HIERARCHY;
}
