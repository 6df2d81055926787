import type { HardwareEvent } from './events';
import { DMAR_MSI_ADDRESS_LO, isInterruptAddress, MSI_BASE } from './message';

// Where a Hyper-V host keeps what messages of passed-through devices become. A guest sees of it only the messages that it is given.

/** An entry: an interrupt of a device, and which virtual processors get it. */
export interface IrtEntry {
  readonly index: number;
  /** instance of the bus, and the function on it */
  readonly instance: string;
  readonly devfn: number;
  /** the message that the device must send; the upper half of the address is 0 */
  readonly address: number;
  readonly data: number;
  vector: number;
  deliveryMode: number;
  /** virtual processors: one of them gets it */
  vps: readonly number[];
  /** a retarget hypercall said where it goes; before, it goes where the guest thought it would when it asked for the message */
  retargeted: boolean;
}

/** What is asked for: `count` entries in a row. */
export interface IrtRequest {
  readonly instance: string;
  readonly devfn: number;
  readonly vector: number;
  readonly deliveryMode: number;
  readonly vps: readonly number[];
  readonly count: number;
}

/** Entries that a message can name. */
const ENTRIES = 0x10000;

/**
 * The host's interrupt redirection table. What a real host gives out is its own business; this one gives messages in the remappable
 * format of VT-d with the number of the entry, so that each block has an address of its own and each of its entries a data of its own.
 */
export class InterruptRedirectionTable {
  /** by index; none has 0, so that no message is all zero */
  readonly entries = new Map<number, IrtEntry>();

  constructor(private readonly events: HardwareEvent[]) {}

  /** @returns the entries, or undefined if there is no room. A block begins at a multiple of its size, rounded up to a power of two. */
  create({ count, vector, vps, instance, devfn, deliveryMode }: IrtRequest): readonly IrtEntry[] | undefined {
    const first = this.room(count);
    if (first === undefined) return undefined;
    const address = addressOf(first, count);
    const made = Array.from({ length: count }, (_, i): IrtEntry => ({ index: first + i, address, data: i, vector: vector + i, vps, retargeted: false, instance, devfn, deliveryMode }));
    for (const entry of made) this.entries.set(entry.index, entry);
    this.note(true, made);
    return made;
  }

  private room(count: number): number | undefined {
    const align = 2 ** Math.ceil(Math.log2(count));
    const free = (first: number): boolean => Array.from({ length: count }, (_, i) => first + i).every(index => !this.entries.has(index));
    for (let first = align; first + count <= ENTRIES; first += align) if (free(first)) return first;
    return undefined;
  }

  /** Takes back what a message stands for: one entry, or the whole block of its first one. */
  delete(instance: string, address: number, count: number): void {
    const gone = [...this.entries.values()].filter(entry => entry.instance === instance && entry.address === address && entry.data < count);
    this.drop(gone);
  }

  private drop(entries: readonly IrtEntry[]): void {
    for (const { index } of entries) this.entries.delete(index);
    this.note(false, entries);
  }

  private note(made: boolean, entries: readonly IrtEntry[]): void {
    if (entries.length === 0) return;
    const [{ devfn, index, vector, vps }] = entries;
    this.events.push({ kind: 'host entries', made, requesterId: devfn, index, count: entries.length, vector, vps });
  }

  /** All of a function. */
  deleteOf(instance: string, devfn: number): void {
    for (const entry of this.of(instance, devfn)) this.drop([entry]);
  }

  /** All of a function, in the order of their making. */
  of(instance: string, devfn: number): IrtEntry[] {
    return [...this.entries.values()].filter(entry => entry.instance === instance && entry.devfn === devfn);
  }

  /** What a message of a function stands for. */
  find(instance: string, devfn: number, addressHi: number, addressLo: number, data: number): IrtEntry | undefined {
    if (!isInterruptAddress(addressHi, addressLo)) return undefined;
    return this.of(instance, devfn).find(entry => entry.address === addressLo && entry.data === data);
  }
}

function addressOf(index: number, count: number): number {
  return DMAR_MSI_ADDRESS_LO.encode({ dmar_base_address: MSI_BASE, dmar_format: 1, dmar_subhandle_valid: Number(count > 1), dmar_index_0_14: index & 0x7fff, dmar_index_15: index >>> 15 });
}
