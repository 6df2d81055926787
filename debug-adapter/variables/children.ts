// What a value consists of, listed only when somebody looks.
import type { BitLayout } from '../../src/hardware/bits';
import { IR_RTE, RTE } from '../../src/hardware/io-apic';
import { IRTE_32, IRTE_GA_HI, IRTE_GA_LO, IRTE_GA_LO_VAPIC } from '../../src/hardware/amd-irte';
import { IRTE_HIGH, IRTE_LOW, IRTE_POSTED_LOW } from '../../src/hardware/irte';
import { IMS_CTRL, ImsStore } from '../../src/hardware/ims-store';
import { LocalApic, testVector } from '../../src/hardware/local-apic';
import { AMD_MSI_DATA, DMAR_MSI_ADDRESS_LO, DMAR_MSI_DATA, MSI_ADDRESS_LO, MSI_DATA } from '../../src/hardware/message';
import { XEN_PIRQ_ADDRESS_LO, XEN_PIRQ_DATA, XEN_PIRQ_DELIVERY_MODE } from '../../src/hardware/xen/interface';
import { bitmap } from '../../src/kernel/lib/bitmap';
import type { msi_msg } from '../../src/kernel/include/msi';
import { membersOf } from './layout';
import { hexText } from './numbers';
import { structOf } from './types';

/** A child of a value. */
export interface Item {
  readonly name: string;
  readonly value: unknown;
  /** The structure that it is a member of. */
  readonly owner?: string;
  /** How an expression gets to it: from its parent, "->irq", "[3]" or "" for the parent itself; or from nowhere, "irq(24)". */
  readonly path?: string | undefined;
  /** Shown instead of what the value itself would read as. */
  readonly text?: string;
  /** Listed instead of what the value itself consists of. */
  readonly children?: Container;
}

export interface Container {
  readonly named: () => readonly Item[];
  /** Elements are fetched by the page. */
  readonly indexed?: { readonly count: number; readonly page: (start: number, count: number) => readonly Item[] };
}

export function childrenOf(value: object): Container {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return elements(value as unknown as ArrayLike<unknown>);
  if (value instanceof Map) return entries(value);
  if (value instanceof Set) return elements([...value]);
  if (value instanceof LocalApic) return localApic(value);
  if (value instanceof ImsStore) return messageStore(value);
  return members(value);
}

const elements = (list: ArrayLike<unknown>): Container => ({
  named: () => [],
  indexed: {
    count: list.length,
    page: (start, count) => Array.from({ length: Math.max(0, Math.min(count, list.length - start)) }, (_, i) => element(list, start + i)),
  },
});

const element = (list: ArrayLike<unknown>, i: number): Item => ({ name: `[${i}]`, value: list[i], path: `[${i}]` });

const entries = (map: ReadonlyMap<unknown, unknown>): Container => ({
  named: () => [],
  indexed: {
    count: map.size,
    page: (start, count) => slice(map, start, count).map(([key, value]) => ({ name: `[${keyText(key)}]`, value, path: typeof key === 'number' ? `[${key}]` : undefined })),
  },
});

function slice<T>(source: Iterable<T>, start: number, count: number): T[] {
  const found: T[] = [];
  let i = 0;
  for (const one of source) {
    if (i >= start + count) break;
    if (i++ >= start) found.push(one);
  }
  return found;
}

const keyText = (key: unknown): string => (typeof key === 'object' && key !== null ? structOf(key) : String(key));

function members(value: object): Container {
  const owner = structOf(value);
  return {
    named: () =>
      membersOf(value, owner).map(member => {
        const children = registerIn(value, owner, member.name, member.value);
        return { ...member, owner, ...(children ? { children } : {}) };
      }),
  };
}

/** Members that are registers, or words of a message, are opened into their bits. */
function registerIn(value: object, owner: string, name: string, raw: unknown): Container | undefined {
  if (owner === 'msi_msg' && typeof raw === 'number' && (name === 'address_lo' || name === 'data')) return bitFields(messageLayout(value as msi_msg)[name], raw);
  if (owner === 'irte' && name === 'val' && typeof raw === 'number') return bitFields(IRTE_32, raw);
  if (typeof raw !== 'bigint') return undefined;
  if (owner === 'irte_ga' && name === 'lo') return IRTE_GA_LO.get(raw, 'guest_mode') === 1 ? bitFields(IRTE_GA_LO_VAPIC, raw) : bitFields(IRTE_GA_LO, raw);
  if (owner === 'irte_ga' && name === 'hi') return bitFields(IRTE_GA_HI, raw);
  if (owner === 'irte' && name === 'low') return IRTE_LOW.get(raw, 'pst') === 1 ? bitFields(IRTE_POSTED_LOW, raw) : bitFields(IRTE_LOW, raw);
  if (owner === 'irte' && name === 'high') return bitFields(IRTE_HIGH, raw);
  if (owner === 'mp_chip_data' && name === 'entry') return IR_RTE.get(raw, 'format') === 1 ? bitFields(IR_RTE, raw) : bitFields(RTE, raw);
  return undefined;
}

/** A message's words as the hardware will read them. */
export function messageLayout(msg: { readonly address_lo: number; readonly data: number }): Record<'address_lo' | 'data', BitLayout<string, 32>> {
  const remappable = MSI_ADDRESS_LO.get(msg.address_lo, 'dmar_format') === 1;
  const { vector, delivery_mode } = XEN_PIRQ_DATA.decode(msg.data);
  if (vector === 0 && delivery_mode === XEN_PIRQ_DELIVERY_MODE && !remappable) return { address_lo: XEN_PIRQ_ADDRESS_LO, data: XEN_PIRQ_DATA };
  // The kernel asserts every other message.
  if (!remappable && msg.address_lo !== 0 && MSI_DATA.get(msg.data, 'active_low') === 0) return { address_lo: MSI_ADDRESS_LO, data: AMD_MSI_DATA };
  return remappable ? { address_lo: DMAR_MSI_ADDRESS_LO, data: DMAR_MSI_DATA } : { address_lo: MSI_ADDRESS_LO, data: MSI_DATA };
}

/** The fields of a register. */
export function bitFields<W extends 8 | 16 | 32 | 64>(layout: BitLayout<string, W>, raw: Parameters<BitLayout<string, W>['decode']>[0]): Container {
  const values = layout.decode(raw);
  return { named: () => layout.fields.map(({ name, size, doc }) => ({ name, value: values[name], text: `${size === 1 ? values[name] : hexText(values[name])}${doc ? `  (${doc})` : ''}` })) };
}

/** What each slot of a device would send. */
function messageStore(store: ImsStore): Container {
  const slot = (i: number): Item => {
    const { lo, hi, data, ctrl } = store.message(i);
    const layout = messageLayout({ address_lo: lo, data });
    const words: Item[] = [
      { name: 'address_lo', value: lo, text: hexText(lo), children: bitFields(layout.address_lo, lo) },
      { name: 'address_hi', value: hi, text: hexText(hi) },
      { name: 'data', value: data, text: hexText(data), children: bitFields(layout.data, data) },
      { name: 'ctrl', value: ctrl, text: hexText(ctrl), children: bitFields(IMS_CTRL, ctrl) },
    ];
    return { name: `slot ${i}`, value: null, text: `${hexText(data)} to ${hexText(lo)}${store.masked(i) ? ', masked' : ''}`, children: { named: () => words } };
  };
  const { config, address } = store;
  return {
    named: () => [{ name: 'config', value: config }, { name: 'address', value: address, text: hexText(address) }],
    indexed: { count: store.slots, page: (start, count) => Array.from({ length: Math.max(0, Math.min(count, store.slots - start)) }, (_, i) => slot(start + i)) },
  };
}

/** Vectors rather than words in IRR, ISR and TMR. */
function localApic(apic: LocalApic): Container {
  const plain = members(apic);
  return {
    named: () => plain.named().map(item => (item.value instanceof Uint32Array && item.value.length === 8 ? { ...item, value: vectors(item.value) } : item)),
  };
}

function vectors(words: Uint32Array): bitmap {
  const set = new bitmap(256);
  for (let vector = 0; vector < 256; vector++) if (testVector(words, vector)) set.set(vector);
  return set;
}
