import type { Op } from '../../stepper/op';
import { IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IRQF_NO_THREAD, IRQF_ONESHOT, IRQF_PERCPU, irqaction, IRQTF } from '../include/interrupt';
import { irqd_irq_disabled, irqd_irq_inprogress, irqd_irq_masked, IRQCHIP_EOI_THREADED } from '../include/irq';
import { IRQS, type irq_desc } from '../include/irqdesc';
import { cpu_relax_until, local_irq_restore, local_irq_save, raw_spin_lock_irq, raw_spin_lock_irqsave, raw_spin_unlock_irq, raw_spin_unlock_irqrestore } from '../lib/locking';
import { EINVAL, ENOMEM } from '../lib/errno';
import { WARN, WARN_ON_ONCE } from '../lib/printk';
import { kzalloc, should_fail } from '../lib/slab';
import { has, kernel, spawn } from '../world';
import { unmask_irq } from './chip';
import { chip_bus_lock, chip_bus_sync_unlock, irq_to_desc } from './irqdesc';
import { irq_settings_can_thread, irq_settings_is_nested_thread } from './settings';

// Interrupt threads: this part of kernel/irq/manage.c and handle.c. A thread that waits is no task here; one that is woken is.

/** The kernel's name of a task has room for so much. */
const TASK_COMM_LEN = 16;

/** The handler of those who give none. Source: kernel/irq/manage.c, irq_default_primary_handler() */
export function* irq_default_primary_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_WAKE_THREAD;
}

/** Source: kernel/irq/manage.c, irq_nested_primary_handler() */
function* irq_nested_primary_handler(irq: number, _dev_id: unknown): Op<number> {
  WARN(true, `Primary handler called for nested irq ${irq}`, 'kernel/irq/manage.c irq_nested_primary_handler');
  return IRQ_NONE;
}

/** Source: kernel/irq/manage.c, irq_forced_secondary_handler() */
function* irq_forced_secondary_handler(irq: number, _dev_id: unknown): Op<number> {
  WARN(true, `Secondary action handler called for irq ${irq}`, 'kernel/irq/manage.c irq_forced_secondary_handler');
  return IRQ_NONE;
}

/** With threadirqs on the command line every handler becomes a thread's. @returns 0 or -ENOMEM. Source: kernel/irq/manage.c, irq_setup_forced_threading() */
function* irq_setup_forced_threading(action: irqaction): Op<number> {
  if (!kernel.config.cmdline.includes('threadirqs')) return 0;
  if (action.flags & (IRQF_NO_THREAD | IRQF_PERCPU | IRQF_ONESHOT)) return 0;
  if (action.handler === irq_default_primary_handler) return 0;

  action.flags |= IRQF_ONESHOT;
  if (action.thread_fn) {
    const secondary = () => new irqaction(irq_forced_secondary_handler, action.dev_id, action.name, 0, action.irq);
    action.secondary = kzalloc('irq_setup_forced_threading: struct irqaction', secondary);
    if (!action.secondary) return -ENOMEM;
    action.secondary.thread_fn = action.thread_fn;
  }
  action.thread_flags |= IRQTF.FORCED_THREAD;
  action.thread_fn = action.handler;
  action.handler = irq_default_primary_handler;
  return 0;
}

/** @returns 0 or -ENOMEM. Source: kernel/irq/manage.c, setup_irq_thread() */
function* setup_irq_thread(action: irqaction, irq: number, secondary: boolean): Op<number> {
  if (should_fail('kthread_create: struct kthread_create_info')) return -ENOMEM;
  action.thread = `irq/${irq}-${secondary ? 's-' : ''}${action.name}`.slice(0, TASK_COMM_LEN - 1);
  action.thread_flags |= IRQTF.AFFINITY;
  return 0;
}

/** Threads for what runs in one; none for an interrupt that nests in another one's thread. @returns 0, -EINVAL for a nested one without a function, or -ENOMEM. Source: part of kernel/irq/manage.c, __setup_irq() */
export function* setup_irq_threads(desc: irq_desc, action: irqaction): Op<number> {
  if (irq_settings_is_nested_thread(desc)) {
    if (!action.thread_fn) return -EINVAL;
    action.handler = irq_nested_primary_handler;
    return 0;
  }
  let ret = irq_settings_can_thread(desc) ? yield* irq_setup_forced_threading(action) : 0;
  if (ret === 0 && action.thread_fn) ret = yield* setup_irq_thread(action, action.irq, false);
  if (ret === 0 && action.secondary) {
    ret = yield* setup_irq_thread(action.secondary, action.irq, true);
    if (ret) yield* stop_irq_threads(action);
  }
  return ret;
}

/** What setup_irq_threads() made: nobody has woken them yet, or nobody will any more. */
export function* stop_irq_threads(action: irqaction): Op {
  if (action.thread !== null) yield* kthread_stop(action);
  if (action.secondary?.thread) yield* kthread_stop(action.secondary);
}

/** The lowest bit that no action of the line has; 0 = none. */
export function free_thread_mask(desc: irq_desc): number {
  let taken = 0;
  for (let action = desc.action; action; action = action.next) taken |= action.thread_mask;
  return ~taken & (taken + 1);
}

/** From the hard interrupt: the line of a one-shot one stays masked until its thread is done. Source: kernel/irq/handle.c, __irq_wake_thread() */
export function* __irq_wake_thread(desc: irq_desc, action: irqaction): Op {
  if (action.thread_flags & IRQTF.RUNTHREAD) return;
  action.thread_flags |= IRQTF.RUNTHREAD;

  desc.threads_oneshot |= action.thread_mask;
  desc.threads_active++;

  if (action.thread_runs) return;
  action.thread_runs = true;
  spawn({ name: action.thread!, cpu: thread_cpu(desc), run: () => irq_thread(action) });
}

/** Where the scheduler puts the thread: on a CPU that the interrupt goes to. */
function thread_cpu(desc: irq_desc): number {
  const cpus = desc.irq_common_data.effective_affinity.and(kernel.cpu_online_mask);
  return cpus.empty ? kernel.this_cpu : cpus.first;
}

/** Wakes the thread of one of a line's actions. Source: kernel/irq/manage.c, irq_wake_thread() */
export function* irq_wake_thread(irq: number, dev_id: unknown): Op {
  const desc = irq_to_desc(irq);
  if (!desc) return;
  const flags = yield* raw_spin_lock_irqsave(desc.lock);
  for (let action = desc.action; action; action = action.next) {
    if (action.dev_id !== dev_id) continue;
    if (action.thread !== null) yield* __irq_wake_thread(desc, action);
    break;
  }
  yield* raw_spin_unlock_irqrestore(desc.lock, flags);
}

/** @returns whether there is something to do. Source: kernel/irq/manage.c, irq_wait_for_interrupt(), as far as nobody waits */
function* irq_take_interrupt(action: irqaction): Op<boolean> {
  const woken = (action.thread_flags & IRQTF.RUNTHREAD) !== 0;
  action.thread_flags &= ~IRQTF.RUNTHREAD;
  return woken;
}

/** From the thread's waking until it sleeps again. Source: kernel/irq/manage.c, irq_thread() */
function* irq_thread(action: irqaction): Op {
  const desc = irq_to_desc(action.irq)!;

  while (yield* irq_take_interrupt(action)) {
    const forced = (action.thread_flags & IRQTF.FORCED_THREAD) !== 0;
    const action_ret = yield* (forced ? irq_forced_thread_fn(desc, action) : irq_thread_fn(desc, action));
    if (action_ret === IRQ_WAKE_THREAD) yield* irq_wake_secondary(desc, action);
    desc.threads_active--;
  }
  action.thread_runs = false;
}

/** Source: kernel/irq/manage.c, irq_forced_thread_fn() */
function* irq_forced_thread_fn(desc: irq_desc, action: irqaction): Op<number> {
  if (!has('forced-thread-irqs-off')) return yield* irq_thread_fn(desc, action);
  const flags = yield* local_irq_save();
  const ret = yield* irq_thread_fn(desc, action);
  yield* local_irq_restore(flags);
  return ret;
}

/** Source: kernel/irq/manage.c, irq_thread_fn() */
function* irq_thread_fn(desc: irq_desc, action: irqaction): Op<number> {
  const ret = yield* action.thread_fn!(action.irq, action.dev_id);
  if (ret === IRQ_HANDLED) desc.threads_handled++;
  yield* irq_finalize_oneshot(desc, action);
  return ret;
}

function* irq_wake_secondary(desc: irq_desc, action: irqaction): Op {
  const { secondary } = action;
  if (WARN_ON_ONCE(secondary === null, 'kernel/irq/manage.c irq_wake_secondary')) return;
  yield* raw_spin_lock_irq(desc.lock);
  yield* __irq_wake_thread(desc, secondary!);
  yield* raw_spin_unlock_irq(desc.lock);
}

/** The last of a line's threads opens it again, but not before the hard interrupt is over on its CPU. Source: kernel/irq/manage.c, irq_finalize_oneshot() */
function* irq_finalize_oneshot(desc: irq_desc, action: irqaction): Op {
  if (!(desc.istate & IRQS.ONESHOT) || action.handler === irq_forced_secondary_handler) return;

  for (;;) {
    yield* cpu_relax_until(`irq ${action.irq} in progress`, () => !irqd_irq_inprogress(desc.irq_data));
    yield* chip_bus_lock(desc);
    yield* raw_spin_lock_irq(desc.lock);
    // while it waited for the locks the next one may have come
    if (!irqd_irq_inprogress(desc.irq_data)) break;
    yield* raw_spin_unlock_irq(desc.lock);
    yield* chip_bus_sync_unlock(desc);
  }
  if (!(action.thread_flags & IRQTF.RUNTHREAD)) {
    desc.threads_oneshot &= ~action.thread_mask;
    if (!desc.threads_oneshot && !irqd_irq_disabled(desc.irq_data) && irqd_irq_masked(desc.irq_data)) yield* unmask_threaded_irq(desc);
  }
  yield* raw_spin_unlock_irq(desc.lock);
  yield* chip_bus_sync_unlock(desc);
}

/** Source: kernel/irq/chip.c, unmask_threaded_irq() */
function* unmask_threaded_irq(desc: irq_desc): Op {
  const { chip } = desc.irq_data;
  if (chip.flags & IRQCHIP_EOI_THREADED) yield* chip.irq_eoi!(desc.irq_data);
  yield* unmask_irq(desc);
}

/** Waits until the action's threads sleep for good. Source: kernel/kthread.c, kthread_stop(), for interrupt threads */
export function* kthread_stop(action: irqaction): Op {
  yield* cpu_relax_until(`${action.thread!} asleep`, () => !action.thread_runs);
  action.thread = null;
}
