import type { Op } from '../../../../stepper/op';
import { down_read, local_irq_restore, local_irq_save, up_read } from '../../../lib/locking';
import { kernel } from '../../../world';
import { queue_work, workqueue_struct } from '../../../workqueue';
import { unmask_evtchn, VALID_EVTCHN } from './events_internal';
import { info_for_irq, type irq_info } from './irq_info';

// An event that is masked until its handler says so, and a little longer for who sends events for nothing: this part of drivers/xen/events/events_base.c.

export const XEN_EOI_FLAG_SPURIOUS = 1 << 0;

/** CONFIG_HZ of distributions. */
const HZ = 250;

/** Those that wait on one CPU, and who lets them go on. Source: drivers/xen/events/events_base.c, struct lateeoi_work */
class lateeoi_work {
  readonly eoi_list: irq_info[] = [];
  readonly delayed = new workqueue_struct('lateeoi');
}

export const events_lateeoi_globals = (nr_cpus: number) => ({
  lateeoi: Array.from({ length: nr_cpus }, () => new lateeoi_work()),
});

/** It is on a list: info->eoi_list is not empty. */
export const lateeoi_waits = (info: irq_info): boolean => kernel.lateeoi[info.eoi_cpu].eoi_list.includes(info);

/** Source: drivers/xen/events/events_base.c, lateeoi_list_del() */
export function* lateeoi_list_del(info: irq_info): Op {
  const { eoi_list } = kernel.lateeoi[info.eoi_cpu];
  eoi_list.splice(eoi_list.indexOf(info), 1);
}

/** Source: drivers/xen/events/events_base.c, lateeoi_list_add() */
function* lateeoi_list_add(info: irq_info): Op {
  const { eoi_list, delayed } = kernel.lateeoi[info.eoi_cpu];
  const later = eoi_list.findIndex(({ eoi_time }) => eoi_time > info.eoi_time);
  eoi_list.splice(later < 0 ? eoi_list.length : later, 0, info);
  // There is no clock: the wait is over when the worker runs.
  yield* queue_work(delayed, () => xen_irq_lateeoi_worker(info.eoi_cpu));
}

/** The second event for nothing in a row costs a wait. Who has waited begins anew: so no wait gets longer than a jiffy. Source: drivers/xen/events/events_base.c, xen_irq_lateeoi_locked() */
function* xen_irq_lateeoi_locked(info: irq_info, spurious: boolean): Op {
  const { evtchn } = info;
  if (!VALID_EVTCHN(evtchn) || lateeoi_waits(info)) return;

  let delay = 0;
  if (spurious) {
    if (1 << info.spurious_cnt < HZ << 2) info.spurious_cnt++;
    if (info.spurious_cnt > 1) {
      delay = Math.min(1 << (info.spurious_cnt - 2), HZ);
      if (info.eoi_time === 0) info.eoi_cpu = kernel.this_cpu;
      info.eoi_time = delay;
    }
  } else {
    info.spurious_cnt = 0;
  }

  if (info.eoi_time !== 0 && delay !== 0) {
    yield* lateeoi_list_add(info);
    return;
  }
  info.eoi_time = 0;
  yield* unmask_evtchn(evtchn);
}

/** Source: drivers/xen/events/events_base.c, xen_irq_lateeoi_worker() */
function* xen_irq_lateeoi_worker(cpu: number): Op {
  const flags = yield* local_irq_save();
  yield* down_read(kernel.evtchn_rwlock);
  const { eoi_list } = kernel.lateeoi[cpu];
  for (let info = eoi_list.shift(); info; info = eoi_list.shift()) {
    info.eoi_time = 0;
    yield* xen_irq_lateeoi_locked(info, false);
  }
  yield* up_read(kernel.evtchn_rwlock);
  yield* local_irq_restore(flags);
}

/** The event has been dealt with: the next one may come. Source: drivers/xen/events/events_base.c, xen_irq_lateeoi() */
export function* xen_irq_lateeoi(irq: number, eoi_flags: number): Op {
  const flags = yield* local_irq_save();
  yield* down_read(kernel.evtchn_rwlock);
  const info = info_for_irq(irq);
  if (info) yield* xen_irq_lateeoi_locked(info, (eoi_flags & XEN_EOI_FLAG_SPURIOUS) !== 0);
  yield* up_read(kernel.evtchn_rwlock);
  yield* local_irq_restore(flags);
}
