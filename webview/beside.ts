import { css, html, nothing, type TemplateResult } from 'lit';
import type { Chain, Current, Domain, Field, Level, Matrix, Message, Snapshot, Struct } from '../debug-adapter/panel-protocol';
import type { Other } from './messages';

// The state of a session that goes along on another kernel, beside the one that is shown.

/** What stands beside a value, a domain or a CPU. */
const notes = new WeakMap<object, string>();

export const besideStyles = css`
  .beside { color: var(--vscode-descriptionForeground); white-space: normal; overflow-wrap: anywhere; }
  .beside::before { content: '\\21C4\\00A0'; color: var(--vscode-charts-purple, currentColor); }
`;

/** The other session's value, where it is another one. */
export function besideOf(thing: object): TemplateResult | typeof nothing {
  const note = notes.get(thing);
  return note === undefined ? nothing : html` <span class="beside">${note}</span>`;
}

/** The snapshot with what differs in the other one noted beside it; what only the other one has is added. */
export function withBeside(own: Snapshot, { snapshot: other }: Other): Snapshot {
  const there = other.kernel;
  return {
    ...own,
    ...(own.chain && { chain: chainBeside(own.chain, other.chain ?? undefined, there) }),
    ...(own.current && { current: currentBeside(own.current, other.current, there) }),
    ...(own.domains && { domains: domainsBeside(own.domains, other.domains ?? [], there) }),
    ...(own.matrix && other.matrix && { matrix: matrixBeside(own.matrix, other.matrix, there) }),
  };
}

function noted<T extends object>(thing: T, note: string | undefined): T {
  const copy = { ...thing };
  if (note !== undefined) notes.set(copy, note);
  return copy;
}

/** @param note says of a value that it is the other kernel's */
function fieldBeside(own: Field, other: Field | undefined, there: string): Field {
  const note = !other ? `not on ${there}` : other.value === own.value ? undefined : `${there}: ${other.value}`;
  const fields = own.fields && { fields: fieldsBeside(own.fields, other?.fields ?? [], there) };
  // Of a structure, its members say it.
  return noted({ ...own, ...fields }, own.fields && other ? undefined : note);
}

const fieldsBeside = (own: readonly Field[], other: readonly Field[], there: string): Field[] => [
  ...own.map((field) => fieldBeside(field, other.find(({ name }) => name === field.name), there)),
  ...other.filter(({ name }) => !own.some((field) => field.name === name)).map((field) => noted({ name: field.name, value: '' }, `only on ${there}: ${field.value}`)),
];

function structBeside(own: Struct | null, other: Struct | null | undefined, there: string): Struct | null {
  if (!own) return null;
  return other ? { ...own, fields: fieldsBeside(own.fields, other.fields, there) } : noted(own, `none on ${there}`);
}

function chainBeside(own: Chain, other: Chain | undefined, there: string): Chain {
  if (!other) return noted(own, `no interrupt in the frame on ${there}`);
  const chain: Chain = {
    ...own,
    state: fieldBeside(own.state, other.state, there),
    affinity: fieldBeside(own.affinity, other.affinity, there),
    effectiveAffinity: fieldBeside(own.effectiveAffinity, other.effectiveAffinity, there),
    levels: own.levels.map((level, i) => levelBeside(level, other.levels.at(i), there)),
  };
  const levels = other.levels.length === own.levels.length ? undefined : `${other.levels.length} ${other.levels.length === 1 ? 'level' : 'levels'} on ${there}`;
  return noted(chain, own.irq === other.irq ? levels : `irq ${other.irq} on ${there}`);
}

function levelBeside(own: Level, other: Level | undefined, there: string): Level {
  if (!other) return noted(own, `not on ${there}`);
  const level = { ...own, hwirq: fieldBeside(own.hwirq, other.hwirq, there), chipData: structBeside(own.chipData, other.chipData, there) };
  const name = ({ domain, chip }: Level): string => `${domain ?? 'no domain'}, chip ${chip}`;
  return noted(level, name(own) === name(other) ? undefined : `${there}: ${name(other)}`);
}

const currentBeside = (own: Current, other: Current | undefined, there: string): Current => ({
  allocInfo: structBeside(own.allocInfo, other?.allocInfo, there),
  msiDesc: structBeside(own.msiDesc, other?.msiDesc, there),
  message: own.message && messageBeside(own.message, other?.message ?? undefined, there),
});

const hex32 = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;

function messageBeside(own: Message, other: Message | undefined, there: string): Message {
  const words = ({ address_hi, address_lo, data }: Message): string => `${hex32(address_hi)} ${hex32(address_lo)} data ${hex32(data)}`;
  if (!other) return noted(own, `none on ${there}`);
  const fields = own.fields.map((field) => {
    const same = other.fields.find(({ word, name }) => word === field.word && name === field.name);
    return noted(field, same?.value === field.value ? undefined : same ? `${there}: ${same.value}` : `not on ${there}`);
  });
  return noted({ ...own, fields }, words(own) === words(other) ? undefined : `${there}: ${words(other)}`);
}

function domainsBeside(own: readonly Domain[], other: readonly Domain[], there: string): Domain[] {
  const details = ({ mapped, busToken, flags }: Domain): string => `${mapped} mapped, ${busToken}, ${flags}`;
  const here = own.map((domain) => {
    const same = other.find(({ name }) => name === domain.name);
    return noted(domain, !same ? `not on ${there}` : details(same) === details(domain) ? undefined : `${there}: ${details(same)}`);
  });
  // Ids are places in a list: those of the other one's domains must not be taken.
  const added = other.filter(({ name }) => !own.some((domain) => domain.name === name));
  const parentOf = ({ parent }: Domain): number | null => own.find(({ name }) => name === other.find(({ id }) => id === parent)?.name)?.id ?? null;
  return [...here, ...added.map((domain, i) => noted({ ...domain, id: own.length + i, parent: parentOf(domain), devices: [], others: [] }, `only on ${there}`))];
}

function matrixBeside(own: Matrix, other: Matrix, there: string): Matrix {
  const sums = (matrix: Matrix): string => `available ${matrix.globalAvailable}, reserved ${matrix.globalReserved}, allocated ${matrix.totalAllocated}, online CPUs ${matrix.onlineMaps}`;
  const differing = own.cpus.filter((row) => {
    const same = other.cpus.find(({ cpu }) => cpu === row.cpu);
    return same?.allocMap !== row.allocMap || same.managedMap !== row.managedMap || same.online !== row.online;
  });
  const cpus = differing.length === 0 ? [] : [`other vectors in use on CPU ${differing.map(({ cpu }) => cpu).join(', ')}`];
  const system = own.system === other.system ? [] : [`system vectors ${other.system}`];
  const changes = [...(sums(own) === sums(other) ? [] : [sums(other)]), ...cpus, ...system];
  return noted(own, changes.length === 0 ? undefined : `${there}: ${changes.join('; ')}`);
}
