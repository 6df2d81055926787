// The panel's view of the domains, with the devices and the interrupts in each.
import { ims_messages } from '../../src/kernel/drivers/misc/ims_device';
import { type device, subdevice } from '../../src/kernel/include/device';
import type { irq_domain } from '../../src/kernel/include/irqdomain';
import { MSI_DEFAULT_DOMAIN, type msi_desc } from '../../src/kernel/include/msi';
import { dev_is_pci, type PciDev, to_pci_dev } from '../../src/kernel/include/pci';
import type { Kernel } from '../../src/kernel/globals';
import { no_irq_chip } from '../../src/kernel/irq/dummychip';
import type { World } from '../../src/kernel/world';
import type { ChangeTracker } from './changes';
import type { Device, Domain, Irq, Members } from '../panel-protocol';
import { decodedWord } from '../variables/flags';
import { actionsOf } from '../variables/interrupt';

/** Parents before their children, else in the order of their making; and what is in no domain. */
export function domainsOf({ kernel }: World, changes: ChangeTracker): { domains: Domain[]; outside: Members } {
  const ordered = hierarchical([...kernel.irq_domain_list].reverse());
  const members = membersOf(kernel);
  const none: Members = { devices: [], others: [] };
  const domains = ordered.map((domain, id): Domain => {
    const own = members.get(domain) ?? none;
    return {
      id,
      name: domain.name,
      parent: domain.parent ? ordered.indexOf(domain.parent) : null,
      busToken: short('bus_token', domain.bus_token),
      flags: short('flags', domain.flags),
      mapped: domain.mapcount,
      ...own,
      ...changes.value('domains', domain.name, JSON.stringify([domain.mapcount, own])),
    };
  });
  return { domains, outside: members.get(null) ?? none };
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

/** By domain; null: in none. */
function membersOf(kernel: Kernel): Map<irq_domain | null, Members> {
  const members = new Map<irq_domain | null, Members>();
  const of = (domain: irq_domain | null): Members => {
    const known = members.get(domain) ?? { devices: [], others: [] };
    members.set(domain, known);
    return known;
  };
  const parts = kernel.ims_devices.flatMap(({ subdevices }) => subdevices);
  const devices = [...kernel.pci_devices.map(dev => ({ dev, shown: pciDeviceOf(kernel, dev) })), ...parts.map(dev => ({ dev, shown: partOf(kernel, dev) }))];
  for (const { dev, shown } of devices) of(homeOf(dev) ?? domainOfFirst(kernel, shown)).devices.push(shown);
  const taken = new Set(devices.flatMap(({ shown }) => shown.irqs.map(({ irq }) => irq)));
  for (const [irq, { irq_data }] of kernel.irq_desc_tree) {
    if (!taken.has(irq) && irq_data.chip !== no_irq_chip) of(irq_data.domain).others.push(irqOf(kernel, irq));
  }
  return members;
}

/** The domain of a device's messages: one of its own, or that on which its own will stand, or one for many devices. */
const homeOf = (dev: device): irq_domain | null => (dev_is_pci(dev) ? dev.msi_data?.__domains[MSI_DEFAULT_DOMAIN].domain : null) ?? dev.msi_domain;

const domainOfFirst = ({ irq_desc_tree }: Kernel, { irqs }: Device): irq_domain | null => irq_desc_tree.get(irqs.at(0)?.irq ?? NaN)?.irq_data.domain ?? null;

const pciDeviceOf = (kernel: Kernel, dev: PciDev): Device => ({ ...deviceOf(kernel, dev), driver: dev.driver, kind: dev.msix_enabled ? 'MSI-X' : dev.msi_enabled ? 'MSI' : null });

/** A part of a device that has a message store: its driver's. */
const partOf = (kernel: Kernel, dev: subdevice): Device => ({ ...deviceOf(kernel, dev), driver: to_pci_dev(dev.parent).driver, kind: ims_messages(dev).length > 0 ? 'IMS' : null });

const deviceOf = (kernel: Kernel, dev: device): Pick<Device, 'name' | 'pointsNowhere' | 'irqs'> => ({
  name: dev.name,
  ...(!dev.msi_domain && { pointsNowhere: true }),
  irqs: irqsOf(dev instanceof subdevice ? ims_messages(dev) : dev.msi_list).map(irq => irqOf(kernel, irq)),
});

const irqsOf = (descs: readonly msi_desc[]): number[] => descs.flatMap(desc => (desc.irq === 0 ? [] : Array.from({ length: desc.nvec_used }, (_, i) => desc.irq + i)));

function irqOf({ irq_desc_tree }: Kernel, irq: number): Irq {
  const desc = irq_desc_tree.get(irq);
  return { irq, actions: desc ? actionsOf(desc) : '' };
}
