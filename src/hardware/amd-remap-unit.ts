import {
  CMD, CMD_ENTRY_SIZE, CMD_TYPE, CMD_WAIT, CONTROL, DEV_TABLE_BASE, DEV_TABLE_ENTRY_SIZE, DTE_2, EVENT, EVENT_ENTRY_SIZE, EVENT_TYPE, FEATURE, GA_ENTRY_SIZE, GA_GUEST_NR,
  GA_LOG_ENTRY, HT_INTERRUPT, HT_INTERRUPT_BASE, INT_CTL, MAX_IRQ_TABLE_LEN, MMIO_CMD_BUF_OFFSET, MMIO_CMD_HEAD_OFFSET, MMIO_CMD_TAIL_OFFSET, MMIO_CONTROL_OFFSET,
  MMIO_DEV_TABLE_OFFSET, MMIO_EVT_BUF_OFFSET, MMIO_EVT_HEAD_OFFSET, MMIO_EVT_TAIL_OFFSET, MMIO_EXT_FEATURES, MMIO_GA_HEAD_OFFSET, MMIO_GA_LOG_BASE_OFFSET,
  MMIO_GA_TAIL_OFFSET, MMIO_STATUS_OFFSET, RING_BASE, STATUS,
} from './amd-iommu-registers';
import { IRTE_32, IRTE_32_SIZE, IRTE_GA_HI, IRTE_GA_LO, IRTE_GA_LO_VAPIC, IRTE_GA_SIZE } from './amd-irte';
import { AmdLog } from './amd-log';
import type { InterruptBus } from './interrupt-bus';
import type { AmdRemapUnitConfig } from './machine-config';
import type { Memory } from './memory';
import { AMD_MSI_DATA, decodeCompatibility, decodeWide, DELIVERY, MSI_ADDRESS_LO, MSI_DATA, widened } from './message';

const PAGE = 4096;
/** The request registers of a local APIC in a guest's backing page: 32 bits every 16 bytes. */
const BACKING_PAGE_IRR = 0x200;

/** What the unit's own function would send; null while its MSI is disabled. */
export type OwnMessage = () => { readonly hi: number; readonly lo: number; readonly data: number } | null;

/** An entry of an interrupt table, of 32 bits (`high` is 0) or of 128. */
interface Entry {
  readonly low: bigint;
  readonly high: bigint;
}

interface Message {
  readonly sourceId: number;
  readonly addressLo: number;
  readonly data: number;
}

type Flags = Partial<Record<'present' | 'reserved_bit', 1>>;

/** An AMD IOMMU, as far as interrupts go. Source: IOMMU specification, 48882, 2.2.5 and chapters 2.4, 2.5, 3.4. */
export class AmdRemapUnit {
  readonly features: bigint;
  readonly eventLog: AmdLog;
  readonly guestLog: AmdLog;
  control = 0n;
  devTable = 0n;
  commandBuffer = 0n;
  /** byte offsets in the command buffer */
  commandHead = 0;
  commandTail = 0;
  commandsRunning = false;
  eventInterrupt = false;
  guestLogInterrupt = false;
  completionInterrupt = false;
  /** registers of which the unit only keeps what was written */
  readonly plain = new Map<number, number>();
  /** interrupt halves of device table entries by requester id: they may differ from the table until they are invalidated */
  readonly devices = new Map<number, bigint>();
  /** entries by table and index; two requesters with one table share them */
  readonly cache = new Map<number, Map<number, Entry>>();

  /** @param unit index in Machine.amdRemapUnits */
  constructor(
    readonly unit: number,
    readonly config: AmdRemapUnitConfig,
    private readonly memory: Memory,
    private readonly bus: InterruptBus,
    private readonly ownMessage: OwnMessage,
  ) {
    const { ga, guest, x2apic } = config;
    this.features = FEATURE.encode({ prefetch: 1, ppr: 1, gt: 1, ia: 1, he: 1, hats: 2, gats: 2, ga, gam_vapic: guest ? 1 : 0, x2apic, msi_cap_mmio: x2apic });
    this.eventLog = new AmdLog(memory, EVENT_ENTRY_SIZE);
    this.guestLog = new AmdLog(memory, GA_ENTRY_SIZE);
  }

  get enabled(): boolean {
    return this.controls('iommu_en');
  }

  private controls(name: Parameters<typeof CONTROL.get>[1]): boolean {
    return CONTROL.get(this.control, name) !== 0;
  }

  /** Handles an interrupt message of a requester that this unit covers. @returns whether somebody took it */
  message(sourceId: number, addressLo: number, data: number): boolean {
    const message: Message = { sourceId, addressLo, data };
    if (!this.enabled) return this.pass(message);

    const device = this.device(sourceId);
    if (device === undefined) return this.fault(EVENT_TYPE.ILL_DEV, message);
    const dte = DTE_2.decode(device);
    if (dte.irq_remap_enable === 0) return this.pass(message);

    switch (MSI_DATA.get(data, 'delivery_mode')) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST_PRIORITY: return this.vectored(message, dte);
      case DELIVERY.NMI: return this.passIf(dte.nmi_pass, message);
      case DELIVERY.INIT: return this.passIf(dte.init_pass, message);
      case DELIVERY.EXTINT: return this.passIf(dte.eint_pass, message);
      default: return this.fault(EVENT_TYPE.IO_FAULT, message);
    }
  }

  private pass({ addressLo, data }: Message): boolean {
    return this.bus.deliver(decodeCompatibility(addressLo, data));
  }

  private passIf(allowed: number, message: Message): boolean {
    return allowed === 1 ? this.pass(message) : this.fault(EVENT_TYPE.IO_FAULT, message);
  }

  private vectored(message: Message, { int_ctl, irq_table, irq_table_len }: Record<'int_ctl' | 'irq_table' | 'irq_table_len', number>): boolean {
    if (int_ctl === INT_CTL.PASS) return this.pass(message);
    if (int_ctl === INT_CTL.BLOCK) return this.fault(EVENT_TYPE.IO_FAULT, message);
    if (int_ctl !== INT_CTL.REMAP || irq_table_len > MAX_IRQ_TABLE_LEN) return this.fault(EVENT_TYPE.ILL_DEV, message);

    const index = AMD_MSI_DATA.get(message.data, 'index');
    if (index >= 2 ** irq_table_len) return this.fault(EVENT_TYPE.IO_FAULT, message);
    return this.remap(message, irq_table * 64, index);
  }

  private remap(message: Message, table: number, index: number): boolean {
    const cached = this.cache.get(table)?.get(index);
    const entry = cached ?? this.peekEntry(table, index);
    const { low, high } = entry;
    const silent = IRTE_GA_LO.get(low, 'no_fault') === 1;
    if (IRTE_GA_LO.get(low, 'valid') === 0) return this.fault(EVENT_TYPE.IO_FAULT, message, {}, silent);
    if (this.reserved(entry)) return this.fault(EVENT_TYPE.IO_FAULT, message, { present: 1, reserved_bit: 1 }, silent);
    if (!cached) this.keep(table, index, entry);

    if (this.forGuest(entry)) return this.post(message.sourceId, index, entry);
    this.bus.events.push({ kind: 'remapped', unit: this.unit, index, low, high, cached: cached !== undefined });
    const { int_type, dm, destination } = IRTE_GA_LO.decode(low);
    return this.bus.deliver({
      vector: this.wide ? IRTE_GA_HI.get(high, 'vector') : IRTE_32.get(Number(low), 'vector'),
      delivery: int_type === 1 ? DELIVERY.LOWEST_PRIORITY : DELIVERY.FIXED,
      logical: dm === 1,
      level: MSI_DATA.get(message.data, 'is_level') === 1,
      redirect: false,
      destination: this.destination(destination, high),
    });
  }

  private get wide(): boolean {
    return this.controls('ga_en');
  }

  private destination(low: number, high: bigint): number {
    return this.controls('xt_en') ? IRTE_GA_HI.get(high, 'destination') * 2 ** 24 + low : widened(low & 0xff);
  }

  private keep(table: number, index: number, entry: Entry): void {
    const entries = this.cache.get(table) ?? new Map<number, Entry>();
    this.cache.set(table, entries.set(index, entry));
  }

  /** An entry as memory has it. @param table physical address */
  peekEntry(table: number, index: number): Entry {
    if (!this.wide) return { low: BigInt(this.memory.read32(table + index * IRTE_32_SIZE)), high: 0n };
    const address = table + index * IRTE_GA_SIZE;
    return { low: this.memory.read64(address), high: this.memory.read64(address + 8) };
  }

  private forGuest({ low }: Entry): boolean {
    return this.wide && IRTE_GA_LO.get(low, 'guest_mode') === 1;
  }

  private reserved(entry: Entry): boolean {
    const { low, high } = entry;
    if (this.forGuest(entry)) return !this.controls('gam_en') || IRTE_GA_LO_VAPIC.reserved(low) !== 0n || IRTE_GA_HI.reserved(high) !== 0n;
    const bits = this.wide ? IRTE_GA_HI.reserved(high) : BigInt(IRTE_32.reserved(Number(low)));
    return bits !== 0n || IRTE_GA_LO.get(low, 'int_type') > 1;
  }

  /** The interrupt half of a device's entry; undefined beyond the table. */
  private device(devid: number): bigint | undefined {
    const { size, address } = DEV_TABLE_BASE.decode(this.devTable);
    if (devid * DEV_TABLE_ENTRY_SIZE >= (size + 1) * PAGE) return undefined;
    const known = this.devices.get(devid);
    const entry = known ?? this.memory.read64(address * PAGE + devid * DEV_TABLE_ENTRY_SIZE + 16);
    this.devices.set(devid, entry);
    return entry;
  }

  /** Sets the request in the guest's backing page; the CPU where the guest runs is told, else the log. */
  private post(devid: number, index: number, { low, high }: Entry): boolean {
    const { is_run, ga_log_intr, ga_tag } = IRTE_GA_LO_VAPIC.decode(low);
    const { vector, ga_root_ptr } = IRTE_GA_HI.decode(high);
    const word = ga_root_ptr * PAGE + BACKING_PAGE_IRR + (vector >>> 5) * 16;
    this.memory.write32(word, (this.memory.read32(word) | (1 << (vector & 31))) >>> 0);
    this.bus.events.push({ kind: 'posted', unit: this.unit, index, vector, notified: is_run === 1 });
    if (is_run === 0 && ga_log_intr === 1) this.logGuest(devid, ga_tag);
    return true;
  }

  private logGuest(devid: number, tag: number): void {
    this.guestLog.push(GA_LOG_ENTRY.encode({ tag, devid, type: GA_GUEST_NR }));
    if (!this.controls('gaint_en') || this.guestLogInterrupt) return;
    this.guestLogInterrupt = true;
    this.interrupt();
  }

  private fault(type: number, message: Message, flags: Flags = {}, silent = false): false {
    const recorded = !silent && this.log(EVENT.encode({ type, devid: message.sourceId, interrupt: 1, ...flags }), interruptAddress(message));
    this.bus.events.push({ kind: 'fault', unit: this.unit, reason: type, sourceId: message.sourceId, index: AMD_MSI_DATA.get(message.data, 'index'), recorded });
    return false;
  }

  private log(event: bigint, address: bigint): boolean {
    const recorded = this.eventLog.push(event, address);
    if (this.controls('evt_int_en') && !this.eventInterrupt) {
      this.eventInterrupt = true;
      this.interrupt();
    }
    return recorded;
  }

  /** The unit's own interrupt is not remapped. */
  private interrupt(): void {
    const message = this.ownMessage();
    if (message) this.bus.deliver(decodeWide(message.hi, message.lo, message.data));
  }

  /** A register by its offset, 32 bits. No read changes anything. */
  read32(offset: number): number {
    return this.peek(offset);
  }

  /** Looks at a register; 0 where there is none. */
  peek(offset: number): number {
    const wide = this.register(offset & ~7);
    if (wide === undefined) return this.plain.get(offset) ?? 0;
    return Number((offset & 4) !== 0 ? (wide >> 32n) & 0xffffffffn : wide & 0xffffffffn);
  }

  private register(offset: number): bigint | undefined {
    switch (offset) {
      case MMIO_DEV_TABLE_OFFSET: return this.devTable;
      case MMIO_CMD_BUF_OFFSET: return this.commandBuffer;
      case MMIO_EVT_BUF_OFFSET: return this.eventLog.base;
      case MMIO_CONTROL_OFFSET: return this.control;
      case MMIO_EXT_FEATURES: return this.features;
      case MMIO_GA_LOG_BASE_OFFSET: return this.guestLog.base;
      case MMIO_CMD_HEAD_OFFSET: return BigInt(this.commandHead);
      case MMIO_CMD_TAIL_OFFSET: return BigInt(this.commandTail);
      case MMIO_EVT_HEAD_OFFSET: return BigInt(this.eventLog.head);
      case MMIO_EVT_TAIL_OFFSET: return BigInt(this.eventLog.tail);
      case MMIO_GA_HEAD_OFFSET: return BigInt(this.guestLog.head);
      case MMIO_GA_TAIL_OFFSET: return BigInt(this.guestLog.tail);
      case MMIO_STATUS_OFFSET: return BigInt(this.status);
      default: return undefined;
    }
  }

  private get status(): number {
    return STATUS.encode({
      evt_overflow: this.eventLog.overflow, evt_int: this.eventInterrupt, evt_run: this.eventLog.running, comwait_int: this.completionInterrupt, cmdbuf_run: this.commandsRunning,
      galog_run: this.guestLog.running, galog_overflow: this.guestLog.overflow, galog_int: this.guestLogInterrupt,
    });
  }

  /** A 64-bit register is written as two words, the lower first. */
  write32(offset: number, value: number): void {
    const at = offset & ~7;
    const word = (old: bigint): bigint => replaced(old, (offset & 4) !== 0, value);
    switch (at) {
      case MMIO_DEV_TABLE_OFFSET: this.devTable = word(this.devTable); this.devices.clear(); break;
      case MMIO_CMD_BUF_OFFSET: this.commandBuffer = word(this.commandBuffer); break;
      case MMIO_EVT_BUF_OFFSET: this.eventLog.base = word(this.eventLog.base); break;
      case MMIO_GA_LOG_BASE_OFFSET: this.guestLog.base = word(this.guestLog.base); break;
      case MMIO_CONTROL_OFFSET: this.setControl(word(this.control)); break;
      case MMIO_EXT_FEATURES: break;
      default: this.writePointer(offset, value);
    }
  }

  private writePointer(offset: number, value: number): void {
    const pointer = value & 0x7fff0;
    switch (offset) {
      case MMIO_CMD_HEAD_OFFSET: this.commandHead = pointer; break;
      case MMIO_CMD_TAIL_OFFSET: this.commandTail = pointer; this.runCommands(); break;
      case MMIO_EVT_HEAD_OFFSET: this.eventLog.head = pointer; break;
      case MMIO_EVT_TAIL_OFFSET: this.eventLog.tail = pointer; break;
      case MMIO_GA_HEAD_OFFSET: this.guestLog.head = value & 0x7fff8; break;
      case MMIO_GA_TAIL_OFFSET: this.guestLog.tail = value & 0x7fff8; break;
      case MMIO_STATUS_OFFSET: this.clearStatus(value); break;
      default: this.plain.set(offset, value >>> 0);
    }
  }

  /** What the unit cannot do stays off. */
  private setControl(value: bigint): void {
    const { ga, gam_vapic, x2apic } = FEATURE.decode(this.features);
    const c = CONTROL.decode(value);
    this.control = CONTROL.with(value, { ga_en: c.ga_en & ga, gam_en: c.gam_en & gam_vapic, galog_en: c.galog_en & gam_vapic, xt_en: c.xt_en & x2apic });
    this.eventLog.enable(this.controls('evt_log_en'));
    this.guestLog.enable(this.controls('galog_en'));
    this.commandsRunning = this.controls('cmdbuf_en');
    this.runCommands();
  }

  private clearStatus(value: number): void {
    const cleared = STATUS.decode(value);
    if (cleared.evt_overflow) this.eventLog.overflow = false;
    if (cleared.evt_int) this.eventInterrupt = false;
    if (cleared.comwait_int) this.completionInterrupt = false;
    if (cleared.galog_overflow) this.guestLog.overflow = false;
    if (cleared.galog_int) this.guestLogInterrupt = false;
  }

  /** Handles the commands between head and tail; one that is unknown stops it. */
  private runCommands(): void {
    const { address, length } = RING_BASE.decode(this.commandBuffer);
    const bytes = CMD_ENTRY_SIZE * 2 ** length;
    while (this.commandsRunning && this.commandHead !== this.commandTail) {
      const at = address * PAGE + this.commandHead;
      if (!this.execute(this.memory.read64(at), this.memory.read64(at + 8))) {
        this.commandsRunning = false;
        this.log(EVENT.encode({ type: EVENT_TYPE.ILL_CMD }), BigInt(at));
        return;
      }
      this.commandHead = (this.commandHead + CMD_ENTRY_SIZE) % bytes;
    }
  }

  /** @returns false for a command that is unknown */
  private execute(low: bigint, high: bigint): boolean {
    const { type, devid } = CMD.decode(low);
    switch (type) {
      case CMD_TYPE.COMPL_WAIT: this.complete(low, high); return true;
      case CMD_TYPE.INV_DEV_ENTRY: this.devices.delete(devid); return true;
      case CMD_TYPE.INV_IRT: this.forgetTable(devid); return true;
      case CMD_TYPE.INV_ALL: this.devices.clear(); this.cache.clear(); return true;
      case CMD_TYPE.INV_IOMMU_PAGES:
      case CMD_TYPE.INV_IOTLB_PAGES:
      case CMD_TYPE.PREFETCH:
      case CMD_TYPE.COMPLETE_PPR: return true;
      default: return false;
    }
  }

  private complete(low: bigint, value: bigint): void {
    const { store, interrupt, address } = CMD_WAIT.decode(low);
    if (store) this.memory.write64(address * 8, value);
    if (interrupt && this.controls('comwait_en')) this.completionInterrupt = true;
  }

  private forgetTable(devid: number): void {
    const device = this.device(devid);
    if (device !== undefined) this.cache.delete(DTE_2.get(device, 'irq_table') * 64);
  }
}

function interruptAddress({ addressLo, data }: Message): bigint {
  const { destid_0_7: destination, dest_mode_logical: dest_mode } = MSI_ADDRESS_LO.decode(addressLo);
  const { vector, delivery_mode: message_type, is_level: level } = MSI_DATA.decode(data);
  return HT_INTERRUPT_BASE | BigInt(HT_INTERRUPT.encode({ message_type, level, dest_mode, destination, vector }));
}

function replaced(old: bigint, upper: boolean, value: number): bigint {
  const word = BigInt(value >>> 0);
  return upper ? (old & 0xffffffffn) | (word << 32n) : (old & ~0xffffffffn) | word;
}
