import { nvme_driver } from '../kernel/drivers/nvme';
import { pattern_driver } from '../kernel/drivers/pattern';
import type { pci_driver } from '../kernel/drivers/pci/pci-driver';
import { IRQF_SHARED } from '../kernel/include/interrupt';
import { PCI_IRQ_AFFINITY, PCI_IRQ_LEGACY, PCI_IRQ_MSI, PCI_IRQ_MSIX } from '../kernel/include/pci';
import type { AllocSection, DriverSection } from './scenario-file';

/** Drivers whose request patterns are all that the model has of them. */
const E1000E: DriverSection = { alloc: { min: 3, max: 3, flags: ['PCI_IRQ_MSIX'] }, request: ['eth0-rx-0', 'eth0-tx-0', 'eth0'] };

/** A driver of the kernel, or of the scenario. The name has been checked. */
export function driverNamed(name: string, drivers: Readonly<Record<string, DriverSection>> = {}): pci_driver {
  if (name === 'nvme') return nvme_driver;
  return patternOf(name, name === 'e1000e' ? E1000E : drivers[name]);
}

function patternOf(name: string, { alloc, request = [`${name}-%d`] }: DriverSection): pci_driver {
  const { min, max, pre, post } = alloc;
  const flags = allocFlags(alloc.flags);
  // A pin may be shared with other devices.
  const requestFlags = flags & PCI_IRQ_LEGACY ? IRQF_SHARED : 0;
  const requests = Array.from({ length: max }, (_, vector) => ({ vector, name: vectorName(request, vector), flags: requestFlags }));
  return pattern_driver({ name, alloc: { min, max, flags, pre, post }, request: requests.flatMap(r => (r.name === undefined ? [] : [{ ...r, name: r.name }])) });
}

/** The vector's own name, or the last one with %d filled in; undefined: the vector is not requested. */
function vectorName(names: readonly string[], vector: number): string | undefined {
  const last = names.at(-1);
  if (vector < names.length) return names[vector].replace('%d', String(vector));
  return last?.endsWith('%d') ? last.replace('%d', String(vector)) : undefined;
}

const ALLOC_FLAGS = { PCI_IRQ_MSIX, PCI_IRQ_MSI, PCI_IRQ_LEGACY, PCI_IRQ_AFFINITY };

/** The flags argument of pci_alloc_irq_vectors_affinity(). */
export function allocFlags(flags: AllocSection['flags'] = ['PCI_IRQ_MSIX', 'PCI_IRQ_MSI']): number {
  return flags.reduce((sum, flag) => sum | ALLOC_FLAGS[flag], 0);
}
