import type { Op } from '../../../../stepper/op';
import { DOMID_SELF } from '../../../../hardware/xen/interface';
import { nr_legacy_irqs, NR_IRQS_LEGACY } from '../../../arch/x86/i8259';
import { IRQ_NOAUTOEN, IRQ_NOREQUEST, irq_data_get_affinity_mask } from '../../../include/irq';
import { irq_clear_status_flags, irq_set_chip_data } from '../../../irq/chip';
import { irq_get_irq_data } from '../../../irq/irqdesc';
import { cpumask } from '../../../lib/cpumask';
import { EINVAL, ENOMEM } from '../../../lib/errno';
import { mutex, rw_semaphore } from '../../../lib/locking';
import { BUG_ON } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { kernel } from '../../../world';
import { type evtchn_ops, xen_evtchn_max_channels, xen_evtchn_port_bind_to_cpu, xen_evtchn_port_setup } from './events_internal';

// What is known of each interrupt that comes as an event, and which event channel is whose: this part of drivers/xen/events/events_base.c.

/** enum xen_irq_type */
export const IRQT = { UNBOUND: 0, PIRQ: 1, VIRQ: 2, IPI: 3, EVTCHN: 4 } as const;
export type xen_irq_type = (typeof IRQT)[keyof typeof IRQT];

/** irq_info.u.pirq.flags */
export const PIRQ_NEEDS_EOI = 1 << 0;
export const PIRQ_SHAREABLE = 1 << 1;
export const PIRQ_MSI_GROUP = 1 << 2;

/** enum ipi_vector */
export const XEN_IPI = { RESCHEDULE: 0, CALL_FUNCTION: 1, CALL_FUNCTION_SINGLE: 2, SPIN_UNLOCK: 3, IRQ_WORK: 4 } as const;

export class irq_info {
  static readonly struct = 'irq_info';
  refcnt = -1;
  type: xen_irq_type = IRQT.UNBOUND;
  irq = 0;
  /** event channel; 0 = none */
  evtchn = 0;
  /** that the channel is bound to */
  cpu = 0;
  /** events for nothing, one after the other, and the wait that the last one earned, in jiffies; with xen-lateeoi */
  spurious_cnt = 0;
  eoi_time = 0;
  /** on which it is on the list of those that wait */
  eoi_cpu = 0;
  /** a union in C: what counts is that of the type */
  readonly u = { virq: 0, ipi: 0, pirq: { pirq: 0, gsi: 0, vector: 0, flags: 0, domid: DOMID_SELF } };
}

/** Ports in a row of evtchn_to_irq: a page of integers. */
const EVTCHN_PER_ROW = 1024;
const row_of = (evtchn: number): number => Math.floor(evtchn / EVTCHN_PER_ROW);
const col_of = (evtchn: number): number => evtchn % EVTCHN_PER_ROW;

const NONE = -1;

export const xen_events_globals = (nr_cpus: number) => ({
  evtchn_ops: null as evtchn_ops | null,
  xen_fifo_events: true,
  irq_mapping_update_lock: new mutex('irq_mapping_update_lock'),
  /** nobody takes a channel away while events are handled */
  evtchn_rwlock: new rw_semaphore('evtchn_rwlock'),
  /** oldest first */
  xen_irq_list_head: [] as irq_info[],
  virq_to_irq: Array.from({ length: nr_cpus }, () => new Map<number, number>()),
  ipi_to_irq: Array.from({ length: nr_cpus }, () => new Map<number, number>()),
  /** rows are made when a port of theirs is used first */
  evtchn_to_irq: [] as (number[] | null)[],
  legacy_info_ptrs: new Array<irq_info | null>(NR_IRQS_LEGACY).fill(null),
  pirq_needs_eoi: pirq_needs_eoi_flag,
  /** physical address of the bits that Xen sets for pirqs that want to be ended */
  pirq_eoi_map: 0,
});

/** Source: drivers/xen/events/events_base.c, clear_evtchn_to_irq_all() */
export function* clear_evtchn_to_irq_all(): Op {
  for (const row of kernel.evtchn_to_irq) row?.fill(NONE);
}

/** @returns 0, -EINVAL beyond the ABI's ports, or -ENOMEM. Source: drivers/xen/events/events_base.c, set_evtchn_to_irq() */
export function* set_evtchn_to_irq(evtchn: number, irq: number): Op<number> {
  if (evtchn >= xen_evtchn_max_channels()) return -EINVAL;

  const row = row_of(evtchn);
  if (!kernel.evtchn_to_irq[row]) {
    if (irq === NONE) return 0;
    kernel.evtchn_to_irq[row] = kzalloc('set_evtchn_to_irq: evtchn_to_irq[row]', () => new Array<number>(EVTCHN_PER_ROW).fill(NONE));
    if (!kernel.evtchn_to_irq[row]) return -ENOMEM;
  }

  kernel.evtchn_to_irq[row][col_of(evtchn)] = irq;
  return 0;
}

/** @returns the irq of a port, -1 for none. Source: drivers/xen/events/events_base.c, get_evtchn_to_irq() */
export const get_evtchn_to_irq = (evtchn: number): number => kernel.evtchn_to_irq.at(row_of(evtchn))?.[col_of(evtchn)] ?? NONE;

/** Source: drivers/xen/events/events_base.c, info_for_irq() */
export function info_for_irq(irq: number): irq_info | null {
  if (irq < nr_legacy_irqs()) return kernel.legacy_info_ptrs[irq];
  const data = irq_get_irq_data(irq)?.chip_data;
  return data instanceof irq_info ? data : null;
}

/** Source: drivers/xen/events/events_base.c, set_info_for_irq() */
export function* set_info_for_irq(irq: number, info: irq_info | null): Op {
  if (irq < nr_legacy_irqs()) kernel.legacy_info_ptrs[irq] = info;
  else yield* irq_set_chip_data(irq, info);
}

/** @returns 0 or an errno. Source: drivers/xen/events/events_base.c, xen_irq_info_common_setup() */
function* xen_irq_info_common_setup(info: irq_info, irq: number, type: xen_irq_type, evtchn: number, cpu: number): Op<number> {
  BUG_ON(info.type !== IRQT.UNBOUND && info.type !== type, 'drivers/xen/events/events_base.c xen_irq_info_common_setup');

  info.type = type;
  info.irq = irq;
  info.evtchn = evtchn;
  info.cpu = cpu;

  const ret = yield* set_evtchn_to_irq(evtchn, irq);
  if (ret < 0) return ret;

  yield* irq_clear_status_flags(irq, IRQ_NOREQUEST | IRQ_NOAUTOEN);

  return yield* xen_evtchn_port_setup(evtchn);
}

/** Source: drivers/xen/events/events_base.c, xen_irq_info_evtchn_setup() */
export function* xen_irq_info_evtchn_setup(irq: number, evtchn: number): Op<number> {
  return yield* xen_irq_info_common_setup(info_for_irq(irq)!, irq, IRQT.EVTCHN, evtchn, 0);
}

/** Source: drivers/xen/events/events_base.c, xen_irq_info_ipi_setup() */
export function* xen_irq_info_ipi_setup(cpu: number, irq: number, evtchn: number, ipi: number): Op<number> {
  const info = info_for_irq(irq)!;
  info.u.ipi = ipi;
  kernel.ipi_to_irq[cpu].set(ipi, irq);
  return yield* xen_irq_info_common_setup(info, irq, IRQT.IPI, evtchn, 0);
}

/** Source: drivers/xen/events/events_base.c, xen_irq_info_virq_setup() */
export function* xen_irq_info_virq_setup(cpu: number, irq: number, evtchn: number, virq: number): Op<number> {
  const info = info_for_irq(irq)!;
  info.u.virq = virq;
  kernel.virq_to_irq[cpu].set(virq, irq);
  return yield* xen_irq_info_common_setup(info, irq, IRQT.VIRQ, evtchn, 0);
}

/** Source: drivers/xen/events/events_base.c, xen_irq_info_pirq_setup() */
export function* xen_irq_info_pirq_setup(irq: number, evtchn: number, pirq: number, gsi: number, domid: number, flags: number): Op<number> {
  const info = info_for_irq(irq)!;
  Object.assign(info.u.pirq, { pirq, gsi, domid, flags });
  return yield* xen_irq_info_common_setup(info, irq, IRQT.PIRQ, evtchn, 0);
}

/** Source: drivers/xen/events/events_base.c, xen_irq_info_cleanup() */
export function* xen_irq_info_cleanup(info: irq_info): Op {
  yield* set_evtchn_to_irq(info.evtchn, NONE);
  info.evtchn = 0;
}

/** Source: drivers/xen/events/events_base.c, evtchn_from_irq() */
export const evtchn_from_irq = (irq: number): number => info_for_irq(irq)?.evtchn ?? 0;

/** Source: drivers/xen/events/events_base.c, pirq_from_irq() */
export function pirq_from_irq(irq: number): number {
  const info = info_for_irq(irq);
  BUG_ON(info?.type !== IRQT.PIRQ, 'drivers/xen/events/events_base.c pirq_from_irq');
  return info!.u.pirq.pirq;
}

/** The CPU that a channel is bound to; 0 for one that is nobody's. Source: drivers/xen/events/events_base.c, cpu_from_evtchn() */
export function cpu_from_evtchn(evtchn: number): number {
  const irq = get_evtchn_to_irq(evtchn);
  return irq === NONE ? 0 : info_for_irq(irq)!.cpu;
}

/** Whether Xen waits for the interrupt's end, as it said when it was asked. Source: drivers/xen/events/events_base.c, pirq_needs_eoi_flag() */
export function pirq_needs_eoi_flag(irq: number): boolean {
  return ((info_for_irq(irq)?.u.pirq.flags ?? 0) & PIRQ_NEEDS_EOI) !== 0;
}

/** Events of the channel come to `cpu`: so the kernel's tables, Xen is told elsewhere. Source: drivers/xen/events/events_base.c, bind_evtchn_to_cpu() */
export function* bind_evtchn_to_cpu(evtchn: number, cpu: number): Op {
  const irq = get_evtchn_to_irq(evtchn);
  BUG_ON(irq === NONE, 'drivers/xen/events/events_base.c bind_evtchn_to_cpu');
  const info = info_for_irq(irq)!;

  irq_data_get_affinity_mask(irq_get_irq_data(irq)!).copyFrom(cpumask.of(kernel.nr_cpu_ids, cpu));
  yield* xen_evtchn_port_bind_to_cpu(evtchn, cpu, info.cpu);

  info.cpu = cpu;
}
