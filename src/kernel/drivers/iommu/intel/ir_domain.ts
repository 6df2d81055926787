import { IRTE_LOW } from '../../../../hardware/irte';
import type { Op } from '../../../../stepper/op';
import { apic_ack_irq, irqd_cfg } from '../../../arch/x86/apic/vector';
import { send_cleanup_vector } from '../../../arch/x86/apic/vector_move';
import type { irq_alloc_info } from '../../../arch/x86/hw_irq';
import { IRQ_MOVE_PCNTXT, IRQ_SET_MASK_OK_DONE, type irq_chip, type irq_data } from '../../../include/irq';
import type { irq_domain, irq_domain_ops } from '../../../include/irqdomain';
import { type msi_msg, X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import { irq_set_status_flags } from '../../../irq/chip';
import { irq_domain_alloc_irqs_parent, irq_domain_free_irqs_common, irq_domain_get_irq_data, irq_domain_reset_irq_data } from '../../../irq/irqdomain';
import type { cpumask } from '../../../lib/cpumask';
import { EINVAL, ENOMEM } from '../../../lib/errno';
import { down_read, raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, raw_spinlock, up_read } from '../../../lib/locking';
import { pr_warn } from '../../../lib/printk';
import { should_fail } from '../../../lib/slab';
import { has, kernel } from '../../../world';
import type { intel_iommu } from './dmar';
import {
  alloc_irte, clear_entries, EMPTY_IRTE, intel_ir_data, intel_irq_remapping_prepare_irte, IRTE_DEST, modify_irte, posted_irte, type vcpu_data,
} from './irte';

// The domain INTEL-IR and its chip: this part of drivers/iommu/intel/irq_remapping.c.

export const ir_domain_globals = () => ({
  irq_2_ir_lock: new raw_spinlock('irq_2_ir_lock'),
  intel_ir_chip: {
    name: 'INTEL-IR',
    irq_ack: apic_ack_irq,
    irq_set_affinity: intel_ir_set_affinity,
    irq_compose_msi_msg: intel_ir_compose_msi_msg,
    irq_set_vcpu_affinity: intel_ir_set_vcpu_affinity,
    flags: 0,
  } as irq_chip,
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

export const intel_ir_domain_ops: irq_domain_ops = Object.freeze({
  alloc: intel_irq_remapping_alloc,
  free: intel_irq_remapping_free,
  activate: intel_irq_remapping_activate,
  deactivate: intel_irq_remapping_deactivate,
});
