import type { HardwareEvent } from './events';
import { type PciAddress, type PciFunctionConfig, parsePciAddress } from './machine-config';
import { ImsStore } from './ims-store';
import { MsixTable } from './msix-table';
import { PciConfigSpace } from './pci-config-space';
import { COMMAND, MSI_FLAGS, MSIX_FLAGS, PCI_COMMAND, PCI_MSI_ADDRESS_HI, PCI_MSI_ADDRESS_LO, PCI_MSI_DATA_32, PCI_MSI_DATA_64, PCI_MSI_FLAGS, PCI_MSIX_FLAGS, STATUS } from './pci-registers';

/** What a function needs of the machine around it. */
export interface PciHost {
  /** A write to memory that is meant as an interrupt. */
  sendMessage(requesterId: number, addressHi: number, addressLo: number, data: number, segment: number): void;
  /** Drives the INTx line of the function, or lets go of it. */
  setIntx(gsi: number, asserted: boolean): void;
  note(event: HardwareEvent): void;
  /** Whether a message goes out whatever the device's mask bits say: a hypervisor masks it elsewhere. */
  unmaskable?(data: number): boolean;
}

/** A word of the MSI capability's message. */
export type MsiWord = 'address_lo' | 'address_hi' | 'data';

const STATUS_INTERRUPT = STATUS.encode({ interrupt: 1 }) << 16;

/** A function on PCI: its configuration space, its MSI-X table, and its three ways to interrupt. Source: PCI Local Bus specification 3.0, 6.8. */
export class PciFunction implements PciAddress {
  readonly domain: number;
  readonly bus: number;
  readonly devfn: number;
  readonly space: PciConfigSpace;
  readonly msix: MsixTable | null;
  readonly ims: ImsStore | null;
  /** the device wants its INTx line driven */
  intxWanted = false;
  /** the line is driven */
  intxDriven = false;
  /** offset in configuration space behind whose next write an interrupt comes */
  private armed: number | undefined;
  /** of a VMD: the functions that it hides */
  readonly below: PciFunction[] = [];
  /** those that it can make of itself (SR-IOV) */
  readonly virtual: PciFunction[] = [];

  /** @param bar0 where BAR 0 goes if the function has no configuration space of its own @param imsAddress of its message store, if it has one */
  constructor(
    readonly config: PciFunctionConfig,
    bar0: number,
    imsAddress: number,
    private readonly host: PciHost,
  ) {
    const { domain, bus, devfn } = parsePciAddress(config.address)!;
    this.domain = domain;
    this.bus = bus;
    this.devfn = devfn;
    this.space = new PciConfigSpace(config, bar0);
    const place = this.space.msixPlace();
    this.msix = place && new MsixTable(place);
    this.ims = config.ims ? new ImsStore(config.ims, imsAddress, this.requesterId, { send: (hi, lo, data) => this.writeOut(hi, lo, data), note: event => this.host.note(event) }) : null;
  }

  /** bus << 8 | devfn: what a message carries as its sender */
  get requesterId(): number {
    return (this.bus << 8) | this.devfn;
  }

  get intxPin(): number {
    return (this.space.read32(0x3c) >>> 8) & 0xff;
  }

  // Configuration space. No read changes anything, so that peek and read are one.
  read8(offset: number): number {
    return this.space.read8(offset);
  }

  /** Aligned to 2. */
  read16(offset: number): number {
    return this.space.read16(offset);
  }

  /** Aligned to 4. */
  read32(offset: number): number {
    return this.space.read32(offset);
  }

  /** Aligned to 4. */
  peek(offset: number): number {
    return this.space.read32(offset);
  }

  write8(offset: number, value: number): void {
    this.writeConfig(offset, value, 0xff);
  }

  /** Aligned to 2. */
  write16(offset: number, value: number): void {
    this.writeConfig(offset, value, 0xffff);
  }

  /** Aligned to 4. */
  write32(offset: number, value: number): void {
    this.writeConfig(offset, value, 0xffffffff);
  }

  private writeConfig(offset: number, value: number, mask: number): void {
    const shift = (offset & 3) * 8;
    this.space.write(offset & ~3, value << shift, mask << shift);
    this.driveIntx();
    this.sendPending();
    for (const fn of this.virtual) fn.physicalChanged();
    if (offset !== this.armed) return;
    this.armed = undefined;
    this.raise(0);
  }

  /** Of a virtual function: something in the physical one's configuration has changed. */
  physicalChanged(): void {
    return;
  }

  /** Physical address of a memory BAR; 0 = none. */
  protected bar(index: number): number {
    return this.space.bar(index);
  }

  private get command(): number {
    return this.space.read16(PCI_COMMAND);
  }

  get msiEnabled(): boolean {
    return this.space.msi !== 0 && MSI_FLAGS.get(this.msiFlags, 'enable') === 1;
  }

  get msixEnabled(): boolean {
    return this.space.msix !== 0 && MSIX_FLAGS.get(this.msixFlags, 'enable') === 1;
  }

  /** Whatever the entries' own mask bits say, no message is sent. */
  get msixAllMasked(): boolean {
    return MSIX_FLAGS.get(this.msixFlags, 'maskall') === 1;
  }

  private get msiFlags(): number {
    return this.space.read16(this.space.msi + PCI_MSI_FLAGS);
  }

  private get msixFlags(): number {
    return this.space.read16(this.space.msix + PCI_MSIX_FLAGS);
  }

  /**
   * The device has an interrupt for MSI-X entry or MSI vector `entry`: it sends the message that is programmed, keeps it as pending where masked,
   * or keeps silent where both are disabled.
   * @throws RangeError for an entry that an MSI-X table does not have
   */
  raise(entry: number): void {
    if (this.msixEnabled) this.raiseMsix(this.msix!, entry);
    else if (this.msiEnabled) this.raiseMsi(entry);
    else this.holdBack(entry, 'disabled');
  }

  /** The first MSI vector's interrupt comes right behind the next write of this word of the message, however far its writer is. */
  raiseAt(word: MsiWord): void {
    const is64 = MSI_FLAGS.get(this.msiFlags, 'is_64bit') === 1;
    this.armed = this.space.msi + { address_lo: PCI_MSI_ADDRESS_LO, address_hi: PCI_MSI_ADDRESS_HI, data: is64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32 }[word];
  }

  private raiseMsix(msix: MsixTable, entry: number): void {
    if (entry < 0 || entry >= msix.place.entries) throw new RangeError(`${this.config.address} has MSI-X entries 0 to ${msix.place.entries - 1}, no ${entry}`);
    const masked = this.msixAllMasked || msix.masked(entry);
    if (masked && !this.host.unmaskable?.(msix.message(entry).data)) {
      msix.setPending(entry, true);
      this.holdBack(entry, 'masked');
    } else this.send(entry, msix.message(entry));
  }

  /** A vector beyond those that software allowed falls on one of them. */
  private raiseMsi(entry: number): void {
    const allowed = 2 ** MSI_FLAGS.get(this.msiFlags, 'qsize');
    const vector = entry % allowed;
    const mask = this.msiMaskOffset;
    const message = this.msiMessage(vector, allowed);
    if (mask !== 0 && ((this.space.read32(mask) >>> vector) & 1) === 1 && !this.host.unmaskable?.(message.data)) {
      this.space.set(mask + 4, 1 << vector, true);
      this.holdBack(entry, 'masked');
    } else this.send(entry, message);
  }

  /** Offset of the MSI mask bits, the pending bits follow; 0 = none. */
  private get msiMaskOffset(): number {
    const { is_64bit, maskbit } = MSI_FLAGS.decode(this.msiFlags);
    return maskbit ? this.space.msi + (is_64bit ? 16 : 12) : 0;
  }

  /** The vector takes the place of the lower bits of the data. */
  private msiMessage(vector: number, allowed: number): Message {
    const at = this.space.msi;
    const is64 = MSI_FLAGS.get(this.msiFlags, 'is_64bit') === 1;
    const data = this.space.read16(at + (is64 ? 12 : 8));
    return { hi: is64 ? this.space.read32(at + 8) : 0, lo: this.space.read32(at + PCI_MSI_ADDRESS_LO), data: (data & ~(allowed - 1)) | vector };
  }

  /** What its first MSI vector sends; null while MSI is disabled. */
  get firstMessage(): Message | null {
    return this.msiEnabled ? this.msiMessage(0, 1) : null;
  }

  private send(entry: number, { hi, lo, data }: Message): void {
    if (COMMAND.get(this.command, 'bus_master') === 1) this.host.sendMessage(this.requesterId, hi, lo, data, this.domain);
    else this.holdBack(entry, 'no bus master');
  }

  /** Whether some entry or vector of the function has this message. */
  hasMessage({ hi, lo, data }: Message): boolean {
    return this.messages().some(m => m.hi === hi && m.lo === lo && m.data === data);
  }

  private messages(): Message[] {
    const { msix } = this;
    if (this.msixEnabled) return Array.from({ length: msix!.place.entries }, (_, entry) => msix!.message(entry));
    const allowed = this.msiEnabled ? 2 ** MSI_FLAGS.get(this.msiFlags, 'qsize') : 0;
    return Array.from({ length: allowed }, (_, vector) => this.msiMessage(vector, allowed));
  }

  /** The device writes to memory of its own accord; it is an interrupt where the address says so. */
  writeOut(hi: number, lo: number, data: number): void {
    this.send(0, { hi, lo, data });
  }

  private holdBack(entry: number, why: string): void {
    this.host.note({ kind: 'held back', requesterId: this.requesterId, entry, why });
  }

  /** Sends what is pending and no longer masked. */
  private sendPending(): void {
    if (this.msixEnabled && !this.msixAllMasked) for (const entry of this.msix!.takePending()) this.raiseMsix(this.msix!, entry);
    const mask = this.msiEnabled ? this.msiMaskOffset : 0;
    if (mask === 0) return;
    const open = this.space.read32(mask + 4) & ~this.space.read32(mask);
    this.space.set(mask + 4, open, false);
    for (let vector = 0; vector < 32; vector++) if ((open >>> vector) & 1) this.raiseMsi(vector);
  }

  /** The vector control of an MSI-X entry, as Xen writes it through a mapping of its own. */
  setMsixControl(entry: number, value: number): void {
    this.msix!.table[entry * 4 + 3] = value;
    this.sendPending();
  }

  /** The device wants its INTx line driven; it is unless the command register or MSI forbids. */
  assertIntx(): void {
    this.wantIntx(true);
  }

  deassertIntx(): void {
    this.wantIntx(false);
  }

  private wantIntx(wanted: boolean): void {
    this.intxWanted = wanted;
    this.space.set(PCI_COMMAND, STATUS_INTERRUPT, wanted);
    this.driveIntx();
  }

  private driveIntx(): void {
    const driven = this.intxWanted && COMMAND.get(this.command, 'intx_disable') === 0 && !this.msiEnabled && !this.msixEnabled;
    if (driven === this.intxDriven || this.intxPin === 0 || this.config.gsi < 0) return;
    this.intxDriven = driven;
    this.host.setIntx(this.config.gsi, driven);
  }

  /** Physical addresses of the 4 KiB pages with the MSI-X table and its pending bits. */
  msixPages(): number[] {
    if (!this.msix) return [];
    const { tableBar, tableOffset, pbaBar, pbaOffset, entries } = this.msix.place;
    const table = pagesOf(this.bar(tableBar) + tableOffset, entries * 16);
    return [...new Set([...table, ...pagesOf(this.bar(pbaBar) + pbaOffset, entries / 8)])];
  }

  /** Whether a physical address is in the MSI-X table or its pending bits. */
  hasAddress(address: number): boolean {
    return this.msix !== null && (this.tableOffset(address) !== undefined || this.pbaOffset(address) !== undefined);
  }

  private tableOffset(address: number): number | undefined {
    const { tableBar, tableOffset, entries } = this.msix!.place;
    return within(address - this.bar(tableBar) - tableOffset, entries * 16);
  }

  private pbaOffset(address: number): number | undefined {
    const { pbaBar, pbaOffset, entries } = this.msix!.place;
    return within(address - this.bar(pbaBar) - pbaOffset, Math.ceil(entries / 64) * 8);
  }

  /** Memory-mapped read of the MSI-X table or its pending bits. */
  readMemory(address: number): number {
    const table = this.tableOffset(address);
    return table !== undefined ? this.msix!.table[table >> 2] : this.msix!.pending[this.pbaOffset(address)! >> 2];
  }

  /** Memory-mapped write of the MSI-X table; pending bits are read only. */
  writeMemory(address: number, value: number): void {
    const table = this.tableOffset(address);
    if (table === undefined) return;
    this.msix!.table[table >> 2] = value;
    this.sendPending();
  }
}

export interface Message {
  readonly hi: number;
  readonly lo: number;
  readonly data: number;
}

function pagesOf(start: number, size: number): number[] {
  const first = Math.floor(start / 4096);
  const last = Math.floor((start + Math.max(size, 1) - 1) / 4096);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * 4096);
}

const within = (offset: number, size: number): number | undefined => (offset >= 0 && offset < size ? offset : undefined);
