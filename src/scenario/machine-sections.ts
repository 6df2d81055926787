import type { DomainId, HypervisorSection } from './hypervisor-sections';
import type { ImsSection, SmbiosSection } from './ims-sections';
import type { AmdRemapSection, IntelRemapSection } from './remap-sections';
import type { DeviceName, Name, PciAddress, Unsigned, VectorCount } from './scenario-file';

// The scenario language: the hardware.

export interface MachineSection {
  /**
   * How many CPUs (APIC ids count from 0, nodes get equal blocks), or a list of them.
   */
  cpus?: CpuCount | CpuEntry[];
  /**
   * NUMA nodes that the CPUs are divided among.
   * @asType integer
   * @minimum 1
   * @maximum 64
   */
  nodes?: number;
  /** The CPUs have x2APIC mode; the kernel uses it where interrupt remapping allows. */
  x2apic?: boolean;
  /** Interrupt remapping: none (default), intel or amd (one unit for all devices), or one of these with options. */
  remap?: 'none' | 'intel' | 'amd' | IntelRemapSection | AmdRemapSection;
  /** The IOAPICs; default: one with 24 pins. */
  ioapics?: IoApicSection[];
  /** ISA interrupts that are not on the pin of their number; default: as on a PC, 0 on pin 2, and 5, 9, 10 and 11 level triggered. */
  overrides?: OverrideSection[];
  /** The block of high precision event timers; default: none. */
  hpet?: HpetSection;
  /** The timers of the local APICs run in deep sleep too (default), so that Linux needs no timer of the HPET for each CPU. */
  arat?: boolean;
  /** The machine is an SGI UV: a blade with a hub for each NUMA node. */
  uv?: boolean;
  /** What firmware says of the machine, where a driver asks whether it is a guest. */
  smbios?: SmbiosSection;
  /** The machine is a guest. kvm: then x2APIC mode needs no remapping, with APIC ids up to 255. */
  hypervisor?: 'kvm' | HypervisorSection;
  /** The PCI functions. */
  devices?: DeviceSection[];
}

export interface OverrideSection {
  /**
   * @asType integer
   * @minimum 0
   * @maximum 15
   */
  irq: number;
  gsi: Unsigned;
  /** Default: edge. */
  level?: boolean;
  /** Active low; default: high. */
  low?: boolean;
}

/**
 * @asType integer
 * @minimum 1
 * @maximum 1024
 * @expected a number of CPUs from 1 to 1024
 */
export type CpuCount = number;

export interface CpuEntry {
  apicId: Unsigned;
  /** NUMA node; default 0. */
  node?: Unsigned;
}

export interface IoApicSection {
  id: Unsigned;
  /** Physical address of its registers. */
  address: Unsigned;
  /**
   * @asType integer
   * @minimum 1
   * @maximum 240
   */
  pins: number;
  /** Global interrupt number of its pin 0. */
  gsiBase: Unsigned;
}

/**
 * @asType integer
 * @minimum 1
 * @maximum 255
 */
export type BusNumber = number;

/** High precision event timers, at 0xfed00000; timers 0 and 1 stand in for PIT and RTC. A remapping unit has them below it. */
export interface HpetSection {
  /**
   * How many; default 3.
   * @asType integer
   * @minimum 3
   * @maximum 24
   */
  timers?: number;
  /** Those that can send messages: none (default), all, or a list of their numbers. */
  messages?: boolean | TimerNumber[];
}

/**
 * A timer of the HPET, from 0.
 * @asType integer
 * @minimum 0
 * @maximum 23
 */
export type TimerNumber = number;

/** A PCI function. `kind` gives ids and capabilities; whatever is written besides wins. */
export interface DeviceSection {
  /** How the steps call it. */
  name: Name;
  /**
   * nvme: 65 MSI-X entries; nic: an e1000e, 5 MSI-X entries and one MSI; edu: one MSI that cannot be masked, no driver;
   * vmd: an Intel Volume Management Device, 33 MSI-X entries, for devices that say `behind`;
   * bridge: a root port or what `port` says, for devices on other buses; ims: 9 MSI-X entries, and what `ims` says; custom: only what is written here.
   */
  kind: 'nvme' | 'nic' | 'edu' | 'vmd' | 'bridge' | 'ims' | 'custom';
  address: PciAddress;
  /** The VMD that hides it, or Hyper-V's virtual PCI bus that it is on: `address` is then one there, and the kernel finds it when that one is probed. */
  behind?: DeviceName;
  /** In dom0 of Xen: the guest that has it, by its DOMID. dom0 keeps it with pciback, and does for that guest what it asks. */
  guest?: DomainId;
  /** Of a bridge: the bus behind it. */
  secondary?: BusNumber;
  /** Of a bridge: what it is; default: a root port. Only PCI Express passes on who sent a message: a bridge to conventional PCI signs itself. pci: conventional on both sides. */
  port?: 'root-port' | 'upstream' | 'downstream' | 'pcie-to-pci' | 'pci-to-pcie' | 'pci';
  /** Of a bridge: the last bus behind it; default: its secondary bus. */
  subordinate?: BusNumber;
  /** The global interrupt number that its INTx line (INTA) goes to; default: 20 to 23 by its slot, as on a q35. */
  gsi?: Unsigned;
  /**
   * @asType integer
   * @minimum 0
   * @maximum 65535
   */
  vendor?: number;
  /**
   * @asType integer
   * @minimum 0
   * @maximum 65535
   */
  device?: number;
  /**
   * Class code, three bytes: 0x010802 is an NVMe drive.
   * @asType integer
   * @minimum 0
   * @maximum 16777215
   */
  class?: number;
  /** Entries of the MSI-X table, or false for a device without MSI-X. */
  msix?: VectorCount | false;
  /** A message store of its own, for kernels that never were: with `kind: ims`. */
  ims?: ImsSection;
  /** The MSI capability, or false for a device without MSI. */
  msi?: MsiSection | false;
  /**
   * How many virtual functions it can make of itself (SR-IOV). Of nic0 they are nic0.vf0 and so on, there from `sriov` on, with the MSI-X table of nic0,
   * at device and function 10.0 behind it and at each second one from there.
   * @asType integer
   * @minimum 1
   * @maximum 64
   */
  vfs?: number;
  /** NUMA node; default: unknown (-1), as on a PC. */
  node?: Unsigned;
}

export interface MsiSection {
  /** Vectors that the device can use. */
  vectors: 1 | 2 | 4 | 8 | 16 | 32;
  /** Each vector has a mask bit. */
  maskable?: boolean;
  /** The message's address may have 64 bits. */
  addr64?: boolean;
}
