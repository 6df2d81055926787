import type { Op } from '../../../stepper/op';
import type { pci_bus, PciDev } from '../../include/pci';
import { kernel } from '../../world';
import { device_release_driver } from './pci-driver';
import { device_attach } from './register';

// Hierarchies that come and go at run time: drivers/pci/bus.c and remove.c.

const devices_of = (bus: pci_bus): PciDev[] => kernel.pci_devices.filter(dev => dev.parent_bus === bus);
const child_of = (dev: PciDev): pci_bus | undefined => kernel.pci_buses.find(bus => bus.self === dev);

/** Drivers that are there get the devices, bus by bus. Source: drivers/pci/bus.c, pci_bus_add_devices() */
export function* pci_bus_add_devices(bus: pci_bus): Op {
  for (const dev of devices_of(bus)) yield* device_attach(dev);
  for (const dev of devices_of(bus)) {
    const child = child_of(dev);
    if (child) yield* pci_bus_add_devices(child);
  }
}

/** Drivers let go, of what is behind a bridge first, of the last device first. Source: drivers/pci/remove.c, pci_stop_root_bus(), pci_stop_bus_device() */
export function* pci_stop_root_bus(bus: pci_bus): Op {
  for (const dev of devices_of(bus).reverse()) {
    const child = child_of(dev);
    if (child) yield* pci_stop_root_bus(child);
    yield* device_release_driver(dev);
  }
}

/** The devices go, and the buses. Source: drivers/pci/remove.c, pci_remove_root_bus(), pci_remove_bus_device() */
export function* pci_remove_root_bus(bus: pci_bus): Op {
  for (const dev of devices_of(bus)) {
    const child = child_of(dev);
    if (child) yield* pci_remove_root_bus(child);
    kernel.pci_devices.splice(kernel.pci_devices.indexOf(dev), 1);
  }
  kernel.pci_buses.splice(kernel.pci_buses.indexOf(bus), 1);
}

/** A device goes, its driver first. Source: drivers/pci/remove.c, pci_stop_and_remove_bus_device() */
export function* pci_stop_and_remove_bus_device(dev: PciDev): Op {
  yield* device_release_driver(dev);
  kernel.pci_devices.splice(kernel.pci_devices.indexOf(dev), 1);
}

/** The root bus after `from`; null for the first, and after the last. Source: drivers/pci/search.c, pci_find_next_bus() */
export function pci_find_next_bus(from: pci_bus | null): pci_bus | null {
  const roots = kernel.pci_buses.filter(bus => bus.parent === null);
  return roots.at(from ? roots.indexOf(from) + 1 : 0) ?? null;
}
