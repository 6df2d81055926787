import { ECAP, QI_DESC, QI_TYPE } from '../../../../hardware/dmar-registers';
import { IR_RTE } from '../../../../hardware/io-apic';
import { IRTE_HIGH, IRTE_LOW, IRTE_POSTED_HIGH, IRTE_POSTED_LOW, IRTE_SIZE } from '../../../../hardware/irte';
import { DMAR_MSI_ADDRESS_LO, MSI_BASE } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import { apic_printk, APIC_VERBOSE } from '../../../arch/x86/apic/apic';
import { type irq_alloc_info, type irq_cfg, msi_dev_of } from '../../../arch/x86/hw_irq';
import { msi_msg, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import { type PciDev, pci_dev_id, to_pci_dev } from '../../../include/pci';
import { down_read, raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, up_read } from '../../../lib/locking';
import { limit_bound } from '../../../lib/limit';
import { BUG_ON, pr_err, pr_warn } from '../../../lib/printk';
import { has, kernel, machine } from '../../../world';
import { pci_for_each_dma_alias } from '../../pci/search';
import { type intel_iommu, qi_submit_sync } from './dmar';

// Entries of the remapping table: this part of drivers/iommu/intel/irq_remapping.c.

export const INTR_REMAP_TABLE_ENTRIES = 65536;
/** Source validation type: requester id as sq says. */
const SVT_VERIFY_SID_SQ = 1;
/** Source validation type: bus of the requester id between two. */
const SVT_VERIFY_BUS = 2;
const SQ_ALL_16 = 0;
/** all but the function number */
const SQ_13_IGNORE_3 = 3;

/** An entry of the remapping table. */
export interface irte {
  readonly low: bigint;
  readonly high: bigint;
}

/** Where an interrupt's entry is. */
export interface irq_2_iommu {
  readonly iommu: intel_iommu;
  /** first entry of the region */
  readonly irte_index: number;
  /** this interrupt's place in it */
  readonly sub_handle: number;
  /** log2 of the entries of the region */
  readonly irte_mask: number;
  mode: 'IRQ_REMAPPING' | 'IRQ_POSTING';
}

/** The INTEL-IR level of an interrupt. */
export class intel_ir_data {
  /** remapped form as last programmed; what the table holds may be posted, or empty after deactivation */
  irte_entry: irte = { low: 0n, high: 0n };
  /** what the device writes: the same for life */
  readonly msi_entry = new msi_msg();
  constructor(readonly irq_2_iommu: irq_2_iommu) {}
}

/** What a hypervisor passes to post interrupts of a vCPU. */
export interface vcpu_data {
  /** physical address of the posted-interrupt descriptor, a multiple of 64 */
  readonly pi_desc_addr: number;
  /** the vector that the guest sees */
  readonly vector: number;
}

export const IRTE_DEST = (dest: number): number => (kernel.eim_mode ? dest : dest << 8);

/** A free region of entries. @returns it, or null. Source: drivers/iommu/intel/irq_remapping.c, alloc_irte() */
export function* alloc_irte(iommu: intel_iommu, nr_irqs: number): Op<irq_2_iommu | null> {
  const mask = Math.ceil(Math.log2(nr_irqs));
  const max_mask = ECAP.get(iommu.ecap, 'mhmv');

  if (mask > max_mask) {
    pr_err(`DMAR-IR: Requested mask ${mask.toString(16)} exceeds the max invalidation handle mask value ${max_mask.toString(16)}`);
    limit_bound({ name: `remapping entries for one message of ${iommu.name}`, needed: 1 << mask, size: 1 << max_mask });
    return null;
  }

  const flags = yield* raw_spin_lock_irqsave(kernel.irq_2_ir_lock);
  const table = iommu.ir_table!;
  const index = table.bitmap.nextZeroArea(0, 1 << mask, 1 << mask);
  if (index < 0) {
    pr_warn(`DMAR-IR: IR${iommu.seq_id}: can't allocate an IRTE`);
    limit_bound({ name: `remapping entries of ${iommu.name}`, needed: 1 << mask, used: table.bitmap.weight, size: INTR_REMAP_TABLE_ENTRIES });
  } else for (let i = 0; i < 1 << mask; i++) table.bitmap.set(index + i);
  yield* raw_spin_unlock_irqrestore(kernel.irq_2_ir_lock, flags);

  return index < 0 ? null : { iommu, irte_index: index, sub_handle: 0, irte_mask: mask, mode: 'IRQ_REMAPPING' };
}

/** The unit forgets what it kept of these entries. Source: drivers/iommu/intel/irq_remapping.c, qi_flush_iec() */
function* qi_flush_iec(iommu: intel_iommu, index: number, mask: number): Op<number> {
  return yield* qi_submit_sync(iommu, QI_DESC.encode({ type: QI_TYPE.INTERRUPT_ENTRY_CACHE, selective: 1, iidx: index, im: mask }));
}

/** Write the table and make the unit read it. @returns 0 or an errno. Source: drivers/iommu/intel/irq_remapping.c, modify_irte() */
export function* modify_irte(irq_iommu: irq_2_iommu, modified: irte): Op<number> {
  const flags = yield* raw_spin_lock_irqsave(kernel.irq_2_ir_lock);
  const { iommu } = irq_iommu;
  const index = irq_iommu.irte_index + irq_iommu.sub_handle;

  write_irte(iommu, index, modified);

  const rc = yield* qi_flush_iec(iommu, index, 0);

  irq_iommu.mode = IRTE_LOW.get(modified.low, 'pst') ? 'IRQ_POSTING' : 'IRQ_REMAPPING';
  yield* raw_spin_unlock_irqrestore(kernel.irq_2_ir_lock, flags);

  return rc;
}

function write_irte(iommu: intel_iommu, index: number, { low, high }: irte): void {
  const address = iommu.ir_table!.base + index * IRTE_SIZE;
  machine.memory.write64(address, low);
  machine.memory.write64(address + 8, high);
}

export const EMPTY_IRTE: irte = Object.freeze({ low: 0n, high: 0n });

/** Give the region back; the first interrupt of a region does it for all. Source: drivers/iommu/intel/irq_remapping.c, clear_entries() */
export function* clear_entries(irq_iommu: irq_2_iommu): Op<number> {
  const { iommu, irte_index, sub_handle, irte_mask } = irq_iommu;
  if (sub_handle) return 0;

  for (let i = 0; i < 1 << irte_mask; i++) {
    write_irte(iommu, irte_index + i, EMPTY_IRTE);
    iommu.ir_table!.bitmap.clear(irte_index + i);
  }

  return yield* qi_flush_iec(iommu, irte_index, irte_mask);
}

/** Who may use the entry. Source: drivers/iommu/intel/irq_remapping.c, set_irte_sid() */
function* set_irte_sid(data: intel_ir_data, svt: number, sq: number, sid: number): Op {
  const { low, high } = data.irte_entry;
  data.irte_entry = { low, high: IRTE_HIGH.with(high, { svt: kernel.disable_sourceid_checking ? 0 : svt, sq, sid }) };
}

interface set_msi_sid_data {
  /** who signs as `alias` */
  pdev: PciDev;
  alias: number;
  count: number;
  busmatch_count: number;
}

const bus_of = (id: number): number => id >>> 8;

/** Source: drivers/iommu/intel/irq_remapping.c, set_msi_sid_cb() */
function* set_msi_sid_cb(pdev: PciDev, alias: number, data: set_msi_sid_data): Op<number> {
  if (data.count === 0 || bus_of(alias) === bus_of(data.alias)) data.busmatch_count++;

  data.pdev = pdev;
  data.alias = alias;
  data.count++;
  return 0;
}

/** Behind a bridge that signs with its bus, and with several ids on one bus, only the bus is sure; else it is the signing bridge, or the function itself. Source: drivers/iommu/intel/irq_remapping.c, set_msi_sid() */
function* set_msi_sid(data: intel_ir_data, dev: PciDev): Op<number> {
  const aliases: set_msi_sid_data = { pdev: dev, alias: 0, count: 0, busmatch_count: 0 };
  yield* pci_for_each_dma_alias(dev, set_msi_sid_cb, aliases);

  const { pdev, alias, count, busmatch_count } = aliases;
  if (bus_of(alias) !== pdev.bus) yield* set_irte_verify_bus(data, bus_of(alias), dev.bus);
  else if (count >= 2 && busmatch_count === count) yield* set_irte_verify_bus(data, dev.bus, dev.bus);
  else if (pdev.bus !== dev.bus) yield* set_irte_sid(data, SVT_VERIFY_SID_SQ, SQ_ALL_16, alias);
  else yield* set_irte_sid(data, SVT_VERIFY_SID_SQ, SQ_ALL_16, pci_dev_id(dev));
  return 0;
}

/** Source: drivers/iommu/intel/irq_remapping.c, set_irte_verify_bus() */
function* set_irte_verify_bus(data: intel_ir_data, start_bus: number, end_bus: number): Op {
  yield* set_irte_sid(data, SVT_VERIFY_BUS, SQ_ALL_16, (start_bus << 8) | end_bus);
}

/** A fresh entry. The trigger is always edge: the level of a line is the IOAPIC's affair. Source: drivers/iommu/intel/irq_remapping.c, prepare_irte() */
function* prepare_irte(data: intel_ir_data, vector: number, dest: number): Op {
  const low = IRTE_LOW.encode({
    present: 1,
    dst_mode: kernel.apic.irq_dest_mode,
    dlvry_mode: kernel.apic.irq_delivery_mode,
    vector,
    dest_id: IRTE_DEST(dest),
    redir_hint: 1,
  });
  data.irte_entry = { low, high: 0n };
}

/** The remapped entry's own part with the descriptor's address. Source: drivers/iommu/intel/irq_remapping.c, dmar_copy_shared_irte(), intel_ir_set_vcpu_affinity() */
export function posted_irte({ low, high }: irte, { pi_desc_addr, vector }: vcpu_data): irte {
  const { present, fpd, avail } = IRTE_LOW.decode(low);
  const { sid, sq, svt } = IRTE_HIGH.decode(high);
  return {
    low: IRTE_POSTED_LOW.encode({ p_present: present, p_fpd: fpd, p_avail: avail, p_pst: 1, p_vector: vector, pda_l: (pi_desc_addr % 2 ** 32) / 64 }),
    high: IRTE_POSTED_HIGH.encode({ p_sid: sid, p_sq: sq, p_svt: svt, pda_h: Math.floor(pi_desc_addr / 2 ** 32) }),
  };
}

function irte_text({ low, high }: irte): string {
  const l = IRTE_LOW.decode(low);
  const h = IRTE_HIGH.decode(high);
  const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
  return (
    `P:${l.present} FPD:${l.fpd} Dst_Mode:${l.dst_mode} Redir_hint:${l.redir_hint} Trig_Mode:${l.trigger_mode} Dlvry_Mode:${hex(l.dlvry_mode, 1)} ` +
    `Avail:${hex(l.avail, 1)} Vector:${hex(l.vector, 2)} Dest:${hex(l.dest_id, 8)} SID:${hex(h.sid, 4)} SQ:${hex(h.sq, 1)} SVT:${hex(h.svt, 1)}`
  );
}

/** Source: drivers/iommu/intel/irq_remapping.c, set_ioapic_sid() */
function* set_ioapic_sid(data: intel_ir_data, apic: number): Op<number> {
  yield* down_read(kernel.dmar_global_lock);
  const sid = kernel.ir_ioapic.find(({ id }) => id === apic)?.requesterId ?? 0;
  yield* up_read(kernel.dmar_global_lock);

  if (sid === 0) {
    pr_warn(`DMAR-IR: Failed to set source-id of IOAPIC (${apic})`);
    return -1;
  }

  yield* set_irte_sid(data, SVT_VERIFY_SID_SQ, SQ_ALL_16, sid);
  return 0;
}

/** Some machines sign with another function of the device. Source: drivers/iommu/intel/irq_remapping.c, set_hpet_sid() */
function* set_hpet_sid(data: intel_ir_data, hpet: number): Op<number> {
  yield* down_read(kernel.dmar_global_lock);
  const sid = kernel.ir_hpet.find(({ id }) => id === hpet)?.requesterId ?? 0;
  yield* up_read(kernel.dmar_global_lock);

  if (sid === 0) {
    pr_warn(`DMAR-IR: Failed to set source-id of HPET block (${hpet})`);
    return -1;
  }

  yield* set_irte_sid(data, SVT_VERIFY_SID_SQ, SQ_13_IGNORE_3, sid);
  return 0;
}

/** The entry as it will be, and what the IOAPIC or the device shall send. Source: drivers/iommu/intel/irq_remapping.c, intel_irq_remapping_prepare_irte() */
export function* intel_irq_remapping_prepare_irte(data: intel_ir_data, cfg: irq_cfg, info: irq_alloc_info, index: number, sub_handle: number): Op {
  yield* prepare_irte(data, cfg.vector, cfg.dest_apicid);
  switch (info.type) {
    case X86_IRQ_ALLOC_TYPE.IOAPIC: {
      yield* set_ioapic_sid(data, info.devid);
      apic_printk(APIC_VERBOSE, `IOAPIC[${info.devid}]: Set IRTE entry (${irte_text(data.irte_entry)})`);

      const ioapic = info.ioapic!;
      // The RTE never changes with the vector: it carries the pin instead.
      ioapic.entry!.entry = IR_RTE.encode({
        index2: index >> 15,
        format: 1,
        index: index & 0x7fff,
        vector: ioapic.pin,
        mask: ioapic.trigger,
        trigger: ioapic.trigger,
        polarity: ioapic.polarity,
      });
      ioapic.entry = null;
      break;
    }

    case X86_IRQ_ALLOC_TYPE.DEV_MSI:
    case X86_IRQ_ALLOC_TYPE.HPET:
    case X86_IRQ_ALLOC_TYPE.PCI_MSI:
    case X86_IRQ_ALLOC_TYPE.PCI_MSIX:
      BUG_ON(info.type === X86_IRQ_ALLOC_TYPE.DEV_MSI && !has('repost-vtd-dev-msi'), 'drivers/iommu/intel/irq_remapping.c intel_irq_remapping_prepare_irte');
      if (info.type === X86_IRQ_ALLOC_TYPE.HPET) yield* set_hpet_sid(data, info.devid);
      else if (info.type === X86_IRQ_ALLOC_TYPE.DEV_MSI) yield* set_msi_sid(data, to_pci_dev(info.desc!.dev.parent));
      else yield* set_msi_sid(data, msi_dev_of(info));

      data.msi_entry.address_hi = 0;
      data.msi_entry.data = sub_handle;
      data.msi_entry.address_lo = DMAR_MSI_ADDRESS_LO.encode({
        dmar_base_address: MSI_BASE,
        dmar_format: 1,
        dmar_subhandle_valid: 1,
        dmar_index_0_14: index & 0x7fff,
        dmar_index_15: index >> 15,
      });
      break;

    default:
      BUG_ON(true, 'drivers/iommu/intel/irq_remapping.c intel_irq_remapping_prepare_irte');
  }
}
