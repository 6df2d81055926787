import { bits } from './bits';
import { parsePciAddress, type PciFunctionConfig } from './machine-config';
import { PciFunction, type PciHost } from './pci';

// Functions that a function makes of itself. Source: PCI Express Base specification 3.1, chapter 9 (Single Root I/O Virtualization).

export const PCI_EXT_CAP_ID_SRIOV = 0x10;

/** Offsets from the capability, as in the kernel's include/uapi/linux/pci_regs.h. */
export const PCI_SRIOV_CTRL = 0x08;
export const PCI_SRIOV_INITIAL_VF = 0x0c;
export const PCI_SRIOV_TOTAL_VF = 0x0e;
export const PCI_SRIOV_NUM_VF = 0x10;
export const PCI_SRIOV_VF_OFFSET = 0x14;
export const PCI_SRIOV_VF_STRIDE = 0x16;
export const PCI_SRIOV_VF_DID = 0x1a;
export const PCI_SRIOV_BAR = 0x24;

export const SRIOV_CTRL = bits(16, { vf_enable: [0, 'the virtual functions are there'], vf_memory: [3, 'they answer in their BARs'], ari: 4 });

/** Header of an extended capability. */
export const EXT_CAP = bits(32, { id: [0, 15], version: [16, 19], next: [20, 31] });

/** Of a function with virtual ones: behind its 256 bytes of old. */
const CAPABILITY = 0x100;
const PAGE_SIZES = 0x553;

/** Where virtual functions are: `offset` and `stride` count requester ids, from the physical one's and from one to the next. */
export interface SriovConfig {
  /** TotalVFs */
  readonly vfs: number;
  readonly offset: number;
  readonly stride: number;
  /** device id of the virtual ones; the vendor is the physical one's */
  readonly device: number;
}

/** Is there while its physical function says so; its BARs are slices of one of that. Its own vendor and device id read as ones. */
export class VirtualFunction extends PciFunction {
  private readonly fresh: Uint32Array;

  constructor(
    readonly physical: PciFunction,
    readonly index: number,
    /** bytes of its BAR */
    private readonly size: number,
    host: PciHost,
  ) {
    super(virtualConfig(physical, index), 0, 0, host);
    this.fresh = this.space.words.slice();
  }

  get present(): boolean {
    const { space } = this.physical;
    return SRIOV_CTRL.get(space.read16(CAPABILITY + PCI_SRIOV_CTRL), 'vf_enable') === 1 && this.index < space.read16(CAPABILITY + PCI_SRIOV_NUM_VF);
  }

  /** What it was told is forgotten when it goes. */
  override physicalChanged(): void {
    if (this.present) return;
    this.space.words.set(this.fresh);
    this.msix?.reset();
  }

  protected override bar(index: number): number {
    return index === 0 ? ((this.physical.space.read32(CAPABILITY + PCI_SRIOV_BAR) & ~0xf) >>> 0) + this.index * this.size : 0;
  }

  override read8(offset: number): number {
    return this.present ? super.read8(offset) : 0xff;
  }

  override read16(offset: number): number {
    return this.present ? super.read16(offset) : 0xffff;
  }

  override read32(offset: number): number {
    return this.present ? super.read32(offset) : 0xffffffff;
  }

  override write8(offset: number, value: number): void {
    if (this.present) super.write8(offset, value);
  }

  override write16(offset: number, value: number): void {
    if (this.present) super.write16(offset, value);
  }

  override write32(offset: number, value: number): void {
    if (this.present) super.write32(offset, value);
  }
}

/** A function that reads as absent where drivers would look for it: they get its ids from the physical one. */
function virtualConfig({ config }: PciFunction, index: number): PciFunctionConfig {
  const { class: classCode, msix, node, driver, name } = config;
  return {
    address: virtualAddress(config.address, config.sriov!, index),
    vendor: 0xffff,
    device: 0xffff,
    class: classCode,
    intxPin: 0,
    gsi: -1,
    ...(msix && { msix }),
    node,
    ...(driver !== undefined && { driver }),
    ...(name !== undefined && { name: virtualName(name, index) }),
  };
}

/** Of the index-th virtual function. @param physical "0000:00:04.0" */
export function virtualAddress(physical: string, { offset, stride }: Pick<SriovConfig, 'offset' | 'stride'>, index: number): string {
  const { domain, bus, devfn } = parsePciAddress(physical)!;
  const id = (bus << 8) + devfn + offset + stride * index;
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(id >> 8, 2)}:${hex((id >> 3) & 0x1f, 2)}.${id & 7}`;
}

/** Of all of them. */
export const virtualAddresses = (physical: string, sriov: Pick<SriovConfig, 'vfs' | 'offset' | 'stride'>): string[] =>
  Array.from({ length: sriov.vfs }, (_, index) => virtualAddress(physical, sriov, index));

/** How a scenario calls it. */
export const virtualName = (physical: string, index: number): string => `${physical}.vf${index}`;

/** Gives a function its capability, and makes what it can make. @param bar where their BARs begin @param size of one */
export function virtualFunctions(physical: PciFunction, bar: number, size: number, host: PciHost): VirtualFunction[] {
  const { sriov } = physical.config;
  if (!sriov) return [];
  const { words, writable } = physical.space;
  const set = (offset: number, word: number, mask = 0): void => {
    words[(CAPABILITY + offset) >> 2] = word;
    writable[(CAPABILITY + offset) >> 2] = mask;
  };
  set(0, EXT_CAP.encode({ id: PCI_EXT_CAP_ID_SRIOV, version: 1 }));
  set(PCI_SRIOV_CTRL, 0, SRIOV_CTRL.encode({ vf_enable: 1, vf_memory: 1, ari: 1 }));
  set(PCI_SRIOV_INITIAL_VF, (sriov.vfs << 16) | sriov.vfs);
  set(PCI_SRIOV_NUM_VF, 0, 0xffff);
  set(PCI_SRIOV_VF_OFFSET, (sriov.stride << 16) | sriov.offset);
  set(PCI_SRIOV_VF_DID - 2, sriov.device << 16);
  set(0x1c, PAGE_SIZES);
  set(0x20, 1, PAGE_SIZES);
  set(PCI_SRIOV_BAR, bar, ~(size - 1));
  const made = Array.from({ length: sriov.vfs }, (_, index) => new VirtualFunction(physical, index, size, host));
  physical.virtual.push(...made);
  return made;
}
