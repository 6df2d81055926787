import type { PciFunction } from '../pci';
import { DOMID_SELF, MAP_PIRQ_TYPE, type physdev_map_pirq, XEN_ERRNO } from './interface';
import { maskable, type PhysicalVector, type PhysicalVectors, programMessage, setMasked } from './msi';

const { EEXIST, EINVAL, ENODEV, ENOSPC } = XEN_ERRNO;

/** What a guest knows a physical interrupt by. `emulated`: of an HVM guest, whose devices and lines Xen makes up. */
export interface Pirq {
  readonly number: number;
  /** whose it is: DOMID_SELF is the guest that runs */
  readonly domid: number;
  kind: 'reserved' | 'gsi' | 'msi' | 'emulated gsi' | 'emulated msi';
  /** of a line */
  readonly gsi?: number;
  /** of a message: who sends it, by which MSI-X entry (null: MSI), as which of a block */
  readonly fn?: PciFunction;
  readonly entry?: number | null;
  readonly index?: number;
  /** how many there are in the block */
  readonly block?: number;
  readonly at?: PhysicalVector;
  /** event channel; 0 = none */
  port: number;
  /** the guest has been told and has not ended it */
  inService: boolean;
}

/** Numbers below are those of lines. */
const FIRST_GSI_PIRQ = 16;

/** The pirqs of a guest. Source: xen/arch/x86/irq.c, physdev.c */
export class Pirqs {
  readonly pirqs = new Map<number, Pirq>();
  /** triggering of lines, by setup_gsi: true = level */
  readonly level = new Map<number, boolean>();

  /**
   * @param gsis how many lines there are: numbers from there on are for messages @param count how many pirqs the guest may have
   * @param vectors Xen's, of all guests @param functions those that Xen knows @param domid whose pirqs these are
   */
  constructor(
    private readonly gsis: number,
    private readonly count: number,
    private readonly vectors: PhysicalVectors<Pirq>,
    private readonly functions: () => readonly PciFunction[],
    private readonly domid = DOMID_SELF,
  ) {}

  valid(pirq: number): boolean {
    return pirq >= 0 && pirq < this.count;
  }

  /** Numbers for messages count down from the last one. @returns the first of a row, or an errno */
  private freeForMessages(block: number): number {
    for (let pirq = this.count - 1, found = 0; pirq >= this.gsis; pirq--) {
      found = this.pirqs.has(pirq) ? 0 : found + 1;
      if (found === block) return pirq;
    }
    return -ENOSPC;
  }

  private freeForLine(): number {
    for (let pirq = FIRST_GSI_PIRQ; pirq < this.gsis; pirq++) if (!this.pirqs.has(pirq)) return pirq;
    return this.freeForMessages(1);
  }

  private add(pirq: Omit<Pirq, 'port' | 'inService' | 'domid'>): Pirq {
    const made: Pirq = { ...pirq, domid: this.domid, port: 0, inService: false };
    this.pirqs.set(pirq.number, made);
    return made;
  }

  /** A number for an emulated message: the device names it later. @returns it, or an errno */
  reserve(type: number): number {
    const number = type === MAP_PIRQ_TYPE.GSI ? this.freeForLine() : this.freeForMessages(1);
    if (number >= 0) this.add({ number, kind: 'reserved' });
    return number;
  }

  /** A guest's line. @param wanted its number, or -1 @returns it, or an errno */
  mapLine(gsi: number, wanted: number, emulated: boolean): number {
    if (gsi < 0 || (!emulated && gsi >= this.gsis)) return -EINVAL;
    const there = this.ofLine(gsi);
    if (there) return wanted < 0 || wanted === there.number ? there.number : -EEXIST;
    const number = wanted < 0 ? this.freeForLine() : wanted;
    if (number >= 0 && !this.valid(number)) return -EINVAL;
    if (number >= 0) this.add({ number, kind: emulated ? 'emulated gsi' : 'gsi', gsi });
    return number;
  }

  ofLine(gsi: number): Pirq | undefined {
    return [...this.pirqs.values()].find(pirq => pirq.gsi === gsi);
  }

  /** The function that map_pirq means. @param segments Xen knows MAP_PIRQ_TYPE_MSI_SEG, where bus has the segment in its upper half */
  functionOf({ type, bus, devfn }: physdev_map_pirq): PciFunction | undefined {
    const segment = type === MAP_PIRQ_TYPE.MSI ? 0 : bus >>> 16;
    return this.functions().find(fn => fn.domain === segment && fn.bus === (bus & 0xff) && fn.devfn === devfn);
  }

  /** Numbers and vectors for an MSI-X entry (entry), or for a block of MSIs (entry null); Xen writes the message. @returns the first number, or an errno */
  mapMessages(fn: PciFunction | undefined, entry: number | null, block: number): number {
    if (!fn) return -ENODEV;
    if (entry === null ? fn.space.msi === 0 : !fn.msix || entry >= fn.msix.place.entries) return -EINVAL;
    if ([...this.pirqs.values()].some(pirq => pirq.fn === fn && pirq.entry === entry)) return -EEXIST;
    const first = this.freeForMessages(block);
    if (first < 0) return first;
    const owners = Array.from({ length: block }, (_, index) => ({ number: first + index, domid: this.domid, kind: 'msi' as const, fn, entry, index, block, port: 0, inService: false }));
    const at = this.vectors.alloc(owners);
    if (!at) return -ENOSPC;
    for (const owner of owners) this.pirqs.set(owner.number, Object.assign(owner, { at: { ...at, vector: at.vector + owner.index } }));
    programMessage(fn, entry, at, block);
    return first;
  }

  /** @returns 0 or an errno; a block goes as one */
  unmap(number: number): number {
    const pirq = this.pirqs.get(number);
    if (!this.valid(number)) return -EINVAL;
    if (!pirq || pirq.kind === 'reserved') return -EINVAL;
    pirq.port = 0;
    const { fn, block = 1, at } = pirq;
    if (fn && at) {
      setMasked(fn, pirq.entry!, true, pirq.index);
      this.vectors.free(at, block);
    }
    for (let i = 0; i < block; i++) this.pirqs.delete(number + i);
    return 0;
  }

  /** Xen writes into a function again what it had written. */
  restore(fn: PciFunction): void {
    for (const { fn: of, entry, at, index, block, port } of this.pirqs.values()) {
      if (of !== fn || !at) continue;
      if (index === 0) programMessage(fn, entry!, at, block!);
      if (port !== 0) setMasked(fn, entry!, false, index);
    }
  }

  /** The guest has ended: Xen takes all back. */
  freeAll(): void {
    for (const { number, index = 0 } of [...this.pirqs.values()]) if (index === 0) this.unmap(number);
  }

  /** The guest wants the interrupt, or no longer: a message is masked in the device. */
  start(pirq: Pirq, on: boolean): void {
    if (pirq.fn) setMasked(pirq.fn, pirq.entry!, !on, pirq.index);
  }

  /** Whether Xen waits until the guest has ended it: lines that may still be driven, messages that nothing holds back. */
  needsEoi({ kind, gsi, fn, entry }: Pirq): boolean {
    if (kind === 'gsi') return this.level.get(gsi!) === true;
    return kind === 'msi' && !maskable(fn!, entry!);
  }
}

