import type { Op } from '../../stepper/op';
import type { irq_affinity_desc } from '../include/interrupt';
import { irq_data, IRQ_NOREQUEST, type irq_chip } from '../include/irq';
import type { irq_domain } from '../include/irqdomain';
import { EINVAL, ENOMEM, ENOSYS } from '../lib/errno';
import { mutex_lock, mutex_unlock } from '../lib/locking';
import { pr_debug, pr_info, WARN } from '../lib/printk';
import { kzalloc } from '../lib/slab';
import { has, kernel } from '../world';
import { __irq_set_handler, irq_modify_status, irq_set_chip_and_handler_name, irq_set_handler_data } from './chip';
import { __irq_alloc_descs, irq_free_descs, irq_get_irq_data } from './irqdesc';
import { irq_domain_clear_mapping, irq_domain_get_irq_data, irq_domain_reset_irq_data, irq_domain_set_mapping } from './irqdomain';
import { synchronize_irq } from './manage';

// kernel/irq/irqdomain.c, allocating and freeing interrupts through the hierarchy.

/** What C writes as ERR_PTR(-ENOTCONN): the level and those behind it are not there for this interrupt. */
const disconnected_chip: irq_chip = Object.freeze({ name: 'ERR_PTR(-ENOTCONN)', flags: 0 });

/** Interrupt numbers for a domain: `virq` itself, or with -1 from a hint on. @returns as __irq_alloc_descs() */
export function* irq_domain_alloc_descs(virq: number, cnt: number, hwirq: number, node: number, affinity: readonly irq_affinity_desc[] | null): Op<number> {
  if (virq >= 0) return yield* __irq_alloc_descs(virq, virq, cnt, node, affinity);

  const hint = hwirq % kernel.nr_irqs || 1;
  virq = yield* __irq_alloc_descs(-1, hint, cnt, node, affinity);
  if (virq <= 0 && hint > 1) virq = yield* __irq_alloc_descs(-1, 1, cnt, node, affinity);
  return virq;
}

function* irq_domain_insert_irq(virq: number): Op {
  for (let data = irq_get_irq_data(virq); data; data = data.parent_data) {
    const domain = data.domain!;
    domain.mapcount++;
    yield* irq_domain_set_mapping(domain, data.hwirq, data);
  }
  yield* irq_modify_status(virq, IRQ_NOREQUEST, 0);
}

function* irq_domain_remove_irq(virq: number): Op {
  yield* irq_modify_status(virq, 0, IRQ_NOREQUEST);
  yield* irq_set_chip_and_handler_name(virq, null, null, null);
  yield* synchronize_irq(virq);

  for (let data = irq_get_irq_data(virq); data; data = data.parent_data) {
    const domain = data.domain!;
    domain.mapcount--;
    yield* irq_domain_clear_mapping(domain, data.hwirq);
  }
}

function* irq_domain_insert_irq_data(domain: irq_domain, child: irq_data): Op<irq_data | null> {
  // C: NULL. The chip is typed as always there because it is, from the domain's alloc on; irq_domain_trim_hierarchy() sees to that
  const data = kzalloc('irq_domain_insert_irq_data: struct irq_data', () => new irq_data(child.irq, child.common, null as unknown as irq_chip));
  if (!data) return null;
  child.parent_data = data;
  data.domain = domain;
  return data;
}

function* irq_domain_free_irq_data(virq: number, nr_irqs: number): Op {
  for (let i = 0; i < nr_irqs; i++) {
    const data = irq_get_irq_data(virq + i)!;
    data.parent_data = null;
    data.domain = null;
  }
}

/** Say, from a domain's alloc, that the levels from `domain` on are not needed for `virq`. @returns 0 or -EINVAL. Source: kernel/irq/irqdomain.c, irq_domain_disconnect_hierarchy() */
export function* irq_domain_disconnect_hierarchy(domain: irq_domain, virq: number): Op<number> {
  const data = yield* irq_domain_get_irq_data(domain, virq);
  if (!data) return -EINVAL;
  data.chip = disconnected_chip;
  return 0;
}

/**
 * Cut off the levels that a domain's alloc disconnected.
 * @returns 0; -EINVAL when the outermost level has no chip, one before the cut has none, or one behind it has. Source: kernel/irq/irqdomain.c, irq_domain_trim_hierarchy()
 */
function* irq_domain_trim_hierarchy(virq: number): Op<number> {
  const chip_of = (data: irq_data): irq_chip | null => data.chip;
  let above = irq_get_irq_data(virq)!;
  let tail: irq_data | null = null;

  if (chip_of(above) === null || above.chip === disconnected_chip) return -EINVAL;
  for (let data = above.parent_data; data; above = data, data = data.parent_data) {
    const chip = chip_of(data);
    if ((chip !== null) === (tail !== null)) return -EINVAL;
    if (chip === disconnected_chip) tail = above;
  }
  if (!tail) return 0;

  pr_info(`irq: IRQ${virq}: trimming hierarchy from ${tail.parent_data!.domain!.name}`);
  tail.parent_data = null;
  return 0;
}

/** A level for each parent. @returns 0, or -ENOMEM with none left */
function* irq_domain_alloc_irq_data(domain: irq_domain, virq: number, nr_irqs: number): Op<number> {
  for (let i = 0; i < nr_irqs; i++) {
    let data = irq_get_irq_data(virq + i)!;
    data.domain = domain;
    for (let parent = domain.parent; parent; parent = parent.parent) {
      const above = yield* irq_domain_insert_irq_data(parent, data);
      if (!above) {
        yield* irq_domain_free_irq_data(virq, i + 1);
        return -ENOMEM;
      }
      data = above;
    }
  }
  return 0;
}

/** What a domain's free does when nothing of its own is left: reset its level, free the parents'. Source: kernel/irq/irqdomain.c, irq_domain_free_irqs_common() */
export function* irq_domain_free_irqs_common(domain: irq_domain, virq: number, nr_irqs: number): Op {
  for (let i = 0; i < nr_irqs; i++) {
    const data = yield* irq_domain_get_irq_data(domain, virq + i);
    if (data) yield* irq_domain_reset_irq_data(data);
  }
  yield* irq_domain_free_irqs_parent(domain, virq, nr_irqs);
}

/** The same for an outermost domain: flow handler and its data too. Source: kernel/irq/irqdomain.c, irq_domain_free_irqs_top() */
export function* irq_domain_free_irqs_top(domain: irq_domain, virq: number, nr_irqs: number): Op {
  for (let i = 0; i < nr_irqs; i++) {
    yield* irq_set_handler_data(virq + i, null);
    yield* __irq_set_handler(virq + i, null, false, null);
  }
  yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
}

function* irq_domain_free_irqs_hierarchy(domain: irq_domain, irq_base: number, nr_irqs: number): Op {
  if (!domain.ops.free) return;
  if (!has('free-mapped-irqs-only')) {
    yield* domain.ops.free(domain, irq_base, nr_irqs);
    return;
  }
  for (let i = 0; i < nr_irqs; i++) {
    if (yield* irq_domain_get_irq_data(domain, irq_base + i)) yield* domain.ops.free(domain, irq_base + i, 1);
  }
}

/** @returns what the domain's alloc says, -ENOSYS without one. Source: kernel/irq/irqdomain.c, irq_domain_alloc_irqs_hierarchy() */
export function* irq_domain_alloc_irqs_hierarchy(domain: irq_domain, irq_base: number, nr_irqs: number, arg: unknown): Op<number> {
  if (!domain.ops.alloc) {
    pr_debug('irq: domain->ops->alloc() is NULL');
    return -ENOSYS;
  }
  return yield* domain.ops.alloc(domain, irq_base, nr_irqs, arg);
}

/** What v5.10 does in __irq_domain_alloc_irqs() itself, under the domain mutex from the beginning; shared parts would be frames that no kernel has. @returns the first number or an errno. Source: stable's kernel/irq/irqdomain.c, irq_domain_alloc_irqs_locked() */
function* irq_domain_alloc_irqs_locked(
  domain: irq_domain, irq_base: number, nr_irqs: number, node: number, arg: unknown, realloc: boolean, affinity: readonly irq_affinity_desc[] | null,
): Op<number> {
  let virq = irq_base;
  if (!realloc || irq_base < 0) {
    virq = yield* irq_domain_alloc_descs(irq_base, nr_irqs, 0, node, affinity);
    if (virq < 0) {
      pr_debug(`irq: cannot allocate IRQ(base ${irq_base}, count ${nr_irqs})`);
      return virq;
    }
  }
  if (yield* irq_domain_alloc_irq_data(domain, virq, nr_irqs)) {
    pr_debug(`irq: cannot allocate memory for IRQ${virq}`);
    yield* irq_free_descs(virq, nr_irqs);
    return -ENOMEM;
  }

  let ret = yield* irq_domain_alloc_irqs_hierarchy(domain, virq, nr_irqs, arg);
  for (let i = 0; ret >= 0 && i < nr_irqs; i++) ret = yield* irq_domain_trim_hierarchy(virq + i);
  if (ret < 0) {
    yield* irq_domain_free_irq_data(virq, nr_irqs);
    yield* irq_free_descs(virq, nr_irqs);
    return ret;
  }
  for (let i = 0; i < nr_irqs; i++) yield* irq_domain_insert_irq(virq + i);
  return virq;
}

/**
 * Allocate `nr_irqs` consecutive interrupts in `domain` and all its parents.
 * @param irq_base the number wanted or -1 @param realloc irq_base's descriptors are there already
 * @param arg what the domains' allocs get @param affinity one for each, or null
 * @returns the first number; -EINVAL without a domain; what numbers (__irq_alloc_descs()) or a domain's alloc say. Source: kernel/irq/irqdomain.c, __irq_domain_alloc_irqs()
 */
export function* __irq_domain_alloc_irqs(
  domain: irq_domain | null, irq_base: number, nr_irqs: number, node: number, arg: unknown, realloc: boolean, affinity: readonly irq_affinity_desc[] | null,
): Op<number> {
  domain ??= kernel.irq_default_domain;
  if (!domain) {
    WARN(true, 'domain is NULL; cannot allocate IRQ', 'kernel/irq/irqdomain.c __irq_domain_alloc_irqs');
    return -EINVAL;
  }

  if (has('domain-alloc-locked')) {
    yield* mutex_lock(kernel.irq_domain_mutex);
    const ret = yield* irq_domain_alloc_irqs_locked(domain, irq_base, nr_irqs, node, arg, realloc, affinity);
    yield* mutex_unlock(kernel.irq_domain_mutex);
    return ret;
  }

  let virq = irq_base;
  if (!realloc || irq_base < 0) {
    virq = yield* irq_domain_alloc_descs(irq_base, nr_irqs, 0, node, affinity);
    if (virq < 0) {
      pr_debug(`irq: cannot allocate IRQ(base ${irq_base}, count ${nr_irqs})`);
      return virq;
    }
  }
  if (yield* irq_domain_alloc_irq_data(domain, virq, nr_irqs)) {
    pr_debug(`irq: cannot allocate memory for IRQ${virq}`);
    yield* irq_free_descs(virq, nr_irqs);
    return -ENOMEM;
  }

  yield* mutex_lock(kernel.irq_domain_mutex);
  let ret = yield* irq_domain_alloc_irqs_hierarchy(domain, virq, nr_irqs, arg);
  for (let i = 0; has('trim-hierarchy') && ret >= 0 && i < nr_irqs; i++) ret = yield* irq_domain_trim_hierarchy(virq + i);
  if (ret < 0) {
    yield* mutex_unlock(kernel.irq_domain_mutex);
    yield* irq_domain_free_irq_data(virq, nr_irqs);
    yield* irq_free_descs(virq, nr_irqs);
    return ret;
  }
  for (let i = 0; i < nr_irqs; i++) yield* irq_domain_insert_irq(virq + i);
  yield* mutex_unlock(kernel.irq_domain_mutex);
  return virq;
}

/** Inline of include/linux/irqdomain.h: any numbers, no affinity. */
export const irq_domain_alloc_irqs = (domain: irq_domain | null, nr_irqs: number, node: number, arg: unknown): Op<number> =>
  __irq_domain_alloc_irqs(domain, -1, nr_irqs, node, arg, false, null);

/** Free `nr_irqs` interrupts from `virq` on, in all their domains. Source: kernel/irq/irqdomain.c, irq_domain_free_irqs() */
export function* irq_domain_free_irqs(virq: number, nr_irqs: number): Op {
  const domain = irq_get_irq_data(virq)?.domain;
  if (!domain?.ops.free) {
    WARN(true, 'NULL pointer, cannot free irq', 'kernel/irq/irqdomain.c irq_domain_free_irqs');
    return;
  }

  yield* mutex_lock(kernel.irq_domain_mutex);
  for (let i = 0; i < nr_irqs; i++) yield* irq_domain_remove_irq(virq + i);
  yield* irq_domain_free_irqs_hierarchy(domain, virq, nr_irqs);
  yield* mutex_unlock(kernel.irq_domain_mutex);

  yield* irq_domain_free_irq_data(virq, nr_irqs);
  yield* irq_free_descs(virq, nr_irqs);
}

/** For a domain's alloc: the parents'. @returns theirs, -ENOSYS for a root. Source: kernel/irq/irqdomain.c, irq_domain_alloc_irqs_parent() */
export function* irq_domain_alloc_irqs_parent(domain: irq_domain, irq_base: number, nr_irqs: number, arg: unknown): Op<number> {
  if (!domain.parent) return -ENOSYS;
  return yield* irq_domain_alloc_irqs_hierarchy(domain.parent, irq_base, nr_irqs, arg);
}

/** For a domain's free: the parents'. Source: kernel/irq/irqdomain.c, irq_domain_free_irqs_parent() */
export function* irq_domain_free_irqs_parent(domain: irq_domain, irq_base: number, nr_irqs: number): Op {
  if (domain.parent) yield* irq_domain_free_irqs_hierarchy(domain.parent, irq_base, nr_irqs);
}
