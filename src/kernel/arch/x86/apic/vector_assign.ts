import type { Op } from '../../../../stepper/op';
import {
  type irq_data, irq_data_get_affinity_mask, irq_data_get_node, irq_data_update_effective_affinity, irqd_affinity_is_managed, irqd_set_can_reserve,
} from '../../../include/irq';
import { cpumask_of_node, NUMA_NO_NODE } from '../../../include/topology';
import { irq_data_to_desc } from '../../../irq/irqdesc';
import { irq_matrix_alloc, irq_matrix_alloc_managed, irq_matrix_free, irq_matrix_reserve, irq_matrix_reserve_managed } from '../../../irq/matrix';
import { cpumask } from '../../../lib/cpumask';
import { EBUSY } from '../../../lib/errno';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { BUG_ON, WARN_ON_ONCE } from '../../../lib/printk';
import {
  trace_vector_alloc, trace_vector_alloc_managed, trace_vector_clear, trace_vector_config, trace_vector_reserve, trace_vector_reserve_managed,
  trace_vector_update,
} from '../../../trace/irq_vectors';
import { has, kernel } from '../../../world';
import { type irq_alloc_info, is_irq_desc, MANAGED_IRQ_SHUTDOWN_VECTOR, VECTOR_SHUTDOWN } from '../hw_irq';
import { apic_chip_data_of, hlist_del_init } from './apic_chip_data';

// Who gets which vector: this part of arch/x86/kernel/apic/vector.c.

const cpu_online = (cpu: number): boolean => kernel.cpu_online_mask.test(cpu);

/** Set what hardware shall be programmed with. Source: arch/x86/kernel/apic/vector.c, apic_update_irq_cfg() */
export function* apic_update_irq_cfg(irqd: irq_data, vector: number, cpu: number): Op {
  const cfg = apic_chip_data_of(irqd)!.hw_irq_cfg;

  cfg.vector = vector;
  cfg.dest_apicid = yield* kernel.apic.calc_dest_apicid(cpu);
  irq_data_update_effective_affinity(irqd, cpumask.of(kernel.nr_cpu_ids, cpu));
  trace_vector_config(irqd.irq, vector, cpu, cfg.dest_apicid);
}

/** Take the new vector into use; the old one stays until an interrupt arrived on the new one. Source: arch/x86/kernel/apic/vector.c, apic_update_vector() */
function* apic_update_vector(irqd: irq_data, newvec: number, newcpu: number): Op {
  const apicd = apic_chip_data_of(irqd)!;
  const desc = irq_data_to_desc(irqd);
  const managed = irqd_affinity_is_managed(irqd);

  trace_vector_update(irqd.irq, newvec, newcpu, apicd.vector, apicd.cpu);

  apicd.prev_vector = 0;
  if (apicd.vector && apicd.vector !== MANAGED_IRQ_SHUTDOWN_VECTOR) {
    if (cpu_online(apicd.cpu)) {
      apicd.move_in_progress = true;
      apicd.prev_vector = apicd.vector;
      apicd.prev_cpu = apicd.cpu;
      WARN_ON_ONCE(apicd.cpu === newcpu, 'arch/x86/kernel/apic/vector.c apic_update_vector');
    } else {
      // Nobody on an offline CPU would take the cleanup IPI.
      yield* irq_matrix_free(kernel.vector_matrix, apicd.cpu, apicd.vector, managed);
    }
  }

  apicd.vector = newvec;
  apicd.cpu = newcpu;
  BUG_ON(is_irq_desc(kernel.vector_irq[newcpu][newvec]), 'arch/x86/kernel/apic/vector.c apic_update_vector');
  kernel.vector_irq[newcpu][newvec] = desc;
}

/** Point the interrupt at a vector that nobody handles. Source: arch/x86/kernel/apic/vector.c, vector_assign_managed_shutdown() */
export function* vector_assign_managed_shutdown(irqd: irq_data): Op {
  const cpu = kernel.cpu_online_mask.first;

  yield* apic_update_irq_cfg(irqd, MANAGED_IRQ_SHUTDOWN_VECTOR, cpu);
}

/** @returns 0 or -ENOSPC. Source: arch/x86/kernel/apic/vector.c, reserve_managed_vector() */
function* reserve_managed_vector(irqd: irq_data): Op<number> {
  const affmsk = irq_data_get_affinity_mask(irqd);
  const apicd = apic_chip_data_of(irqd)!;

  const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
  apicd.is_managed = true;
  const ret = yield* irq_matrix_reserve_managed(kernel.vector_matrix, affmsk);
  yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);
  trace_vector_reserve_managed(irqd.irq, ret);
  return ret;
}

export function* reserve_irq_vector_locked(irqd: irq_data): Op {
  const apicd = apic_chip_data_of(irqd)!;

  yield* irq_matrix_reserve(kernel.vector_matrix);
  apicd.can_reserve = true;
  apicd.has_reserved = true;
  irqd_set_can_reserve(irqd);
  trace_vector_reserve(irqd.irq, 0);
  yield* vector_assign_managed_shutdown(irqd);
}

function* reserve_irq_vector(irqd: irq_data): Op<number> {
  const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
  yield* reserve_irq_vector_locked(irqd);
  yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);
  return 0;
}

/**
 * Give the interrupt a vector on a CPU of `dest`, unless it has one there.
 * @returns 0, -EBUSY while an earlier move is not finished, -EINVAL for an empty mask, -ENOSPC. Source: arch/x86/kernel/apic/vector.c, assign_vector_locked()
 */
export function* assign_vector_locked(irqd: irq_data, dest: cpumask): Op<number> {
  const apicd = apic_chip_data_of(irqd)!;
  const resvd = apicd.has_reserved;

  if (apicd.vector && cpu_online(apicd.cpu) && dest.test(apicd.cpu)) return 0;

  // Another vector now would leave the one before the last behind, or break the cleanup list.
  if (apicd.move_in_progress || apicd.clist !== null) return -EBUSY;

  const slot = yield* irq_matrix_alloc(kernel.vector_matrix, dest, resvd);
  trace_vector_alloc(irqd.irq, typeof slot === 'number' ? slot : slot.bit, resvd);
  if (typeof slot === 'number') return slot;
  yield* apic_update_vector(irqd, slot.bit, slot.cpu);
  yield* apic_update_irq_cfg(irqd, slot.bit, slot.cpu);
  return 0;
}

function* assign_irq_vector(irqd: irq_data, dest: cpumask): Op<number> {
  const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
  const ret = yield* assign_vector_locked(irqd, dest.and(kernel.cpu_online_mask));
  yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);
  return ret;
}

/** From near to far: affinity on the node, affinity, node, anywhere; before vector-search-order the node comes before the affinity. @returns 0, or the error of the last try. Source: arch/x86/kernel/apic/vector.c, assign_irq_vector_any_locked() */
export function* assign_irq_vector_any_locked(irqd: irq_data): Op<number> {
  const affmsk = irq_data_get_affinity_mask(irqd);
  const node = irq_data_get_node(irqd);

  if (node !== NUMA_NO_NODE) {
    if (!(yield* assign_vector_locked(irqd, cpumask_of_node(node).and(affmsk)))) return 0;
  }

  if (node !== NUMA_NO_NODE && !has('vector-search-order')) {
    if (!(yield* assign_vector_locked(irqd, cpumask_of_node(node)))) return 0;
  }

  if (!(yield* assign_vector_locked(irqd, affmsk.and(kernel.cpu_online_mask)))) return 0;

  if (node !== NUMA_NO_NODE && has('vector-search-order')) {
    if (!(yield* assign_vector_locked(irqd, cpumask_of_node(node)))) return 0;
  }

  return yield* assign_vector_locked(irqd, kernel.cpu_online_mask);
}

/** What a fresh interrupt gets: managed bits, a vector at once if the request names CPUs, or a reservation. Source: arch/x86/kernel/apic/vector.c, assign_irq_vector_policy() */
export function* assign_irq_vector_policy(irqd: irq_data, info: irq_alloc_info): Op<number> {
  if (irqd_affinity_is_managed(irqd)) return yield* reserve_managed_vector(irqd);
  if (info.mask) return yield* assign_irq_vector(irqd, info.mask);
  return yield* reserve_irq_vector(irqd);
}

/** @returns 0, -EINVAL or -ENOSPC. Source: arch/x86/kernel/apic/vector.c, assign_managed_vector() */
export function* assign_managed_vector(irqd: irq_data, dest: cpumask): Op<number> {
  const searchmask = dest.and(irq_data_get_affinity_mask(irqd));
  const apicd = apic_chip_data_of(irqd)!;

  if (apicd.vector && searchmask.test(apicd.cpu)) return 0;

  const slot = yield* irq_matrix_alloc_managed(kernel.vector_matrix, searchmask);
  trace_vector_alloc_managed(irqd.irq, typeof slot === 'number' ? slot : slot.bit);
  if (typeof slot === 'number') return slot;
  yield* apic_update_vector(irqd, slot.bit, slot.cpu);
  yield* apic_update_irq_cfg(irqd, slot.bit, slot.cpu);
  return 0;
}

/** Give the vector back, and the one that a move left behind. Source: arch/x86/kernel/apic/vector.c, clear_irq_vector() */
export function* clear_irq_vector(irqd: irq_data): Op {
  const apicd = apic_chip_data_of(irqd)!;
  const managed = irqd_affinity_is_managed(irqd);

  if (!apicd.vector) return;

  trace_vector_clear(irqd.irq, apicd.vector, apicd.cpu, apicd.prev_vector, apicd.prev_cpu);

  kernel.vector_irq[apicd.cpu][apicd.vector] = VECTOR_SHUTDOWN;
  yield* irq_matrix_free(kernel.vector_matrix, apicd.cpu, apicd.vector, managed);
  apicd.vector = 0;

  if (!apicd.prev_vector) return;

  kernel.vector_irq[apicd.prev_cpu][apicd.prev_vector] = VECTOR_SHUTDOWN;
  yield* irq_matrix_free(kernel.vector_matrix, apicd.prev_cpu, apicd.prev_vector, managed);
  apicd.prev_vector = 0;
  apicd.move_in_progress = false;
  hlist_del_init(apicd);
}
