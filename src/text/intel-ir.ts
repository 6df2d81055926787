import { CAP, DMAR_GSTS_REG, ECAP, GSTS } from '../hardware/dmar-registers';
import { IRTE_HIGH, IRTE_LOW, IRTE_POSTED_HIGH, IRTE_POSTED_LOW, IRTE_SIZE } from '../hardware/irte';
import type { intel_iommu } from '../kernel/drivers/iommu/intel/dmar';
import { INTR_REMAP_TABLE_ENTRIES } from '../kernel/drivers/iommu/intel/irte';
import type { World } from '../kernel/world';
import type { TextFile } from './text-file';
import { left } from './format';

/** /sys/kernel/debug/iommu/intel: there with CONFIG_INTEL_IOMMU_DEBUGFS, when there are units. AMD's folder has no files before v6.17. */
export function intelIrFiles(world: World): TextFile[] {
  if (world.kernel.dmar_drhd_units.length === 0) return [];
  return [{ path: '/sys/kernel/debug/iommu/intel/ir_translation_struct', read: () => irTranslationStruct(world) }];
}

/** The remapping tables of all units, then what of them is posted. Source: drivers/iommu/intel/debugfs.c, ir_translation_struct_show() */
function irTranslationStruct(world: World): string {
  const units = world.kernel.dmar_drhd_units.map(({ iommu }) => iommu);
  const remapping = units.filter(({ ecap }) => ECAP.get(ecap, 'ir') === 1);
  const posting = units.filter(({ cap }) => CAP.get(cap, 'pi') === 1);
  const lines = [
    ...remapping.flatMap(iommu => [`Remapped Interrupt supported on IOMMU: ${iommu.name}`, ...table(iommu, isOn(world, iommu), () => remappedRows(world, iommu)), '']),
    '****',
    '',
    ...posting.flatMap(iommu => [`Posted Interrupt supported on IOMMU: ${iommu.name}`, ...table(iommu, true, () => postedRows(world, iommu)), '']),
  ];
  return lines.map(text => `${text}\n`).join('');
}

const isOn = ({ machine }: World, { reg }: intel_iommu): boolean => GSTS.get(machine.read32(reg + DMAR_GSTS_REG), 'ires') === 1;

const table = ({ ir_table }: intel_iommu, on: boolean, rows: () => string[]): string[] =>
  ir_table && on ? [` IR table address:${ir_table.base.toString(16)}`, ...rows()] : ['Interrupt Remapping is not enabled'];

interface Entry {
  readonly index: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** Those that are present, whether the kernel thinks so or not. */
function entries({ machine: { memory } }: World, { ir_table }: intel_iommu, posted: number): Entry[] {
  const found: Entry[] = [];
  for (let index = 0; index < INTR_REMAP_TABLE_ENTRIES; index++) {
    const address = ir_table!.base + index * IRTE_SIZE;
    if (!(memory.read32(address) & PRESENT)) continue;
    const low = memory.read64(address);
    if (IRTE_LOW.get(low, 'pst') === posted) found.push({ index, low, high: memory.read64(address + 8) });
  }
  return found;
}

const PRESENT = Number(IRTE_LOW.encode({ present: 1 }));
const hexOf = (value: number | bigint, digits: number): string => value.toString(16).padStart(digits, '0');
const source = (sid: number): string => `${hexOf(sid >>> 8, 2)}:${hexOf((sid >>> 3) & 0x1f, 2)}.${hexOf(sid & 7, 1)}`;
const halves = ({ high, low }: Entry): string => `${hexOf(high, 16)}\t${hexOf(low, 16)}`;

function remappedRows(world: World, iommu: intel_iommu): string[] {
  const rows = entries(world, iommu, 0).map(entry => {
    const { dest_id, vector } = IRTE_LOW.decode(entry.low);
    return ` ${left(entry.index, 5)} ${source(IRTE_HIGH.get(entry.high, 'sid'))} ${hexOf(dest_id, 8)} ${hexOf(vector, 2)}  ${halves(entry)}`;
  });
  return [' Entry SrcID   DstID    Vct IRTE_high\t\tIRTE_low', ...rows];
}

function postedRows(world: World, iommu: intel_iommu): string[] {
  const rows = entries(world, iommu, 1).map(entry => {
    const { pda_l, p_vector } = IRTE_POSTED_LOW.decode(entry.low);
    const { p_sid, pda_h } = IRTE_POSTED_HIGH.decode(entry.high);
    return ` ${left(entry.index, 5)} ${source(p_sid)} ${hexOf(pda_h, 8)} ${hexOf((pda_l << 6) >>> 0, 8)} ${hexOf(p_vector, 2)}  ${halves(entry)}`;
  });
  return [' Entry SrcID   PDA_high PDA_low  Vct IRTE_high\t\tIRTE_low', ...rows];
}
