import type { Op } from '../../../../stepper/op';
import { type PciDev, pci_dev_id } from '../../../include/pci';
import { has, kernel, machine } from '../../../world';
import { pci_dev_has_default_msi_parent_domain } from '../../../arch/x86/apic/msi_parent';
import { pci_dev_has_special_msi_domain } from '../../pci/msi_irqdomain';
import { pci_add_dma_alias, pci_for_each_dma_alias } from '../../pci/search';
import { type amd_iommu, AMD_IOMMU_GUEST_IR_VAPIC_ON, iommu_dev_data, PCI_BUS_NUM } from './amd_iommu_types';
import { iommu_completion_wait } from './commands';
import { dte_data } from './irq_table';

// Devices below an IOMMU: this part of drivers/iommu/amd/iommu.c.

/** Source: search_dev_data() */
export function* search_dev_data(devid: number): Op<iommu_dev_data | undefined> {
  return kernel.dev_data_list.find(dev_data => dev_data.devid === devid);
}

/** Source: alloc_dev_data() */
function* alloc_dev_data(devid: number): Op<iommu_dev_data> {
  const dev_data = new iommu_dev_data(devid);
  kernel.dev_data_list.unshift(dev_data);
  return dev_data;
}

/** Source: find_dev_data() */
function* find_dev_data(devid: number): Op<iommu_dev_data> {
  return (yield* search_dev_data(devid)) ?? (yield* alloc_dev_data(devid));
}

/** The alias has the same IOMMU and the same entry. Source: clone_alias() */
function* clone_alias(pdev: PciDev, alias: number): Op<number> {
  const devid = pci_dev_id(pdev);
  if (devid === alias) return 0;

  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (iommu) kernel.amd_iommu_rlookup_table.set(alias, iommu);
  for (let i = 0; i < 4; i++) machine.memory.write64(dte_data(alias, i), machine.memory.read64(dte_data(devid, i)));
  return 0;
}

/** The alias of the IVRS table need not be one of those that PCI knows. Source: clone_aliases() */
function* clone_aliases(pdev: PciDev): Op {
  yield* clone_alias(pdev, kernel.amd_iommu_alias_table[pci_dev_id(pdev)]);

  yield* pci_for_each_dma_alias(pdev, clone_alias, null);
}

/** Source: setup_aliases() */
function* setup_aliases(pdev: PciDev): Op<PciDev> {
  const ivrs_alias = kernel.amd_iommu_alias_table[pci_dev_id(pdev)];
  if (ivrs_alias !== pci_dev_id(pdev) && PCI_BUS_NUM(ivrs_alias) === pdev.bus) yield* pci_add_dma_alias(pdev, ivrs_alias & 0xff);

  yield* clone_aliases(pdev);
  return pdev;
}

/** Whether an IOMMU covers the device, by its bus and function alone: a PCI domain beyond the table's is taken for the first one. Source: check_device() */
function* check_device(dev: PciDev): Op<boolean> {
  const devid = pci_dev_id(dev);
  return devid <= kernel.amd_iommu_last_bdf && kernel.amd_iommu_rlookup_table.has(devid);
}

/** Source: iommu_init_device() */
function* iommu_init_device(dev: PciDev): Op<number> {
  const dev_data = yield* find_dev_data(pci_dev_id(dev));
  dev_data.pdev = yield* setup_aliases(dev);
  return 0;
}

/** The device gets the domain of its IOMMU. Source: amd_iommu_set_pci_msi_domain() */
function* amd_iommu_set_pci_msi_domain(dev: PciDev, iommu: amd_iommu): Op {
  if (!kernel.irq_remapping_enabled) return;
  const special = has('msi-parent-domains') ? !(yield* pci_dev_has_default_msi_parent_domain(dev)) : yield* pci_dev_has_special_msi_domain(dev);
  if (special) return;

  dev.msi_domain = has('amd-msi-parent-domains') ? iommu.ir_domain : iommu.msi_domain;
}

/** Source: amd_iommu_probe_device() */
function* amd_iommu_probe_device(dev: PciDev): Op {
  if (!(yield* check_device(dev))) return;

  const iommu = kernel.amd_iommu_rlookup_table.get(pci_dev_id(dev))!;
  yield* iommu_init_device(dev);
  if (has('v2-32')) yield* amd_iommu_set_pci_msi_domain(dev, iommu);
  yield* iommu_completion_wait(iommu);
}

/** All functions that are there, and from now on those that appear. Source: amd_iommu_init_api(), drivers/iommu/iommu.c bus_set_iommu() */
export function* amd_iommu_init_api(): Op<number> {
  kernel.amd_iommu_bus_notifier = true;
  for (const dev of kernel.pci_devices) yield* amd_iommu_probe_device(dev);
  return 0;
}

/** A function has appeared. Source: drivers/iommu/iommu.c, iommu_bus_notifier() */
export function* iommu_bus_notifier(dev: PciDev): Op {
  if (kernel.amd_iommu_bus_notifier) yield* amd_iommu_probe_device(dev);
}

/** The device is given to a guest (`unmanaged`), or comes back to the kernel's own drivers; its interrupts' part. Source: amd_iommu_attach_device() */
export function* amd_iommu_attach_device(dev: PciDev, unmanaged: boolean): Op<number> {
  const dev_data = yield* search_dev_data(pci_dev_id(dev));
  if (dev_data && AMD_IOMMU_GUEST_IR_VAPIC_ON(kernel.amd_iommu_guest_ir)) dev_data.use_vapic = unmanaged;
  return 0;
}
