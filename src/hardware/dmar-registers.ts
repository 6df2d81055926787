import { bits } from './bits';

// Registers of a VT-d unit, those of interrupt remapping. Names as in the kernel's include/linux/intel-iommu.h. Source: VT-d specification, chapter 10.

export const DMAR_VER_REG = 0x0;
export const DMAR_CAP_REG = 0x8;
export const DMAR_ECAP_REG = 0x10;
export const DMAR_GCMD_REG = 0x18;
export const DMAR_GSTS_REG = 0x1c;
export const DMAR_FSTS_REG = 0x34;
export const DMAR_FECTL_REG = 0x38;
export const DMAR_FEDATA_REG = 0x3c;
export const DMAR_FEADDR_REG = 0x40;
export const DMAR_FEUADDR_REG = 0x44;
export const DMAR_IQH_REG = 0x80;
export const DMAR_IQT_REG = 0x88;
export const DMAR_IQA_REG = 0x90;
export const DMAR_ICS_REG = 0x9c;
export const DMAR_IRTA_REG = 0xb8;
/** where CAP.fro points */
export const DMAR_FRCD_REG = 0x220;

/** Size of a unit's register page. */
export const DMAR_REG_SIZE = 0x1000;

export const CAP = bits(64, {
  nd: [0, 2, 'number of domains'], rwbf: 4, plmr: 5, phmr: 6, cm: [7, 'caching mode: not-present entries are cached'], sagaw: [8, 12], mgaw: [16, 21], zlr: 22,
  fro: [24, 33, 'fault records lie at this number times 16'], sllps: [34, 37], psi: 39, nfr: [40, 47, 'number of fault records - 1'], mamv: [48, 53],
  dwd: 54, drd: 55, pi: [59, 'posted interrupts'],
});

export const ECAP = bits(64, {
  c: 0, qi: [1, 'queued invalidation'], dt: 2, ir: [3, 'interrupt remapping'], eim: [4, '32-bit APIC ids'], pt: 6, sc: 7, iro: [8, 17],
  mhmv: [20, 23, 'greatest handle mask: log2 of the entries that one message may use'],
});

/** Global command; the status register has the same places. */
export const GCMD = bits(32, {
  cfi: [23, 'let compatibility format pass'],
  sirtp: [24, 'take the table pointer of IRTA'],
  ire: [25, 'remap interrupts'],
  qie: [26, 'queued invalidation'],
  wbf: 27, eafl: 28, sfl: 29, srtp: 30, te: 31,
});

export const GSTS = bits(32, { cfis: 23, irtps: 24, ires: 25, qies: 26, wbfs: 27, afls: 28, fls: 29, rtps: 30, tes: 31 });

export const FSTS = bits(32, {
  pfo: [0, 'faults were lost: the log was full'],
  ppf: [1, 'a fault record is filled'],
  iqe: [4, 'invalidation queue stopped at a bad descriptor'],
  fri: [8, 15, 'first filled record'],
});

export const FECTL = bits(32, { ip: [30, 'a fault message waits'], im: [31, 'fault messages are masked'] });

export const IRTA = bits(64, {
  size: [0, 3, 'the table has 2 ^ (size + 1) entries'],
  eime: [11, '32-bit APIC ids'],
  address: [12, 63, 'page number of the table'],
});

export const IQA = bits(64, { size: [0, 2, 'log2 of its pages of 256 descriptors'], wide: [11, '256-bit descriptors'], address: [12, 63, 'page number of the queue'] });

/** Low half of a fault record; the high half follows. */
export const FRCD_LOW = bits(64, { fault_index: [48, 63, 'entry of the remapping table'] });
export const FRCD_HIGH = bits(64, { sid: [0, 15, 'requester'], reason: [32, 39], fault: [63, 'record is filled; written 1 it is emptied'] });

/** Low half of an invalidation descriptor. */
export const QI_DESC = bits(64, {
  type: [0, 3, '1 context, 2 IOTLB, 3 device TLB, 4 interrupt entry cache, 5 wait'],
  selective: [4, 'interrupt entry cache: 0 = all entries, 1 = those of index and mask; wait: raise the completion interrupt'],
  status_write: [5, 'wait: write the status data'],
  fence: [6, 'wait: what follows waits too'],
  im: [27, 31, 'interrupt entry cache: log2 of the entries'],
  iidx: [32, 47, 'interrupt entry cache: first entry'],
});

export const QI_TYPE = { CONTEXT: 1, IOTLB: 2, DEVICE_IOTLB: 3, INTERRUPT_ENTRY_CACHE: 4, WAIT: 5 } as const;
export const QI_DESC_SIZE = 16;
