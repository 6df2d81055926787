import type { AmdAlias, ClockCounts, MpInterrupt } from '../../hardware/machine-config';
import type { TimerRoute } from '../../hardware/timer-route';
import { linesOf } from './files';

// What a machine says of itself while it boots: dmesg.txt, cpuinfo.txt.

export interface CpuInfo {
  readonly cpu: number;
  readonly apicId: number;
  readonly package: number;
  /** within its package; undefined where the file does not say */
  readonly core: number | undefined;
}

const CPU_FIELDS: Record<string, 'apicId' | 'package' | 'core'> = { apicid: 'apicId', 'physical id': 'package', 'core id': 'core' };

/** Reads the lines `processor`, `apicid`, `physical id`, `core id` of /proc/cpuinfo. */
export function parseCpuinfo(text: string): CpuInfo[] {
  const cpus: { cpu: number; apicId: number; package: number; core: number | undefined }[] = [];
  for (const line of linesOf(text)) {
    const match = /^(processor|apicid|physical id|core id)\s*:\s*(\d+)$/.exec(line);
    if (!match) continue;
    const value = Number(match[2]);
    if (match[1] === 'processor') cpus.push({ cpu: value, apicId: value, package: 0, core: undefined });
    else if (cpus.length > 0) cpus.at(-1)![CPU_FIELDS[match[1]]] = value;
  }
  return cpus;
}

export interface IoApicLine {
  readonly id: number;
  readonly version: number;
  readonly address: number;
  readonly gsiBase: number;
  readonly gsiEnd: number;
}

export interface Override {
  readonly irq: number;
  readonly gsi: number;
  readonly level: boolean;
  readonly low: boolean;
}

export interface DmarUnit {
  readonly address: number;
  /** DRHD flag INCLUDE_PCI_ALL */
  readonly includeAll: boolean;
  readonly cap: bigint;
  readonly ecap: bigint;
  /** ids of the IOAPICs in its scope */
  readonly ioapics: readonly number[];
}

export interface AmdUnit {
  /** its PCI function, and the offset of its capability there; later kernels do not log it */
  readonly place?: { readonly function: string; readonly capability: number };
  /** the extended feature register */
  readonly features: bigint;
}

export interface HpetLines {
  readonly address: number;
  readonly timers: number;
  /** how many of them were taken to send messages; undefined: nobody wanted any */
  readonly perCpu: number | undefined;
  /** /dev/hpet took what was left */
  readonly device: boolean;
  /** a timer stands in for the RTC */
  readonly rtc: boolean;
}

export interface BootLog {
  readonly ioapics: readonly IoApicLine[];
  readonly overrides: readonly Override[];
  /** GSIs that the kernel set up as active high; only apic=debug or apic=verbose tells */
  readonly activeHigh: ReadonlySet<number>;
  /** lines of the MP table; empty where the kernel did not read it */
  readonly mpTable: readonly MpInterrupt[];
  readonly dmar: readonly DmarUnit[];
  readonly amd: readonly AmdUnit[];
  /** functions that an AMD IOMMU's firmware table has send with the id of another one, where that is on their bus */
  readonly aliases: readonly AmdAlias[];
  readonly x2apic: boolean;
  readonly hpet: HpetLines | undefined;
  /** what _OSC gives the kernel: PME, AER ... */
  readonly osc: readonly string[];
  /** buses, "0000:06", with slots that ACPI can eject devices from */
  readonly ejectable: readonly string[];
  /** the board is QEMU's q35 */
  readonly q35: boolean;
  /** NUMA node of an APIC id; CPUs that SRAT does not name are absent */
  readonly nodes: ReadonlyMap<number, number>;
  /** NUMA nodes that have memory; empty where SRAT names none */
  readonly memoryNodes: readonly number[];
  /** possible CPUs, and how many of them are only places for one; undefined where the log does not say */
  readonly cpus: { readonly possible: number; readonly hotplug: number; /** CPUs that the kernel was told to leave alone */ readonly ignored: number } | undefined;
  /** undefined without apic=debug or apic=verbose */
  readonly clocks: ClockCounts | undefined;
  /** ways by which too few ticks of the PIT came when the kernel waited for some */
  readonly deadTimerRoutes: readonly TimerRoute[];
  /** NVMe drives that did not answer, by their PCI functions */
  readonly silent: readonly string[];
  /** Kconfig symbols that show: NR_CPUS=512, HZ=1000, PROVIDE_OHCI1394_DMA_INIT */
  readonly config: readonly string[];
}

/** Kernels from v6.9 on count those that are there, others all that may be. */
function possibleCpus(allowed: RegExpMatchArray | undefined, present: RegExpMatchArray | undefined, exceeding: RegExpMatchArray | undefined): BootLog['cpus'] {
  if (present) return { possible: Number(present[1]) + Number(present[2]), hotplug: Number(present[2]), ignored: 0 };
  return allowed && { possible: Number(allowed[1]), hotplug: Number(allowed[2]), ignored: Math.max(0, Number(exceeding?.[1] ?? 0) - Number(allowed[1])) };
}

/** Reads what the kernel's log says of interrupt controllers. Lines of other parts of the kernel are none of its business. */
export function parseDmesg(text: string): BootLog {
  const lines = linesOf(text).map(line => line.replace(/^\[\s*\d+\.\d+\]\s?/, ''));
  const all = (pattern: RegExp): RegExpExecArray[] => lines.map(line => pattern.exec(line)).filter(match => match !== null);
  const hex = (value: string | undefined): number => parseInt(value ?? '0', 16);

  const scopes = all(/^DMAR-IR: IOAPIC id (\d+) under DRHD base\s+0x([\da-f]+) IOMMU \d+/);
  const flags = new Map(all(/^DMAR: DRHD base: 0x([\da-f]+) flags: 0x([\da-f]+)/).map(m => [hex(m[1]), hex(m[2])]));
  const dmar = all(/^DMAR: (dmar\d+): reg_base_addr ([\da-f]+) ver \S+ cap ([\da-f]+) ecap ([\da-f]+)/).map(([, , base, cap, ecap]) => ({
    address: hex(base),
    includeAll: ((flags.get(hex(base)) ?? 0) & 1) === 1,
    cap: BigInt(`0x${cap}`),
    ecap: BigInt(`0x${ecap}`),
    ioapics: scopes.filter(scope => hex(scope[2]) === hex(base)).map(scope => Number(scope[1])),
  }));
  const allowed = all(/^smpboot: Allowing (\d+) CPUs, (\d+) hotplug CPUs/).at(0);
  const exceeding = all(/^smpboot: (\d+) Processors exceeds max_cpus limit of 0$/).at(0);
  const present = all(/^CPU topo: Allowing (\d+) present CPUs plus (\d+) hotplug CPUs/).at(0);
  const ioapics = all(/^IOAPIC\[\d+\]: apic_id (\d+), version (\d+), address 0x([\da-f]+), GSI (\d+)-(\d+)/).map(([, id, version, address, base, end]) => ({
    id: Number(id),
    version: Number(version),
    address: hex(address),
    gsiBase: Number(base),
    gsiEnd: Number(end),
  }));
  const pins = all(/^IOAPIC\[(\d+)\]: (?:Set|Preconfigured) routing entry \(\d+-(\d+) -> .* Active(?:Low)?:0\b/);
  return {
    ioapics,
    activeHigh: new Set(pins.map(m => (ioapics.at(Number(m[1]))?.gsiBase ?? 0) + Number(m[2]))),
    overrides: all(/^ACPI: INT_SRC_OVR \(bus 0 bus_irq (\d+) global_irq (\d+) (\w+) (\w+)\)/).map(([, irq, gsi, polarity, trigger]) => ({
      irq: Number(irq),
      gsi: Number(gsi),
      level: trigger === 'level',
      low: polarity === 'low',
    })),
    mpTable: mpInterrupts(lines),
    dmar,
    amd: amdUnits(all),
    aliases: all(/^pci ((\w+:\w+:)\S+): Enabling fixed DMA alias to (\w+\.\d)$/).map(([, device, bus, alias]) => ({ device, alias: bus + alias })),
    x2apic: lines.some(line => /^x2apic( enabled|: enabled by BIOS)|^DMAR-IR: Enabled IRQ remapping in x2apic mode/.test(line)),
    hpet: hpetLines(all),
    osc: all(/_OSC: OS now controls \[([^\]]*)\]/).flatMap(m => m[1].split(' ')),
    ejectable: ejectableBuses(lines),
    q35: lines.some(line => /^DMI: QEMU Standard PC \(Q35/.test(line)),
    nodes: new Map(all(/^SRAT: PXM \d+ -> APIC 0x([\da-f]+) -> Node (\d+)/).map(m => [hex(m[1]), Number(m[2])])),
    memoryNodes: [...new Set(all(/^ACPI: SRAT: Node (\d+) PXM \d+ \[mem /).map(m => Number(m[1])))].sort((a, b) => a - b),
    cpus: possibleCpus(allowed, present, exceeding),
    clocks: clockCounts(all),
    deadTimerRoutes: AFTER_TIMER_ROUTE.flatMap(([route, pattern]) => (all(pattern).length > 0 ? route : [])),
    silent: silentDrives(all),
    config: configSymbols(all),
  };
}

/** The table's own id would say how many timers there are, but QEMU's does not change with their number. */
function hpetLines(all: (pattern: RegExp) => RegExpExecArray[]): HpetLines | undefined {
  const table = all(/^ACPI: HPET id: 0x([\da-f]+) base: 0x([\da-f]+)/).at(0);
  if (!table) return undefined;
  const reserved = all(/^hpet: (\d+) channels of (\d+) reserved for per-cpu timers/).at(0);
  const comparators = all(/^hpet0: (\d+) comparators/).at(0);
  return {
    address: parseInt(table[2], 16),
    timers: Number((reserved ?? comparators)?.[1] ?? ((parseInt(table[1], 16) >> 8) & 0x1f) + 1),
    perCpu: reserved && Number(reserved[2]),
    device: comparators !== undefined,
    rtc: all(/^rtc_cmos .* hpet irqs$/).length > 0,
  };
}

/** Units, and their features in the same order. */
function amdUnits(all: Matches): AmdUnit[] {
  const features = all(/AMD-Vi: Extended features \(0x([\da-f]+)(?:, 0x[\da-f]+)?\):/);
  const found = all(/^pci (\S+): AMD-Vi: Found IOMMU cap 0x([\da-f]+)/);
  return Array.from({ length: found.length || features.length }, (_, i) => ({
    ...(found.length > 0 && { place: { function: found[i][1], capability: parseInt(found[i][2], 16) } }),
    features: BigInt(`0x${features.at(i)?.[1] ?? '0'}`),
  }));
}

type Matches = (pattern: RegExp) => RegExpExecArray[];

/** acpiphp tells of slots but not of their bus: it registers them when the bus is made, right before it is scanned. Of an empty one only its bridge tells. */
function ejectableBuses(lines: readonly string[]): string[] {
  return lines.flatMap((line, i) => {
    if (!line.startsWith('acpiphp: Slot [') || lines[i + 1].startsWith('acpiphp: Slot [')) return [];
    const device = /^pci (\w+:\w+):\S+: \[\w+:\w+\] type /.exec(lines[i + 1]);
    const bridge = /^pci (\w+:)\S+: PCI bridge to \[bus (\w+)/.exec(lines[i + 1]);
    return device ? device[1] : bridge ? bridge[1] + bridge[2] : [];
  });
}

/** ACPI's lines are logged alike, but without the table. Needs apic=debug or apic=verbose. */
function mpInterrupts(lines: readonly string[]): MpInterrupt[] {
  const from = lines.findIndex(line => line.startsWith('MPTABLE: APIC at: '));
  if (from < 0) return [];
  return lines.slice(from).flatMap(line => {
    const match = /^Int: type 0, pol (\d), trig (\d), bus ([\da-f]+), IRQ ([\da-f]+), APIC ID ([\da-f]+), APIC INT ([\da-f]+)$/.exec(line);
    if (!match) return [];
    const [pol, trig, bus, irq, apic, pin] = match.slice(1).map(digits => parseInt(digits, 16));
    return { flags: pol | (trig << 2), bus, irq, apic, pin };
  });
}

/** What the kernel says when it has waited for ticks in vain. */
const AFTER_TIMER_ROUTE: readonly (readonly [TimerRoute, RegExp])[] = [
  ['io-apic', /^\.\.\.trying to set up timer \(IRQ0\) through the 8259A \.\.\.$/],
  ['8259A', /^\.{7} failed\.$/],
  ['virtual-wire', /^\.{5} failed\.$/],
  ['ext-int', /^\.{5} failed :\(\.$/],
];

function silentDrives(all: Matches): string[] {
  const named = new Set(all(/^nvme (nvme\d+): I\/O \d+ QID 0 timeout, disable controller$/).map(m => m[1]));
  return all(/^nvme (nvme\d+): pci function (\S+)$/).flatMap(([, name, address]) => (named.has(name) ? address : []));
}

/** CONFIG_HZ: RCU says how many ticks 100 ms are. */
const ticksPerSecond = (all: Matches): number => Number(all(/^rcu: RCU calculated value of scheduler-enlistment delay is (\d+) jiffies/).at(0)?.[1] ?? 25) * 10;

/** What the kernel read while it measured the timer. It prints the time stamp counter's count only where that is put right, else the frequency. */
function clockCounts(all: Matches): ClockCounts | undefined {
  const count = (pattern: RegExp): number | undefined => all(pattern).map(m => Number(m[1])).at(0);
  const lapic = count(/^\.\.\. lapic delta = (\d+)$/);
  const pmTimer = count(/^\.\.\. PM-Timer delta = (\d+)$/);
  const speed = all(/^\.\.\.\.\. CPU clock speed is (\d+)\.(\d+) MHz\.$/).at(0);
  if (lapic === undefined || pmTimer === undefined || !speed) return undefined;
  const hz = ticksPerSecond(all);
  const perTick = Number(speed[1]) * (1_000_000 / hz) + Number(speed[2]);
  return { lapic, pmTimer, tsc: count(/^TSC delta adjusted to PM-Timer: \d+ \((\d+)\)$/) ?? perTick * (hz / 10) };
}

/** Other than a distribution's kernel has. One more fixed address lies before the local APIC's where FireWire's debugging is built in. */
function configSymbols(all: Matches): string[] {
  const cpus = all(/^setup_percpu: NR_CPUS:(\d+) /).at(0)?.[1];
  return [
    ...(cpus !== undefined ? [`NR_CPUS=${cpus}`] : []),
    `HZ=${ticksPerSecond(all)}`,
    ...(all(/^mapped APIC to ffffffffff5fc000 /).length > 0 ? ['PROVIDE_OHCI1394_DMA_INIT'] : []),
  ];
}
