import type { Op } from '../../stepper/op';
import { bitmap } from '../lib/bitmap';
import { cpumask } from '../lib/cpumask';
import { EINVAL, ENOSPC } from '../lib/errno';
import { limit_bound } from '../lib/limit';
import { BUG_ON, pr_warn, WARN_ON_ONCE } from '../lib/printk';
import {
  trace_irq_matrix_alloc,
  trace_irq_matrix_alloc_managed,
  trace_irq_matrix_assign,
  trace_irq_matrix_assign_system,
  trace_irq_matrix_free,
  trace_irq_matrix_offline,
  trace_irq_matrix_online,
  trace_irq_matrix_remove_managed,
  trace_irq_matrix_remove_reserved,
  trace_irq_matrix_reserve,
  trace_irq_matrix_reserve_managed,
} from '../trace/irq_matrix';
import { has, kernel } from '../world';

// The interrupt bitmap allocator: kernel/irq/matrix.c. One bit is one vector of one CPU.

const IRQ_MATRIX_BITS = 256;

/** One CPU's vectors. */
export class cpumap {
  /** bits that a regular interrupt may still get */
  available = 0;
  allocated = 0;
  /** bits set aside for managed interrupts, in use or not */
  managed = 0;
  managed_allocated = 0;
  /** was online once: `available` counts */
  initialized = false;
  online = false;
  readonly alloc_map = new bitmap(IRQ_MATRIX_BITS);
  readonly managed_map = new bitmap(IRQ_MATRIX_BITS);
}

export class irq_matrix {
  readonly alloc_size: number;
  global_available = 0;
  global_reserved = 0;
  /** system bits inside the allocatable range */
  systembits_inalloc = 0;
  total_allocated = 0;
  online_maps = 0;
  readonly maps: readonly cpumap[];
  readonly scratch_map = new bitmap(IRQ_MATRIX_BITS);
  readonly system_map = new bitmap(IRQ_MATRIX_BITS);

  /** @param alloc_end first bit that is not allocatable */
  constructor(
    readonly matrix_bits: number,
    readonly alloc_start: number,
    readonly alloc_end: number,
    nr_cpus: number,
  ) {
    this.alloc_size = alloc_end - alloc_start;
    this.maps = Array.from({ length: nr_cpus }, () => new cpumap());
  }
}

/** Where an allocation found room. */
export interface MatrixSlot {
  readonly cpu: number;
  readonly bit: number;
}

/** @returns null for more bits than a map has. Source: kernel/irq/matrix.c, irq_alloc_matrix() */
export function* irq_alloc_matrix(matrix_bits: number, alloc_start: number, alloc_end: number): Op<irq_matrix | null> {
  if (matrix_bits > IRQ_MATRIX_BITS) return null;
  return new irq_matrix(matrix_bits, alloc_start, alloc_end, kernel.nr_cpu_ids);
}

const this_cpu_map = (m: irq_matrix): cpumap => m.maps[kernel.this_cpu];

/** Add the running CPU's vectors to the global count. Source: kernel/irq/matrix.c, irq_matrix_online() */
export function* irq_matrix_online(m: irq_matrix): Op {
  const cm = this_cpu_map(m);

  BUG_ON(cm.online, 'kernel/irq/matrix.c irq_matrix_online');

  if (!cm.initialized) {
    cm.available = m.alloc_size;
    cm.available -= cm.managed + m.systembits_inalloc;
    cm.initialized = true;
  }
  m.global_available += cm.available;
  cm.online = true;
  m.online_maps++;
  trace_irq_matrix_online(m);
}

/** Take the running CPU's vectors out of the global count; its maps stay as they are. Source: kernel/irq/matrix.c, irq_matrix_offline() */
export function* irq_matrix_offline(m: irq_matrix): Op {
  const cm = this_cpu_map(m);

  m.global_available -= cm.available;
  cm.online = false;
  m.online_maps--;
  trace_irq_matrix_offline(m);
}

/** Take the lowest bit that is neither allocated, managed nor system. @returns it, or -1. Source: kernel/irq/matrix.c, matrix_alloc_area() with num 1 */
function* matrix_alloc_area(m: irq_matrix, cm: cpumap, managed: boolean): Op<number> {
  m.scratch_map.assignOr(cm.managed_map, m.system_map);
  m.scratch_map.assignOr(m.scratch_map, cm.alloc_map);
  const area = m.scratch_map.nextZero(m.alloc_start);
  if (area < 0 || area >= m.alloc_end) return -1;
  if (managed) cm.managed_map.set(area);
  else cm.alloc_map.set(area);
  return area;
}

/** The online CPUs of `msk` have no vector left. */
function vectors_bound(m: irq_matrix, msk: cpumask): void {
  const cpus = cpumask.of(msk.nbits, ...[...msk].filter(cpu => m.maps[cpu].online));
  if (cpus.empty) return;
  const size = cpus.weight * (m.alloc_size - m.systembits_inalloc);
  const free = [...cpus].reduce((sum, cpu) => sum + m.maps[cpu].available, 0);
  limit_bound({ name: `vectors of CPU${cpus.weight > 1 ? 's' : ''} ${cpus.toString()}`, needed: 1, used: size - free, size });
}

/** The online CPU of `msk` with most available bits; the first of equals. Source: kernel/irq/matrix.c, matrix_find_best_cpu() */
function* matrix_find_best_cpu(m: irq_matrix, msk: cpumask): Op<number | undefined> {
  let best_cpu: number | undefined;
  let maxavl = 0;

  for (const cpu of msk) {
    const cm = m.maps[cpu];
    if (!cm.online || cm.available <= maxavl) continue;
    best_cpu = cpu;
    maxavl = cm.available;
  }
  return best_cpu;
}

/** The online CPU of `msk` with fewest managed bits in use; the last of equals. Source: kernel/irq/matrix.c, matrix_find_best_cpu_managed() */
function* matrix_find_best_cpu_managed(m: irq_matrix, msk: cpumask): Op<number | undefined> {
  let best_cpu: number | undefined;
  let allocated = Number.POSITIVE_INFINITY;

  for (const cpu of msk) {
    const cm = m.maps[cpu];
    if (!cm.online || cm.managed_allocated > allocated) continue;
    best_cpu = cpu;
    allocated = cm.managed_allocated;
  }
  return best_cpu;
}

/**
 * Make a bit a system vector on all CPUs; only possible before the second CPU is online.
 * @param replace the running CPU has it allocated: it stops counting as that. Source: kernel/irq/matrix.c, irq_matrix_assign_system()
 */
export function* irq_matrix_assign_system(m: irq_matrix, bit: number, replace: boolean): Op {
  const where = 'kernel/irq/matrix.c irq_matrix_assign_system';
  const cm = this_cpu_map(m);

  BUG_ON(bit > m.matrix_bits, where);
  BUG_ON(m.online_maps > 1 || (m.online_maps > 0 && !replace), where);

  m.system_map.set(bit);
  if (replace) {
    BUG_ON(!cm.alloc_map.test(bit), where);
    cm.alloc_map.clear(bit);
    cm.allocated--;
    m.total_allocated--;
  }
  if (bit >= m.alloc_start && bit < m.alloc_end) m.systembits_inalloc++;

  trace_irq_matrix_assign_system(bit, m);
}

/**
 * Set one bit aside on every CPU of `msk`, offline ones too; not necessarily the same bit.
 * @returns 0, or -ENOSPC with nothing set aside. Source: kernel/irq/matrix.c, irq_matrix_reserve_managed()
 */
export function* irq_matrix_reserve_managed(m: irq_matrix, msk: cpumask): Op<number> {
  for (const cpu of msk) {
    const cm = m.maps[cpu];
    const bit = yield* matrix_alloc_area(m, cm, true);
    if (bit < 0) {
      const size = m.alloc_size - m.systembits_inalloc;
      limit_bound({ name: `vectors of CPU ${cpu}`, needed: 1, used: size, size });
      yield* undo_reserve_managed(m, msk, cpu);
      return -ENOSPC;
    }
    cm.managed++;
    if (cm.online) {
      cm.available--;
      m.global_available--;
    }
    trace_irq_matrix_reserve_managed(bit, cpu, m, cm);
  }
  return 0;
}

/** The cleanup path of irq_matrix_reserve_managed(). */
function* undo_reserve_managed(m: irq_matrix, msk: cpumask, failed_cpu: number): Op {
  for (const cpu of msk) {
    if (cpu === failed_cpu) break;
    yield* irq_matrix_remove_managed(m, cpumask.of(msk.nbits, cpu));
  }
}

/** Give back one managed bit that is not in use on every CPU of `msk`, whichever it is. Source: kernel/irq/matrix.c, irq_matrix_remove_managed() */
export function* irq_matrix_remove_managed(m: irq_matrix, msk: cpumask): Op {
  for (const cpu of msk) {
    const cm = m.maps[cpu];

    if (WARN_ON_ONCE(cm.managed === 0, 'kernel/irq/matrix.c irq_matrix_remove_managed managed')) continue;

    const bit = m.scratch_map.assignAndNot(cm.managed_map, cm.alloc_map).next();
    if (WARN_ON_ONCE(bit < 0, 'kernel/irq/matrix.c irq_matrix_remove_managed bit')) continue;

    cm.managed_map.clear(bit);

    cm.managed--;
    if (cm.online) {
      cm.available++;
      m.global_available++;
    }
    trace_irq_matrix_remove_managed(bit, cpu, m, cm);
  }
}

/** Take a managed bit into use on a CPU of `msk`. @returns the slot, -EINVAL for an empty mask, -ENOSPC. Source: kernel/irq/matrix.c, irq_matrix_alloc_managed() */
export function* irq_matrix_alloc_managed(m: irq_matrix, msk: cpumask): Op<MatrixSlot | number> {
  if (msk.empty) return -EINVAL;

  const cpu = yield* matrix_find_best_cpu_managed(m, msk);
  if (cpu === undefined) return -ENOSPC;

  const cm = m.maps[cpu];
  const bit = m.scratch_map.assignAndNot(cm.managed_map, cm.alloc_map).next();
  if (bit < 0) {
    limit_bound({ name: `managed vectors of CPU ${cpu}`, needed: 1, used: cm.managed_allocated, size: cm.managed });
    return -ENOSPC;
  }
  cm.alloc_map.set(bit);
  cm.allocated++;
  cm.managed_allocated++;
  m.total_allocated++;
  trace_irq_matrix_alloc_managed(bit, cpu, m, cm);
  return { cpu, bit };
}

/** Mark a bit of the running CPU that is in use already. Source: kernel/irq/matrix.c, irq_matrix_assign() */
export function* irq_matrix_assign(m: irq_matrix, bit: number): Op {
  const cm = this_cpu_map(m);

  if (WARN_ON_ONCE(bit < m.alloc_start || bit >= m.alloc_end, 'kernel/irq/matrix.c irq_matrix_assign range')) return;
  if (WARN_ON_ONCE(cm.alloc_map.test(bit), 'kernel/irq/matrix.c irq_matrix_assign bit')) return;
  cm.alloc_map.set(bit);
  cm.allocated++;
  m.total_allocated++;
  cm.available--;
  m.global_available--;
  trace_irq_matrix_assign(bit, kernel.this_cpu, m, cm);
}

/** Count an interrupt that will want a bit when it is activated; never refused. Source: kernel/irq/matrix.c, irq_matrix_reserve() */
export function* irq_matrix_reserve(m: irq_matrix): Op {
  if (m.global_reserved <= m.global_available && m.global_reserved + 1 > m.global_available) {
    pr_warn('Interrupt reservation exceeds available resources');
    limit_bound({ name: 'vectors that can be reserved', needed: 1, used: m.global_reserved, size: m.global_available });
  }

  m.global_reserved++;
  trace_irq_matrix_reserve(m);
}

/** Source: kernel/irq/matrix.c, irq_matrix_remove_reserved() */
export function* irq_matrix_remove_reserved(m: irq_matrix): Op {
  m.global_reserved--;
  trace_irq_matrix_remove_reserved(m);
}

/**
 * Take a bit on the CPU of `msk` that has most of them left.
 * @param reserved the interrupt was counted by irq_matrix_reserve()
 * @returns the slot, -EINVAL for an empty mask, -ENOSPC when no CPU has one. Source: kernel/irq/matrix.c, irq_matrix_alloc()
 */
export function* irq_matrix_alloc(m: irq_matrix, msk: cpumask, reserved: boolean): Op<MatrixSlot | number> {
  if (msk.empty) return -EINVAL;

  const cpu = yield* matrix_find_best_cpu(m, msk);
  if (cpu === undefined) {
    vectors_bound(m, msk);
    return -ENOSPC;
  }

  const cm = m.maps[cpu];
  const bit = yield* matrix_alloc_area(m, cm, false);
  if (bit < 0) return -ENOSPC;
  cm.allocated++;
  cm.available--;
  m.total_allocated++;
  m.global_available--;
  if (reserved) m.global_reserved--;
  trace_irq_matrix_alloc(bit, cpu, m, cm);
  return { cpu, bit };
}

/** Give a bit back; a bit that is clear already is not noticed. @param managed it stays set aside. Source: kernel/irq/matrix.c, irq_matrix_free() */
export function* irq_matrix_free(m: irq_matrix, cpu: number, bit: number, managed: boolean): Op {
  const cm = m.maps[cpu];

  if (WARN_ON_ONCE(bit < m.alloc_start || bit >= m.alloc_end, 'kernel/irq/matrix.c irq_matrix_free')) return;

  if (has('matrix-counter-corruption') && WARN_ON_ONCE(!cm.alloc_map.test(bit), 'kernel/irq/matrix.c irq_matrix_free')) return;
  cm.alloc_map.clear(bit);
  cm.allocated--;
  if (managed) cm.managed_allocated--;

  if (cm.online) m.total_allocated--;

  if (!managed) {
    cm.available++;
    if (cm.online) m.global_available++;
  }
  trace_irq_matrix_free(bit, cpu, m, cm);
}

/** @param cpudown without the running CPU's. Source: kernel/irq/matrix.c, irq_matrix_available() */
export function* irq_matrix_available(m: irq_matrix, cpudown: boolean): Op<number> {
  if (!cpudown) return m.global_available;
  return m.global_available - this_cpu_map(m).available;
}

/** Source: kernel/irq/matrix.c, irq_matrix_reserved() */
export function* irq_matrix_reserved(m: irq_matrix): Op<number> {
  return m.global_reserved;
}

/** Bits in use on the running CPU that go elsewhere when it goes offline. Source: kernel/irq/matrix.c, irq_matrix_allocated() */
export function* irq_matrix_allocated(m: irq_matrix): Op<number> {
  const { allocated, managed_allocated } = this_cpu_map(m);
  return has('matrix-managed-stay') ? allocated - managed_allocated : allocated;
}
