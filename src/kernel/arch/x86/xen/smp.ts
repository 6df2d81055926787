import { EVTCHN_FIFO_PRIORITY_MAX, VIRQ } from '../../../../hardware/xen/interface';
import type { Op } from '../../../../stepper/op';
import { bind_ipi_to_irqhandler, bind_virq_to_irqhandler, unbind_from_irqhandler, xen_send_IPI_one, xen_set_irq_priority } from '../../../drivers/xen/events/events_bind';
import { XEN_IPI } from '../../../drivers/xen/events/irq_info';
import { IRQ_HANDLED, IRQF_EARLY_RESUME, IRQF_FORCE_RESUME, IRQF_NOBALANCING, IRQF_NO_THREAD, IRQF_PERCPU, IRQF_TIMER, type irq_handler_t } from '../../../include/interrupt';
import { generic_smp_call_function_single_interrupt } from '../../../smp';
import { printk } from '../../../lib/printk';
import { has, kernel } from '../../../world';
import { this_irq_stat } from '../irq';

// Inter-processor interrupts are events: arch/x86/xen/smp.c. The timer of each CPU, too: time.c.

export const xen_smp_globals = (nr_cpus: number) => ({
  /** per-CPU variables xen_resched_irq, xen_callfunc_irq, ..., in the order of their requests */
  xen_smp_irqs: Array.from({ length: nr_cpus }, () => new Map<string, number>()),
  /** of xen_clock_events */
  xen_timer_irq: new Map<number, number>(),
  lock_kicker_irq: new Map<number, number>(),
  /** physical address of each CPU's own vcpu_info */
  xen_vcpu_info: new Map<number, number>(),
});

/** Source: arch/x86/xen/smp.c, xen_reschedule_interrupt() */
function* xen_reschedule_interrupt(irq: number, dev_id: unknown): Op<number> {
  this_irq_stat().irq_resched_count++;
  return IRQ_HANDLED;
}

/** Source: arch/x86/xen/smp.c, xen_call_function_interrupt() */
function* xen_call_function_interrupt(irq: number, dev_id: unknown): Op<number> {
  this_irq_stat().irq_call_count++;
  return IRQ_HANDLED;
}

/** Source: arch/x86/xen/smp.c, xen_call_function_single_interrupt() */
function* xen_call_function_single_interrupt(irq: number, dev_id: unknown): Op<number> {
  yield* generic_smp_call_function_single_interrupt();
  this_irq_stat().irq_call_count++;
  return IRQ_HANDLED;
}

/** Source: drivers/xen/events/events_2l.c, xen_debug_interrupt() */
function* xen_debug_interrupt(irq: number, dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** Source: arch/x86/xen/smp_pv.c, xen_irq_work_interrupt() */
function* xen_irq_work_interrupt(irq: number, dev_id: unknown): Op<number> {
  this_irq_stat().apic_irq_work_irqs++;
  return IRQ_HANDLED;
}

const ONE_CPU = IRQF_PERCPU | IRQF_NOBALANCING;

/** @returns 0 or an errno */
function* bind_ipi(cpu: number, ipi: number, handler: irq_handler_t, name: string): Op<number> {
  const rc = yield* bind_ipi_to_irqhandler(ipi, cpu, handler, ONE_CPU, `${name}${cpu}`, null);
  if (rc < 0) return rc;
  kernel.xen_smp_irqs[cpu].set(name, rc);
  return 0;
}

/** Source: arch/x86/xen/smp.c, xen_smp_intr_free() */
export function* xen_smp_intr_free(cpu: number): Op {
  for (const [name, irq] of [...kernel.xen_smp_irqs[cpu]]) {
    yield* unbind_from_irqhandler(irq, null);
    kernel.xen_smp_irqs[cpu].delete(name);
  }
}

/** @returns 0 or an errno: then none is left. Source: arch/x86/xen/smp.c, xen_smp_intr_init() */
export function* xen_smp_intr_init(cpu: number): Op<number> {
  let rc = yield* bind_ipi(cpu, XEN_IPI.RESCHEDULE, xen_reschedule_interrupt, 'resched');
  if (rc === 0) rc = yield* bind_ipi(cpu, XEN_IPI.CALL_FUNCTION, xen_call_function_interrupt, 'callfunc');
  if (rc === 0 && !(has('xen-debug-2level-only') && kernel.xen_fifo_events)) {
    rc = yield* bind_virq_to_irqhandler(VIRQ.DEBUG, cpu, xen_debug_interrupt, ONE_CPU, `debug${cpu}`, null);
    if (rc >= 0) kernel.xen_smp_irqs[cpu].set('debug', rc);
    rc = Math.min(rc, 0);
  }
  if (rc === 0) rc = yield* bind_ipi(cpu, XEN_IPI.CALL_FUNCTION_SINGLE, xen_call_function_single_interrupt, 'callfuncsingle');
  if (rc < 0) yield* xen_smp_intr_free(cpu);
  return rc;
}

/** Source: arch/x86/xen/smp_pv.c, xen_smp_intr_init_pv() */
export function* xen_smp_intr_init_pv(cpu: number): Op<number> {
  return yield* bind_ipi(cpu, XEN_IPI.IRQ_WORK, xen_irq_work_interrupt, 'irqwork');
}

/** Source: arch/x86/xen/smp.c, xen_smp_send_call_function_single_ipi() */
export function* xen_smp_send_call_function_single_ipi(cpu: number): Op {
  yield* xen_send_IPI_one(cpu, XEN_IPI.CALL_FUNCTION_SINGLE);
}

/** Source: arch/x86/xen/time.c, xen_timer_interrupt() */
function* xen_timer_interrupt(irq: number, dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** Source: arch/x86/xen/time.c, xen_setup_timer() */
export function* xen_setup_timer(cpu: number): Op {
  const flags = IRQF_PERCPU | IRQF_NOBALANCING | IRQF_TIMER | IRQF_FORCE_RESUME | IRQF_EARLY_RESUME | IRQF_NO_THREAD;
  printk('info', `installing Xen timer for CPU ${cpu}`);
  const irq = yield* bind_virq_to_irqhandler(VIRQ.TIMER, cpu, xen_timer_interrupt, flags, `timer${cpu}`, null);
  yield* xen_set_irq_priority(irq, EVTCHN_FIFO_PRIORITY_MAX);
  kernel.xen_timer_irq.set(cpu, irq);
}

/** Source: arch/x86/xen/time.c, xen_teardown_timer() */
export function* xen_teardown_timer(cpu: number): Op {
  const irq = kernel.xen_timer_irq.get(cpu);
  if (irq === undefined || irq < 0) return;
  yield* unbind_from_irqhandler(irq, null);
  kernel.xen_timer_irq.delete(cpu);
}

/** Source: arch/x86/xen/time.c, xen_time_init() */
export function* xen_time_init(): Op {
  yield* xen_setup_timer(kernel.this_cpu);
}
