import { CAP, DMAR_GCMD_REG, DMAR_GSTS_REG, DMAR_IRTA_REG, ECAP, GCMD, GSTS, IRTA } from '../../../../hardware/dmar-registers';
import { IRTE_LOW, IRTE_SIZE } from '../../../../hardware/irte';
import type { Op } from '../../../../stepper/op';
import { x2apic_supported } from '../../../arch/x86/apic/apic';
import { arch_create_remap_msi_irq_domain } from '../../../arch/x86/apic/msi';
import { apic_ack_irq, irqd_cfg } from '../../../arch/x86/apic/vector';
import { send_cleanup_vector } from '../../../arch/x86/apic/vector_move';
import { type irq_alloc_info, msi_dev_of } from '../../../arch/x86/hw_irq';
import { IRQ_MOVE_PCNTXT, IRQ_SET_MASK_OK_DONE, type irq_chip, type irq_data } from '../../../include/irq';
import type { irq_domain, irq_domain_ops } from '../../../include/irqdomain';
import { type msi_msg, X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import type { PciDev } from '../../../include/pci';
import { irq_set_status_flags } from '../../../irq/chip';
import {
  irq_domain_alloc_irqs_parent, irq_domain_alloc_named_id_fwnode, irq_domain_create_hierarchy, irq_domain_free_irqs_common, irq_domain_get_irq_data,
  irq_domain_remove, irq_domain_reset_irq_data,
} from '../../../irq/irqdomain';
import { bitmap } from '../../../lib/bitmap';
import type { cpumask } from '../../../lib/cpumask';
import { EINVAL, ENODEV, ENOMEM } from '../../../lib/errno';
import { down_read, down_write, raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, raw_spinlock, up_read, up_write } from '../../../lib/locking';
import { BUG_ON, pr_err, pr_info, pr_warn, WARN_ON_ONCE } from '../../../lib/printk';
import { should_fail } from '../../../lib/slab';
import { has, kernel, machine } from '../../../world';
import { pci_dev_has_special_msi_domain } from '../../pci/msi_irqdomain';
import { IRQ_POSTING_CAP, IRQ_REMAP_X2APIC_MODE, IRQ_REMAP_XAPIC_MODE, type irq_remap_ops } from '../irq_remapping';
import {
  dmar_disable_qi, dmar_enable_qi, dmar_fault, dmar_find_matched_drhd_unit, dmar_globals, dmar_table_init, dmar_writeq,
  enable_drhd_fault_handling, type intel_iommu, IOMMU_WAIT_OP, qi_global_iec, readl, writel,
} from './dmar';
import { dmar_dev_scope_init } from './dmar_scope';
import {
  alloc_irte, clear_entries, EMPTY_IRTE, intel_ir_data, INTR_REMAP_TABLE_ENTRIES, intel_irq_remapping_prepare_irte, IRTE_DEST, modify_irte, posted_irte,
  type vcpu_data,
} from './irte';
import { type ir_scope, map_ioapic_to_iommu, parse_ioapics_under_ir } from './ir_scope';

export { intel_ir_data };

// Interrupt remapping of VT-d: drivers/iommu/intel/irq_remapping.c; its entries: irte.ts.

export const intel_irq_remapping_globals = () => ({
  ...dmar_globals(),
  irq_2_ir_lock: new raw_spinlock('irq_2_ir_lock'),
  /** entries carry 32-bit APIC ids */
  eim_mode: false,
  ir_ioapic: [] as ir_scope[],
  ir_hpet: [] as ir_scope[],
  intel_ir_chip: {
    name: 'INTEL-IR',
    irq_ack: apic_ack_irq,
    irq_set_affinity: intel_ir_set_affinity,
    irq_compose_msi_msg: intel_ir_compose_msi_msg,
    irq_set_vcpu_affinity: intel_ir_set_vcpu_affinity,
    flags: 0,
  } as irq_chip,
});

/** Source: drivers/iommu/intel/irq_remapping.c, map_ioapic_to_ir() */
function* map_ioapic_to_ir(apic: number): Op<irq_domain | null> {
  return map_ioapic_to_iommu(apic)?.ir_domain ?? null;
}

/** Source: drivers/iommu/intel/irq_remapping.c, map_hpet_to_ir() */
function* map_hpet_to_ir(hpet_id: number): Op<irq_domain | null> {
  return kernel.ir_hpet.find(({ id }) => id === hpet_id)?.iommu.ir_domain ?? null;
}

/** Source: drivers/iommu/intel/irq_remapping.c, map_dev_to_ir() */
function* map_dev_to_ir(dev: PciDev): Op<irq_domain | null> {
  return (yield* dmar_find_matched_drhd_unit(dev))?.iommu.ir_msi_domain ?? null;
}

/** Tell the unit where its table is. Source: drivers/iommu/intel/irq_remapping.c, iommu_set_irq_remapping() */
function* iommu_set_irq_remapping(iommu: intel_iommu, table: number): Op {
  const flags = yield* raw_spin_lock_irqsave(iommu.register_lock);

  const size = Math.log2(INTR_REMAP_TABLE_ENTRIES) - 1;
  dmar_writeq(iommu, DMAR_IRTA_REG, BigInt(table) | IRTA.encode({ eime: kernel.eim_mode, size }));

  writel(iommu, DMAR_GCMD_REG, GCMD.with(iommu.gcmd, { sirtp: 1 }));
  IOMMU_WAIT_OP(iommu, sts => GSTS.get(sts, 'irtps') === 1);
  yield* raw_spin_unlock_irqrestore(iommu.register_lock, flags);

  yield* qi_global_iec(iommu);
}

/** Source: drivers/iommu/intel/irq_remapping.c, iommu_enable_irq_remapping() */
function* iommu_enable_irq_remapping(iommu: intel_iommu): Op {
  const flags = yield* raw_spin_lock_irqsave(iommu.register_lock);

  iommu.gcmd = GCMD.with(iommu.gcmd, { ire: 1 });
  writel(iommu, DMAR_GCMD_REG, iommu.gcmd);
  IOMMU_WAIT_OP(iommu, sts => GSTS.get(sts, 'ires') === 1);

  // Messages that are not remapped are blocked.
  if (GSTS.get(readl(iommu, DMAR_GSTS_REG), 'cfis')) {
    iommu.gcmd = GCMD.with(iommu.gcmd, { cfi: 0 });
    writel(iommu, DMAR_GCMD_REG, iommu.gcmd);
    IOMMU_WAIT_OP(iommu, sts => GSTS.get(sts, 'cfis') === 0);
  }

  yield* raw_spin_unlock_irqrestore(iommu.register_lock, flags);
}

/** The unit's table, its two domains, its queue. @returns 0 or -ENOMEM. Source: drivers/iommu/intel/irq_remapping.c, intel_setup_irq_remapping() */
function* intel_setup_irq_remapping(iommu: intel_iommu): Op<number> {
  if (iommu.ir_table) return 0;

  const bytes = INTR_REMAP_TABLE_ENTRIES * IRTE_SIZE;
  const base = machine.memory.alloc(bytes, bytes);

  const fn = yield* irq_domain_alloc_named_id_fwnode('INTEL-IR', iommu.seq_id);
  iommu.ir_domain = yield* irq_domain_create_hierarchy(kernel.x86_vector_domain, 0, INTR_REMAP_TABLE_ENTRIES, fn, intel_ir_domain_ops, iommu);
  iommu.ir_msi_domain = yield* arch_create_remap_msi_irq_domain(iommu.ir_domain, 'INTEL-IR-MSI', iommu.seq_id);

  iommu.ir_table = { base, bitmap: new bitmap(INTR_REMAP_TABLE_ENTRIES) };

  if (!iommu.qi) {
    yield* dmar_fault(-1, iommu);
    yield* dmar_disable_qi(iommu);

    if (yield* dmar_enable_qi(iommu)) {
      pr_err('DMAR-IR: Failed to enable queued invalidation');
      iommu.ir_table = null;
      return -ENOMEM;
    }
  }

  yield* iommu_set_irq_remapping(iommu, base);

  return 0;
}

const ecap_ir_support = (iommu: intel_iommu): boolean => ECAP.get(iommu.ecap, 'ir') === 1;
const ecap_eim_support = (iommu: intel_iommu): boolean => ECAP.get(iommu.ecap, 'eim') === 1;

/** Undo intel_setup_irq_remapping(). Source: drivers/iommu/intel/irq_remapping.c, intel_teardown_irq_remapping() */
function* intel_teardown_irq_remapping(iommu: intel_iommu): Op {
  if (!iommu.ir_table) return;

  if (iommu.ir_msi_domain) yield* irq_domain_remove(iommu.ir_msi_domain);
  iommu.ir_msi_domain = null;
  if (iommu.ir_domain) yield* irq_domain_remove(iommu.ir_domain);
  iommu.ir_domain = null;
  iommu.ir_table = null;
}

/** Source: drivers/iommu/intel/irq_remapping.c, iommu_disable_irq_remapping() */
function* iommu_disable_irq_remapping(iommu: intel_iommu): Op {
  yield* qi_global_iec(iommu);

  const flags = yield* raw_spin_lock_irqsave(iommu.register_lock);
  if (GSTS.get(readl(iommu, DMAR_GSTS_REG), 'ires')) {
    iommu.gcmd = GCMD.with(iommu.gcmd, { ire: 0 });
    writel(iommu, DMAR_GCMD_REG, iommu.gcmd);
    IOMMU_WAIT_OP(iommu, sts => GSTS.get(sts, 'ires') === 0);
  }
  yield* raw_spin_unlock_irqrestore(iommu.register_lock, flags);
}

/** What was set up before one unit failed. Source: drivers/iommu/intel/irq_remapping.c, intel_cleanup_irq_remapping() */
function* intel_cleanup_irq_remapping(): Op {
  for (const { iommu } of kernel.dmar_drhd_units) {
    if (!ecap_ir_support(iommu)) continue;
    yield* iommu_disable_irq_remapping(iommu);
    yield* intel_teardown_irq_remapping(iommu);
  }

  if (x2apic_supported()) pr_warn('DMAR-IR: Failed to enable irq remapping. You are vulnerable to irq-injection attacks.');
}

/** Firmware wishes no x2APIC mode, and nobody overrides it. Source: drivers/iommu/intel/irq_remapping.c, dmar_x2apic_optout() */
const dmar_x2apic_optout = (): boolean => !kernel.no_x2apic_optout && (machine.config.intelRemap?.x2apicOptOut ?? false);

/** @returns 0, or -ENODEV where it cannot be done; then nothing of it is left. Source: drivers/iommu/intel/irq_remapping.c, intel_prepare_irq_remapping() */
function* intel_prepare_irq_remapping(): Op<number> {
  if ((yield* dmar_table_init()) < 0) return -ENODEV;

  if (yield* parse_ioapics_under_ir()) {
    pr_info('DMAR-IR: Not enabling interrupt remapping');
    yield* intel_cleanup_irq_remapping();
    return -ENODEV;
  }

  const iommus = kernel.dmar_drhd_units.map(({ iommu }) => iommu);
  if (!iommus.every(ecap_ir_support)) {
    yield* intel_cleanup_irq_remapping();
    return -ENODEV;
  }

  let eim = false;
  if (x2apic_supported()) {
    eim = !dmar_x2apic_optout();
    if (!eim) {
      pr_info('DMAR-IR: x2apic is disabled because BIOS sets x2apic opt out bit.');
      pr_info("DMAR-IR: Use 'intremap=no_x2apic_optout' to override the BIOS setting.");
    }
  }
  for (const iommu of iommus) {
    if (eim && !ecap_eim_support(iommu)) {
      pr_info(`DMAR-IR: ${iommu.name} does not support EIM`);
      eim = false;
    }
  }

  kernel.eim_mode = eim;
  if (eim) pr_info('DMAR-IR: Queued invalidation will be enabled to support x2apic and Intr-remapping.');

  for (const iommu of iommus) {
    if (yield* intel_setup_irq_remapping(iommu)) {
      pr_err(`DMAR-IR: Failed to setup irq remapping for ${iommu.name}`);
      yield* intel_cleanup_irq_remapping();
      return -ENODEV;
    }
  }

  return 0;
}

/** Posting needs every unit. Source: drivers/iommu/intel/irq_remapping.c, set_irq_posting_cap() */
function* set_irq_posting_cap(): Op {
  if (kernel.disable_irq_post) return;
  if (kernel.dmar_drhd_units.every(({ iommu }) => CAP.get(iommu.cap, 'pi') === 1)) kernel.irq_remap_capability |= 1 << IRQ_POSTING_CAP;
}

/** @returns IRQ_REMAP_*_MODE. Source: drivers/iommu/intel/irq_remapping.c, intel_enable_irq_remapping() */
function* intel_enable_irq_remapping(): Op<number> {
  for (const { iommu } of kernel.dmar_drhd_units) yield* iommu_enable_irq_remapping(iommu);

  kernel.irq_remapping_enabled = true;

  yield* set_irq_posting_cap();

  pr_info(`DMAR-IR: Enabled IRQ remapping in ${kernel.eim_mode ? 'x2apic' : 'xapic'} mode`);

  return kernel.eim_mode ? IRQ_REMAP_X2APIC_MODE : IRQ_REMAP_XAPIC_MODE;
}

/** Functions found so far get their remapping domain. Source: drivers/iommu/intel/irq_remapping.c, ir_dev_scope_init() */
export function* ir_dev_scope_init(): Op<number> {
  if (!kernel.irq_remapping_enabled) return 0;

  yield* down_write(kernel.dmar_global_lock);
  const ret = yield* dmar_dev_scope_init();
  yield* up_write(kernel.dmar_global_lock);

  return ret;
}

/** Source: drivers/iommu/intel/irq_remapping.c, intel_irq_remap_add_device() */
export function* intel_irq_remap_add_device(dev: PciDev): Op {
  if (!kernel.irq_remapping_enabled || (yield* pci_dev_has_special_msi_domain(dev))) return;

  dev.msi_domain = yield* map_dev_to_ir(dev);
}

/** The domain of an IOAPIC's or HPET's parent; before v2-37 that of a device too, before v2-09 nothing else. Source: drivers/iommu/intel/irq_remapping.c, intel_get_irq_domain() */
function* intel_get_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  const is_msi = info.type === X86_IRQ_ALLOC_TYPE.PCI_MSI || info.type === X86_IRQ_ALLOC_TYPE.PCI_MSIX;
  if (is_msi && !has('v2-37')) return yield* map_dev_to_ir(msi_dev_of(info));
  if (!has('v2-09')) return null;

  switch (info.type) {
    case X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT:
      return yield* map_ioapic_to_ir(info.devid);
    case X86_IRQ_ALLOC_TYPE.HPET_GET_PARENT:
      return yield* map_hpet_to_ir(info.devid);
    default:
      WARN_ON_ONCE(true, 'drivers/iommu/intel/irq_remapping.c intel_get_irq_domain');
      return null;
  }
}

/** Before v2-09: the other half. Source: drivers/iommu/intel/irq_remapping.c (v5.9), intel_get_ir_irq_domain() */
function* intel_get_ir_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  switch (info.type) {
    case X86_IRQ_ALLOC_TYPE.IOAPIC:
    case X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT:
      return yield* map_ioapic_to_ir(info.devid);
    case X86_IRQ_ALLOC_TYPE.HPET:
    case X86_IRQ_ALLOC_TYPE.HPET_GET_PARENT:
      return yield* map_hpet_to_ir(info.devid);
    default:
      BUG_ON(true, 'drivers/iommu/intel/irq_remapping.c intel_get_ir_irq_domain');
      return null;
  }
}

export const intel_irq_remap_ops = (): irq_remap_ops => ({
  prepare: intel_prepare_irq_remapping,
  enable: intel_enable_irq_remapping,
  enable_faulting: enable_drhd_fault_handling,
  get_irq_domain: intel_get_irq_domain,
  ...(!has('v2-11') && { get_ir_irq_domain: has('v2-09') ? intel_get_irq_domain : intel_get_ir_irq_domain }),
});

/** Take over the current vector and destination. @param force also while posting. Source: drivers/iommu/intel/irq_remapping.c, intel_ir_reconfigure_irte() */
function* intel_ir_reconfigure_irte(irqd: irq_data, force: boolean): Op {
  const ir_data = irqd.chip_data as intel_ir_data;
  const cfg = (yield* irqd_cfg(irqd))!;
  const { low, high } = ir_data.irte_entry;

  ir_data.irte_entry = { low: IRTE_LOW.with(low, { vector: cfg.vector, dest_id: IRTE_DEST(cfg.dest_apicid) }), high };

  if (force || ir_data.irq_2_iommu.mode === 'IRQ_REMAPPING') yield* modify_irte(ir_data.irq_2_iommu, ir_data.irte_entry);
}

/** One write moves any interrupt, whoever raises it. @returns IRQ_SET_MASK_OK_DONE or an errno. Source: drivers/iommu/intel/irq_remapping.c, intel_ir_set_affinity() */
function* intel_ir_set_affinity(data: irq_data, mask: cpumask, force: boolean): Op<number> {
  const parent = data.parent_data!;
  const cfg = (yield* irqd_cfg(data))!;

  const ret = yield* parent.chip.irq_set_affinity!(parent, mask, force);
  if (ret < 0 || ret === IRQ_SET_MASK_OK_DONE) return ret;

  yield* intel_ir_reconfigure_irte(data, false);
  // From now on everything arrives at the new place.
  yield* send_cleanup_vector(cfg);

  return IRQ_SET_MASK_OK_DONE;
}

/** Source: drivers/iommu/intel/irq_remapping.c, intel_ir_compose_msi_msg() */
function* intel_ir_compose_msi_msg(irq_data: irq_data, msg: msi_msg): Op {
  Object.assign(msg, (irq_data.chip_data as intel_ir_data).msi_entry);
}

/** @param info vcpu_data to post, null to remap again. Source: drivers/iommu/intel/irq_remapping.c, intel_ir_set_vcpu_affinity() */
function* intel_ir_set_vcpu_affinity(data: irq_data, info: unknown): Op<number> {
  const ir_data = data.chip_data as intel_ir_data;
  const vcpu = info as vcpu_data | null;

  yield* modify_irte(ir_data.irq_2_iommu, vcpu ? posted_irte(ir_data.irte_entry, vcpu) : ir_data.irte_entry);
  return 0;
}

/** Source: drivers/iommu/intel/irq_remapping.c, intel_free_irq_resources() */
function* intel_free_irq_resources(domain: irq_domain, virq: number, nr_irqs: number): Op {
  for (let i = 0; i < nr_irqs; i++) {
    const irq_data = yield* irq_domain_get_irq_data(domain, virq + i);
    const ird = irq_data?.chip_data as intel_ir_data | null | undefined;
    if (irq_data && ird) {
      const flags = yield* raw_spin_lock_irqsave(kernel.irq_2_ir_lock);
      yield* clear_entries(ird.irq_2_iommu);
      yield* raw_spin_unlock_irqrestore(kernel.irq_2_ir_lock, flags);
      yield* irq_domain_reset_irq_data(irq_data);
    }
  }
}

const may_have_several = (type: number): boolean =>
  type === X86_IRQ_ALLOC_TYPE.PCI_MSI || type === X86_IRQ_ALLOC_TYPE.PCI_MSIX || (type === X86_IRQ_ALLOC_TYPE.DEV_MSI && has('repost-vtd-dev-msi'));

/** @returns 0, -EINVAL, -ENOMEM without memory or a free region, or as the parents. Source: drivers/iommu/intel/irq_remapping.c, intel_irq_remapping_alloc() */
function* intel_irq_remapping_alloc(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const iommu = domain.host_data as intel_iommu | null;
  const info = arg as irq_alloc_info | null;

  if (!info || !iommu) return -EINVAL;
  if (nr_irqs > 1 && !may_have_several(info.type)) return -EINVAL;

  // One message for several vectors needs neighbouring entries, not neighbouring vectors.
  if (info.type === X86_IRQ_ALLOC_TYPE.PCI_MSI) info.flags &= ~X86_IRQ_ALLOC_CONTIGUOUS_VECTORS;

  const ret = yield* irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);
  if (ret < 0) return ret;

  if (should_fail('intel_irq_remapping_alloc: struct intel_ir_data')) {
    yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
    return -ENOMEM;
  }

  yield* down_read(kernel.dmar_global_lock);
  const first = yield* alloc_irte(iommu, nr_irqs);
  yield* up_read(kernel.dmar_global_lock);
  if (!first) {
    pr_warn('DMAR-IR: Failed to allocate IRTE');
    yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
    return -ENOMEM;
  }

  for (let i = 0; i < nr_irqs; i++) {
    const irq_data = yield* irq_domain_get_irq_data(domain, virq + i);
    const cfg = yield* irqd_cfg(irq_data);
    if (!irq_data || !cfg) {
      yield* intel_free_irq_resources(domain, virq, i);
      yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
      return -EINVAL;
    }

    // the first one is there already
    if (i > 0 && should_fail('intel_irq_remapping_alloc: struct intel_ir_data')) {
      yield* intel_free_irq_resources(domain, virq, i);
      yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
      return -ENOMEM;
    }
    const ird = new intel_ir_data({ ...first, sub_handle: i });
    // An int in C: negative from index 0x8000 on.
    irq_data.hwirq = (first.irte_index << 16) + i;
    irq_data.chip_data = ird;
    irq_data.chip = kernel.intel_ir_chip;
    yield* intel_irq_remapping_prepare_irte(ird, cfg, info, first.irte_index, i);
    yield* irq_set_status_flags(virq + i, IRQ_MOVE_PCNTXT);
  }
  return 0;
}

/** Source: drivers/iommu/intel/irq_remapping.c, intel_irq_remapping_free() */
function* intel_irq_remapping_free(domain: irq_domain, virq: number, nr_irqs: number): Op {
  yield* intel_free_irq_resources(domain, virq, nr_irqs);
  yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
}

/** Source: drivers/iommu/intel/irq_remapping.c, intel_irq_remapping_activate() */
function* intel_irq_remapping_activate(domain: irq_domain, irq_data: irq_data, reserve: boolean): Op<number> {
  yield* intel_ir_reconfigure_irte(irq_data, true);
  return 0;
}

/** The entry in the table is emptied, the one kept here stays. Source: drivers/iommu/intel/irq_remapping.c, intel_irq_remapping_deactivate() */
function* intel_irq_remapping_deactivate(domain: irq_domain, irq_data: irq_data): Op {
  yield* modify_irte((irq_data.chip_data as intel_ir_data).irq_2_iommu, EMPTY_IRTE);
}

const intel_ir_domain_ops: irq_domain_ops = Object.freeze({
  alloc: intel_irq_remapping_alloc,
  free: intel_irq_remapping_free,
  activate: intel_irq_remapping_activate,
  deactivate: intel_irq_remapping_deactivate,
});
