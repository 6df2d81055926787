import { RTE } from '../../../../hardware/io-apic';
import { MSI_ADDRESS_LO, MSI_BASE } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import { arch_create_remap_msi_irq_domain } from '../../../arch/x86/apic/msi';
import { isolated_msi, remapped_msi_flags } from '../../../arch/x86/apic/msi_parent';
import { apic_ack_irq, irqd_cfg } from '../../../arch/x86/apic/vector';
import { send_cleanup_vector } from '../../../arch/x86/apic/vector_move';
import { type irq_alloc_info, type irq_cfg, msi_dev_of } from '../../../arch/x86/hw_irq';
import { IRQ_MOVE_PCNTXT, IRQ_SET_MASK_OK_DONE, type irq_chip, type irq_data } from '../../../include/irq';
import { DOMAIN_BUS, type irq_domain, IRQ_DOMAIN_FLAG, type irq_domain_ops } from '../../../include/irqdomain';
import { msi_desc_to_dev, type msi_msg, type msi_parent_ops, X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import { pci_dev_id, to_pci_dev } from '../../../include/pci';
import { irq_set_status_flags } from '../../../irq/chip';
import {
  irq_domain_alloc_irqs_parent, irq_domain_alloc_named_id_fwnode, irq_domain_create_hierarchy, irq_domain_create_tree, irq_domain_free_irqs_common, irq_domain_get_irq_data,
  irq_domain_update_bus_token,
} from '../../../irq/irqdomain';
import { msi_parent_init_dev_msi_info } from '../../../irq/msi_device_data';
import type { cpumask } from '../../../lib/cpumask';
import { EINVAL, ENODEV, ENOMEM } from '../../../lib/errno';
import { raw_spinlock } from '../../../lib/locking';
import { BUG_ON, pr_warn, WARN_ON, WARN_ON_ONCE } from '../../../lib/printk';
import { kzalloc, lose, should_fail } from '../../../lib/slab';
import { has, kernel } from '../../../world';
import type { irq_remap_ops } from '../irq_remapping';
import { type amd_iommu, AMD_IOMMU_GUEST_IR_GA, amd_ir_data, get_hpet_devid, get_ioapic_devid, type iommu_dev_data, type irq_2_irte, type irq_remap_table, irte, irte_ga } from './amd_iommu_types';
import { amd_ir_set_vcpu_affinity } from './guest';
import { amd_iommu_enable, amd_iommu_enable_faulting, amd_iommu_init_globals, amd_iommu_prepare } from './init';
import { alloc_irq_index, alloc_irq_table } from './irq_table';
import { free_irte } from './irte_ops';

// Interrupt remapping of AMD IOMMUs: drivers/iommu/amd/iommu.c. Tables: irq_table.ts; entries: irte_ops.ts; guests: guest.ts; devices: device.ts; commands.ts, events.ts.

/** Entries of an IOAPIC's table that are for its pins. */
const IOAPIC_ENTRIES = 32;

export const amd_iommu_globals = () => ({
  ...amd_iommu_init_globals(),
  iommu_table_lock: new raw_spinlock('iommu_table_lock'),
  /** interrupt tables by requester id */
  irq_lookup_table: new Map<number, irq_remap_table>(),
  /** newest first */
  dev_data_list: [] as iommu_dev_data[],
  /** what KVM is told of the guest log */
  iommu_ga_log_notifier: null as ((ga_tag: number) => Op<number>) | null,
  amd_ir_chip: {
    name: 'AMD-IR',
    irq_ack: apic_ack_irq,
    irq_set_affinity: amd_ir_set_affinity,
    irq_set_vcpu_affinity: amd_ir_set_vcpu_affinity,
    irq_compose_msi_msg: ir_compose_msi_msg,
    flags: 0,
  } as irq_chip,
});

/** @returns the requester id of who will interrupt, or a negative number. Source: get_devid() */
function* get_devid(info: irq_alloc_info): Op<number> {
  switch (info.type) {
    case X86_IRQ_ALLOC_TYPE.IOAPIC:
    case X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT:
      return get_ioapic_devid(info.devid);
    case X86_IRQ_ALLOC_TYPE.HPET:
    case X86_IRQ_ALLOC_TYPE.HPET_GET_PARENT:
      return get_hpet_devid(info.devid);
    case X86_IRQ_ALLOC_TYPE.PCI_MSI:
    case X86_IRQ_ALLOC_TYPE.PCI_MSIX:
      return pci_dev_id(has('v2-18') ? to_pci_dev(msi_desc_to_dev(info.desc)) : info.msi_dev!);
    default:
      BUG_ON(!has('v2-10'), 'drivers/iommu/amd/iommu.c get_devid()');
      WARN_ON_ONCE(true, 'drivers/iommu/amd/iommu.c get_devid()');
      return -1;
  }
}

/** The domain of an IOAPIC's or HPET's parent; before v2-38 that of a device too. Source: get_irq_domain_for_devid() */
function* get_irq_domain_for_devid(info: irq_alloc_info, devid: number): Op<irq_domain | null> {
  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (!iommu) return null;

  const is_msi = info.type === X86_IRQ_ALLOC_TYPE.PCI_MSI || info.type === X86_IRQ_ALLOC_TYPE.PCI_MSIX;
  if (is_msi && !has('v2-38')) return iommu.msi_domain;

  switch (info.type) {
    case X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT:
    case X86_IRQ_ALLOC_TYPE.HPET_GET_PARENT:
      return iommu.ir_domain;
    default:
      WARN_ON_ONCE(true, 'drivers/iommu/amd/iommu.c get_irq_domain_for_devid()');
      return null;
  }
}

/** Source: get_irq_domain() */
function* get_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  const devid = yield* get_devid(info);
  if (devid < 0) return null;
  return yield* get_irq_domain_for_devid(info, devid);
}

/** Before v2-10: the domain of a device, and of nothing else. Source: get_irq_domain() of v5.9 */
function* get_msi_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  if (info.type !== X86_IRQ_ALLOC_TYPE.PCI_MSI && info.type !== X86_IRQ_ALLOC_TYPE.PCI_MSIX) return null;
  return kernel.amd_iommu_rlookup_table.get(pci_dev_id(msi_dev_of(info)))?.msi_domain ?? null;
}

/** Before v2-10: the domain below which an IOAPIC's or HPET's stands. Source: get_ir_irq_domain() of v5.9 */
function* get_ir_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  const devid = yield* get_devid(info);
  if (devid < 0) return null;
  return kernel.amd_iommu_rlookup_table.get(devid)?.ir_domain ?? null;
}

export const amd_iommu_irq_ops = (): irq_remap_ops => ({
  prepare: amd_iommu_prepare,
  enable: amd_iommu_enable,
  enable_faulting: amd_iommu_enable_faulting,
  get_irq_domain: has('v2-10') ? get_irq_domain : get_msi_irq_domain,
  ...(!has('v2-11') && { get_ir_irq_domain: has('v2-10') ? get_irq_domain : get_ir_irq_domain }),
});

/** The entry as it will be, and what the IOAPIC or the device shall send: the entry's number. Source: irq_remapping_prepare_irte() */
function* irq_remapping_prepare_irte(data: amd_ir_data, cfg: irq_cfg, info: irq_alloc_info, devid: number, index: number, sub_handle: number): Op {
  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (!iommu) return;

  data.irq_2_irte.devid = devid;
  data.irq_2_irte.index = index + sub_handle;
  yield* iommu.irte_ops!.prepare(data.entry, kernel.apic.irq_delivery_mode, kernel.apic.irq_dest_mode, cfg.vector, cfg.dest_apicid, devid);

  switch (info.type) {
    case X86_IRQ_ALLOC_TYPE.IOAPIC: {
      const ioapic = info.ioapic!;
      const owner = ioapic.entry!;
      ioapic.entry = null;
      // A level interrupt starts masked.
      owner.entry = RTE.encode({ vector: index, mask: ioapic.trigger, trigger: ioapic.trigger, polarity: ioapic.polarity });
      break;
    }

    case X86_IRQ_ALLOC_TYPE.HPET:
    case X86_IRQ_ALLOC_TYPE.PCI_MSI:
    case X86_IRQ_ALLOC_TYPE.PCI_MSIX:
      data.msi_entry.address_hi = 0;
      data.msi_entry.address_lo = MSI_ADDRESS_LO.encode({ base_address: MSI_BASE });
      data.msi_entry.data = data.irq_2_irte.index;
      break;

    default:
      BUG_ON(true, 'drivers/iommu/amd/iommu.c irq_remapping_prepare_irte()');
  }
}

/** The pin is the entry: the first ones of an IOAPIC's table are kept for its pins. @returns the entry or -ENOMEM */
function* alloc_ioapic_index(info: irq_alloc_info, devid: number): Op<number> {
  const table = yield* alloc_irq_table(devid, null);
  if (!table) return -ENOMEM;

  if (!table.min_index) {
    table.min_index = IOAPIC_ENTRIES;
    const iommu = kernel.amd_iommu_rlookup_table.get(devid)!;
    for (let i = 0; i < IOAPIC_ENTRIES; i++) yield* iommu.irte_ops!.set_allocated(table, i);
  }
  WARN_ON(table.min_index !== IOAPIC_ENTRIES, 'drivers/iommu/amd/iommu.c irq_remapping_alloc()');
  return info.ioapic!.pin;
}

/** The AMD-IR level of one interrupt of a block. @returns 0, -EINVAL where the interrupt has no vector level, -ENOMEM */
function* alloc_ir_data(domain: irq_domain, virq: number, info: irq_alloc_info, devid: number, index: number, i: number): Op<number> {
  const irq_data = yield* irq_domain_get_irq_data(domain, virq + i);
  const cfg = irq_data ? yield* irqd_cfg(irq_data) : null;
  if (!irq_data || !cfg) return -EINVAL;

  const ga = AMD_IOMMU_GUEST_IR_GA(kernel.amd_iommu_guest_ir);
  if (should_fail('irq_remapping_alloc: struct amd_ir_data')) return -ENOMEM;
  const entry = kzalloc(`irq_remapping_alloc: ${ga ? 'struct irte_ga' : 'union irte'}`, () => (ga ? new irte_ga() : new irte()));
  if (!entry) return -ENOMEM;
  const data = new amd_ir_data(entry);
  // Every MSI-X vector of a device has the same number: only one of them can be found by it.
  irq_data.hwirq = devid * 0x10000 + i;
  irq_data.chip_data = data;
  irq_data.chip = kernel.amd_ir_chip;
  yield* irq_remapping_prepare_irte(data, cfg, info, devid, index, i);
  yield* irq_set_status_flags(virq + i, IRQ_MOVE_PCNTXT);
  return 0;
}

/** @returns 0, -EINVAL, -ENOMEM, -ENOSPC when the device's table is full, -ENODEV, or as the parents. Source: irq_remapping_alloc() */
function* irq_remapping_alloc(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const info = arg as irq_alloc_info | null;
  if (!info) return -EINVAL;

  const is_msi = info.type === X86_IRQ_ALLOC_TYPE.PCI_MSI || info.type === X86_IRQ_ALLOC_TYPE.PCI_MSIX;
  if (nr_irqs > 1 && !is_msi) return -EINVAL;

  // One message for several vectors needs neighbouring entries, not neighbouring vectors.
  if (info.type === X86_IRQ_ALLOC_TYPE.PCI_MSI) info.flags &= ~X86_IRQ_ALLOC_CONTIGUOUS_VECTORS;

  const devid = yield* get_devid(info);
  if (devid < 0) return -EINVAL;

  const ret = yield* irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);
  if (ret < 0) return ret;

  let index: number;
  if (info.type === X86_IRQ_ALLOC_TYPE.IOAPIC) index = yield* alloc_ioapic_index(info, devid);
  else if (is_msi) index = yield* alloc_irq_index(devid, nr_irqs, info.type === X86_IRQ_ALLOC_TYPE.PCI_MSI, msi_dev_of(info));
  else index = yield* alloc_irq_index(devid, nr_irqs, false, null);

  if (index < 0) {
    pr_warn('AMD-Vi: Failed to allocate IRTE');
    yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
    return index;
  }

  for (let i = 0; i < nr_irqs; i++) {
    const err = yield* alloc_ir_data(domain, virq, info, devid, index, i);
    if (err === 0) continue;
    // of those before it the kernel frees the amd_ir_data and forgets the entry that hangs on it
    for (let j = 0; j < i; j++) lose('irq_remapping_alloc: data->entry');
    for (let j = 0; j < nr_irqs; j++) yield* free_irte(devid, index + j);
    yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
    return err;
  }

  return 0;
}

/** Source: irq_remapping_free() */
function* irq_remapping_free(domain: irq_domain, virq: number, nr_irqs: number): Op {
  for (let i = 0; i < nr_irqs; i++) {
    const irq_data = yield* irq_domain_get_irq_data(domain, virq + i);
    const data = irq_data?.chip_data as amd_ir_data | null | undefined;
    if (data) yield* free_irte(data.irq_2_irte.devid, data.irq_2_irte.index);
  }
  yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
}

/** Source: irq_remapping_activate() */
function* irq_remapping_activate(_domain: irq_domain, irq_data: irq_data, _reserve: boolean): Op<number> {
  const data = irq_data.chip_data as amd_ir_data;
  const { irq_2_irte: irte_info } = data;
  const iommu = kernel.amd_iommu_rlookup_table.get(irte_info.devid);
  const cfg = (yield* irqd_cfg(irq_data))!;

  if (!iommu) return 0;

  yield* iommu.irte_ops!.activate(data.entry, irte_info.devid, irte_info.index);
  yield* amd_ir_update_irte(iommu, data, irte_info, cfg);
  return 0;
}

/** The entry keeps its vector: it stays allocated. Source: irq_remapping_deactivate() */
function* irq_remapping_deactivate(_domain: irq_domain, irq_data: irq_data): Op {
  const { entry, irq_2_irte: irte_info } = irq_data.chip_data as amd_ir_data;
  const iommu = kernel.amd_iommu_rlookup_table.get(irte_info.devid);

  if (iommu) yield* iommu.irte_ops!.deactivate(entry, irte_info.devid, irte_info.index);
}

const amd_ir_domain_ops: irq_domain_ops = Object.freeze({
  alloc: irq_remapping_alloc,
  free: irq_remapping_free,
  activate: irq_remapping_activate,
  deactivate: irq_remapping_deactivate,
});

/** The entry takes over the current vector and destination. Source: amd_ir_update_irte() */
function* amd_ir_update_irte(iommu: amd_iommu, ir_data: amd_ir_data, irte_info: irq_2_irte, cfg: irq_cfg): Op {
  yield* iommu.irte_ops!.set_affinity(ir_data.entry, irte_info.devid, irte_info.index, cfg.vector, cfg.dest_apicid);
}

/** One write moves any interrupt, whoever raises it. @returns IRQ_SET_MASK_OK_DONE or an errno. Source: amd_ir_set_affinity() */
function* amd_ir_set_affinity(data: irq_data, mask: cpumask, force: boolean): Op<number> {
  const ir_data = data.chip_data as amd_ir_data;
  const { irq_2_irte: irte_info } = ir_data;
  const cfg = (yield* irqd_cfg(data))!;
  const parent = data.parent_data!;
  const iommu = kernel.amd_iommu_rlookup_table.get(irte_info.devid);

  if (!iommu) return -ENODEV;

  const ret = yield* parent.chip.irq_set_affinity!(parent, mask, force);
  if (ret < 0 || ret === IRQ_SET_MASK_OK_DONE) return ret;

  yield* amd_ir_update_irte(iommu, ir_data, irte_info, cfg);
  // From now on everything arrives at the new place.
  yield* send_cleanup_vector(cfg);

  return IRQ_SET_MASK_OK_DONE;
}

/** Source: ir_compose_msi_msg() */
function* ir_compose_msi_msg(irq_data: irq_data, msg: msi_msg): Op {
  Object.assign(msg, (irq_data.chip_data as amd_ir_data).msi_entry);
}

const amdvi_msi_parent_ops = (): msi_parent_ops => ({ supported_flags: remapped_msi_flags(false), prefix: 'IR-', init_dev_msi_info: msi_parent_init_dev_msi_info });
const virt_amdvi_msi_parent_ops = (): msi_parent_ops => ({ supported_flags: remapped_msi_flags(true), prefix: 'vIR-', init_dev_msi_info: msi_parent_init_dev_msi_info });

/** The unit's domains. @returns 0. Source: amd_iommu_create_irq_domain() */
export function* amd_iommu_create_irq_domain(iommu: amd_iommu): Op<number> {
  const fn = yield* irq_domain_alloc_named_id_fwnode('AMD-IR', iommu.index);
  if (has('amd-msi-parent-domains')) {
    iommu.ir_domain = yield* irq_domain_create_hierarchy(kernel.x86_vector_domain, 0, 0, fn, amd_ir_domain_ops, iommu);
    yield* irq_domain_update_bus_token(iommu.ir_domain, DOMAIN_BUS.AMDVI);
    iommu.ir_domain.flags |= IRQ_DOMAIN_FLAG.MSI_PARENT | isolated_msi();
    // Whether a hypervisor made the unit up is read later, in iommu_init_pci(): here it never is.
    iommu.ir_domain.msi_parent_ops = kernel.amd_iommu_np_cache ? virt_amdvi_msi_parent_ops() : amdvi_msi_parent_ops();
    return 0;
  }
  iommu.ir_domain = yield* irq_domain_create_tree(fn, amd_ir_domain_ops, iommu);

  iommu.ir_domain.parent = kernel.x86_vector_domain;
  iommu.msi_domain = yield* arch_create_remap_msi_irq_domain(iommu.ir_domain, 'AMD-IR-MSI', iommu.index);
  return 0;
}
