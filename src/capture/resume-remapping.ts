import { IRTE_SIZE } from '../hardware/irte';
import { intel_ir_data } from '../kernel/drivers/iommu/intel/irq_remapping';
import { dmar_fault, type intel_iommu } from '../kernel/drivers/iommu/intel/dmar';
import { IRQD, type irq_data } from '../kernel/include/irq';
import { irqaction } from '../kernel/include/interrupt';
import type { World } from '../kernel/world';
import type { IrqState, IrteState, Snapshot } from './snapshot';

/** The units' tables, with the entries of the interrupts that the snapshot has, and their fault interrupts. */
export function resumeRemapping(world: World, snapshot: Snapshot): void {
  const iommus = world.kernel.dmar_drhd_units.map(({ iommu }) => iommu);
  for (const iommu of iommus) emptyTable(world, iommu);
  for (const state of snapshot.irqs) {
    let data: irq_data | null = world.kernel.irq_desc_tree.get(state.irq)!.irq_data;
    for (const { irte } of state.chain) {
      if (irte && data) resumeEntry(world, iommus, state, data, irte);
      data = data?.parent_data ?? null;
    }
    if (state.chain[0]?.domain === 'DMAR-MSI') resumeFaultInterrupt(world, iommus, state);
  }
}

function emptyTable({ machine }: World, { ir_table, seq_id }: intel_iommu): void {
  if (!ir_table) return;
  for (const index of ir_table.bitmap) writeEntry(machine, ir_table.base, index, 0n, 0n);
  ir_table.bitmap.clearAll();
  machine.remapUnits[seq_id].cache.clear();
}

function writeEntry({ memory }: World['machine'], base: number, index: number, low: bigint, high: bigint): void {
  memory.write64(base + index * IRTE_SIZE, low);
  memory.write64(base + index * IRTE_SIZE + 8, high);
}

/** An interrupt's region and its own entry, which is in the table while the interrupt is activated. */
function resumeEntry({ machine }: World, iommus: readonly intel_iommu[], state: IrqState, data: irq_data, { index, sub_handle, mask, low, high }: IrteState): void {
  const iommu = iommus.find(({ ir_domain }) => ir_domain === data.domain);
  if (!iommu?.ir_table) throw new Error(`irq ${state.irq} is remapped by ${data.domain?.name ?? '-'}, which the machine does not have`);

  const ir = new intel_ir_data({ iommu, irte_index: index, sub_handle, irte_mask: mask, mode: 'IRQ_REMAPPING' });
  ir.irte_entry = { low, high };
  if (state.msi) Object.assign(ir.msi_entry, { address_hi: state.msi.address_hi, address_lo: state.msi.address_lo, data: state.msi.data });
  data.chip_data = ir;
  for (let i = 0; i < 1 << mask; i++) iommu.ir_table.bitmap.set(index + i);
  if (state.state & IRQD.ACTIVATED) writeEntry(machine, iommu.ir_table.base, index + sub_handle, low, high);
}

function resumeFaultInterrupt({ kernel }: World, iommus: readonly intel_iommu[], { irq, chain }: IrqState): void {
  const iommu = iommus.find(({ seq_id }) => seq_id === chain[0].hwirq);
  const desc = kernel.irq_desc_tree.get(irq)!;
  if (!iommu || !desc.action) return;
  iommu.irq = irq;
  desc.irq_common_data.handler_data = iommu;
  desc.action = new irqaction(dmar_fault, iommu, desc.action.name, desc.action.flags, irq);
}
