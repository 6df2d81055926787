/** A fixed-size bit set over 32-bit words: the kernel's bitmaps and, through `cpumask`, its CPU masks. */
export class bitmap {
  readonly words: Uint32Array;

  constructor(readonly nbits: number) {
    this.words = new Uint32Array((nbits + 31) >>> 5);
  }

  test(bit: number): boolean {
    return bit >= 0 && bit < this.nbits && ((this.words[bit >>> 5] >>> (bit & 31)) & 1) === 1;
  }

  set(bit: number): void {
    this.check(bit);
    this.words[bit >>> 5] |= 1 << (bit & 31);
  }

  clear(bit: number): void {
    this.check(bit);
    this.words[bit >>> 5] &= ~(1 << (bit & 31));
  }

  private check(bit: number): void {
    if (bit < 0 || bit >= this.nbits) throw new RangeError(`bit ${bit} is outside a bitmap of ${this.nbits} bits`);
  }

  setAll(): this {
    this.words.fill(0xffffffff);
    const rest = this.nbits & 31;
    if (rest) this.words[this.words.length - 1] = (1 << rest) - 1;
    return this;
  }

  clearAll(): this {
    this.words.fill(0);
    return this;
  }

  copyFrom(other: bitmap): this {
    this.words.set(other.words);
    return this;
  }

  /** this = a | b */
  assignOr(a: bitmap, b: bitmap): this {
    for (let i = 0; i < this.words.length; i++) this.words[i] = a.words[i] | b.words[i];
    return this;
  }

  /** this = a & ~b */
  assignAndNot(a: bitmap, b: bitmap): this {
    for (let i = 0; i < this.words.length; i++) this.words[i] = a.words[i] & ~b.words[i];
    return this;
  }

  get empty(): boolean {
    return this.words.every((w) => w === 0);
  }

  get weight(): number {
    let n = 0;
    for (let w of this.words) for (; w !== 0; w &= w - 1) n++;
    return n;
  }

  /** First set bit at or after `from` and below `end`, or -1. */
  next(from = 0, end = this.nbits): number {
    for (let i = from >>> 5; i << 5 < end; i++) {
      const word = i === from >>> 5 ? this.words[i] & (-1 << (from & 31)) : this.words[i];
      if (word === 0) continue;
      const bit = (i << 5) + (31 - Math.clz32(word & -word));
      return bit < end ? bit : -1;
    }
    return -1;
  }

  /** First clear bit at or after `from`, or -1. */
  nextZero(from = 0): number {
    for (let i = from >>> 5; i < this.words.length; i++) {
      const word = i === from >>> 5 ? ~this.words[i] & (-1 << (from & 31)) : ~this.words[i];
      if (word === 0) continue;
      const bit = (i << 5) + (31 - Math.clz32(word & -word));
      return bit < this.nbits ? bit : -1;
    }
    return -1;
  }

  /** First run of `n` clear bits at or after `from` whose start is a multiple of `align`, or -1. Source: lib/bitmap.c, bitmap_find_next_zero_area() */
  nextZeroArea(from: number, n: number, align = 1): number {
    for (let start = this.nextZero(from); start >= 0; start = this.nextZero(start)) {
      start = Math.ceil(start / align) * align;
      if (start + n > this.nbits) return -1;
      const busy = this.next(start, start + n);
      if (busy < 0) return start;
      start = busy + 1;
    }
    return -1;
  }

  /** The set bits in order, as they are now. */
  [Symbol.iterator](): IterableIterator<number> {
    const bits: number[] = [];
    for (let bit = this.next(0); bit >= 0; bit = this.next(bit + 1)) bits.push(bit);
    return bits.values();
  }

  equals(other: bitmap): boolean {
    return this.words.every((w, i) => w === (other.words[i] ?? 0));
  }

  intersects(other: bitmap): boolean {
    return this.words.some((w, i) => (w & (other.words[i] ?? 0)) !== 0);
  }

  /** True when every bit of this is set in `other`. */
  subsetOf(other: bitmap): boolean {
    return this.words.every((w, i) => (w & ~(other.words[i] ?? 0)) === 0);
  }

  /** The kernel's "%*pbl" format: "0-3,5"; empty for no bit. */
  toString(): string {
    const runs: string[] = [];
    for (let first = this.next(0); first >= 0; ) {
      const end = this.nextZero(first);
      const last = (end < 0 ? this.nbits : end) - 1;
      runs.push(first === last ? `${first}` : `${first}-${last}`);
      first = end < 0 ? -1 : this.next(end);
    }
    return runs.join(',');
  }
}
