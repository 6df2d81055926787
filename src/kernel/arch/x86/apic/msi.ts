import { MSI_ADDRESS_LO, MSI_BASE, MSI_DATA } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import type { ChangeId } from '../../../changes';
import { dmar_msi_mask, dmar_msi_unmask, dmar_msi_write } from '../../../drivers/iommu/intel/dmar';
import { irq_remapping_get_irq_domain } from '../../../drivers/iommu/irq_remapping';
import { pci_msi_create_irq_domain, pci_msi_domain_calc_hwirq } from '../../../drivers/pci/msi_irqdomain';
import { pci_msi_mask_irq, pci_msi_unmask_irq } from '../../../drivers/pci/msi_message';
import {
  IRQ_SET_MASK_OK_DONE, type irq_chip, type irq_data, irq_data_get_effective_affinity_mask, irqd_can_reserve, irqd_is_started, irqd_msi_nomask_quirk,
} from '../../../include/irq';
import { type irq_domain, IRQ_DOMAIN_FLAG } from '../../../include/irqdomain';
import { type msi_desc, MSI_FLAG, type msi_domain_info, type msi_domain_ops, msi_msg, X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import type { device } from '../../../include/device';
import { dev_is_pci, type PciDev, to_pci_dev } from '../../../include/pci';
import { handle_edge_irq, irq_chip_ack_parent, irq_chip_retrigger_hierarchy } from '../../../irq/chip';
import { irq_chip_set_vcpu_affinity_parent } from '../../../irq/hierarchy';
import {
  __irq_domain_alloc_irqs, irq_domain_alloc_named_fwnode, irq_domain_alloc_named_id_fwnode, irq_domain_free_irqs, irq_domain_set_info,
} from '../../../irq/irqdomain';
import { msi_create_irq_domain, msi_domain_alloc_irqs, msi_domain_set_affinity } from '../../../irq/msi';
import type { cpumask } from '../../../lib/cpumask';
import { ENOSYS } from '../../../lib/errno';
import { mutex, mutex_lock, mutex_unlock } from '../../../lib/locking';
import { WARN_ON_ONCE } from '../../../lib/printk';
import { has, kernel } from '../../../world';
import { irq_alloc_info, irq_cfg, is_irq_desc, MANAGED_IRQ_SHUTDOWN_VECTOR, VECTOR_RETRIGGERED, x86_chip_flags } from '../hw_irq';
import { lapic_vector_set_in_irr, x2apic_enabled } from './apic';
import * as msi_parent from './msi_parent';
import { init_irq_alloc_info, irqd_cfg, lock_vector_lock, unlock_vector_lock } from './vector';

// Message signalled interrupts: arch/x86/kernel/apic/msi.c.

export const x86_msi_globals = (changes: ReadonlySet<ChangeId>) => {
  const before = (change: ChangeId): boolean => !changes.has(change);
  const compose = before('v2-05') ? { irq_compose_msi_msg: irq_msi_compose_msg } : {};
  const pci_msi_controller: irq_chip = {
    name: 'PCI-MSI',
    irq_unmask: pci_msi_unmask_irq,
    irq_mask: pci_msi_mask_irq,
    irq_ack: irq_chip_ack_parent,
    irq_retrigger: irq_chip_retrigger_hierarchy,
    irq_set_affinity: msi_set_affinity,
    ...compose,
    flags: x86_chip_flags(changes),
  };
  const pci_msi_ir_controller: irq_chip = {
    name: 'IR-PCI-MSI',
    irq_unmask: pci_msi_unmask_irq,
    irq_mask: pci_msi_mask_irq,
    irq_ack: irq_chip_ack_parent,
    irq_retrigger: irq_chip_retrigger_hierarchy,
    ...(before('v2-06') && { irq_set_vcpu_affinity: irq_chip_set_vcpu_affinity_parent }),
    flags: x86_chip_flags(changes),
  };
  const dmar_msi_controller: irq_chip = {
    name: 'DMAR-MSI',
    irq_unmask: dmar_msi_unmask,
    irq_mask: dmar_msi_mask,
    irq_ack: irq_chip_ack_parent,
    irq_set_affinity: msi_domain_set_affinity,
    irq_retrigger: irq_chip_retrigger_hierarchy,
    irq_write_msi_msg: dmar_msi_write_msg,
    ...compose,
    flags: x86_chip_flags(changes),
  };
  const pci_msi_domain_ops: msi_domain_ops = {
    msi_prepare: before('v2-40') ? pci_msi_prepare : x86_msi_prepare,
    ...(before('v2-19') && { get_hwirq: pci_msi_get_hwirq, set_desc: pci_msi_set_desc }),
  };
  const use_def_dom_ops = before('dmar-hpet-msi-flags') ? 0 : MSI_FLAG.USE_DEF_DOM_OPS;

  return {
    x86_pci_msi_default_domain: null as irq_domain | null,
    /** what it is called, and who sees it, before v2-22 */
    msi_default_domain: null as irq_domain | null,
    pci_msi_controller,
    pci_msi_ir_controller,
    pci_msi_domain_info: {
      flags: MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.PCI_MSIX,
      ops: pci_msi_domain_ops,
      chip: pci_msi_controller,
      handler: handle_edge_irq,
      handler_name: 'edge',
    } as msi_domain_info,
    pci_msi_ir_domain_info: {
      flags: MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.MULTI_PCI_MSI | MSI_FLAG.PCI_MSIX,
      ops: pci_msi_domain_ops,
      chip: pci_msi_ir_controller,
      handler: handle_edge_irq,
      handler_name: 'edge',
    } as msi_domain_info,
    dmar_msi_domain_info: {
      flags: use_def_dom_ops,
      ops: { msi_init: dmar_msi_init, ...(before('v2-19') && { get_hwirq: dmar_msi_get_hwirq }) },
      chip: dmar_msi_controller,
    } as msi_domain_info,
    dmar_domain: null as irq_domain | null,
    dmar_lock: new mutex('dmar_lock'),
  };
};

/** A message in compatibility format. Source: arch/x86/kernel/apic/msi.c, __irq_msi_compose_msg() */
function* __irq_msi_compose_msg(cfg: irq_cfg, msg: msi_msg): Op {
  msg.address_hi = x2apic_enabled() ? (cfg.dest_apicid & 0xffffff00) >>> 0 : 0;

  msg.address_lo = MSI_ADDRESS_LO.encode({
    base_address: MSI_BASE,
    dest_mode_logical: kernel.apic.irq_dest_mode,
    destid_0_7: cfg.dest_apicid & 0xff,
  });

  msg.data = MSI_DATA.encode({ vector: cfg.vector, active_low: has('msi-data-without-assert') ? 0 : 1 });
}

/** Source: arch/x86/kernel/apic/msi.c, x86_vector_msi_compose_msg() */
export function* x86_vector_msi_compose_msg(data: irq_data, msg: msi_msg): Op {
  yield* __irq_msi_compose_msg((yield* irqd_cfg(data))!, msg);
}

/** Before v2-05: the same by the chips of the messages, on their own level. Source: arch/x86/kernel/apic/msi.c (v5.9), irq_msi_compose_msg() */
export function* irq_msi_compose_msg(data: irq_data, msg: msi_msg): Op {
  yield* __irq_msi_compose_msg((yield* irqd_cfg(data))!, msg);
}

/** Source: arch/x86/kernel/apic/msi.c, irq_msi_update_msg() */
function* irq_msi_update_msg(irqd: irq_data, cfg: irq_cfg): Op {
  const msg = new msi_msg();

  yield* __irq_msi_compose_msg(cfg, msg);
  yield* irqd.chip.irq_write_msi_msg!(irqd, msg);
}

/** Move a PCI/MSI interrupt that is not remapped. @returns as the parent's setter. Source: arch/x86/kernel/apic/msi.c, msi_set_affinity() */
export function* msi_set_affinity(irqd: irq_data, mask: cpumask, force: boolean): Op<number> {
  const cfg = (yield* irqd_cfg(irqd))!;
  const parent = irqd.parent_data!;

  const cpu = irq_data_get_effective_affinity_mask(irqd).first;
  const old_cfg = Object.assign(new irq_cfg(), { vector: cfg.vector, dest_apicid: cfg.dest_apicid });

  const ret = yield* parent.chip.irq_set_affinity!(parent, mask, force);
  if (ret < 0 || ret === IRQ_SET_MASK_OK_DONE) return ret;

  // Address and data are two writes: a device that cannot be masked may interrupt between them. One write is enough if only one of them changes.
  const quirk = has('msi-quirk-by-reservation') ? irqd_can_reserve(irqd) : irqd_msi_nomask_quirk(irqd);
  if (
    !has('msi-affinity-race') ||
    !quirk ||
    cfg.vector === old_cfg.vector ||
    old_cfg.vector === MANAGED_IRQ_SHUTDOWN_VECTOR ||
    (has('affinity-pre-startup') && !irqd_is_started(irqd)) ||
    cfg.dest_apicid === old_cfg.dest_apicid
  ) {
    yield* irq_msi_update_msg(irqd, cfg);
    return ret;
  }

  if (WARN_ON_ONCE(cpu !== kernel.this_cpu, 'arch/x86/kernel/apic/msi.c msi_set_affinity')) {
    yield* irq_msi_update_msg(irqd, cfg);
    return ret;
  }

  // First the new vector on this CPU, then the new CPU.
  yield* lock_vector_lock();

  const vector_irq = kernel.vector_irq[kernel.this_cpu];
  // What arrives here meanwhile is sent again below: no reason to complain about it.
  if (!is_irq_desc(vector_irq[cfg.vector])) vector_irq[cfg.vector] = VECTOR_RETRIGGERED;

  old_cfg.vector = cfg.vector;
  yield* irq_msi_update_msg(irqd, old_cfg);

  yield* irq_msi_update_msg(irqd, cfg);

  yield* unlock_vector_lock();

  if (lapic_vector_set_in_irr(cfg.vector)) yield* irqd.chip.irq_retrigger!(irqd);

  return ret;
}

/** Before v2-35: the domain is looked for at each allocation. @returns 0, -ENOSYS without a domain, or as msi_domain_alloc_irqs(). Source: arch/x86/kernel/apic/msi.c (v5.9), native_setup_msi_irqs() */
export function* native_setup_msi_irqs(dev: PciDev, nvec: number, type: number): Op<number> {
  const info = new irq_alloc_info();

  yield* init_irq_alloc_info(info, null);
  info.type = X86_IRQ_ALLOC_TYPE.PCI_MSI;
  if (!has('v2-18')) info.msi_dev = dev;

  const domain = (yield* irq_remapping_get_irq_domain(info)) ?? (has('v2-22') ? kernel.x86_pci_msi_default_domain : kernel.msi_default_domain);
  if (!domain) return -ENOSYS;

  return yield* msi_domain_alloc_irqs(domain, dev, nvec);
}

/** Source: arch/x86/kernel/apic/msi.c (v5.9), native_teardown_msi_irq() */
export function* native_teardown_msi_irq(irq: number): Op {
  yield* irq_domain_free_irqs(irq, 1);
}

/** Before v2-19; then msi_domain_ops_get_hwirq(). Source: arch/x86/kernel/apic/msi.c (v5.9), pci_msi_get_hwirq() */
export function* pci_msi_get_hwirq(info: msi_domain_info, arg: irq_alloc_info): Op<number> {
  return has('v2-18') ? arg.hwirq : arg.msi_hwirq;
}

/** Before v2-19; then pci_msi_domain_set_desc(). Source: arch/x86/kernel/apic/msi.c (v5.9), pci_msi_set_desc() */
export function* pci_msi_set_desc(arg: irq_alloc_info, desc: msi_desc): Op {
  const hwirq = yield* pci_msi_domain_calc_hwirq(desc);
  if (has('v2-18')) {
    arg.desc = desc;
    arg.hwirq = hwirq;
  } else {
    arg.msi_hwirq = hwirq;
  }
}

/** Source: arch/x86/kernel/apic/msi.c, pci_msi_prepare() */
export function* pci_msi_prepare(domain: irq_domain, dev: device, nvec: number, arg: irq_alloc_info): Op<number> {
  const desc = dev.msi_list[0];

  if (!has('v2-40')) yield* init_irq_alloc_info(arg, null);
  if (!has('v2-18')) arg.msi_dev = to_pci_dev(dev);
  if (desc.msi_attrib.is_msix) {
    arg.type = X86_IRQ_ALLOC_TYPE.PCI_MSIX;
  } else {
    arg.type = X86_IRQ_ALLOC_TYPE.PCI_MSI;
    arg.flags |= X86_IRQ_ALLOC_CONTIGUOUS_VECTORS;
  }

  return 0;
}

/** With v2-40: the same for all MSI domains. @returns 0. Source: [V2 40/46] arch/x86/kernel/apic/msi.c, x86_msi_prepare() */
export function* x86_msi_prepare(domain: irq_domain, dev: device, nvec: number, arg: irq_alloc_info): Op<number> {
  yield* init_irq_alloc_info(arg, null);

  if (dev_is_pci(dev)) return yield* pci_msi_prepare(domain, dev, nvec, arg);
  return yield* dev_msi_prepare(domain, dev, nvec, arg);
}

/** Source: [V2 40/46] arch/x86/kernel/apic/msi.c, dev_msi_prepare() */
function* dev_msi_prepare(_domain: irq_domain, _dev: device, _nvec: number, arg: irq_alloc_info): Op<number> {
  arg.type = X86_IRQ_ALLOC_TYPE.DEV_MSI;
  return 0;
}

/** Before v2-22: made with the vector domain. Source: arch/x86/kernel/apic/msi.c (v5.9), arch_init_msi_domain() */
export function* arch_init_msi_domain(parent: irq_domain): Op {
  if (kernel.disable_apic) return;

  const fn = yield* irq_domain_alloc_named_fwnode('PCI-MSI');
  kernel.msi_default_domain = yield* pci_msi_create_irq_domain(fn, kernel.pci_msi_domain_info, parent);
  kernel.msi_default_domain.flags |= IRQ_DOMAIN_FLAG.MSI_NOMASK_QUIRK;
}

/** Source: arch/x86/kernel/apic/msi.c, native_create_pci_msi_domain() */
export function* native_create_pci_msi_domain(): Op<irq_domain | null> {
  if (kernel.disable_apic) return null;

  const fn = yield* irq_domain_alloc_named_fwnode('PCI-MSI');
  const d = yield* pci_msi_create_irq_domain(fn, kernel.pci_msi_domain_info, kernel.x86_vector_domain);
  if (!has('msi-quirk-by-reservation')) d.flags |= IRQ_DOMAIN_FLAG.MSI_NOMASK_QUIRK;
  return d;
}

/** Source: arch/x86/kernel/apic/msi.c, x86_create_pci_msi_domain() */
export function* x86_create_pci_msi_domain(): Op {
  const { create_pci_msi_domain } = kernel.x86_init;
  const parents = has('msi-parent-domains') && create_pci_msi_domain === native_create_pci_msi_domain;
  kernel.x86_pci_msi_default_domain = parents ? yield* msi_parent.native_create_pci_msi_domain() : yield* create_pci_msi_domain();
}

/** The MSI domain on top of a remapping unit's. Source: arch/x86/kernel/apic/msi.c, arch_create_remap_msi_irq_domain() */
export function* arch_create_remap_msi_irq_domain(parent: irq_domain, name: string, id: number): Op<irq_domain> {
  const fn = yield* irq_domain_alloc_named_id_fwnode(name, id);
  return yield* pci_msi_create_irq_domain(fn, kernel.pci_msi_ir_domain_info, parent);
}

/** Source: arch/x86/kernel/apic/msi.c, dmar_msi_write_msg() */
function* dmar_msi_write_msg(data: irq_data, msg: msi_msg): Op {
  yield* dmar_msi_write(data.irq, msg);
}

/** Before v2-19; then the default's. Source: arch/x86/kernel/apic/msi.c (v5.9), dmar_msi_get_hwirq() */
function* dmar_msi_get_hwirq(info: msi_domain_info, arg: irq_alloc_info): Op<number> {
  return arg.devid;
}

/** Source: arch/x86/kernel/apic/msi.c, dmar_msi_init() */
function* dmar_msi_init(domain: irq_domain, info: msi_domain_info, virq: number, hwirq: number, arg: irq_alloc_info): Op<number> {
  yield* irq_domain_set_info(domain, virq, arg.devid, info.chip, null, handle_edge_irq, arg.data, 'edge');
  return 0;
}

/** Source: arch/x86/kernel/apic/msi.c, dmar_get_irq_domain() */
function* dmar_get_irq_domain(): Op<irq_domain> {
  yield* mutex_lock(kernel.dmar_lock);
  if (!kernel.dmar_domain) {
    const fn = yield* irq_domain_alloc_named_fwnode('DMAR-MSI');
    kernel.dmar_domain = yield* msi_create_irq_domain(fn, kernel.dmar_msi_domain_info, kernel.x86_vector_domain);
  }
  yield* mutex_unlock(kernel.dmar_lock);
  return kernel.dmar_domain;
}

/** A remapping unit's own interrupt. @returns it, or an errno. Source: arch/x86/kernel/apic/msi.c, dmar_alloc_hwirq() */
export function* dmar_alloc_hwirq(id: number, node: number, arg: unknown): Op<number> {
  const domain = yield* dmar_get_irq_domain();
  const info = new irq_alloc_info();

  yield* init_irq_alloc_info(info, null);
  info.type = X86_IRQ_ALLOC_TYPE.DMAR;
  info.devid = id;
  if (has('v2-15')) info.hwirq = id;
  info.data = arg;

  return yield* __irq_domain_alloc_irqs(domain, -1, 1, node, info, false, null);
}
