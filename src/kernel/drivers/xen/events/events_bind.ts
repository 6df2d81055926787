import type { Op } from '../../../../stepper/op';
import { EVTCHNOP } from '../../../../hardware/xen/interface';
import { HYPERVISOR_event_channel_op } from '../../../arch/x86/xen/hypercall';
import { type irq_handler_t, IRQF_EARLY_RESUME, IRQF_FORCE_RESUME, IRQF_NO_SUSPEND, IRQF_PERCPU } from '../../../include/interrupt';
import type { irq_chip } from '../../../include/irq';
import { handle_edge_irq, handle_percpu_irq, irq_set_chip_and_handler_name } from '../../../irq/chip';
import { free_irq, request_irq } from '../../../irq/manage';
import { ENOMEM } from '../../../lib/errno';
import { mutex_lock, mutex_unlock } from '../../../lib/locking';
import { BUG_ON, WARN_ON } from '../../../lib/printk';
import { has, kernel } from '../../../world';
import { VALID_EVTCHN, xen_evtchn_max_channels } from './events_internal';
import { __unbind_from_irq, unbind_from_irq, xen_allocate_irq_dynamic } from './events_irq';
import {
  bind_evtchn_to_cpu, evtchn_from_irq, get_evtchn_to_irq, info_for_irq, IRQT, xen_irq_info_evtchn_setup, xen_irq_info_ipi_setup, xen_irq_info_virq_setup, type xen_irq_type,
} from './irq_info';

// Interrupts for event channels, virtual interrupts and IPIs: this part of drivers/xen/events/events_base.c.

const FILE = 'drivers/xen/events/events_base.c';

/** What is bound already is of the kind that is asked for. */
function of_type(irq: number, type: xen_irq_type, where: string): number {
  WARN_ON(info_for_irq(irq)?.type !== type, `${FILE} ${where}`);
  return irq;
}

/** @returns the irq, or the errno of its setup, undone */
function* bound(irq: number, evtchn: number, cpu: number, ret: number): Op<number> {
  if (ret < 0) {
    yield* __unbind_from_irq(irq);
    return ret;
  }
  yield* bind_evtchn_to_cpu(evtchn, cpu);
  return irq;
}

/** @returns the irq of an event channel, or an errno. Before 'xen-lateeoi' there is one chip only, and no such function. Source: drivers/xen/events/events_base.c, bind_evtchn_to_irq_chip() */
function* bind_evtchn_to_irq_chip(evtchn: number, chip: irq_chip): Op<number> {
  if (evtchn >= xen_evtchn_max_channels()) return -ENOMEM;

  yield* mutex_lock(kernel.irq_mapping_update_lock);
  let irq = get_evtchn_to_irq(evtchn);
  if (irq !== -1) {
    of_type(irq, IRQT.EVTCHN, has('xen-lateeoi') ? 'bind_evtchn_to_irq_chip' : 'bind_evtchn_to_irq');
  } else {
    irq = yield* xen_allocate_irq_dynamic();
    if (irq >= 0) {
      yield* irq_set_chip_and_handler_name(irq, chip, handle_edge_irq, 'event');
      irq = yield* bound(irq, evtchn, 0, yield* xen_irq_info_evtchn_setup(irq, evtchn));
    }
  }
  yield* mutex_unlock(kernel.irq_mapping_update_lock);
  return irq;
}

/** Source: drivers/xen/events/events_base.c, bind_evtchn_to_irq() */
function* bind_evtchn_to_irq(evtchn: number): Op<number> {
  return yield* bind_evtchn_to_irq_chip(evtchn, kernel.xen_dynamic_chip);
}

/** The guest takes an end of a channel that another domain has made. @returns the irq, or an errno. Source: drivers/xen/events/events_base.c, bind_interdomain_evtchn_to_irq_chip() */
function* bind_interdomain_evtchn_to_irq_chip(remote_dom: number, remote_port: number, chip: irq_chip): Op<number> {
  const bind_interdomain = { remote_dom, remote_port, local_port: 0 };
  const err = HYPERVISOR_event_channel_op(EVTCHNOP.bind_interdomain, bind_interdomain);
  return err || (yield* bind_evtchn_to_irq_chip(bind_interdomain.local_port, chip));
}

/** Before 'xen-lateeoi'. Source: drivers/xen/events/events_base.c (v5.9), bind_interdomain_evtchn_to_irq() */
function* bind_interdomain_evtchn_to_irq(remote_dom: number, remote_port: number): Op<number> {
  const bind_interdomain = { remote_dom, remote_port, local_port: 0 };
  const err = HYPERVISOR_event_channel_op(EVTCHNOP.bind_interdomain, bind_interdomain);
  return err || (yield* bind_evtchn_to_irq(bind_interdomain.local_port));
}

/** @returns the irq of a CPU's IPI, or an errno. Source: drivers/xen/events/events_base.c, bind_ipi_to_irq() */
function* bind_ipi_to_irq(ipi: number, cpu: number): Op<number> {
  yield* mutex_lock(kernel.irq_mapping_update_lock);
  let irq = kernel.ipi_to_irq[cpu].get(ipi) ?? -1;
  if (irq !== -1) {
    of_type(irq, IRQT.IPI, 'bind_ipi_to_irq');
  } else {
    irq = yield* xen_allocate_irq_dynamic();
    if (irq >= 0) {
      yield* irq_set_chip_and_handler_name(irq, kernel.xen_percpu_chip, handle_percpu_irq, 'ipi');
      const bind_ipi = { vcpu: cpu, port: 0 };
      BUG_ON(HYPERVISOR_event_channel_op(EVTCHNOP.bind_ipi, bind_ipi) !== 0, `${FILE} bind_ipi_to_irq`);
      irq = yield* bound(irq, bind_ipi.port, cpu, yield* xen_irq_info_ipi_setup(cpu, irq, bind_ipi.port, ipi));
    }
  }
  yield* mutex_unlock(kernel.irq_mapping_update_lock);
  return irq;
}

/** @returns the irq of a CPU's virtual interrupt, or an errno. Source: drivers/xen/events/events_base.c, bind_virq_to_irq() */
function* bind_virq_to_irq(virq: number, cpu: number, percpu: boolean): Op<number> {
  yield* mutex_lock(kernel.irq_mapping_update_lock);
  let irq = kernel.virq_to_irq[cpu].get(virq) ?? -1;
  if (irq !== -1) {
    of_type(irq, IRQT.VIRQ, 'bind_virq_to_irq');
  } else {
    irq = yield* xen_allocate_irq_dynamic();
    if (irq >= 0) {
      if (percpu) yield* irq_set_chip_and_handler_name(irq, kernel.xen_percpu_chip, handle_percpu_irq, 'virq');
      else yield* irq_set_chip_and_handler_name(irq, kernel.xen_dynamic_chip, handle_edge_irq, 'virq');
      const bind_virq = { virq, vcpu: cpu, port: 0 };
      BUG_ON(HYPERVISOR_event_channel_op(EVTCHNOP.bind_virq, bind_virq) !== 0, `${FILE} bind_virq_to_irq`);
      irq = yield* bound(irq, bind_virq.port, cpu, yield* xen_irq_info_virq_setup(cpu, irq, bind_virq.port, virq));
    }
  }
  yield* mutex_unlock(kernel.irq_mapping_update_lock);
  return irq;
}

/** @returns irq, or an errno: it is then bound no more */
function* requested(irq: number, handler: irq_handler_t, irqflags: number, devname: string, dev_id: unknown): Op<number> {
  if (irq < 0) return irq;
  const retval = yield* request_irq(irq, handler, irqflags, devname, dev_id);
  if (retval === 0) return irq;
  yield* unbind_from_irq(irq);
  return retval;
}

/** @returns the irq, or an errno. Source: drivers/xen/events/events_base.c, bind_evtchn_to_irqhandler() */
export function* bind_evtchn_to_irqhandler(evtchn: number, handler: irq_handler_t, irqflags: number, devname: string, dev_id: unknown): Op<number> {
  return yield* requested(yield* bind_evtchn_to_irq(evtchn), handler, irqflags, devname, dev_id);
}

/** Before 'xen-lateeoi'. @returns the irq, or an errno. Source: drivers/xen/events/events_base.c (v5.9), bind_interdomain_evtchn_to_irqhandler() */
export function* bind_interdomain_evtchn_to_irqhandler(remote_domain: number, remote_port: number, handler: irq_handler_t, irqflags: number, devname: string, dev_id: unknown): Op<number> {
  return yield* requested(yield* bind_interdomain_evtchn_to_irq(remote_domain, remote_port), handler, irqflags, devname, dev_id);
}

/** The event stays masked until the handler's work is done. @returns the irq, or an errno. Source: drivers/xen/events/events_base.c, bind_interdomain_evtchn_to_irqhandler_lateeoi() */
export function* bind_interdomain_evtchn_to_irqhandler_lateeoi(remote_domain: number, remote_port: number, handler: irq_handler_t, irqflags: number, devname: string, dev_id: unknown): Op<number> {
  return yield* requested(yield* bind_interdomain_evtchn_to_irq_chip(remote_domain, remote_port, kernel.xen_lateeoi_chip), handler, irqflags, devname, dev_id);
}

/** @returns the irq, or an errno. Source: drivers/xen/events/events_base.c, bind_virq_to_irqhandler() */
export function* bind_virq_to_irqhandler(virq: number, cpu: number, handler: irq_handler_t, irqflags: number, devname: string, dev_id: unknown): Op<number> {
  return yield* requested(yield* bind_virq_to_irq(virq, cpu, (irqflags & IRQF_PERCPU) !== 0), handler, irqflags, devname, dev_id);
}

/** @returns the irq, or an errno. Source: drivers/xen/events/events_base.c, bind_ipi_to_irqhandler() */
export function* bind_ipi_to_irqhandler(ipi: number, cpu: number, handler: irq_handler_t, irqflags: number, devname: string, dev_id: unknown): Op<number> {
  return yield* requested(yield* bind_ipi_to_irq(ipi, cpu), handler, irqflags | IRQF_NO_SUSPEND | IRQF_FORCE_RESUME | IRQF_EARLY_RESUME, devname, dev_id);
}

/** Source: drivers/xen/events/events_base.c, unbind_from_irqhandler() */
export function* unbind_from_irqhandler(irq: number, dev_id: unknown): Op {
  if (WARN_ON(!info_for_irq(irq), `${FILE} unbind_from_irqhandler`)) return;
  yield* free_irq(irq, dev_id);
  yield* unbind_from_irq(irq);
}

/** Events of the irq come before those of lower priority; -ENOSYS with the 2-level ABI. Source: drivers/xen/events/events_base.c, xen_set_irq_priority() */
export function* xen_set_irq_priority(irq: number, priority: number): Op<number> {
  return HYPERVISOR_event_channel_op(EVTCHNOP.set_priority, { port: evtchn_from_irq(irq), priority });
}

/** Source: drivers/xen/events/events_base.c, notify_remote_via_irq() */
export function* notify_remote_via_irq(irq: number): Op {
  const evtchn = evtchn_from_irq(irq);
  if (VALID_EVTCHN(evtchn)) yield* notify_remote_via_evtchn(evtchn);
}

/** Source: include/xen/events.h, notify_remote_via_evtchn() */
export function* notify_remote_via_evtchn(port: number): Op {
  HYPERVISOR_event_channel_op(EVTCHNOP.send, { port });
}

/** Source: drivers/xen/events/events_base.c, xen_send_IPI_one() */
export function* xen_send_IPI_one(cpu: number, vector: number): Op {
  const irq = kernel.ipi_to_irq[cpu].get(vector) ?? -1;
  BUG_ON(irq < 0, `${FILE} xen_send_IPI_one`);
  yield* notify_remote_via_irq(irq);
}
