import type { MsixPlace } from './pci-config-space';
import { MSIX_VECTOR_CTRL } from './pci-registers';

const WORDS = 4;

/** The MSI-X table and its pending bits; after reset every entry is masked. Source: PCI Local Bus specification 3.0, 6.8.2. */
export class MsixTable {
  /** address low, address high, data, vector control of each entry */
  readonly table: Uint32Array;
  readonly pending: Uint32Array;
  /** number of bits set in `pending` */
  private waiting = 0;

  constructor(readonly place: MsixPlace) {
    this.table = new Uint32Array(place.entries * WORDS);
    this.pending = new Uint32Array(Math.ceil(place.entries / 64) * 2);
    this.reset();
  }

  reset(): void {
    this.table.fill(0);
    for (let entry = 0; entry < this.place.entries; entry++) this.table[entry * WORDS + 3] = MSIX_VECTOR_CTRL.encode({ maskbit: 1 });
    this.pending.fill(0);
    this.waiting = 0;
  }

  masked(entry: number): boolean {
    return MSIX_VECTOR_CTRL.get(this.table[entry * WORDS + 3], 'maskbit') === 1;
  }

  message(entry: number): { lo: number; hi: number; data: number } {
    const at = entry * WORDS;
    return { lo: this.table[at], hi: this.table[at + 1], data: this.table[at + 2] };
  }

  isPending(entry: number): boolean {
    return ((this.pending[entry >>> 5] >>> (entry & 31)) & 1) === 1;
  }

  setPending(entry: number, on: boolean): void {
    if (this.isPending(entry) === on) return;
    this.pending[entry >>> 5] ^= 1 << (entry & 31);
    this.waiting += on ? 1 : -1;
  }

  /** Takes the pending entries that are not masked. */
  takePending(): number[] {
    if (this.waiting === 0) return [];
    const entries = [...Array(this.place.entries).keys()].filter(entry => this.isPending(entry) && !this.masked(entry));
    for (const entry of entries) this.setPending(entry, false);
    return entries;
  }
}
