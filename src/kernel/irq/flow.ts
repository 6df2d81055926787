import type { Op } from '../../stepper/op';
import { IRQ_NONE } from '../include/interrupt';
import { IRQCHIP_EOI_IF_HANDLED, IRQCHIP_EOI_THREADED, IRQD, irqd_clear, irqd_has_set, irqd_irq_disabled, irqd_irq_masked, irqd_set, type irq_chip } from '../include/irq';
import { IRQS, type irq_desc } from '../include/irqdesc';
import { called } from '../lib/fault';
import { raw_spin_lock, raw_spin_lock_irq, raw_spin_unlock, raw_spin_unlock_irq } from '../lib/locking';
import { kernel } from '../world';
import { mask_ack_irq, mask_irq, unmask_irq } from './chip';
import { __handle_irq_event_percpu, handle_irq_event, handle_irq_event_percpu } from './handle';
import { __kstat_incr_irqs_this_cpu, irq_to_desc, kstat_incr_irqs_this_cpu } from './irqdesc';
import { note_interrupt } from './spurious';

// kernel/irq/chip.c, the flow handlers: what is done around a line's actions, by kind of interrupt.

/** Not while another CPU is at it, nor when it is to wake the system. */
function* irq_may_run(desc: irq_desc): Op<boolean> {
  return !irqd_has_set(desc.irq_data, IRQD.IRQ_INPROGRESS | IRQD.WAKEUP_ARMED);
}

const cannot_handle = (desc: irq_desc): boolean => !desc.action || irqd_irq_disabled(desc.irq_data);

/** No acknowledging, no masking: the code that demultiplexes does it. Source: kernel/irq/chip.c, handle_simple_irq() */
export function* handle_simple_irq(desc: irq_desc): Op {
  yield* raw_spin_lock(desc.lock);
  if (yield* irq_may_run(desc)) {
    desc.istate &= ~(IRQS.REPLAY | IRQS.WAITING);
    if (cannot_handle(desc)) {
      desc.istate |= IRQS.PENDING;
    } else {
      kstat_incr_irqs_this_cpu(desc);
      yield* handle_irq_event(desc);
    }
  }
  yield* raw_spin_unlock(desc.lock);
}

function* cond_unmask_irq(desc: irq_desc): Op {
  if (!irqd_irq_disabled(desc.irq_data) && irqd_irq_masked(desc.irq_data) && !desc.threads_oneshot) yield* unmask_irq(desc);
}

/** Masked as long as it is handled: the line stays active until the device is served. Source: kernel/irq/chip.c, handle_level_irq() */
export function* handle_level_irq(desc: irq_desc): Op {
  yield* raw_spin_lock(desc.lock);
  yield* mask_ack_irq(desc);
  if (yield* irq_may_run(desc)) {
    desc.istate &= ~(IRQS.REPLAY | IRQS.WAITING);
    if (cannot_handle(desc)) {
      desc.istate |= IRQS.PENDING;
    } else {
      kstat_incr_irqs_this_cpu(desc);
      yield* handle_irq_event(desc);
      yield* cond_unmask_irq(desc);
    }
  }
  yield* raw_spin_unlock(desc.lock);
}

function* cond_unmask_eoi_irq(desc: irq_desc, chip: irq_chip): Op {
  if (!(desc.istate & IRQS.ONESHOT)) {
    yield* chip.irq_eoi!(desc.irq_data);
  } else if (!irqd_irq_disabled(desc.irq_data) && irqd_irq_masked(desc.irq_data) && !desc.threads_oneshot) {
    yield* chip.irq_eoi!(desc.irq_data);
    yield* unmask_irq(desc);
  } else if (!(chip.flags & IRQCHIP_EOI_THREADED)) {
    yield* chip.irq_eoi!(desc.irq_data);
  }
}

/** One EOI at the end; the controller keeps the rest. Source: kernel/irq/chip.c, handle_fasteoi_irq() */
export function* handle_fasteoi_irq(desc: irq_desc): Op {
  const { chip } = desc.irq_data;
  yield* raw_spin_lock(desc.lock);

  out: {
    if (!(yield* irq_may_run(desc))) break out;
    desc.istate &= ~(IRQS.REPLAY | IRQS.WAITING);
    if (cannot_handle(desc)) {
      desc.istate |= IRQS.PENDING;
      yield* mask_irq(desc);
      break out;
    }
    kstat_incr_irqs_this_cpu(desc);
    if (desc.istate & IRQS.ONESHOT) yield* mask_irq(desc);
    yield* handle_irq_event(desc);
    yield* cond_unmask_eoi_irq(desc, chip);
    yield* raw_spin_unlock(desc.lock);
    return;
  }
  if (!(chip.flags & IRQCHIP_EOI_IF_HANDLED)) yield* chip.irq_eoi!(desc.irq_data);
  yield* raw_spin_unlock(desc.lock);
}

/** Acknowledged first: a further edge may come while the actions run, and is noted as pending. Source: kernel/irq/chip.c, handle_edge_irq() */
export function* handle_edge_irq(desc: irq_desc): Op {
  yield* raw_spin_lock(desc.lock);
  desc.istate &= ~(IRQS.REPLAY | IRQS.WAITING);

  out_unlock: {
    if (!(yield* irq_may_run(desc)) || cannot_handle(desc)) {
      desc.istate |= IRQS.PENDING;
      yield* mask_ack_irq(desc);
      break out_unlock;
    }
    kstat_incr_irqs_this_cpu(desc);
    yield* called(desc.irq_data.chip.irq_ack)(desc.irq_data);

    do {
      if (!desc.action) {
        yield* mask_irq(desc);
        break out_unlock;
      }
      // what came meanwhile masked the line: open it before it is handled
      if (desc.istate & IRQS.PENDING && !irqd_irq_disabled(desc.irq_data) && irqd_irq_masked(desc.irq_data)) yield* unmask_irq(desc);
      yield* handle_irq_event(desc);
    } while (desc.istate & IRQS.PENDING && !irqd_irq_disabled(desc.irq_data));
  }
  yield* raw_spin_unlock(desc.lock);
}

/** A CPU's own: no lock, no state. Source: kernel/irq/chip.c, handle_percpu_irq() */
export function* handle_percpu_irq(desc: irq_desc): Op {
  const { chip } = desc.irq_data;
  __kstat_incr_irqs_this_cpu(desc);
  if (chip.irq_ack) yield* chip.irq_ack(desc.irq_data);
  yield* handle_irq_event_percpu(desc);
  if (chip.irq_eoi) yield* chip.irq_eoi(desc.irq_data);
}

/** Called from the thread of the interrupt that this one hangs on: its actions have nothing but threads' functions. Source: kernel/irq/chip.c, handle_nested_irq() */
export function* handle_nested_irq(irq: number): Op {
  const desc = irq_to_desc(irq)!;
  yield* raw_spin_lock_irq(desc.lock);
  desc.istate &= ~(IRQS.REPLAY | IRQS.WAITING);
  if (cannot_handle(desc)) {
    desc.istate |= IRQS.PENDING;
    yield* raw_spin_unlock_irq(desc.lock);
    return;
  }

  kstat_incr_irqs_this_cpu(desc);
  irqd_set(desc.irq_data, IRQD.IRQ_INPROGRESS);
  yield* raw_spin_unlock_irq(desc.lock);

  let action_ret = IRQ_NONE;
  for (let action = desc.action; action; action = action.next) action_ret |= yield* action.thread_fn!(action.irq, action.dev_id);
  if (!kernel.noirqdebug) yield* note_interrupt(desc, action_ret);

  yield* raw_spin_lock_irq(desc.lock);
  irqd_clear(desc.irq_data, IRQD.IRQ_INPROGRESS);
  yield* raw_spin_unlock_irq(desc.lock);
}

/** No counting, no looking for spurious ones: for interrupts that are only passed on. Source: kernel/irq/chip.c, handle_untracked_irq() */
export function* handle_untracked_irq(desc: irq_desc): Op {
  yield* raw_spin_lock(desc.lock);
  if (yield* irq_may_run(desc)) {
    desc.istate &= ~(IRQS.REPLAY | IRQS.WAITING);
    if (cannot_handle(desc)) {
      desc.istate |= IRQS.PENDING;
    } else {
      desc.istate &= ~IRQS.PENDING;
      irqd_set(desc.irq_data, IRQD.IRQ_INPROGRESS);
      yield* raw_spin_unlock(desc.lock);
      yield* __handle_irq_event_percpu(desc);
      yield* raw_spin_lock(desc.lock);
      irqd_clear(desc.irq_data, IRQD.IRQ_INPROGRESS);
    }
  }
  yield* raw_spin_unlock(desc.lock);
}
