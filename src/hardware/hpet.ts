import { bits } from './bits';
import type { HpetConfig } from './machine-config';

// The high precision event timers. Source: IA-PC HPET specification, revision 1.0a.

/** Registers, by their offset. */
export const HPET_ID = 0x000;
export const HPET_PERIOD = 0x004;
export const HPET_CFG = 0x010;
export const HPET_Tn_CFG = (n: number): number => 0x100 + 0x20 * n;
/** Where the timer's message goes: its data, and behind that its address. */
export const HPET_Tn_ROUTE = (n: number): number => 0x110 + 0x20 * n;
export const HPET_MMAP_SIZE = 1024;

/** Of one timer. */
const TIMER_SIZE = 0x20;

/** General capabilities, the lower half. */
export const HPET_ID_REGISTER = bits(32, {
  rev: [0, 7],
  number: [8, 12, 'number of timers - 1'],
  size64: [13, 'the counter has 64 bits'],
  legsup: [15, 'timers 0 and 1 can stand in for PIT and RTC'],
  vendor: [16, 31],
});

/** General configuration. */
export const HPET_CFG_REGISTER = bits(32, { enable: [0, 'the counter counts, timers interrupt'], legacy: [1, 'timers 0 and 1 stand in for PIT and RTC'] });

/** A timer's configuration, the lower half; the upper one says which IOAPIC pins it can be routed to. */
export const HPET_TN = bits(32, {
  level: [1, '0 = edge, 1 = level'],
  enable: 2,
  periodic: 3,
  periodic_cap: [4, 'read only'],
  size64_cap: [5, 'read only'],
  setval: [6, 'the next write of the comparator sets the period'],
  mode32: 8,
  route: [9, 13, 'IOAPIC pin'],
  fsb: [14, 'it sends a message instead'],
  fsb_cap: [15, 'it can send a message; read only'],
});

const READ_ONLY = HPET_TN.encode({ periodic_cap: 1, size64_cap: 1, fsb_cap: 1 });

const VENDOR_INTEL = 0x8086;
/** femtoseconds: 100 MHz */
const PERIOD = 10_000_000;
/** Pins that the legacy timers stand in for. */
const LEGACY_GSI = [2, 8];

/** One timer. */
export class HpetTimer {
  cfg: number;
  /** lower half; the upper one is not kept, since nothing runs it full */
  comparator = 0xffffffff;
  /** data of its message */
  fsb_data = 0;
  /** address of its message */
  fsb_address = 0;

  constructor(fsb: boolean) {
    this.cfg = HPET_TN.encode({ periodic_cap: 1, size64_cap: 1, fsb_cap: fsb });
  }
}

/** What a block of timers is connected to. */
export interface HpetHost {
  /** brings a message to the remapping unit or the local APICs; says whether somebody took it */
  readonly send: (addressLo: number, data: number) => boolean;
  /** an edge on a global interrupt line */
  readonly pulse: (gsi: number) => void;
}

/** A block of timers. It has no clock: expire() says that a timer's time has come. */
export class Hpet {
  cfg = 0;
  readonly timers: readonly HpetTimer[];

  constructor(
    readonly config: HpetConfig,
    private readonly host: HpetHost,
  ) {
    this.timers = config.timers.map(({ fsb }) => new HpetTimer(fsb));
  }

  /** A register by its offset; what is not kept reads 0. */
  read32(offset: number): number {
    if (offset === HPET_ID) return this.id;
    if (offset === HPET_PERIOD) return PERIOD;
    if (offset === HPET_CFG) return this.cfg;
    const timer = this.timerAt(offset);
    if (!timer) return 0;
    switch (offset % TIMER_SIZE) {
      case 0x00: return timer.cfg;
      case 0x04: return this.routes(timer);
      case 0x08: return timer.comparator;
      case 0x10: return timer.fsb_data;
      case 0x14: return timer.fsb_address;
      default: return 0;
    }
  }

  write32(offset: number, value: number): void {
    if (offset === HPET_CFG) this.cfg = value >>> 0;
    const timer = this.timerAt(offset);
    if (!timer) return;
    switch (offset % TIMER_SIZE) {
      case 0x00:
        timer.cfg = ((value & ~READ_ONLY) | (timer.cfg & READ_ONLY)) >>> 0;
        break;
      case 0x08:
        timer.comparator = value >>> 0;
        break;
      case 0x10:
        timer.fsb_data = value >>> 0;
        break;
      case 0x14:
        timer.fsb_address = value >>> 0;
        break;
    }
  }

  private get id(): number {
    return HPET_ID_REGISTER.encode({ rev: 1, number: this.timers.length - 1, size64: 1, legsup: this.config.legacy, vendor: VENDOR_INTEL });
  }

  /** As firmware usually has it: each timer but those that send messages can be routed to the pins 20 to 23. */
  private routes(timer: HpetTimer): number {
    return HPET_TN.get(timer.cfg, 'fsb_cap') ? 0 : 0x00f00000;
  }

  private timerAt(offset: number): HpetTimer | undefined {
    return offset < HPET_Tn_CFG(0) ? undefined : this.timers.at((offset - HPET_Tn_CFG(0)) >> 5);
  }

  /** A timer's time has come: it interrupts if it may. @returns whether it did, and somebody took its message */
  expire(n: number): boolean {
    const timer = HPET_TN.decode(this.timers[n].cfg);
    const { enable, legacy } = HPET_CFG_REGISTER.decode(this.cfg);
    if (!enable || !timer.enable) return false;
    if (legacy && n < LEGACY_GSI.length) this.host.pulse(LEGACY_GSI[n]);
    else if (timer.fsb) return this.host.send(this.timers[n].fsb_address, this.timers[n].fsb_data);
    else this.host.pulse(timer.route);
    return true;
  }
}
