/** The pair of legacy interrupt controllers, as far as a kernel masks them: bit n masks ISA interrupt n. */
export class Pic8259 {
  /** 16 bits; firmware leaves all masked but the cascade */
  mask = 0xfffb;

  peek(): number {
    return this.mask;
  }
}
