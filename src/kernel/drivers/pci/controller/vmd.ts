import { isClientVmd, PCI_REG_VMCONFIG, VMCONFIG } from '../../../../hardware/vmd';
import type { Op } from '../../../../stepper/op';
import { IRQ_HANDLED, IRQF_NO_THREAD } from '../../../include/interrupt';
import { DOMAIN_BUS } from '../../../include/irqdomain';
import { type pci_bus, pci_domain_nr, PCI_IRQ_MSIX, type PciDev } from '../../../include/pci';
import { xen_domain } from '../../../include/xen';
import { devm_free_irq, devm_request_irq } from '../../../irq/devres';
import { generic_handle_irq } from '../../../irq/irqdesc';
import { irq_domain_alloc_named_id_fwnode, irq_domain_remove, irq_domain_update_bus_token } from '../../../irq/irqdomain';
import { ENODEV, ENOMEM } from '../../../lib/errno';
import { pr_info } from '../../../lib/printk';
import { kzalloc, lose, should_fail } from '../../../lib/slab';
import { srcu_read_lock, srcu_read_unlock } from '../../../lib/srcu';
import { has, kernel } from '../../../world';
import { pci_read_config_word, pci_write_config_word } from '../access';
import { pci_bus_add_devices, pci_find_next_bus, pci_remove_root_bus, pci_stop_root_bus } from '../bus';
import { pci_msix_vec_count } from '../msi';
import { pci_alloc_irq_vectors, pci_irq_vector } from '../msi_api';
import { pci_msi_create_irq_domain } from '../msi_irqdomain';
import { pcim_enable_device } from '../managed';
import { pci_set_master } from '../pci';
import type { pci_driver } from '../pci-driver';
import { pci_restore_state, pci_save_state } from '../pci-pm';
import { pci_create_root_bus, pci_scan_child_bus } from '../probe';
import { vmd_dev, vmd_irq_list } from './vmd_types';

// drivers/pci/controller/vmd.c: a device that hides a PCI domain, whose interrupts all come by its own. Its windows are not modelled.

/** Numbers below are those of firmware's segments. */
const LAST_SEGMENT = 0xffff;

/** An interrupt of the VMD: some device of the list has sent it, and all of them are asked. Source: drivers/pci/controller/vmd.c, vmd_irq() */
function* vmd_irq(_irq: number, data: unknown): Op<number> {
  const irqs = data as vmd_irq_list;

  const idx = srcu_read_lock(irqs.srcu);
  for (const vmdirq of irqs.irq_list) yield* generic_handle_irq(vmdirq.virq);
  srcu_read_unlock(irqs.srcu, idx);

  return IRQ_HANDLED;
}

/** As many of its own vectors as there are, each requested. @returns 0 or an errno. Source: drivers/pci/controller/vmd.c, vmd_alloc_irqs() */
function* vmd_alloc_irqs(vmd: vmd_dev): Op<number> {
  const { dev } = vmd;

  vmd.msix_count = yield* pci_msix_vec_count(dev);
  if (vmd.msix_count < 0) return -ENODEV;

  const least = has('vmd-ahci-fast-list') ? 2 : vmd.first_vec + 1;
  vmd.msix_count = yield* pci_alloc_irq_vectors(dev, least, vmd.msix_count, PCI_IRQ_MSIX);
  if (vmd.msix_count < 0) return vmd.msix_count;

  const irqs = kzalloc('vmd_alloc_irqs: struct vmd_irq_list', () => Array.from({ length: vmd.msix_count }, () => new vmd_irq_list()));
  if (!irqs) return -ENOMEM;
  vmd.irqs = irqs;

  for (let i = 0; i < vmd.msix_count; i++) {
    if (should_fail('init_srcu_struct: struct srcu_data')) return yield* forgetting_srcu(i, -ENOMEM);
    const err = yield* devm_request_irq(dev, yield* pci_irq_vector(dev, i), vmd_irq, IRQF_NO_THREAD, 'vmd', irqs[i]);
    if (err) return yield* forgetting_srcu(i + 1, err);
  }
  return 0;
}

/** A probe that fails does not clean them up. @param count of the structures that there are. @returns err */
function* forgetting_srcu(count: number, err: number): Op<number> {
  if (count > 0) lose('vmd_alloc_irqs: struct srcu_data');
  return err;
}

/** @returns 0 or -ENODEV. Source: drivers/pci/controller/vmd.c, vmd_create_irq_domain() */
function* vmd_create_irq_domain(vmd: vmd_dev): Op<number> {
  if (should_fail('__irq_domain_alloc_fwnode: struct irqchip_fwid')) return -ENODEV;
  const fn = yield* irq_domain_alloc_named_id_fwnode('VMD-MSI', vmd.sysdata.domain);

  if (should_fail('__irq_domain_add: struct irq_domain')) return -ENODEV;
  const parent = has('v2-03') ? null : kernel.x86_vector_domain;
  vmd.irq_domain = yield* pci_msi_create_irq_domain(fn, kernel.vmd_msi_domain_info, parent);
  return 0;
}

/** With vmd-bypass-msi-remap the VMD takes messages again: firmware may not see to that in a soft reboot. Source: drivers/pci/controller/vmd.c, vmd_remove_irq_domain() */
function* vmd_remove_irq_domain(vmd: vmd_dev): Op {
  if (has('vmd-bypass-msi-remap') && vmd.msix_count === 0) yield* vmd_set_msi_remapping(vmd, true);
  if (vmd.irq_domain) yield* irq_domain_remove(vmd.irq_domain);
}

/** Whether messages from below end at the VMD. Source: drivers/pci/controller/vmd.c (v5.13), vmd_set_msi_remapping() */
function* vmd_set_msi_remapping(vmd: vmd_dev, enable: boolean): Op {
  const reg = pci_read_config_word(vmd.dev, PCI_REG_VMCONFIG);
  pci_write_config_word(vmd.dev, PCI_REG_VMCONFIG, VMCONFIG.with(reg, { msi_remap: !enable }));
}

const PCI_DEVICE_ID_INTEL_VMD_28C0 = 0x28c0;

/** VMD_FEAT_CAN_BYPASS_MSI_REMAP, and nothing against it. */
function can_bypass({ hw }: PciDev): boolean {
  if (!has('vmd-bypass-msi-remap') || hw.config.device !== PCI_DEVICE_ID_INTEL_VMD_28C0) return false;
  if (has('vmd-no-bypass-under-xen') && xen_domain()) return false;
  return !(has('vmd-remaps-with-iommu') && kernel.irq_remapping_enabled);
}

/** One behind the greatest there is, and behind all that firmware can name. Source: drivers/pci/controller/vmd.c, vmd_find_free_domain() */
function* vmd_find_free_domain(): Op<number> {
  let domain = LAST_SEGMENT;
  for (let bus: pci_bus | null = pci_find_next_bus(null); bus; bus = pci_find_next_bus(bus)) domain = Math.max(domain, pci_domain_nr(bus));
  return domain + 1;
}

/** Find the devices below, which get the VMD's irqdomain from their bus. @param remaps it takes their messages. @returns 0 or -ENODEV. Source: drivers/pci/controller/vmd.c, vmd_enable_domain() */
function* vmd_enable_domain(vmd: vmd_dev, remaps: boolean): Op<number> {
  const sd = vmd.sysdata;
  sd.vmd_dev = vmd.dev;
  sd.domain = yield* vmd_find_free_domain();
  sd.node = vmd.dev.numa_node;

  if (remaps) {
    const ret = yield* vmd_create_irq_domain(vmd);
    if (ret) return ret;

    // Whoever gives devices a remapping domain can tell it from a plain one.
    if (has('v2-24')) yield* irq_domain_update_bus_token(vmd.irq_domain!, DOMAIN_BUS.VMD_MSI);
  }
  if (has('vmd-bypass-msi-remap')) yield* vmd_set_msi_remapping(vmd, remaps);

  vmd.bus = should_fail('pci_create_root_bus: struct pci_bus') ? null : yield* pci_create_root_bus(vmd.dev, 0, sd, vmd.dev.hw.below);
  if (!vmd.bus) {
    yield* vmd_remove_irq_domain(vmd);
    return -ENODEV;
  }
  if (vmd.irq_domain) vmd.bus.msi_domain = vmd.irq_domain;
  else if (has('vmd-domain-before-enumeration')) vmd.bus.msi_domain = vmd.dev.msi_domain;

  yield* pci_scan_child_bus(vmd.bus);
  yield* pci_bus_add_devices(vmd.bus);
  return 0;
}

/** @returns 0 or an errno. Source: drivers/pci/controller/vmd.c, vmd_probe() */
function* vmd_probe(dev: PciDev): Op<number> {
  const vmd = kzalloc('vmd_probe: struct vmd_dev', () => new vmd_dev(dev));
  if (!vmd) return -ENOMEM;

  let err = yield* pcim_enable_device(dev);
  if (err < 0) return err;

  yield* pci_set_master(dev);
  if (has('vmd-first-vector') && isClientVmd(dev.hw)) vmd.first_vec = 1;
  const remaps = !can_bypass(dev);
  if (remaps) err = yield* vmd_alloc_irqs(vmd);
  if (err) return err;

  dev.drvdata = vmd;
  err = yield* vmd_enable_domain(vmd, remaps);
  if (err) return yield* forgetting_srcu(vmd.msix_count, err);

  pr_info(`vmd ${dev.name}: Bound to PCI domain ${vmd.sysdata.domain.toString(16).padStart(4, '0')}`);
  return 0;
}

/** Its vectors go behind it: they are managed. Source: drivers/pci/controller/vmd.c, vmd_remove() */
function* vmd_remove(dev: PciDev): Op {
  const vmd = dev.drvdata as vmd_dev;
  yield* pci_stop_root_bus(vmd.bus!);
  yield* pci_remove_root_bus(vmd.bus!);
  yield* vmd_remove_irq_domain(vmd);
}

/** Its own vectors are freed: what comes from below meanwhile waits, if the VMD keeps it. @returns 0. Source: drivers/pci/controller/vmd.c, vmd_suspend() */
function* vmd_suspend(dev: PciDev): Op<number> {
  const vmd = dev.drvdata as vmd_dev;
  for (let i = 0; i < vmd.msix_count; i++) yield* devm_free_irq(dev, yield* pci_irq_vector(dev, i), vmd.irqs[i]);

  if (!has('vmd-generic-pm')) yield* pci_save_state(dev);
  return 0;
}

/** @returns 0 or an errno. Source: drivers/pci/controller/vmd.c, vmd_resume() */
function* vmd_resume(dev: PciDev): Op<number> {
  const vmd = dev.drvdata as vmd_dev;
  for (let i = 0; i < vmd.msix_count; i++) {
    const err = yield* devm_request_irq(dev, yield* pci_irq_vector(dev, i), vmd_irq, IRQF_NO_THREAD, 'vmd', vmd.irqs[i]);
    if (err) return err;
  }

  if (!has('vmd-generic-pm')) yield* pci_restore_state(dev);
  return 0;
}

export const vmd_drv: pci_driver = Object.freeze({ name: 'vmd', probe: vmd_probe, remove: vmd_remove, pm: Object.freeze({ suspend: vmd_suspend, resume: vmd_resume }) });
