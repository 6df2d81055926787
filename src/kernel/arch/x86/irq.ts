import type { Op } from '../../../stepper/op';
import type { irq_desc } from '../../include/irqdesc';
import { irq_migrate_all_off_this_cpu } from '../../irq/cpuhotplug';
import { resend_irqs } from '../../irq/resend';
import { bitmap } from '../../lib/bitmap';
import { raw_spin_lock, raw_spin_unlock } from '../../lib/locking';
import { pr_emerg, pr_err } from '../../lib/printk';
import { tasklet_action } from '../../lib/tasklet';
import { run_timer_softirq } from '../../time/timer';
import { kernel, machine } from '../../world';
import { ack_APIC_irq, lapic_vector_set_in_irr } from './apic/apic';
import { FIRST_EXTERNAL_VECTOR, is_irq_desc, NR_VECTORS, VECTOR_RETRIGGERED, VECTOR_UNUSED, type vector_entry } from './hw_irq';
import { i8259_globals } from './i8259';
import type { gate } from './idt';

// arch/x86/kernel/irq.c, and the entry code in front of it.

/** Counters of the summary rows of /proc/interrupts (irq_cpustat_t). */
export class irq_cpustat {
  __nmi_count = 0;
  apic_timer_irqs = 0;
  irq_spurious_count = 0;
  apic_perf_irqs = 0;
  apic_irq_work_irqs = 0;
  icr_read_retry_count = 0;
  x86_platform_ipis = 0;
  irq_resched_count = 0;
  irq_call_count = 0;
  irq_tlb_count = 0;
  irq_thermal_count = 0;
  irq_threshold_count = 0;
  irq_deferred_error_count = 0;
  mce_exception_count = 0;
  mce_poll_count = 0;
  irq_hv_callback_count = 0;
  irq_hv_reenlightenment_count = 0;
  hyperv_stimer0_count = 0;
  kvm_posted_intr_ipis = 0;
  kvm_posted_intr_nested_ipis = 0;
  kvm_posted_intr_wakeup_ipis = 0;
}

export const irq_globals = (nr_cpus: number) => ({
  /** who handles a vector, by CPU and vector */
  vector_irq: Array.from({ length: nr_cpus }, () => new Array<vector_entry>(NR_VECTORS).fill(VECTOR_UNUSED)),
  irq_stat: Array.from({ length: nr_cpus }, () => new irq_cpustat()),
  irq_err_count: 0,
  irq_mis_count: 0,
  system_vectors: new bitmap(NR_VECTORS),
  idt_table: new Array<gate | null>(NR_VECTORS).fill(null),
  /** 8259 interrupts that the IOAPIC handles, one bit each */
  io_apic_irqs: 0,
  ...i8259_globals(),
});

/** The irq_stat of the running CPU. */
export const this_irq_stat = (): irq_cpustat => kernel.irq_stat[kernel.this_cpu];

/**
 * What the CPU does with an interrupt: switch interrupts off, and go through the gate. What its local APIC offers it acknowledges there.
 * @param vector the vector offered @param upcall from a hypervisor: no local APIC knows of it, and a guest without gates is entered here
 */
export function* do_IRQ_entry(vector: number, upcall?: gate['entry']): Op {
  const cpu = kernel.cpus[kernel.this_cpu];
  const entry = upcall ?? kernel.idt_table[vector]?.entry;
  if (!entry) throw new Error(`vector ${vector} has no interrupt gate on CPU ${kernel.this_cpu}`);
  if (!upcall) machine.cpus[kernel.this_cpu].lapic.acknowledge();

  const flags = cpu.irqs_enabled;
  cpu.irqs_enabled = false;
  cpu.hardirq_count++;
  yield* entry(vector);
  cpu.hardirq_count--;
  if (cpu.hardirq_count === 0) yield* irq_exit_rcu();
  cpu.irqs_enabled = flags;
}

/** Softirqs follow the outermost hard interrupt: of them only timers and tasklets, the resend one first. Source: kernel/softirq.c, irq_exit_rcu() */
function* irq_exit_rcu(): Op {
  if (kernel.timer_softirq_pending[kernel.this_cpu]) yield* run_timer_softirq();
  if (kernel.irqs_resend.size > 0) yield* resend_irqs();
  if (kernel.tasklet_vec.some(t => t.count === 0)) yield* tasklet_action();
}

function* handle_irq(desc: irq_desc): Op {
  yield* desc.handle_irq(desc);
}

/** All device interrupts arrive here. Source: arch/x86/kernel/irq.c, common_interrupt() */
export function* common_interrupt(vector: number): Op {
  const vector_irq = kernel.vector_irq[kernel.this_cpu];
  const desc = vector_irq[vector];

  if (is_irq_desc(desc)) {
    yield* handle_irq(desc);
  } else {
    ack_APIC_irq();

    if (desc === VECTOR_UNUSED) {
      pr_emerg(`common_interrupt: ${kernel.this_cpu}.${vector} No irq handler for vector`);
    } else {
      vector_irq[vector] = VECTOR_UNUSED;
    }
  }
}

/** Something was posted for a virtual CPU that runs here. Source: arch/x86/kernel/irq.c, sysvec_kvm_posted_intr_ipi() */
export function* sysvec_kvm_posted_intr_ipi(): Op {
  ack_APIC_irq();
  this_irq_stat().kvm_posted_intr_ipis++;
}

/** Source: arch/x86/kernel/irq.c, ack_bad_irq() */
export function* ack_bad_irq(irq: number): Op {
  pr_err(`unexpected IRQ trap at vector ${irq.toString(16).padStart(2, '0')}`);
  ack_APIC_irq();
}

/** The running CPU has left cpu_online_mask: its interrupts go elsewhere, and those that wait in its local APIC are sent again. Source: arch/x86/kernel/irq.c, fixup_irqs() */
export function* fixup_irqs(): Op {
  const vector_irq = kernel.vector_irq[kernel.this_cpu];

  yield* irq_migrate_all_off_this_cpu();

  for (let vector = FIRST_EXTERNAL_VECTOR; vector < NR_VECTORS; vector++) {
    const desc = vector_irq[vector];
    if (!is_irq_desc(desc)) continue;

    let retriggered = false;
    if (lapic_vector_set_in_irr(vector)) {
      yield* raw_spin_lock(desc.lock);
      const data = desc.irq_data;
      if (data.chip.irq_retrigger) {
        yield* data.chip.irq_retrigger(data);
        retriggered = true;
      }
      yield* raw_spin_unlock(desc.lock);
    }
    vector_irq[vector] = retriggered ? VECTOR_RETRIGGERED : VECTOR_UNUSED;
  }
}
