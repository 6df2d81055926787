import type { Op } from '../../../../stepper/op';
import { type PciDev, pci_dev_id } from '../../../include/pci';
import type { dmar_drhd_unit } from './dmar';

// Which functions a unit is for: this part of drivers/iommu/intel/dmar.c.

/** Whether the list has the function, or a bridge that it is behind. Source: drivers/iommu/intel/dmar.c, dmar_pci_device_match() */
export function* dmar_pci_device_match(devices: readonly PciDev[], dev: PciDev): Op<boolean> {
  for (let at: PciDev | null = dev; at; at = at.bridge) if (devices.includes(at)) return true;
  return false;
}

/** The function that the table names is there. @returns whether this unit names it. Source: drivers/iommu/intel/dmar.c, dmar_insert_dev_scope() */
export function* dmar_insert_dev_scope(dev: PciDev, { segment, scope, devices }: dmar_drhd_unit): Op<boolean> {
  if (segment !== dev.domain_nr || !scope.includes(pci_dev_id(dev))) return false;
  devices.push(dev);
  return true;
}
