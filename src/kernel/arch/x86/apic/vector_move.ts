import { APIC_IRR } from '../../../../hardware/local-apic-registers';
import type { Op } from '../../../../stepper/op';
import type { irq_desc } from '../../../include/irqdesc';
import { irq_domain_get_irq_data } from '../../../irq/irqdomain';
import { irq_matrix_free } from '../../../irq/matrix';
import { raw_spin_lock, raw_spin_lock_irqsave, raw_spin_unlock, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { pr_warn, pr_warn_once } from '../../../lib/printk';
import { add_timer_on, timer_pending } from '../../../time/timer';
import { trace_vector_free_moved } from '../../../trace/irq_vectors';
import { has, kernel } from '../../../world';
import { IRQ_MOVE_CLEANUP_VECTOR, type irq_cfg, VECTOR_UNUSED } from '../hw_irq';
import { ack_APIC_irq, vector_bit } from './apic';
import { type apic_chip_data, apic_chip_data_of, cfg_to_apicd, hlist_del_init } from './apic_chip_data';

// What becomes of the vector that a moved interrupt left: this part of arch/x86/kernel/apic/vector.c.
// move_in_progress (both vectors installed) -> on the old CPU's cleanup_list (IPI sent, or timer added) -> free.

/** Source: arch/x86/kernel/apic/vector.c, free_moved_vector() */
function* free_moved_vector(apicd: apic_chip_data): Op {
  const { prev_vector: vector, prev_cpu: cpu, is_managed: managed } = apicd;

  trace_vector_free_moved(apicd.irq, cpu, vector, managed);
  yield* irq_matrix_free(kernel.vector_matrix, cpu, vector, managed);
  kernel.vector_irq[cpu][vector] = VECTOR_UNUSED;
  hlist_del_init(apicd);
  apicd.prev_vector = 0;
  apicd.move_in_progress = false;
}

/** The IPI on the old CPU: what no longer waits in its local APIC is freed. Source: arch/x86/kernel/apic/vector.c, sysvec_irq_move_cleanup() */
export function* sysvec_irq_move_cleanup(): Op {
  ack_APIC_irq();
  yield* raw_spin_lock(kernel.vector_lock);

  for (const apicd of [...kernel.cleanup_list[kernel.this_cpu]]) {
    // The cleanup vector has the lowest priority: the interrupt that waits comes first, then this again.
    if (vector_bit(APIC_IRR, apicd.prev_vector)) {
      yield* kernel.apic.send_IPI_self(IRQ_MOVE_CLEANUP_VECTOR);
      continue;
    }
    yield* free_moved_vector(apicd);
  }

  yield* raw_spin_unlock(kernel.vector_lock);
}

/** What a CPU's list holds is freed. Source: arch/x86/kernel/apic/vector.c (v6.6), __vector_cleanup() */
export function* __vector_cleanup(check_irr: boolean): Op {
  let rearm = false;

  for (const apicd of [...kernel.cleanup_list[kernel.this_cpu]]) {
    if (check_irr && vector_bit(APIC_IRR, apicd.prev_vector)) {
      pr_warn_once(`Moved interrupt pending in old target APIC ${apicd.irq}`, 'arch/x86/kernel/apic/vector.c __vector_cleanup');
      rearm = true;
      continue;
    }
    yield* free_moved_vector(apicd);
  }

  if (rearm) yield* add_timer_on(kernel.vector_cleanup_timer[kernel.this_cpu], kernel.this_cpu);
}

/** Source: arch/x86/kernel/apic/vector.c (v6.6), vector_cleanup_callback() */
export function* vector_cleanup_callback(): Op {
  const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
  yield* __vector_cleanup(true);
  yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);
}

/** Source: arch/x86/kernel/apic/vector.c (v6.6), __vector_schedule_cleanup() */
function* __vector_schedule_cleanup(apicd: apic_chip_data): Op {
  yield* raw_spin_lock(kernel.vector_lock);
  apicd.move_in_progress = false;
  const cpu = apicd.prev_cpu;
  if (kernel.cpu_online_mask.test(cpu)) {
    kernel.cleanup_list[cpu].unshift(apicd);
    apicd.clist = cpu;
    const timer = kernel.vector_cleanup_timer[cpu];
    if (!timer_pending(timer)) yield* add_timer_on(timer, cpu);
  } else {
    pr_warn(`IRQ ${apicd.irq} schedule cleanup for offline CPU ${cpu}`);
    yield* free_moved_vector(apicd);
  }
  yield* raw_spin_unlock(kernel.vector_lock);
}

/** Source: arch/x86/kernel/apic/vector.c, __send_cleanup_vector() */
function* __send_cleanup_vector(apicd: apic_chip_data): Op {
  yield* raw_spin_lock(kernel.vector_lock);
  apicd.move_in_progress = false;
  const cpu = apicd.prev_cpu;
  if (kernel.cpu_online_mask.test(cpu)) {
    kernel.cleanup_list[cpu].unshift(apicd);
    apicd.clist = cpu;
    yield* kernel.apic.send_IPI(cpu, IRQ_MOVE_CLEANUP_VECTOR);
  } else if (has('vector-leak-cpu-offline')) {
    pr_warn(`IRQ ${apicd.irq} schedule cleanup for offline CPU ${cpu}`);
    yield* free_moved_vector(apicd);
  } else {
    apicd.prev_vector = 0;
  }
  yield* raw_spin_unlock(kernel.vector_lock);
}

const clean_up_later = (apicd: apic_chip_data): Op => (has('vector-cleanup-timer') ? __vector_schedule_cleanup(apicd) : __send_cleanup_vector(apicd));

/** Interrupts arrive on the new vector from now on. Source: arch/x86/kernel/apic/vector.c, send_cleanup_vector() */
export function* send_cleanup_vector(cfg: irq_cfg): Op {
  const apicd = cfg_to_apicd(cfg);
  if (apicd.move_in_progress) yield* clean_up_later(apicd);
}

/** An interrupt has arrived: if on the new CPU, the old vector is done with. Source: arch/x86/kernel/apic/vector.c, irq_complete_move() */
export function* irq_complete_move(cfg: irq_cfg): Op {
  const apicd = cfg_to_apicd(cfg);
  if (!apicd.move_in_progress) return;

  // An interrupt never moves to another vector of the same CPU: the CPU tells.
  if (apicd.cpu === kernel.this_cpu) yield* clean_up_later(apicd);
}

/** A CPU goes away, all others stand still: an unfinished move is finished here. Source: arch/x86/kernel/apic/vector.c, irq_force_complete_move() */
export function* irq_force_complete_move(desc: irq_desc): Op {
  const irqd = yield* irq_domain_get_irq_data(kernel.x86_vector_domain!, desc.irq_data.irq);
  if (!irqd) return;

  yield* raw_spin_lock(kernel.vector_lock);
  const apicd = apic_chip_data_of(irqd);
  if (apicd?.prev_vector && concerns_this_cpu(apicd)) {
    if (apicd.move_in_progress) {
      pr_warn(`IRQ fixup: irq ${irqd.irq} move in progress, old vector ${apicd.prev_vector}`);
    }
    yield* free_moved_vector(apicd);
  }
  yield* raw_spin_unlock(kernel.vector_lock);
}

/** Called for all interrupts, it acts on those of the dying CPU; before, it was called only for those. */
const concerns_this_cpu = (apicd: apic_chip_data): boolean =>
  !has('vector-leak-cpu-offline') || apicd.cpu === kernel.this_cpu || apicd.prev_cpu === kernel.this_cpu;
