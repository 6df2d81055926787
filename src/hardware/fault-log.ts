import { DMAR_FEADDR_REG, DMAR_FECTL_REG, DMAR_FEDATA_REG, DMAR_FEUADDR_REG, DMAR_FRCD_REG, DMAR_FSTS_REG, FECTL, FRCD_HIGH, FRCD_LOW, FSTS } from './dmar-registers';

const FECTL_IM = FECTL.encode({ im: 1 });
const FSTS_CLEARED_BY_1 = FSTS.encode({ pfo: 1, iqe: 1 });

/** A VT-d unit's fault record (one, as CAP.nfr says) and fault interrupt. Source: VT-d specification, 7.3 "Fault Reporting". */
export class FaultLog {
  recordLow = 0n;
  recordHigh = 0n;
  overflow = false;
  queueError = false;
  masked = true;
  messagePending = false;
  data = 0;
  address = 0;
  addressHigh = 0;

  /** @param send writes the fault message: it goes straight to the local APICs */
  constructor(private readonly send: (addressHigh: number, address: number, data: number) => void) {}

  /** @param index -1 for a message that has none; the record has room for 16 bits. @returns whether the fault was recorded; false when the record is filled already */
  record(reason: number, sourceId: number, index: number): boolean {
    if (this.overflow) return false;
    if (this.filled) {
      this.overflow = true;
      return false;
    }
    const reported = this.status !== 0;
    this.recordLow = FRCD_LOW.encode({ fault_index: Math.max(index, 0) & 0xffff });
    this.recordHigh = FRCD_HIGH.encode({ sid: sourceId, reason, fault: 1 });
    if (!reported) this.notify();
    return true;
  }

  /** The invalidation queue met a descriptor that it does not know. */
  stopQueue(): void {
    const reported = this.status !== 0;
    this.queueError = true;
    if (!reported) this.notify();
  }

  /** Only the first of several conditions makes an interrupt: the next one comes after software has cleared them all. */
  private notify(): void {
    this.messagePending = true;
    this.sendPending();
  }

  private sendPending(): void {
    if (!this.messagePending || this.masked) return;
    this.messagePending = false;
    this.send(this.addressHigh, this.address, this.data);
  }

  private get filled(): boolean {
    return FRCD_HIGH.get(this.recordHigh, 'fault') === 1;
  }

  private get status(): number {
    return FSTS.encode({ pfo: this.overflow, ppf: this.filled, iqe: this.queueError });
  }

  /** @returns undefined where this offset is no register of the log */
  peek(offset: number): number | undefined {
    switch (offset) {
      case DMAR_FSTS_REG: return this.status;
      case DMAR_FECTL_REG: return FECTL.encode({ im: this.masked, ip: this.messagePending });
      case DMAR_FEDATA_REG: return this.data;
      case DMAR_FEADDR_REG: return this.address;
      case DMAR_FEUADDR_REG: return this.addressHigh;
      case DMAR_FRCD_REG: return Number(this.recordLow & 0xffffffffn);
      case DMAR_FRCD_REG + 4: return Number(this.recordLow >> 32n);
      case DMAR_FRCD_REG + 8: return Number(this.recordHigh & 0xffffffffn);
      case DMAR_FRCD_REG + 12: return Number(this.recordHigh >> 32n);
      default: return undefined;
    }
  }

  write(offset: number, value: number): void {
    switch (offset) {
      case DMAR_FSTS_REG: this.clearStatus(value & FSTS_CLEARED_BY_1); break;
      case DMAR_FECTL_REG: this.masked = (value & FECTL_IM) !== 0; this.sendPending(); break;
      case DMAR_FEDATA_REG: this.data = value >>> 0; break;
      case DMAR_FEADDR_REG: this.address = value >>> 0; break;
      case DMAR_FEUADDR_REG: this.addressHigh = value >>> 0; break;
      case DMAR_FRCD_REG + 12: if (value >>> 31 === 1) this.recordHigh = FRCD_HIGH.with(this.recordHigh, { fault: 0 }); break;
    }
    if (this.status === 0) this.messagePending = false;
  }

  private clearStatus(bits: number): void {
    if (FSTS.get(bits, 'pfo')) this.overflow = false;
    if (FSTS.get(bits, 'iqe')) this.queueError = false;
  }
}
