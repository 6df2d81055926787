import type { CpuNumber, DeviceName, Name, PciAddress, Unsigned, VectorIndex } from './scenario-file';

// The scenario language: machine.remap, and the steps of guests and UV hubs.

export interface IntelRemapSection {
  type: 'intel';
  /** Extended interrupt mode: 32-bit APIC ids; x2APIC needs it. Default: as `x2apic`. */
  eim?: boolean;
  /** The units can post interrupts to a guest. */
  postedInterrupts?: boolean;
  /** The units say that they cache entries which are not present: the sign of a unit that a hypervisor makes up. */
  cachingMode?: boolean;
  /** Firmware asks the kernel not to use x2APIC mode; `intremap=no_x2apic_optout` overrides it. */
  x2apicOptOut?: boolean;
  /**
   * The unit's greatest handle mask: one message may use 2 to the power of it entries. Default: 15.
   * @asType integer
   * @minimum 0
   * @maximum 15
   */
  handleMask?: number;
  /** Several units, each for the devices that it names; one without devices has all the others. Default: one unit for everything. */
  units?: IntelUnitSection[];
}

export interface IntelUnitSection {
  /** The unit's functions; a bridge stands for all that is behind it. */
  devices?: PciAddress[];
  /** Ids of the IOAPICs below the unit. Where no unit has any, all are below the last one. */
  ioapics?: Unsigned[];
}

/** An AMD IOMMU: it is the PCI function 00:00.2, and interrupts itself by an MSI that cannot be masked. */
export interface AmdRemapSection {
  type: 'amd';
  /** Entries of 128 bits. Default: true. */
  ga?: boolean;
  /** The unit can deliver interrupts to a guest; needs `ga`. */
  guest?: boolean;
  /** The unit says that it caches entries which are not present: the sign of a unit that a hypervisor makes up. */
  npCache?: boolean;
  /** Functions whose messages carry the requester id of another one, as firmware says: they share its table. */
  aliases?: AliasSection[];
  /** The requester id that the first IOAPIC's messages carry, or false if the table leaves it out; default: the southbridge's, 00:14.0, which Linux insists on. */
  ioapic?: PciAddress | false;
}

export interface AliasSection {
  device: PciAddress;
  /** All requester ids from `device` to this one. */
  to?: PciAddress;
  alias: PciAddress;
}

/**
 * A guest's virtual CPU.
 * @asType integer
 * @minimum 0
 * @maximum 255
 */
export type VcpuNumber = number;

export interface VcpuAffinitySection {
  device: DeviceName;
  vector?: VectorIndex;
  vcpu?: VcpuNumber;
  /**
   * The vector that the guest sees; default: 0x51.
   * @asType integer
   * @minimum 32
   * @maximum 255
   */
  guestVector?: number;
}

export interface UvSetupSection {
  name: Name;
  /** The CPU that gets it; default 0. */
  cpu?: CpuNumber;
  /** Default 0. */
  blade?: Unsigned;
  /** Of the hub's register that routes it; default: 0x61b00. */
  offset?: Unsigned;
  /** Whether it may move; default: cpu, it may not. */
  limit?: 'all' | 'node' | 'cpu';
}
