import type { Op } from '../../stepper/op';
import { irq_force_complete_move } from '../arch/x86/apic/vector_move';
import {
  irq_data_get_affinity_mask, irq_data_get_effective_affinity_mask, irqd_affinity_is_managed, irqd_can_move_in_process_context, irqd_irq_masked,
  irqd_is_managed_and_shutdown, irqd_is_per_cpu, irqd_is_single_target, irqd_is_started, irqd_set_managed_shutdown, type irq_data,
} from '../include/irq';
import type { irq_desc } from '../include/irqdesc';
import { raw_spin_lock, raw_spin_lock_irq, raw_spin_unlock, raw_spin_unlock_irq } from '../lib/locking';
import { ENOSPC } from '../lib/errno';
import { pr_debug, pr_warn } from '../lib/printk';
import { HK_FLAG, housekeeping_cpumask, housekeeping_enabled } from '../sched/isolation';
import { has, kernel } from '../world';
import { IRQ_RESEND, IRQ_START_COND, irq_shutdown_and_deactivate, irq_startup } from './chip';
import { irq_get_next_irq, irq_lock_sparse, irq_to_desc, irq_unlock_sparse } from './irqdesc';
import { irq_fixup_move_pending } from './migration';
import { irq_do_set_affinity, irq_set_affinity_locked } from './manage';

/** Whether the interrupt goes to the CPU that dies. */
function* irq_needs_fixup(d: irq_data): Op<boolean> {
  const effective = irq_data_get_effective_affinity_mask(d);
  const m = effective.empty ? irq_data_get_affinity_mask(d) : effective;
  const cpu = kernel.this_cpu;

  const others = m.copy();
  others.clear(cpu);
  if (!others.empty && !m.intersects(kernel.cpu_online_mask)) {
    pr_warn(`Eff. affinity ${m.toString()} of IRQ ${d.irq} contains only offline CPUs after offlining CPU ${cpu}`);
    return true;
  }
  return m.test(cpu);
}

/** Move one interrupt off this CPU. @returns whether its affinity had to be broken. Source: kernel/irq/cpuhotplug.c, migrate_one_irq() */
function* migrate_one_irq(desc: irq_desc): Op<boolean> {
  const d = desc.irq_data;
  const { chip } = d;
  const maskchip = !irqd_can_move_in_process_context(d) && !irqd_irq_masked(d);
  let brokeaff = false;

  if (!chip.irq_set_affinity) {
    pr_debug(`IRQ ${d.irq}: Unable to migrate away`);
    return false;
  }

  // a move that waits for its clean-up holds a vector on a CPU that may be the dying one, wherever the interrupt goes now
  if (has('vector-leak-cpu-offline')) yield* irq_force_complete_move(desc);
  if (irqd_is_per_cpu(d) || !irqd_is_started(d) || !(yield* irq_needs_fixup(d))) {
    yield* irq_fixup_move_pending(desc, false);
    return false;
  }
  if (!has('vector-leak-cpu-offline')) yield* irq_force_complete_move(desc);

  let affinity = (yield* irq_fixup_move_pending(desc, true)) ? desc.pending_mask : irq_data_get_affinity_mask(d);
  if (maskchip && chip.irq_mask) yield* chip.irq_mask(d);

  if (!affinity.intersects(kernel.cpu_online_mask)) {
    if (irqd_affinity_is_managed(d)) {
      irqd_set_managed_shutdown(d);
      yield* irq_shutdown_and_deactivate(desc);
      return false;
    }
    affinity = kernel.cpu_online_mask;
    brokeaff = true;
  }

  let err = yield* irq_do_set_affinity(d, affinity, false);
  if (has('offline-retries-online') && err === -ENOSPC && !irqd_affinity_is_managed(d) && affinity !== kernel.cpu_online_mask) {
    pr_debug(`IRQ${d.irq}: set affinity failed for ${affinity.toString()}, re-try with online CPUs`);
    affinity = kernel.cpu_online_mask;
    brokeaff = true;
    err = yield* irq_do_set_affinity(d, affinity, false);
  }
  if (err) {
    pr_warn(`IRQ${d.irq}: set affinity failed(${err}).`);
    brokeaff = false;
  }
  if (maskchip && chip.irq_unmask) yield* chip.irq_unmask(d);
  return brokeaff;
}

/** This CPU is out of the online mask: nothing may come here any more. Source: kernel/irq/cpuhotplug.c, irq_migrate_all_off_this_cpu() */
export function* irq_migrate_all_off_this_cpu(): Op {
  for (let irq = yield* irq_get_next_irq(0); irq < kernel.nr_irqs; irq = yield* irq_get_next_irq(irq + 1)) {
    const desc = irq_to_desc(irq)!;
    yield* raw_spin_lock(desc.lock);
    const affinity_broken = yield* migrate_one_irq(desc);
    yield* raw_spin_unlock(desc.lock);
    if (affinity_broken) pr_warn(`IRQ ${irq}: no longer affine to CPU${kernel.this_cpu}`);
  }
}

/** Whether `data` sits on an isolated CPU and `cpu` is a better place. */
function* hk_should_isolate(data: irq_data, cpu: number): Op<boolean> {
  if (!(yield* housekeeping_enabled(HK_FLAG.MANAGED_IRQ))) return false;
  const hk_mask = yield* housekeeping_cpumask(HK_FLAG.MANAGED_IRQ);
  if (irq_data_get_effective_affinity_mask(data).subsetOf(hk_mask)) return false;
  return hk_mask.test(cpu);
}

function* irq_restore_affinity_of_irq(desc: irq_desc, cpu: number): Op {
  const data = desc.irq_data;
  const affinity = irq_data_get_affinity_mask(data);
  if (!irqd_affinity_is_managed(data) || !desc.action || !affinity.test(cpu)) return;

  if (irqd_is_managed_and_shutdown(data)) {
    yield* irq_startup(desc, IRQ_RESEND, IRQ_START_COND);
    return;
  }
  // one that has a single target stays where it is
  if (!irqd_is_single_target(data) || (yield* hk_should_isolate(data, cpu))) yield* irq_set_affinity_locked(data, affinity, false);
}

/** `cpu` has come up: managed interrupts that waited for it start. @returns 0. Source: kernel/irq/cpuhotplug.c, irq_affinity_online_cpu() */
export function* irq_affinity_online_cpu(cpu: number): Op<number> {
  yield* irq_lock_sparse();
  for (let irq = yield* irq_get_next_irq(0); irq < kernel.nr_irqs; irq = yield* irq_get_next_irq(irq + 1)) {
    const desc = irq_to_desc(irq)!;
    yield* raw_spin_lock_irq(desc.lock);
    yield* irq_restore_affinity_of_irq(desc, cpu);
    yield* raw_spin_unlock_irq(desc.lock);
  }
  yield* irq_unlock_sparse();
  return 0;
}
