import type { Op } from '../../../../stepper/op';
import { EVTCHNOP } from '../../../../hardware/xen/interface';
import { nr_legacy_irqs } from '../../../arch/x86/i8259';
import { HYPERVISOR_event_channel_op } from '../../../arch/x86/xen/hypercall';
import { irq_data_get_affinity_mask } from '../../../include/irq';
import { xen_initial_domain, xen_pv_domain } from '../../../include/xen';
import { __irq_alloc_descs, irq_free_descs, irq_get_irq_data } from '../../../irq/irqdesc';
import { cpumask } from '../../../lib/cpumask';
import { down_write, local_irq_restore, local_irq_save, mutex_lock, mutex_unlock, up_write } from '../../../lib/locking';
import { written } from '../../../lib/fault';
import { BUG_ON, panic, WARN_ON } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { has, kernel } from '../../../world';
import { VALID_EVTCHN } from './events_internal';
import { lateeoi_list_del, lateeoi_waits } from './events_lateeoi';
import { evtchn_from_irq, info_for_irq, irq_info, IRQT, set_info_for_irq, xen_irq_info_cleanup } from './irq_info';

// Interrupts that come as events get their numbers, and lose them: this part of drivers/xen/events/events_base.c.

/** Source: drivers/xen/events/events_base.c, xen_irq_init() */
function* xen_irq_init(irq: number): Op {
  // All channels are CPU 0's at first. irq_get_affinity_mask() of no interrupt is NULL.
  const data = irq_get_irq_data(irq);
  written(data && irq_data_get_affinity_mask(data)).copyFrom(cpumask.of(kernel.nr_cpu_ids, 0));

  const info = kzalloc('xen_irq_init: struct irq_info', () => new irq_info());
  if (!info) panic(`Unable to allocate metadata for IRQ${irq}`);

  yield* set_info_for_irq(irq, info);
  kernel.xen_irq_list_head.push(info);
}

/** @returns the first of `nvec` numbers, or an errno. Source: drivers/xen/events/events_base.c, xen_allocate_irqs_dynamic() */
export function* xen_allocate_irqs_dynamic(nvec: number): Op<number> {
  const irq = yield* __irq_alloc_descs(-1, 0, nvec, -1, null);
  if (irq >= 0) for (let i = 0; i < nvec; i++) yield* xen_irq_init(irq + i);
  return irq;
}

export const xen_allocate_irq_dynamic = (): Op<number> => xen_allocate_irqs_dynamic(1);

/** Lines have their own number, but in a guest that knows no lines. Nobody looks whether it was free. Source: drivers/xen/events/events_base.c, xen_allocate_irq_gsi() */
export function* xen_allocate_irq_gsi(gsi: number): Op<number> {
  if (xen_pv_domain() && !xen_initial_domain()) return yield* xen_allocate_irq_dynamic();

  const irq = gsi < nr_legacy_irqs() ? gsi : yield* __irq_alloc_descs(gsi, gsi, 1, -1, null);
  yield* xen_irq_init(irq);
  return irq;
}

/** Source: drivers/xen/events/events_base.c, xen_free_irq() */
export function* xen_free_irq(irq: number): Op {
  const where = 'drivers/xen/events/events_base.c xen_free_irq';
  const info = info_for_irq(irq);
  if (WARN_ON(!info, where)) return;

  const locked = has('xen-evtchn-rwlock');
  const flags = locked && (yield* local_irq_save());
  if (locked) yield* down_write(kernel.evtchn_rwlock);
  if (lateeoi_waits(info!)) yield* lateeoi_list_del(info!);
  kernel.xen_irq_list_head.splice(kernel.xen_irq_list_head.indexOf(info!), 1);
  yield* set_info_for_irq(irq, null);
  WARN_ON(info!.refcnt > 0, where);
  if (locked) {
    yield* up_write(kernel.evtchn_rwlock);
    yield* local_irq_restore(flags);
  }

  // The others were there before Xen.
  if (irq >= nr_legacy_irqs()) yield* irq_free_descs(irq, 1);
}

/** Source: drivers/xen/events/events_base.c, xen_evtchn_close() */
export function* xen_evtchn_close(port: number): Op {
  BUG_ON(HYPERVISOR_event_channel_op(EVTCHNOP.close, { port }) !== 0, 'drivers/xen/events/events_base.c xen_evtchn_close');
}

/** Source: drivers/xen/events/events_base.c, __unbind_from_irq() */
export function* __unbind_from_irq(irq: number): Op {
  const evtchn = evtchn_from_irq(irq);
  const info = info_for_irq(irq)!;

  if (info.refcnt > 0) {
    info.refcnt--;
    if (info.refcnt !== 0) return;
  }

  if (VALID_EVTCHN(evtchn)) {
    yield* xen_evtchn_close(evtchn);

    if (info.type === IRQT.VIRQ) kernel.virq_to_irq[info.cpu].delete(info.u.virq);
    if (info.type === IRQT.IPI) kernel.ipi_to_irq[info.cpu].delete(info.u.ipi);

    yield* xen_irq_info_cleanup(info);
  }

  yield* xen_free_irq(irq);
}

/** Source: drivers/xen/events/events_base.c, unbind_from_irq() */
export function* unbind_from_irq(irq: number): Op {
  yield* mutex_lock(kernel.irq_mapping_update_lock);
  yield* __unbind_from_irq(irq);
  yield* mutex_unlock(kernel.irq_mapping_update_lock);
}
