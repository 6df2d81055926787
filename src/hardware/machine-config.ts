// What a machine consists of: written by a user in a scenario or taken from a capture.
import type { SriovConfig } from './sriov';
import type { TimerRoute } from './timer-route';

export interface MachineConfig {
  /** by Linux CPU number; the first one boots */
  readonly cpus: readonly CpuConfig[];
  /** the CPUs can x2APIC */
  readonly x2apic: boolean;
  readonly ioapics: readonly IoApicConfig[];
  readonly isaOverrides: readonly IsaOverride[];
  /** lines that the MP table of firmware names, beside its IOAPICs: what a kernel falls back on that may not ask ACPI for IOAPICs; default: no such table */
  readonly mpTable?: readonly MpInterrupt[];
  /** old devices with an interrupt of their own; default: all that a PC has */
  readonly isaDevices?: readonly IsaDevice[];
  readonly intelRemap?: {
    readonly units: readonly RemapUnitConfig[];
    /** firmware asks the kernel not to use x2APIC mode (DMAR_X2APIC_OPT_OUT) */
    readonly x2apicOptOut?: boolean;
  };
  /** instead of intelRemap */
  readonly amdRemap?: { readonly units: readonly AmdRemapUnitConfig[] };
  readonly pci: readonly PciFunctionConfig[];
  readonly hpet?: HpetConfig;
  /** the local APICs' timers run in deep sleep too (CPUID 6, ARAT), so that no CPU needs another one; default: true */
  readonly arat?: boolean;
  /** an SGI UV: its blades, by number */
  readonly uv?: { readonly blades: readonly UvBladeConfig[] };
  /** the machine is a guest whose hypervisor delivers to 32-bit APIC ids also what is not remapped */
  readonly hypervisor?: 'kvm';
  /** what firmware says of the machine; default: a maker of computers, no guest */
  readonly smbios?: SmbiosConfig;
  /** the machine is a guest of Hyper-V */
  readonly hyperv?: HypervConfig;
  /** the machine belongs to Xen, and what runs is a guest of it */
  readonly xen?: XenConfig;
  /** what firmware leaves to the kernel, in the kernel's words: PME, AER, PCIeHotplug ... (ACPI's _OSC) */
  readonly osc?: readonly string[];
  /** buses, "0000:06", with slots that ACPI can eject devices from (_EJ0) */
  readonly ejectable?: readonly string[];
  /** NUMA nodes that have memory; default: those of the CPUs */
  readonly memoryNodes?: readonly number[];
  /** default: exact clocks */
  readonly clocks?: ClockCounts;
  /** by which ways enough ticks of the PIT come for a kernel that waits for some; default: all */
  readonly timerRoutes?: readonly TimerRoute[];
}

/** A Hyper-V host, and what of it a guest sees. */
export interface HypervConfig {
  /** the highest version of the protocol for PCI that it speaks: major << 16 | minor */
  readonly protocol: number;
  readonly buses: readonly VpciBusConfig[];
}

/** A virtual PCI bus for functions that the host passes through. */
export interface VpciBusConfig {
  readonly name: string;
  /** GUID in lower case; the fifth and sixth byte give the PCI domain */
  readonly instance: string;
}

/** Which guest of Xen's it is: without the machine's interrupt controllers (pv), or with its own (hvm, pvh); dom0 has the devices. */
export type XenGuest = 'pv-domu' | 'pv-dom0' | 'hvm' | 'pvh-dom0';

/** What a Xen can, or an HVM guest's CPUs, by the names of Xen's public headers. */
export const XEN_FEATURES = [
  'hvm_callback_vector', 'hvm_pirqs', 'hvm_safe_pvclock', 'apic_access_virt', 'x2apic_virt', 'fifo', 'msi_seg', 'multi_msi', 'restore_msi_ext', 'get_free_pirq', 'pirq_eoi_gmfn_v2',
] as const;
export type XenFeature = (typeof XEN_FEATURES)[number];

export interface XenConfig {
  readonly guest: XenGuest;
  readonly features: readonly XenFeature[];
  /** how many pirqs the guest may have, those of lines included */
  readonly pirqs: number;
  /** the greatest event channel that the guest may have */
  readonly evtchns: number;
  /** hypercalls that the security policy forbids: PHYSDEVOP_unmap_pirq ... */
  readonly deny: readonly string[];
}

/** What the clocks count while a kernel measures the local APIC's timer for 100 ms. */
export interface ClockCounts {
  /** the timer of the boot CPU's local APIC, at a sixteenth of its bus clock */
  readonly lapic: number;
  /** ACPI's PM timer */
  readonly pmTimer: number;
  /** the boot CPU's time stamp counter */
  readonly tsc: number;
}

/** 1 GHz, 3.579545 MHz, 2 GHz */
export const EXACT_CLOCKS: ClockCounts = { lapic: 6_250_000, pmTimer: 357_954, tsc: 200_000_000 };

/** Keyboard and mouse (ISA interrupts 1 and 12), clock (8), first serial port (4). */
export type IsaDevice = 'i8042' | 'rtc' | 'serial';

export const PC_ISA_DEVICES: readonly IsaDevice[] = ['i8042', 'rtc', 'serial'];

export interface CpuConfig {
  readonly apicId: number;
  readonly node: number;
  /** threads of one core have one number; default: a core of its own */
  readonly core?: number;
  /** false: a place that a CPU may be plugged into; default: true */
  readonly present?: boolean;
}

export interface IoApicConfig {
  readonly id: number;
  readonly address: number;
  readonly pins: number;
  readonly gsiBase: number;
  /** from 0x20 on it has an EOI register */
  readonly version: number;
}

/** A line that is connected to an IOAPIC's pin (MP specification 1.4, 4.3.4). */
export interface MpInterrupt {
  /** polarity in bits 0 and 1, trigger mode in 2 and 3 */
  readonly flags: number;
  readonly bus: number;
  /** on PCI, slot and pin */
  readonly irq: number;
  readonly apic: number;
  readonly pin: number;
}

/** An ISA interrupt that is not on the pin of its number, edge triggered and active high (ACPI MADT). */
export interface IsaOverride {
  readonly irq: number;
  readonly gsi: number;
  readonly level?: boolean;
  readonly low?: boolean;
}

/** A block of high precision event timers (ACPI HPET). */
export interface HpetConfig {
  /** its number among the blocks */
  readonly id: number;
  readonly address: number;
  /** timers 0 and 1 can stand in for PIT and RTC */
  readonly legacy: boolean;
  /** 1 to 24; fsb: it can send messages */
  readonly timers: readonly { readonly fsb: boolean }[];
}

/** A VT-d unit and what the ACPI DMAR table puts below it. */
export interface RemapUnitConfig {
  readonly segment: number;
  readonly address: number;
  /** 32-bit APIC ids */
  readonly eim: boolean;
  /** posted interrupts */
  readonly pi: boolean;
  /** entries that are not present are cached too (CAP.cm), as a hypervisor wants it of the unit that it shows its guest; default: no */
  readonly cachingMode?: boolean;
  /** log2 of the entries that one message may use (ECAP.mhmv); default: 15 */
  readonly handleMask?: number;
  /** covers all functions of the segment that no other unit names */
  readonly includeAll: boolean;
  /** "0000:00:04.0"; a bridge stands for all that is behind it */
  readonly devices: readonly string[];
  readonly ioapics: readonly { readonly id: number; readonly requesterId: number }[];
  readonly hpets?: readonly { readonly id: number; readonly requesterId: number }[];
}

/** An AMD IOMMU and what the ACPI IVRS table puts below it. */
export interface AmdRemapUnitConfig {
  readonly address: number;
  /** its own PCI function, which is in `pci`: "0000:00:00.2" */
  readonly function: string;
  /** offset of its capability in that function's configuration space */
  readonly capability: number;
  /** entries of 128 bits */
  readonly ga: boolean;
  /** entries for guests; needs `ga` */
  readonly guest: boolean;
  /** 32-bit APIC ids; needs `ga` */
  readonly x2apic: boolean;
  /** covers all functions that no other unit names */
  readonly includeAll: boolean;
  /** "0000:00:04.0" */
  readonly devices: readonly string[];
  /** functions that send with the requester id of another one */
  readonly aliases?: readonly AmdAlias[];
  readonly ioapics: readonly { readonly id: number; readonly requesterId: number }[];
  readonly hpets?: readonly { readonly id: number; readonly requesterId: number }[];
}

/** A function, or all requester ids from it to another one, that sends with the id of a third. */
export interface AmdAlias {
  readonly device: string;
  readonly to?: string;
  readonly alias: string;
}

/** Requester ids that have the alias. */
export function aliasedIds({ device, to = device }: AmdAlias): number[] {
  const [first, last] = [device, to].map(address => parsePciAddress(address)!).map(({ bus, devfn }) => (bus << 8) | devfn);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

export interface PciFunctionConfig {
  /** domain:bus:device.function in hexadecimal, "0000:00:04.0" */
  readonly address: string;
  readonly vendor: number;
  readonly device: number;
  /** 24 bits: class, subclass, programming interface */
  readonly class: number;
  readonly name?: string;
  /** 0 = none, 1..4 = INTA..INTD */
  readonly intxPin: number;
  /** where the INTx line goes; -1 = nowhere */
  readonly gsi: number;
  /** so ACPI's interrupt link has that line; default: active low, as PCI has it */
  readonly gsiActiveHigh?: boolean;
  readonly msi?: { readonly vectors: number; readonly maskable: boolean; readonly addr64: boolean };
  readonly msix?: { readonly entries: number };
  readonly ims?: ImsConfig;
  readonly sriov?: SriovConfig;
  readonly bridge?: BridgeConfig;
  /** an Intel VMD: functions can be behind it */
  readonly vmd?: boolean;
  /** address of the VMD, or instance of Hyper-V's virtual PCI bus, that the function is behind; its own address is one there, whose domain is written 0000 */
  readonly behind?: string;
  /** DOMID of the guest of Xen's that dom0 passes it on to */
  readonly guest?: number;
  /** NUMA node or -1 */
  readonly node: number;
  /** it answers no command; a drive whose driver waits for that is given up */
  readonly silent?: boolean;
  readonly driver?: string;
  /** the function's configuration space as 32-bit words in hexadecimal; it then says what msi and msix say */
  readonly config?: string;
}

/** A store of interrupt messages of the device's own. */
export interface ImsConfig {
  /** array: slots in a BAR; queue: in the memory of queues, changed by commands */
  readonly store: 'array' | 'queue';
  /** of the array, or of each queue */
  readonly slots: number;
  readonly queues: number;
  /** what bit 0 of a slot's control word does when it is 1 */
  readonly bit0: 'masks' | 'unmasks';
  /** its driver hands messages out by platform MSI, and not by device MSI */
  readonly platformMsi: boolean;
  /** the machine is a guest, and the device really the host's: the host sees nothing of what is written into the store */
  readonly guest: boolean;
  /** commands that are never carried out, counted from 1 */
  readonly loses: readonly number[];
  /** parts of the device that a driver makes devices, one a queue */
  readonly subdevices: readonly string[];
}

/** Of the DMI tables. */
export interface SmbiosConfig {
  /** who made the system */
  readonly vendor: string;
  /** the bit "virtual machine" of the BIOS information */
  readonly virtualMachine: boolean;
}

/** A blade with its hub. */
export interface UvBladeConfig {
  /** its number in addresses of hub registers */
  readonly pnode: number;
  /** NUMA node of its memory, or -1 */
  readonly node: number;
}

/** What lies behind a bridge. */
export interface BridgeConfig {
  /** default: root-port; `pci`: conventional PCI on both sides */
  readonly kind?: 'root-port' | 'upstream' | 'downstream' | 'pcie-to-pci' | 'pci-to-pcie' | 'pci';
  /** bus right behind it */
  readonly secondary: number;
  /** highest bus behind it */
  readonly subordinate: number;
}

export interface PciAddress {
  readonly domain: number;
  readonly bus: number;
  readonly devfn: number;
}

/** One thing that is wrong: where and what. */
export interface ConfigProblem {
  /** `machine.pci[3].address` */
  readonly path: string;
  readonly message: string;
}

/** The machine cannot be built as described. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly ConfigProblem[]) {
    super(problems.map(p => `${p.path}: ${p.message}`).join('\n'));
  }
}

/** @returns undefined for what is no "0000:00:04.0": lower case, all digits, so that one function has one name */
export function parsePciAddress(text: string): PciAddress | undefined {
  const match = /^([0-9a-f]{4}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/.exec(text);
  if (!match) return undefined;
  const [domain, bus, device, fn] = match.slice(1).map(digits => parseInt(digits, 16)) as [number, number, number, number];
  return { domain, bus, devfn: (device << 3) | fn };
}
