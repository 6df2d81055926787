// The scenario language: what a *.irq.yaml may hold. schemas/irq-scenario.schema.json is made from these types by
// build/schema.mjs: comments are what editors show, `@expected` is what an error says.
import type { AuxdataSection, ImsSection, MsiAllocSection, RaiseSection, SmbiosSection } from './ims-sections';
import type { EjectSection, HypervisorSection, RefuseSection } from './hypervisor-sections';
import type { CallSection, FunctionName, ModulePath } from './module-sections';
import type { XenSection } from './xen-section';
import type { AmdRemapSection, IntelRemapSection, UvSetupSection, VcpuAffinitySection, VcpuNumber } from './remap-sections';

/**
 * A PCI function: bus:device.function in hexadecimal, with or without the segment in front.
 * @pattern ^([0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]$
 * @expected a PCI address such as 0000:00:04.0 or 00:04.0, with a device of 00 to 1f and a function of 0 to 7
 */
export type PciAddress = string;

/**
 * CPUs by their Linux numbers, written as the kernel writes them: 2, "0-3", "0,2-3".
 */
export type CpuList = CpuNumber | CpuRanges;

/**
 * A CPU by its Linux number, from 0.
 * @asType integer
 * @minimum 0
 */
export type CpuNumber = number;

/**
 * @pattern ^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$
 * @expected CPUs such as 2, 0-3 or 0,2-3
 */
export type CpuRanges = string;

/**
 * A Kconfig symbol without CONFIG_, or one with its number: IRQ_WORK, NR_CPUS=64.
 * @pattern ^[A-Z0-9_]+(=\d{1,5})?$
 * @expected a Kconfig symbol without CONFIG_, such as IRQ_WORK or NR_CPUS=64
 */
export type KconfigSymbol = string;

/**
 * A device by its name in `machine.devices`, or by its PCI address.
 * @expected a device's name
 */
export type DeviceName = string;

/**
 * @asType integer
 * @minimum 0
 * @maximum 4294967295
 */
export type Unsigned = number;

/**
 * @asType integer
 * @minimum 1
 * @maximum 2048
 */
export type VectorCount = number;

/**
 * @asType integer
 * @minimum 0
 * @maximum 2047
 */
export type VectorIndex = number;

/**
 * Vectors or entries of a device, one or several: 3, "0-127", "0,4-7".
 */
export type VectorList = VectorIndex | VectorRanges;

/**
 * @pattern ^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$
 * @expected vectors such as 2, 0-127 or 0,4-7
 */
export type VectorRanges = string;

/**
 * @minLength 1
 * @maxLength 64
 * @pattern ^[\w.:@-]+$
 * @expected a name of letters, digits and . : @ - _
 */
export type Name = string;

/** What is run: a kernel on a machine, and what is done there, step by step. */
export interface ScenarioFile {
  /** One line: what the scenario shows. */
  title?: string;
  /** Where it stands among the examples. */
  about?: AboutSection;
  /**
   * The kernel that is modelled: v5.9 (before the series), v5.10 (default, after it), v5.10.223 with the stable changes of four years,
   * v5.10+device-msi with the patches that were posted and not merged; or any point between.
   */
  kernel?: KernelName | KernelSection;
  /** The kernel's command line, such as "intremap=off" or "nox2apic". */
  cmdline?: string;
  /** What the kernel was built with, without CONFIG_; default: as distributions build it. */
  config?: KconfigSymbol[];
  /** The hardware; default: a PC with 4 CPUs and no devices. */
  machine?: MachineSection;
  /** Drivers of your own, by name: what they ask of the interrupt code when they probe. */
  drivers?: Record<string, DriverSection>;
  /** TypeScript modules of your own, on the functions of irqstep/model: domains, chips, drivers. Each is loaded behind the boot, and its init() is called. */
  modules?: ModulePath[];
  /**
   * What is done, in order. Each step is one action.
   * @minItems 1
   * @expected a list of actions, at least one
   */
  steps: Step[];
}

/** How "irqstep: Open a Scenario" lists it. */
export interface AboutSection {
  /** What delivers the interrupts. */
  platform: 'native' | 'intel-remapping' | 'amd-remapping' | 'hpet-uv' | 'vmd' | 'xen' | 'hyper-v' | 'device-msi' | 'own-domain' | 'series';
  /**
   * What somebody asks who should open it.
   * @minLength 1
   */
  question: string;
  /**
   * Where the case is from: a commit, a mail, a report, or the kernel's source.
   * @minLength 1
   */
  source: string;
}

export type KernelName = 'v5.9' | 'v5.10' | 'v5.10.223' | 'v5.10+device-msi' | 'v5.10+ims-repost';

/**
 * A change of the kernel: a patch of the series, or a commit by the name that it has here. "irqstep run --help" says where they are listed.
 * @expected the id of a change, such as v2-04
 */
export type ChangeName = string;

/** A kernel between the releases: either `base` or `series`, and changes more or less. */
export interface KernelSection {
  /** The release to start from. */
  base?: KernelName;
  /**
   * Patches of the series on top of v5.9: 0 to 46, of which the first 38 were merged.
   * @asType integer
   * @minimum 0
   * @maximum 46
   */
  series?: number;
  /** Changes on top of that, such as the repair of a later one. */
  with?: ChangeName[];
  /** Changes that are taken away from it: one, to see what it is good for. */
  without?: ChangeName[];
}

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
  hypervisor?: 'kvm' | HypervisorSection | XenSection;
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

/** How a driver gets its interrupts: pci_alloc_irq_vectors_affinity(), then one request_irq() a vector. */
export interface DriverSection {
  /** The devices that it takes when a step probes them and names no driver. */
  match?: MatchSection;
  /** What it allocates; of several, each is tried when the one before gets nothing: MSI-X, then MSI, then the pin. */
  alloc: AllocSection | AllocAttempts;
  /** What it requests, from vector 0 on: a name each, or a map. A last name ending in %d is for all vectors that remain. Default: DRIVER-%d. */
  request?: (string | DriverRequest)[];
}

/**
 * @minItems 1
 */
export type AllocAttempts = AllocSection[];

/** All that is written must be so. */
export interface MatchSection {
  address?: PciAddress;
  vendor?: Unsigned;
  device?: Unsigned;
  /** Class code, three bytes. */
  class?: Unsigned;
}

/** A request_irq(), or a request_threaded_irq(). */
export interface DriverRequest {
  /** As /proc/interrupts shows it; %d is the vector's number. */
  name: string;
  /** Default: IRQF_SHARED where `alloc` may come to the pin. */
  flags?: RequestFlag[];
  /** What the handler says: IRQ_HANDLED (default) serves the device; IRQ_NONE does not; IRQ_WAKE_THREAD leaves it to a thread. NULL: there is no handler but the thread. */
  handler?: 'IRQ_HANDLED' | 'IRQ_NONE' | 'IRQ_WAKE_THREAD' | 'NULL';
}

export type RequestFlag = 'IRQF_SHARED' | 'IRQF_NOBALANCING' | 'IRQF_NO_THREAD' | 'IRQF_ONESHOT';

export interface AllocSection {
  /** Fewest vectors that will do. */
  min: VectorCount;
  /** Most vectors that are of use. */
  max: VectorCount;
  /** Default: PCI_IRQ_MSIX and PCI_IRQ_MSI. */
  flags?: ('PCI_IRQ_MSIX' | 'PCI_IRQ_MSI' | 'PCI_IRQ_LEGACY' | 'PCI_IRQ_AFFINITY')[];
  /** Vectors before the spread ones (with PCI_IRQ_AFFINITY): pre_vectors. */
  pre?: VectorIndex;
  /** Vectors behind the spread ones (with PCI_IRQ_AFFINITY): post_vectors. */
  post?: VectorIndex;
  /**
   * The spread vectors in sets, each over all CPUs (with PCI_IRQ_AFFINITY), as a driver's calc_sets(): sizes at most; the first set has what the others leave.
   * @minItems 1
   * @maxItems 4
   * @expected one to four sizes
   */
  sets?: VectorCount[];
}

export type Step = 'boot' | StepMap;

/**
 * One action, and how it is done.
 * @expected a map with one action: probe, remove, alloc, freeVectors, request, free, disable, enable, raise, write, expire, assert, deassert, affinity, vcpu, vcpuAffinity, uvSetup, uvTeardown, uvRaise, msiAlloc, msiFree, auxdata, sriov, call, eject, refuse, suspend, resume, offline or online
 */
export interface StepMap {
  /** A driver takes the device: one of `drivers` that matches it, else the one of its kind; or the one that is named, which one of the `modules` may export. */
  probe?: DeviceName | { device: DeviceName; driver?: Name };
  /** The driver lets go of the device. */
  remove?: DeviceName;
  /** pci_alloc_irq_vectors_affinity() on a device that no driver has. Its result is the number of vectors. */
  alloc?: { device: DeviceName } & AllocSection;
  /** pci_free_irq_vectors() */
  freeVectors?: DeviceName;
  /** request_irq() on a vector of a device that no driver has. */
  request?: {
    device: DeviceName;
    /** Default 0. */
    vector?: VectorIndex;
    /** As /proc/interrupts shows it; default: the device's name. */
    name?: Name;
    flags?: RequestFlag[];
    /** What the handler says: IRQ_HANDLED (default) serves the device; IRQ_NONE does not; IRQ_WAKE_THREAD leaves it to a thread. */
    handler?: 'IRQ_HANDLED' | 'IRQ_NONE' | 'IRQ_WAKE_THREAD';
  };
  /** free_irq() on a vector of a device that no driver has. */
  free?: { device: DeviceName; vector?: VectorIndex };
  /** disable_irq() on a vector of a device that no driver has; it nests. */
  disable?: { device: DeviceName; vector?: VectorIndex };
  /** enable_irq() on a vector of a device that no driver has. */
  enable?: { device: DeviceName; vector?: VectorIndex };
  /** The device drives its interrupt line (INTx) until a handler serves it. */
  assert?: DeviceName;
  /** The device lets go of its line, served or not. */
  deassert?: DeviceName;
  /** The device sends the message of one of its entries, or of several, one after the other. */
  raise?: DeviceName | RaiseSection;
  /** A timer of the HPET has run out: it interrupts if it is on. Result: 1 if it did, else 0. */
  expire?: TimerNumber;
  /** The device writes to memory of its own accord: an interrupt message, if the address is in 0xfeexxxxx, whoever that message belongs to. */
  write?: { device: DeviceName; address: Unsigned; data: Unsigned };
  /** A guest's virtual CPU is loaded onto a CPU, or is taken off it ("none"). It is made when it is named first. */
  vcpu?: { id: VcpuNumber; runs: CpuNumber | 'none' };
  /** As a hypervisor does for a device of its guest: the interrupt goes to a virtual CPU as `guestVector`; without `vcpu` back to the host. */
  vcpuAffinity?: VcpuAffinitySection;
  /** uv_setup_irq() and request_irq() for an interrupt of a UV hub. Its result is the irq. */
  uvSetup?: UvSetupSection;
  /** free_irq() and uv_teardown_irq() for the interrupt of this name. */
  uvTeardown?: Name;
  /** The hub sends the interrupt of this name. */
  uvRaise?: Name;
  /** msi_domain_alloc_irqs() for a part of a device (ims), once; then request, raise and others know it. */
  msiAlloc?: MsiAllocSection;
  /** msi_domain_free_irqs() for a part of a device. */
  msiFree?: DeviceName;
  /** irq_set_auxdata(): the slot of a part's vector belongs to an address space. */
  auxdata?: AuxdataSection;
  /** A function that one of the `modules` exports. Its result is what it returns. */
  call?: FunctionName | CallSection;
  /** Writes CPUs to /proc/irq/N/smp_affinity_list, for an irq by its number or by its device's vector, or for several of them. Its result is the first error. */
  affinity?: { irq?: Unsigned; device?: DeviceName; vector?: VectorList; cpus: CpuList };
  /** Writes to /sys/bus/pci/devices/.../sriov_numvfs: the device's driver makes so many virtual functions, or lets all go (0). */
  sriov?: { device: DeviceName; numvfs: Unsigned };
  /** A Hyper-V host wants a device on a virtual PCI bus back. */
  eject?: DeviceName | EjectSection;
  /** A Hyper-V host says no to what is next asked of it for a device. */
  refuse?: RefuseSection;
  /** The machine is going to hibernate: what drives a virtual PCI bus closes its channel, and the host forgets the interrupts. */
  suspend?: Name;
  /** It has come back: the same bus, and new messages for its interrupts. */
  resume?: Name;
  /** Takes a CPU offline: echo 0 > /sys/devices/system/cpu/cpuN/online. */
  offline?: CpuNumber;
  /** Brings a CPU online: echo 1 > /sys/devices/system/cpu/cpuN/online. */
  online?: CpuNumber;
  /** The CPU that does it; default 0. */
  cpu?: CpuNumber;
  /** The n-th memory allocation of this step fails, as /proc/self/fail-nth makes it on a kernel with CONFIG_FAILSLAB. */
  failNth?: AllocationNumber;
  /** What the action must return: an errno such as -ENOSPC, or a number. The run fails if it returns something else. */
  expect?: ErrnoName | ReturnValue;
}

/**
 * @asType integer
 * @minimum 1
 * @maximum 1000000
 * @expected which allocation fails, from 1 on
 */
export type AllocationNumber = number;

/**
 * @pattern ^-E[A-Z0-9]+$
 * @expected an errno such as -ENOSPC
 */
export type ErrnoName = string;

/**
 * @asType integer
 */
export type ReturnValue = number;
