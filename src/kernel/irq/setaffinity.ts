import type { Op } from '../../stepper/op';
import { IRQTF } from '../include/interrupt';
import {
  IRQ_SET_MASK_OK, IRQ_SET_MASK_OK_DONE, IRQ_SET_MASK_OK_NOCOPY, IRQD, irq_data_get_effective_affinity_mask, irq_data_update_effective_affinity,
  irqd_affinity_is_managed, irqd_affinity_on_activate, irqd_can_balance, irqd_can_move_in_process_context, irqd_clear, irqd_has_set, irqd_is_activated,
  irqd_is_setaffinity_pending, irqd_set, irqd_set_move_pending, type irq_data,
} from '../include/irq';
import type { irq_desc } from '../include/irqdesc';
import { cpumask_of_node, NUMA_NO_NODE } from '../include/topology';
import type { cpumask } from '../lib/cpumask';
import { EBUSY, EINVAL, ENOSYS } from '../lib/errno';
import { raw_spin_lock, raw_spin_lock_irqsave, raw_spin_unlock, raw_spin_unlock_irqrestore } from '../lib/locking';
import { pr_warn_once } from '../lib/printk';
import { HK_FLAG, housekeeping_cpumask, housekeeping_enabled } from '../sched/isolation';
import { has, kernel } from '../world';
import { IRQ_GET_DESC_CHECK_GLOBAL, irq_data_to_desc, irq_get_desc_buslock, irq_get_desc_lock, irq_put_desc_busunlock, irq_put_desc_unlock, irq_to_desc } from './irqdesc';

// kernel/irq/manage.c, the affinity part.


function* __irq_can_set_affinity(desc: irq_desc | null): Op<boolean> {
  return desc !== null && irqd_can_balance(desc.irq_data) && desc.irq_data.chip.irq_set_affinity !== undefined;
}

export function* irq_can_set_affinity(irq: number): Op<boolean> {
  return yield* __irq_can_set_affinity(irq_to_desc(irq));
}

/** Whether users may: not those whose affinity the kernel manages. Source: kernel/irq/manage.c, irq_can_set_affinity_usr() */
export function* irq_can_set_affinity_usr(irq: number): Op<boolean> {
  const desc = irq_to_desc(irq);
  return (yield* __irq_can_set_affinity(desc)) && !irqd_affinity_is_managed(desc!.irq_data);
}

function* irq_validate_effective_affinity(data: irq_data): Op {
  if (!irq_data_get_effective_affinity_mask(data).empty) return;
  pr_warn_once(`genirq: irq_chip ${data.chip.name} did not update eff. affinity mask of irq ${data.irq}`, 'kernel/irq/manage.c irq_validate_effective_affinity');
}

/** Threads look where they may run when they wake next. Source: kernel/irq/manage.c, irq_set_thread_affinity() */
function* irq_set_thread_affinity(desc: irq_desc): Op {
  for (let { action } = desc; action; action = action.next) if (action.thread !== null) action.thread_flags |= IRQTF.AFFINITY;
}

/**
 * Have the chip move the interrupt to `mask`; a managed one keeps off isolated CPUs as long as another of its CPUs is online.
 * @returns 0, -EINVAL without a setter, or what the chip says. Source: kernel/irq/manage.c, irq_do_set_affinity()
 */
export function* irq_do_set_affinity(data: irq_data, mask: cpumask, force: boolean): Op<number> {
  const desc = irq_data_to_desc(data);
  const { chip } = data;
  if (!chip.irq_set_affinity) return -EINVAL;

  const online_only = has('affinity-online-only');
  const isolated = irqd_affinity_is_managed(data) && (yield* housekeeping_enabled(HK_FLAG.MANAGED_IRQ));
  let prog_mask = mask;
  if (online_only || isolated) yield* raw_spin_lock(kernel.tmp_mask_lock);
  if (isolated) {
    const tmp_mask = mask.and(yield* housekeeping_cpumask(HK_FLAG.MANAGED_IRQ));
    if (tmp_mask.intersects(kernel.cpu_online_mask)) prog_mask = tmp_mask;
  }
  if (online_only) prog_mask = force ? mask : prog_mask.and(kernel.cpu_online_mask);
  const ret = online_only && prog_mask.empty ? -EINVAL : yield* chip.irq_set_affinity(data, prog_mask, force);
  if (online_only || isolated) yield* raw_spin_unlock(kernel.tmp_mask_lock);

  if (ret === IRQ_SET_MASK_OK || ret === IRQ_SET_MASK_OK_DONE) desc.irq_common_data.affinity.copyFrom(mask);
  else if (ret !== IRQ_SET_MASK_OK_NOCOPY) return ret;
  yield* irq_validate_effective_affinity(data);
  yield* irq_set_thread_affinity(desc);
  return 0;
}

/** Leave it to the next interrupt. */
function irq_set_affinity_pending(data: irq_data, dest: cpumask): number {
  irqd_set_move_pending(data);
  irq_data_to_desc(data).pending_mask.copyFrom(dest);
  return 0;
}

function* irq_try_set_affinity(data: irq_data, dest: cpumask, force: boolean): Op<number> {
  const ret = yield* irq_do_set_affinity(data, dest, force);
  return ret === -EBUSY && !force ? irq_set_affinity_pending(data, dest) : ret;
}

/** An interrupt without a vector has nothing to move: only the mask is kept for its activation. */
function* irq_set_affinity_deactivated(data: irq_data, mask: cpumask): Op<boolean> {
  if (irqd_is_activated(data) || !irqd_affinity_on_activate(data)) return false;
  irq_data_to_desc(data).irq_common_data.affinity.copyFrom(mask);
  irq_data_update_effective_affinity(data, mask);
  irqd_set(data, IRQD.AFFINITY_SET);
  return true;
}

/** desc->lock is held. Moves at once where the chip can in any context, else with the next interrupt. @returns 0, -EINVAL without a setter, or what the chip says. Source: kernel/irq/manage.c, irq_set_affinity_locked() */
export function* irq_set_affinity_locked(data: irq_data, mask: cpumask, force: boolean): Op<number> {
  if (!data.chip.irq_set_affinity) return -EINVAL;
  if (yield* irq_set_affinity_deactivated(data, mask)) return 0;

  let ret = 0;
  if (irqd_can_move_in_process_context(data) && !irqd_is_setaffinity_pending(data)) {
    ret = yield* irq_try_set_affinity(data, mask, force);
  } else {
    irq_set_affinity_pending(data, mask);
  }
  irqd_set(data, IRQD.AFFINITY_SET);
  return ret;
}

/** Source: kernel/irq/manage.c, __irq_set_affinity(); [V2 42/46] with the chip's bus lock */
export function* __irq_set_affinity(irq: number, mask: cpumask, force: boolean): Op<number> {
  if (has('v2-42')) return yield* set_affinity_buslocked(irq, mask, force);

  const desc = irq_to_desc(irq);
  if (!desc) return -EINVAL;
  const flags = yield* raw_spin_lock_irqsave(desc.lock);
  const ret = yield* irq_set_affinity_locked(desc.irq_data, mask, force);
  yield* raw_spin_unlock_irqrestore(desc.lock, flags);
  return ret;
}

function* set_affinity_buslocked(irq: number, mask: cpumask, force: boolean): Op<number> {
  const held = yield* irq_get_desc_buslock(irq, IRQ_GET_DESC_CHECK_GLOBAL);
  if (!held) return -EINVAL;
  const ret = yield* irq_set_affinity_locked(held.desc.irq_data, mask, force);
  yield* irq_put_desc_busunlock(held);
  return ret;
}

/** @returns 0, -EINVAL without line or setter, or what the chip says. Source: include/linux/interrupt.h, irq_set_affinity() */
export function* irq_set_affinity(irq: number, mask: cpumask): Op<number> {
  return yield* __irq_set_affinity(irq, mask, false);
}

/** A driver's wish, for irqbalance to read, and applied once. @param mask null: no more. @returns 0 or -EINVAL. Source: kernel/irq/manage.c, irq_set_affinity_hint() */
export function* irq_set_affinity_hint(irq: number, mask: cpumask | null): Op<number> {
  const held = yield* irq_get_desc_lock(irq, IRQ_GET_DESC_CHECK_GLOBAL);
  if (!held) return -EINVAL;
  held.desc.affinity_hint = mask;
  yield* irq_put_desc_unlock(held);
  if (mask) yield* __irq_set_affinity(irq, mask, false);
  return 0;
}

/** At startup: the affinity asked for, or the default one, as far as online, and in the device's node if that leaves any. @returns as irq_do_set_affinity(). Source: kernel/irq/manage.c, irq_setup_affinity() */
export function* irq_setup_affinity(desc: irq_desc): Op<number> {
  if (!(yield* __irq_can_set_affinity(desc))) return 0;

  yield* raw_spin_lock(kernel.mask_lock);
  const { affinity, node } = desc.irq_common_data;
  let set = kernel.irq_default_affinity;
  if (irqd_affinity_is_managed(desc.irq_data) || irqd_has_set(desc.irq_data, IRQD.AFFINITY_SET)) {
    if (affinity.intersects(kernel.cpu_online_mask)) set = affinity;
    else irqd_clear(desc.irq_data, IRQD.AFFINITY_SET);
  }

  let mask = kernel.cpu_online_mask.and(set);
  if (mask.empty) mask = kernel.cpu_online_mask.copy();
  if (node !== NUMA_NO_NODE) {
    const nodemask = cpumask_of_node(node);
    if (mask.intersects(nodemask)) mask = mask.and(nodemask);
  }
  const ret = yield* irq_do_set_affinity(desc.irq_data, mask, false);
  yield* raw_spin_unlock(kernel.mask_lock);
  return ret;
}

/** Point the interrupt at a guest's virtual CPU, by the first chip that can. @param vcpu_info null: back to the host. @returns -EINVAL without a line, -ENOSYS without a chip, else what that says. Source: kernel/irq/manage.c, irq_set_vcpu_affinity() */
export function* irq_set_vcpu_affinity(irq: number, vcpu_info: unknown): Op<number> {
  const held = yield* irq_get_desc_lock(irq, 0);
  if (!held) return -EINVAL;
  let data: irq_data | null = held.desc.irq_data;
  while (data && !data.chip.irq_set_vcpu_affinity) data = data.parent_data;
  const ret = data ? yield* data.chip.irq_set_vcpu_affinity!(data, vcpu_info) : -ENOSYS;
  yield* irq_put_desc_unlock(held);
  return ret;
}
