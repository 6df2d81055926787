import { is_irq_desc, ISA_IRQ_VECTOR } from '../../kernel/arch/x86/hw_irq';
import { NR_IRQS_LEGACY } from '../../kernel/arch/x86/i8259';
import type { Kernel } from '../../kernel/globals';
import type { cpumap } from '../../kernel/irq/matrix';
import { bitmap } from '../../kernel/lib/bitmap';
import type { World } from '../../kernel/world';
import type { Drift } from './drift';
import type { VectorIrq } from './owners';
import { KNOWN, type Report } from './report';

/** The vector matrix against itself, against the interrupts and against the CPUs' tables: I1 to I9, I12, orphans. */
export function checkMatrix({ kernel, changes }: World, irqs: readonly VectorIrq[], drift: Drift, report: Report): void {
  const m = kernel.vector_matrix;
  m.maps.forEach((cm, cpu) => checkMap(kernel, cm, cpu, drift, report));
  checkGlobals(kernel, irqs, drift, report);
  const owners = checkOwners(irqs, report);
  const leak = changes.has('vector-leak-cpu-offline') ? undefined : KNOWN.OFFLINE_LEAK;
  checkOrphans(kernel, owners, report, cpu => (drift.hasBeenDown(cpu, m.maps[cpu].online) ? leak : undefined));
}

const scratch = new bitmap(256);

/** How many bits both have. */
function common(a: bitmap, b: bitmap): number {
  return a.weight - scratch.assignAndNot(a, b).weight;
}

function checkMap(kernel: Kernel, cm: cpumap, cpu: number, drift: Drift, report: Report): void {
  const m = kernel.vector_matrix;
  if (cm.initialized) {
    const off = cm.available - (m.alloc_size - m.systembits_inalloc - cm.managed - (cm.allocated - cm.managed_allocated));
    // The tracepoints are silent on a CPU that goes: only that it was down is certain.
    const known = off === (drift.available.get(cpu) ?? 0) || drift.hasBeenDown(cpu, cm.online) ? KNOWN.AVAILABLE_DRIFT : undefined;
    report.expect(off === 0, 'I1', () => `CPU ${cpu}: available is ${cm.available}, ${Math.abs(off)} too ${off > 0 ? 'many' : 'few'}`, known);
  }
  report.equal(cm.allocated, cm.alloc_map.weight, 'I2', () => `CPU ${cpu}: allocated`);
  report.equal(cm.managed, cm.managed_map.weight, 'I2', () => `CPU ${cpu}: managed`);
  report.equal(cm.managed_allocated, common(cm.alloc_map, cm.managed_map), 'I2', () => `CPU ${cpu}: managed_allocated`);
  for (const name of ['alloc_map', 'managed_map'] as const) {
    const map = cm[name];
    report.equal(common(map, m.system_map), 0, 'I3', () => `CPU ${cpu}: system vectors in ${name}`);
    const below = map.next(0, m.alloc_start);
    const outside = below < 0 ? map.next(m.alloc_end) : below;
    report.expect(outside < 0, 'I3', () => `CPU ${cpu}: ${name} has vector ${outside}; expected ${m.alloc_start} to ${m.alloc_end - 1}`);
  }
  report.expect(cm.managed_allocated <= cm.managed, 'I4', () => `CPU ${cpu}: managed_allocated is ${cm.managed_allocated}, of ${cm.managed} managed`);
}

function checkGlobals({ vector_matrix: m, cpu_online_mask, xen_domain_type }: Kernel, irqs: readonly VectorIrq[], drift: Drift, report: Report): void {
  const sum = (maps: readonly cpumap[], key: 'available' | 'allocated' | 'managed'): number => maps.reduce((total, cm) => total + cm[key], 0);
  const online = m.maps.filter(cm => cm.online);
  report.equal(m.global_available, sum(online, 'available'), 'I5', () => 'global_available');
  report.equal(m.online_maps, online.length, 'I6', () => 'online_maps', xen_domain_type === 'XEN_PV_DOMAIN' ? KNOWN.PV_OFFLINE : undefined);
  // A PV guest of Xen's has no vectors: its CPUs never join.
  const pv = xen_domain_type === 'XEN_PV_DOMAIN';
  m.maps.forEach((cm, cpu) => report.expect(cm.online === (cpu_online_mask.test(cpu) && !pv), 'I6', () => `CPU ${cpu} is ${cm.online ? '' : 'not '}in the matrix; expected what cpu_online_mask says`));

  const off = m.total_allocated - sum(m.maps, 'allocated');
  const known = off === drift.total || m.maps.some((cm, cpu) => drift.hasBeenDown(cpu, cm.online)) ? KNOWN.OFFLINE_TOTAL : undefined;
  report.expect(off === 0, 'I7', () => `total_allocated is ${m.total_allocated}, ${Math.abs(off)} too ${off > 0 ? 'many' : 'few'}`, known);

  report.equal(m.global_reserved, irqs.filter(({ apicd }) => apicd.has_reserved).length, 'I8', () => 'global_reserved');
  const managed = irqs.filter(({ apicd }) => apicd.is_managed).reduce((total, { desc }) => total + desc.irq_common_data.affinity.weight, 0);
  report.equal(sum(m.maps, 'managed'), managed, 'I9', () => 'the number of managed bits');
}

/** Who has which vector of which CPU, now or before a move: by slotOf(). */
type Owners = ReadonlyMap<number, VectorIrq>;

const slotOf = (cpu: number, vector: number): number => cpu * 256 + vector;

const place = (cpu: number, vector: number): string => `vector ${vector} of CPU ${cpu}`;

function checkOwners(irqs: readonly VectorIrq[], report: Report): Owners {
  const owners = new Map<number, VectorIrq>();
  for (const owner of irqs) {
    const { vector, cpu, prev_vector, prev_cpu } = owner.apicd;
    for (const [on, v] of [[cpu, vector], [prev_cpu, prev_vector]]) {
      if (v === 0) continue;
      const key = slotOf(on, v);
      const other = owners.get(key);
      report.expect(other === undefined, 'I12', () => `${place(on, v)} belongs to irq ${other!.irq} and to irq ${owner.irq}`);
      owners.set(key, owner);
    }
  }
  return owners;
}

/** Vectors that are taken, and entries of the CPUs' tables, that are nobody's. */
function checkOrphans(kernel: Kernel, owners: Owners, report: Report, leak: (cpu: number) => string | undefined): void {
  const { vector_matrix, vector_irq, cpu_online_mask } = kernel;
  vector_matrix.maps.forEach((cm, cpu) => {
    for (const vector of cm.alloc_map) {
      const owned = owners.has(slotOf(cpu, vector)) || isLegacy(kernel, vector);
      report.expect(owned, 'orphan', () => `${place(cpu, vector)} is allocated, and no interrupt has it`, leak(cpu));
    }
  });
  for (const cpu of cpu_online_mask) {
    for (const [vector, entry] of vector_irq[cpu].entries()) {
      if (!is_irq_desc(entry)) continue;
      const owned = owners.get(slotOf(cpu, vector))?.desc === entry || isLegacy(kernel, vector);
      report.expect(owned, 'orphan', () => `${place(cpu, vector)} leads to irq ${entry.irq_data.irq}, which has it not`);
    }
  }
}

/** Vectors of the 8259 pair's interrupts have no VECTOR level until the IOAPIC takes them over. */
function isLegacy({ irq_desc_tree }: Kernel, vector: number): boolean {
  const irq = vector - ISA_IRQ_VECTOR(0);
  if (irq < 0 || irq >= NR_IRQS_LEGACY) return false;
  return irq_desc_tree.get(irq)?.irq_data.parent_data === null;
}
