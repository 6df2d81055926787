import { ims_driver } from '../kernel/drivers/misc/ims_device';
import { nvme_driver } from '../kernel/drivers/nvme';
import { pattern_driver, type RequestPattern } from '../kernel/drivers/pattern';
import { pci_sriov_configure_simple } from '../kernel/drivers/pci/iov';
import { vmd_drv } from '../kernel/drivers/pci/controller/vmd';
import { pcie_portdriver } from '../kernel/drivers/pci/pcie/portdrv';
import type { pci_driver } from '../kernel/drivers/pci/pci-driver';
import { xen_pcibk_pci_driver } from '../kernel/drivers/xen/xen-pciback/pci_stub';
import { IRQF_NO_THREAD, IRQF_NOBALANCING, IRQF_ONESHOT, IRQF_SHARED } from '../kernel/include/interrupt';
import { PCI_IRQ_AFFINITY, PCI_IRQ_LEGACY, PCI_IRQ_MSI, PCI_IRQ_MSIX } from '../kernel/include/pci';
import { builtInDrivers, deviceKind, sameAddress } from './devices';
import type { AllocSection, DriverRequest, DriverSection, MatchSection, RequestFlag } from './driver-sections';
import type { DeviceSection } from './machine-sections';

/** Drivers whose request patterns are all that the model has of them. */
const E1000E: DriverSection = { alloc: { min: 3, max: 3, flags: ['PCI_IRQ_MSIX'] }, request: ['eth0-rx-0', 'eth0-tx-0', 'eth0'] };

/** A driver of the kernel, or of the scenario. The name has been checked. */
export function driverNamed(name: string, drivers: Readonly<Record<string, DriverSection>> = {}): pci_driver {
  if (name === 'nvme') return nvme_driver;
  if (name === 'pcieport') return pcie_portdriver;
  if (name === 'vmd') return vmd_drv;
  if (name === 'ims') return ims_driver;
  if (name === 'pciback') return xen_pcibk_pci_driver;
  return name === 'e1000e' ? patternOf(name, E1000E) : { ...patternOf(name, drivers[name]), sriov_configure: pci_sriov_configure_simple };
}

/** Is it a driver of the kernel, or of the scenario? */
export const isDriver = (name: string, drivers: Readonly<Record<string, DriverSection>> = {}): boolean => builtInDrivers.includes(name) || Object.hasOwn(drivers, name);

/** The driver that takes a device where none is named: the first of the scenario's that matches, else the kernel's for its kind. */
export function driverFor(device: DeviceSection, drivers: Readonly<Record<string, DriverSection>> = {}): string | undefined {
  return Object.keys(drivers).find(name => matches(drivers[name].match, device)) ?? deviceKind(device).driver;
}

function matches(match: MatchSection | undefined, written: DeviceSection): boolean {
  if (!match) return false;
  const { vendor, device, class: classCode } = deviceKind(written);
  const { address } = match;
  return (
    (match.vendor ?? vendor) === vendor && (match.device ?? device) === device && (match.class ?? classCode) === classCode && (address === undefined || (written.behind === undefined && sameAddress(address, written.address)))
  );
}

function patternOf(name: string, { alloc, request = [`${name}-%d`] }: DriverSection): pci_driver {
  const attempts = Array.isArray(alloc) ? alloc : [alloc];
  // A pin may be shared with other devices.
  const flags = attempts.some(attempt => allocFlags(attempt.flags) & PCI_IRQ_LEGACY) ? IRQF_SHARED : 0;
  const vectors = Math.max(...attempts.map(({ max }) => max));
  return pattern_driver({
    name,
    alloc: attempts.map(attempt => ({ ...attempt, flags: allocFlags(attempt.flags) })),
    request: Array.from({ length: vectors }, (_, vector) => requestOf(request, vector, flags) ?? []).flat(),
  });
}

/** The vector's own entry, or the last one with %d filled in; undefined: the vector is not requested. */
function requestOf(entries: readonly (string | DriverRequest)[], vector: number, flags: number): RequestPattern | undefined {
  const entry = entries.at(Math.min(vector, entries.length - 1));
  if (entry === undefined) return undefined;
  const written: DriverRequest = typeof entry === 'string' ? { name: entry } : entry;
  if (vector >= entries.length && !written.name.endsWith('%d')) return undefined;
  return { vector, name: written.name.replace('%d', String(vector)), flags: written.flags ? requestFlags(written.flags) : flags, ...(written.handler && { handler: written.handler }) };
}

const ALLOC_FLAGS = { PCI_IRQ_MSIX, PCI_IRQ_MSI, PCI_IRQ_LEGACY, PCI_IRQ_AFFINITY };

/** The flags argument of pci_alloc_irq_vectors_affinity(). */
export function allocFlags(flags: AllocSection['flags'] = ['PCI_IRQ_MSIX', 'PCI_IRQ_MSI']): number {
  return flags.reduce((sum, flag) => sum | ALLOC_FLAGS[flag], 0);
}

const REQUEST_FLAGS: Record<RequestFlag, number> = { IRQF_SHARED, IRQF_NOBALANCING, IRQF_NO_THREAD, IRQF_ONESHOT };

/** The flags argument of request_irq(). */
export const requestFlags = (flags: readonly RequestFlag[] = []): number => flags.reduce((sum, flag) => sum | REQUEST_FLAGS[flag], 0);
