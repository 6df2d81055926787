import type { Op } from '../../stepper/op';
import type { cpumask } from '../lib/cpumask';

export const IRQF_TRIGGER_MASK = 0xf;
/** request_irq(): other handlers of the line are welcome; each must say so. */
export const IRQF_SHARED = 0x80;
export const IRQF_PROBE_SHARED = 0x100;
export const __IRQF_TIMER = 0x200;
export const IRQF_PERCPU = 0x400;
/** request_irq(): the affinity is not for users to write. */
export const IRQF_NOBALANCING = 0x800;
export const IRQF_IRQPOLL = 0x1000;
/** request_threaded_irq(): the line stays masked until the thread is done. */
export const IRQF_ONESHOT = 0x2000;
export const IRQF_NO_SUSPEND = 0x4000;
export const IRQF_FORCE_RESUME = 0x8000;
/** request_irq(): no thread, also with threadirqs. */
export const IRQF_NO_THREAD = 0x10000;
export const IRQF_EARLY_RESUME = 0x20000;
export const IRQF_COND_SUSPEND = 0x40000;
export const IRQF_TIMER = __IRQF_TIMER | IRQF_NO_SUSPEND | IRQF_NO_THREAD;

/** The irq of a device whose line is not wired. */
export const IRQ_NOTCONNECTED = 0x80000000;

/** A handler's answer: the interrupt was not from its device. */
export const IRQ_NONE = 0;
/** A handler's answer: done. */
export const IRQ_HANDLED = 1;
/** A handler's answer: its thread shall do the rest. */
export const IRQ_WAKE_THREAD = 2;

/** A handler. @param dev_id what request_irq() was given @returns IRQ_NONE, IRQ_HANDLED or IRQ_WAKE_THREAD */
export type irq_handler_t = (irq: number, dev_id: unknown) => Op<number>;

/** irqaction.thread_flags */
export const IRQTF = { RUNTHREAD: 1, WARNED: 2, AFFINITY: 4, FORCED_THREAD: 8 } as const;

/** One handler of a line. */
export class irqaction {
  next: irqaction | null = null;
  /** its directory below /proc/irq/<irq>; null when another action of the line has the name */
  dir: string | null = null;
  thread_fn: irq_handler_t | null = null;
  /** its thread's name; null = it has none */
  thread: string | null = null;
  /** the thread is awake */
  thread_runs = false;
  thread_flags = 0;
  /** its bit in threads_oneshot */
  thread_mask = 0;
  /** the driver's own thread, where all handlers are threads */
  secondary: irqaction | null = null;
  constructor(
    public handler: irq_handler_t,
    readonly dev_id: unknown,
    readonly name: string,
    public flags: number,
    public irq: number,
  ) {}
}

/** What a driver asks of the spreading of its vectors. */
export interface irq_affinity {
  pre_vectors: number;
  post_vectors: number;
  nr_sets: number;
  set_size: number[];
  calc_sets?: (affd: irq_affinity, affvecs: number) => Op;
  priv?: unknown;
}

/** Where one vector shall go; managed ones keep their CPUs for life. */
export class irq_affinity_desc {
  constructor(
    public mask: cpumask,
    public is_managed: boolean,
  ) {}
}
