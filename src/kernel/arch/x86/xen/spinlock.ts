import type { Op } from '../../../../stepper/op';
import { bind_ipi_to_irqhandler, unbind_from_irqhandler } from '../../../drivers/xen/events/events_bind';
import { XEN_IPI } from '../../../drivers/xen/events/irq_info';
import { IRQ_HANDLED, IRQF_NOBALANCING, IRQF_PERCPU } from '../../../include/interrupt';
import { disable_irq } from '../../../irq/manage';
import { BUG_ON, printk } from '../../../lib/printk';
import { kernel } from '../../../world';

// Locks of guests, which wait for an event: arch/x86/xen/spinlock.c. Of it only its interrupts.

/** Nobody gets here: the interrupt stays disabled, the event is polled for. */
function* dummy_handler(irq: number, dev_id: unknown): Op<number> {
  BUG_ON(true, 'arch/x86/xen/spinlock.c dummy_handler');
  return IRQ_HANDLED;
}

/** Source: arch/x86/xen/spinlock.c, xen_init_spinlocks() */
export function* xen_init_spinlocks(): Op {
  const { cmdline } = kernel.config;
  if (kernel.cpu_possible_mask.weight === 1 || cmdline.includes('nopvspin') || cmdline.includes('xen_nopvspin')) kernel.xen_pvspin = false;
  printk('debug', `xen: PV spinlocks ${kernel.xen_pvspin ? 'enabled' : 'disabled'}`);
}

/** Source: arch/x86/xen/spinlock.c, xen_init_lock_cpu() */
export function* xen_init_lock_cpu(cpu: number): Op {
  if (!kernel.xen_pvspin) return;

  const irq = yield* bind_ipi_to_irqhandler(XEN_IPI.SPIN_UNLOCK, cpu, dummy_handler, IRQF_PERCPU | IRQF_NOBALANCING, `spinlock${cpu}`, null);
  if (irq >= 0) {
    yield* disable_irq(irq);
    kernel.lock_kicker_irq.set(cpu, irq);
  }
  printk('warn', `cpu ${cpu} spinlock event irq ${irq}`);
}

/** Source: arch/x86/xen/spinlock.c, xen_uninit_lock_cpu() */
export function* xen_uninit_lock_cpu(cpu: number): Op {
  const irq = kernel.lock_kicker_irq.get(cpu);
  if (!kernel.xen_pvspin || irq === undefined) return;
  yield* unbind_from_irqhandler(irq, null);
  kernel.lock_kicker_irq.delete(cpu);
}
