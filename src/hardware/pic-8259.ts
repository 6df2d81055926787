/** The pair of legacy interrupt controllers, without what waits in it: bit n masks ISA interrupt n. */
export class Pic8259 {
  /** 16 bits; firmware leaves all masked but the cascade */
  mask = 0xfffb;

  /** vector of ISA interrupt 0 (ICW2) */
  base = 0;

  peek(): number {
    return this.mask;
  }
}
