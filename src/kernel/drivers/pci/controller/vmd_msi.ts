import { MSI_BASE } from '../../../../hardware/message';
import { VMD_MSI_ADDRESS_LO } from '../../../../hardware/vmd';
import type { Op } from '../../../../stepper/op';
import { irq_alloc_info } from '../../../arch/x86/hw_irq';
import type { irq_chip, irq_data } from '../../../include/irq';
import type { irq_domain } from '../../../include/irqdomain';
import { type msi_alloc_info_t, type msi_desc, msi_desc_to_pci_dev, type msi_domain_info, MSI_FLAG, type msi_msg } from '../../../include/msi';
import type { PciDev } from '../../../include/pci';
import { handle_untracked_irq } from '../../../irq/chip';
import { irq_get_irq_data } from '../../../irq/irqdesc';
import { irq_domain_set_info } from '../../../irq/irqdomain';
import type { cpumask } from '../../../lib/cpumask';
import { EINVAL, ENOMEM } from '../../../lib/errno';
import { limit_bound } from '../../../lib/limit';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, raw_spinlock } from '../../../lib/locking';
import { WARN_ON } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { synchronize_srcu } from '../../../lib/srcu';
import { has, kernel } from '../../../world';
import { pci_irq_vector } from '../msi_api';
import { index_from_irqs, type vmd_dev, vmd_from_bus, vmd_irq_entry, type vmd_irq_list } from './vmd_types';

// The part of drivers/pci/controller/vmd.c that gives devices below a VMD their interrupts. They share those of the VMD:
// what a device sends names an entry of the VMD's own table.

const PCI_CLASS_STORAGE_EXPRESS = 0x010802;
const PCI_CLASS_STORAGE_SATA_AHCI = 0x010601;

export const vmd_globals = () => {
  const vmd_msi_controller: irq_chip = {
    name: 'VMD-MSI',
    irq_enable: vmd_irq_enable,
    irq_disable: vmd_irq_disable,
    irq_compose_msi_msg: vmd_compose_msi_msg,
    irq_set_affinity: vmd_irq_set_affinity,
    flags: 0,
  };
  return {
    vmd_msi_controller,
    /** of all VMDs */
    vmd_msi_domain_info: {
      flags: MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.PCI_MSIX,
      ops: { get_hwirq: vmd_get_hwirq, msi_init: vmd_msi_init, msi_free: vmd_msi_free, msi_prepare: vmd_msi_prepare, set_desc: vmd_set_desc },
      chip: vmd_msi_controller,
    } as msi_domain_info,
    /** of all lists of all VMDs (list_lock) */
    vmd_list_lock: new raw_spinlock('list_lock'),
  };
};

/** The message says which entry of the VMD, and nothing else. Source: drivers/pci/controller/vmd.c, vmd_compose_msi_msg() */
function* vmd_compose_msi_msg(data: irq_data, msg: msi_msg): Op {
  const { irq } = data.chip_data as vmd_irq_entry;
  const vmd = data.common.handler_data as vmd_dev;

  msg.address_hi = 0;
  msg.address_lo = VMD_MSI_ADDRESS_LO.encode({ base_address: MSI_BASE, index: index_from_irqs(vmd, irq) });
  msg.data = 0;
}

/** From now on the VMD's handler calls it. Source: drivers/pci/controller/vmd.c, vmd_irq_enable() */
function* vmd_irq_enable(data: irq_data): Op {
  const vmdirq = data.chip_data as vmd_irq_entry;

  const flags = yield* raw_spin_lock_irqsave(kernel.vmd_list_lock);
  WARN_ON(vmdirq.enabled, 'drivers/pci/controller/vmd.c vmd_irq_enable');
  vmdirq.irq.irq_list.add(vmdirq);
  vmdirq.enabled = true;
  yield* raw_spin_unlock_irqrestore(kernel.vmd_list_lock, flags);

  yield* data.chip.irq_unmask!(data);
}

/** Source: drivers/pci/controller/vmd.c, vmd_irq_disable() */
function* vmd_irq_disable(data: irq_data): Op {
  const vmdirq = data.chip_data as vmd_irq_entry;

  yield* data.chip.irq_mask!(data);

  const flags = yield* raw_spin_lock_irqsave(kernel.vmd_list_lock);
  if (vmdirq.enabled) {
    vmdirq.irq.irq_list.delete(vmdirq);
    vmdirq.enabled = false;
  }
  yield* raw_spin_unlock_irqrestore(kernel.vmd_list_lock, flags);
}

/** The vector is shared: whoever moved it would move the others' too. Source: drivers/pci/controller/vmd.c, vmd_irq_set_affinity() */
function* vmd_irq_set_affinity(data: irq_data, dest: cpumask, force: boolean): Op<number> {
  return -EINVAL;
}

/** All the same: msi_init puts another number in its place. Source: drivers/pci/controller/vmd.c, vmd_get_hwirq() */
function* vmd_get_hwirq(info: msi_domain_info, arg: msi_alloc_info_t): Op<number> {
  return 0;
}

/** Whose handlers are fast. */
const is_fast = (class_code: number): boolean => class_code === PCI_CLASS_STORAGE_EXPRESS || (has('vmd-ahci-fast-list') && class_code === PCI_CLASS_STORAGE_SATA_AHCI);

/** Drives get the vector that has fewest interrupts, from 1 on; all others share vector 0. Both one more with vmd-first-vector. Source: drivers/pci/controller/vmd.c, vmd_next_irq() */
function* vmd_next_irq(vmd: vmd_dev, desc: msi_desc): Op<vmd_irq_list> {
  const { first_vec } = vmd;
  if (vmd.msix_count === 1 + first_vec) return vmd.irqs[first_vec];
  if (!is_fast(msi_desc_to_pci_dev(desc).hw.config.class)) return vmd.irqs[first_vec];

  const flags = yield* raw_spin_lock_irqsave(kernel.vmd_list_lock);
  let best = first_vec + 1;
  for (let i = best; i < vmd.msix_count; i++) if (vmd.irqs[i].count < vmd.irqs[best].count) best = i;
  vmd.irqs[best].count++;
  yield* raw_spin_unlock_irqrestore(kernel.vmd_list_lock, flags);

  return vmd.irqs[best];
}

/** The hwirq is the Linux irq of the VMD's vector, so that several have the same. @returns 0 or -ENOMEM. Source: drivers/pci/controller/vmd.c, vmd_msi_init() */
function* vmd_msi_init(domain: irq_domain, info: msi_domain_info, virq: number, hwirq: number, arg: msi_alloc_info_t): Op<number> {
  const desc = arg.desc!;
  const vmd = vmd_from_bus(msi_desc_to_pci_dev(desc).parent_bus);
  if (!kzalloc('vmd_msi_init: struct vmd_irq', () => true)) return -ENOMEM;

  const vmdirq = new vmd_irq_entry(yield* vmd_next_irq(vmd, desc), virq);
  const index = index_from_irqs(vmd, vmdirq.irq);
  const vector = yield* pci_irq_vector(vmd.dev, index);

  yield* irq_domain_set_info(domain, virq, vector, info.chip, vmdirq, handle_untracked_irq, vmd, null);
  return 0;
}

/** Counts also what vmd_next_irq() did not count. Source: drivers/pci/controller/vmd.c, vmd_msi_free() */
function* vmd_msi_free(domain: irq_domain, info: msi_domain_info, virq: number): Op {
  const vmdirq = irq_get_irq_data(virq)!.chip_data as vmd_irq_entry;

  yield* synchronize_srcu(vmdirq.irq.srcu);

  const flags = yield* raw_spin_lock_irqsave(kernel.vmd_list_lock);
  vmdirq.irq.count = (vmdirq.irq.count - 1) >>> 0;
  yield* raw_spin_unlock_irqrestore(kernel.vmd_list_lock, flags);
}

/** A device gets no more than the VMD has. @returns 0, or how many that is. Source: drivers/pci/controller/vmd.c, vmd_msi_prepare() */
function* vmd_msi_prepare(domain: irq_domain, pdev: PciDev, nvec: number, arg: msi_alloc_info_t): Op<number> {
  const vmd = vmd_from_bus(pdev.parent_bus);

  if (nvec > vmd.msix_count) {
    limit_bound({ name: `vectors of VMD ${vmd.dev.name}`, needed: nvec, size: vmd.msix_count });
    return vmd.msix_count;
  }

  Object.assign(arg, new irq_alloc_info());
  return 0;
}

/** Source: drivers/pci/controller/vmd.c, vmd_set_desc() */
function* vmd_set_desc(arg: msi_alloc_info_t, desc: msi_desc): Op {
  arg.desc = desc;
}
