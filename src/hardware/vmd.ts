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

/** Offset of a word in the VMD's configuration space. */
export const PCI_REG_VMCONFIG = 0x44;
export const VMCONFIG = bits(16, { msi_remap: [1, '1 = messages from below go on as they are'] });

/** VMDs of laptops and desktops, by device id: entry 0 of their tables is for software alone, and is never sent for a message from below. */
const CLIENT_VMDS: readonly number[] = [0x467f, 0x4c3d, 0xa77f, 0x7d0b, 0xad0b, 0x9a0b];
export const isClientVmd = ({ config }: PciFunction): boolean => CLIENT_VMDS.includes(config.device);

/** Whether messages from below go on as they are, sent as the VMD's own. */
export const passesOn = (vmd: PciFunction): boolean => VMCONFIG.get(vmd.space.read16(PCI_REG_VMCONFIG), 'msi_remap') === 1;

/** A function below `vmd` writes to memory: a message ends here, and the VMD sends the one of its own entry. */
export function collect(vmd: PciFunction, bus: InterruptBus, from: number, hi: number, lo: number, data: number): void {
  if (!isInterruptAddress(hi, lo)) {
    bus.events.push({ kind: 'memory write', requesterId: from, addressHi: hi, addressLo: lo, data });
    return;
  }
  const { index } = VMD_MSI_ADDRESS_LO.decode(lo);
  bus.events.push({ kind: 'collected', requesterId: from, addressLo: lo, data, by: vmd.requesterId, index });
  const why = index >= (vmd.msix?.place.entries ?? 0) ? 'no such entry' : index === 0 && isClientVmd(vmd) ? 'it is for software alone' : undefined;
  if (why === undefined) vmd.raise(index);
  else bus.events.push({ kind: 'held back', requesterId: vmd.requesterId, entry: index, why });
}
