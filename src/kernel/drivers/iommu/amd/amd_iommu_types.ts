import { FEATURE } from '../../../../hardware/amd-iommu-registers';
import type { irq_cfg } from '../../../arch/x86/hw_irq';
import type { irq_domain } from '../../../include/irqdomain';
import { msi_msg } from '../../../include/msi';
import type { PciDev } from '../../../include/pci';
import { EINVAL } from '../../../lib/errno';
import { raw_spinlock } from '../../../lib/locking';
import { has, kernel, machine } from '../../../world';
import type { amd_irte_ops } from './irte_ops';

// drivers/iommu/amd/amd_iommu_types.h, as far as interrupts need it.

export const MAX_IRQS_PER_TABLE = (): number => (has('amd-512-entries') ? 512 : 256);
/** What the device table says of it: log2. */
export const DTE_IRQ_TABLE_LEN = (): number => (has('amd-512-table-length') ? 9 : 8);
export const IRQ_TABLE_ALIGNMENT = 128;
export const CMD_BUFFER_SIZE = 8192;
export const EVT_BUFFER_SIZE = 8192;
/** GA_ENTRY_SIZE * GA_LOG_ENTRIES */
export const GA_LOG_SIZE = 8 * 512;

/** How interrupt tables look: amd_iommu_guest_ir. */
export const AMD_IOMMU_GUEST_IR_LEGACY = 0;
/** entries of 128 bits, none for guests */
export const AMD_IOMMU_GUEST_IR_LEGACY_GA = 1;
export const AMD_IOMMU_GUEST_IR_VAPIC = 2;

export const AMD_IOMMU_GUEST_IR_GA = (x: number): boolean => x === AMD_IOMMU_GUEST_IR_VAPIC || x === AMD_IOMMU_GUEST_IR_LEGACY_GA;
export const AMD_IOMMU_GUEST_IR_VAPIC_ON = (x: number): boolean => x === AMD_IOMMU_GUEST_IR_VAPIC;

/** An IOMMU. */
export class amd_iommu {
  readonly lock = new raw_spinlock('iommu->lock');
  /** its PCI function */
  dev: PciDev | null = null;
  /** first word of its capability */
  cap = 0;
  features = 0n;
  /** physical addresses of its rings; 0 = none */
  cmd_buf = 0;
  /** as last read; it may be further */
  cmd_buf_head = 0;
  cmd_buf_tail = 0;
  evt_buf = 0;
  ga_log = 0;
  ga_log_tail = 0;
  int_enabled = false;
  /** commands stand behind the last completion wait */
  need_sync = false;
  ir_domain: irq_domain | null = null;
  msi_domain: irq_domain | null = null;
  irte_ops: amd_irte_ops | null = null;
  /** physical address of the word that a completion wait stores to */
  cmd_sem = 0;
  cmd_sem_val = 0n;

  constructor(
    readonly index: number,
    /** requester id */
    readonly devid: number,
    /** offset of its capability */
    readonly cap_ptr: number,
    /** physical address of the registers */
    readonly mmio_base: number,
  ) {}
}

export const iommu_feature = (iommu: amd_iommu, name: Parameters<typeof FEATURE.get>[1]): boolean => FEATURE.get(iommu.features, name) !== 0;

export const readl = (iommu: amd_iommu, reg: number): number => machine.read32(iommu.mmio_base + reg);
export const readq = (iommu: amd_iommu, reg: number): bigint => machine.read64(iommu.mmio_base + reg);
export const writel = (iommu: amd_iommu, reg: number, value: number): void => machine.write32(iommu.mmio_base + reg, value);
export const writeq = (iommu: amd_iommu, reg: number, value: bigint): void => machine.write64(iommu.mmio_base + reg, value);

/** The interrupt table of a device, or of several. */
export class irq_remap_table {
  readonly lock = new raw_spinlock('table->lock');
  /** entries below it are for IOAPIC pins */
  min_index = 0;

  constructor(
    /** physical address */
    readonly table: number,
    /** entries */
    readonly size: number,
  ) {}
}

/** An entry of 32 bits (union irte). */
export class irte {
  val = 0;
}

/** An entry of 128 bits. */
export class irte_ga {
  lo = 0n;
  hi = 0n;
}

/** Where an interrupt's entry is. */
export interface irq_2_irte {
  devid: number;
  index: number;
}

/** The AMD-IR level of an interrupt. */
export class amd_ir_data {
  cached_ga_tag = 0;
  readonly irq_2_irte: irq_2_irte = { devid: 0, index: 0 };
  /** what the device writes: the same for life */
  readonly msi_entry = new msi_msg();
  /** physical address of the entry in the table, known since guest mode was changed first; 0 = not known */
  ref = 0;
  cfg: irq_cfg | null = null;
  ga_vector = 0;
  ga_root_ptr = 0;
  ga_tag = 0;

  constructor(
    /** what the table was last told, or will be */
    readonly entry: irte | irte_ga,
  ) {}
}

/** What a hypervisor passes with irq_set_vcpu_affinity(). Source: include/linux/amd-iommu.h, struct amd_iommu_pi_data */
export interface amd_iommu_pi_data {
  readonly ga_tag: number;
  prev_ga_tag: number;
  /** physical address of the guest's backing page */
  readonly base: number;
  is_guest_mode: boolean;
  readonly vcpu_data: { readonly pi_desc_addr: number; readonly vector: number };
  ir_data: amd_ir_data | null;
}

/** What the driver keeps of a device. */
export class iommu_dev_data {
  pdev: PciDev | null = null;
  /** the device was given to a guest whose interrupts the unit can deliver */
  use_vapic = false;
  constructor(readonly devid: number) {}
}

/** An IOAPIC or HPET and the requester id of its messages. */
export interface devid_map {
  readonly id: number;
  readonly devid: number;
  /** told by the command line: firmware does not change it */
  readonly cmd_line: boolean;
}

const devid_of = (map: readonly devid_map[], id: number): number => map.find(entry => entry.id === id)?.devid ?? -EINVAL;

/** @returns the requester id, or -EINVAL */
export const get_ioapic_devid = (id: number): number => devid_of(kernel.ioapic_map, id);
/** @returns the requester id, or -EINVAL */
export const get_hpet_devid = (id: number): number => devid_of(kernel.hpet_map, id);

export const PCI_BUS_NUM = (devid: number): number => devid >>> 8;
/** "00:04.0" */
export const devid_text = (devid: number): string => {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `${hex(PCI_BUS_NUM(devid))}:${hex((devid >>> 3) & 0x1f)}.${devid & 7}`;
};
