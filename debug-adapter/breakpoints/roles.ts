// Breakpoints on what a function is for: `INTEL-IR-0:alloc`, `*:activate`, `APIC:irq_ack`.
import { suggestion } from '../../src/scenario/nearest';
import { irq_data, type irq_chip } from '../../src/kernel/include/irq';
import { irq_domain, type irq_domain_ops } from '../../src/kernel/include/irqdomain';
import type { World } from '../../src/kernel/world';
import type { FrameInfo, FunctionInfo, ProbeInfo } from '../../src/stepper/stepper';
import type { Run } from '../run';
import { chipOf, levelsOf } from '../variables/interrupt';

const DOMAIN_OPS = ['alloc', 'free', 'activate', 'deactivate'] as const satisfies readonly (keyof irq_domain_ops)[];

const CHIP_OPS = [
  'irq_startup', 'irq_shutdown', 'irq_enable', 'irq_disable', 'irq_ack', 'irq_mask', 'irq_mask_ack', 'irq_unmask', 'irq_eoi', 'irq_set_affinity', 'irq_retrigger',
  'irq_set_type', 'irq_bus_lock', 'irq_bus_sync_unlock', 'irq_request_resources', 'irq_release_resources', 'irq_compose_msi_msg', 'irq_write_msi_msg',
  'irq_get_irqchip_state', 'irq_set_vcpu_affinity',
] as const satisfies readonly (keyof irq_chip)[];

/** A callback of the domains, or chips, whose name matches. */
export interface Role {
  /** "INTEL-IR-*" */
  readonly owner: string;
  readonly op: string;
  /** Whose name the pattern is about. */
  readonly of: 'domain' | 'chip';
  readonly matches: (name: string) => boolean;
}

/** @returns the role, or what is wrong with it */
export function parseRole(text: string): Role | string {
  const [owner, op, ...more] = text.split(':').map(part => part.trim());
  if (!owner || !op || more.length > 0) return `expected DOMAIN:op or CHIP:callback, such as INTEL-IR-0:alloc or APIC:irq_ack, found ${JSON.stringify(text)}`;
  const of = isOneOf(DOMAIN_OPS, op) ? 'domain' : isOneOf(CHIP_OPS, op) ? 'chip' : undefined;
  if (!of) return `${op} is neither an operation of irq_domain_ops nor a callback of irq_chip${suggestion(op, [...DOMAIN_OPS, ...CHIP_OPS])}`;
  return { owner, op, of, matches: glob(owner) };
}

const isOneOf = (list: readonly string[], word: string): boolean => list.includes(word);

/** A pattern with `*`; letters count as they are written. */
export function glob(pattern: string): (name: string) => boolean {
  const expression = new RegExp(`^${pattern.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
  return name => expression.test(name);
}

/**
 * The functions that may have a role: those that the tables have, and those that the sources put into a table under its name.
 * Whether one does, only the table at run time says.
 */
export function candidates({ op }: Role, owners: readonly Owner[], { sources, entries }: Run): ProbeInfo[] {
  const assigned = new RegExp(`\\b${op}\\s*(?::|=|\\?\\?=)\\s*(?:[\\w.]+\\s*\\?\\?\\s*)?([A-Za-z_]\\w*)`, 'g');
  const names = new Set(sources.modules.flatMap(({ source }) => [...source.matchAll(assigned)].map(match => match[1])));
  const may = ({ name }: FunctionInfo): boolean => names.has(name) || name.endsWith(`.${op}`) || owners.some(({ table }) => hasFunction(table, op, name));
  return entries.filter(({ fn }) => fn !== undefined && may(fn));
}

/** A function that was just entered, with its parameters. */
export type Activation = Pick<FrameInfo, 'fn' | 'names' | 'values'>;

/** Does it play the role? */
export function plays({ op, of, matches }: Role, { fn, names, values }: Activation): boolean {
  const first = values[names.indexOf(fn.params[0] ?? '')];
  const owner = of === 'domain' ? first instanceof irq_domain && first : first instanceof irq_data && first.chip;
  if (!owner || !matches(owner.name)) return false;
  return hasFunction(owner instanceof irq_domain ? owner.ops : owner, op, fn.name);
}

/** Who has callbacks. */
export interface Owner {
  readonly name: string;
  readonly table: object;
}

/** The domains, or the chips of all interrupts, that there are. */
export function ownersNow({ of }: Role, { kernel }: World): Owner[] {
  if (of === 'domain') return kernel.irq_domain_list.map(({ name, ops }) => ({ name, table: ops }));
  const chips = new Set([...kernel.irq_desc_tree.values()].flatMap(desc => levelsOf(desc).map(chipOf)));
  return [...chips].flatMap(chip => (chip ? { name: chip.name, table: chip } : []));
}

/** Is it this function that the table has? */
export function hasFunction(table: object, op: string, name: string): boolean {
  const value = (table as Record<string, unknown>)[op];
  return typeof value === 'function' && value.name === name.slice(name.lastIndexOf('.') + 1);
}
