import type { PciFunction } from '../hardware/pci';
import type { OtherDomain } from '../hardware/xen/other-domain';
import { XEN_PCI_OP } from '../hardware/xen/pci-backend';
import { xen_pcibk_xenbus_probe, xen_pcibk_xenbus_remove } from '../kernel/drivers/xen/xen-pciback/xenbus';
import { EBUSY, ENODEV, ESRCH } from '../kernel/lib/errno';
import { kernel, machine } from '../kernel/world';
import type { Op } from '../stepper/op';
import type { GuestSection } from './hypervisor-sections';

// Other guests of Xen's, to which dom0 has given devices: the step guest.

/** Those that have a device. */
export const NEEDS_DEVICE: readonly GuestSection['does'][] = ['enable_msi', 'disable_msi', 'enable_msix', 'disable_msix'];

/** @returns what pciback says to it; -ESRCH for a guest that is gone, -EBUSY for a start of what has started, -ENODEV where pciback does not listen */
export function* guestDoes({ domain, does, device, vectors = 1 }: GuestSection): Op<number> {
  const other = machine.xen!.others.get(domain);
  if (!other) return -ESRCH;
  if (does === 'start') return yield* starts(domain);
  if (does === 'end') return yield* ends(other);
  if (does === 'notify') return yield* notifies(other);
  const fn = machine.pci.find(({ config }) => config.name === device)!;
  return yield* asks(other, XEN_PCI_OP[does], fn, does === 'enable_msix' ? vectors : 0);
}

const backendOf = (domain: number) => kernel.xen_pcibk_devices.find(({ otherend_id }) => otherend_id === domain);

function* starts(domain: number): Op<number> {
  if (backendOf(domain)) return -EBUSY;
  return yield* xen_pcibk_xenbus_probe(domain, kernel.pci_devices.filter(({ hw }) => hw.config.guest === domain));
}

/** Xen takes all back first; then the toolstack tells pciback. */
function* ends(other: OtherDomain): Op<number> {
  machine.xen!.destroy(other);
  const pdev = backendOf(other.id);
  if (pdev) yield* xen_pcibk_xenbus_remove(pdev);
  return 0;
}

function* notifies(other: OtherDomain): Op<number> {
  if (!machine.xen!.notify(other)) return -ENODEV;
  yield { wait: 'window' };
  return 0;
}

function* asks(other: OtherDomain, cmd: number, fn: PciFunction, vectors: number): Op<number> {
  if (other.local === null) return -ENODEV;
  other.ask(cmd, fn, vectors);
  yield* notifies(other);
  const work = backendOf(other.id)?.op_work;
  while (other.waiting && work?.running) yield { wait: 'until', on: 'pciback', ready: () => !other.waiting || !work.running };
  return other.take(fn);
}
