import { IRTE_32, IRTE_32_SIZE, IRTE_GA_HI, IRTE_GA_LO, IRTE_GA_SIZE } from '../../../../hardware/amd-irte';
import type { Op } from '../../../../stepper/op';
import { EINVAL, ENOMEM } from '../../../lib/errno';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { kernel, machine } from '../../../world';
import type { amd_ir_data, irq_remap_table, irte, irte_ga } from './amd_iommu_types';
import { iommu_completion_wait, iommu_flush_irt } from './commands';
import { get_irq_table } from './irq_table';

// Entries of interrupt tables in their two forms: this part of drivers/iommu/amd/iommu.c.

/** What differs between the two forms. */
export interface amd_irte_ops {
  readonly prepare: (entry: irte | irte_ga, delivery_mode: number, dest_mode: number, vector: number, dest_apicid: number, devid: number) => Op;
  readonly activate: (entry: irte | irte_ga, devid: number, index: number) => Op;
  readonly deactivate: (entry: irte | irte_ga, devid: number, index: number) => Op;
  readonly set_affinity: (entry: irte | irte_ga, devid: number, index: number, vector: number, dest_apicid: number) => Op;
  readonly set_allocated: (table: irq_remap_table, index: number) => Op;
  readonly is_allocated: (table: irq_remap_table, index: number) => Op<boolean>;
  readonly clear_allocated: (table: irq_remap_table, index: number) => Op;
}

/** Marks an entry as taken that is not programmed yet. */
const IRTE_ALLOCATED = 0xfffffffe;
/** The same for an entry of 128 bits: its vector. */
const IRTE_GA_ALLOCATED = 0xff;

export const APICID_TO_IRTE_DEST_LO = (x: number): number => x & 0xffffff;
export const APICID_TO_IRTE_DEST_HI = (x: number): number => (x >>> 24) & 0xff;

const irte_address = (table: irq_remap_table, index: number): number => table.table + index * IRTE_32_SIZE;
/** Physical address of an entry of 128 bits. */
export const irte_ga_address = (table: irq_remap_table, index: number): number => table.table + index * IRTE_GA_SIZE;

function write_irte_ga(table: irq_remap_table, index: number, lo: bigint, hi: bigint): void {
  machine.memory.write64(irte_ga_address(table, index), lo);
  machine.memory.write64(irte_ga_address(table, index) + 8, hi);
}

/** Writes the entry at once and makes the unit read it. @param data gets to know where the entry is. @returns 0 or an errno. Source: modify_irte_ga() */
export function* modify_irte_ga(devid: number, index: number, entry: irte_ga, data: amd_ir_data | null): Op<number> {
  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (!iommu) return -EINVAL;

  const table = yield* get_irq_table(devid);
  if (!table) return -ENOMEM;

  const flags = yield* raw_spin_lock_irqsave(table.lock);
  write_irte_ga(table, index, entry.lo, entry.hi);
  if (data) data.ref = irte_ga_address(table, index);
  yield* raw_spin_unlock_irqrestore(table.lock, flags);

  yield* iommu_flush_irt(iommu, devid);
  yield* iommu_completion_wait(iommu);

  return 0;
}

/** @returns 0 or an errno. Source: modify_irte() */
function* modify_irte(devid: number, index: number, entry: irte): Op<number> {
  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (!iommu) return -EINVAL;

  const table = yield* get_irq_table(devid);
  if (!table) return -ENOMEM;

  const flags = yield* raw_spin_lock_irqsave(table.lock);
  machine.memory.write32(irte_address(table, index), entry.val);
  yield* raw_spin_unlock_irqrestore(table.lock, flags);

  yield* iommu_flush_irt(iommu, devid);
  yield* iommu_completion_wait(iommu);

  return 0;
}

/** Gives an entry back. Source: free_irte() */
export function* free_irte(devid: number, index: number): Op {
  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (!iommu) return;

  const table = yield* get_irq_table(devid);
  if (!table) return;

  const flags = yield* raw_spin_lock_irqsave(table.lock);
  yield* iommu.irte_ops!.clear_allocated(table, index);
  yield* raw_spin_unlock_irqrestore(table.lock, flags);

  yield* iommu_flush_irt(iommu, devid);
  yield* iommu_completion_wait(iommu);
}

/** Source: irte_prepare() */
function* irte_prepare(entry: irte | irte_ga, delivery_mode: number, dest_mode: number, vector: number, dest_apicid: number): Op {
  (entry as irte).val = IRTE_32.encode({ vector, int_type: delivery_mode, destination: dest_apicid & 0xff, dm: dest_mode, valid: 1 });
}

/** Source: irte_ga_prepare() */
function* irte_ga_prepare(entry: irte | irte_ga, delivery_mode: number, dest_mode: number, vector: number, dest_apicid: number): Op {
  const irte = entry as irte_ga;

  irte.lo = IRTE_GA_LO.encode({ int_type: delivery_mode, dm: dest_mode, destination: APICID_TO_IRTE_DEST_LO(dest_apicid), valid: 1 });
  irte.hi = IRTE_GA_HI.encode({ vector, destination: APICID_TO_IRTE_DEST_HI(dest_apicid) });
}

/** Source: irte_activate() */
function* irte_activate(entry: irte | irte_ga, devid: number, index: number): Op {
  const irte = entry as irte;
  irte.val = IRTE_32.with(irte.val, { valid: 1 });
  yield* modify_irte(devid, index, irte);
}

/** Source: irte_ga_activate() */
function* irte_ga_activate(entry: irte | irte_ga, devid: number, index: number): Op {
  const irte = entry as irte_ga;
  irte.lo = IRTE_GA_LO.with(irte.lo, { valid: 1 });
  yield* modify_irte_ga(devid, index, irte, null);
}

/** Source: irte_deactivate() */
function* irte_deactivate(entry: irte | irte_ga, devid: number, index: number): Op {
  const irte = entry as irte;
  irte.val = IRTE_32.with(irte.val, { valid: 0 });
  yield* modify_irte(devid, index, irte);
}

/** Source: irte_ga_deactivate() */
function* irte_ga_deactivate(entry: irte | irte_ga, devid: number, index: number): Op {
  const irte = entry as irte_ga;
  irte.lo = IRTE_GA_LO.with(irte.lo, { valid: 0 });
  yield* modify_irte_ga(devid, index, irte, null);
}

/** Source: irte_set_affinity() */
function* irte_set_affinity(entry: irte | irte_ga, devid: number, index: number, vector: number, dest_apicid: number): Op {
  const irte = entry as irte;
  irte.val = IRTE_32.with(irte.val, { vector, destination: dest_apicid & 0xff });
  yield* modify_irte(devid, index, irte);
}

/** An entry for a guest stays as it is. Source: irte_ga_set_affinity() */
function* irte_ga_set_affinity(entry: irte | irte_ga, devid: number, index: number, vector: number, dest_apicid: number): Op {
  const irte = entry as irte_ga;
  if (IRTE_GA_LO.get(irte.lo, 'guest_mode')) return;

  irte.lo = IRTE_GA_LO.with(irte.lo, { destination: APICID_TO_IRTE_DEST_LO(dest_apicid) });
  irte.hi = IRTE_GA_HI.with(irte.hi, { vector, destination: APICID_TO_IRTE_DEST_HI(dest_apicid) });
  yield* modify_irte_ga(devid, index, irte, null);
}

/** Source: irte_set_allocated() */
function* irte_set_allocated(table: irq_remap_table, index: number): Op {
  machine.memory.write32(irte_address(table, index), IRTE_ALLOCATED);
}

/** Source: irte_ga_set_allocated() */
function* irte_ga_set_allocated(table: irq_remap_table, index: number): Op {
  write_irte_ga(table, index, 0n, IRTE_GA_HI.encode({ vector: IRTE_GA_ALLOCATED }));
}

/** Source: irte_is_allocated() */
function* irte_is_allocated(table: irq_remap_table, index: number): Op<boolean> {
  return machine.memory.read32(irte_address(table, index)) !== 0;
}

/** Source: irte_ga_is_allocated() */
function* irte_ga_is_allocated(table: irq_remap_table, index: number): Op<boolean> {
  return IRTE_GA_HI.get(machine.memory.read64(irte_ga_address(table, index) + 8), 'vector') !== 0;
}

/** Source: irte_clear_allocated() */
function* irte_clear_allocated(table: irq_remap_table, index: number): Op {
  machine.memory.write32(irte_address(table, index), 0);
}

/** Source: irte_ga_clear_allocated() */
function* irte_ga_clear_allocated(table: irq_remap_table, index: number): Op {
  write_irte_ga(table, index, 0n, 0n);
}

export const irte_32_ops: amd_irte_ops = Object.freeze({
  prepare: irte_prepare,
  activate: irte_activate,
  deactivate: irte_deactivate,
  set_affinity: irte_set_affinity,
  set_allocated: irte_set_allocated,
  is_allocated: irte_is_allocated,
  clear_allocated: irte_clear_allocated,
});

export const irte_128_ops: amd_irte_ops = Object.freeze({
  prepare: irte_ga_prepare,
  activate: irte_ga_activate,
  deactivate: irte_ga_deactivate,
  set_affinity: irte_ga_set_affinity,
  set_allocated: irte_ga_set_allocated,
  is_allocated: irte_ga_is_allocated,
  clear_allocated: irte_ga_clear_allocated,
});
