import { concat, packed, rest, u32, u64 } from './packed';

// The hypercall that moves an interrupt of a passed-through device. Source: Hyper-V Top Level Functional Specification, HvRetargetDeviceInterrupt; include/asm-generic/hyperv-tlfs.h.

export const HVCALL_RETARGET_INTERRUPT = 0x007e;
/** Bits of the control word: how many 64-bit words a header of variable size has beyond its fixed part. */
export const HV_HYPERCALL_VARHEAD_OFFSET = 17;
const VARHEAD_MASK = 0x3ff;
export const HV_PARTITION_ID_SELF = 0xffffffffffffffffn;
/** hv_interrupt_entry.source of MSI and MSI-X */
export const HV_INTERRUPT_SOURCE_MSI = 1;

export const HV_STATUS_SUCCESS = 0;
export const HV_STATUS_INVALID_HYPERCALL_CODE = 2;
export const HV_STATUS_INVALID_HYPERCALL_INPUT = 3;
export const HV_STATUS_INVALID_PARAMETER = 5;
export const HV_STATUS_OPERATION_DENIED = 8;

/** hv_device_interrupt_target.flags: `vp_set` counts, not `vp_mask` */
export const HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET = 2;
/** struct hv_vpset: banks of 64 virtual processors each */
export const HV_GENERIC_SET_SPARSE_4K = 0n;

/** struct hv_interrupt_entry */
const hv_interrupt_entry = packed({ source: u32, reserved1: u32, address: u32, data: u32 });
/** struct hv_retarget_device_interrupt up to the union of vp_mask and vp_set, whose first word is `vp_mask` or the format of the set */
const hv_retarget_device_interrupt = packed({ partition_id: u64, device_id: u64, int_entry: hv_interrupt_entry, reserved2: u64, vector: u32, flags: u32, vp_mask: u64 });

export interface RetargetInterrupt {
  readonly partition_id: bigint;
  readonly device_id: bigint;
  readonly source: number;
  readonly address: number;
  readonly data: number;
  readonly vector: number;
  readonly flags: number;
  /** without HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET */
  readonly vp_mask: bigint;
  /** with it */
  readonly vp_set?: { readonly valid_bank_mask: bigint; readonly bank_contents: readonly bigint[] };
}

/** The input page. */
export function encodeRetarget({ source, address, data, vp_set, ...others }: RetargetInterrupt): Uint8Array {
  const fixed = hv_retarget_device_interrupt.encode({ ...others, vp_mask: vp_set ? HV_GENERIC_SET_SPARSE_4K : others.vp_mask, int_entry: { source, reserved1: 0, address, data } });
  return vp_set ? concat(fixed, words([vp_set.valid_bank_mask, ...vp_set.bank_contents])) : fixed;
}

/** @param control says how much of the input there is @returns undefined for input that is too short */
export function decodeRetarget(control: number, input: Uint8Array): RetargetInterrupt | undefined {
  const { size } = hv_retarget_device_interrupt;
  if (input.length < size) return undefined;
  const { partition_id, device_id, int_entry: { source, address, data }, vector, flags, vp_mask } = hv_retarget_device_interrupt.decode(input);
  const plain = { partition_id, device_id, source, address, data, vector, flags, vp_mask };
  if ((flags & HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET) === 0) return plain;
  const [valid_bank_mask, ...bank_contents] = rest(u64, input, size).slice(0, (control >>> HV_HYPERCALL_VARHEAD_OFFSET) & VARHEAD_MASK) as [bigint?, ...bigint[]];
  return valid_bank_mask === undefined || bank_contents.length < setBits(valid_bank_mask).length ? undefined : { ...plain, vp_set: { valid_bank_mask, bank_contents } };
}

/** The virtual processors of a mask, or of a set of banks: the n-th bank is for the n-th bit of the mask. */
export function processorsOf({ vp_mask, vp_set }: RetargetInterrupt): number[] {
  if (!vp_set) return setBits(vp_mask);
  return setBits(vp_set.valid_bank_mask).flatMap((bank, i) => setBits(vp_set.bank_contents[i]).map(bit => bank * 64 + bit));
}

export function setBits(mask: bigint): number[] {
  const bits: number[] = [];
  for (let bit = 0, left = mask; left > 0n; bit++, left >>= 1n) if (left & 1n) bits.push(bit);
  return bits;
}

function words(values: readonly bigint[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach((value, i) => view.setBigUint64(i * 8, value, true));
  return new Uint8Array(view.buffer);
}
