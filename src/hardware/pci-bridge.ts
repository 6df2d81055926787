import type { PciFunction } from './pci';
import { EXP_FLAGS, PCI_CAP_ID_EXP, PCI_EXP_FLAGS, PCI_EXP_TYPE, PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE, PCI_SECONDARY_BUS } from './pci-registers';

// What bridges do to the requester id of a message on its way up.

/** Bus behind a bridge; undefined for another function. */
export function secondaryBus({ space }: PciFunction): number | undefined {
  const bridge = (space.read8(PCI_HEADER_TYPE) & 0x7f) === PCI_HEADER_TYPE_BRIDGE;
  return bridge ? space.read8(PCI_SECONDARY_BUS) : undefined;
}

/** The bridges from a bus up to its root, the nearest first. */
export function bridgesAbove(functions: readonly PciFunction[], domain: number, bus: number): PciFunction[] {
  const up: PciFunction[] = [];
  for (let at = bus; ;) {
    const bridge = functions.find(f => f.domain === domain && f.bus !== at && secondaryBus(f) === at);
    if (!bridge || up.includes(bridge)) return up;
    up.push(bridge);
    at = bridge.bus;
  }
}

/** PCI Express carries requester ids through; conventional PCI has none, so that a bridge signs. Source: PCI Express to PCI/PCI-X Bridge specification 1.0, 2.3 */
export function sentThrough(requesterId: number, bridges: readonly PciFunction[]): number {
  return bridges.reduce((id, bridge) => signedBy(bridge) ?? id, requesterId);
}

function signedBy(bridge: PciFunction): number | undefined {
  const express = bridge.space.findCapability(PCI_CAP_ID_EXP);
  if (express === 0) return bridge.requesterId;
  switch (EXP_FLAGS.get(bridge.space.read16(express + PCI_EXP_FLAGS), 'type')) {
    case PCI_EXP_TYPE.PCI_BRIDGE: return secondaryBus(bridge)! << 8;
    case PCI_EXP_TYPE.PCIE_BRIDGE: return bridge.requesterId;
    default: return undefined;
  }
}
