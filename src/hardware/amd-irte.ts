import { bits } from './bits';

// Entries of an AMD IOMMU's interrupt tables. Names as in the kernel's drivers/iommu/amd/amd_iommu_types.h.
// Source: AMD I/O Virtualization Technology (IOMMU) specification, 48882, 2.2.5 "Interrupt Remapping Tables".

export const IRTE_32_SIZE = 4;
export const IRTE_GA_SIZE = 16;

/** An entry of 32 bits. */
export const IRTE_32 = bits(32, {
  valid: 0,
  no_fault: [1, 'faults of this entry are not logged'],
  int_type: [2, 4, '0 fixed, 1 lowest priority'],
  rq_eoi: 5,
  dm: [6, '0 = physical, 1 = logical destination'],
  destination: [8, 15],
  vector: [16, 23],
});

/** Bits 0-63 of an entry of 128 bits. */
export const IRTE_GA_LO = bits(64, {
  valid: 0,
  no_fault: [1, 'faults of this entry are not logged'],
  int_type: [2, 4, '0 fixed, 1 lowest priority'],
  rq_eoi: 5,
  dm: [6, '0 = physical, 1 = logical destination'],
  guest_mode: [7, '0 = remapped'],
  destination: [8, 31, 'bits 0-23'],
  ga_tag: [32, 63],
});

/** Bits 0-63 of an entry of 128 bits that is for a guest. */
export const IRTE_GA_LO_VAPIC = bits(64, {
  valid: 0,
  no_fault: 1,
  ga_log_intr: [2, 'an interrupt for a vCPU that does not run is logged'],
  is_run: [6, 'the vCPU runs on the destination'],
  guest_mode: [7, '1 = for a guest'],
  destination: [8, 31, 'bits 0-23'],
  ga_tag: [32, 63, 'names the vCPU in the log'],
});

/** Bits 64-127 of an entry of 128 bits, counted from 0. */
export const IRTE_GA_HI = bits(64, {
  vector: [0, 7],
  ga_root_ptr: [12, 51, "the guest's backing page, in 4 KiB"],
  destination: [56, 63, 'bits 24-31'],
});
