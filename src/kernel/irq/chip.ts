import type { Op } from '../../stepper/op';
import { irqaction, IRQ_NONE } from '../include/interrupt';
import {
  IRQ_NOAUTOEN, IRQ_TYPE_NONE, IRQCHIP_AFFINITY_PRE_STARTUP, IRQD, IRQD_TRIGGER_MASK, irq_data_get_affinity_mask, irqd_affinity_is_managed, irqd_clear,
  irqd_clr_managed_shutdown, irqd_get_trigger_type, irqd_irq_disabled, irqd_irq_masked, irqd_is_activated, irqd_is_started, irqd_set,
  irqd_set_managed_shutdown, type irq_chip, type irq_data,
} from '../include/irq';
import type { irq_desc, irq_flow_handler } from '../include/irqdesc';
import type { msi_desc, msi_msg } from '../include/msi';
import type { cpumask } from '../lib/cpumask';
import { EINVAL, ENOSYS } from '../lib/errno';
import { WARN_ON, WARN_ON_ONCE, WARN_ONCE } from '../lib/printk';
import { has, kernel } from '../world';
import { no_irq_chip } from './dummychip';
import { handle_bad_irq } from './handle';
import { IRQ_GET_DESC_CHECK_GLOBAL, irq_get_desc_buslock, irq_get_desc_lock, irq_put_desc_busunlock, irq_put_desc_unlock } from './irqdesc';
import { irq_domain_activate_irq, irq_domain_deactivate_irq } from './irqdomain';
import { __irq_set_trigger, irq_do_set_affinity, irq_setup_affinity } from './manage';
import { check_irq_resend } from './resend';
import * as settings from './settings';

// kernel/irq/chip.c is three files here; who calls it need not know.
export * from './flow';
export * from './hierarchy';

/** What irq_startup() is told. */
export const IRQ_RESEND = true;
/** the caller says that it must start, whatever the affinity */
export const IRQ_START_FORCE = true;
export const IRQ_START_COND = false;

function* bad_chained_irq(irq: number): Op<number> {
  WARN_ONCE(true, `Chained irq ${irq} should not call an action`, 'kernel/irq/chip.c bad_chained_irq');
  return IRQ_NONE;
}

/** @returns 0 or -EINVAL without a descriptor. Source: kernel/irq/chip.c, irq_set_chip() */
export function* irq_set_chip(irq: number, chip: irq_chip | null): Op<number> {
  const held = yield* irq_get_desc_lock(irq, 0);
  if (!held) return -EINVAL;
  held.desc.irq_data.chip = chip ?? no_irq_chip;
  yield* irq_put_desc_unlock(held);
  return 0;
}

/** What the flow handler finds in irq_common_data.handler_data. @returns 0, or -EINVAL without a descriptor. Source: kernel/irq/chip.c, irq_set_handler_data() */
export function* irq_set_handler_data(irq: number, data: unknown): Op<number> {
  const held = yield* irq_get_desc_lock(irq, 0);
  if (!held) return -EINVAL;
  held.desc.irq_common_data.handler_data = data;
  yield* irq_put_desc_unlock(held);
  return 0;
}

/** Interrupt `irq_base + irq_offset` is one of `entry`'s; the first one is written into it. @returns 0 or -EINVAL. Source: kernel/irq/chip.c, irq_set_msi_desc_off() */
export function* irq_set_msi_desc_off(irq_base: number, irq_offset: number, entry: msi_desc | null): Op<number> {
  const held = yield* irq_get_desc_lock(irq_base + irq_offset, IRQ_GET_DESC_CHECK_GLOBAL);
  if (!held) return -EINVAL;
  held.desc.irq_common_data.msi_desc = entry;
  if (entry && irq_offset === 0) entry.irq = irq_base;
  yield* irq_put_desc_unlock(held);
  return 0;
}

/** What the outermost level's chip finds in irq_data.chip_data. @returns 0, or -EINVAL without a descriptor. Source: kernel/irq/chip.c, irq_set_chip_data() */
export function* irq_set_chip_data(irq: number, data: unknown): Op<number> {
  const held = yield* irq_get_desc_lock(irq, 0);
  if (!held) return -EINVAL;
  held.desc.irq_data.chip_data = data;
  yield* irq_put_desc_unlock(held);
  return 0;
}

export const irq_state_set_disabled = (desc: irq_desc): void => irqd_set(desc.irq_data, IRQD.IRQ_DISABLED);
const irq_state_clr_disabled = (desc: irq_desc): void => irqd_clear(desc.irq_data, IRQD.IRQ_DISABLED);
export const irq_state_set_masked = (desc: irq_desc): void => irqd_set(desc.irq_data, IRQD.IRQ_MASKED);
const irq_state_clr_masked = (desc: irq_desc): void => irqd_clear(desc.irq_data, IRQD.IRQ_MASKED);
const irq_state_set_started = (desc: irq_desc): void => irqd_set(desc.irq_data, IRQD.IRQ_STARTED);
const irq_state_clr_started = (desc: irq_desc): void => irqd_clear(desc.irq_data, IRQD.IRQ_STARTED);

type startup_kind = 'IRQ_STARTUP_NORMAL' | 'IRQ_STARTUP_MANAGED' | 'IRQ_STARTUP_ABORT';

/** A managed interrupt starts only where one of its CPUs is online, and gets its vector only now. */
function* __irq_startup_managed(desc: irq_desc, aff: cpumask, force: boolean): Op<startup_kind> {
  const d = desc.irq_data;
  if (!irqd_affinity_is_managed(d)) return 'IRQ_STARTUP_NORMAL';

  irqd_clr_managed_shutdown(d);
  if (!aff.intersects(kernel.cpu_online_mask)) {
    WARN_ON_ONCE(force, 'kernel/irq/chip.c __irq_startup_managed');
    return 'IRQ_STARTUP_ABORT';
  }
  if (WARN_ON((yield* irq_domain_activate_irq(d, false)) !== 0, 'kernel/irq/chip.c __irq_startup_managed')) return 'IRQ_STARTUP_ABORT';
  return 'IRQ_STARTUP_MANAGED';
}

function* __irq_startup(desc: irq_desc): Op<number> {
  const d = desc.irq_data;
  let ret = 0;
  WARN_ON_ONCE(!irqd_is_activated(d), 'kernel/irq/chip.c __irq_startup');

  if (d.chip.irq_startup) {
    ret = yield* d.chip.irq_startup(d);
    irq_state_clr_disabled(desc);
    irq_state_clr_masked(desc);
  } else {
    yield* irq_enable(desc);
  }
  irq_state_set_started(desc);
  return ret;
}

/**
 * Let the interrupt come: enable it, or start it up for the first time.
 * @param resend what came while it was off is raised again @param force for a managed one without an online CPU: warn
 * @returns what the chip's irq_startup says, else 0, also when a managed one stays down. Source: kernel/irq/chip.c, irq_startup()
 */
export function* irq_startup(desc: irq_desc, resend: boolean, force: boolean): Op<number> {
  const d = desc.irq_data;
  const aff = irq_data_get_affinity_mask(d);
  let ret = 0;
  desc.depth = 0;

  if (irqd_is_started(d)) {
    yield* irq_enable(desc);
  } else {
    switch (yield* __irq_startup_managed(desc, aff, force)) {
      case 'IRQ_STARTUP_NORMAL': {
        const affinity_first = has('affinity-pre-startup') && (d.chip.flags & IRQCHIP_AFFINITY_PRE_STARTUP) !== 0;
        if (affinity_first) yield* irq_setup_affinity(desc);
        ret = yield* __irq_startup(desc);
        if (!affinity_first) yield* irq_setup_affinity(desc);
        break;
      }
      case 'IRQ_STARTUP_MANAGED':
        yield* irq_do_set_affinity(d, aff, false);
        ret = yield* __irq_startup(desc);
        break;
      case 'IRQ_STARTUP_ABORT':
        irqd_set_managed_shutdown(d);
        return 0;
    }
  }
  if (resend) yield* check_irq_resend(desc, false);
  return ret;
}

/** Activate for a request; a managed interrupt waits for its startup. @returns 0 or an errno. Source: kernel/irq/chip.c, irq_activate() */
export function* irq_activate(desc: irq_desc): Op<number> {
  if (irqd_affinity_is_managed(desc.irq_data)) return 0;
  return yield* irq_domain_activate_irq(desc.irq_data, false);
}

export function* irq_activate_and_startup(desc: irq_desc, resend: boolean): Op<number> {
  if (WARN_ON((yield* irq_activate(desc)) !== 0, 'kernel/irq/chip.c irq_activate_and_startup')) return 0;
  return yield* irq_startup(desc, resend, IRQ_START_FORCE);
}

export function* irq_shutdown(desc: irq_desc): Op {
  if (!irqd_is_started(desc.irq_data)) return;
  desc.depth = 1;
  if (desc.irq_data.chip.irq_shutdown) {
    yield* desc.irq_data.chip.irq_shutdown(desc.irq_data);
    irq_state_set_disabled(desc);
    irq_state_set_masked(desc);
  } else {
    yield* __irq_disable(desc, true);
  }
  irq_state_clr_started(desc);
}

export function* irq_shutdown_and_deactivate(desc: irq_desc): Op {
  yield* irq_shutdown(desc);
  yield* irq_domain_deactivate_irq(desc.irq_data);
}

export function* irq_enable(desc: irq_desc): Op {
  if (!irqd_irq_disabled(desc.irq_data)) {
    yield* unmask_irq(desc);
    return;
  }
  irq_state_clr_disabled(desc);
  if (desc.irq_data.chip.irq_enable) {
    yield* desc.irq_data.chip.irq_enable(desc.irq_data);
    irq_state_clr_masked(desc);
  } else {
    yield* unmask_irq(desc);
  }
}

function* __irq_disable(desc: irq_desc, mask: boolean): Op {
  if (irqd_irq_disabled(desc.irq_data)) {
    if (mask) yield* mask_irq(desc);
    return;
  }
  irq_state_set_disabled(desc);
  if (desc.irq_data.chip.irq_disable) {
    yield* desc.irq_data.chip.irq_disable(desc.irq_data);
    irq_state_set_masked(desc);
  } else if (mask) {
    yield* mask_irq(desc);
  }
}

/** Lazy: without IRQ_DISABLE_UNLAZY the hardware stays unmasked until an interrupt comes. Source: kernel/irq/chip.c, irq_disable() */
export function* irq_disable(desc: irq_desc): Op {
  yield* __irq_disable(desc, settings.irq_settings_disable_unlazy(desc));
}

export function* mask_ack_irq(desc: irq_desc): Op {
  if (desc.irq_data.chip.irq_mask_ack) {
    yield* desc.irq_data.chip.irq_mask_ack(desc.irq_data);
    irq_state_set_masked(desc);
    return;
  }
  yield* mask_irq(desc);
  if (desc.irq_data.chip.irq_ack) yield* desc.irq_data.chip.irq_ack(desc.irq_data);
}

export function* mask_irq(desc: irq_desc): Op {
  if (irqd_irq_masked(desc.irq_data)) return;
  if (desc.irq_data.chip.irq_mask) {
    yield* desc.irq_data.chip.irq_mask(desc.irq_data);
    irq_state_set_masked(desc);
  }
}

export function* unmask_irq(desc: irq_desc): Op {
  if (!irqd_irq_masked(desc.irq_data)) return;
  if (desc.irq_data.chip.irq_unmask) {
    yield* desc.irq_data.chip.irq_unmask(desc.irq_data);
    irq_state_clr_masked(desc);
  }
}

/** Its flow handler is a demultiplexer's. Source: kernel/irq/internals.h, irq_desc_is_chained() */
export const irq_desc_is_chained = ({ action }: irq_desc): boolean => action?.handler === bad_chained_irq;

/** @param handle null: handle_bad_irq(), and the line is shut */
function* __irq_do_set_handler(desc: irq_desc, handle: irq_flow_handler | null, is_chained: boolean, name: string | null): Op {
  const where = 'kernel/irq/chip.c __irq_do_set_handler';
  if (handle) {
    // the outermost level may have no chip yet while a parent has: fine, unless the handler is to start at once
    let data: irq_data | null = desc.irq_data;
    while (data && data.chip === no_irq_chip) {
      if (WARN_ON(is_chained, where)) return;
      data = data.parent_data;
    }
    if (WARN_ON(!data, where)) return;
  }
  handle ??= handle_bad_irq;

  if (handle === handle_bad_irq) {
    if (desc.irq_data.chip !== no_irq_chip) yield* mask_ack_irq(desc);
    irq_state_set_disabled(desc);
    if (is_chained) desc.action = null;
    desc.depth = 1;
  }
  desc.handle_irq = handle;
  desc.name = name;

  if (handle !== handle_bad_irq && is_chained) {
    const type = irqd_get_trigger_type(desc.irq_data);
    if (type !== IRQ_TYPE_NONE) {
      yield* __irq_set_trigger(desc, type);
      desc.handle_irq = handle;
    }
    settings.irq_settings_set_noprobe(desc);
    settings.irq_settings_set_norequest(desc);
    settings.irq_settings_set_nothread(desc);
    // a structure without a name, which is printed so
    desc.action = new irqaction(bad_chained_irq, null, '(null)', 0, desc.irq_data.irq);
    yield* irq_activate_and_startup(desc, IRQ_RESEND);
  }
}

/** Source: kernel/irq/chip.c, __irq_set_handler() */
export function* __irq_set_handler(irq: number, handle: irq_flow_handler | null, is_chained: boolean, name: string | null): Op {
  const held = yield* irq_get_desc_buslock(irq, 0);
  if (!held) return;
  yield* __irq_do_set_handler(held.desc, handle, is_chained, name);
  yield* irq_put_desc_busunlock(held);
}

export function* irq_set_chip_and_handler_name(irq: number, chip: irq_chip | null, handle: irq_flow_handler | null, name: string | null): Op {
  yield* irq_set_chip(irq, chip);
  yield* __irq_set_handler(irq, handle, false, name);
}

/** Change IRQ_* bits of a line; those that have a twin among the IRQD bits change it too. Source: kernel/irq/chip.c, irq_modify_status() */
export function* irq_modify_status(irq: number, clr: number, set: number): Op {
  const held = yield* irq_get_desc_lock(irq, 0);
  if (!held) return;
  const { desc } = held;
  const d = desc.irq_data;

  WARN_ON_ONCE(desc.depth === 0 && (set & IRQ_NOAUTOEN) !== 0, 'kernel/irq/chip.c irq_modify_status');
  settings.irq_settings_clr_and_set(desc, clr, set);

  let trigger = irqd_get_trigger_type(d);
  irqd_clear(d, IRQD.NO_BALANCING | IRQD.PER_CPU | IRQD_TRIGGER_MASK | IRQD.LEVEL | IRQD.MOVE_PCNTXT);
  if (settings.irq_settings_has_no_balance_set(desc)) irqd_set(d, IRQD.NO_BALANCING);
  if (settings.irq_settings_is_per_cpu(desc)) irqd_set(d, IRQD.PER_CPU);
  if (settings.irq_settings_can_move_pcntxt(desc)) irqd_set(d, IRQD.MOVE_PCNTXT);
  if (settings.irq_settings_is_level(desc)) irqd_set(d, IRQD.LEVEL);

  const wanted = settings.irq_settings_get_trigger_mask(desc);
  if (wanted !== IRQ_TYPE_NONE) trigger = wanted;
  irqd_set(d, trigger);
  yield* irq_put_desc_unlock(held);
}

/** Inlines of include/linux/irq.h. */
export const irq_set_status_flags = (irq: number, set: number): Op => irq_modify_status(irq, 0, set);
/** @param clr IRQ_* flags. Source: include/linux/irq.h */
export const irq_clear_status_flags = (irq: number, clr: number): Op => irq_modify_status(irq, clr, 0);

/** The message that raises the interrupt, by the outermost chip that can say it; before v2-04 by the innermost. @returns 0 or -ENOSYS for none. Source: kernel/irq/chip.c, irq_chip_compose_msi_msg() */
export function* irq_chip_compose_msi_msg(data: irq_data, msg: msi_msg): Op<number> {
  let pos: irq_data | null = null;
  for (let level: irq_data | null = data; level; level = level.parent_data) {
    if (!level.chip.irq_compose_msi_msg) continue;
    pos = level;
    if (has('v2-04')) break;
  }
  if (!pos) return -ENOSYS;

  yield* pos.chip.irq_compose_msi_msg!(pos, msg);
  return 0;
}

/** Power up the chip's device; no x86 chip has one. @returns 0. Source: kernel/irq/chip.c, irq_chip_pm_get() */
export function* irq_chip_pm_get(data: irq_data): Op<number> {
  return 0;
}

export function* irq_chip_pm_put(data: irq_data): Op<number> {
  return 0;
}
