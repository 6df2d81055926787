import type { Op } from '../../stepper/op';
import type { platform_msi_priv_data } from '../drivers/base/platform-msi';
import type { device } from './device';
import { type PciDev, to_pci_dev } from './pci';
import type { irq_affinity_desc } from './interrupt';
import type { irq_chip } from './irq';
import type { irq_domain } from './irqdomain';
import type { irq_flow_handler } from './irqdesc';
import { member_of } from '../lib/fault';
import { has } from '../world';

/** The message a device writes to raise an interrupt; three unsigned 32-bit values. */
export class msi_msg {
  address_lo = 0;
  address_hi = 0;
  data = 0;
}

/** PCI part of an msi_desc. */
export interface pci_msi_attrib {
  is_msix: boolean;
  /** log2 of the vectors allocated (MSI) */
  multiple: number;
  /** log2 of the vectors supported (MSI) */
  multi_cap: number;
  maskbit: boolean;
  is_64: boolean;
  is_virtual: boolean;
  /** from v5.17 on msi_desc.msi_index, of any device */
  entry_nr: number;
  /** the device's INTx irq before */
  default_irq: number;
}

/** Part of an msi_desc of a device that is not PCI. */
export interface platform_msi_desc {
  readonly msi_priv_data: platform_msi_priv_data;
  readonly msi_index: number;
}

/** Part of an msi_desc of a part of a PCI device (v2-44). */
export interface device_msi_desc {
  /** what its store keeps for it */
  priv: unknown;
  /** physical address of what the device has for it; 0 = nothing */
  priv_iomem: number;
  /** 16 bits */
  hwirq: number;
}

/** Part of an msi_desc of a device's secondary domain: two cookies (v6.2). */
export interface msi_desc_data {
  /** the domain's: physical address of what the device has for the message, or 0 */
  dcookie: number;
  /** the instance's, which a driver gave at the allocation: a number or a pointer */
  icookie: unknown;
}

/** One message of a device: MSI-X has one for each entry, MSI one for all its vectors. */
export class msi_desc {
  /** first Linux irq; 0 = not allocated */
  irq = 0;
  /** last message written */
  msg = new msi_msg();
  /** mask bits as last written (MSI) or vector control (MSI-X) */
  masked = 0;
  /** config offset of the mask register (MSI) */
  mask_pos = 0;
  /** physical address of the MSI-X table */
  mask_base = 0;
  /** at most one of these, and msi_attrib, of which then only entry_nr counts, matters: in C they are a union */
  platform: platform_msi_desc | null = null;
  device_msi: device_msi_desc | null = null;
  data: msi_desc_data | null = null;

  constructor(
    readonly dev: device,
    readonly nvec_used: number,
    /** nvec_used entries, or null */
    public affinity: readonly irq_affinity_desc[] | null,
    readonly msi_attrib: pci_msi_attrib,
  ) {}
}

/** Where struct msi_desc has its device, in C. */
const OFFSETOF_DEV = 0x18;

/** A macro of include/linux/msi.h. @throws kernel_oops for NULL */
export const msi_desc_to_dev = (desc: msi_desc | null): device => member_of(desc, OFFSETOF_DEV).dev;

/** An accessor. @throws kernel_oops for NULL. Source: drivers/pci/msi.c, msi_desc_to_pci_dev() */
export const msi_desc_to_pci_dev = (desc: msi_desc | null): PciDev => to_pci_dev(member_of(desc, OFFSETOF_DEV, 'msi_desc_to_pci_dev').dev);

/** enum irq_alloc_type; before v2-07 PCI_MSI and PCI_MSIX are called MSI and MSIX, before v2-08 there is no *_GET_PARENT, and before v2-39 no DEV_MSI, whose number is the next one's. */
export const X86_IRQ_ALLOC_TYPE = {
  IOAPIC: 1,
  HPET: 2,
  PCI_MSI: 3,
  PCI_MSIX: 4,
  DMAR: 5,
  UV: 6,
  DEV_MSI: 7,
  get IOAPIC_GET_PARENT(): number {
    return has('v2-39') ? 8 : 7;
  },
  get HPET_GET_PARENT(): number {
    return has('v2-39') ? 9 : 8;
  },
} as const;
/** Names that have changed. */
const OLD_TYPE_NAMES: Partial<Record<string, string>> = { PCI_MSI: 'MSI', PCI_MSIX: 'MSIX' };

/** "PCI_MSIX": as the chosen kernel calls it; undefined for no type. */
export function irq_alloc_type_name(type: number): string | undefined {
  const name = Object.entries(X86_IRQ_ALLOC_TYPE).find(([name, value]) => value === type && (name !== 'DEV_MSI' || has('v2-39')))?.[0];
  return name !== undefined && !has('v2-07') ? (OLD_TYPE_NAMES[name] ?? name) : name;
}

/** irq_alloc_info.flags: the vectors of one MSI follow each other. */
export const X86_IRQ_ALLOC_CONTIGUOUS_VECTORS = 1;
export const X86_IRQ_ALLOC_LEGACY = 2;

/** MSI_FLAG_* of msi_domain_info.flags, by the numbers of v5.10, and of v6.2 where v5.10 has none; DEV_SYSFS, ALLOC_SIMPLE_MSI_DESCS and FREE_MSI_DESCS, whose numbers mean something else in v5.10, have free ones. */
export const MSI_FLAG = {
  USE_DEF_DOM_OPS: 0x01,
  USE_DEF_CHIP_OPS: 0x02,
  MULTI_PCI_MSI: 0x04,
  PCI_MSIX: 0x08,
  ACTIVATE_EARLY: 0x10,
  MUST_REACTIVATE: 0x20,
  LEVEL_CAPABLE: 0x40,
  NOMASK_QUIRK: 1 << 7,
  DEV_SYSFS: 1 << 8,
  ALLOC_SIMPLE_MSI_DESCS: 1 << 9,
  FREE_MSI_DESCS: 1 << 10,
  PCI_MSIX_ALLOC_DYN: 1 << 20,
  PCI_IMS: 1 << 21,
} as const;
/** What no domain below may refuse, of these (v6.2). */
export const MSI_GENERIC_FLAGS_MASK =
  MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.ACTIVATE_EARLY | MSI_FLAG.MUST_REACTIVATE | MSI_FLAG.NOMASK_QUIRK | MSI_FLAG.DEV_SYSFS | MSI_FLAG.ALLOC_SIMPLE_MSI_DESCS | MSI_FLAG.FREE_MSI_DESCS;

/** msi_alloc_info_t of x86 is irq_alloc_info. */
import type { irq_alloc_info } from '../arch/x86/hw_irq';
export type msi_alloc_info_t = irq_alloc_info;

/** A domain's own part of the work on messages; what is absent has a default with MSI_FLAG.USE_DEF_DOM_OPS, and is called as NULL without. Errors are negative errnos. Source: include/linux/msi.h */
export interface msi_domain_ops {
  get_hwirq?: (info: msi_domain_info, arg: msi_alloc_info_t) => Op<number>;
  msi_init?: (domain: irq_domain, info: msi_domain_info, virq: number, hwirq: number, arg: msi_alloc_info_t) => Op<number>;
  msi_free?: (domain: irq_domain, info: msi_domain_info, virq: number) => Op;
  msi_check?: (domain: irq_domain, info: msi_domain_info, dev: device) => Op<number>;
  msi_prepare?: (domain: irq_domain, dev: device, nvec: number, arg: msi_alloc_info_t) => Op<number>;
  msi_finish?: (arg: msi_alloc_info_t, retval: number) => Op;
  /** v6.2 */
  prepare_desc?: (domain: irq_domain, arg: msi_alloc_info_t, desc: msi_desc) => Op;
  set_desc?: (arg: msi_alloc_info_t, desc: msi_desc) => Op;
  handle_error?: (domain: irq_domain, desc: msi_desc, error: number) => Op<number>;
  domain_alloc_irqs?: (domain: irq_domain, dev: device, nvec: number) => Op<number>;
  domain_free_irqs?: (domain: irq_domain, dev: device) => Op;
  /** v2-45: makes room for the messages before they are allocated */
  msi_alloc_store?: (domain: irq_domain, dev: device, nvec: number) => Op<number>;
  msi_free_store?: (domain: irq_domain, dev: device) => Op;
}

/** How an MSI domain behaves; completed by msi_create_irq_domain(). */
export interface msi_domain_info {
  /** MSI_FLAG bits */
  flags: number;
  ops: msi_domain_ops;
  chip: irq_chip;
  chip_data?: unknown;
  handler?: irq_flow_handler;
  handler_data?: unknown;
  handler_name?: string;
  data?: unknown;
  /** what the domain gets; v5.17 */
  bus_token?: number;
  /** messages that there can be; v6.2 */
  hwsize?: number;
}

/** What a domain does for MSI domains that devices have on it; v6.2. */
export interface msi_parent_ops {
  /** MSI_FLAG bits that such a domain may have */
  readonly supported_flags: number;
  /** how names of such domains begin */
  readonly prefix: string;
  /** Fits the domain that a device is to get. @returns whether it can be */
  readonly init_dev_msi_info: (dev: PciDev, domain: irq_domain, real_parent: irq_domain, info: msi_domain_info) => Op<boolean>;
}

/** From what a device's own MSI domain is made; v6.2. */
export interface msi_domain_template {
  readonly chip: Readonly<irq_chip>;
  readonly ops: Readonly<msi_domain_ops>;
  readonly flags: number;
  readonly bus_token: number;
}

/** Domains of a device (enum msi_domain_ids), and numbers of its messages; v6.2. */
export const MSI_DEFAULT_DOMAIN = 0;
export const MSI_SECONDARY_DOMAIN = 1;
export const MSI_MAX_DEVICE_IRQDOMAINS = 2;
export const MSI_XA_DOMAIN_SIZE = 0x10000;
/** the next that is free */
export const MSI_ANY_INDEX = 0xffffffff;

/** One of a device's domains with its descriptors; those of the default one are in device.msi_list. */
export interface msi_dev_domain {
  domain: irq_domain | null;
  /** by their numbers in the domain */
  store: msi_desc[];
}

/** What a device keeps for its messages; v5.17. */
export interface msi_device_data {
  /** v6.2 */
  readonly __domains: readonly msi_dev_domain[];
}

/** An interrupt that msi_domain_alloc_irq_at() has got: its number in the domain, and the Linux irq; or an errno, and 0. */
export interface msi_map {
  readonly index: number;
  readonly virq: number;
}
