import type { InterruptBus } from './interrupt-bus';
import { bits } from './bits';
import { isInterruptAddress } from './message';
import type { PciFunction } from './pci';

// Intel's Volume Management Device: a function with a PCI hierarchy of its own, which nobody but it sees.

/** What a VMD reads in the address of a message from below: the data says nothing, and nothing else of the address does. */
export const VMD_MSI_ADDRESS_LO = bits(32, {
  index: [12, 19, "entry of the VMD's own MSI-X table, where others have their destination"],
  base_address: [20, 31, '0xfee'],
});

/** A function below `vmd` writes to memory: a message ends here, and the VMD sends the one of its own entry. */
export function collect(vmd: PciFunction, bus: InterruptBus, from: number, hi: number, lo: number, data: number): void {
  if (!isInterruptAddress(hi, lo)) {
    bus.events.push({ kind: 'memory write', requesterId: from, addressHi: hi, addressLo: lo, data });
    return;
  }
  const { index } = VMD_MSI_ADDRESS_LO.decode(lo);
  bus.events.push({ kind: 'collected', requesterId: from, addressLo: lo, data, by: vmd.requesterId, index });
  if (index < (vmd.msix?.place.entries ?? 0)) vmd.raise(index);
  else bus.events.push({ kind: 'held back', requesterId: vmd.requesterId, entry: index, why: 'no such entry' });
}
