const PAGE = 4096;
/** Where allocation begins: above what firmware uses. */
const FIRST = 0x100000;
/** RAM ends below the hole for devices. */
const END = 0xc0000000;

/** RAM: sparse 4 KiB pages of little-endian words. Addresses are physical, in bytes; what was never written reads as 0. */
export class Memory {
  readonly pages = new Map<number, Uint32Array>();
  private next = FIRST;

  /**
   * Takes fresh zeroed memory; it is never given back.
   * @param align a power of two, at least 8
   * @throws Error when RAM is used up
   */
  alloc(bytes: number, align = 8): number {
    const address = Math.ceil(this.next / align) * align;
    if (address + bytes > END) throw new Error(`no ${bytes} bytes of RAM left below ${END.toString(16)}`);
    this.next = address + bytes;
    return address;
  }

  /** Whether an access at this address reaches RAM. */
  contains(address: number): boolean {
    return address >= 0 && address < END;
  }

  /** Aligned to 4. */
  read32(address: number): number {
    return this.pages.get(Math.floor(address / PAGE))?.[(address % PAGE) >>> 2] ?? 0;
  }

  /** Aligned to 4. */
  write32(address: number, value: number): void {
    const number = Math.floor(address / PAGE);
    let page = this.pages.get(number);
    if (!page) {
      page = new Uint32Array(PAGE / 4);
      this.pages.set(number, page);
    }
    page[(address % PAGE) >>> 2] = value;
  }

  /** Aligned to 8. */
  read64(address: number): bigint {
    return (BigInt(this.read32(address + 4)) << 32n) | BigInt(this.read32(address));
  }

  /** Aligned to 8. */
  write64(address: number, value: bigint): void {
    this.write32(address, Number(value & 0xffffffffn));
    this.write32(address + 4, Number((value >> 32n) & 0xffffffffn));
  }
}
