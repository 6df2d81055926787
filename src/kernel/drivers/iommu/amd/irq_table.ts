import { DEV_TABLE_ENTRY_SIZE, DTE_2, INT_CTL } from '../../../../hardware/amd-iommu-registers';
import { IRTE_32_SIZE, IRTE_GA_SIZE } from '../../../../hardware/amd-irte';
import type { Op } from '../../../../stepper/op';
import type { PciDev } from '../../../include/pci';
import { ENODEV, ENOSPC } from '../../../lib/errno';
import { limit_bound } from '../../../lib/limit';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { WARN_ONCE } from '../../../lib/printk';
import { should_fail } from '../../../lib/slab';
import { kernel, machine } from '../../../world';
import { pci_for_each_dma_alias } from '../../pci/search';
import { type amd_iommu, AMD_IOMMU_GUEST_IR_GA, devid_text, DTE_IRQ_TABLE_LEN, IRQ_TABLE_ALIGNMENT, irq_remap_table, MAX_IRQS_PER_TABLE } from './amd_iommu_types';
import { iommu_completion_wait, iommu_flush_dte } from './commands';

// Interrupt tables, one for each device and its aliases: this part of drivers/iommu/amd/iommu.c.

/** Physical address of a quarter of a device's entry. @param i 0-3 */
export const dte_data = (devid: number, i: number): number => kernel.amd_iommu_dev_table + devid * DEV_TABLE_ENTRY_SIZE + i * 8;

/** Points the device's entry to the table. Source: set_dte_irq_entry() */
function* set_dte_irq_entry(devid: number, table: irq_remap_table): Op {
  const at = dte_data(devid, 2);
  const dte = DTE_2.with(machine.memory.read64(at), {
    irq_table: table.table / 64,
    int_ctl: INT_CTL.REMAP,
    irq_table_len: DTE_IRQ_TABLE_LEN(),
    irq_remap_enable: 1,
  });
  machine.memory.write64(at, dte);
}

/** @returns the device's table, or null with a warning. Source: get_irq_table() */
export function* get_irq_table(devid: number): Op<irq_remap_table | null> {
  const where = 'drivers/iommu/amd/iommu.c get_irq_table()';
  if (WARN_ONCE(!kernel.amd_iommu_rlookup_table.has(devid), `AMD-Vi: get_irq_table: no iommu for devid ${devid.toString(16)}`, where)) return null;

  const table = kernel.irq_lookup_table.get(devid);
  if (WARN_ONCE(!table, `AMD-Vi: get_irq_table: no table for devid ${devid.toString(16)}`, where)) return null;
  return table!;
}

/** An empty table, or null. Source: __alloc_irq_table() */
function* __alloc_irq_table(): Op<irq_remap_table | null> {
  for (const part of ['struct irq_remap_table', 'table']) if (should_fail(`__alloc_irq_table: ${part}`)) return null;
  const size = AMD_IOMMU_GUEST_IR_GA(kernel.amd_iommu_guest_ir) ? IRTE_GA_SIZE : IRTE_32_SIZE;
  const entries = MAX_IRQS_PER_TABLE();
  return new irq_remap_table(machine.memory.alloc(entries * size, IRQ_TABLE_ALIGNMENT), entries);
}

/** Source: set_remap_table_entry() */
function* set_remap_table_entry(iommu: amd_iommu, devid: number, table: irq_remap_table): Op {
  kernel.irq_lookup_table.set(devid, table);
  yield* set_dte_irq_entry(devid, table);
  yield* iommu_flush_dte(iommu, devid);
}

/** Source: set_remap_table_entry_alias() */
function* set_remap_table_entry_alias(_pdev: PciDev, alias: number, table: irq_remap_table): Op<number> {
  kernel.irq_lookup_table.set(alias, table);
  yield* set_dte_irq_entry(alias, table);

  yield* iommu_flush_dte(kernel.amd_iommu_rlookup_table.get(alias)!, alias);
  return 0;
}

/**
 * The device's table: its own, the one of its alias, or a new one for all that it may send as.
 * @returns null for a device of no IOMMU, or without memory. Source: alloc_irq_table()
 */
export function* alloc_irq_table(devid: number, pdev: PciDev | null): Op<irq_remap_table | null> {
  const flags = yield* raw_spin_lock_irqsave(kernel.iommu_table_lock);
  const table = yield* existing_irq_table(devid);
  yield* raw_spin_unlock_irqrestore(kernel.iommu_table_lock, flags);
  if (table !== undefined) return table;

  const new_table = yield* __alloc_irq_table();
  if (!new_table) return null;
  return yield* install_irq_table(devid, pdev, new_table);
}

/** The first half of alloc_irq_table(), with its lock held. @returns undefined where there is no table yet */
function* existing_irq_table(devid: number): Op<irq_remap_table | null | undefined> {
  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (!iommu) return null;

  const own = kernel.irq_lookup_table.get(devid);
  if (own) return own;

  const shared = kernel.irq_lookup_table.get(kernel.amd_iommu_alias_table[devid]);
  if (!shared) return undefined;
  yield* set_remap_table_entry(iommu, devid, shared);
  yield* iommu_completion_wait(iommu);
  return shared;
}

/** The second half of alloc_irq_table(): somebody else may have been faster. */
function* install_irq_table(devid: number, pdev: PciDev | null, new_table: irq_remap_table): Op<irq_remap_table | null> {
  const flags = yield* raw_spin_lock_irqsave(kernel.iommu_table_lock);
  let table = yield* existing_irq_table(devid);
  if (table === undefined) {
    const iommu = kernel.amd_iommu_rlookup_table.get(devid)!;
    const alias = kernel.amd_iommu_alias_table[devid];
    table = new_table;

    if (pdev) yield* pci_for_each_dma_alias(pdev, set_remap_table_entry_alias, table);
    else yield* set_remap_table_entry(iommu, devid, table);

    if (devid !== alias) yield* set_remap_table_entry(iommu, alias, table);
    yield* iommu_completion_wait(iommu);
  }
  yield* raw_spin_unlock_irqrestore(kernel.iommu_table_lock, flags);
  return table;
}

/** Entries that are allocated, for the name of the limit: in both forms an entry that is all zero is free. */
function entries_in_use({ table, size: length }: irq_remap_table): number {
  const size = AMD_IOMMU_GUEST_IR_GA(kernel.amd_iommu_guest_ir) ? IRTE_GA_SIZE : IRTE_32_SIZE;
  const { memory } = machine;
  const words = (index: number): number[] => Array.from({ length: size / 4 }, (_, i) => memory.read32(table + index * size + i * 4));
  return Array.from({ length }, (_, index) => words(index)).filter(entry => entry.some(word => word !== 0)).length;
}

const align_up = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment;

/**
 * The first `count` neighbouring entries that are free.
 * @param align the first one is a multiple of count, rounded up to a power of two
 * @returns the first entry, -ENODEV, or -ENOSPC when the device's table is full. Source: alloc_irq_index()
 */
export function* alloc_irq_index(devid: number, count: number, align: boolean, pdev: PciDev | null): Op<number> {
  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (!iommu) return -ENODEV;

  const table = yield* alloc_irq_table(devid, pdev);
  if (!table) return -ENODEV;

  const alignment = align ? 2 ** Math.ceil(Math.log2(count)) : 1;
  const irte_ops = iommu.irte_ops!;

  const flags = yield* raw_spin_lock_irqsave(table.lock);
  let found = -ENOSPC;
  let free = 0;
  let index = align_up(table.min_index, alignment);
  while (found < 0 && index < table.size) {
    if (yield* irte_ops.is_allocated(table, index)) {
      free = 0;
      index = align_up(index + 1, alignment);
      continue;
    }
    if (++free === count) found = index - count + 1;
    index++;
  }
  if (found < 0) limit_bound({ name: `interrupt table of ${devid_text(devid)}`, needed: count, used: entries_in_use(table), size: table.size });
  for (let i = 0; found >= 0 && i < count; i++) yield* irte_ops.set_allocated(table, found + i);
  yield* raw_spin_unlock_irqrestore(table.lock, flags);

  return found;
}
