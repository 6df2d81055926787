import { DOMID_SELF, EVTCHNOP } from '../../../hardware/xen/interface';
import type { Op } from '../../../stepper/op';
import { HYPERVISOR_event_channel_op } from '../../arch/x86/xen/hypercall';
import { IRQ_HANDLED } from '../../include/interrupt';
import { xen_initial_domain } from '../../include/xen';
import { pr_err } from '../../lib/printk';
import { kernel, machine } from '../../world';
import { bind_evtchn_to_irqhandler } from './events/events_bind';
import { rebind_evtchn_irq } from './events/events_resume';

// The channel to xenstore, the first event of every guest: drivers/xen/xenbus/xenbus_probe.c and xenbus_comms.c.

export const xenbus_globals = () => ({
  /** 0: there is none */
  xenbus_irq: 0,
});

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
  if (kernel.xenbus_irq) {
    yield* rebind_evtchn_irq(xen_store_evtchn, kernel.xenbus_irq);
    return 0;
  }
  const err = yield* bind_evtchn_to_irqhandler(xen_store_evtchn, wake_waiting, 0, 'xenbus', 'xb_waitq');
  if (err < 0) {
    pr_err(`xenbus: request irq failed ${err}`);
    return err;
  }
  kernel.xenbus_irq = err;
  return 0;
}

/** Source: drivers/xen/xenbus/xenbus_xs.c, xs_resume() */
export function* xs_resume(): Op {
  yield* xb_init_comms(machine.xen!.storePort);
}

/** Source: drivers/xen/xenbus/xenbus_probe.c, xenbus_init() */
export function* xenbus_init(): Op {
  const xen_store_evtchn = xen_initial_domain() ? yield* xenstored_local_init() : machine.xen!.storePort;
  if (xen_store_evtchn > 0) yield* xb_init_comms(xen_store_evtchn);
}
