import type { Op } from '../../../../stepper/op';
import { EVTCHNOP } from '../../../../hardware/xen/interface';
import { HYPERVISOR_event_channel_op } from '../../../arch/x86/xen/hypercall';
import { type irq_chip, type irq_data, irq_data_update_effective_affinity, irqd_irq_disabled, irqd_is_setaffinity_pending } from '../../../include/irq';
import { xen_support_evtchn_rebind } from '../../../include/xen';
import { irq_move_masked_irq } from '../../../irq/migration';
import { cpumask } from '../../../lib/cpumask';
import { EPERM } from '../../../lib/errno';
import { kernel } from '../../../world';
import { clear_evtchn, mask_evtchn, set_evtchn, test_and_set_mask, unmask_evtchn, VALID_EVTCHN } from './events_internal';
import { disable_pirq, enable_pirq, eoi_pirq, mask_ack_pirq, shutdown_pirq, startup_pirq } from './events_pirq';
import { bind_evtchn_to_cpu, evtchn_from_irq } from './irq_info';

// What is done to an interrupt is done to its event channel: the chips of drivers/xen/events/events_base.c.

export const xen_chip_globals = () => ({
  /** events, and what is asked of any CPU */
  xen_dynamic_chip: {
    name: 'xen-dyn',
    irq_disable: disable_dynirq,
    irq_mask: disable_dynirq,
    irq_unmask: enable_dynirq,
    irq_ack: ack_dynirq,
    irq_mask_ack: mask_ack_dynirq,
    irq_set_affinity: set_affinity_irq,
    irq_retrigger: retrigger_dynirq,
    flags: 0,
  } as irq_chip,
  /** events of domains that are not trusted: who handles one says when the next may come */
  xen_lateeoi_chip: {
    name: 'xen-dyn-lateeoi',
    irq_disable: disable_dynirq,
    irq_mask: disable_dynirq,
    irq_unmask: enable_dynirq,
    irq_ack: mask_ack_dynirq,
    irq_mask_ack: mask_ack_dynirq,
    irq_set_affinity: set_affinity_irq,
    irq_retrigger: retrigger_dynirq,
    flags: 0,
  } as irq_chip,
  xen_pirq_chip: {
    name: 'xen-pirq',
    irq_startup: startup_pirq,
    irq_shutdown: shutdown_pirq,
    irq_enable: enable_pirq,
    irq_disable: disable_pirq,
    irq_mask: disable_dynirq,
    irq_unmask: enable_dynirq,
    irq_ack: eoi_pirq,
    irq_eoi: eoi_pirq,
    irq_mask_ack: mask_ack_pirq,
    irq_set_affinity: set_affinity_irq,
    irq_retrigger: retrigger_dynirq,
    flags: 0,
  } as irq_chip,
  /** IPIs, and virtual interrupts of one CPU */
  xen_percpu_chip: {
    name: 'xen-percpu',
    irq_disable: disable_dynirq,
    irq_mask: disable_dynirq,
    irq_unmask: enable_dynirq,
    irq_ack: ack_dynirq,
    flags: 0,
  } as irq_chip,
});

/** Source: drivers/xen/events/events_base.c, enable_dynirq() */
export function* enable_dynirq(data: irq_data): Op {
  const evtchn = evtchn_from_irq(data.irq);
  if (VALID_EVTCHN(evtchn)) yield* unmask_evtchn(evtchn);
}

/** Source: drivers/xen/events/events_base.c, disable_dynirq() */
export function* disable_dynirq(data: irq_data): Op {
  const evtchn = evtchn_from_irq(data.irq);
  if (VALID_EVTCHN(evtchn)) yield* mask_evtchn(evtchn);
}

/** The event is taken; a change of affinity that waits is carried out while the channel is masked. What ack_dynirq() and eoi_pirq() have in common. */
export function* clear_and_move(data: irq_data, evtchn: number): Op {
  if (irqd_is_setaffinity_pending(data) && !irqd_irq_disabled(data)) {
    const masked = yield* test_and_set_mask(evtchn);

    yield* clear_evtchn(evtchn);

    yield* irq_move_masked_irq(data);

    if (!masked) yield* unmask_evtchn(evtchn);
  } else {
    yield* clear_evtchn(evtchn);
  }
}

/** Source: drivers/xen/events/events_base.c, ack_dynirq() */
function* ack_dynirq(data: irq_data): Op {
  const evtchn = evtchn_from_irq(data.irq);
  if (VALID_EVTCHN(evtchn)) yield* clear_and_move(data, evtchn);
}

/** Source: drivers/xen/events/events_base.c, mask_ack_dynirq() */
function* mask_ack_dynirq(data: irq_data): Op {
  yield* disable_dynirq(data);
  yield* ack_dynirq(data);
}

/** As if an event had come. @returns 1, or 0 where there is no channel. Source: drivers/xen/events/events_base.c, retrigger_dynirq() */
function* retrigger_dynirq(data: irq_data): Op<number> {
  const evtchn = evtchn_from_irq(data.irq);
  if (!VALID_EVTCHN(evtchn)) return 0;

  const masked = yield* test_and_set_mask(evtchn);
  yield* set_evtchn(evtchn);
  if (!masked) yield* unmask_evtchn(evtchn);

  return 1;
}

/** Events of the channel go to another CPU; the device and its message stay as they are. @returns 0, or -1 (no errno) without a channel, or where all events are CPU 0's. Source: drivers/xen/events/events_base.c, xen_rebind_evtchn_to_cpu() */
function* xen_rebind_evtchn_to_cpu(evtchn: number, tcpu: number): Op<number> {
  if (!VALID_EVTCHN(evtchn)) return -EPERM; // C: -1
  if (!xen_support_evtchn_rebind()) return -EPERM;

  // It must not come to a CPU that nobody expects it on.
  const masked = yield* test_and_set_mask(evtchn);

  // Channels of one CPU, virq and IPI, are refused: they stay.
  if (HYPERVISOR_event_channel_op(EVTCHNOP.bind_vcpu, { port: evtchn, vcpu: tcpu }) >= 0) yield* bind_evtchn_to_cpu(evtchn, tcpu);

  if (!masked) yield* unmask_evtchn(evtchn);
  return 0;
}

/** Source: drivers/xen/events/events_base.c, set_affinity_irq() */
export function* set_affinity_irq(data: irq_data, dest: cpumask, force: boolean): Op<number> {
  const tcpu = dest.and(kernel.cpu_online_mask).first;
  const ret = yield* xen_rebind_evtchn_to_cpu(evtchn_from_irq(data.irq), tcpu);

  if (!ret) irq_data_update_effective_affinity(data, cpumask.of(kernel.nr_cpu_ids, tcpu));
  return ret;
}
