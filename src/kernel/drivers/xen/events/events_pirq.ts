import type { Op } from '../../../../stepper/op';
import { BIND_PIRQ__WILL_SHARE, DOMID_SELF, EVTCHNOP, MAP_PIRQ_TYPE, PHYSDEVOP, XENIRQSTAT_needs_eoi } from '../../../../hardware/xen/interface';
import { HYPERVISOR_event_channel_op, HYPERVISOR_physdev_op } from '../../../arch/x86/xen/hypercall';
import type { irq_data } from '../../../include/irq';
import type { msi_desc } from '../../../include/msi';
import type { PciDev } from '../../../include/pci';
import { xen_initial_domain } from '../../../include/xen';
import { handle_edge_irq, handle_fasteoi_irq, irq_set_chip_and_handler_name, irq_set_msi_desc_off } from '../../../irq/chip';
import { irq_get_irq_data } from '../../../irq/irqdesc';
import { ENOENT, ENOSPC, ENOSYS, ESRCH } from '../../../lib/errno';
import { mutex_lock, mutex_unlock } from '../../../lib/locking';
import { BUG_ON, pr_err, pr_info, pr_warn, WARN_ON, WARN_ONCE } from '../../../lib/printk';
import { kernel } from '../../../world';
import { clear_and_move, disable_dynirq, enable_dynirq } from './events_chip';
import { mask_evtchn, unmask_evtchn, VALID_EVTCHN, xen_evtchn_port_setup } from './events_internal';
import { __unbind_from_irq, xen_allocate_irq_gsi, xen_allocate_irqs_dynamic, xen_evtchn_close, xen_free_irq } from './events_irq';
import {
  bind_evtchn_to_cpu, evtchn_from_irq, info_for_irq, IRQT, pirq_from_irq, PIRQ_MSI_GROUP, PIRQ_NEEDS_EOI, PIRQ_SHAREABLE, set_evtchn_to_irq, xen_irq_info_cleanup, xen_irq_info_pirq_setup,
} from './irq_info';

// Physical interrupts: Xen has a number for each, the pirq, and an event channel once it is started. This part of drivers/xen/events/events_base.c.

const FILE = 'drivers/xen/events/events_base.c';

/** Whether Xen will wait for its end. Source: drivers/xen/events/events_base.c, pirq_query_unmask() */
function* pirq_query_unmask(irq: number): Op {
  const irq_status = { irq: pirq_from_irq(irq), flags: 0 };
  if (HYPERVISOR_physdev_op(PHYSDEVOP.irq_status_query, irq_status)) irq_status.flags = 0;

  const { pirq } = info_for_irq(irq)!.u;
  pirq.flags &= ~PIRQ_NEEDS_EOI;
  if (irq_status.flags & XENIRQSTAT_needs_eoi) pirq.flags |= PIRQ_NEEDS_EOI;
}

/** Source: drivers/xen/events/events_base.c, eoi_pirq() */
export function* eoi_pirq(data: irq_data): Op {
  const evtchn = evtchn_from_irq(data.irq);
  const eoi = { irq: pirq_from_irq(data.irq) };

  if (!VALID_EVTCHN(evtchn)) return;

  yield* clear_and_move(data, evtchn);

  if (kernel.pirq_needs_eoi(data.irq)) {
    const rc = HYPERVISOR_physdev_op(PHYSDEVOP.eoi, eoi);
    WARN_ON(rc !== 0, `${FILE} eoi_pirq`);
  }
}

/** Source: drivers/xen/events/events_base.c, mask_ack_pirq() */
export function* mask_ack_pirq(data: irq_data): Op {
  yield* disable_dynirq(data);
  yield* eoi_pirq(data);
}

/** The pirq gets an event channel. @returns 0, also where it gets none: then it is requested and never comes. Source: drivers/xen/events/events_base.c, __startup_pirq() */
export function* __startup_pirq(irq: number): Op<number> {
  const info = info_for_irq(irq)!;
  BUG_ON(info.type !== IRQT.PIRQ, `${FILE} __startup_pirq`);

  if (!VALID_EVTCHN(info.evtchn)) {
    const bind_pirq = { pirq: pirq_from_irq(irq), flags: info.u.pirq.flags & PIRQ_SHAREABLE ? BIND_PIRQ__WILL_SHARE : 0, port: 0 };
    if (HYPERVISOR_event_channel_op(EVTCHNOP.bind_pirq, bind_pirq) !== 0) {
      pr_warn(`xen:events: Failed to obtain physical IRQ ${irq}`);
      return 0;
    }
    const evtchn = bind_pirq.port;

    yield* pirq_query_unmask(irq);

    let rc = yield* set_evtchn_to_irq(evtchn, irq);
    if (rc === 0) {
      info.evtchn = evtchn;
      yield* bind_evtchn_to_cpu(evtchn, 0);
      rc = yield* xen_evtchn_port_setup(evtchn);
    }
    if (rc) {
      pr_err(`xen:events: irq${irq}: Failed to set port to irq mapping (${rc})`);
      yield* xen_evtchn_close(evtchn);
      return 0;
    }
  }

  yield* unmask_evtchn(info.evtchn);
  yield* eoi_pirq(irq_get_irq_data(irq)!);
  return 0;
}

/** Source: drivers/xen/events/events_base.c, startup_pirq() */
export function* startup_pirq(data: irq_data): Op<number> {
  return yield* __startup_pirq(data.irq);
}

/** Source: drivers/xen/events/events_base.c, shutdown_pirq() */
export function* shutdown_pirq(data: irq_data): Op {
  const info = info_for_irq(data.irq)!;
  const { evtchn } = info;
  BUG_ON(info.type !== IRQT.PIRQ, `${FILE} shutdown_pirq`);

  if (!VALID_EVTCHN(evtchn)) return;

  yield* mask_evtchn(evtchn);
  yield* xen_evtchn_close(evtchn);
  yield* xen_irq_info_cleanup(info);
}

/** Source: drivers/xen/events/events_base.c, enable_pirq() */
export function* enable_pirq(data: irq_data): Op {
  yield* enable_dynirq(data);
}

/** Source: drivers/xen/events/events_base.c, disable_pirq() */
export function* disable_pirq(data: irq_data): Op {
  yield* disable_dynirq(data);
}

/** @returns the irq of a line, or -1. Source: drivers/xen/events/events_base.c, xen_irq_from_gsi() */
export const xen_irq_from_gsi = (gsi: number): number => kernel.xen_irq_list_head.find(({ type, u }) => type === IRQT.PIRQ && u.pirq.gsi === gsi)?.irq ?? -1;

/** An irq for a line that has a pirq; one that there is already is returned. @param shareable it is level triggered @returns it, or an errno. Source: drivers/xen/events/events_base.c, xen_bind_pirq_gsi_to_irq() */
export function* xen_bind_pirq_gsi_to_irq(gsi: number, pirq: number, shareable: boolean, name: string): Op<number> {
  yield* mutex_lock(kernel.irq_mapping_update_lock);
  const irq = yield* bind_pirq_gsi(gsi, pirq, shareable, name);
  yield* mutex_unlock(kernel.irq_mapping_update_lock);
  return irq;
}

/** xen_bind_pirq_gsi_to_irq() under its lock. */
function* bind_pirq_gsi(gsi: number, pirq: number, shareable: boolean, name: string): Op<number> {
  const there = xen_irq_from_gsi(gsi);
  if (there !== -1) {
    pr_info(`xen:events: xen_bind_pirq_gsi_to_irq: returning irq ${there} for gsi ${gsi}`);
    return there;
  }

  const irq = yield* xen_allocate_irq_gsi(gsi);
  if (irq < 0) return irq;

  // A guest without privileges has had it done by pciback.
  if (xen_initial_domain() && HYPERVISOR_physdev_op(PHYSDEVOP.alloc_irq_vector, { irq, vector: 0 })) {
    yield* xen_free_irq(irq);
    return -ENOSPC;
  }

  const ret = yield* xen_irq_info_pirq_setup(irq, 0, pirq, gsi, DOMID_SELF, shareable ? PIRQ_SHAREABLE : 0);
  if (ret < 0) {
    yield* __unbind_from_irq(irq);
    return ret;
  }

  yield* pirq_query_unmask(irq);
  yield* irq_set_chip_and_handler_name(irq, kernel.xen_pirq_chip, shareable ? handle_fasteoi_irq : handle_edge_irq, name);
  return irq;
}

/** @returns a pirq for a message, or -1. Source: drivers/xen/events/events_base.c, xen_allocate_pirq_msi() */
export function* xen_allocate_pirq_msi(dev: PciDev, msidesc: msi_desc): Op<number> {
  const op_get_free_pirq = { type: MAP_PIRQ_TYPE.MSI, pirq: 0 };
  const rc = HYPERVISOR_physdev_op(PHYSDEVOP.get_free_pirq, op_get_free_pirq);

  WARN_ONCE(rc === -ENOSYS, 'hypervisor does not support the PHYSDEVOP_get_free_pirq interface', `${FILE} xen_allocate_pirq_msi`);

  return rc ? -1 : op_get_free_pirq.pirq;
}

/** irqs for the pirqs from `pirq` on: without a domain, a hwirq, and as yet an event channel. @returns the first, or an errno. Source: drivers/xen/events/events_base.c, xen_bind_pirq_msi_to_irq() */
export function* xen_bind_pirq_msi_to_irq(dev: PciDev, msidesc: msi_desc, pirq: number, nvec: number, name: string, domid: number): Op<number> {
  yield* mutex_lock(kernel.irq_mapping_update_lock);

  const irq = yield* xen_allocate_irqs_dynamic(nvec);
  if (irq < 0) {
    yield* mutex_unlock(kernel.irq_mapping_update_lock);
    return irq;
  }

  let ret = 0;
  for (let i = 0; i < nvec && ret >= 0; i++) {
    yield* irq_set_chip_and_handler_name(irq + i, kernel.xen_pirq_chip, handle_edge_irq, name);
    ret = yield* xen_irq_info_pirq_setup(irq + i, 0, pirq + i, 0, domid, i === 0 ? 0 : PIRQ_MSI_GROUP);
  }
  if (ret >= 0) ret = yield* irq_set_msi_desc(irq, msidesc);

  if (ret < 0) for (let i = nvec - 1; i >= 0; i--) yield* __unbind_from_irq(irq + i);
  yield* mutex_unlock(kernel.irq_mapping_update_lock);
  return ret < 0 ? ret : irq;
}

/** Source: kernel/irq/chip.c, irq_set_msi_desc() */
function* irq_set_msi_desc(irq: number, entry: msi_desc): Op<number> {
  return yield* irq_set_msi_desc_off(irq, 0, entry);
}

/** dom0 gives the pirq back, the first one of a block for all. Other guests keep theirs until they end. @returns 0, -ENOENT where nothing was to be given back, or what Xen says: then the irq stays. Source: drivers/xen/events/events_base.c, xen_destroy_irq() */
export function* xen_destroy_irq(irq: number): Op<number> {
  let rc = -ENOENT;
  yield* mutex_lock(kernel.irq_mapping_update_lock);

  const { pirq } = info_for_irq(irq)!.u;
  if (xen_initial_domain() && !(pirq.flags & PIRQ_MSI_GROUP)) {
    rc = HYPERVISOR_physdev_op(PHYSDEVOP.unmap_pirq, { pirq: pirq.pirq, domid: pirq.domid });
    // Xen takes the pirqs of a domain that is gone.
    if (rc === -ESRCH && pirq.domid !== DOMID_SELF) {
      pr_info(`xen:events: domain ${pirq.domid} does not have ${pirq.pirq} anymore`);
    } else if (rc) {
      pr_warn(`xen:events: unmap irq failed ${rc}`);
      yield* mutex_unlock(kernel.irq_mapping_update_lock);
      return rc;
    }
  }

  yield* xen_free_irq(irq);
  yield* mutex_unlock(kernel.irq_mapping_update_lock);
  return rc;
}

/** Source: drivers/xen/events/events_base.c, xen_pirq_from_irq() */
export const xen_pirq_from_irq = (irq: number): number => pirq_from_irq(irq);
