import type { Op } from '../../../../stepper/op';
import { DOMID_SELF, EVTCHNOP, MAP_PIRQ_TYPE, PHYSDEVOP } from '../../../../hardware/xen/interface';
import { HYPERVISOR_event_channel_op, HYPERVISOR_physdev_op } from '../../../arch/x86/xen/hypercall';
import { disable_irq, enable_irq } from '../../../irq/manage';
import { irq_set_affinity } from '../../../irq/setaffinity';
import { cpumask } from '../../../lib/cpumask';
import { mutex_lock, mutex_unlock } from '../../../lib/locking';
import { BUG_ON, pr_warn, printk, WARN_ON } from '../../../lib/printk';
import { kernel } from '../../../world';
import { xen_evtchn_resume } from './events_internal';
import { xen_free_irq } from './events_irq';
import { __startup_pirq } from './events_pirq';
import {
  bind_evtchn_to_cpu, clear_evtchn_to_irq_all, get_evtchn_to_irq, info_for_irq, IRQT, xen_irq_info_evtchn_setup, xen_irq_info_ipi_setup, xen_irq_info_virq_setup,
} from './irq_info';

// The guest was saved and has been built anew: no event channel of before is left. This part of drivers/xen/events/events_base.c.

const FILE = 'drivers/xen/events/events_base.c';

/** An irq that is there gets an event channel. Source: drivers/xen/events/events_base.c, rebind_evtchn_irq() */
export function* rebind_evtchn_irq(evtchn: number, irq: number): Op {
  const info = info_for_irq(irq);
  if (WARN_ON(!info, `${FILE} rebind_evtchn_irq`)) return;

  // The new channel is masked, too.
  yield* disable_irq(irq);

  yield* mutex_lock(kernel.irq_mapping_update_lock);
  BUG_ON(get_evtchn_to_irq(evtchn) !== -1 || info!.type === IRQT.UNBOUND, `${FILE} rebind_evtchn_irq`);
  yield* xen_irq_info_evtchn_setup(irq, evtchn);
  yield* mutex_unlock(kernel.irq_mapping_update_lock);

  yield* bind_evtchn_to_cpu(evtchn, info!.cpu);
  yield* irq_set_affinity(irq, cpumask.of(kernel.nr_cpu_ids, info!.cpu));
  yield* enable_irq(irq);
}

/** Those of lines: what has no line is the pirq of a message, and stays without. Source: drivers/xen/events/events_base.c, restore_pirqs() */
function* restore_pirqs(): Op {
  for (const { type, irq, u } of [...kernel.xen_irq_list_head]) {
    const { pirq, gsi } = u.pirq;
    if (type !== IRQT.PIRQ || gsi === 0) continue;

    const map_irq = { domid: DOMID_SELF, type: MAP_PIRQ_TYPE.GSI, index: gsi, pirq, bus: 0, devfn: 0, entry_nr: 0, table_base: 0 };
    const rc = HYPERVISOR_physdev_op(PHYSDEVOP.map_pirq, map_irq);
    if (rc) {
      pr_warn(`xen:events: xen map irq failed gsi=${gsi} irq=${irq} pirq=${pirq} rc=${rc}`);
      yield* xen_free_irq(irq);
      continue;
    }
    printk('debug', `xen: --> irq=${irq}, pirq=${map_irq.pirq}`);
    yield* __startup_pirq(irq);
  }
}

const ascending = (bound: ReadonlyMap<number, number>): [number, number][] => [...bound].sort(([a], [b]) => a - b);

/** Source: drivers/xen/events/events_base.c, restore_cpu_virqs() */
function* restore_cpu_virqs(cpu: number): Op {
  for (const [virq, irq] of ascending(kernel.virq_to_irq[cpu])) {
    BUG_ON(info_for_irq(irq)!.u.virq !== virq, `${FILE} restore_cpu_virqs`);
    const bind_virq = { virq, vcpu: cpu, port: 0 };
    BUG_ON(HYPERVISOR_event_channel_op(EVTCHNOP.bind_virq, bind_virq) !== 0, `${FILE} restore_cpu_virqs`);
    yield* xen_irq_info_virq_setup(cpu, irq, bind_virq.port, virq);
    yield* bind_evtchn_to_cpu(bind_virq.port, cpu);
  }
}

/** Source: drivers/xen/events/events_base.c, restore_cpu_ipis() */
function* restore_cpu_ipis(cpu: number): Op {
  for (const [ipi, irq] of ascending(kernel.ipi_to_irq[cpu])) {
    BUG_ON(info_for_irq(irq)!.u.ipi !== ipi, `${FILE} restore_cpu_ipis`);
    const bind_ipi = { vcpu: cpu, port: 0 };
    BUG_ON(HYPERVISOR_event_channel_op(EVTCHNOP.bind_ipi, bind_ipi) !== 0, `${FILE} restore_cpu_ipis`);
    yield* xen_irq_info_ipi_setup(cpu, irq, bind_ipi.port, ipi);
    yield* bind_evtchn_to_cpu(bind_ipi.port, cpu);
  }
}

/** Source: drivers/xen/events/events_base.c, xen_irq_resume() */
export function* xen_irq_resume(): Op {
  yield* xen_evtchn_resume();

  for (const info of kernel.xen_irq_list_head) info.evtchn = 0;
  yield* clear_evtchn_to_irq_all();

  for (const cpu of kernel.cpu_possible_mask) {
    yield* restore_cpu_virqs(cpu);
    yield* restore_cpu_ipis(cpu);
  }

  yield* restore_pirqs();
}
