import type { Op } from '../../stepper/op';
import { IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD } from '../include/interrupt';
import { IRQS, type irq_desc } from '../include/irqdesc';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../lib/locking';
import { pr_emerg, pr_err } from '../lib/printk';
import { kernel } from '../world';
import { irq_disable } from './chip';
import { irq_settings_is_polled } from './settings';

export const spurious_globals = () => ({
  /** bogus answers of handlers still to be reported */
  report_bad_irq_count: 100,
});

const bad_action_ret = (action_ret: number): boolean => action_ret >>> 0 > (IRQ_HANDLED | IRQ_WAKE_THREAD);

function* __report_bad_irq(desc: irq_desc, action_ret: number): Op {
  const { irq } = desc.irq_data;
  if (bad_action_ret(action_ret)) pr_err(`irq event ${irq}: bogus return value ${(action_ret >>> 0).toString(16)}`);
  else pr_err(`irq ${irq}: nobody cared (try booting with the "irqpoll" option)`);

  pr_err('handlers:');
  const flags = yield* raw_spin_lock_irqsave(desc.lock);
  for (let action = desc.action; action; action = action.next) pr_err(`[<(ptrval)>] ${action.handler.name}`);
  yield* raw_spin_unlock_irqrestore(desc.lock, flags);
}

function* report_bad_irq(desc: irq_desc, action_ret: number): Op {
  if (kernel.report_bad_irq_count <= 0) return;
  kernel.report_bad_irq_count--;
  yield* __report_bad_irq(desc, action_ret);
}

/**
 * Count what the handlers said. Of each 100000 interrupts more than 99900 unhandled: the line is shut.
 * There is no time here: an unhandled one always follows the last within the 100 ms that the kernel asks for. Source: kernel/irq/spurious.c, note_interrupt()
 */
export function* note_interrupt(desc: irq_desc, action_ret: number): Op {
  if (desc.istate & IRQS.POLL_INPROGRESS || irq_settings_is_polled(desc)) return;
  if (bad_action_ret(action_ret)) {
    yield* report_bad_irq(desc, action_ret);
    return;
  }

  if (action_ret === IRQ_NONE) desc.irqs_unhandled++;
  desc.irq_count++;
  if (desc.irq_count < 100000) return;

  desc.irq_count = 0;
  if (desc.irqs_unhandled > 99900) {
    yield* __report_bad_irq(desc, action_ret);
    pr_emerg(`Disabling IRQ #${desc.irq_data.irq}`);
    desc.istate |= IRQS.SPURIOUS_DISABLED;
    desc.depth++;
    yield* irq_disable(desc);
  }
  desc.irqs_unhandled = 0;
}
