import type { InterruptBus } from './interrupt-bus';
import {
  APIC_DFR, APIC_EOI, APIC_ESR, APIC_ICR, APIC_ICR2, APIC_ID, APIC_IRR, APIC_ISR, APIC_LDR, APIC_LVR, APIC_LVT0, APIC_LVT1, APIC_LVTERR, APIC_LVTPC,
  APIC_LVTT, APIC_LVTTHMR, APIC_PROCPRI, APIC_SELF_IPI, APIC_SPIV, APIC_TASKPRI, APIC_TDCR, APIC_TMCCT, APIC_TMICT, APIC_TMR, DFR_FLAT, ESR, ICR_LOW,
  LVT, SHORTHAND, SPIV,
} from './local-apic-registers';
import { BROADCAST, DELIVERY, type InterruptRequest, widened } from './message';

const VERSION = 0x14 | (5 << 16);
const LVT_MASKED = LVT.encode({ masked: 1 });
const FIRST_LEGAL_VECTOR = 16;

const LOCAL_VECTORS = [APIC_LVTT, APIC_LVTTHMR, APIC_LVTPC, APIC_LVT0, APIC_LVT1, APIC_LVTERR];
/** Registers without any effect but to keep what was written. */
const PLAIN = new Set([...LOCAL_VECTORS, APIC_TMICT, APIC_TDCR]);

/**
 * A CPU's interrupt controller, after reset: disabled by software, everything masked. Source: Intel SDM volume 3, chapter 10.
 * As QEMU's, and other than 10.4.7.2 says, it keeps the mask bits of the local vectors while it is disabled by software.
 */
export class LocalApic {
  mode: 'xapic' | 'x2apic' = 'xapic';
  taskPriority = 0;
  spurious = SPIV.encode({ vector: 0xff });
  readonly isr = new Uint32Array(8);
  readonly tmr = new Uint32Array(8);
  readonly irr = new Uint32Array(8);
  /** vector that the 8259 pair wants taken */
  private external: number | null = null;
  /** as read; the pending errors get there by a write */
  errorStatus = 0;
  pendingErrors = 0;
  private ldr = 0;
  private dfr = DFR_FLAT;
  private icrLow = 0;
  private icrHigh = 0;
  readonly plain = new Map<number, number>(LOCAL_VECTORS.map(reg => [reg, LVT_MASKED]));

  /** @param cpu index in Machine.cpus */
  constructor(
    readonly cpu: number,
    readonly apicId: number,
    private readonly bus: InterruptBus,
  ) {}

  /** A register by its xAPIC offset (also in x2APIC mode). A register that does not exist reads 0 and is noted as an error. */
  read(reg: number): number {
    const value = this.peek(reg);
    if (value !== undefined) return value;
    this.pendingErrors |= ESR.encode({ illegal_register: 1 });
    return 0;
  }

  /** Looks at a register; undefined where there is none. */
  peek(reg: number): number | undefined {
    const vectors = this.vectorRegister(reg);
    if (vectors) return vectors[(reg & 0x70) >>> 4];
    switch (reg) {
      case APIC_ID: return this.mode === 'x2apic' ? this.apicId : (this.apicId << 24) >>> 0;
      case APIC_LVR: return VERSION;
      case APIC_TASKPRI: return this.taskPriority;
      case APIC_PROCPRI: return this.processorPriority();
      case APIC_LDR: return this.mode === 'x2apic' ? logicalX2apicId(this.apicId) : this.ldr;
      case APIC_DFR: return this.mode === 'x2apic' ? undefined : this.dfr;
      case APIC_SPIV: return this.spurious;
      case APIC_ESR: return this.errorStatus;
      case APIC_ICR: return this.icrLow;
      case APIC_ICR2: return this.icrHigh;
      case APIC_TMCCT: return 0;
      default: return PLAIN.has(reg) ? this.plain.get(reg) ?? 0 : undefined;
    }
  }

  /** ISR, TMR and IRR lie in blocks of eight registers. */
  private vectorRegister(reg: number): Uint32Array | undefined {
    const block = reg & ~0x70;
    return (reg & 0xf) !== 0 ? undefined : block === APIC_ISR ? this.isr : block === APIC_TMR ? this.tmr : block === APIC_IRR ? this.irr : undefined;
  }

  /** @param high the upper word of a 64-bit write; only the ICR in x2APIC mode has one: the destination */
  write(reg: number, value: number, high = 0): void {
    switch (reg) {
      case APIC_TASKPRI: this.taskPriority = value & 0xff; return;
      case APIC_EOI: this.endOfInterrupt(); return;
      case APIC_SPIV: this.spurious = value >>> 0; return;
      case APIC_ESR: this.errorStatus = this.pendingErrors; this.pendingErrors = 0; return;
      case APIC_ICR: this.command(value >>> 0, high >>> 0); return;
    }
    if (this.mode === 'x2apic') {
      if (reg === APIC_SELF_IPI) this.send(selfIpi(value & 0xff), SHORTHAND.SELF);
      else if (PLAIN.has(reg)) this.plain.set(reg, value >>> 0);
      else this.pendingErrors |= ESR.encode({ illegal_register: 1 });
      return;
    }
    if (reg === APIC_LDR) this.ldr = (value & 0xff000000) >>> 0;
    else if (reg === APIC_DFR) this.dfr = (value | 0x0fffffff) >>> 0;
    else if (reg === APIC_ICR2) this.icrHigh = value >>> 0;
    else if (PLAIN.has(reg)) this.plain.set(reg, value >>> 0);
    else this.pendingErrors |= ESR.encode({ illegal_register: 1 });
  }

  private command(low: number, high: number): void {
    this.icrLow = ICR_LOW.with(low, { busy: 0 });
    if (this.mode === 'x2apic') this.icrHigh = high;
    const c = ICR_LOW.decode(low);
    if (c.vector < FIRST_LEGAL_VECTOR && c.delivery_mode <= DELIVERY.LOWEST_PRIORITY) {
      this.pendingErrors |= ESR.encode({ send_illegal_vector: 1 });
      return;
    }
    const destination = this.mode === 'x2apic' ? high : widened(this.icrHigh >>> 24);
    this.send({ vector: c.vector, delivery: c.delivery_mode, logical: c.dest_mode_logical === 1, level: false, redirect: false, destination }, c.shorthand);
  }

  private send(request: InterruptRequest, shorthand: number): void {
    this.bus.events.push({ kind: 'ipi', from: this.cpu, request });
    if (shorthand === SHORTHAND.NONE) this.bus.deliver(request);
    else if (shorthand === SHORTHAND.SELF) this.bus.deliverTo(this, request);
    else for (const lapic of this.bus.lapics) if (shorthand === SHORTHAND.ALL || lapic !== this) this.bus.deliverTo(lapic, request);
  }

  /** Whether a destination means this local APIC. Source: Intel SDM volume 3, 10.6.2 and 10.12.10. */
  addressedBy(destination: number, logical: boolean): boolean {
    if (destination === BROADCAST) return true;
    if (!logical) return destination === this.apicId;
    if (this.mode === 'x2apic') return sameCluster(destination >>> 16, destination & 0xffff, logicalX2apicId(this.apicId));
    const mine = this.ldr >>> 24;
    if (destination > 0xff) return false;
    if (this.dfr === DFR_FLAT) return (destination & mine) !== 0;
    return destination >>> 4 === mine >>> 4 && (destination & mine & 0xf) !== 0;
  }

  /** Why a fixed interrupt is not taken, or null. An illegal vector is noted as an error. */
  refuses(vector: number): string | null {
    if (SPIV.get(this.spurious, 'enabled') === 0) return 'local APIC disabled';
    if (vector >= FIRST_LEGAL_VECTOR) return null;
    this.pendingErrors |= ESR.encode({ receive_illegal_vector: 1 });
    return 'illegal vector';
  }

  /** Takes a request: it waits in the IRR. A second one for a waiting vector is merged with it. */
  accept(vector: number, level = false): void {
    const merged = testVector(this.irr, vector);
    if (!merged) this.bus.requested++;
    setVector(this.irr, vector, true);
    setVector(this.tmr, vector, level);
    this.bus.events.push({ kind: 'accepted', cpu: this.cpu, vector, level, merged });
  }

  /** The vector that the CPU would take now, if its interrupts are open: the highest waiting one of a class above the processor priority. */
  deliverable(): number | null {
    if (this.external !== null) return this.external;
    const vector = highestVector(this.irr);
    return vector !== null && vector >>> 4 > this.processorPriority() >>> 4 ? vector : null;
  }

  /**
   * The 8259 pair's line at LINT0 rises: as an interrupt of the pair, past IRR and ISR and whatever the priority, or of the local vector table.
   * @param vector that the pair would answer with
   * @returns whether the CPU gets it
   */
  lint0(vector: number): boolean {
    const lvt = LVT.decode(this.plain.get(APIC_LVT0)!);
    if (lvt.masked) return false;
    if (lvt.delivery_mode === DELIVERY.FIXED) {
      if (this.refuses(lvt.vector) !== null) return false;
      this.accept(lvt.vector);
      return true;
    }
    if (lvt.delivery_mode !== DELIVERY.EXTINT || this.external !== null) return false;
    this.external = vector;
    this.bus.requested++;
    return true;
  }

  /** The CPU takes the interrupt: from the IRR to the ISR. @returns the vector; the spurious one when none is deliverable */
  acknowledge(): number {
    if (this.external !== null) {
      const vector = this.external;
      this.external = null;
      this.bus.requested--;
      this.bus.events.push({ kind: 'taken', cpu: this.cpu, vector });
      return vector;
    }
    const vector = this.deliverable();
    if (vector === null) return SPIV.get(this.spurious, 'vector');
    setVector(this.irr, vector, false);
    this.bus.requested--;
    setVector(this.isr, vector, true);
    this.bus.events.push({ kind: 'taken', cpu: this.cpu, vector });
    return vector;
  }

  /** PPR: the task priority, or the class of what is in service if that is higher. */
  processorPriority(): number {
    const inService = (highestVector(this.isr) ?? 0) & 0xf0;
    return (this.taskPriority & 0xf0) >= inService ? this.taskPriority : inService;
  }

  private endOfInterrupt(): void {
    const vector = highestVector(this.isr);
    const broadcast = vector !== null && testVector(this.tmr, vector) && SPIV.get(this.spurious, 'directed_eoi') === 0;
    this.bus.events.push({ kind: 'eoi', cpu: this.cpu, vector, broadcast });
    if (vector === null) return;
    setVector(this.isr, vector, false);
    if (broadcast) this.bus.broadcastEoi(vector);
  }
}

const selfIpi = (vector: number): InterruptRequest => ({ vector, delivery: DELIVERY.FIXED, logical: false, level: false, redirect: false, destination: 0 });

/** Cluster in the upper half, one bit of 16 in the lower: what hardware derives from the id. Source: Intel SDM volume 3, 10.12.10.2. */
export const logicalX2apicId = (apicId: number): number => (((apicId >>> 4) << 16) | (1 << (apicId & 0xf))) >>> 0;

const sameCluster = (cluster: number, members: number, logicalId: number): boolean => cluster === logicalId >>> 16 && (members & logicalId & 0xffff) !== 0;

/** Whether `vector` is set in an IRR, ISR or TMR. */
export const testVector = (words: Uint32Array, vector: number): boolean => ((words[vector >>> 5] >>> (vector & 31)) & 1) === 1;

function setVector(words: Uint32Array, vector: number, on: boolean): void {
  const bit = 1 << (vector & 31);
  words[vector >>> 5] = on ? words[vector >>> 5] | bit : words[vector >>> 5] & ~bit;
}

function highestVector(words: Uint32Array): number | null {
  for (let i = 7; i >= 0; i--) if (words[i] !== 0) return i * 32 + 31 - Math.clz32(words[i]);
  return null;
}
