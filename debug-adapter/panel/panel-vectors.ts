// The panel's view of the CPUs' vectors.
import { apic_chip_data } from '../../src/kernel/arch/x86/apic/apic_chip_data';
import { IRQD } from '../../src/kernel/include/irq';
import type { irq_desc } from '../../src/kernel/include/irqdesc';
import { bitmap } from '../../src/kernel/lib/bitmap';
import type { World } from '../../src/kernel/world';
import type { ChangeTracker } from './changes';
import type { Matrix, MatrixCpu, VectorOwner } from '../panel-protocol';
import { actionsOf, chipName, levelsOf, vectorMatrix } from '../variables/interrupt';

const VECTORS = 256;

function apicDataOf(desc: irq_desc): apic_chip_data | undefined {
  return levelsOf(desc).map(level => level.chip_data).find(data => data instanceof apic_chip_data);
}

export function matrixOf({ kernel }: World, changes: ChangeTracker): Matrix | null {
  const m = vectorMatrix(kernel);
  if (!m) return null;
  const moving = movingVectors(kernel.irq_desc_tree.values(), m.maps.length);
  return {
    matrixBits: m.matrix_bits,
    allocStart: m.alloc_start,
    allocEnd: m.alloc_end,
    globalAvailable: m.global_available,
    globalReserved: m.global_reserved,
    totalAllocated: m.total_allocated,
    onlineMaps: m.online_maps,
    system: m.system_map.toString(),
    cpus: m.maps.map((map, cpu): MatrixCpu => {
      const row = {
        cpu,
        online: map.online,
        available: map.available,
        allocated: map.allocated,
        managed: map.managed,
        managedAllocated: map.managed_allocated,
        allocMap: map.alloc_map.toString(),
        managedMap: map.managed_map.toString(),
        moving: moving[cpu].toString(),
      };
      return { ...row, ...changes.value('matrix', String(cpu), JSON.stringify(row)) };
    }),
  };
}

function movingVectors(descs: Iterable<irq_desc>, cpus: number): bitmap[] {
  const moving = Array.from({ length: cpus }, () => new bitmap(VECTORS));
  for (const desc of descs) {
    const apicd = apicDataOf(desc);
    if (apicd && apicd.prev_vector > 0) moving[apicd.prev_cpu]?.set(apicd.prev_vector);
  }
  return moving;
}

/** By vector. */
export function vectorsOf({ kernel }: World, cpu: number): VectorOwner[] {
  const owners: VectorOwner[] = [];
  for (const [irq, desc] of kernel.irq_desc_tree) {
    const apicd = apicDataOf(desc);
    if (!apicd) continue;
    const name = actionsOf(desc) || (desc.irq_common_data.msi_desc?.dev.name ?? chipName(desc.irq_data));
    const active = (desc.irq_common_data.state_use_accessors & IRQD.ACTIVATED) !== 0;
    if (apicd.vector > 0 && apicd.cpu === cpu) owners.push({ vector: apicd.vector, irq, name, state: !active ? 'shutdown' : apicd.is_managed ? 'managed' : 'allocated' });
    if (apicd.prev_vector > 0 && apicd.prev_cpu === cpu) owners.push({ vector: apicd.prev_vector, irq, name, state: 'moving' });
  }
  return owners.sort((a, b) => a.vector - b.vector);
}
