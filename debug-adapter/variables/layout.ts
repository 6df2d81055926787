// The members of a structure as the chosen kernel lays it out: the model has one type for all kernels.
import { irq_alloc_info } from '../../src/kernel/arch/x86/hw_irq';
import type { ChangeId } from '../../src/kernel/changes';
import { X86_IRQ_ALLOC_TYPE } from '../../src/kernel/include/msi';
import { has } from '../../src/kernel/world';
import { getters } from '../expressions/expression-values';

export interface Member {
  readonly name: string;
  readonly value: unknown;
  /** How an expression gets to it from the structure. */
  readonly path: string;
}

/** Ways back that a C structure has no pointer for. */
const HIDDEN = new Set(['irq_cfg.apicd']);

/** Members that only kernels with a change have. */
const SINCE: Readonly<Record<string, ChangeId | undefined>> = {
  'msi_desc.device_msi': 'v2-44',
  'msi_desc.data': 'pci-ims',
  'irq_domain.msi_parent_ops': 'msi-parent-domains',
  'pci_dev.msi_data': 'msi-device-data',
  'irq_info.spurious_cnt': 'xen-lateeoi',
  'irq_info.eoi_time': 'xen-lateeoi',
  'irq_info.eoi_cpu': 'xen-lateeoi',
};

function isThere(member: string): boolean {
  const since = SINCE[member];
  return !HIDDEN.has(member) && (since === undefined || has(since));
}

/** @param owner the structure's name */
export function membersOf(value: object, owner: string): Member[] {
  const names = [...Object.keys(value), ...getters(value)].filter(name => isThere(`${owner}.${name}`));
  const members = names.map(name => ({ name, value: (value as Record<string, unknown>)[name], path: `->${name}` }));
  return value instanceof irq_alloc_info ? members.flatMap(member => allocInfoMember(value, member)) : members;
}

/** Members of the union of old, by who used them, and what made them general. */
const UNION: readonly { readonly types: readonly (keyof typeof X86_IRQ_ALLOC_TYPE)[]; readonly until: ChangeId; readonly names: Readonly<Record<string, string>> }[] = [
  { types: ['HPET', 'HPET_GET_PARENT'], until: 'v2-13', names: { devid: 'hpet_id', hwirq: 'hpet_index', data: 'hpet_data' } },
  { types: ['IOAPIC', 'IOAPIC_GET_PARENT'], until: 'v2-14', names: { devid: 'ioapic_id' } },
  { types: ['DMAR'], until: 'v2-15', names: { devid: 'dmar_id', data: 'dmar_data' } },
];

const GENERAL = new Set(['devid', 'hwirq', 'desc', 'data']);

/** The member under its name in the chosen kernel; none where it has no such member. */
function allocInfoMember(info: irq_alloc_info, member: Member): Member[] {
  const { name } = member;
  if (name === 'msi_dev' || name === 'msi_hwirq') return has('v2-18') ? [] : [member];
  if ((name === 'ioapic' && !has('v2-14')) || (name === 'uv' && !has('v2-16'))) return unpacked(name, info[name]);
  if (!GENERAL.has(name)) return [member];
  const old = UNION.find(({ types, until }) => types.some(type => X86_IRQ_ALLOC_TYPE[type] === info.type) && !has(until))?.names[name];
  if (old !== undefined) return [{ ...member, name: old }];
  return has('v2-12') ? [member] : [];
}

/** Before there was a struct for them: `ioapic_pin`. */
const unpacked = (name: string, struct: object | null): Member[] =>
  Object.entries(struct ?? {}).map(([inner, value]) => ({ name: `${name}_${inner}`, value: value as unknown, path: `->${name}->${inner}` }));
