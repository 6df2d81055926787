import type { Op } from '../../stepper/op';
import { arch_dynirq_lower_bound } from '../arch/x86/apic/io_apic';
import { arch_early_irq_init, arch_probe_nr_irqs } from '../arch/x86/apic/vector';
import type { KernelConfig } from '../globals';
import type { irq_affinity_desc } from '../include/interrupt';
import {
  IRQ_LEVEL, IRQ_NOAUTOEN, IRQ_NOPROBE, IRQ_NOREQUEST, IRQ_NOTHREAD, IRQ_PER_CPU, IRQD, irq_common_data, irq_data, irqd_is_handle_enforce_irqctx, irqd_set,
} from '../include/irq';
import { irq_desc, IRQS } from '../include/irqdesc';
import { first_online_node } from '../include/topology';
import { bitmap } from '../lib/bitmap';
import { bitmap_parselist } from '../lib/bitmap_parse';
import { cpumask } from '../lib/cpumask';
import { EEXIST, EINVAL, ENOMEM, EPERM } from '../lib/errno';
import { limit_bound } from '../lib/limit';
import { mutex, mutex_lock, mutex_unlock, raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, raw_spinlock } from '../lib/locking';
import { pr_info, pr_warn, WARN_ON, WARN_ON_ONCE } from '../lib/printk';
import { kzalloc, should_fail } from '../lib/slab';
import { has, kernel } from '../world';
import { no_irq_chip } from './dummychip';
import { handle_bad_irq } from './handle';
import { unregister_irq_proc } from './proc';
import { irq_settings_clr_and_set, irq_settings_is_per_cpu_devid } from './settings';

const DEFAULT_NR_CPUS = 8192;
const MAX_IO_APICS = 128;

/** CONFIG_NR_CPUS: 8192 where nothing is said, as with MAXSMP. */
export function NR_CPUS({ config }: KernelConfig): number {
  const symbol = [...config].find(name => name.startsWith('NR_CPUS='));
  return symbol === undefined ? DEFAULT_NR_CPUS : Number(symbol.slice('NR_CPUS='.length));
}

/** By the configured CPUs, or IOAPICs if that is more: arch/x86/include/asm/irq_vectors.h. */
export const NR_IRQS = (config: KernelConfig): number => 256 + Math.max(64 * NR_CPUS(config), 32 * MAX_IO_APICS);

/** Numbers that CONFIG_SPARSE_IRQ can ever hand out. */
export const IRQ_BITMAP_BITS = (config: KernelConfig): number => NR_IRQS(config) + 8196;
const IRQ_DEFAULT_INIT_FLAGS = 0;

/** What __irq_get_desc_lock() has to check. */
const _IRQ_DESC_CHECK = 1 << 0;
const _IRQ_DESC_PERCPU = 1 << 1;
export const IRQ_GET_DESC_CHECK_GLOBAL = _IRQ_DESC_CHECK;

export const irqdesc_globals = (nr_cpu_ids: number, config: KernelConfig) => ({
  nr_irqs: NR_IRQS(config),
  allocated_irqs: new bitmap(IRQ_BITMAP_BITS(config)),
  irq_desc_tree: new Map<number, irq_desc>(),
  sparse_irq_lock: new mutex('sparse_irq_lock'),
  /** affinity of a line that nobody asked anything for */
  irq_default_affinity: new cpumask(nr_cpu_ids),
});

/** @returns the descriptor, or null for a number that is not allocated */
export const irq_to_desc = (irq: number): irq_desc | null => kernel.irq_desc_tree.get(irq) ?? null;

/** @returns the outermost irq_data, or null */
export const irq_get_irq_data = (irq: number): irq_data | null => irq_to_desc(irq)?.irq_data ?? null;

/** The line that any level of its irq_data chain belongs to. */
export const irq_data_to_desc = (data: irq_data): irq_desc => irq_to_desc(data.irq)!;

/** irqaffinity= of the command line, a list of CPUs; the boot CPU is always one of them. Source: irq_affinity_setup() */
export function* irq_affinity_setup(list: string): Op {
  const parsed = bitmap_parselist(list, kernel.nr_cpu_ids);
  if (typeof parsed !== 'number') kernel.irq_default_affinity.copyFrom(parsed);
  kernel.irq_default_affinity.set(kernel.this_cpu);
}

function* init_irq_default_affinity(): Op {
  if (kernel.irq_default_affinity.empty) kernel.irq_default_affinity.setAll();
}

function* desc_smp_init(desc: irq_desc, node: number, affinity: cpumask | null): Op {
  desc.irq_common_data.affinity.copyFrom(affinity ?? kernel.irq_default_affinity);
  desc.pending_mask.clearAll();
  desc.irq_common_data.node = node;
}

function* desc_set_defaults(irq: number, desc: irq_desc, node: number, affinity: cpumask | null): Op {
  desc.irq_common_data.handler_data = null;
  desc.irq_common_data.msi_desc = null;
  desc.irq_data.irq = irq;
  desc.irq_data.chip = no_irq_chip;
  desc.irq_data.chip_data = null;
  irq_settings_clr_and_set(desc, ~0, IRQ_DEFAULT_INIT_FLAGS);
  irqd_set(desc.irq_data, IRQD.IRQ_DISABLED);
  irqd_set(desc.irq_data, IRQD.IRQ_MASKED);
  desc.handle_irq = handle_bad_irq;
  desc.depth = 1;
  desc.irq_count = 0;
  desc.irqs_unhandled = 0;
  desc.tot_count = 0;
  desc.name = null;
  desc.kstat_irqs.clear();
  yield* desc_smp_init(desc, node, affinity);
}

export function* irq_lock_sparse(): Op {
  yield* mutex_lock(kernel.sparse_irq_lock);
}

export function* irq_unlock_sparse(): Op {
  yield* mutex_unlock(kernel.sparse_irq_lock);
}

/** The descriptor with its masks still to be had. */
function new_irq_desc(irq: number, node: number): irq_desc {
  const n = kernel.nr_cpu_ids;
  const common = new irq_common_data(node, new cpumask(n), new cpumask(n));
  const data = new irq_data(irq, common, no_irq_chip);
  return new irq_desc(common, data, handle_bad_irq, new raw_spinlock(`irq_desc[${irq}].lock`), new mutex(`irq_desc[${irq}].request_mutex`), new cpumask(n));
}

/** The masks are memory of their own where CONFIG_CPUMASK_OFFSTACK is on. @returns 0 or -ENOMEM */
function* alloc_masks(desc: irq_desc): Op<number> {
  for (const mask of ['affinity', 'effective_affinity', 'pending_mask']) if (should_fail(`alloc_masks: ${mask}`)) return -ENOMEM;
  return 0;
}

function* alloc_desc(irq: number, node: number, flags: number, affinity: cpumask | null): Op<irq_desc | null> {
  const desc = kzalloc('alloc_desc: struct irq_desc', () => new_irq_desc(irq, node));
  if (!desc) return null;
  if (should_fail('alloc_desc: kstat_irqs')) return null;
  if (yield* alloc_masks(desc)) return null;

  yield* desc_set_defaults(irq, desc, node, affinity);
  irqd_set(desc.irq_data, flags);
  return desc;
}

function* free_desc(irq: number): Op {
  const desc = irq_to_desc(irq)!;
  yield* unregister_irq_proc(irq, desc);
  kernel.irq_desc_tree.delete(irq);
}

/**
 * Make `cnt` descriptors from `start` on. One with an affinity of its own belongs to the node of that mask's first CPU.
 * @returns start, -EINVAL for an empty mask, or -ENOMEM. Source: kernel/irq/irqdesc.c, alloc_descs()
 */
function* alloc_descs(start: number, cnt: number, node: number, affinity: readonly irq_affinity_desc[] | null): Op<number> {
  if (affinity) {
    for (let i = 0; i < cnt; i++) {
      if (affinity[i].mask.empty) return -EINVAL;
    }
  }

  for (let i = 0; i < cnt; i++) {
    let mask: cpumask | null = null;
    let flags = 0;
    if (affinity) {
      if (affinity[i].is_managed) flags = IRQD.AFFINITY_MANAGED | IRQD.MANAGED_SHUTDOWN;
      if (has('affinity-set-at-alloc')) flags |= IRQD.AFFINITY_SET;
      mask = affinity[i].mask;
      node = kernel.cpu_to_node[mask.first]!;
    }
    const desc = yield* alloc_desc(start + i, node, flags, mask);
    if (!desc) {
      for (i--; i >= 0; i--) yield* free_desc(start + i);
      return -ENOMEM;
    }
    kernel.irq_desc_tree.set(start + i, desc);
  }
  for (let i = 0; i < cnt; i++) kernel.allocated_irqs.set(start + i);
  return start;
}

function* irq_expand_nr_irqs(nr: number): Op<number> {
  const size = IRQ_BITMAP_BITS(kernel.config);
  if (nr > size) {
    limit_bound({ name: 'interrupt numbers', needed: nr - size, used: kernel.allocated_irqs.weight, size });
    return -ENOMEM;
  }
  kernel.nr_irqs = nr;
  return 0;
}

/** The first of the interrupt subsystem at boot: the legacy descriptors, then the architecture's part. @returns 0 or an errno of it. Source: kernel/irq/irqdesc.c, early_irq_init() */
export function* early_irq_init(): Op<number> {
  const node = first_online_node();
  yield* init_irq_default_affinity();
  let initcnt = yield* arch_probe_nr_irqs();
  pr_info(`NR_IRQS: ${NR_IRQS(kernel.config)}, nr_irqs: ${kernel.nr_irqs}, preallocated irqs: ${initcnt}`);

  if (WARN_ON(kernel.nr_irqs > IRQ_BITMAP_BITS(kernel.config), 'kernel/irq/irqdesc.c early_irq_init')) kernel.nr_irqs = IRQ_BITMAP_BITS(kernel.config);
  if (WARN_ON(initcnt > IRQ_BITMAP_BITS(kernel.config), 'kernel/irq/irqdesc.c early_irq_init')) initcnt = IRQ_BITMAP_BITS(kernel.config);
  if (initcnt > kernel.nr_irqs) kernel.nr_irqs = initcnt;

  for (let i = 0; i < initcnt; i++) {
    const desc = yield* alloc_desc(i, node, 0, null);
    kernel.allocated_irqs.set(i);
    kernel.irq_desc_tree.set(i, desc!);
  }
  return yield* arch_early_irq_init();
}

/** The line's flow handler: header inline. */
export function* generic_handle_irq_desc(desc: irq_desc): Op {
  yield* desc.handle_irq(desc);
}

/** Run an interrupt by its number. @returns 0, -EINVAL without a descriptor, -EPERM outside of hard interrupts where the chip needs their context. Source: kernel/irq/irqdesc.c, generic_handle_irq() */
export function* generic_handle_irq(irq: number): Op<number> {
  const desc = irq_to_desc(irq);
  if (!desc) return -EINVAL;
  const in_irq = kernel.cpus[kernel.this_cpu].hardirq_count > 0;
  if (WARN_ON_ONCE(!in_irq && irqd_is_handle_enforce_irqctx(desc.irq_data), 'kernel/irq/irqdesc.c generic_handle_irq')) return -EPERM;
  yield* generic_handle_irq_desc(desc);
  return 0;
}

export function* irq_free_descs(from: number, cnt: number): Op {
  if (from >= kernel.nr_irqs || from + cnt > kernel.nr_irqs) return;

  yield* mutex_lock(kernel.sparse_irq_lock);
  for (let i = 0; i < cnt; i++) yield* free_desc(from + i);
  for (let i = 0; i < cnt; i++) kernel.allocated_irqs.clear(from + i);
  yield* mutex_unlock(kernel.sparse_irq_lock);
}

/**
 * Allocate `cnt` consecutive interrupt numbers with their descriptors.
 * @param irq the number wanted, or -1 for the first free area from `from` (or what the architecture keeps below) on
 * @param node NUMA node or -1; an affinity descriptor's CPUs decide instead
 * @returns the first number; -EINVAL for cnt 0, from > irq or an empty mask; -EEXIST when irq is taken; -ENOMEM when no number is left. Source: kernel/irq/irqdesc.c, __irq_alloc_descs()
 */
export function* __irq_alloc_descs(irq: number, from: number, cnt: number, node: number, affinity: readonly irq_affinity_desc[] | null): Op<number> {
  if (cnt === 0) return -EINVAL;
  if (irq >= 0) {
    if (from > irq) return -EINVAL;
    from = irq;
  } else {
    from = yield* arch_dynirq_lower_bound(from);
  }

  yield* mutex_lock(kernel.sparse_irq_lock);
  const area = kernel.allocated_irqs.nextZeroArea(from, cnt);
  const start = area < 0 ? IRQ_BITMAP_BITS(kernel.config) : area;
  let ret = -EEXIST;
  if (irq < 0 || start === irq) {
    ret = start + cnt > kernel.nr_irqs ? yield* irq_expand_nr_irqs(start + cnt) : 0;
    if (ret === 0) ret = yield* alloc_descs(start, cnt, node, affinity);
  }
  yield* mutex_unlock(kernel.sparse_irq_lock);
  return ret;
}

/** @returns the first allocated number at or after `offset`, or nr_irqs. Source: kernel/irq/irqdesc.c, irq_get_next_irq() */
export function* irq_get_next_irq(offset: number): Op<number> {
  const irq = kernel.allocated_irqs.next(offset, kernel.nr_irqs);
  return irq < 0 ? kernel.nr_irqs : irq;
}

/** A descriptor held, and what to give back with it. */
export interface locked_desc {
  readonly desc: irq_desc;
  readonly flags: boolean;
}

/** Take the chip's bus lock, where it has one: header inline. */
export function* chip_bus_lock(desc: irq_desc): Op {
  if (desc.irq_data.chip.irq_bus_lock) yield* desc.irq_data.chip.irq_bus_lock(desc.irq_data);
}

export function* chip_bus_sync_unlock(desc: irq_desc): Op {
  if (desc.irq_data.chip.irq_bus_sync_unlock) yield* desc.irq_data.chip.irq_bus_sync_unlock(desc.irq_data);
}

/** @returns the descriptor with its lock taken (and the chip's bus locked); null when there is none, or not of the kind that `check` asks for. Source: kernel/irq/irqdesc.c, __irq_get_desc_lock() */
export function* __irq_get_desc_lock(irq: number, bus: boolean, check: number): Op<locked_desc | null> {
  const desc = irq_to_desc(irq);
  if (!desc) return null;
  if (check & _IRQ_DESC_CHECK) {
    if (((check & _IRQ_DESC_PERCPU) !== 0) !== irq_settings_is_per_cpu_devid(desc)) return null;
  }
  if (bus) yield* chip_bus_lock(desc);
  const flags = yield* raw_spin_lock_irqsave(desc.lock);
  return { desc, flags };
}

export function* __irq_put_desc_unlock(held: locked_desc, bus: boolean): Op {
  yield* raw_spin_unlock_irqrestore(held.desc.lock, held.flags);
  if (bus) yield* chip_bus_sync_unlock(held.desc);
}

/** Inlines of kernel/irq/internals.h. */
export const irq_get_desc_lock = (irq: number, check: number): Op<locked_desc | null> => __irq_get_desc_lock(irq, false, check);
export const irq_put_desc_unlock = (held: locked_desc): Op => __irq_put_desc_unlock(held, false);
export const irq_get_desc_buslock = (irq: number, check: number): Op<locked_desc | null> => __irq_get_desc_lock(irq, true, check);
export const irq_put_desc_busunlock = (held: locked_desc): Op => __irq_put_desc_unlock(held, true);

/** Interrupts of the line that a CPU has handled. Source: kernel/irq/irqdesc.c, kstat_irqs_cpu() */
export const kstat_irqs_cpu = (desc: irq_desc, cpu: number): number => desc.kstat_irqs.get(cpu) ?? 0;

/** Count an interrupt for this CPU only: per-CPU lines. */
export function __kstat_incr_irqs_this_cpu(desc: irq_desc): void {
  const cpu = kernel.this_cpu;
  desc.kstat_irqs.set(cpu, kstat_irqs_cpu(desc, cpu) + 1);
}

export function kstat_incr_irqs_this_cpu(desc: irq_desc): void {
  __kstat_incr_irqs_this_cpu(desc);
  desc.tot_count++;
}

const PRINTED_SETTINGS = { IRQ_LEVEL, IRQ_PER_CPU, IRQ_NOPROBE, IRQ_NOREQUEST, IRQ_NOTHREAD, IRQ_NOAUTOEN };
const PRINTED_STATE = { IRQS_AUTODETECT: IRQS.AUTODETECT, IRQS_REPLAY: IRQS.REPLAY, IRQS_WAITING: IRQS.WAITING, IRQS_PENDING: IRQS.PENDING };

/** What the kernel logs of a line that should not have got an interrupt. Source: kernel/irq/debug.h, print_irq_desc() */
export function print_irq_desc(irq: number, desc: irq_desc): void {
  pr_warn(`irq ${irq}, desc: (ptrval), depth: ${desc.depth}, count: ${desc.irq_count}, unhandled: ${desc.irqs_unhandled}`);
  pr_warn(`->handle_irq():  (ptrval), ${desc.handle_irq.name}`);
  pr_warn(`->irq_data.chip(): (ptrval), ${desc.irq_data.chip.name}`);
  pr_warn(`->action(): ${desc.action ? '(ptrval)' : '0000000000000000'}`);
  if (desc.action) pr_warn(`->action->handler(): (ptrval), ${desc.action.handler.name}`);
  for (const [name, bit] of Object.entries(PRINTED_SETTINGS)) if (desc.status_use_accessors & bit) pr_warn(`${name.padStart(14)} set`);
  for (const [name, bit] of Object.entries(PRINTED_STATE)) if (desc.istate & bit) pr_warn(`${name.padStart(14)} set`);
}
