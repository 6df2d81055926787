import { CAP, DMAR_GCMD_REG, DMAR_GSTS_REG, DMAR_IRTA_REG, ECAP, GCMD, GSTS, IRTA } from '../../../../hardware/dmar-registers';
import { IRTE_SIZE } from '../../../../hardware/irte';
import type { Op } from '../../../../stepper/op';
import { x2apic_supported } from '../../../arch/x86/apic/apic';
import { arch_create_remap_msi_irq_domain } from '../../../arch/x86/apic/msi';
import { isolated_msi, pci_dev_has_default_msi_parent_domain, remapped_msi_flags } from '../../../arch/x86/apic/msi_parent';
import { type irq_alloc_info, msi_dev_of } from '../../../arch/x86/hw_irq';
import { DOMAIN_BUS, type irq_domain, IRQ_DOMAIN_FLAG } from '../../../include/irqdomain';
import { type msi_parent_ops, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import type { PciDev } from '../../../include/pci';
import { irq_domain_alloc_named_id_fwnode, irq_domain_create_hierarchy, irq_domain_remove, irq_domain_update_bus_token } from '../../../irq/irqdomain';
import { msi_parent_init_dev_msi_info } from '../../../irq/msi_device_data';
import { bitmap } from '../../../lib/bitmap';
import { ENODEV, ENOMEM } from '../../../lib/errno';
import { down_write, raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, up_write } from '../../../lib/locking';
import { BUG_ON, pr_err, pr_info, pr_warn, WARN_ON_ONCE } from '../../../lib/printk';
import { has, kernel, machine } from '../../../world';
import { pci_dev_has_special_msi_domain } from '../../pci/msi_irqdomain';
import { IRQ_POSTING_CAP, IRQ_REMAP_X2APIC_MODE, IRQ_REMAP_XAPIC_MODE, type irq_remap_ops } from '../irq_remapping';
import {
  dmar_disable_qi, dmar_enable_qi, dmar_fault, dmar_find_matched_drhd_unit, dmar_globals, dmar_table_init, dmar_writeq,
  enable_drhd_fault_handling, type intel_iommu, IOMMU_WAIT_OP, qi_global_iec, readl, writel,
} from './dmar';
import { dmar_dev_scope_init } from './dmar_scope';
import { intel_ir_domain_ops, ir_domain_globals } from './ir_domain';
import { type ir_scope, map_ioapic_to_iommu, parse_ioapics_under_ir } from './ir_scope';
import { INTR_REMAP_TABLE_ENTRIES } from './irte';

// Interrupt remapping of VT-d: drivers/iommu/intel/irq_remapping.c; its domain: ir_domain.ts; its entries: irte.ts.

export const intel_irq_remapping_globals = () => ({
  ...dmar_globals(),
  /** entries carry 32-bit APIC ids */
  eim_mode: false,
  ir_ioapic: [] as ir_scope[],
  ir_hpet: [] as ir_scope[],
  ...ir_domain_globals(),
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
  const drhd = yield* dmar_find_matched_drhd_unit(dev);
  return (has('vtd-msi-parent-domains') ? drhd?.iommu.ir_domain : drhd?.iommu.ir_msi_domain) ?? null;
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

const dmar_msi_parent_ops = (): msi_parent_ops => ({ supported_flags: remapped_msi_flags(false), prefix: 'IR-', init_dev_msi_info: msi_parent_init_dev_msi_info });
const virt_dmar_msi_parent_ops = (): msi_parent_ops => ({ supported_flags: remapped_msi_flags(true), prefix: 'vIR-', init_dev_msi_info: msi_parent_init_dev_msi_info });

/** The unit's table, its domains, its queue. @returns 0 or -ENOMEM. Source: drivers/iommu/intel/irq_remapping.c, intel_setup_irq_remapping() */
function* intel_setup_irq_remapping(iommu: intel_iommu): Op<number> {
  if (iommu.ir_table) return 0;

  const bytes = INTR_REMAP_TABLE_ENTRIES * IRTE_SIZE;
  const base = machine.memory.alloc(bytes, bytes);

  const fn = yield* irq_domain_alloc_named_id_fwnode('INTEL-IR', iommu.seq_id);
  iommu.ir_domain = yield* irq_domain_create_hierarchy(kernel.x86_vector_domain, 0, INTR_REMAP_TABLE_ENTRIES, fn, intel_ir_domain_ops, iommu);
  if (has('vtd-msi-parent-domains')) {
    yield* irq_domain_update_bus_token(iommu.ir_domain, DOMAIN_BUS.DMAR);
    iommu.ir_domain.flags |= IRQ_DOMAIN_FLAG.MSI_PARENT | isolated_msi();
    // Entries that are not present are cached: a unit that a hypervisor made up.
    iommu.ir_domain.msi_parent_ops = CAP.get(iommu.cap, 'cm') === 1 ? virt_dmar_msi_parent_ops() : dmar_msi_parent_ops();
  } else {
    iommu.ir_msi_domain = yield* arch_create_remap_msi_irq_domain(iommu.ir_domain, 'INTEL-IR-MSI', iommu.seq_id);
  }

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
  if (!kernel.irq_remapping_enabled) return;
  const special = has('msi-parent-domains') ? !(yield* pci_dev_has_default_msi_parent_domain(dev)) : yield* pci_dev_has_special_msi_domain(dev);
  if (special) return;

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
