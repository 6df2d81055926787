import {
  CAP, DMAR_CAP_REG, DMAR_ECAP_REG, DMAR_FECTL_REG, DMAR_FSTS_REG, DMAR_GCMD_REG, DMAR_GSTS_REG, DMAR_IQA_REG, DMAR_IQH_REG, DMAR_IQT_REG, DMAR_VER_REG, ECAP,
  FECTL, FRCD_HIGH, FRCD_LOW, FSTS, GCMD, GSTS, QI_DESC, QI_DESC_SIZE, QI_TYPE,
} from '../../../../hardware/dmar-registers';
import { parsePciAddress } from '../../../../hardware/machine-config';
import type { Op } from '../../../../stepper/op';
import { dmar_alloc_hwirq } from '../../../arch/x86/apic/msi';
import { IRQ_HANDLED, IRQF_NO_THREAD } from '../../../include/interrupt';
import type { irq_data } from '../../../include/irq';
import type { irq_domain } from '../../../include/irqdomain';
import type { msi_msg } from '../../../include/msi';
import { pci_physfn, type PciDev } from '../../../include/pci';
import { irq_get_irq_data } from '../../../irq/irqdesc';
import { request_irq } from '../../../irq/manage';
import type { bitmap } from '../../../lib/bitmap';
import { EINVAL, ENODEV, ENOENT } from '../../../lib/errno';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, raw_spinlock, rw_semaphore } from '../../../lib/locking';
import { BUG_ON, pr_err, pr_info } from '../../../lib/printk';
import { has, kernel, machine } from '../../../world';
import { dmar_pci_device_match } from './dmar_scope';

// VT-d units as the ACPI DMAR table lists them: drivers/iommu/intel/dmar.c.

const QI_LENGTH = 256;
const QI_FREE = 0;
const QI_IN_USE = 1;
const QI_DONE = 2;
const PAGE_SIZE = 4096;

/** The invalidation queue of a unit (struct q_inval). */
export class q_inval {
  readonly q_lock = new raw_spinlock('q_lock');
  free_head = 0;
  free_tail = 0;
  free_cnt = QI_LENGTH;

  constructor(
    /** physical address of the descriptors */
    readonly desc: number,
    /** physical address of a 32-bit state for each descriptor; the unit writes there too */
    readonly desc_status: number,
  ) {}
}

/** A unit's table of remapping entries. */
export interface ir_table {
  /** physical address */
  readonly base: number;
  /** entries taken */
  readonly bitmap: bitmap;
}

/** A VT-d unit. */
export class intel_iommu {
  readonly register_lock = new raw_spinlock('register_lock');
  readonly name: string;
  /** command bits that shall stay set */
  gcmd = 0;
  /** fault interrupt; 0 = none */
  irq = 0;
  readonly node = -1;
  qi: q_inval | null = null;
  ir_table: ir_table | null = null;
  ir_domain: irq_domain | null = null;
  ir_msi_domain: irq_domain | null = null;

  constructor(
    readonly seq_id: number,
    readonly segment: number,
    /** physical address of the registers */
    readonly reg: number,
    readonly cap: bigint,
    readonly ecap: bigint,
  ) {
    this.name = `dmar${seq_id}`;
  }
}

/** What a unit covers (struct dmar_drhd_unit with its part of the DMAR table). */
export interface dmar_drhd_unit {
  readonly segment: number;
  readonly reg_base_addr: number;
  readonly include_all: boolean;
  /** requester ids of the functions and bridges that the table names */
  readonly scope: readonly number[];
  /** those of them that have appeared */
  readonly devices: PciDev[];
  readonly ioapics: readonly { readonly id: number; readonly requesterId: number }[];
  readonly hpets: readonly { readonly id: number; readonly requesterId: number }[];
  readonly iommu: intel_iommu;
}

export const dmar_globals = () => ({
  /** one that covers the rest of its segment stands last */
  dmar_drhd_units: [] as dmar_drhd_unit[],
  dmar_table_initialized: 0,
  /** what dmar_dev_scope_init() has returned; 1: it has not run */
  dmar_dev_scope_status: 1,
  /** of all tables here; in process context only */
  dmar_global_lock: new rw_semaphore('dmar_global_lock'),
  /** functions that appear from now on are told to dmar_pci_bus_notifier() */
  dmar_bus_notifier: false,
});

export const readl = (iommu: intel_iommu, reg: number): number => machine.read32(iommu.reg + reg);
export const writel = (iommu: intel_iommu, reg: number, value: number): void => machine.write32(iommu.reg + reg, value);
export const dmar_writeq = (iommu: intel_iommu, reg: number, value: bigint): void => machine.write64(iommu.reg + reg, value);

/** The unit does at once what a command asks for; one that does not would stop the kernel. */
export function IOMMU_WAIT_OP(iommu: intel_iommu, done: (sts: number) => boolean): void {
  BUG_ON(!done(readl(iommu, DMAR_GSTS_REG)), 'drivers/iommu/intel: DMAR hardware is malfunctioning');
}

/** One unit of the table. Source: drivers/iommu/intel/dmar.c, dmar_parse_one_drhd(), alloc_iommu() */
function* dmar_parse_one_drhd(seq_id: number): Op {
  const { segment, address, includeAll, devices, ioapics, hpets = [] } = machine.remapUnits[seq_id].config;
  pr_info(`DMAR: DRHD base: 0x${address.toString(16).padStart(14, '0')} flags: 0x${includeAll ? 1 : 0}`);

  const iommu = new intel_iommu(seq_id, segment, address, machine.read64(address + DMAR_CAP_REG), machine.read64(address + DMAR_ECAP_REG));
  const ver = readl(iommu, DMAR_VER_REG);
  pr_info(
    `DMAR: ${iommu.name}: reg_base_addr ${address.toString(16)} ver ${ver >> 4}:${ver & 0xf} cap ${iommu.cap.toString(16)} ecap ${iommu.ecap.toString(16)}`,
  );

  const { ires, qies, tes } = GSTS.decode(readl(iommu, DMAR_GSTS_REG));
  iommu.gcmd = GCMD.encode({ ire: ires, qie: qies, te: tes });

  const requesters = devices.map(device => parsePciAddress(device)!).map(({ bus, devfn }) => (bus << 8) | devfn);
  const unit: dmar_drhd_unit = { segment, reg_base_addr: address, include_all: includeAll, scope: requesters, devices: [], ioapics, hpets, iommu };
  if (includeAll) kernel.dmar_drhd_units.push(unit);
  else kernel.dmar_drhd_units.unshift(unit);
}

/** @returns 0 or -ENODEV. Source: drivers/iommu/intel/dmar.c, dmar_table_init() */
export function* dmar_table_init(): Op<number> {
  if (kernel.dmar_table_initialized === 0) {
    if (machine.remapUnits.length === 0) {
      kernel.dmar_table_initialized = -ENODEV;
    } else {
      pr_info(`DMAR: Host address width ${CAP.get(machine.remapUnits[0].cap, 'mgaw') + 1}`);
      for (let seq_id = 0; seq_id < machine.remapUnits.length; seq_id++) yield* dmar_parse_one_drhd(seq_id);
      kernel.dmar_table_initialized = 1;
    }
  }

  return Math.min(kernel.dmar_table_initialized, 0);
}

/** The unit that covers a function, a virtual one by its physical one; or undefined. Source: drivers/iommu/intel/dmar.c, dmar_find_matched_drhd_unit() */
export function* dmar_find_matched_drhd_unit(device: PciDev): Op<dmar_drhd_unit | undefined> {
  const dev = pci_physfn(device);
  for (const unit of kernel.dmar_drhd_units) {
    if (unit.include_all && unit.segment === dev.domain_nr) return unit;
    if (yield* dmar_pci_device_match(unit.devices, dev)) return unit;
  }
  return undefined;
}

const status_of = (qi: q_inval, index: number): number => machine.memory.read32(qi.desc_status + 4 * index);
const set_status = (qi: q_inval, index: number, state: number): void => machine.memory.write32(qi.desc_status + 4 * index, state);

/** Descriptors that are done are free again. Source: drivers/iommu/intel/dmar.c, reclaim_free_desc() */
function reclaim_free_desc(qi: q_inval): void {
  while (status_of(qi, qi.free_tail) === QI_DONE) {
    set_status(qi, qi.free_tail, QI_FREE);
    qi.free_tail = (qi.free_tail + 1) % QI_LENGTH;
    qi.free_cnt++;
  }
}

/** @returns -EINVAL when the unit stopped at the descriptor. Source: drivers/iommu/intel/dmar.c, qi_check_fault() */
function* qi_check_fault(iommu: intel_iommu, index: number): Op<number> {
  if (FSTS.get(readl(iommu, DMAR_FSTS_REG), 'iqe') === 0) return 0;
  if (readl(iommu, DMAR_IQH_REG) / QI_DESC_SIZE !== index) return 0;

  const at = iommu.qi!.desc + index * QI_DESC_SIZE;
  const hex = (address: number): string => machine.memory.read64(address).toString(16);
  pr_err(`DMAR: VT-d detected invalid descriptor: qw0 = ${hex(at)}, qw1 = ${hex(at + 8)}`);
  writel(iommu, DMAR_FSTS_REG, FSTS.encode({ iqe: 1 }));
  return -EINVAL;
}

/** Hand a descriptor to the unit and wait until it is done. @param desc low half; the high one is 0. @returns 0 or -EINVAL. Source: drivers/iommu/intel/dmar.c, qi_submit_sync() */
export function* qi_submit_sync(iommu: intel_iommu, desc: bigint): Op<number> {
  const { qi } = iommu;
  if (!qi) return 0;

  const flags = yield* raw_spin_lock_irqsave(qi.q_lock);
  const index = qi.free_head;
  const wait_index = (index + 1) % QI_LENGTH;

  yield* write_descriptor(qi, index, desc, 0n);
  const wait_desc = QI_DESC.encode({ type: QI_TYPE.WAIT, status_write: 1 }) | (BigInt(QI_DONE) << 32n);
  yield* write_descriptor(qi, wait_index, wait_desc, BigInt(qi.desc_status + 4 * wait_index));

  qi.free_head = (qi.free_head + 2) % QI_LENGTH;
  qi.free_cnt -= 2;
  writel(iommu, DMAR_IQT_REG, qi.free_head * QI_DESC_SIZE);

  const rc = status_of(qi, wait_index) === QI_DONE ? 0 : yield* qi_check_fault(iommu, index);

  set_status(qi, index, QI_DONE);
  reclaim_free_desc(qi);
  yield* raw_spin_unlock_irqrestore(qi.q_lock, flags);

  return rc;
}

function* write_descriptor(qi: q_inval, index: number, low: bigint, high: bigint): Op {
  machine.memory.write64(qi.desc + index * QI_DESC_SIZE, low);
  machine.memory.write64(qi.desc + index * QI_DESC_SIZE + 8, high);
  set_status(qi, index, QI_IN_USE);
}

/** All remapping entries are read from the table again. Source: drivers/iommu/intel/dmar.c, qi_global_iec() */
export function* qi_global_iec(iommu: intel_iommu): Op {
  yield* qi_submit_sync(iommu, QI_DESC.encode({ type: QI_TYPE.INTERRUPT_ENTRY_CACHE }));
}

/** Source: drivers/iommu/intel/dmar.c, dmar_disable_qi() */
export function* dmar_disable_qi(iommu: intel_iommu): Op {
  if (!ECAP.get(iommu.ecap, 'qi')) return;

  const flags = yield* raw_spin_lock_irqsave(iommu.register_lock);
  if (GSTS.get(readl(iommu, DMAR_GSTS_REG), 'qies')) {
    iommu.gcmd = GCMD.with(iommu.gcmd, { qie: 0 });
    writel(iommu, DMAR_GCMD_REG, iommu.gcmd);
    IOMMU_WAIT_OP(iommu, sts => GSTS.get(sts, 'qies') === 0);
  }
  yield* raw_spin_unlock_irqrestore(iommu.register_lock, flags);
}

/** @returns 0, or -ENOENT for a unit without a queue. Source: drivers/iommu/intel/dmar.c, dmar_enable_qi() */
export function* dmar_enable_qi(iommu: intel_iommu): Op<number> {
  if (!ECAP.get(iommu.ecap, 'qi')) return -ENOENT;

  if (iommu.qi) return 0;

  iommu.qi = new q_inval(machine.memory.alloc(PAGE_SIZE, PAGE_SIZE), machine.memory.alloc(QI_LENGTH * 4, PAGE_SIZE));
  yield* __dmar_enable_qi(iommu, iommu.qi);
  return 0;
}

/** Source: drivers/iommu/intel/dmar.c, __dmar_enable_qi() */
function* __dmar_enable_qi(iommu: intel_iommu, qi: q_inval): Op {
  qi.free_head = qi.free_tail = 0;
  qi.free_cnt = QI_LENGTH;

  const flags = yield* raw_spin_lock_irqsave(iommu.register_lock);
  writel(iommu, DMAR_IQT_REG, 0);
  dmar_writeq(iommu, DMAR_IQA_REG, BigInt(qi.desc));
  iommu.gcmd = GCMD.with(iommu.gcmd, { qie: 1 });
  writel(iommu, DMAR_GCMD_REG, iommu.gcmd);
  IOMMU_WAIT_OP(iommu, sts => GSTS.get(sts, 'qies') === 1);
  yield* raw_spin_unlock_irqrestore(iommu.register_lock, flags);
}

/** Source: drivers/iommu/intel/dmar.c, dmar_msi_unmask() */
export function* dmar_msi_unmask(data: irq_data): Op {
  yield* set_fault_mask(data.common.handler_data as intel_iommu, 0);
}

/** Source: drivers/iommu/intel/dmar.c, dmar_msi_mask() */
export function* dmar_msi_mask(data: irq_data): Op {
  yield* set_fault_mask(data.common.handler_data as intel_iommu, 1);
}

function* set_fault_mask(iommu: intel_iommu, im: 0 | 1): Op {
  const flags = yield* raw_spin_lock_irqsave(iommu.register_lock);
  writel(iommu, DMAR_FECTL_REG, FECTL.encode({ im }));
  readl(iommu, DMAR_FECTL_REG); // the write has arrived
  yield* raw_spin_unlock_irqrestore(iommu.register_lock, flags);
}

/** Source: drivers/iommu/intel/dmar.c, dmar_msi_write() */
export function* dmar_msi_write(irq: number, msg: msi_msg): Op {
  const iommu = irq_get_irq_data(irq)!.common.handler_data as intel_iommu;

  const flags = yield* raw_spin_lock_irqsave(iommu.register_lock);
  writel(iommu, DMAR_FECTL_REG + 4, msg.data);
  writel(iommu, DMAR_FECTL_REG + 8, msg.address_lo);
  writel(iommu, DMAR_FECTL_REG + 12, msg.address_hi);
  yield* raw_spin_unlock_irqrestore(iommu.register_lock, flags);
}

const irq_remap_fault_reasons = [
  'Detected reserved fields in the decoded interrupt-remapped request',
  'Interrupt index exceeded the interrupt-remapping table size',
  'Present field in the IRTE entry is clear',
  'Error accessing interrupt-remapping table pointed by IRTA_REG',
  'Detected reserved fields in the IRTE entry',
  'Blocked a compatibility format interrupt request',
  'Blocked an interrupt request due to source-id verification failure',
];

/** Source: drivers/iommu/intel/dmar.c, dmar_fault_do_one(), for interrupt remapping */
function* dmar_fault_do_one(reason: number, source_id: number, index: number): Op {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  const device = `${hex(source_id >> 8)}:${hex((source_id >> 3) & 0x1f)}.${source_id & 7}`;
  const why = irq_remap_fault_reasons[reason - 0x20] ?? 'Unknown';
  pr_err(`DMAR: [INTR-REMAP] Request device [${device}] fault index ${index.toString(16)} [fault reason ${String(reason).padStart(2, '0')}] ${why}`);
}

const FAULT_RECORD_SIZE = 16;

/** A unit has refused something: empties and prints its log. Source: drivers/iommu/intel/dmar.c, dmar_fault() */
export function* dmar_fault(irq: number, dev_id: unknown): Op<number> {
  const iommu = dev_id as intel_iommu;
  let flag = yield* raw_spin_lock_irqsave(iommu.register_lock);
  const fault_status = readl(iommu, DMAR_FSTS_REG);
  if (fault_status) pr_err(`DMAR: DRHD: handling fault status reg ${fault_status.toString(16)}`);
  if (!FSTS.get(fault_status, 'ppf')) {
    yield* raw_spin_unlock_irqrestore(iommu.register_lock, flag);
    return IRQ_HANDLED;
  }

  const records = iommu.reg + CAP.get(iommu.cap, 'fro') * FAULT_RECORD_SIZE;
  const count = CAP.get(iommu.cap, 'nfr') + 1;
  for (let i = FSTS.get(fault_status, 'fri'); ; i = (i + 1) % count) {
    const record = records + i * FAULT_RECORD_SIZE;
    const high = machine.read64(record + 8);
    if (!FRCD_HIGH.get(high, 'fault')) break;
    const index = FRCD_LOW.get(machine.read64(record), 'fault_index');

    machine.write32(record + 12, 0x80000000);
    yield* raw_spin_unlock_irqrestore(iommu.register_lock, flag);
    yield* dmar_fault_do_one(FRCD_HIGH.get(high, 'reason'), FRCD_HIGH.get(high, 'sid'), index);
    flag = yield* raw_spin_lock_irqsave(iommu.register_lock);
  }

  writel(iommu, DMAR_FSTS_REG, FSTS.encode({ pfo: 1, ppf: 1 }));
  yield* raw_spin_unlock_irqrestore(iommu.register_lock, flag);
  return IRQ_HANDLED;
}

/** @returns 0 or an errno. Source: drivers/iommu/intel/dmar.c, dmar_set_interrupt() */
export function* dmar_set_interrupt(iommu: intel_iommu): Op<number> {
  if (iommu.irq) return 0;

  const irq = yield* dmar_alloc_hwirq(iommu.seq_id, iommu.node, iommu);
  if (irq <= 0) {
    pr_err('DMAR: No free IRQ vectors');
    return -EINVAL;
  }
  iommu.irq = irq;

  const ret = yield* request_irq(irq, dmar_fault, IRQF_NO_THREAD, iommu.name, iommu);
  if (ret) pr_err("DMAR: Can't request irq");
  return ret;
}

/** Every unit reports faults by an interrupt. @returns 0 or -1. Source: drivers/iommu/intel/dmar.c, enable_drhd_fault_handling() */
export function* enable_drhd_fault_handling(): Op<number> {
  for (const { iommu, reg_base_addr } of kernel.dmar_drhd_units) {
    if (has('dmar-fault-local') && (iommu.irq || iommu.node !== kernel.cpu_to_node[kernel.this_cpu])) continue;
    const ret = yield* dmar_set_interrupt(iommu);
    if (ret) {
      pr_err(`DMAR: DRHD ${reg_base_addr.toString(16)}: failed to enable fault, interrupt, ret ${ret}`);
      return -1;
    }

    yield* dmar_fault(iommu.irq, iommu);
    writel(iommu, DMAR_FSTS_REG, readl(iommu, DMAR_FSTS_REG));
  }

  return 0;
}
