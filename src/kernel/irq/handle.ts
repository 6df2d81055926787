import type { Op } from '../../stepper/op';
import { ack_bad_irq } from '../arch/x86/irq';
import { IRQ_NONE, IRQ_WAKE_THREAD, type irqaction } from '../include/interrupt';
import { IRQD, irqd_clear, irqd_set } from '../include/irq';
import { IRQS, type irq_desc } from '../include/irqdesc';
import { raw_spin_lock, raw_spin_unlock } from '../lib/locking';
import { pr_warn_once, WARN_ONCE } from '../lib/printk';
import { kernel } from '../world';
import { kstat_incr_irqs_this_cpu, print_irq_desc } from './irqdesc';
import { note_interrupt } from './spurious';
import { __irq_wake_thread } from './thread';

/** The flow handler of a line that has none. Source: kernel/irq/handle.c, handle_bad_irq() */
export function* handle_bad_irq(desc: irq_desc): Op {
  const { irq } = desc.irq_data;
  print_irq_desc(irq, desc);
  kstat_incr_irqs_this_cpu(desc);
  yield* ack_bad_irq(irq);
}

/** For an action that only has to be there. Source: kernel/irq/handle.c, no_action() */
export function* no_action(cpl: number, dev_id: unknown): Op<number> {
  return IRQ_NONE;
}

function* warn_no_thread(irq: number, action: irqaction): Op {
  const text = `IRQ ${irq} device ${action.name} returned IRQ_WAKE_THREAD but no thread function available.`;
  // the kernel warns once for each action
  pr_warn_once(text, text);
}

/** Run the line's actions. @returns their answers or-ed. Source: kernel/irq/handle.c, __handle_irq_event_percpu() */
export function* __handle_irq_event_percpu(desc: irq_desc): Op<number> {
  const { irq } = desc.irq_data;
  let retval = IRQ_NONE;
  for (let action = desc.action; action; action = action.next) {
    const res = yield* action.handler(irq, action.dev_id);

    const cpu = kernel.cpus[kernel.this_cpu];
    if (WARN_ONCE(cpu.irqs_enabled, `irq ${irq} handler ${action.handler.name} enabled interrupts`, 'kernel/irq/handle.c __handle_irq_event_percpu')) cpu.irqs_enabled = false;
    if (res === IRQ_WAKE_THREAD) yield* action.thread_fn ? __irq_wake_thread(desc, action) : warn_no_thread(irq, action);
    retval |= res;
  }
  return retval;
}

export function* handle_irq_event_percpu(desc: irq_desc): Op<number> {
  const retval = yield* __handle_irq_event_percpu(desc);
  if (!kernel.noirqdebug) yield* note_interrupt(desc, retval);
  return retval;
}

/** The same with the line's lock given back meanwhile: INPROGRESS keeps others out. Source: kernel/irq/handle.c, handle_irq_event() */
export function* handle_irq_event(desc: irq_desc): Op<number> {
  desc.istate &= ~IRQS.PENDING;
  irqd_set(desc.irq_data, IRQD.IRQ_INPROGRESS);
  yield* raw_spin_unlock(desc.lock);

  const ret = yield* handle_irq_event_percpu(desc);

  yield* raw_spin_lock(desc.lock);
  irqd_clear(desc.irq_data, IRQD.IRQ_INPROGRESS);
  return ret;
}
