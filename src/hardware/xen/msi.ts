import { DELIVERY, MSI_ADDRESS_LO, MSI_BASE, MSI_DATA } from '../message';
import type { PciFunction } from '../pci';
import {
  MSI_FLAGS, MSIX_VECTOR_CTRL, PCI_MSI_ADDRESS_HI, PCI_MSI_ADDRESS_LO, PCI_MSI_DATA_32, PCI_MSI_DATA_64, PCI_MSI_FLAGS, PCI_MSI_MASK_32, PCI_MSI_MASK_64,
} from '../pci-registers';

// Messages of a device that Xen itself programs: its guest never writes them. Source: xen/arch/x86/msi.c

/** The first vector that Xen gives to devices, and the last one. */
const FIRST_VECTOR = 0x30;
const LAST_VECTOR = 0xdf;

/** A vector of a physical CPU. */
export interface PhysicalVector {
  readonly apicId: number;
  readonly vector: number;
}

/** Xen's vectors on the physical CPUs: the lowest free ones of the first CPU that has some. */
export class PhysicalVectors<T> {
  private readonly taken = new Map<string, T>();

  constructor(private readonly apicIds: readonly number[]) {}

  /** @returns the first of `count` vectors, a power of two, in a row; undefined where there are no more */
  alloc(owners: readonly T[]): PhysicalVector | undefined {
    const size = 2 ** Math.ceil(Math.log2(owners.length));
    for (const apicId of this.apicIds) {
      for (let vector = Math.ceil(FIRST_VECTOR / size) * size; vector + owners.length - 1 <= LAST_VECTOR; vector += size) {
        if (owners.some((_, i) => this.taken.has(key({ apicId, vector: vector + i })))) continue;
        for (const [i, owner] of owners.entries()) this.taken.set(key({ apicId, vector: vector + i }), owner);
        return { apicId, vector };
      }
    }
    return undefined;
  }

  free({ apicId, vector }: PhysicalVector, count: number): void {
    for (let i = 0; i < count; i++) this.taken.delete(key({ apicId, vector: vector + i }));
  }

  ownerOf(at: PhysicalVector): T | undefined {
    return this.taken.get(key(at));
  }
}

const key = ({ apicId, vector }: PhysicalVector): string => `${apicId} ${vector}`;

const message = ({ apicId, vector }: PhysicalVector): { lo: number; data: number } => ({
  lo: MSI_ADDRESS_LO.encode({ base_address: MSI_BASE, destid_0_7: apicId & 0xff }),
  data: MSI_DATA.encode({ vector, delivery_mode: DELIVERY.FIXED, active_low: 1 }),
});

/** Writes the message of an MSI-X entry, or of all MSI vectors (entry null); it stays masked. @param count vectors of MSI */
export function programMessage(fn: PciFunction, entry: number | null, to: PhysicalVector, count: number): void {
  const { lo, data } = message(to);
  setMasked(fn, entry, true);
  if (entry !== null) {
    fn.msix!.table.set([lo, 0, data], entry * 4);
    return;
  }
  const at = fn.space.msi;
  const flags = fn.read16(at + PCI_MSI_FLAGS);
  fn.write16(at + PCI_MSI_FLAGS, MSI_FLAGS.with(flags, { qsize: Math.ceil(Math.log2(count)) }));
  fn.write32(at + PCI_MSI_ADDRESS_LO, lo);
  const is64 = MSI_FLAGS.get(flags, 'is_64bit') === 1;
  if (is64) fn.write32(at + PCI_MSI_ADDRESS_HI, 0);
  fn.write16(at + (is64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), data);
}

/** Whether the device can hold a message back. */
export const maskable = (fn: PciFunction, entry: number | null): boolean => entry !== null || MSI_FLAGS.get(fn.read16(fn.space.msi + PCI_MSI_FLAGS), 'maskbit') === 1;

/** Masks an entry, or a vector of MSI that can be masked, as Xen does where the guest starts or stops an interrupt. */
export function setMasked(fn: PciFunction, entry: number | null, masked: boolean, vector = 0): void {
  if (entry !== null) {
    fn.setMsixControl(entry, MSIX_VECTOR_CTRL.encode({ maskbit: masked }));
    return;
  }
  const flags = MSI_FLAGS.decode(fn.read16(fn.space.msi + PCI_MSI_FLAGS));
  if (!flags.maskbit) return;
  const at = fn.space.msi + (flags.is_64bit ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
  const bits = fn.read32(at);
  fn.write32(at, masked ? bits | (1 << vector) : bits & ~(1 << vector));
}
