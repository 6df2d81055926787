import type { Op } from '../../../stepper/op';
import type { irq_alloc_info } from '../../arch/x86/hw_irq';
import type { irq_domain } from '../../include/irqdomain';
import { ENODEV, ENOSYS } from '../../lib/errno';
import { panic } from '../../lib/printk';
import { kernel } from '../../world';
import { amd_iommu_irq_ops } from './amd/iommu';
import { hyperv_irq_remap_ops } from './hyperv-iommu';
import { intel_irq_remap_ops } from './intel/irq_remapping';

// What all interrupt remapping has in common: drivers/iommu/irq_remapping.c.

export const IRQ_REMAP_XAPIC_MODE = 0;
export const IRQ_REMAP_X2APIC_MODE = 1;
/** bit number of irq_remap_capability */
export const IRQ_POSTING_CAP = 0;

export interface irq_remap_ops {
  readonly prepare: () => Op<number>;
  /** @returns IRQ_REMAP_*_MODE, or negative */
  readonly enable: () => Op<number>;
  readonly enable_faulting?: () => Op<number>;
  /** before v2-11 absent where there is nothing for devices */
  readonly get_irq_domain?: (info: irq_alloc_info) => Op<irq_domain | null>;
  /** before v2-11: the parent of an IOAPIC's or HPET's domain; then get_irq_domain finds that too */
  readonly get_ir_irq_domain?: (info: irq_alloc_info) => Op<irq_domain | null>;
}

export const irq_remapping_globals = () => ({
  irq_remapping_enabled: false,
  disable_irq_remap: false,
  disable_irq_post: false,
  disable_sourceid_checking: false,
  no_x2apic_optout: false,
  remap_ops: null as irq_remap_ops | null,
  irq_remap_capability: 0,
});

/** intremap= of the command line. Source: drivers/iommu/irq_remapping.c, setup_irqremap() */
export function* setup_irqremap(str: string): Op {
  for (const option of str.split(',')) {
    if (option.startsWith('on')) kernel.disable_irq_remap = kernel.disable_irq_post = false;
    else if (option.startsWith('off')) kernel.disable_irq_remap = kernel.disable_irq_post = true;
    else if (option.startsWith('nosid')) kernel.disable_sourceid_checking = true;
    else if (option.startsWith('no_x2apic_optout')) kernel.no_x2apic_optout = true;
    else if (option.startsWith('nopost')) kernel.disable_irq_post = true;
  }
}

/** Whether remapping can do more, such as IRQ_POSTING_CAP. Source: drivers/iommu/irq_remapping.c, irq_remapping_cap() */
export function irq_remapping_cap(cap: number): boolean {
  if (!kernel.remap_ops || kernel.disable_irq_post) return false;
  return (kernel.irq_remap_capability & (1 << cap)) !== 0;
}

/** @returns 0, or -ENOSYS where nothing can remap. Source: drivers/iommu/irq_remapping.c, irq_remapping_prepare() */
export function* irq_remapping_prepare(): Op<number> {
  if (kernel.disable_irq_remap) return -ENOSYS;

  const intel = intel_irq_remap_ops();
  const amd = amd_iommu_irq_ops();
  const hyperv = hyperv_irq_remap_ops();
  if ((yield* intel.prepare()) === 0) kernel.remap_ops = intel;
  else if ((yield* amd.prepare()) === 0) kernel.remap_ops = amd;
  else if ((yield* hyperv.prepare()) === 0) kernel.remap_ops = hyperv;
  else return -ENOSYS;

  return 0;
}

/** Source: drivers/iommu/irq_remapping.c, irq_remapping_enable() */
export function* irq_remapping_enable(): Op<number> {
  return yield* kernel.remap_ops!.enable();
}

/** Source: drivers/iommu/irq_remapping.c, irq_remap_enable_fault_handling() */
export function* irq_remap_enable_fault_handling(): Op<number> {
  if (!kernel.irq_remapping_enabled) return 0;

  return kernel.remap_ops!.enable_faulting ? yield* kernel.remap_ops!.enable_faulting() : -ENODEV;
}

/** Source: drivers/iommu/irq_remapping.c, panic_if_irq_remap() */
export function panic_if_irq_remap(msg: string): void {
  if (kernel.irq_remapping_enabled) panic(msg);
}

/** The domain that serves a request, or null. Source: drivers/iommu/irq_remapping.c, irq_remapping_get_irq_domain() */
export function* irq_remapping_get_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  if (!kernel.remap_ops?.get_irq_domain) return null;

  return yield* kernel.remap_ops.get_irq_domain(info);
}

/** Before v2-11: the domain below which an IOAPIC's or HPET's stands, or null. Source: drivers/iommu/irq_remapping.c (v5.9), irq_remapping_get_ir_irq_domain() */
export function* irq_remapping_get_ir_irq_domain(info: irq_alloc_info): Op<irq_domain | null> {
  if (!kernel.remap_ops?.get_ir_irq_domain) return null;

  return yield* kernel.remap_ops.get_ir_irq_domain(info);
}
