import {
  CAP, DMAR_CAP_REG, DMAR_ECAP_REG, DMAR_FRCD_REG, DMAR_GCMD_REG, DMAR_GSTS_REG, DMAR_ICS_REG, DMAR_IQA_REG, DMAR_IQH_REG, DMAR_IQT_REG, DMAR_IRTA_REG,
  DMAR_VER_REG, ECAP, GCMD, GSTS, IQA, IRTA, QI_DESC, QI_DESC_SIZE, QI_TYPE,
} from './dmar-registers';
import { FaultLog } from './fault-log';
import type { InterruptBus } from './interrupt-bus';
import { IRTE_HIGH, IRTE_LOW, IRTE_POSTED_HIGH, IRTE_POSTED_LOW, IRTE_SIZE, PI_DESC_CONTROL, sourceAllowed } from './irte';
import type { RemapUnitConfig } from './machine-config';
import type { Memory } from './memory';
import { decodeCompatibility, decodeRemappable, decodeWide, DELIVERY, DMAR_MSI_ADDRESS_LO, type InterruptRequest, widened } from './message';

const VERSION = 0x10;
const PAGE = 4096;
/** Command bits that stay in the status register as written. */
const KEPT = GCMD.encode({ te: 1, qie: 1, ire: 1, cfi: 1, eafl: 1 });

interface Entry {
  readonly low: bigint;
  readonly high: bigint;
}

/** An entry, or why there is none. */
type Fetched = (Entry & { readonly cached: boolean }) | { readonly reason: number; readonly silent?: boolean };

/** A VT-d unit, as far as interrupts go. Source: VT-d specification, chapters 5, 6.5 and 10. */
export class IntelRemapUnit {
  readonly cap: bigint;
  readonly ecap: bigint;
  readonly faults: FaultLog;
  status = 0;
  irta = 0n;
  iqa = 0n;
  /** byte offsets in the queue */
  iqHead = 0;
  iqTail = 0;
  completionPending = false;
  /** what the hardware took of IRTA at the last SIRTP */
  tableAddress = 0;
  tableEntries = 0;
  x2apic = false;
  /** interrupt entry cache: it may differ from the table until it is invalidated */
  readonly cache = new Map<number, Entry>();

  /** @param unit index in Machine.remapUnits */
  constructor(
    readonly unit: number,
    readonly config: RemapUnitConfig,
    private readonly memory: Memory,
    private readonly bus: InterruptBus,
  ) {
    this.cap = CAP.encode({ nd: 6, sagaw: 2, mgaw: 38, fro: DMAR_FRCD_REG / 16, sllps: 3, psi: 1, mamv: 18, dwd: 1, drd: 1, pi: config.pi, cm: config.cachingMode ?? false });
    this.ecap = ECAP.encode({ qi: 1, ir: 1, pt: 1, iro: 0xf, mhmv: config.handleMask ?? 0xf, eim: config.eim });
    this.faults = new FaultLog((hi, lo, data) => bus.deliver(decodeWide(hi, lo, data)));
  }

  get enabled(): boolean {
    return GSTS.get(this.status, 'ires') === 1;
  }

  /** Handles an interrupt message of a requester that this unit covers. @returns whether somebody took it */
  message(sourceId: number, addressLo: number, data: number): boolean {
    if (!this.enabled) return this.bus.deliver(decodeCompatibility(addressLo, data));
    if (DMAR_MSI_ADDRESS_LO.get(addressLo, 'dmar_format') === 0) return this.compatibility(sourceId, addressLo, data);

    const { handle, subhandleValid } = decodeRemappable(addressLo);
    const reserved = subhandleValid ? data >>> 16 : data;
    if (reserved !== 0) return this.fault(0x20, sourceId, handle);

    const index = subhandleValid ? handle + (data & 0xffff) : handle;
    const entry = this.fetch(index);
    if ('reason' in entry) return this.fault(entry.reason, sourceId, index, entry.silent);
    if (!sourceAllowed(entry.high, sourceId)) return this.fault(0x26, sourceId, index, IRTE_LOW.get(entry.low, 'fpd') === 1);

    if (IRTE_LOW.get(entry.low, 'pst') === 1) return this.post(index, entry);
    this.bus.events.push({ kind: 'remapped', unit: this.unit, index, low: entry.low, high: entry.high, cached: entry.cached });
    return this.bus.deliver(this.request(entry.low));
  }

  private compatibility(sourceId: number, addressLo: number, data: number): boolean {
    const passes = !this.x2apic && GSTS.get(this.status, 'cfis') === 1;
    return passes ? this.bus.deliver(decodeCompatibility(addressLo, data)) : this.fault(0x25, sourceId, -1);
  }

  private fetch(index: number): Fetched {
    if (index >= this.tableEntries) return { reason: 0x21 };
    const kept = this.cache.get(index);
    if (kept) return { ...kept, cached: true };

    const entry = this.peekEntry(index);
    if (!entry) return { reason: 0x23 };
    const silent = IRTE_LOW.get(entry.low, 'fpd') === 1;
    if (IRTE_LOW.get(entry.low, 'present') === 0) return { reason: 0x22, silent };
    if (this.reservedBits(entry)) return { reason: 0x24, silent };
    this.cache.set(index, entry);
    return { ...entry, cached: false };
  }

  /** The entry as the table in memory has it; undefined where there is no such memory. */
  peekEntry(index: number): Entry | undefined {
    const address = this.tableAddress + index * IRTE_SIZE;
    return this.memory.contains(address) ? { low: this.memory.read64(address), high: this.memory.read64(address + 8) } : undefined;
  }

  private reservedBits({ low, high }: Entry): boolean {
    if (IRTE_LOW.get(low, 'pst') === 1) return IRTE_POSTED_LOW.reserved(low) !== 0n || IRTE_POSTED_HIGH.reserved(high) !== 0n || CAP.get(this.cap, 'pi') === 0;
    const narrow = !this.x2apic && (IRTE_LOW.get(low, 'dest_id') & ~0xff00) !== 0;
    return narrow || IRTE_LOW.reserved(low) !== 0n || IRTE_HIGH.reserved(high) !== 0n;
  }

  private request(low: bigint): InterruptRequest {
    const e = IRTE_LOW.decode(low);
    return {
      vector: e.vector,
      delivery: e.dlvry_mode,
      logical: e.dst_mode === 1,
      level: e.trigger_mode === 1,
      redirect: e.redir_hint === 1,
      destination: this.destination(e.dest_id),
    };
  }

  private destination(id: number): number {
    return this.x2apic ? id : widened((id >>> 8) & 0xff);
  }

  /** Sets the request in the descriptor and notifies the CPU, unless that is under way or suppressed. */
  private post(index: number, { low, high }: Entry): boolean {
    const { p_vector: vector, p_urgent: urgent, pda_l } = IRTE_POSTED_LOW.decode(low);
    const descriptor = IRTE_POSTED_HIGH.get(high, 'pda_h') * 2 ** 32 + pda_l * 64;
    const word = descriptor + (vector >>> 5) * 4;
    this.memory.write32(word, this.memory.read32(word) | (1 << (vector & 31)));

    const control = this.memory.read64(descriptor + 32);
    const { on, sn, nv, ndst } = PI_DESC_CONTROL.decode(control);
    const notified = on === 0 && (sn === 0 || urgent === 1);
    this.bus.events.push({ kind: 'posted', unit: this.unit, index, vector, notified });
    if (!notified) return true;
    this.memory.write64(descriptor + 32, PI_DESC_CONTROL.with(control, { on: 1 }));
    return this.bus.deliver({ vector: nv, delivery: DELIVERY.FIXED, logical: false, level: false, redirect: false, destination: this.destination(ndst) });
  }

  private fault(reason: number, sourceId: number, index: number, silent = false): false {
    const recorded = !silent && this.faults.record(reason, sourceId, index);
    this.bus.events.push({ kind: 'fault', unit: this.unit, reason, sourceId, index, recorded });
    return false;
  }

  /** A register by its offset, 32 bits. No read changes anything. */
  read32(offset: number): number {
    return this.peek(offset) ?? 0;
  }

  /** Looks at a register; undefined where there is none. */
  peek(offset: number): number | undefined {
    const wide = this.wideRegister(offset & ~7);
    if (wide !== undefined) return Number((offset & 4) !== 0 ? (wide >> 32n) & 0xffffffffn : wide & 0xffffffffn);
    switch (offset) {
      case DMAR_VER_REG: return VERSION;
      case DMAR_GCMD_REG: return 0;
      case DMAR_GSTS_REG: return this.status;
      case DMAR_ICS_REG: return Number(this.completionPending);
      default: return this.faults.peek(offset);
    }
  }

  private wideRegister(offset: number): bigint | undefined {
    switch (offset) {
      case DMAR_CAP_REG: return this.cap;
      case DMAR_ECAP_REG: return this.ecap;
      case DMAR_IQH_REG: return BigInt(this.iqHead);
      case DMAR_IQT_REG: return BigInt(this.iqTail);
      case DMAR_IQA_REG: return this.iqa;
      case DMAR_IRTA_REG: return this.irta;
      default: return undefined;
    }
  }

  /** A 64-bit register is written as two words, the lower first. */
  write32(offset: number, value: number): void {
    switch (offset) {
      case DMAR_GCMD_REG: this.command(value); break;
      case DMAR_IRTA_REG: this.irta = lowWord(this.irta, value); break;
      case DMAR_IRTA_REG + 4: this.irta = highWord(this.irta, value); break;
      case DMAR_IQA_REG: this.iqa = lowWord(this.iqa, value); break;
      case DMAR_IQA_REG + 4: this.iqa = highWord(this.iqa, value); break;
      case DMAR_IQT_REG: this.iqTail = value & 0x7fff0; this.runQueue(); break;
      case DMAR_ICS_REG: if (value & 1) this.completionPending = false; break;
      default: this.faults.write(offset, value); this.runQueue();
    }
  }

  private command(value: number): void {
    if (GCMD.get(value, 'sirtp')) this.takeTable();
    if (GCMD.get(value, 'qie') && !GSTS.get(this.status, 'qies')) this.iqHead = 0;
    const pointers = GSTS.encode({ irtps: GSTS.get(this.status, 'irtps') | GCMD.get(value, 'sirtp'), rtps: GSTS.get(this.status, 'rtps') | GCMD.get(value, 'srtp') });
    this.status = ((value & KEPT) | pointers) >>> 0;
    this.runQueue();
  }

  private takeTable(): void {
    const { size, eime, address } = IRTA.decode(this.irta);
    this.tableAddress = address * PAGE;
    this.tableEntries = 2 ** (size + 1);
    this.x2apic = eime === 1;
  }

  /** Handles the descriptors between head and tail. */
  private runQueue(): void {
    const { size, address } = IQA.decode(this.iqa);
    const bytes = PAGE * 2 ** size;
    while (GSTS.get(this.status, 'qies') && !this.faults.queueError && this.iqHead !== this.iqTail) {
      const at = address * PAGE + this.iqHead;
      if (!this.invalidate(this.memory.read64(at), this.memory.read64(at + 8))) {
        this.faults.stopQueue();
        return;
      }
      this.iqHead = (this.iqHead + QI_DESC_SIZE) % bytes;
    }
  }

  /** @returns false for a descriptor that is unknown */
  private invalidate(low: bigint, high: bigint): boolean {
    const d = QI_DESC.decode(low);
    switch (d.type) {
      case QI_TYPE.CONTEXT:
      case QI_TYPE.IOTLB:
      case QI_TYPE.DEVICE_IOTLB:
        return true;
      case QI_TYPE.INTERRUPT_ENTRY_CACHE:
        this.forget(d.selective === 1, d.iidx, 2 ** d.im);
        return true;
      case QI_TYPE.WAIT:
        if (d.status_write) this.memory.write32(Number(high & ~3n), Number(low >> 32n));
        if (d.selective) this.completionPending = true;
        return true;
      default:
        return false;
    }
  }

  private forget(selective: boolean, first: number, count: number): void {
    if (!selective) this.cache.clear();
    else for (const index of [...this.cache.keys()]) if (index >= first && index < first + count) this.cache.delete(index);
  }
}

const lowWord = (old: bigint, value: number): bigint => (old & ~0xffffffffn) | BigInt(value >>> 0);
const highWord = (old: bigint, value: number): bigint => (old & 0xffffffffn) | (BigInt(value >>> 0) << 32n);
