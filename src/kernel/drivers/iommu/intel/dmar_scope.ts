import type { Op } from '../../../../stepper/op';
import { type PciDev, pci_dev_id, pci_physfn } from '../../../include/pci';
import { ENODEV } from '../../../lib/errno';
import { down_write, up_write } from '../../../lib/locking';
import { has, kernel } from '../../../world';
import type { dmar_drhd_unit } from './dmar';
import { intel_irq_remap_add_device } from './irq_remapping';

// Which functions a unit is for, and functions that appear: this part of drivers/iommu/intel/dmar.c.

/** Of the table: what is beyond is a VMD's. */
const LAST_SEGMENT = 0xffff;

/** Whether the list has the function, or a bridge that it is behind. Source: drivers/iommu/intel/dmar.c, dmar_pci_device_match() */
export function* dmar_pci_device_match(devices: readonly PciDev[], dev: PciDev): Op<boolean> {
  for (let at: PciDev | null = dev; at; at = at.bridge) if (devices.includes(at)) return true;
  return false;
}

/** The function that the table names is there. @returns whether this unit names it. Source: drivers/iommu/intel/dmar.c, dmar_insert_dev_scope() */
function* dmar_insert_dev_scope(dev: PciDev, { segment, scope, devices }: dmar_drhd_unit): Op<boolean> {
  if (segment !== dev.domain_nr || !scope.includes(pci_dev_id(dev))) return false;
  devices.push(dev);
  return true;
}

/** Source: drivers/iommu/intel/dmar.c, dmar_pci_bus_add_dev() */
function* dmar_pci_bus_add_dev(dev: PciDev): Op {
  for (const unit of kernel.dmar_drhd_units) {
    if (!unit.include_all && (yield* dmar_insert_dev_scope(dev, unit))) break;
  }
  if (has('v2-31')) yield* intel_irq_remap_add_device(dev);
}

/** Source: drivers/iommu/intel/dmar.c, vf_inherit_msi_domain() */
function* vf_inherit_msi_domain(pdev: PciDev): Op {
  pdev.msi_domain = pci_physfn(pdev).msi_domain;
}

/** A function has appeared. Those found at boot come before the notifier is registered. Source: drivers/iommu/intel/dmar.c, dmar_pci_bus_notifier() */
export function* dmar_pci_bus_notifier(dev: PciDev): Op {
  if (!kernel.dmar_bus_notifier) return;
  // Who covers a virtual function is looked up by its physical one.
  if (dev.is_virtfn) {
    if (has('vf-inherits-msi-domain')) yield* vf_inherit_msi_domain(dev);
    return;
  }
  // The table cannot name what is beyond: a VMD's own domain.
  if (dev.domain_nr > LAST_SEGMENT) return;

  yield* down_write(kernel.dmar_global_lock);
  yield* dmar_pci_bus_add_dev(dev);
  yield* up_write(kernel.dmar_global_lock);
}

/** Source: drivers/iommu/intel/dmar.c, dmar_register_bus_notifier() */
export function* dmar_register_bus_notifier(): Op {
  kernel.dmar_bus_notifier = true;
}

/** Functions that were there before; once. @returns 0, or -ENODEV without units. Source: drivers/iommu/intel/dmar.c, dmar_dev_scope_init() */
export function* dmar_dev_scope_init(): Op<number> {
  if (kernel.dmar_dev_scope_status !== 1) return kernel.dmar_dev_scope_status;

  kernel.dmar_dev_scope_status = kernel.dmar_drhd_units.length === 0 ? -ENODEV : 0;
  if (kernel.dmar_dev_scope_status === 0) for (const dev of kernel.pci_devices) if (!dev.is_virtfn) yield* dmar_pci_bus_add_dev(dev);
  return kernel.dmar_dev_scope_status;
}
