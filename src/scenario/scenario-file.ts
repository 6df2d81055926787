// The scenario language: what a *.irq.yaml may hold. schemas/irq-scenario.schema.json is made from these types by
// build/schema.mjs: comments are what editors show, `@expected` is what an error says.
import type { AllocSection, DriverSection, RequestFlag } from './driver-sections';
import type { EjectSection, GuestSection, RefuseSection } from './hypervisor-sections';
import type { AuxdataSection, MsiAllocSection, RaiseSection } from './ims-sections';
import type { MachineSection, TimerNumber } from './machine-sections';
import type { CallSection, FunctionName, ModulePath } from './module-sections';
import type { UvSetupSection, VcpuAffinitySection, VcpuNumber } from './remap-sections';

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

export type Step = 'boot' | StepMap;

/**
 * One action, and how it is done.
 * @expected a map with one action: probe, remove, alloc, freeVectors, request, free, disable, enable, raise, write, expire, assert, deassert, affinity, vcpu, vcpuAffinity, uvSetup, uvTeardown, uvRaise, msiAlloc, msiFree, auxdata, sriov, call, eject, refuse, guest, suspend, resume, offline or online
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
  /** A Hyper-V host wants a device on a virtual PCI bus back, or takes such a bus. */
  eject?: DeviceName | EjectSection;
  /** A Hyper-V host says no to what is next asked of it for a device, or for a virtual PCI bus. */
  refuse?: RefuseSection;
  /** In dom0 of Xen: another guest starts, asks pciback for something, or ends. Result: XEN_PCI_ERR_*, or what pciback's functions return. */
  guest?: GuestSection;
  /** The machine is going to sleep: the driver of a virtual PCI bus closes its channel, and the host forgets the interrupts; that of a VMD frees the VMD's own interrupts. xen, in an HVM guest of Xen's: Xen saves the guest and restores it, and both are over when the step is. */
  suspend?: Name;
  /** It has come back: the same bus, and new messages for its interrupts; or the same VMD, whose interrupts are requested anew. */
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
