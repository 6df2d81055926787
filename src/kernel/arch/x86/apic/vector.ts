import type { Op } from '../../../../stepper/op';
import type { ChangeId } from '../../../changes';
import {
  IRQ_SET_MASK_OK, type irq_chip, type irq_data, irq_data_get_affinity_mask, irq_data_get_effective_affinity_mask, irqd_affinity_is_managed,
  irqd_can_reserve, irqd_is_activated, irqd_is_managed_and_shutdown, irqd_set_affinity_on_activate, irqd_set_can_reserve,
  irqd_set_handle_enforce_irqctx, irqd_set_single_target,
} from '../../../include/irq';
import type { irq_domain, irq_domain_ops } from '../../../include/irqdomain';
import { X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_LEGACY } from '../../../include/msi';
import {
  irq_domain_alloc_named_fwnode, irq_domain_create_tree, irq_domain_get_irq_data, irq_domain_reset_irq_data, irq_set_default_host,
} from '../../../irq/irqdomain';
import { irq_alloc_matrix, type irq_matrix, irq_matrix_remove_managed, irq_matrix_remove_reserved } from '../../../irq/matrix';
import { irq_move_irq } from '../../../irq/migration';
import type { cpumask } from '../../../lib/cpumask';
import { EINVAL, EIO, ENOMEM, ENOSYS, ENXIO } from '../../../lib/errno';
import { raw_spin_lock, raw_spin_lock_irqsave, raw_spin_unlock, raw_spin_unlock_irqrestore, raw_spinlock } from '../../../lib/locking';
import { BUG_ON, pr_err, pr_warn, WARN_ON_ONCE } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { timer_list } from '../../../time/timer';
import { trace_vector_activate, trace_vector_deactivate, trace_vector_setup, trace_vector_teardown } from '../../../trace/irq_vectors';
import { has, kernel } from '../../../world';
import { first_system_vector, FIRST_EXTERNAL_VECTOR, irq_alloc_info, type irq_cfg, ISA_IRQ_VECTOR, NR_VECTORS } from '../hw_irq';
import { nr_legacy_irqs, NR_IRQS_LEGACY } from '../i8259';
import { ack_APIC_irq } from './apic';
import { apic_chip_data, apic_chip_data_of } from './apic_chip_data';
import { arch_early_ioapic_init } from './io_apic';
import { arch_init_msi_domain, x86_vector_msi_compose_msg } from './msi';
import {
  assign_irq_vector_any_locked, assign_irq_vector_policy, assign_managed_vector, assign_vector_locked, apic_update_irq_cfg, clear_irq_vector,
  reserve_irq_vector_locked, vector_assign_managed_shutdown,
} from './vector_assign';
import { irq_complete_move, vector_cleanup_callback } from './vector_move';

export * from './lapic';
export * from './vector_move';

// The root of the hierarchy: CPU vectors. arch/x86/kernel/apic/vector.c, whose parts about the choice of vectors, about moved ones, and about CPUs that come and go
// stand in vector_assign.ts, vector_move.ts and lapic.ts.

export const vector_globals = (nr_cpus: number, changes: ReadonlySet<ChangeId>) => ({
  x86_vector_domain: null as irq_domain | null,
  vector_lock: new raw_spinlock('vector_lock'),
  vector_matrix: null as unknown as irq_matrix,
  lapic_controller: {
    name: 'APIC',
    irq_ack: apic_ack_edge,
    irq_set_affinity: apic_set_affinity,
    ...(changes.has('v2-05') && { irq_compose_msi_msg: x86_vector_msi_compose_msg }),
    irq_retrigger: apic_retrigger_irq,
    flags: 0,
  } as irq_chip,
  /** interrupts whose old vector on this CPU waits for the cleanup IPI, or timer; last one first */
  cleanup_list: Array.from({ length: nr_cpus }, () => [] as apic_chip_data[]),
  /** per-CPU vector_cleanup.timer */
  vector_cleanup_timer: Array.from({ length: nr_cpus }, () => new timer_list(vector_cleanup_callback)),
});

/** The set of online CPUs does not change while vectors are assigned. */
export function* lock_vector_lock(): Op {
  yield* raw_spin_lock(kernel.vector_lock);
}

export function* unlock_vector_lock(): Op {
  yield* raw_spin_unlock(kernel.vector_lock);
}

/** Source: arch/x86/kernel/apic/vector.c, init_irq_alloc_info() */
export function* init_irq_alloc_info(info: irq_alloc_info, mask: cpumask | null): Op {
  Object.assign(info, new irq_alloc_info());
  info.mask = mask;
}

/** Source: arch/x86/kernel/apic/vector.c, copy_irq_alloc_info() */
export function* copy_irq_alloc_info(dst: irq_alloc_info, src: irq_alloc_info | null): Op {
  Object.assign(dst, src ?? new irq_alloc_info());
  if (dst.ioapic) dst.ioapic = { ...dst.ioapic };
}

/** What is programmed for the interrupt, from any of its levels. Source: arch/x86/kernel/apic/vector.c, irqd_cfg() */
export function* irqd_cfg(irqd: irq_data | null): Op<irq_cfg | null> {
  return apic_chip_data_of(irqd)?.hw_irq_cfg ?? null;
}

/** Source: arch/x86/kernel/apic/vector.c, x86_vector_deactivate() */
function* x86_vector_deactivate(domain: irq_domain, irqd: irq_data): Op {
  const apicd = apic_chip_data_of(irqd)!;

  trace_vector_deactivate(irqd.irq, apicd.is_managed, apicd.can_reserve, false);

  // A vector that was assigned for good is kept.
  if (!apicd.is_managed && !apicd.can_reserve) return;
  if (apicd.has_reserved) return;

  const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
  yield* clear_irq_vector(irqd);
  if (apicd.can_reserve) yield* reserve_irq_vector_locked(irqd);
  else yield* vector_assign_managed_shutdown(irqd);
  yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);
}

/** Turn the reservation into a vector. @returns 0 or -ENOSPC, the reservation kept. Source: arch/x86/kernel/apic/vector.c, activate_reserved() */
function* activate_reserved(irqd: irq_data): Op<number> {
  const apicd = apic_chip_data_of(irqd)!;

  const ret = yield* assign_irq_vector_any_locked(irqd);
  if (!ret) {
    apicd.has_reserved = false;
    // The MSI core may have decided against reservation after the interrupt was allocated.
    if (!irqd_can_reserve(irqd)) apicd.can_reserve = false;
  }

  if (!irq_data_get_effective_affinity_mask(irqd).subsetOf(irq_data_get_affinity_mask(irqd))) {
    pr_warn(`irq ${irqd.irq}: Affinity broken due to vector space exhaustion.`);
  }

  return ret;
}

/** Source: arch/x86/kernel/apic/vector.c, activate_managed() */
function* activate_managed(irqd: irq_data): Op<number> {
  const searchmask = irq_data_get_affinity_mask(irqd).and(kernel.cpu_online_mask);
  if (WARN_ON_ONCE(searchmask.empty, 'arch/x86/kernel/apic/vector.c activate_managed mask')) {
    pr_err(`Managed startup for irq ${irqd.irq}, but no CPU`);
    return -EINVAL;
  }

  const ret = yield* assign_managed_vector(irqd, searchmask);
  if (WARN_ON_ONCE(ret < 0, 'arch/x86/kernel/apic/vector.c activate_managed vector')) {
    pr_err(`Managed startup irq ${irqd.irq}, no vector available`);
  }
  return ret;
}

/** @param reserve only prepare: no vector yet. Source: arch/x86/kernel/apic/vector.c, x86_vector_activate() */
function* x86_vector_activate(domain: irq_domain, irqd: irq_data, reserve: boolean): Op<number> {
  const apicd = apic_chip_data_of(irqd)!;
  let ret = 0;

  trace_vector_activate(irqd.irq, apicd.is_managed, apicd.can_reserve, reserve);

  const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
  if (!apicd.can_reserve && !apicd.is_managed) yield* assign_irq_vector_any_locked(irqd);
  else if (reserve || irqd_is_managed_and_shutdown(irqd)) yield* vector_assign_managed_shutdown(irqd);
  else if (apicd.is_managed) ret = yield* activate_managed(irqd);
  else if (apicd.has_reserved) ret = yield* activate_reserved(irqd);
  yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);
  return ret;
}

/** Source: arch/x86/kernel/apic/vector.c, vector_free_reserved_and_managed() */
function* vector_free_reserved_and_managed(irqd: irq_data): Op {
  const dest = irq_data_get_affinity_mask(irqd);
  const apicd = apic_chip_data_of(irqd)!;

  trace_vector_teardown(irqd.irq, apicd.is_managed, apicd.has_reserved);

  if (apicd.has_reserved) yield* irq_matrix_remove_reserved(kernel.vector_matrix);
  if (apicd.is_managed) yield* irq_matrix_remove_managed(kernel.vector_matrix, dest);
}

/** Source: arch/x86/kernel/apic/vector.c, x86_vector_free_irqs() */
function* x86_vector_free_irqs(domain: irq_domain, virq: number, nr_irqs: number): Op {
  for (let i = 0; i < nr_irqs; i++) {
    const irqd = yield* irq_domain_get_irq_data(kernel.x86_vector_domain!, virq + i);
    if (irqd?.chip_data) {
      const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
      yield* clear_irq_vector(irqd);
      yield* vector_free_reserved_and_managed(irqd);
      yield* irq_domain_reset_irq_data(irqd);
      yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);
    }
  }
}

/** An 8259 interrupt that the IOAPIC takes over. @returns whether it needs a vector of its own now. Source: arch/x86/kernel/apic/vector.c, vector_configure_legacy() */
function* vector_configure_legacy(virq: number, irqd: irq_data, apicd: apic_chip_data): Op<boolean> {
  let realloc = false;

  apicd.vector = ISA_IRQ_VECTOR(virq);
  apicd.cpu = 0;

  const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
  if (irqd_is_activated(irqd)) {
    // In use (the timer): it stays where it is.
    trace_vector_setup(virq, true, 0);
    yield* apic_update_irq_cfg(irqd, apicd.vector, apicd.cpu);
  } else {
    apicd.can_reserve = true;
    irqd_set_can_reserve(irqd);
    yield* clear_irq_vector(irqd);
    realloc = true;
  }
  yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);
  return realloc;
}

/** @returns 0, -ENXIO without local APIC, -ENOSYS for neighbouring vectors, -ENOMEM, -ENOSPC. Source: arch/x86/kernel/apic/vector.c, x86_vector_alloc_irqs() */
function* x86_vector_alloc_irqs(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const info = arg as irq_alloc_info;

  if (kernel.disable_apic) return -ENXIO;

  if (info.flags & X86_IRQ_ALLOC_CONTIGUOUS_VECTORS && nr_irqs > 1) return -ENOSYS;

  for (let i = 0; i < nr_irqs; i++) {
    const level = yield* irq_domain_get_irq_data(domain, virq + i);
    BUG_ON(level === null, 'arch/x86/kernel/apic/vector.c x86_vector_alloc_irqs');
    const irqd = level!;
    WARN_ON_ONCE(irqd.chip_data !== null, 'arch/x86/kernel/apic/vector.c x86_vector_alloc_irqs');
    const apicd = kzalloc('alloc_apic_chip_data: struct apic_chip_data', () => new apic_chip_data());
    if (!apicd) {
      yield* x86_vector_free_irqs(domain, virq, i);
      return -ENOMEM;
    }

    apicd.irq = virq + i;
    irqd.chip = kernel.lapic_controller;
    irqd.chip_data = apicd;
    irqd.hwirq = virq + i;
    irqd_set_single_target(irqd);
    // Outside of a hard interrupt a flow handler could finish a move on the wrong CPU.
    irqd_set_handle_enforce_irqctx(irqd);
    irqd_set_affinity_on_activate(irqd);

    if (info.flags & X86_IRQ_ALLOC_LEGACY) {
      if (!(yield* vector_configure_legacy(virq + i, irqd, apicd))) continue;
    }

    const err = yield* assign_irq_vector_policy(irqd, info);
    trace_vector_setup(virq + i, false, err);
    if (err) {
      irqd.chip_data = null;
      yield* x86_vector_free_irqs(domain, virq, i);
      return err;
    }
  }

  return 0;
}

const x86_vector_domain_ops: irq_domain_ops = Object.freeze({
  alloc: x86_vector_alloc_irqs,
  free: x86_vector_free_irqs,
  activate: x86_vector_activate,
  deactivate: x86_vector_deactivate,
});

/** How many interrupt numbers there shall be, for a machine of this size. @returns those of the 8259 pair. Source: arch/x86/kernel/apic/vector.c, arch_probe_nr_irqs() */
export function* arch_probe_nr_irqs(): Op<number> {
  kernel.nr_irqs = Math.min(kernel.nr_irqs, NR_VECTORS * kernel.nr_cpu_ids);

  let nr = kernel.gsi_top + nr_legacy_irqs() + 8 * kernel.nr_cpu_ids;
  nr += kernel.gsi_top <= NR_IRQS_LEGACY ? 8 * kernel.nr_cpu_ids : kernel.gsi_top * 16;
  kernel.nr_irqs = Math.min(kernel.nr_irqs, nr);

  return yield* kernel.legacy_pic.probe();
}

/** Source: arch/x86/kernel/apic/vector.c, arch_early_irq_init() */
export function* arch_early_irq_init(): Op<number> {
  const fn = yield* irq_domain_alloc_named_fwnode('VECTOR');
  kernel.x86_vector_domain = yield* irq_domain_create_tree(fn, x86_vector_domain_ops, null);
  yield* irq_set_default_host(kernel.x86_vector_domain);
  if (!has('v2-22')) yield* arch_init_msi_domain(kernel.x86_vector_domain);

  const matrix = yield* irq_alloc_matrix(NR_VECTORS, FIRST_EXTERNAL_VECTOR, first_system_vector());
  BUG_ON(matrix === null, 'arch/x86/kernel/apic/vector.c arch_early_irq_init');
  kernel.vector_matrix = matrix!;

  return yield* arch_early_ioapic_init();
}

/** @returns IRQ_SET_MASK_OK, -EIO when not activated, or as assign_vector_locked(). Source: arch/x86/kernel/apic/vector.c, apic_set_affinity() */
function* apic_set_affinity(irqd: irq_data, dest: cpumask, force: boolean): Op<number> {
  if (WARN_ON_ONCE(!irqd_is_activated(irqd), 'arch/x86/kernel/apic/vector.c apic_set_affinity')) return -EIO;

  yield* raw_spin_lock(kernel.vector_lock);
  const searchmask = dest.and(kernel.cpu_online_mask);
  const err = irqd_affinity_is_managed(irqd)
    ? yield* assign_managed_vector(irqd, searchmask)
    : yield* assign_vector_locked(irqd, searchmask);
  yield* raw_spin_unlock(kernel.vector_lock);
  return err ? err : IRQ_SET_MASK_OK;
}

/** Raise the interrupt by an IPI. @returns 1. Source: arch/x86/kernel/apic/vector.c, apic_retrigger_irq() */
function* apic_retrigger_irq(irqd: irq_data): Op<number> {
  const apicd = apic_chip_data_of(irqd)!;

  const flags = yield* raw_spin_lock_irqsave(kernel.vector_lock);
  yield* kernel.apic.send_IPI(apicd.cpu, apicd.vector);
  yield* raw_spin_unlock_irqrestore(kernel.vector_lock, flags);

  return 1;
}

/** A pending affinity change is made now, then the local APIC is told. Source: arch/x86/kernel/apic/vector.c, apic_ack_irq() */
export function* apic_ack_irq(irqd: irq_data): Op {
  yield* irq_move_irq(irqd);
  ack_APIC_irq();
}

/** Source: arch/x86/kernel/apic/vector.c, apic_ack_edge() */
function* apic_ack_edge(irqd: irq_data): Op {
  yield* irq_complete_move((yield* irqd_cfg(irqd))!);
  yield* apic_ack_irq(irqd);
}

