import { type BridgeConfig, parsePciAddress, type PciFunctionConfig } from './machine-config';
import {
  COMMAND, EXP_FLAGS, MSI_FLAGS, MSIX_FLAGS, MSIX_LOCATION, PCI_BASE_ADDRESS_0, PCI_CAP_ID_EXP, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, PCI_CAPABILITY_LIST, PCI_COMMAND,
  PCI_CONFIG_SIZE, PCI_EXP_TYPE, PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE, PCI_INTERRUPT_LINE, PCI_MSIX_PBA, PCI_MSIX_TABLE, PCI_PRIMARY_BUS, STATUS,
} from './pci-registers';
import { PCI_REG_VMCONFIG, VMCONFIG } from './vmd';

const FIRST_CAPABILITY = 0x40;
/** A VMD has registers of its own before its capabilities, and its table in MEMBAR2. */
const VMD_FIRST_CAPABILITY = 0x80;
const VMD_MEMBAR2 = 4;
const BARS = 6;
const PAGE = 0x1000;

/** Where MSI-X keeps its table and its pending bits. */
export interface MsixPlace {
  readonly entries: number;
  readonly tableBar: number;
  readonly tableOffset: number;
  readonly pbaBar: number;
  readonly pbaOffset: number;
}

/** 4 KiB of configuration space with the bits that software can change. Words are little-endian. */
export class PciConfigSpace {
  readonly words = new Uint32Array(PCI_CONFIG_SIZE / 4);
  readonly writable = new Uint32Array(PCI_CONFIG_SIZE / 4);
  /** offsets of capabilities; 0 = absent */
  readonly msi: number;
  readonly msix: number;

  /** @param bar0 where BAR 0 goes; a raw configuration space has its own BARs */
  constructor(config: PciFunctionConfig, bar0: number) {
    if (config.config === undefined) this.build(config, bar0);
    else this.words.set(config.config.trim().split(/\s+/).slice(0, this.words.length).map(word => parseInt(word, 16)));
    this.msi = this.findCapability(PCI_CAP_ID_MSI);
    this.msix = this.findCapability(PCI_CAP_ID_MSIX);
    this.setWritable(config);
  }

  private build(config: PciFunctionConfig, bar0: number): void {
    this.words[0] = (config.device << 16) | config.vendor;
    this.words[2] = config.class << 8;
    this.words[PCI_INTERRUPT_LINE >> 2] = (config.intxPin << 8) | (config.gsi >= 0 ? config.gsi & 0xff : 0xff);
    const table = config.vmd ? VMD_MEMBAR2 : 0;
    const first = config.vmd ? VMD_FIRST_CAPABILITY : FIRST_CAPABILITY;
    const capabilities = [...(config.msi ? [msiCapability(config.msi)] : []), ...(config.msix ? [msixCapability(config.msix.entries, table)] : []), ...(config.bridge?.kind === 'pci' ? [] : [expressCapability(config.bridge)])];
    if (config.bridge) this.setBridge(config);
    this.words[PCI_COMMAND >> 2] = (STATUS.encode({ cap_list: 1 }) << 16) | COMMAND.encode({ memory: 1 });
    if (config.msix) this.words[(PCI_BASE_ADDRESS_0 >> 2) + table] = bar0;

    this.words[PCI_CAPABILITY_LIST >> 2] = capabilities.length > 0 ? first : 0;
    let at = first;
    for (const [i, words] of capabilities.entries()) {
      const next = i + 1 < capabilities.length ? at + words.length * 4 : 0;
      this.words.set([words[0] | (next << 8), ...words.slice(1)], at >> 2);
      at = next;
    }
  }

  /** Header of type 1, with the numbers of the buses on both sides. */
  private setBridge({ address, bridge }: PciFunctionConfig): void {
    this.words[PCI_HEADER_TYPE >> 2] = PCI_HEADER_TYPE_BRIDGE << 16;
    this.words[PCI_PRIMARY_BUS >> 2] = parsePciAddress(address)!.bus | (bridge!.secondary << 8) | (bridge!.subordinate << 16);
  }

  /** Walks the capability list. @returns the offset, 0 = absent */
  findCapability(id: number): number {
    if ((this.read16(PCI_COMMAND + 2) & STATUS.encode({ cap_list: 1 })) === 0) return 0;
    const seen = new Set<number>();
    for (let at = this.read8(PCI_CAPABILITY_LIST) & ~3; at >= FIRST_CAPABILITY && !seen.has(at); at = this.read8(at + 1) & ~3) {
      seen.add(at);
      if (this.read8(at) === id) return at;
    }
    return 0;
  }

  private setWritable(config: PciFunctionConfig): void {
    this.allow(PCI_COMMAND, COMMAND.encode({ io: 1, memory: 1, bus_master: 1, serr: 1, intx_disable: 1 }));
    this.allow(PCI_INTERRUPT_LINE, 0xff);
    if (config.vmd) this.allow(PCI_REG_VMCONFIG, VMCONFIG.encode({ msi_remap: 1 }));
    if (this.msi) this.setMsiWritable(this.msi);
    if (this.msix) this.allow(this.msix, MSIX_FLAGS.encode({ enable: 1, maskall: 1 }) << 16);
  }

  private setMsiWritable(at: number): void {
    const { is_64bit, maskbit, qmask } = MSI_FLAGS.decode(this.read16(at + 2));
    const data = at + (is_64bit ? 12 : 8);
    this.allow(at, MSI_FLAGS.encode({ enable: 1, qsize: 7 }) << 16);
    this.allow(at + 4, 0xfffffffc);
    if (is_64bit) this.allow(at + 8, 0xffffffff);
    this.allow(data, 0xffff);
    if (maskbit) this.allow(data + 4, 2 ** 2 ** qmask - 1);
  }

  private allow(offset: number, mask: number): void {
    this.writable[offset >> 2] = mask;
  }

  /** Physical address of a memory BAR; 0 = none or I/O. */
  bar(index: number): number {
    const low = index < BARS ? this.words[(PCI_BASE_ADDRESS_0 >> 2) + index] : 0;
    if ((low & 1) !== 0) return 0;
    const is64 = (low & 6) === 4;
    const high = is64 ? this.words[(PCI_BASE_ADDRESS_0 >> 2) + index + 1] : 0;
    return high * 2 ** 32 + ((low & ~0xf) >>> 0);
  }

  /** null without MSI-X */
  msixPlace(): MsixPlace | null {
    if (!this.msix) return null;
    const table = MSIX_LOCATION.decode(this.words[(this.msix + PCI_MSIX_TABLE) >> 2]);
    const pba = MSIX_LOCATION.decode(this.words[(this.msix + PCI_MSIX_PBA) >> 2]);
    const entries = MSIX_FLAGS.get(this.read16(this.msix + 2), 'qsize') + 1;
    return { entries, tableBar: table.bir, tableOffset: table.offset * 8, pbaBar: pba.bir, pbaOffset: pba.offset * 8 };
  }

  read8(offset: number): number {
    return (this.words[offset >> 2] >>> ((offset & 3) * 8)) & 0xff;
  }

  /** Aligned to 2. */
  read16(offset: number): number {
    return (this.words[offset >> 2] >>> ((offset & 2) * 8)) & 0xffff;
  }

  /** Aligned to 4. */
  read32(offset: number): number {
    return this.words[offset >> 2];
  }

  /** Writes the bits of `mask` that software can change. @param offset aligned to 4 */
  write(offset: number, value: number, mask: number): void {
    const allowed = this.writable[offset >> 2] & mask;
    this.words[offset >> 2] = (this.words[offset >> 2] & ~allowed) | (value & allowed);
  }

  /** What the device itself changes: also read-only bits. */
  set(offset: number, bits: number, on: boolean): void {
    const word = this.words[offset >> 2];
    this.words[offset >> 2] = on ? word | bits : word & ~bits;
  }
}

function msiCapability({ vectors, maskable, addr64 }: { vectors: number; maskable: boolean; addr64: boolean }): number[] {
  const flags = MSI_FLAGS.encode({ qmask: Math.log2(vectors), is_64bit: addr64, maskbit: maskable });
  return [(flags << 16) | PCI_CAP_ID_MSI, ...new Array<number>(2 + (addr64 ? 1 : 0) + (maskable ? 2 : 0)).fill(0)];
}

/** Table at the start of BAR `bir`, pending bits on the page after it. */
function msixCapability(entries: number, bir: number): number[] {
  const pba = Math.ceil((entries * 16) / PAGE) * PAGE;
  return [(MSIX_FLAGS.encode({ qsize: entries - 1 }) << 16) | PCI_CAP_ID_MSIX, MSIX_LOCATION.encode({ bir }), MSIX_LOCATION.encode({ bir, offset: pba / 8 })];
}

const EXPRESS_TYPES: Record<Exclude<BridgeConfig['kind'], 'pci' | undefined>, number> = {
  'root-port': PCI_EXP_TYPE.ROOT_PORT, upstream: PCI_EXP_TYPE.UPSTREAM, downstream: PCI_EXP_TYPE.DOWNSTREAM,
  'pcie-to-pci': PCI_EXP_TYPE.PCI_BRIDGE, 'pci-to-pcie': PCI_EXP_TYPE.PCIE_BRIDGE,
};

/** PCI Express, version 2, without any feature. */
function expressCapability(bridge: BridgeConfig | undefined): number[] {
  const { kind = 'root-port' } = bridge ?? {};
  const type = bridge && kind !== 'pci' ? EXPRESS_TYPES[kind] : PCI_EXP_TYPE.ENDPOINT;
  return [(EXP_FLAGS.encode({ version: 2, type }) << 16) | PCI_CAP_ID_EXP, ...new Array<number>(14).fill(0)];
}
