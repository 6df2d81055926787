import type { Op } from '../../stepper/op';
import { bitmap_parselist } from '../lib/bitmap_parse';
import type { cpumask } from '../lib/cpumask';
import { pr_info, pr_warn } from '../lib/printk';
import { kernel } from '../world';

/** What isolated CPUs are spared. Source: include/linux/sched/isolation.h, enum hk_flags */
export const HK_FLAG = { DOMAIN: 1 << 5, WQ: 1 << 6, MANAGED_IRQ: 1 << 7 } as const;

export const isolation_globals = () => ({
  /** the CPUs that are not isolated; null = none was ever */
  housekeeping_mask: null as cpumask | null,
  /** HK_FLAG: what the others are spared */
  housekeeping_flags: 0,
});

const FLAG_OF_WORD: Record<string, number> = { domain: HK_FLAG.DOMAIN, managed_irq: HK_FLAG.MANAGED_IRQ };

/**
 * isolcpus= of the command line: words, then a list of CPUs. Without a word that it knows it is about scheduling domains.
 * Source: kernel/sched/isolation.c, housekeeping_isolcpus_setup()
 */
export function* housekeeping_isolcpus_setup(value: string): Op {
  const parts = value.split(',');
  let flags = 0;
  for (; /^[a-z]/i.test(parts[0] ?? ''); parts.shift()) {
    const word = parts[0];
    if (!/^[a-z_]+$/i.test(word)) {
      pr_warn(`isolcpus: Invalid flag ${word}`);
      return;
    }
    if (!(word in FLAG_OF_WORD)) pr_info(`isolcpus: Skipped unknown flag ${word}`);
    flags |= FLAG_OF_WORD[word] ?? 0;
  }
  yield* housekeeping_setup(parts.join(','), flags || HK_FLAG.DOMAIN);
}

/** Isolates the CPUs of a list; some CPU that is there is always left, and all lists must be the same. Source: kernel/sched/isolation.c, housekeeping_setup() */
function* housekeeping_setup(list: string, flags: number): Op {
  const isolated = bitmap_parselist(list, kernel.nr_cpu_ids);
  if (typeof isolated === 'number') {
    pr_warn('Housekeeping: nohz_full= or isolcpus= incorrect CPU range');
    return;
  }

  const mask = kernel.cpu_possible_mask.copy();
  for (const cpu of isolated) mask.clear(cpu);
  if (!mask.intersects(kernel.cpu_present_mask)) {
    if (!kernel.housekeeping_flags) pr_warn(`Housekeeping: must include one present CPU, using boot CPU:${kernel.this_cpu}`);
    mask.set(kernel.this_cpu);
  }
  if (kernel.housekeeping_flags && mask.toString() !== kernel.housekeeping_mask?.toString()) {
    pr_warn('Housekeeping: nohz_full= must match isolcpus=');
    return;
  }
  kernel.housekeeping_mask = mask;
  kernel.housekeeping_flags |= flags;
}

/** Whether some CPUs are spared one of `flags`. Source: kernel/sched/isolation.c, housekeeping_enabled() */
export function* housekeeping_enabled(flags: number): Op<boolean> {
  return (kernel.housekeeping_flags & flags) !== 0;
}

/** @returns the CPUs that are not spared one of `flags`. Source: kernel/sched/isolation.c, housekeeping_cpumask() */
export function* housekeeping_cpumask(flags: number): Op<cpumask> {
  return kernel.housekeeping_mask && kernel.housekeeping_flags & flags ? kernel.housekeeping_mask : kernel.cpu_possible_mask;
}
