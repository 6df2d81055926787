// How one value reads in a line, and what it consists of.
import { errnoName } from '../../src/kernel/lib/errno';
import { bitmap } from '../../src/kernel/lib/bitmap';
import { childrenOf, type Container } from './children';
import { decodedWord } from './flags';
import { membersOf } from './layout';
import { hexText } from './numbers';
import { structOf } from './types';

/** Where a value stands; a number means something only there. */
export interface Place {
  readonly name: string;
  /** The structure it is a member of. */
  readonly owner?: string;
  /** Whole numbers in hexadecimal. */
  readonly hex?: boolean;
}

export interface Description {
  readonly text: string;
  /** The kernel's type, where it has one. */
  readonly type?: string;
  readonly children?: Container;
}

/** Characters that a structure's summary may take. */
const BUDGET = 100;

export function describe(value: unknown, place: Place): Description {
  if (value === null || value === undefined) return { text: value === null ? 'NULL' : '<not set>' };
  if (typeof value === 'number') return { text: numberText(value, place) };
  if (typeof value === 'bigint') return { text: hexText(value) };
  if (typeof value === 'string') return { text: JSON.stringify(value), type: 'string' };
  if (typeof value === 'function') return { text: value.name || '<function>', type: 'function' };
  if (typeof value !== 'object') return { text: `${value as boolean}` };
  if (value instanceof bitmap) return { text: value.toString() || '<empty>', type: structOf(value) };
  return describeObject(value);
}

function describeObject(value: object): Description {
  const children = childrenOf(value);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return { text: `[${String((value as unknown as ArrayLike<unknown>).length)}]`, type: 'array', children };
  if (value instanceof Map || value instanceof Set) return { text: `{${value.size} ${value.size === 1 ? 'entry' : 'entries'}}`, type: value instanceof Map ? 'map' : 'set', children };
  const type = structOf(value);
  const named = SUMMARIES[type];
  return { text: clip(named ? named(value as never) : summary(value, type)), ...(type ? { type } : {}), children };
}

/** What one looks for first in a structure. The values are whatever the model holds now: nothing is taken for granted. */
const SUMMARIES: Readonly<Record<string, ((object: Record<string, never>) => string) | undefined>> = {
  irq_desc: d => `irq ${text(d, 'irq_data', 'irq')}${action(d)}`,
  irq_data: d => `irq ${text(d, 'irq')}: ${text(d, 'domain', 'name')} > ${text(d, 'chip', 'name')} > ${hwirqText(Number(member(d, 'hwirq')))}`,
  irq_domain: d => text(d, 'name'),
  irq_chip: d => text(d, 'name'),
  irqaction: d => text(d, 'name'),
  fwnode_handle: d => text(d, 'name'),
  pci_dev: d => text(d, 'name'),
  msi_msg: d => `${hexText(Number(member(d, 'address_hi')))}:${hexText(Number(member(d, 'address_lo')))} = ${hexText(Number(member(d, 'data')))}`,
  raw_spinlock: d => lockText(d, 'CPU '),
  mutex: d => lockText(d, ''),
};

/** irq_hw_number_t is an unsigned long; a remapping index of 0x8000 or more makes it one below zero. */
const hwirqText = (hwirq: number): string => (Number.isInteger(hwirq) ? hexText(BigInt.asUintN(64, BigInt(hwirq))) : String(hwirq));

const lockText = (lock: object, holder: string): string => `${text(lock, 'name')}: ${member(lock, 'owner') === null ? 'free' : `held by ${holder}${text(lock, 'owner')}`}`;

const action = (desc: object): string => (member(desc, 'action') === null ? '' : ` ${text(desc, 'action', 'name')}`);

/** `irq_cfg {dest_apicid: 1, vector: 34 (0x22)}`: the members that are simple and say something, as many as fit. */
function summary(value: object, type: string): string {
  const parts: string[] = [];
  let length = type.length;
  for (const { name, value: inner } of membersOf(value, type)) {
    if (inner === null || inner === false) continue;
    if (typeof inner === 'object' && !(inner instanceof bitmap)) continue;
    if (typeof inner === 'function') continue;
    const part = `${name}: ${describe(inner, { name, owner: type }).text}`;
    length += part.length + 2;
    if (length > BUDGET) return `${type} {${[...parts, '...'].join(', ')}}`.trimStart();
    parts.push(part);
  }
  return `${type} {${parts.join(', ')}}`.trimStart();
}

const clip = (line: string): string => (line.length > BUDGET * 2 ? `${line.slice(0, BUDGET * 2)}...` : line);

function member(object: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((at, name) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[name] : at), object);
}

function text(object: unknown, ...path: string[]): string {
  const value = member(object, ...path);
  return value === null || value === undefined ? 'NULL' : `${value as string | number}`;
}

const RESULTS = /^(ret|err|rc|error|res|result|retval)$/;
const HEX = /^(hwirq_max|data|address|address_(lo|hi)|flags|mask_base|mask_pos|priv_iomem|devid|masked|base|sid)$/;
const VECTOR = /vector$/;

function numberText(value: number, { name, owner, hex }: Place): string {
  const word = owner === undefined ? undefined : decodedWord(owner, name, value);
  if (word !== undefined) return word === String(value) ? word : `${word} (${hexText(value)})`;
  if (RESULTS.test(name) && errnoName(value)) return `${errnoName(value)!} (${value})`;
  if (!Number.isInteger(value)) return String(value);
  if (name === 'hwirq') return hwirqText(value);
  if (hex || HEX.test(name)) return hexText(value);
  if (VECTOR.test(name) && value > 0) return `${value} (${hexText(value)})`;
  return String(value);
}
