import { bits } from './bits';
import type { HardwareEvent } from './events';
import type { ImsConfig } from './machine-config';
import { Memory } from './memory';

// Where a device keeps interrupt messages of its own, besides MSI-X. Source: Scalable I/O Virtualization specification, "Interrupt Message Storage"; the slots as struct ims_slot of the posted driver.

/** Bytes of a slot: four words. */
export const IMS_SLOT_SIZE = 16;
export const IMS_SLOT = { address_lo: 0, address_hi: 4, data: 8, ctrl: 12 } as const;
export type ImsWord = keyof typeof IMS_SLOT;
const WORDS: readonly ImsWord[] = ['address_lo', 'address_hi', 'data', 'ctrl'];

export const IMS_CTRL = bits(32, {
  bit0: [0, 'the vector is masked; on other devices: it is not'],
  pasid_enable: [3, 'the slot belongs to the address space of pasid'],
  pasid: [12, 31, 'process address space id'],
});

/** Of a store of queues, which software cannot reach: a command copies a message into it. */
export const IMS_QUEUE = {
  QUEUE: 0x00,
  INDEX: 0x04,
  /** four words, as a slot */
  MESSAGE: 0x10,
  /** any write starts it */
  COMMAND: 0x20,
  /** bit 0: a command is being carried out */
  STATUS: 0x24,
} as const;
export const IMS_STORE_SIZE = 0x10000;

/** What the store needs of the device around it. */
export interface ImsHost {
  send(hi: number, lo: number, data: number): void;
  note(event: HardwareEvent): void;
}

/** The messages of a device. A slot whose interrupt comes while it is masked sends when it is unmasked. */
export class ImsStore {
  /** four words a slot */
  readonly words: Uint32Array;
  private readonly pending = new Set<number>();
  private readonly queue = new Memory();
  /** commands so far */
  private commands = 0;
  private busy = false;
  /** a slot that sends at the next access to one of its words */
  private armed: { readonly slot: number; readonly word: ImsWord } | undefined;

  /** @param address physical */
  constructor(
    readonly config: ImsConfig,
    readonly address: number,
    private readonly requesterId: number,
    private readonly host: ImsHost,
  ) {
    this.words = new Uint32Array((this.slots * IMS_SLOT_SIZE) / 4);
    for (let slot = 0; slot < this.slots; slot++) this.words[slot * 4 + 3] = IMS_CTRL.encode({ bit0: this.config.bit0 === 'masks' });
  }

  /** Of all queues together, or of the array. */
  get slots(): number {
    return this.config.slots * (this.config.store === 'queue' ? this.config.queues : 1);
  }

  /** What a slot holds. */
  message(slot: number): { readonly lo: number; readonly hi: number; readonly data: number; readonly ctrl: number } {
    const [lo, hi, data, ctrl] = this.words.subarray(slot * 4, slot * 4 + 4);
    return { lo, hi, data, ctrl };
  }

  masked(slot: number): boolean {
    return this.masks(this.message(slot).ctrl);
  }

  private masks(ctrl: number): boolean {
    return (IMS_CTRL.get(ctrl, 'bit0') === 1) === (this.config.bit0 === 'masks');
  }

  /** The slot's interrupt. */
  raise(slot: number): void {
    if (this.masked(slot)) {
      this.pending.add(slot);
      this.host.note({ kind: 'held back', requesterId: this.requesterId, entry: slot, why: 'masked' });
      return;
    }
    const { hi, lo, data } = this.message(slot);
    if (this.config.guest) this.host.note({ kind: 'sent on the host', requesterId: this.requesterId, slot, addressHi: hi, addressLo: lo, data });
    else this.host.send(hi, lo, data);
  }

  /** The slot's interrupt comes right behind the next write of `word` (of ctrl: the next read), however far its writer is. */
  raiseAt(slot: number, word: ImsWord): void {
    this.armed = { slot, word };
  }

  /** @param offset from the store's start, a multiple of 4 */
  read32(offset: number): number {
    const value = this.peek(offset);
    if (this.config.store === 'array' && wordAt(offset) === 'ctrl') this.fire(slotAt(offset), 'ctrl');
    return value;
  }

  peek(offset: number): number {
    if (this.config.store === 'array') return this.words[offset >> 2] ?? 0xffffffff;
    return offset === IMS_QUEUE.STATUS ? Number(this.busy) : this.queue.read32(offset);
  }

  /** @param offset from the store's start, a multiple of 4 */
  write32(offset: number, value: number): void {
    if (this.config.store === 'queue') this.writeQueue(offset, value);
    else if (offset >> 2 < this.words.length) this.writeSlot(slotAt(offset), wordAt(offset), value);
  }

  private writeSlot(slot: number, word: ImsWord, value: number): void {
    const at = slot * 4 + IMS_SLOT[word] / 4;
    const changed = this.words[at] !== value >>> 0;
    this.words[at] = value;
    if (word === 'ctrl') {
      this.sendPending(slot);
      return;
    }
    if (changed && !this.masked(slot)) this.noteRewritten(slot, word);
    this.fire(slot, word);
  }

  /** Words are taken one by one: until the last is written an open slot would send a message that nobody meant. */
  private noteRewritten(slot: number, word: ImsWord): void {
    const { hi, lo, data } = this.message(slot);
    this.host.note({ kind: 'open slot rewritten', requesterId: this.requesterId, slot, word, addressHi: hi, addressLo: lo, data });
  }

  private fire(slot: number, word: ImsWord): void {
    if (this.armed?.slot !== slot || this.armed.word !== word) return;
    this.armed = undefined;
    this.raise(slot);
  }

  private sendPending(slot: number): void {
    if (!this.masked(slot) && this.pending.delete(slot)) this.raise(slot);
  }

  private writeQueue(offset: number, value: number): void {
    if (offset === IMS_QUEUE.COMMAND) this.command();
    else if (offset < IMS_QUEUE.COMMAND) this.queue.write32(offset, value);
  }

  /** A message is taken as a whole. One that the device loses is never done. */
  private command(): void {
    this.commands++;
    this.busy = this.config.loses.includes(this.commands);
    const [queue, index] = [IMS_QUEUE.QUEUE, IMS_QUEUE.INDEX].map(offset => this.queue.read32(offset));
    const slot = queue * this.config.slots + index;
    if (slot >= this.slots) return;
    const words = WORDS.map(word => this.queue.read32(IMS_QUEUE.MESSAGE + IMS_SLOT[word]));
    const [addressLo, , data, ctrl] = words;
    this.host.note({ kind: 'queue command', requesterId: this.requesterId, queue, slot: index, taken: !this.busy, addressLo, data, masked: this.masks(ctrl) });
    if (this.busy) return;
    this.words.set(words, slot * 4);
    this.sendPending(slot);
  }
}

const slotAt = (offset: number): number => Math.floor(offset / IMS_SLOT_SIZE);
const wordAt = (offset: number): ImsWord => WORDS[(offset % IMS_SLOT_SIZE) >> 2];
