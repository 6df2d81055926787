import type { VpciBus } from '../hardware/hyperv-vpci-bus';
import type { PciFunction } from '../hardware/pci';
import { vmbus_probe, vmbus_remove, vmbus_resume, vmbus_suspend } from '../kernel/drivers/hv/vmbus_drv';
import { hv_pci_drv } from '../kernel/drivers/pci/controller/pci-hyperv';
import type { hv_device } from '../kernel/include/hyperv';
import { EBUSY, ENODEV } from '../kernel/lib/errno';
import { kernel, machine } from '../kernel/world';
import type { Op } from '../stepper/op';
import type { EjectSection, RefuseSection } from './hypervisor-sections';

// What a Hyper-V host does, and what a guest does with its virtual PCI buses: eject, refuse, and probe, remove, suspend and resume of a bus.

/** What can be done with a bus. */
export const BUS_ACTIONS = ['probe', 'remove', 'suspend', 'resume', 'eject', 'refuse'] as const;
/** What the guest does with it, of its own accord. */
export type BusAction = 'probe' | 'remove' | 'suspend' | 'resume';

/** @param instance of the bus @returns 0 or an errno; -EBUSY for a probe of what is probed, -ENODEV for what else of a bus that is not, and for one that the host has back */
export function* onBus(instance: string, action: BusAction): Op<number> {
  const hdev = kernel.vmbus_devices.find(({ name }) => name === instance);
  if (!hdev) return -ENODEV;
  if (action === 'probe') return hdev.driver === null ? yield* vmbus_probe(hdev, hv_pci_drv) : -EBUSY;
  return hdev.driver === null ? -ENODEV : yield* ofDriver(hdev, action);
}

function* ofDriver(hdev: hv_device, action: Exclude<BusAction, 'probe'>): Op<number> {
  if (action === 'suspend') return yield* vmbus_suspend(hdev);
  if (action === 'resume') return yield* vmbus_resume(hdev);
  yield* vmbus_remove(hdev);
  return 0;
}

/** By the names of the scenario; undefined for what the host has back. */
function onHost(name: string): { readonly bus: VpciBus; readonly devfn: number | null } | undefined {
  for (const bus of machine.hyperv!.buses) {
    if (bus.config.name === name && !bus.rescinded) return { bus, devfn: null };
    const fn = bus.functions.find(({ config }) => config.name === name);
    if (fn) return { bus, devfn: fn.devfn };
  }
  return undefined;
}

/** The host wants the device back, or it is just gone: now, or when it is asked for something the next time. @returns 0 or -ENODEV */
export function* hostEjects({ device, at = 'now', forced = false, unlisted = false }: EjectSection): Op<number> {
  const found = onHost(device);
  if (!found) return -ENODEV;
  const { bus, devfn } = found;
  if (at !== 'now') bus.orders.push({ devfn, at, does: forced || devfn === null ? 'withdraw' : 'eject' });
  else if (devfn === null) bus.rescind();
  else if (forced) bus.withdrawn.add(devfn);
  else if (unlisted) bus.unlist(devfn);
  else bus.eject(devfn);
  yield { wait: 'window' };
  return 0;
}

/** The host will say no, once. @returns 0 or -ENODEV */
export function* hostRefuses({ device, at }: RefuseSection): Op<number> {
  const found = onHost(device);
  if (!found) return -ENODEV;
  found.bus.orders.push({ devfn: found.devfn, at, does: 'refuse' });
  return 0;
}

/** A function that was passed through, and that the host has back, can do nothing to this machine. */
export function isGone({ config: { behind }, devfn }: PciFunction): boolean {
  const bus = machine.hyperv?.buses.find(({ config }) => config.instance === behind);
  return bus !== undefined && (bus.withdrawn.has(devfn) || !bus.functions.some(fn => fn.devfn === devfn));
}
