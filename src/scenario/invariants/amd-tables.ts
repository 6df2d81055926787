import { IRTE_32, IRTE_GA_HI, IRTE_GA_LO } from '../../hardware/amd-irte';
import { MSI_ADDRESS_LO, MSI_BASE } from '../../hardware/message';
import { amd_ir_data, AMD_IOMMU_GUEST_IR_GA, type irq_remap_table } from '../../kernel/drivers/iommu/amd/amd_iommu_types';
import { irqd_is_activated } from '../../kernel/include/irq';
import { dev_is_pci } from '../../kernel/include/pci';
import type { World } from '../../kernel/world';
import { chainOf, type VectorIrq } from './owners';
import type { Report } from './report';

interface Entry {
  readonly valid: number;
  readonly guest: boolean;
  readonly vector: number;
  readonly destination: number;
}

/** Entries of AMD interrupt tables against the interrupts that own them (I17), and their messages (I18). */
export function checkAmdTables(world: World, irqs: readonly VectorIrq[], report: Report): void {
  const owners = new Map<irq_remap_table, Map<number, number>>();
  for (const irq of irqs) {
    const data = amdData(irq);
    const table = data && world.kernel.irq_lookup_table.get(data.irq_2_irte.devid);
    if (!data || !table) continue;

    const { index } = data.irq_2_irte;
    const own = owners.get(table) ?? new Map<number, number>();
    owners.set(table, own);
    report.expect(!own.has(index), 'I17', () => `remapping entry ${index} belongs to irq ${own.get(index)!} and to irq ${irq.irq}`);
    own.set(index, irq.irq);
    if (!irqd_is_activated(irq.desc.irq_data)) continue;
    checkEntry(entryAt(world, table.table, index), irq, index, report);
    checkMessage(irq, index, report);
  }
  for (const table of new Set(world.kernel.irq_lookup_table.values())) {
    const own = owners.get(table);
    for (let index = table.min_index; index < table.size; index++) {
      if (taken(world, table.table, index)) report.expect(own?.has(index) === true, 'I17', () => `entry ${index} of the interrupt table at 0x${table.table.toString(16)} is allocated, and no interrupt uses it`);
      else report.expect(own?.has(index) !== true, 'I17', () => `irq ${own!.get(index)!} uses entry ${index} of the interrupt table at 0x${table.table.toString(16)}, which is not allocated`);
    }
  }
}

function amdData({ desc }: VectorIrq): amd_ir_data | undefined {
  for (const { chip_data } of chainOf(desc)) if (chip_data instanceof amd_ir_data) return chip_data;
  return undefined;
}

function entryAt({ kernel, machine }: World, table: number, index: number): Entry {
  if (!AMD_IOMMU_GUEST_IR_GA(kernel.amd_iommu_guest_ir)) {
    const { valid, vector, destination } = IRTE_32.decode(machine.memory.read32(table + index * 4) >>> 0);
    return { valid, guest: false, vector, destination };
  }
  const lo = IRTE_GA_LO.decode(machine.memory.read64(table + index * 16));
  const hi = IRTE_GA_HI.decode(machine.memory.read64(table + index * 16 + 8));
  return { valid: lo.valid, guest: lo.guest_mode === 1, vector: hi.vector, destination: hi.destination * 2 ** 24 + lo.destination };
}

/** Whether an entry is in use. @param table physical address */
export function taken({ kernel, machine }: World, table: number, index: number): boolean {
  if (!AMD_IOMMU_GUEST_IR_GA(kernel.amd_iommu_guest_ir)) return machine.memory.read32(table + index * 4) !== 0;
  return IRTE_GA_HI.get(machine.memory.read64(table + index * 16 + 8), 'vector') !== 0;
}

function checkEntry({ valid, guest, vector, destination }: Entry, { irq, apicd }: VectorIrq, index: number, report: Report): void {
  const { hw_irq_cfg } = apicd;
  report.equal(valid, 1, 'I17', () => `valid of remapping entry ${index} of irq ${irq}`);
  if (guest) return;
  report.equal(vector, hw_irq_cfg.vector, 'I17', () => `the vector of remapping entry ${index} of irq ${irq}`);
  report.equal(destination, hw_irq_cfg.dest_apicid >>> 0, 'I17', () => `the destination of remapping entry ${index} of irq ${irq}`);
}

/** Of a block of MSIs only the first has a message of its own. */
function checkMessage({ irq, desc }: VectorIrq, index: number, report: Report): void {
  const msi = desc.irq_common_data.msi_desc;
  if (!msi || msi.irq !== irq || !dev_is_pci(msi.dev)) return;
  const { hw, name } = msi.dev;
  const message = msi.msi_attrib.is_msix ? hw.msix?.message(msi.msi_attrib.entry_nr) : hw.firstMessage;
  if (!message) return;
  report.equal(message.lo, MSI_ADDRESS_LO.encode({ base_address: MSI_BASE }), 'I18', () => `irq ${irq}: the address that ${name} writes to`);
  report.equal(message.data, index, 'I18', () => `irq ${irq}: the remapping entry that ${name} names`);
}
