import { bits } from './bits';

// Registers, commands, log entries and device table entries of an AMD IOMMU, those of interrupt remapping. Names as in the kernel's
// drivers/iommu/amd/amd_iommu_types.h. Source: AMD I/O Virtualization Technology (IOMMU) specification, 48882, chapters 2 and 3.

export const MMIO_DEV_TABLE_OFFSET = 0x0000;
export const MMIO_CMD_BUF_OFFSET = 0x0008;
export const MMIO_EVT_BUF_OFFSET = 0x0010;
export const MMIO_CONTROL_OFFSET = 0x0018;
export const MMIO_EXT_FEATURES = 0x0030;
export const MMIO_GA_LOG_BASE_OFFSET = 0x00e0;
export const MMIO_GA_LOG_TAIL_OFFSET = 0x00e8;
export const MMIO_CMD_HEAD_OFFSET = 0x2000;
export const MMIO_CMD_TAIL_OFFSET = 0x2008;
export const MMIO_EVT_HEAD_OFFSET = 0x2010;
export const MMIO_EVT_TAIL_OFFSET = 0x2018;
export const MMIO_STATUS_OFFSET = 0x2020;
export const MMIO_GA_HEAD_OFFSET = 0x2040;
export const MMIO_GA_TAIL_OFFSET = 0x2048;
/** Size of the registers of a unit without performance counters. */
export const MMIO_CNTR_CONF_OFFSET = 0x4000;

export const DEV_TABLE_BASE = bits(64, { size: [0, 8, 'number of 4 KiB pages - 1'], address: [12, 51, 'in 4 KiB pages'] });

/** Command buffer, event log and guest log. */
export const RING_BASE = bits(64, { address: [12, 51, 'in 4 KiB pages'], length: [56, 59, 'log2 of the number of entries'] });

export const CONTROL = bits(64, {
  iommu_en: 0, ht_tun_en: 1, evt_log_en: 2, evt_int_en: 3, comwait_en: 4, inv_timeout: [5, 7], passpw_en: 8, respasspw_en: 9, coherent_en: 10, isoc_en: 11,
  cmdbuf_en: 12, pprlog_en: 13, pprint_en: 14, ppr_en: 15, gt_en: 16, ga_en: [17, 'entries of interrupt tables have 128 bits'],
  gam_en: [25, 27, '1 = entries may be for guests'], galog_en: 28, gaint_en: 29, xt_en: [50, '32-bit APIC ids in entries'],
});

/** The extended feature register. */
export const FEATURE = bits(64, {
  prefetch: 0, ppr: 1, x2apic: [2, '32-bit APIC ids'], nx: 3, gt: 4, ia: [6, 'INVALIDATE_IOMMU_ALL'], ga: [7, 'entries of 128 bits'], he: 8, pc: 9, hats: [10, 11], gats: [12, 13],
  glx: [14, 15], gam_vapic: [21, 23, '1 = entries for guests'], pasmax: [32, 36], msi_cap_mmio: [46, 'the MSI capability shows in the registers'],
});

export const STATUS = bits(32, {
  evt_overflow: 0, evt_int: 1, comwait_int: 2, evt_run: 3, cmdbuf_run: 4, ppr_overflow: 5, ppr_int: 6, ppr_run: 7, galog_run: 8, galog_overflow: 9, galog_int: 10,
});

export const CMD_ENTRY_SIZE = 16;
export const CMD_TYPE = { COMPL_WAIT: 1, INV_DEV_ENTRY: 2, INV_IOMMU_PAGES: 3, INV_IOTLB_PAGES: 4, INV_IRT: 5, PREFETCH: 6, COMPLETE_PPR: 7, INV_ALL: 8 } as const;

/** Bits 0-63 of a command. */
export const CMD = bits(64, { devid: [0, 15], type: [60, 63, 'CMD_TYPE'] });

/** Bits 0-63 of COMPLETION_WAIT; bits 64-127 are what is stored. */
export const CMD_WAIT = bits(64, { store: 0, interrupt: 1, flush: 2, address: [3, 51, 'of the store, in 8 bytes'], type: [60, 63] });

export const EVENT_ENTRY_SIZE = 16;
export const EVENT_TYPE = { ILL_DEV: 1, IO_FAULT: 2, DEV_TAB_ERR: 3, PAGE_TAB_ERR: 4, ILL_CMD: 5, CMD_HARD_ERR: 6, IOTLB_INV_TO: 7, INV_DEV_REQ: 8 } as const;

/** Bits 0-63 of an event; bits 64-127 are an address. */
export const EVENT = bits(64, {
  devid: [0, 15],
  pasid_hi: [16, 19],
  domid: [32, 47],
  guest: 48, nx: 49, user: 50,
  interrupt: [51, 'an interrupt, no access to memory'],
  present: [52, 'the entry is valid'],
  write: 53, permission: 54,
  reserved_bit: [55, 'a reserved bit or value in the entry'],
  translation: 56,
  type: [60, 63, 'EVENT_TYPE'],
});

/** How a message shows as the address of an event: as HyperTransport encodes interrupts. */
export const HT_INTERRUPT_BASE = 0xfdf8000000n;
export const HT_INTERRUPT = bits(32, { message_type: [2, 4], level: 5, dest_mode: 6, destination: [8, 15], vector: [16, 23] });

export const GA_ENTRY_SIZE = 8;
export const GA_GUEST_NR = 1;
export const GA_LOG_ENTRY = bits(64, { tag: [0, 31], devid: [32, 47], type: [60, 63, '1 = interrupt for a guest that does not run'] });

export const DEV_TABLE_ENTRY_SIZE = 32;

/** Bits 0-63 of a device table entry: flags of memory accesses. */
export const DTE_0 = bits(64, { valid: 0, translation: 1 });

/** Bits 128-191 of a device table entry, counted from 0: interrupts. */
export const DTE_2 = bits(64, {
  irq_remap_enable: [0, 'this half is valid; else interrupts pass'],
  irq_table_len: [1, 4, 'log2 of the entries of the table'],
  ignore_unmapped: 5,
  irq_table: [6, 51, 'the interrupt table, in 64 bytes'],
  init_pass: 56, eint_pass: 57, nmi_pass: 58,
  int_ctl: [60, 61, 'fixed interrupts: 0 blocked, 1 pass, 2 remapped'],
  lint0_pass: 62, lint1_pass: 63,
});

export const INT_CTL = { BLOCK: 0, PASS: 1, REMAP: 2 } as const;
/** 2048 entries */
export const MAX_IRQ_TABLE_LEN = 11;

/** First word of the unit's capability in its configuration space. */
export const IOMMU_CAP = bits(32, { id: [0, 7, '0x0f, secure device'], next: [8, 15], type: [16, 18, '3 = IOMMU'], revision: [19, 23], iotlb: 24, ht_tunnel: 25, npcache: 26, efr: 27, ext: 28 });
export const PCI_CAP_ID_SECURE_DEVICE = 0x0f;
/** Offset of the registers' address in the capability; bit 0 enables it. */
export const IOMMU_CAP_BASE_LOW = 4;
