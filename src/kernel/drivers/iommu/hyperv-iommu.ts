import { RTE } from '../../../hardware/io-apic';
import type { Op } from '../../../stepper/op';
import { x2apic_supported } from '../../arch/x86/apic/apic';
import { apic_ack_irq, irqd_cfg } from '../../arch/x86/apic/vector';
import { send_cleanup_vector } from '../../arch/x86/apic/vector_move';
import type { ioapic_entry_owner, irq_alloc_info } from '../../arch/x86/hw_irq';
import { hypervisor_is_type } from '../../arch/x86/mshyperv';
import { IRQ_SET_MASK_OK_DONE, type irq_chip, type irq_data } from '../../include/irq';
import type { irq_domain, irq_domain_ops } from '../../include/irqdomain';
import { X86_IRQ_ALLOC_TYPE } from '../../include/msi';
import {
  irq_domain_alloc_irqs_parent, irq_domain_alloc_named_id_fwnode, irq_domain_create_hierarchy, irq_domain_free_irqs_common, irq_domain_get_irq_data,
} from '../../irq/irqdomain';
import { cpumask } from '../../lib/cpumask';
import { EINVAL, ENODEV, ENOMEM } from '../../lib/errno';
import { should_fail } from '../../lib/slab';
import { has, kernel } from '../../world';
import { IRQ_REMAP_X2APIC_MODE, type irq_remap_ops } from './irq_remapping';

// Hyper-V remaps nothing for an IOAPIC: drivers/iommu/hyperv-iommu.c stands there only to keep its interrupts on CPUs that it can name.

/** Pins of the one IOAPIC of such a machine. */
const IOAPIC_REMAPPING_ENTRY = 24;
/** CPUs from this number on are not looked at, and APIC ids from this one on do not fit. */
const IOAPIC_IDS = 256;

export const hyperv_iommu_globals = (nr_cpus: number) => ({
  /** CPUs whose APIC id has 8 bits */
  ioapic_max_cpumask: new cpumask(nr_cpus),
  ioapic_ir_domain: null as irq_domain | null,
  hyperv_ir_chip: { name: 'HYPERV-IR', irq_ack: apic_ack_irq, irq_set_affinity: hyperv_ir_set_affinity, flags: 0 } as irq_chip,
});

/** @returns -EINVAL for a mask with a CPU that an IOAPIC cannot name, else as the parent. Source: drivers/iommu/hyperv-iommu.c, hyperv_ir_set_affinity() */
function* hyperv_ir_set_affinity(data: irq_data, mask: cpumask, force: boolean): Op<number> {
  const parent = data.parent_data!;
  const cfg = (yield* irqd_cfg(data))!;

  if (!mask.subsetOf(kernel.ioapic_max_cpumask)) return -EINVAL;

  const ret = yield* parent.chip.irq_set_affinity!(parent, mask, force);
  if (ret < 0 || ret === IRQ_SET_MASK_OK_DONE) return ret;

  const owner = data.chip_data as ioapic_entry_owner;
  owner.entry = RTE.with(owner.entry, { dest: cfg.dest_apicid & 0xff, vector: cfg.vector });
  yield* send_cleanup_vector(cfg);

  return 0;
}

/** @returns 0; -EINVAL for what is no single pin of an IOAPIC; or as the parent. Source: drivers/iommu/hyperv-iommu.c, hyperv_irq_remapping_alloc() */
function* hyperv_irq_remapping_alloc(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const info = arg as irq_alloc_info | null;
  if (!info || info.type !== X86_IRQ_ALLOC_TYPE.IOAPIC || nr_irqs > 1) return -EINVAL;

  const ret = yield* irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);
  if (ret < 0) return ret;

  const irq_data = yield* irq_domain_get_irq_data(domain, virq);
  if (!irq_data) {
    yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
    return -EINVAL;
  }

  irq_data.chip = kernel.hyperv_ir_chip;

  // The IOAPIC's own code leaves vector and destination alone where its parent is not the vector domain: they are written from here.
  irq_data.chip_data = info.ioapic!.entry;

  irq_data.common.affinity.copyFrom(kernel.ioapic_max_cpumask);

  return 0;
}

/** Source: drivers/iommu/hyperv-iommu.c, hyperv_irq_remapping_free() */
function* hyperv_irq_remapping_free(domain: irq_domain, virq: number, nr_irqs: number): Op {
  yield* irq_domain_free_irqs_common(domain, virq, nr_irqs);
}

/** Source: drivers/iommu/hyperv-iommu.c, hyperv_irq_remapping_activate() */
function* hyperv_irq_remapping_activate(domain: irq_domain, irq_data: irq_data, reserve: boolean): Op<number> {
  const cfg = (yield* irqd_cfg(irq_data))!;
  const owner = irq_data.chip_data as ioapic_entry_owner;

  owner.entry = RTE.with(owner.entry, { dest: cfg.dest_apicid & 0xff, vector: cfg.vector });
  return 0;
}

const hyperv_ir_domain_ops: irq_domain_ops = Object.freeze({
  alloc: hyperv_irq_remapping_alloc,
  free: hyperv_irq_remapping_free,
  activate: hyperv_irq_remapping_activate,
});

/** @returns 0; -ENODEV where there is no Hyper-V, or no x2APIC mode to make possible; -ENOMEM. Source: drivers/iommu/hyperv-iommu.c, hyperv_prepare_irq_remapping() */
function* hyperv_prepare_irq_remapping(): Op<number> {
  if (!hypervisor_is_type('X86_HYPER_MS_HYPERV') || !x2apic_supported()) return -ENODEV;

  if (should_fail('__irq_domain_alloc_fwnode: struct irqchip_fwid')) return -ENOMEM;
  const fn = yield* irq_domain_alloc_named_id_fwnode('HYPERV-IR', 0);

  if (should_fail('__irq_domain_add: struct irq_domain')) return -ENOMEM;
  kernel.ioapic_ir_domain = yield* irq_domain_create_hierarchy(kernel.x86_vector_domain, 0, IOAPIC_REMAPPING_ENTRY, fn, hyperv_ir_domain_ops, null);

  // Only of the first CPUs: their ids ascend.
  for (let i = Math.min(kernel.cpu_possible_mask.weight, IOAPIC_IDS) - 1; i >= 0; i--) {
    if (kernel.x86_cpu_to_apicid[i] < IOAPIC_IDS) kernel.ioapic_max_cpumask.set(i);
  }

  return 0;
}

/** Source: drivers/iommu/hyperv-iommu.c, hyperv_enable_irq_remapping() */
function* hyperv_enable_irq_remapping(): Op<number> {
  return IRQ_REMAP_X2APIC_MODE;
}

/** The parent of the IOAPIC's domain, and nothing for anybody else. Source: drivers/iommu/hyperv-iommu.c, hyperv_get_irq_domain() */
function* hyperv_get_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  return info.type === X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT ? kernel.ioapic_ir_domain : null;
}

/** Before v2-11; the IOAPIC asks with X86_IRQ_ALLOC_TYPE_IOAPIC_GET_PARENT from v2-08 on. Source: drivers/iommu/hyperv-iommu.c (v5.9), hyperv_get_ir_irq_domain() */
function* hyperv_get_ir_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  const asked = has('v2-08') ? X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT : X86_IRQ_ALLOC_TYPE.IOAPIC;
  return info.type === asked ? kernel.ioapic_ir_domain : null;
}

export const hyperv_irq_remap_ops = (): irq_remap_ops => ({
  prepare: hyperv_prepare_irq_remapping,
  enable: hyperv_enable_irq_remapping,
  ...(has('v2-11') ? { get_irq_domain: hyperv_get_irq_domain } : { get_ir_irq_domain: hyperv_get_ir_irq_domain }),
});
