import { bits } from './bits';

// What a device writes to raise an interrupt. Source: Intel SDM volume 3, 10.11 "Message signalled interrupts"; VT-d specification, 5.1.2.

/** Compatibility format of the address. */
export const MSI_ADDRESS_LO = bits(32, {
  dest_mode_logical: [2, '0 = physical APIC id, 1 = logical destination'],
  redirect_hint: [3, 'one CPU of the logical destination takes it'],
  dmar_format: [4, '0 = compatibility format'],
  virt_destid_8_14: [5, 11, 'unused by processors'],
  destid_0_7: [12, 19, 'destination'],
  base_address: [20, 31, '0xfee'],
});

export const MSI_DATA = bits(32, {
  vector: [0, 7],
  delivery_mode: [8, 10, '0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT'],
  active_low: [14, 'level: 1 = assert'],
  is_level: [15, '0 = edge, 1 = level'],
});

/** Remappable format of the address. */
export const DMAR_MSI_ADDRESS_LO = bits(32, {
  dmar_index_15: [2, 'bit 15 of the handle'],
  dmar_subhandle_valid: [3, 'the sub-handle in the data is added to the handle'],
  dmar_format: [4, '1 = remappable format'],
  dmar_index_0_14: [5, 19, 'bits 0-14 of the handle'],
  dmar_base_address: [20, 31, '0xfee'],
});

export const DMAR_MSI_DATA = bits(32, { dmar_subhandle: [0, 15] });

/** What an AMD IOMMU takes of the data. Source: IOMMU specification, 2.2.5. */
export const AMD_MSI_DATA = bits(32, { index: [0, 10, "entry of the device's interrupt table"] });

export const MSI_BASE = 0xfee;

/** Delivery modes of messages, RTEs, IRTEs and the ICR. */
export const DELIVERY = { FIXED: 0, LOWEST_PRIORITY: 1, SMI: 2, NMI: 4, INIT: 5, STARTUP: 6, EXTINT: 7 } as const;

/** An interrupt on its way to local APICs. */
export interface InterruptRequest {
  readonly vector: number;
  /** DELIVERY */
  readonly delivery: number;
  readonly logical: boolean;
  readonly level: boolean;
  /** one CPU of a logical destination takes it */
  readonly redirect: boolean;
  /** 32 bits */
  readonly destination: number;
}

/** The destination that means every CPU. */
export const BROADCAST = 0xffffffff;

/** An 8-bit destination as 32 bits: only the broadcast differs. */
export const widened = (destination: number): number => (destination === 0xff ? BROADCAST : destination);

/** Whether a write to this address is an interrupt and no access to memory. */
export const isInterruptAddress = (hi: number, lo: number): boolean => hi === 0 && lo >>> 20 === MSI_BASE;

/** Compatibility format, as the chipset decodes it without remapping. */
export function decodeCompatibility(lo: number, data: number): InterruptRequest {
  const a = MSI_ADDRESS_LO.decode(lo);
  const d = MSI_DATA.decode(data);
  return {
    vector: d.vector,
    delivery: d.delivery_mode,
    logical: a.dest_mode_logical === 1,
    level: d.is_level === 1,
    redirect: a.redirect_hint === 1,
    destination: widened(a.destid_0_7),
  };
}

/** Compatibility format of a message that is never remapped: its upper address word carries bits 8-31 of an x2APIC destination. */
export function decodeWide(hi: number, lo: number, data: number): InterruptRequest {
  const request = decodeCompatibility(lo, data);
  return hi === 0 ? request : { ...request, destination: (hi | MSI_ADDRESS_LO.get(lo, 'destid_0_7')) >>> 0 };
}

/** Remappable format: the handle, and the sub-handle where it is valid. */
export function decodeRemappable(lo: number): { handle: number; subhandleValid: boolean } {
  const a = DMAR_MSI_ADDRESS_LO.decode(lo);
  return { handle: a.dmar_index_0_14 | (a.dmar_index_15 << 15), subhandleValid: a.dmar_subhandle_valid === 1 };
}
