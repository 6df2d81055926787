import { RING_BASE } from './amd-iommu-registers';
import type { Memory } from './memory';

const PAGE = 4096;

/** A ring in memory that an AMD IOMMU fills and software empties: the event log, the guest log. Source: IOMMU specification, 2.5 and 2.7. */
export class AmdLog {
  /** RING_BASE */
  base = 0n;
  /** byte offsets */
  head = 0;
  tail = 0;
  running = false;
  overflow = false;

  constructor(
    private readonly memory: Memory,
    readonly entrySize: number,
  ) {}

  enable(on: boolean): void {
    this.running = on && !this.overflow;
  }

  /** @returns whether there was room: a full log stops */
  push(...words: bigint[]): boolean {
    if (!this.running) return false;
    const { address, length } = RING_BASE.decode(this.base);
    const next = (this.tail + this.entrySize) % (this.entrySize * 2 ** length);
    if (next === this.head) {
      this.overflow = true;
      this.running = false;
      return false;
    }
    words.forEach((word, i) => this.memory.write64(address * PAGE + this.tail + i * 8, word));
    this.tail = next;
    return true;
  }
}
