import type { Op } from '../../stepper/op';
import {
  IRQ_NOTCONNECTED, IRQF_COND_SUSPEND, IRQF_NO_SUSPEND, IRQF_NOBALANCING, IRQF_ONESHOT, IRQF_PERCPU, IRQF_PROBE_SHARED, IRQF_SHARED, IRQF_TRIGGER_MASK, irqaction,
  type irq_handler_t,
} from '../include/interrupt';
import {
  IRQ_SET_MASK_OK, IRQ_SET_MASK_OK_DONE, IRQ_SET_MASK_OK_NOCOPY, IRQ_TYPE_LEVEL_MASK, IRQ_TYPE_SENSE_MASK, IRQCHIP_ONESHOT_SAFE, IRQCHIP_SET_TYPE_MASKED,
  IRQD, IRQD_TRIGGER_MASK, irqd_clear, irqd_get_trigger_type, irqd_irq_disabled, irqd_irq_inprogress, irqd_irq_masked, irqd_set, irqd_set_trigger_type,
  irqd_trigger_type_was_set, type irq_data, type irqchip_irq_state,
} from '../include/irq';
import { IRQS, type irq_desc } from '../include/irqdesc';
import { EBUSY, EINVAL, ENOMEM, ENOSYS, ENOTCONN } from '../lib/errno';
import { cpu_relax, cpu_relax_until, mutex_lock, mutex_unlock, raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, raw_spinlock } from '../lib/locking';
import { pr_debug, pr_err, pr_warn, WARN, WARN_ON, WARN_ON_ONCE } from '../lib/printk';
import { kzalloc } from '../lib/slab';
import { kernel } from '../world';
import { IRQ_RESEND, IRQ_START_COND, IRQ_START_FORCE, irq_activate, irq_chip_pm_get, irq_chip_pm_put, irq_disable, irq_shutdown, irq_startup, mask_irq, unmask_irq } from './chip';
import { no_irq_chip } from './dummychip';
import { chip_bus_lock, chip_bus_sync_unlock, IRQ_GET_DESC_CHECK_GLOBAL, irq_get_desc_buslock, irq_put_desc_busunlock, irq_to_desc } from './irqdesc';
import { irq_domain_deactivate_irq } from './irqdomain';
import { irq_pm_install_action, irq_pm_remove_action } from './pm';
import { register_handler_proc, register_irq_proc, unregister_handler_proc } from './proc';
import * as settings from './settings';
import { free_thread_mask, irq_default_primary_handler, setup_irq_threads, stop_irq_threads } from './thread';

// The affinity part of kernel/irq/manage.c stands in a file of its own; who calls it need not know.
export * from './setaffinity';

export const manage_globals = () => ({
  /** statics of irq_setup_affinity() and irq_do_set_affinity() */
  mask_lock: new raw_spinlock('mask_lock'),
  tmp_mask_lock: new raw_spinlock('tmp_mask_lock'),
});

function* __synchronize_hardirq(desc: irq_desc, sync_chip: boolean): Op {
  const on = `irq ${desc.irq_data.irq} in progress`;
  for (;;) {
    yield* cpu_relax_until(on, () => !irqd_irq_inprogress(desc.irq_data));

    const flags = yield* raw_spin_lock_irqsave(desc.lock);
    let inprogress = irqd_irq_inprogress(desc.irq_data);
    if (!inprogress && sync_chip) inprogress = (yield* __irq_get_irqchip_state(desc.irq_data, 'active')) === true;
    yield* raw_spin_unlock_irqrestore(desc.lock, flags);
    if (!inprogress) return;
    yield* cpu_relax();
  }
}

/** Wait until no handler of `irq` runs, and none is on its way in the chip. Source: kernel/irq/manage.c, synchronize_irq() */
export function* synchronize_irq(irq: number): Op {
  const desc = irq_to_desc(irq);
  if (!desc) return;
  yield* __synchronize_hardirq(desc, true);
  // then the threads
  yield* cpu_relax_until(`threads of irq ${irq}`, () => desc.threads_active === 0);
}

/** desc->lock and bus lock are held. */
export function* __disable_irq(desc: irq_desc): Op {
  if (desc.depth++ === 0) yield* irq_disable(desc);
}

function* __disable_irq_nosync(irq: number): Op<number> {
  const held = yield* irq_get_desc_buslock(irq, IRQ_GET_DESC_CHECK_GLOBAL);
  if (!held) return -EINVAL;
  yield* __disable_irq(held.desc);
  yield* irq_put_desc_busunlock(held);
  return 0;
}

/** Keep `irq` from coming; a handler may still run. Nests. Source: kernel/irq/manage.c, disable_irq_nosync() */
export function* disable_irq_nosync(irq: number): Op {
  yield* __disable_irq_nosync(irq);
}

/** Keep `irq` from coming, and wait for a handler that runs; nests. Source: kernel/irq/manage.c, disable_irq() */
export function* disable_irq(irq: number): Op {
  if ((yield* __disable_irq_nosync(irq)) === 0) yield* synchronize_irq(irq);
}

export function* __enable_irq(desc: irq_desc): Op {
  if (desc.depth === 0 || (desc.depth === 1 && desc.istate & IRQS.SUSPENDED)) {
    WARN(true, `Unbalanced enable for IRQ ${desc.irq_data.irq}`, 'kernel/irq/manage.c __enable_irq');
    return;
  }
  if (desc.depth > 1) {
    desc.depth--;
    return;
  }
  settings.irq_settings_set_noprobe(desc);
  // not irq_enable(): the line may never have been started
  yield* irq_startup(desc, IRQ_RESEND, IRQ_START_FORCE);
}

/** Undo one disable_irq(). Source: kernel/irq/manage.c, enable_irq() */
export function* enable_irq(irq: number): Op {
  const held = yield* irq_get_desc_buslock(irq, IRQ_GET_DESC_CHECK_GLOBAL);
  if (!held) return;
  yield* __enable_irq(held.desc);
  yield* irq_put_desc_busunlock(held);
}

/** Tell the chip edge or level; one that has no choice is content. @param flags IRQ_TYPE_* @returns 0 or the chip's errno. Source: kernel/irq/manage.c, __irq_set_trigger() */
export function* __irq_set_trigger(desc: irq_desc, flags: number): Op<number> {
  const { chip } = desc.irq_data;
  const { irq } = desc.irq_data;
  if (!chip.irq_set_type) {
    pr_debug(`genirq: No set_type function for IRQ ${irq} (${chip.name})`);
    return 0;
  }

  let unmask = false;
  if (chip.flags & IRQCHIP_SET_TYPE_MASKED) {
    if (!irqd_irq_masked(desc.irq_data)) yield* mask_irq(desc);
    unmask = !irqd_irq_disabled(desc.irq_data);
  }

  flags &= IRQ_TYPE_SENSE_MASK;
  let ret = yield* chip.irq_set_type(desc.irq_data, flags);
  if (ret === IRQ_SET_MASK_OK || ret === IRQ_SET_MASK_OK_DONE) {
    irqd_clear(desc.irq_data, IRQD_TRIGGER_MASK);
    irqd_set(desc.irq_data, flags);
  }
  if (ret === IRQ_SET_MASK_OK || ret === IRQ_SET_MASK_OK_DONE || ret === IRQ_SET_MASK_OK_NOCOPY) {
    flags = irqd_get_trigger_type(desc.irq_data);
    settings.irq_settings_set_trigger_mask(desc, flags);
    irqd_clear(desc.irq_data, IRQD.LEVEL);
    settings.irq_settings_clr_level(desc);
    if (flags & IRQ_TYPE_LEVEL_MASK) {
      settings.irq_settings_set_level(desc);
      irqd_set(desc.irq_data, IRQD.LEVEL);
    }
    ret = 0;
  } else {
    pr_err(`genirq: Setting trigger mode ${flags} for irq ${irq} failed (${chip.irq_set_type.name})`);
  }
  if (unmask) yield* unmask_irq(desc);
  return ret;
}

function* irq_request_resources(desc: irq_desc): Op<number> {
  const d = desc.irq_data;
  return d.chip.irq_request_resources ? yield* d.chip.irq_request_resources(d) : 0;
}

function* irq_release_resources(desc: irq_desc): Op {
  const d = desc.irq_data;
  if (d.chip.irq_release_resources) yield* d.chip.irq_release_resources(d);
}

/** Whether another action may join: both have to share, and agree on trigger, one-shot and per-CPU. */
function may_share(desc: irq_desc, old: irqaction, action: irqaction): boolean {
  if (!irqd_trigger_type_was_set(desc.irq_data)) irqd_set_trigger_type(desc.irq_data, action.flags & IRQF_TRIGGER_MASK);
  const oldtype = irqd_get_trigger_type(desc.irq_data);
  return (
    (old.flags & action.flags & IRQF_SHARED) !== 0 &&
    oldtype === (action.flags & IRQF_TRIGGER_MASK) &&
    ((old.flags ^ action.flags) & (IRQF_ONESHOT | IRQF_PERCPU)) === 0
  );
}

/**
 * Install `action`. The first one of a line activates it and starts it up.
 * @returns 0; -ENOSYS without a chip; -EBUSY where the others of the line do not agree; what resources, trigger or activation say. Source: kernel/irq/manage.c, __setup_irq()
 */
function* __setup_irq(irq: number, desc: irq_desc, action: irqaction): Op<number> {
  const { chip } = desc.irq_data;
  let ret: number;
  if (chip === no_irq_chip) return -ENOSYS;

  action.irq = irq;
  if (!(action.flags & IRQF_TRIGGER_MASK)) action.flags |= irqd_get_trigger_type(desc.irq_data);
  ret = yield* setup_irq_threads(desc, action);
  if (ret) return ret;
  if (chip.flags & IRQCHIP_ONESHOT_SAFE) action.flags &= ~IRQF_ONESHOT;

  yield* mutex_lock(desc.request_mutex);
  yield* chip_bus_lock(desc);
  if (!desc.action) {
    ret = yield* irq_request_resources(desc);
    if (ret) {
      pr_err(`genirq: Failed to request resources for ${action.name} (irq ${irq}) on irqchip ${chip.name}`);
      yield* chip_bus_sync_unlock(desc);
      yield* mutex_unlock(desc.request_mutex);
      yield* stop_irq_threads(action);
      return ret;
    }
  }
  const flags = yield* raw_spin_lock_irqsave(desc.lock);

  out_unlock: {
    const old = desc.action;
    if (old && !may_share(desc, old, action)) {
      if (!(action.flags & IRQF_PROBE_SHARED)) pr_err(`genirq: Flags mismatch irq ${irq}. ${hex8(action.flags)} (${action.name}) vs. ${hex8(old.flags)} (${old.name})`);
      ret = -EBUSY;
      break out_unlock;
    }

    if (action.flags & IRQF_ONESHOT) {
      const free = free_thread_mask(desc);
      if (free === 0) {
        ret = -EBUSY;
        break out_unlock;
      }
      action.thread_mask = free;
    } else if (action.handler === irq_default_primary_handler && !(chip.flags & IRQCHIP_ONESHOT_SAFE)) {
      // a level line would be opened again before the thread has served the device
      pr_err(`genirq: Threaded irq requested with handler=NULL and !ONESHOT for ${action.name} (irq ${irq})`);
      ret = -EINVAL;
      break out_unlock;
    }

    if (!old) {
      if (action.flags & IRQF_TRIGGER_MASK) {
        ret = yield* __irq_set_trigger(desc, action.flags & IRQF_TRIGGER_MASK);
        if (ret) break out_unlock;
      }
      ret = yield* irq_activate(desc);
      if (ret) break out_unlock;

      desc.istate &= ~(IRQS.AUTODETECT | IRQS.SPURIOUS_DISABLED | IRQS.ONESHOT | IRQS.WAITING);
      irqd_clear(desc.irq_data, IRQD.IRQ_INPROGRESS);
      if (action.flags & IRQF_PERCPU) {
        irqd_set(desc.irq_data, IRQD.PER_CPU);
        settings.irq_settings_set_per_cpu(desc);
      }
      if (action.flags & IRQF_ONESHOT) desc.istate |= IRQS.ONESHOT;
      if (action.flags & IRQF_NOBALANCING) {
        settings.irq_settings_set_no_balancing(desc);
        irqd_set(desc.irq_data, IRQD.NO_BALANCING);
      }
      if (settings.irq_settings_can_autoenable(desc)) {
        yield* irq_startup(desc, IRQ_RESEND, IRQ_START_COND);
      } else {
        WARN_ON_ONCE((action.flags & IRQF_SHARED) !== 0, 'kernel/irq/manage.c __setup_irq');
        desc.depth = 1;
      }
    } else if (action.flags & IRQF_TRIGGER_MASK) {
      const nmsk = action.flags & IRQF_TRIGGER_MASK;
      const omsk = irqd_get_trigger_type(desc.irq_data);
      if (nmsk !== omsk) pr_warn(`genirq: irq ${irq} uses trigger mode ${omsk}; requested ${nmsk}`);
    }

    append_action(desc, action);
    yield* irq_pm_install_action(desc, action);
    desc.irq_count = 0;
    desc.irqs_unhandled = 0;
    // nobody cared before: the new one may
    if (old && desc.istate & IRQS.SPURIOUS_DISABLED) {
      desc.istate &= ~IRQS.SPURIOUS_DISABLED;
      yield* __enable_irq(desc);
    }
    yield* raw_spin_unlock_irqrestore(desc.lock, flags);
    yield* chip_bus_sync_unlock(desc);
    yield* mutex_unlock(desc.request_mutex);

    yield* register_irq_proc(irq, desc);
    yield* register_handler_proc(irq, action);
    return 0;
  }
  yield* raw_spin_unlock_irqrestore(desc.lock, flags);
  if (!desc.action) yield* irq_release_resources(desc);
  yield* chip_bus_sync_unlock(desc);
  yield* mutex_unlock(desc.request_mutex);
  yield* stop_irq_threads(action);
  return ret;
}

const hex8 = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');

function append_action(desc: irq_desc, action: irqaction): void {
  let last = desc.action;
  if (!last) {
    desc.action = action;
    return;
  }
  while (last.next) last = last.next;
  last.next = action;
}

/** Take the action with `dev_id` out of the list. @returns it, or null */
function unlink_action(desc: irq_desc, dev_id: unknown): irqaction | null {
  let before: irqaction | null = null;
  let action = desc.action;
  while (action && action.dev_id !== dev_id) {
    before = action;
    action = action.next;
  }
  if (!action) return null;
  if (before) before.next = action.next;
  else desc.action = action.next;
  return action;
}

/** @returns the action, out of the line; null with a warning when `dev_id` has none. Source: kernel/irq/manage.c, __free_irq() */
function* __free_irq(desc: irq_desc, dev_id: unknown): Op<irqaction | null> {
  const where = 'kernel/irq/manage.c __free_irq';
  const { irq } = desc.irq_data;
  WARN(kernel.cpus[kernel.this_cpu].hardirq_count > 0, `Trying to free IRQ ${irq} from IRQ context!`, where);

  yield* mutex_lock(desc.request_mutex);
  yield* chip_bus_lock(desc);
  let flags = yield* raw_spin_lock_irqsave(desc.lock);

  const action = unlink_action(desc, dev_id);
  if (!action) {
    WARN(true, `Trying to free already-free IRQ ${irq}`, where);
    yield* raw_spin_unlock_irqrestore(desc.lock, flags);
    yield* chip_bus_sync_unlock(desc);
    yield* mutex_unlock(desc.request_mutex);
    return null;
  }
  yield* irq_pm_remove_action(desc, action);

  if (!desc.action) {
    settings.irq_settings_clr_disable_unlazy(desc);
    yield* irq_shutdown(desc);
  }
  if (WARN_ON_ONCE(desc.affinity_hint !== null, where)) desc.affinity_hint = null;
  yield* raw_spin_unlock_irqrestore(desc.lock, flags);
  // the mutex stays: nobody may request it again before it is deactivated
  yield* chip_bus_sync_unlock(desc);

  yield* unregister_handler_proc(irq, action);
  yield* __synchronize_hardirq(desc, true);

  yield* stop_irq_threads(action);

  if (!desc.action) {
    yield* chip_bus_lock(desc);
    flags = yield* raw_spin_lock_irqsave(desc.lock);
    yield* irq_domain_deactivate_irq(desc.irq_data);
    yield* raw_spin_unlock_irqrestore(desc.lock, flags);
    yield* irq_release_resources(desc);
    yield* chip_bus_sync_unlock(desc);
  }
  yield* mutex_unlock(desc.request_mutex);
  yield* irq_chip_pm_put(desc.irq_data);
  return action;
}

/** @returns the name it was requested by, null when there was nothing to free. Source: kernel/irq/manage.c, free_irq() */
export function* free_irq(irq: number, dev_id: unknown): Op<string | null> {
  const desc = irq_to_desc(irq);
  if (!desc || WARN_ON(settings.irq_settings_is_per_cpu_devid(desc), 'kernel/irq/manage.c free_irq')) return null;
  const action = yield* __free_irq(desc, dev_id);
  return action ? action.name : null;
}

/**
 * Install a handler, and let the interrupt come with the first one.
 * @param handler null: the thread does it all @param thread_fn runs in a thread of its own when the handler asks for it
 * @returns 0; -ENOTCONN for a line that is not wired; -EINVAL for flags that contradict, no line, no handler or one that may not be requested; what __setup_irq() says. Source: kernel/irq/manage.c, request_threaded_irq()
 */
export function* request_threaded_irq(
  irq: number, handler: irq_handler_t | null, thread_fn: irq_handler_t | null, irqflags: number, devname: string, dev_id: unknown,
): Op<number> {
  if (irq === IRQ_NOTCONNECTED) return -ENOTCONN;

  const suspend = irqflags & (IRQF_NO_SUSPEND | IRQF_COND_SUSPEND);
  if (irqflags & IRQF_SHARED && (dev_id === null || dev_id === undefined)) return -EINVAL;
  if (!(irqflags & IRQF_SHARED) && irqflags & IRQF_COND_SUSPEND) return -EINVAL;
  if (suspend === (IRQF_NO_SUSPEND | IRQF_COND_SUSPEND)) return -EINVAL;

  const desc = irq_to_desc(irq);
  if (!desc) return -EINVAL;
  if (!settings.irq_settings_can_request(desc)) return -EINVAL;
  if (WARN_ON(settings.irq_settings_is_per_cpu_devid(desc), 'kernel/irq/manage.c request_threaded_irq')) return -EINVAL;
  if (!handler && !thread_fn) return -EINVAL;

  const action = kzalloc('request_threaded_irq: struct irqaction', () => new irqaction(handler ?? irq_default_primary_handler, dev_id, devname, irqflags, irq));
  if (!action) return -ENOMEM;
  action.thread_fn = thread_fn;
  let retval = yield* irq_chip_pm_get(desc.irq_data);
  if (retval < 0) return retval;
  retval = yield* __setup_irq(irq, desc, action);
  if (retval) yield* irq_chip_pm_put(desc.irq_data);
  return retval;
}

/** Inline of include/linux/interrupt.h. */
export const request_irq = (irq: number, handler: irq_handler_t | null, flags: number, name: string, dev: unknown): Op<number> =>
  request_threaded_irq(irq, handler, null, flags, name, dev);

/** Ask the first chip that knows. @returns the state, or -EINVAL when none does. Source: kernel/irq/manage.c, __irq_get_irqchip_state() */
export function* __irq_get_irqchip_state(data: irq_data, which: irqchip_irq_state): Op<boolean | number> {
  for (let pos: irq_data | null = data; pos; pos = pos.parent_data) {
    if (pos.chip.irq_get_irqchip_state) return yield* pos.chip.irq_get_irqchip_state(pos, which);
  }
  return -EINVAL;
}

export function* irq_get_irqchip_state(irq: number, which: irqchip_irq_state): Op<boolean | number> {
  const held = yield* irq_get_desc_buslock(irq, 0);
  if (!held) return -EINVAL;
  const state = yield* __irq_get_irqchip_state(held.desc.irq_data, which);
  yield* irq_put_desc_busunlock(held);
  return state;
}
