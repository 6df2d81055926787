import type { Op } from '../../stepper/op';
import { IRQF_COND_SUSPEND, IRQF_EARLY_RESUME, IRQF_FORCE_RESUME, IRQF_NO_SUSPEND, type irqaction } from '../include/interrupt';
import { type irq_desc, IRQS } from '../include/irqdesc';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../lib/locking';
import { WARN_ON_ONCE } from '../lib/printk';
import { kernel } from '../world';
import { irq_state_set_disabled, irq_state_set_masked } from './chip';
import { __disable_irq, __enable_irq, synchronize_irq } from './manage';

// What an interrupt does while the system sleeps: kernel/irq/pm.c.

/** Count what the action wants of suspend; all of a shared line have to agree. Source: kernel/irq/pm.c, irq_pm_install_action() */
export function* irq_pm_install_action(desc: irq_desc, action: irqaction): Op {
  const where = 'kernel/irq/pm.c irq_pm_install_action';
  desc.nr_actions++;
  if (action.flags & IRQF_FORCE_RESUME) desc.force_resume_depth++;
  WARN_ON_ONCE(desc.force_resume_depth !== 0 && desc.force_resume_depth !== desc.nr_actions, where);

  if (action.flags & IRQF_NO_SUSPEND) desc.no_suspend_depth++;
  else if (action.flags & IRQF_COND_SUSPEND) desc.cond_suspend_depth++;
  WARN_ON_ONCE(desc.no_suspend_depth !== 0 && desc.no_suspend_depth + desc.cond_suspend_depth !== desc.nr_actions, where);
}

export function* irq_pm_remove_action(desc: irq_desc, action: irqaction): Op {
  desc.nr_actions--;
  if (action.flags & IRQF_FORCE_RESUME) desc.force_resume_depth--;
  if (action.flags & IRQF_NO_SUSPEND) desc.no_suspend_depth--;
  else if (action.flags & IRQF_COND_SUSPEND) desc.cond_suspend_depth--;
}

/** Nobody here wakes the system. @returns whether who handles it has to be waited for. Source: kernel/irq/pm.c, suspend_device_irq() */
function* suspend_device_irq(desc: irq_desc): Op<boolean> {
  if (!desc.action || desc.no_suspend_depth) return false;

  desc.istate |= IRQS.SUSPENDED;
  yield* __disable_irq(desc);
  return true;
}

const all_descs = (): [number, irq_desc][] => [...kernel.irq_desc_tree].sort(([a], [b]) => a - b);

/** All but those that say IRQF_NO_SUSPEND. Source: kernel/irq/pm.c, suspend_device_irqs() */
export function* suspend_device_irqs(): Op {
  for (const [irq, desc] of all_descs()) {
    const flags = yield* raw_spin_lock_irqsave(desc.lock);
    const sync = yield* suspend_device_irq(desc);
    yield* raw_spin_unlock_irqrestore(desc.lock, flags);
    if (sync) yield* synchronize_irq(irq);
  }
}

/** Source: kernel/irq/pm.c, resume_irq() */
function* resume_irq(desc: irq_desc): Op {
  if ((desc.istate & IRQS.SUSPENDED) === 0) {
    if (desc.force_resume_depth === 0) return;
    // It was left on, and is set up anew as if it had been off.
    desc.depth++;
    irq_state_set_disabled(desc);
    irq_state_set_masked(desc);
  }
  desc.istate &= ~IRQS.SUSPENDED;
  yield* __enable_irq(desc);
}

/** @param want_early only those with IRQF_EARLY_RESUME. Source: kernel/irq/pm.c, resume_irqs() */
function* resume_irqs(want_early: boolean): Op {
  for (const [, desc] of all_descs()) {
    const is_early = desc.action !== null && (desc.action.flags & IRQF_EARLY_RESUME) !== 0;
    if (!is_early && want_early) continue;
    const flags = yield* raw_spin_lock_irqsave(desc.lock);
    yield* resume_irq(desc);
    yield* raw_spin_unlock_irqrestore(desc.lock, flags);
  }
}

/** While interrupts are still off. Source: kernel/irq/pm.c, irq_pm_syscore_resume() */
export function* irq_pm_syscore_resume(): Op {
  yield* resume_irqs(true);
}

/** Source: kernel/irq/pm.c, resume_device_irqs() */
export function* resume_device_irqs(): Op {
  yield* resume_irqs(false);
}
