import type { Op } from '../../stepper/op';
import { __IRQF_TIMER, IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IRQF_IRQPOLL, IRQF_SHARED } from '../include/interrupt';
import { irqd_irq_disabled, irqd_irq_inprogress } from '../include/irq';
import { IRQS, type irq_desc } from '../include/irqdesc';
import { raw_spin_lock, raw_spin_lock_irqsave, raw_spin_unlock, raw_spin_unlock_irqrestore } from '../lib/locking';
import { pr_emerg, pr_err, pr_info, pr_warn } from '../lib/printk';
import { kernel } from '../world';
import { irq_disable } from './chip';
import { handle_irq_event } from './handle';
import { irq_settings_is_nested_thread, irq_settings_is_per_cpu, irq_settings_is_polled } from './settings';

export const spurious_globals = () => ({
  /** bogus answers of handlers still to be reported */
  report_bad_irq_count: 100,
  /** somebody asks all lines */
  irq_poll_active: false,
  /** nobody counts interrupts that nobody wants */
  noirqdebug: false,
  /** 1: look for who was meant by an interrupt that nobody wants; 2: by the timer's too */
  irqfixup: 0,
});

/** Source: kernel/irq/spurious.c, noirqdebug_setup() */
export function* noirqdebug_setup(): Op {
  kernel.noirqdebug = true;
  pr_info('IRQ lockup detection disabled');
}

/** Source: kernel/irq/spurious.c, irqfixup_setup() */
export function* irqfixup_setup(): Op {
  kernel.irqfixup = 1;
  pr_warn('Misrouted IRQ fixup support enabled.');
  pr_warn('This may impact system performance.');
}

/** Source: kernel/irq/spurious.c, irqpoll_setup() */
export function* irqpoll_setup(): Op {
  kernel.irqfixup = 2;
  pr_warn('Misrouted IRQ fixup and polling support enabled');
  pr_warn('This may significantly impact system performance');
}

const bad_action_ret = (action_ret: number): boolean => action_ret >>> 0 > (IRQ_HANDLED | IRQ_WAKE_THREAD);

function* __report_bad_irq(desc: irq_desc, action_ret: number): Op {
  const { irq } = desc.irq_data;
  if (bad_action_ret(action_ret)) pr_err(`irq event ${irq}: bogus return value ${(action_ret >>> 0).toString(16)}`);
  else pr_err(`irq ${irq}: nobody cared (try booting with the "irqpoll" option)`);

  pr_err('handlers:');
  const flags = yield* raw_spin_lock_irqsave(desc.lock);
  for (let action = desc.action; action; action = action.next) {
    const thread = action.thread_fn ? ` threaded [<(ptrval)>] ${action.thread_fn.name}` : '';
    pr_err(`[<(ptrval)>] ${action.handler.name}${thread}`);
  }
  yield* raw_spin_unlock_irqrestore(desc.lock, flags);
}

function* report_bad_irq(desc: irq_desc, action_ret: number): Op {
  if (kernel.report_bad_irq_count <= 0) return;
  kernel.report_bad_irq_count--;
  yield* __report_bad_irq(desc, action_ret);
}


/** Run the handlers of a line that others may share, as if it had come. @returns whether it was theirs. Source: kernel/irq/spurious.c, try_one_irq() */
function* try_one_irq(desc: irq_desc, force: boolean): Op<boolean> {
  let handled = false;
  yield* raw_spin_lock(desc.lock);
  out: {
    if (irq_settings_is_per_cpu(desc) || irq_settings_is_nested_thread(desc) || irq_settings_is_polled(desc)) break out;
    if (irqd_irq_disabled(desc.irq_data) && !force) break out;
    const { action } = desc;
    if (!action || !(action.flags & IRQF_SHARED) || action.flags & __IRQF_TIMER) break out;
    if (irqd_irq_inprogress(desc.irq_data)) {
      desc.istate |= IRQS.PENDING;
      break out;
    }

    desc.istate |= IRQS.POLL_INPROGRESS;
    do {
      if ((yield* handle_irq_event(desc)) === IRQ_HANDLED) handled = true;
    } while (desc.istate & IRQS.PENDING && desc.action);
    desc.istate &= ~IRQS.POLL_INPROGRESS;
  }
  yield* raw_spin_unlock(desc.lock);
  return handled;
}

/** Ask all other lines. @returns whether one of them wanted it. Source: kernel/irq/spurious.c, misrouted_irq() */
function* misrouted_irq(irq: number): Op<boolean> {
  if (kernel.irq_poll_active) return false;
  kernel.irq_poll_active = true;
  let ok = false;
  for (const [i, desc] of [...kernel.irq_desc_tree].sort(([a], [b]) => a - b)) {
    if (i === 0 || i === irq) continue;
    if (yield* try_one_irq(desc, false)) ok = true;
  }
  kernel.irq_poll_active = false;
  return ok;
}

/** Source: kernel/irq/spurious.c, try_misrouted_irq() */
function* try_misrouted_irq(irq: number, desc: irq_desc, action_ret: number): Op<boolean> {
  const fixup = kernel.irqfixup;
  if (fixup === 0) return false;
  if (action_ret === IRQ_NONE) return true;
  if (fixup < 2) return false;
  return irq === 0 || (desc.action !== null && (desc.action.flags & IRQF_IRQPOLL) !== 0);
}

/** In threads_handled_last: the thread is asked at the next interrupt. */
const SPURIOUS_DEFERRED = 0x80000000;

/** Whether an interrupt that only woke threads was anybody's tells the next one, by what they have handled since. @returns undefined: not yet known */
function* deferred_result(desc: irq_desc): Op<number | undefined> {
  if (!(desc.threads_handled_last & SPURIOUS_DEFERRED)) {
    desc.threads_handled_last |= SPURIOUS_DEFERRED;
    return undefined;
  }
  const handled = desc.threads_handled | SPURIOUS_DEFERRED;
  if (handled === desc.threads_handled_last) return IRQ_NONE;
  desc.threads_handled_last = handled;
  return IRQ_HANDLED;
}

/**
 * Count what the handlers said. Of each 100000 interrupts more than 99900 unhandled: the line is shut.
 * There is no time here: an unhandled one always follows the last within the 100 ms that the kernel asks for, and nobody polls the line later on. Source: kernel/irq/spurious.c, note_interrupt()
 */
export function* note_interrupt(desc: irq_desc, action_ret: number): Op {
  if (desc.istate & IRQS.POLL_INPROGRESS || irq_settings_is_polled(desc)) return;
  if (bad_action_ret(action_ret)) {
    yield* report_bad_irq(desc, action_ret);
    return;
  }

  if (action_ret === IRQ_WAKE_THREAD) {
    const result = yield* deferred_result(desc);
    if (result === undefined) return;
    action_ret = result;
  } else if (action_ret & IRQ_WAKE_THREAD) {
    desc.threads_handled_last &= ~SPURIOUS_DEFERRED;
  }

  if (action_ret === IRQ_NONE) desc.irqs_unhandled++;

  const { irq } = desc.irq_data;
  if (yield* try_misrouted_irq(irq, desc, action_ret)) {
    const ok = yield* misrouted_irq(irq);
    if (ok && action_ret === IRQ_NONE) desc.irqs_unhandled--;
  }

  desc.irq_count++;
  if (desc.irq_count < 100000) return;

  desc.irq_count = 0;
  if (desc.irqs_unhandled > 99900) {
    yield* __report_bad_irq(desc, action_ret);
    pr_emerg(`Disabling IRQ #${irq}`);
    desc.istate |= IRQS.SPURIOUS_DISABLED;
    desc.depth++;
    yield* irq_disable(desc);
  }
  desc.irqs_unhandled = 0;
}
