import type { Op } from '../../stepper/op';
import type { cpumask } from '../lib/cpumask';
import type { raw_spinlock, mutex } from '../lib/locking';
import type { irqaction } from './interrupt';
import { type irq_common_data, type irq_data } from './irq';

/** A flow handler: handle_edge_irq() and the like. */
export type irq_flow_handler = (desc: irq_desc) => Op;

/** desc->istate bits of kernel/irq/internals.h */
export const IRQS = {
  AUTODETECT: 0x1,
  SPURIOUS_DISABLED: 0x2,
  POLL_INPROGRESS: 0x8,
  ONESHOT: 0x20,
  REPLAY: 0x40,
  WAITING: 0x80,
  PENDING: 0x200,
  SUSPENDED: 0x800,
} as const;

/** An interrupt line (include/linux/irqdesc.h). */
export class irq_desc {
  action: irqaction | null = null;
  /** IRQ_* settings */
  status_use_accessors = 0;
  /** IRQS bits */
  istate = 0;
  /** nesting of disable_irq(); 0 = enabled */
  depth = 1;
  tot_count = 0;
  irq_count = 0;
  irqs_unhandled = 0;
  /** threads that keep a one-shot line masked, one bit each */
  threads_oneshot = 0;
  threads_active = 0;
  threads_handled = 0;
  threads_handled_last = 0;
  pending_mask: cpumask;
  affinity_hint: cpumask | null = null;
  /** actions in all, and those that want something of suspend and resume */
  nr_actions = 0;
  no_suspend_depth = 0;
  cond_suspend_depth = 0;
  force_resume_depth = 0;
  /** /proc/irq/<irq>: the handlers' directories in it; null = not there */
  dir: Set<string> | null = null;
  /** of smp_affinity and smp_affinity_list there; root writes read-only files, too */
  affinity_mode = 0;
  /** flow handler's name as /proc/interrupts prints it after the dash */
  name: string | null = null;
  /** interrupts handled, by CPU; a CPU that handled none has no entry */
  readonly kstat_irqs = new Map<number, number>();

  constructor(
    readonly irq_common_data: irq_common_data,
    readonly irq_data: irq_data,
    public handle_irq: irq_flow_handler,
    readonly lock: raw_spinlock,
    readonly request_mutex: mutex,
    pending_mask: cpumask,
  ) {
    this.pending_mask = pending_mask;
  }
}

export const irq_desc_has_action = (desc: irq_desc | null): boolean => desc !== null && desc.action !== null;
