import type { Op } from '../../../../stepper/op';
import { irq_to_desc } from '../../../irq/irqdesc';
import {
  irq_matrix_allocated, irq_matrix_assign, irq_matrix_assign_system, irq_matrix_available, irq_matrix_offline, irq_matrix_online, irq_matrix_reserved,
} from '../../../irq/matrix';
import { ENOSPC } from '../../../lib/errno';
import { limit_bound } from '../../../lib/limit';
import { raw_spin_lock, raw_spin_unlock } from '../../../lib/locking';
import { pr_warn } from '../../../lib/printk';
import { try_to_del_timer_sync } from '../../../time/timer';
import { has, kernel } from '../../../world';
import { ISA_IRQ_VECTOR, NR_VECTORS, VECTOR_UNUSED, type vector_entry } from '../hw_irq';
import { nr_legacy_irqs, PIC_CASCADE_IR } from '../i8259';
import { lock_vector_lock, unlock_vector_lock } from './vector';
import { __vector_cleanup } from './vector_move';

// CPUs join and leave the vector space: this part of arch/x86/kernel/apic/vector.c.

/** System vectors are not counted as allocated: nothing moves them and nothing takes them. Source: arch/x86/kernel/apic/vector.c, lapic_assign_legacy_vector() */
export function* lapic_assign_legacy_vector(irq: number, replace: boolean): Op {
  yield* irq_matrix_assign_system(kernel.vector_matrix, ISA_IRQ_VECTOR(irq), replace);
}

/** Fill the matrix of the boot CPU. Source: arch/x86/kernel/apic/vector.c, lapic_assign_system_vectors() */
export function* lapic_assign_system_vectors(): Op {
  for (const vector of kernel.system_vectors) yield* irq_matrix_assign_system(kernel.vector_matrix, vector, false);

  if (nr_legacy_irqs() > 1) yield* lapic_assign_legacy_vector(PIC_CASCADE_IR, false);

  yield* irq_matrix_online(kernel.vector_matrix);

  for (let i = 0; i < nr_legacy_irqs(); i++) {
    if (i !== PIC_CASCADE_IR) yield* irq_matrix_assign(kernel.vector_matrix, ISA_IRQ_VECTOR(i));
  }
}

/** Without an IOAPIC the 8259 pair keeps its interrupts, and they may reach any CPU. Source: arch/x86/kernel/apic/vector.c, lapic_update_legacy_vectors() */
export function* lapic_update_legacy_vectors(): Op {
  if (kernel.ioapics.length > 0) return;

  for (let i = 0; i < nr_legacy_irqs(); i++) {
    if (i !== PIC_CASCADE_IR) yield* lapic_assign_legacy_vector(i, true);
  }
}

/** An 8259 interrupt may reach any CPU. Source: arch/x86/kernel/apic/vector.c, __setup_vector_irq() */
function* __setup_vector_irq(vector: number): Op<vector_entry> {
  const isairq = vector - ISA_IRQ_VECTOR(0);

  if (isairq < 0 || isairq >= nr_legacy_irqs()) return VECTOR_UNUSED;
  if ((kernel.io_apic_irqs >>> isairq) & 1) return VECTOR_UNUSED;
  return irq_to_desc(isairq) ?? VECTOR_UNUSED;
}

/** The running CPU joins. Source: arch/x86/kernel/apic/vector.c, lapic_online() */
export function* lapic_online(): Op {
  yield* irq_matrix_online(kernel.vector_matrix);

  for (let vector = 0; vector < NR_VECTORS; vector++) {
    kernel.vector_irq[kernel.this_cpu][vector] = yield* __setup_vector_irq(vector);
  }
}

/** The running CPU leaves. Source: arch/x86/kernel/apic/vector.c, lapic_offline() */
export function* lapic_offline(): Op {
  yield* lock_vector_lock();
  if (has('vector-cleanup-timer')) yield* __vector_cleanup(false);
  yield* irq_matrix_offline(kernel.vector_matrix);
  if (has('vector-cleanup-timer')) yield* try_to_del_timer_sync(kernel.vector_cleanup_timer[kernel.this_cpu]);
  yield* unlock_vector_lock();
}

/** Whether what the running CPU holds fits elsewhere. @returns 0 or -ENOSPC. Source: arch/x86/kernel/apic/vector.c, lapic_can_unplug_cpu() */
export function* lapic_can_unplug_cpu(): Op<number> {
  let ret = 0;

  yield* raw_spin_lock(kernel.vector_lock);
  const tomove = yield* irq_matrix_allocated(kernel.vector_matrix);
  const avl = yield* irq_matrix_available(kernel.vector_matrix, true);
  if (avl < tomove) {
    pr_warn(`CPU ${kernel.this_cpu} has ${tomove} vectors, ${avl} available. Cannot disable CPU`);
    limit_bound({ name: 'free vectors of the other CPUs', needed: tomove, size: avl });
    ret = -ENOSPC;
  } else {
    const rsvd = yield* irq_matrix_reserved(kernel.vector_matrix);
    if (avl < rsvd) pr_warn(`Reserved vectors ${rsvd} > available ${avl}. IRQ request may fail`);
  }
  yield* raw_spin_unlock(kernel.vector_lock);
  return ret;
}
