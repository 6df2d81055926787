import { PCI_PROTOCOL_VERSION_1_3 } from '../hardware/hyperv-vpci';
import type { HypervConfig } from '../hardware/machine-config';
import type { VpciBusSection } from './hypervisor-sections';
import type { MachineSection } from './machine-sections';

/** The virtual PCI buses of a machine. */
export function busesOf({ hypervisor }: MachineSection = {}): readonly VpciBusSection[] {
  return typeof hypervisor === 'object' ? (hypervisor.hyperv?.buses ?? []) : [];
}

export const findBus = (machine: MachineSection | undefined, name: string | undefined): VpciBusSection | undefined => busesOf(machine).find(bus => bus.name === name);

/** The GUID of a bus in lower case; where it has none, one whose domain is its number, from 1. */
export function instanceOf({ name, instance }: VpciBusSection, machine: MachineSection | undefined): string {
  const number = busesOf(machine).findIndex(bus => bus.name === name) + 1;
  return instance?.toLowerCase() ?? `f8615163-${number.toString(16).padStart(4, '0')}-1000-2000-6045bd2e0a8f`;
}

/** The host below, if there is one. */
export function hypervConfig(machine: MachineSection): HypervConfig | undefined {
  const section = typeof machine.hypervisor === 'object' ? machine.hypervisor.hyperv : undefined;
  if (!section) return undefined;
  const protocol = section.protocol === undefined ? PCI_PROTOCOL_VERSION_1_3 : 0x10000 | Math.round(section.protocol * 10) % 10;
  return { protocol, buses: busesOf(machine).map(bus => ({ name: bus.name, instance: instanceOf(bus, machine) })) };
}
