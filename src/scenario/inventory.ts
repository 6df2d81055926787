import { ims_messages, slots_taken } from '../kernel/drivers/misc/ims_device';
import type { World } from '../kernel/world';
import { taken } from './invariants/amd-tables';

/** How much of everything that can be used up is in use, by its name. */
export function inventory(world: World): ReadonlyMap<string, number> {
  const { kernel, machine } = world;
  const { vector_matrix: m, irq_desc_tree, pci_devices } = kernel;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
  const parts = kernel.ims_devices.flatMap(({ subdevices }) => subdevices);
  const descs = [...irq_desc_tree.values()];
  const counts = new Map([
    ['interrupt numbers', kernel.allocated_irqs.weight],
    ['descriptors', descs.length],
    ['handlers', sum(descs.map(({ nr_actions }) => nr_actions))],
    ['directories in /proc/irq', kernel.root_irq_dir?.size ?? 0],
    ['CPU vectors', sum(m.maps.map(({ alloc_map }) => alloc_map.weight))],
    ['managed CPU vectors', sum(m.maps.map(({ managed_map }) => managed_map.weight))],
    ['reservations', m.global_reserved],
    ['vectors that wait for a clean-up', sum(kernel.cleanup_list.map(list => list.length))],
    ['devices that are enabled', sum(pci_devices.map(({ enable_cnt }) => enable_cnt))],
    ['devices with MSI', pci_devices.filter(({ msi_enabled, msix_enabled }) => msi_enabled || msix_enabled).length],
    ['devices with MSI on in their registers', pci_devices.filter(({ hw }) => hw.msiEnabled || hw.msixEnabled).length],
    ['message descriptors', sum(pci_devices.map(({ msi_list }) => msi_list.length))],
    ['directories msi_irqs', pci_devices.filter(({ msi_irqs }) => msi_irqs !== null).length],
    ['devices with a driver', pci_devices.filter(({ driver }) => driver !== null).length],
    ['message descriptors of parts of devices', sum(parts.map(part => ims_messages(part).length))],
    ['slots of message stores', sum(kernel.ims_devices.map(ims => slots_taken(ims).length))],
    ['AMD remapping entries', amdEntries(world)],
    ["entries of the Hyper-V host's table", machine.hyperv?.irt.entries.size ?? 0],
    ['PCI domains of virtual PCI buses', kernel.hvpci_dom_map.size - 1],
  ]);
  for (const { iommu } of kernel.dmar_drhd_units) counts.set(`remapping entries of ${iommu.name}`, iommu.ir_table?.bitmap.weight ?? 0);
  for (const { name, mapcount } of kernel.irq_domain_list) counts.set(`interrupts of ${name}`, mapcount);
  return counts;
}

/** Those of an IOAPIC's pins are its pins' for good. */
function amdEntries(world: World): number {
  let entries = 0;
  for (const { table, min_index, size } of new Set(world.kernel.irq_lookup_table.values())) {
    for (let index = min_index; index < size; index++) if (taken(world, table, index)) entries++;
  }
  return entries;
}
