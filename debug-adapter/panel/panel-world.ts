// The panel's view of the whole: domains with their devices, the vectors of the CPUs.
import { apic_chip_data } from '../../src/kernel/arch/x86/apic/apic_chip_data';
import type { device } from '../../src/kernel/include/device';
import { IRQD } from '../../src/kernel/include/irq';
import type { irq_desc } from '../../src/kernel/include/irqdesc';
import type { irq_domain } from '../../src/kernel/include/irqdomain';
import { type PciDev, to_pci_dev } from '../../src/kernel/include/pci';
import { bitmap } from '../../src/kernel/lib/bitmap';
import type { World } from '../../src/kernel/world';
import type { ChangeTracker } from './changes';
import type { Device, Domain, Matrix, MatrixCpu, VectorOwner } from '../panel-protocol';
import { decodedWord } from '../variables/flags';
import { actionsOf, chipName, levelsOf, vectorMatrix } from '../variables/interrupt';

const VECTORS = 256;

/** Parents before their children, else in the order of their making. */
export function domainsOf({ kernel }: World, changes: ChangeTracker): Domain[] {
  const ordered = hierarchical([...kernel.irq_domain_list].reverse());
  const parts = kernel.ims_devices.flatMap(({ subdevices }) => subdevices);
  return ordered.map((domain, id): Domain => {
    const devices = [...kernel.pci_devices.filter(dev => dev.msi_domain === domain).map(pciDeviceOf), ...parts.filter(dev => dev.msi_domain === domain).map(partOf)];
    return {
      id,
      name: domain.name,
      parent: domain.parent ? ordered.indexOf(domain.parent) : null,
      busToken: short('bus_token', domain.bus_token),
      flags: short('flags', domain.flags),
      mapped: domain.mapcount,
      devices,
      ...changes.value('domains', domain.name, JSON.stringify([domain.mapcount, devices])),
    };
  });
}

/** Without the prefix that all names of the kind have. */
const short = (member: string, value: number): string => decodedWord('irq_domain', member, value)!.replaceAll(/DOMAIN_BUS_|IRQ_DOMAIN_FLAG_/g, '');

function hierarchical(domains: readonly irq_domain[]): irq_domain[] {
  const ordered = new Set<irq_domain>();
  const add = (domain: irq_domain): void => {
    if (domain.parent) add(domain.parent);
    ordered.add(domain);
  };
  domains.forEach(add);
  return [...ordered];
}

const pciDeviceOf = (dev: PciDev): Device => ({ name: dev.name, driver: dev.driver, kind: dev.msix_enabled ? 'MSI-X' : dev.msi_enabled ? 'MSI' : null, irqs: irqsOf(dev) });

/** A part of a device that has a message store: its driver's. */
const partOf = (dev: device): Device => ({ name: dev.name, driver: to_pci_dev(dev.parent).driver, kind: dev.msi_list.length > 0 ? 'IMS' : null, irqs: irqsOf(dev) });

const irqsOf = ({ msi_list }: device): number[] => msi_list.flatMap(desc => (desc.irq === 0 ? [] : Array.from({ length: desc.nvec_used }, (_, i) => desc.irq + i)));

function apicDataOf(desc: irq_desc): apic_chip_data | undefined {
  return levelsOf(desc).map(level => level.chip_data).find(data => data instanceof apic_chip_data);
}

export function matrixOf({ kernel }: World, changes: ChangeTracker): Matrix | null {
  const m = vectorMatrix(kernel);
  if (!m) return null;
  const moving = movingVectors(kernel.irq_desc_tree.values(), m.maps.length);
  return {
    matrixBits: m.matrix_bits,
    allocStart: m.alloc_start,
    allocEnd: m.alloc_end,
    globalAvailable: m.global_available,
    globalReserved: m.global_reserved,
    totalAllocated: m.total_allocated,
    onlineMaps: m.online_maps,
    system: m.system_map.toString(),
    cpus: m.maps.map((map, cpu): MatrixCpu => {
      const row = {
        cpu,
        online: map.online,
        available: map.available,
        allocated: map.allocated,
        managed: map.managed,
        managedAllocated: map.managed_allocated,
        allocMap: map.alloc_map.toString(),
        managedMap: map.managed_map.toString(),
        moving: moving[cpu].toString(),
      };
      return { ...row, ...changes.value('matrix', String(cpu), JSON.stringify(row)) };
    }),
  };
}

function movingVectors(descs: Iterable<irq_desc>, cpus: number): bitmap[] {
  const moving = Array.from({ length: cpus }, () => new bitmap(VECTORS));
  for (const desc of descs) {
    const apicd = apicDataOf(desc);
    if (apicd && apicd.prev_vector > 0) moving[apicd.prev_cpu]?.set(apicd.prev_vector);
  }
  return moving;
}

/** By vector. */
export function vectorsOf({ kernel }: World, cpu: number): VectorOwner[] {
  const owners: VectorOwner[] = [];
  for (const [irq, desc] of kernel.irq_desc_tree) {
    const apicd = apicDataOf(desc);
    if (!apicd) continue;
    const name = actionsOf(desc) || (desc.irq_common_data.msi_desc?.dev.name ?? chipName(desc.irq_data));
    const active = (desc.irq_common_data.state_use_accessors & IRQD.ACTIVATED) !== 0;
    if (apicd.vector > 0 && apicd.cpu === cpu) owners.push({ vector: apicd.vector, irq, name, state: !active ? 'shutdown' : apicd.is_managed ? 'managed' : 'allocated' });
    if (apicd.prev_vector > 0 && apicd.prev_cpu === cpu) owners.push({ vector: apicd.prev_vector, irq, name, state: 'moving' });
  }
  return owners.sort((a, b) => a.vector - b.vector);
}
