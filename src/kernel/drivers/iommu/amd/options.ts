import type { Op } from '../../../../stepper/op';
import { pr_err } from '../../../lib/printk';
import { kernel } from '../../../world';
import { AMD_IOMMU_GUEST_IR_LEGACY_GA, AMD_IOMMU_GUEST_IR_VAPIC, type devid_map } from './amd_iommu_types';
import type { special_type } from './init';

// The command line's part: of drivers/iommu/amd/init.c.

/** amd_iommu= of the command line. Source: parse_amd_iommu_options() */
export function* parse_amd_iommu_options(str: string): Op<number> {
  if (str.includes('off')) kernel.amd_iommu_disabled = true;
  return 1;
}

/** amd_iommu_intr= of the command line. Source: parse_amd_iommu_intr() */
export function* parse_amd_iommu_intr(str: string): Op<number> {
  const legacy = str.indexOf('legacy');
  const vapic = str.indexOf('vapic');
  if (legacy >= 0 && (vapic < 0 || legacy < vapic)) kernel.amd_iommu_guest_ir = AMD_IOMMU_GUEST_IR_LEGACY_GA;
  else if (vapic >= 0) kernel.amd_iommu_guest_ir = AMD_IOMMU_GUEST_IR_VAPIC;
  return 1;
}

const EARLY_MAP_SIZE = 4;

/** "[5]=00:14.0"; @returns null for anything else. What sscanf("[%d]=%x:%x.%x") takes */
function parse_ivrs_entry(str: string): devid_map | null {
  const match = /^\[\s*([+-]?\d+)\]=([0-9a-f]+):([0-9a-f]+)\.([0-9a-f]+)/i.exec(str);
  if (!match) return null;
  const [bus, dev, fn] = match.slice(2).map(digits => parseInt(digits, 16));
  return { id: Number(match[1]), devid: ((bus & 0xff) << 8) | ((dev & 0x1f) << 3) | (fn & 7), cmd_line: true };
}

function* parse_ivrs_special(type: special_type, str: string): Op<number> {
  const map = type === 'IOAPIC' ? kernel.early_ioapic_map : kernel.early_hpet_map;
  const entry = parse_ivrs_entry(str);

  if (!entry) pr_err(`AMD-Vi: Invalid command line: ivrs_${type.toLowerCase()}${str}`);
  else if (map.length === EARLY_MAP_SIZE) pr_err(`AMD-Vi: Early ${type} map overflow - ignoring ivrs_${type.toLowerCase()}${str}`);
  else {
    kernel.cmdline_maps = true;
    map.push(entry);
  }
  return 1;
}

/** ivrs_ioapic[5]=00:14.0 of the command line. Source: parse_ivrs_ioapic() */
export function* parse_ivrs_ioapic(str: string): Op<number> {
  return yield* parse_ivrs_special('IOAPIC', str);
}

/** ivrs_hpet[0]=00:14.0 of the command line. Source: parse_ivrs_hpet() */
export function* parse_ivrs_hpet(str: string): Op<number> {
  return yield* parse_ivrs_special('HPET', str);
}
