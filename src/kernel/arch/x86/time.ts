import type { Op } from '../../../stepper/op';
import { IRQ_HANDLED, IRQF_IRQPOLL, IRQF_NOBALANCING, IRQF_TIMER } from '../../include/interrupt';
import { request_irq } from '../../irq/manage';
import { pr_info } from '../../lib/printk';
import { kernel } from '../../world';
import { hpet_enable } from './hpet';

// The first timer: arch/x86/kernel/time.c.

/** Source: arch/x86/kernel/time.c, timer_interrupt() */
function* timer_interrupt(irq: number, dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** Source: arch/x86/kernel/time.c, setup_default_timer_irq() */
function* setup_default_timer_irq(): Op {
  const failed = yield* request_irq(0, timer_interrupt, IRQF_NOBALANCING | IRQF_IRQPOLL | IRQF_TIMER, 'timer', null);
  if (failed) pr_info('Failed to register legacy timer interrupt');
}

/** The machine always has a PIT. Source: arch/x86/kernel/time.c, hpet_time_init() */
export function* hpet_time_init(): Op {
  yield* hpet_enable();
  yield* setup_default_timer_irq();
}

/** The timer by the 8259 pair first, then everything by the IOAPIC. Source: arch/x86/kernel/time.c, x86_late_time_init() */
export function* x86_late_time_init(): Op {
  yield* kernel.x86_init.intr_mode_select();
  yield* kernel.x86_init.timer_init();
  yield* kernel.x86_init.intr_mode_init();
}
