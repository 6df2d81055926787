import { bits } from './bits';
import { DELIVERY, DMAR_MSI_ADDRESS_LO, MSI_ADDRESS_LO, MSI_BASE, MSI_DATA } from './message';
import type { IoApicConfig } from './machine-config';

/** Redirection table entry. Source: 82093AA datasheet, 3.2.4. */
export const RTE = bits(64, {
  vector: [0, 7],
  delivery_mode: [8, 10, '0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT'],
  dest_mode: [11, '0 = physical, 1 = logical destination'],
  delivery_status: [12, 'read only'],
  polarity: [13, '1 = active low'],
  irr: [14, 'remote IRR: a level interrupt is being handled; read only'],
  trigger: [15, '0 = edge, 1 = level'],
  mask: [16, '1 = masked'],
  dest: [56, 63],
});

/** Redirection table entry in remappable format. Source: VT-d specification, 5.1.2.2 "Remappable format" for IOAPICs. */
export const IR_RTE = bits(64, {
  vector: [0, 7, 'only matched by an EOI'],
  zero: [8, 10, 'fixed delivery'],
  index2: [11, 'bit 15 of the handle'],
  delivery_status: [12, 'read only'],
  polarity: [13, '1 = active low'],
  irr: [14, 'remote IRR; read only'],
  trigger: [15, '0 = edge, 1 = level'],
  mask: [16, '1 = masked'],
  format: [48, '1 = remappable'],
  index: [49, 63, 'bits 0-14 of the handle'],
});

/** Registers by index. */
export const IOAPIC_ID = 0x00;
export const IOAPIC_VERSION = 0x01;
export const IOAPIC_ARB = 0x02;
/** versions from 0x20 on that have it: whether interrupts are sent by the front side bus */
export const IOAPIC_BOOT = 0x03;
export const IOAPIC_RTE = (pin: number): number => 0x10 + 2 * pin;

/** Memory-mapped: index, data, and EOI for versions from 0x20 on. */
export const IOAPIC_INDEX = 0x00;
export const IOAPIC_DATA = 0x10;
export const IOAPIC_EOI = 0x40;
export const IOAPIC_SIZE = 0x1000;

export const ID_REGISTER = bits(32, { lts: 14, delivery_type: 15, id: [24, 31] });
export const ARB_REGISTER = bits(32, { arbitration: [24, 27] });
export const VERSION_REGISTER = bits(32, { version: [0, 7], prq: 15, max_redirect: [16, 23, 'number of pins - 1'] });

const READ_ONLY = RTE.encode({ delivery_status: 1, irr: 1 });

/** An IOAPIC. Pins are level lines: assert() drives one, an edge is an assert of a line that was not asserted. */
export class IoApic {
  index = 0;
  id: number;
  readonly rte: bigint[];
  /** how many sources drive the pin */
  readonly asserted: number[];

  /** @param send brings a message to the remapping unit or the local APICs; says whether somebody took it */
  constructor(
    readonly config: IoApicConfig,
    private readonly send: (addressLo: number, data: number) => boolean,
  ) {
    this.id = config.id;
    this.rte = new Array<bigint>(config.pins).fill(RTE.encode({ mask: 1 }));
    this.asserted = new Array<number>(config.pins).fill(0);
  }

  /** Memory-mapped read at an offset of the page. */
  read32(offset: number): number {
    return offset === IOAPIC_INDEX ? this.index : offset === IOAPIC_DATA ? this.read(this.index) : 0;
  }

  /** Memory-mapped write at an offset of the page. */
  write32(offset: number, value: number): void {
    if (offset === IOAPIC_INDEX) this.index = value & 0xff;
    else if (offset === IOAPIC_DATA) this.write(this.index, value);
    else if (offset === IOAPIC_EOI && this.config.version >= 0x20) this.eoi(value & 0xff);
  }

  /** A register by its index; one that does not exist reads 0. */
  read(reg: number): number {
    return this.peek(reg) ?? 0;
  }

  /** Looks at a register; undefined where there is none. */
  peek(reg: number): number | undefined {
    if (reg === IOAPIC_ID || reg === IOAPIC_ARB) return (this.id << 24) >>> 0;
    if (reg === IOAPIC_VERSION) return VERSION_REGISTER.encode({ version: this.config.version, max_redirect: this.config.pins - 1 });
    const rte = this.rte.at((reg - IOAPIC_RTE(0)) >> 1);
    if (reg < IOAPIC_RTE(0) || rte === undefined) return undefined;
    return Number(reg % 2 === 0 ? rte & 0xffffffffn : rte >> 32n);
  }

  write(reg: number, value: number): void {
    if (reg === IOAPIC_ID) this.id = (value >>> 24) & 0xf;
    const pin = (reg - IOAPIC_RTE(0)) >> 1;
    if (reg < IOAPIC_RTE(0) || pin >= this.rte.length) return;
    const old = this.rte[pin];

    const word = BigInt(value >>> 0);
    if (reg % 2 === 1) {
      this.rte[pin] = (old & 0xffffffffn) | (word << 32n);
      return;
    }
    const low = (word & ~READ_ONLY) | (old & READ_ONLY);
    this.rte[pin] = (old & ~0xffffffffn) | low;
    // An entry that becomes edge triggered forgets its remote IRR: software uses that as an EOI.
    if (RTE.get(low, 'trigger') === 0) this.setRemoteIrr(pin, false);
    else this.serviceLevel(pin);
  }

  /** Drives the pin. Several sources may drive a level line. */
  assert(pin: number): void {
    const rising = this.asserted[pin] === 0;
    this.asserted[pin] = this.asserted[pin] + 1;
    if (RTE.get(this.rte[pin], 'trigger') === 1) this.serviceLevel(pin);
    else if (rising && !this.masked(pin)) this.send(...this.message(pin)); // an edge while masked is lost
  }

  /** A source that drove the pin lets go. */
  deassert(pin: number): void {
    this.asserted[pin] = Math.max(0, this.asserted[pin] - 1);
  }

  /** A level interrupt with this vector has ended; a line that is still driven interrupts again. */
  eoi(vector: number): void {
    for (let pin = 0; pin < this.rte.length; pin++) {
      const { vector: own, trigger, irr } = RTE.decode(this.rte[pin]);
      if (own !== vector || trigger !== 1 || irr !== 1) continue;
      this.setRemoteIrr(pin, false);
      this.serviceLevel(pin);
    }
  }

  private serviceLevel(pin: number): void {
    const { trigger, irr } = RTE.decode(this.rte[pin]);
    if (trigger !== 1 || irr === 1 || this.masked(pin) || this.asserted[pin] === 0) return;
    // Set before the send: a CPU may end the interrupt at once.
    this.setRemoteIrr(pin, true);
    if (!this.send(...this.message(pin))) this.setRemoteIrr(pin, false);
  }

  private masked(pin: number): boolean {
    return RTE.get(this.rte[pin], 'mask') === 1;
  }

  private setRemoteIrr(pin: number, irr: boolean): void {
    this.rte[pin] = RTE.with(this.rte[pin], { irr });
  }

  private message(pin: number): [addressLo: number, data: number] {
    const rte = this.rte[pin];
    const ir = IR_RTE.decode(rte);
    if (ir.format === 1) {
      const address = { dmar_base_address: MSI_BASE, dmar_format: 1, dmar_index_0_14: ir.index, dmar_index_15: ir.index2 };
      return [DMAR_MSI_ADDRESS_LO.encode(address), 0];
    }
    const e = RTE.decode(rte);
    const lowest = e.delivery_mode === DELIVERY.LOWEST_PRIORITY;
    return [
      MSI_ADDRESS_LO.encode({ base_address: MSI_BASE, dest_mode_logical: e.dest_mode, redirect_hint: lowest, destid_0_7: e.dest }),
      MSI_DATA.encode({ vector: e.vector, delivery_mode: e.delivery_mode, active_low: 1, is_level: e.trigger }),
    ];
  }
}
