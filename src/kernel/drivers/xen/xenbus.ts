import { DOMID_SELF, EVTCHNOP } from '../../../hardware/xen/interface';
import type { Op } from '../../../stepper/op';
import { HYPERVISOR_event_channel_op } from '../../arch/x86/xen/hypercall';
import { IRQ_HANDLED } from '../../include/interrupt';
import { xen_initial_domain } from '../../include/xen';
import { pr_err } from '../../lib/printk';
import { machine } from '../../world';
import { bind_evtchn_to_irqhandler } from './events/events_bind';

// The channel to xenstore, the first event of every guest: drivers/xen/xenbus/xenbus_probe.c and xenbus_comms.c.

/** Source: drivers/xen/xenbus/xenbus_comms.c, wake_waiting() */
function* wake_waiting(irq: number, dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** dom0 has xenstore itself. @returns the port, or an errno. Source: drivers/xen/xenbus/xenbus_probe.c, xenstored_local_init() */
function* xenstored_local_init(): Op<number> {
  const alloc_unbound = { dom: DOMID_SELF, remote_dom: DOMID_SELF, port: 0 };
  const err = HYPERVISOR_event_channel_op(EVTCHNOP.alloc_unbound, alloc_unbound);
  return err || alloc_unbound.port;
}

/** Source: drivers/xen/xenbus/xenbus_comms.c, xb_init_comms() */
function* xb_init_comms(xen_store_evtchn: number): Op<number> {
  const err = yield* bind_evtchn_to_irqhandler(xen_store_evtchn, wake_waiting, 0, 'xenbus', 'xb_waitq');
  if (err < 0) pr_err(`xenbus: request irq failed ${err}`);
  return Math.min(err, 0);
}

/** Source: drivers/xen/xenbus/xenbus_probe.c, xenbus_init() */
export function* xenbus_init(): Op {
  const xen_store_evtchn = xen_initial_domain() ? yield* xenstored_local_init() : machine.xen!.storePort;
  if (xen_store_evtchn > 0) yield* xb_init_comms(xen_store_evtchn);
}
