import { bits } from './bits';

// Interrupt remapping table entry of Intel VT-d: 128 bits in two halves. Source: VT-d specification, 9.10 and 9.11.

export const IRTE_SIZE = 16;

/** Bits 0-63 of a remapped entry. */
export const IRTE_LOW = bits(64, {
  present: [0, 'entry is in use'],
  fpd: [1, 'faults of this entry are not recorded'],
  dst_mode: [2, '0 = physical, 1 = logical destination'],
  redir_hint: [3, 'one CPU of the logical destination takes it'],
  trigger_mode: [4, '0 = edge, 1 = level'],
  dlvry_mode: [5, 7, '0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT'],
  avail: [8, 11, 'free for software'],
  pst: [15, '0 = remapped, 1 = posted'],
  vector: [16, 23],
  dest_id: [32, 63, 'xAPIC: the id in bits 8-15 of this field; x2APIC: 32 bits'],
});

/** Bits 0-63 of a posted entry. */
export const IRTE_POSTED_LOW = bits(64, {
  p_present: 0,
  p_fpd: 1,
  p_avail: [8, 11],
  p_urgent: [14, 'the descriptor notifies even while suppressed'],
  p_pst: 15,
  p_vector: [16, 23, 'the vector that the guest sees'],
  pda_l: [38, 63, 'bits 6-31 of the address of the posted-interrupt descriptor'],
});

/** Bits 64-127 of a remapped entry, counted from 0. */
export const IRTE_HIGH = bits(64, {
  sid: [0, 15, 'requester id that may use the entry'],
  sq: [16, 17, 'bits of the function number not compared: 0 none, 1 bit 2, 2 bits 1-2, 3 bits 0-2'],
  svt: [18, 19, '0 = no check, 1 = sid with sq, 2 = bus between the bytes of sid'],
});

/** Bits 64-127 of a posted entry, counted from 0. */
export const IRTE_POSTED_HIGH = bits(64, {
  p_sid: [0, 15],
  p_sq: [16, 17],
  p_svt: [18, 19],
  pda_h: [32, 63, 'bits 32-63 of the address of the posted-interrupt descriptor'],
});

/** Bits 256-319 of a posted-interrupt descriptor, after 256 bits of requests. Source: VT-d specification, 9.12. */
export const PI_DESC_CONTROL = bits(64, {
  on: [0, 'a notification is outstanding'],
  sn: [1, 'notifications are suppressed'],
  nv: [16, 23, 'notification vector'],
  ndst: [32, 63, 'notification destination'],
});

const SQ_IGNORES = [0, 0b100, 0b110, 0b111];

/** Whether the entry lets this requester use it. @param high bits 64-127 of the entry */
export function sourceAllowed(high: bigint, requesterId: number): boolean {
  const { sid, sq, svt } = IRTE_HIGH.decode(high);
  const bus = requesterId >>> 8;
  switch (svt) {
    case 0: return true;
    case 1: return ((sid ^ requesterId) & ~SQ_IGNORES[sq]) === 0;
    case 2: return bus >= sid >>> 8 && bus <= (sid & 0xff);
    default: return false;
  }
}
