import { FEATURE, IOMMU_CAP, IOMMU_CAP_BASE_LOW, PCI_CAP_ID_SECURE_DEVICE } from '../hardware/amd-iommu-registers';
import type { AmdRemapUnitConfig, CpuConfig, MachineConfig, PciFunctionConfig, RemapUnitConfig } from '../hardware/machine-config';
import { COMMAND, MSI_FLAGS, MSIX_FLAGS, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, PCI_COMMAND, PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN, PCI_MSI_FLAGS, PCI_MSIX_FLAGS, PCI_SECONDARY_BUS } from '../hardware/pci-registers';
import { TIMER_ROUTES } from '../hardware/timer-route';
import { KERNELS } from '../kernel/changes';
import type { BootLog, CpuInfo } from './reading/boot';
import { capabilityOf, type PciSnapshot, type PciState } from './reading/pci';
import type { Snapshot } from './reading/snapshot';

/** What a capture says of the machine it was made on. */
export interface MachineFacts {
  readonly cpus: readonly CpuInfo[];
  readonly log: BootLog;
  readonly pci: readonly PciSnapshot[];
  readonly snapshots: readonly Snapshot[];
}

/** The machine, from its own words alone. */
export function machineConfigOf(facts: MachineFacts): MachineConfig {
  const { log } = facts;
  const functions = facts.pci[0]?.functions ?? [];
  return {
    cpus: cpuConfigs(facts),
    ...(log.memoryNodes.length > 0 && { memoryNodes: log.memoryNodes }),
    x2apic: log.x2apic,
    ioapics: log.ioapics.map(({ id, address, gsiBase, gsiEnd, version }) => ({ id, address, pins: gsiEnd - gsiBase + 1, gsiBase, version })),
    isaOverrides: log.overrides,
    ...(log.mpTable.length > 0 && { mpTable: log.mpTable }),
    ...(log.dmar.length > 0 && { intelRemap: { units: remapUnits(facts, functions) } }),
    ...(log.amd.length > 0 && { amdRemap: { units: amdRemapUnits(facts, functions) } }),
    ...hpetConfig(log),
    pci: functions.map(f => functionConfig(f, facts)),
    osc: log.osc,
    ejectable: log.ejectable,
    ...(log.clocks && { clocks: log.clocks }),
    ...(log.deadTimerRoutes.length > 0 && { timerRoutes: TIMER_ROUTES.filter(route => !log.deadTimerRoutes.includes(route)) }),
  };
}

/** Which timers can send messages is seen only where some were taken to: then those are not all that could. */
function hpetConfig({ hpet }: BootLog): Pick<MachineConfig, 'hpet' | 'arat'> {
  if (!hpet) return {};
  const fsb = (hpet.perCpu ?? 0) > 0;
  return { arat: hpet.perCpu === undefined, hpet: { id: 0, address: hpet.address, legacy: true, timers: Array.from({ length: hpet.timers }, () => ({ fsb })) } };
}

/** CPUs that run are in cpuinfo. The others are only counted: their APIC ids are those that SRAT has besides, else the next ones; nothing shows them. */
function cpuConfigs({ cpus, log }: MachineFacts): CpuConfig[] {
  const { possible, hotplug, ignored } = log.cpus ?? { possible: (cpus.at(-1)?.cpu ?? -1) + 1, hotplug: 0, ignored: 0 };
  const used = new Set(cpus.map(({ apicId }) => apicId));
  const named = [...log.nodes.keys()].filter(id => !used.has(id));
  let next = Math.max(-1, ...used, ...named) + 1;
  return Array.from({ length: possible + ignored }, (_, n) => {
    const info = cpus.find(({ cpu }) => cpu === n);
    const apicId = info?.apicId ?? named.shift() ?? next++;
    return {
      apicId,
      node: log.nodes.get(apicId) ?? 0,
      ...(info?.core !== undefined && { core: info.package * CORES_PER_PACKAGE + info.core }),
      ...(n >= possible - hotplug && n < possible && { present: false }),
    };
  });
}

/** More than any package has: core ids are counted within one. */
const CORES_PER_PACKAGE = 0x10000;

/** The log tells of a unit's IOAPICs but not of its devices: those that an IOMMU covers are below the first unit, or below the one that takes the rest. */
function remapUnits({ log, snapshots }: MachineFacts, functions: readonly PciState[]): RemapUnitConfig[] {
  const covered = coveredBy(functions);
  return log.dmar.map((unit, i) => ({
    segment: 0,
    address: unit.address,
    eim: bit(unit.ecap, 4n),
    pi: bit(unit.cap, 59n),
    includeAll: unit.includeAll,
    devices: i === 0 && !unit.includeAll ? covered : [],
    ioapics: unit.ioapics.map(id => ({ id, requesterId: ioapicRequester(snapshots) })),
  }));
}

/** Functions in a group of an IOMMU. Where nothing is in one, DMA is not remapped and nobody tells: then it is all of them. */
function coveredBy(functions: readonly PciState[]): string[] {
  const grouped = functions.filter(f => f.remapped);
  return (grouped.length > 0 ? grouped : functions).map(f => f.address);
}

const bit = (value: bigint, n: bigint): boolean => ((value >> n) & 1n) === 1n;

/** The sender that the entries of IOAPIC pins are verified against: the source id in the upper half of an IRTE. */
function ioapicRequester(snapshots: readonly Snapshot[]): number {
  for (const { chain } of snapshots[0]?.irqs ?? []) {
    const irte = chain[0]?.domain?.startsWith('IO-APIC') ? chain[1]?.irte : undefined;
    if (irte) return Number(irte.high & 0xffffn);
  }
  return 0;
}

const TYPE_IOMMU = 3;

function isAmdIommu({ config }: PciState): boolean {
  const at = capabilityOf(config, PCI_CAP_ID_SECURE_DEVICE);
  return at > 0 && IOMMU_CAP.get(new DataView(config.buffer).getUint32(at, true), 'type') === TYPE_IOMMU;
}

/** What an IOMMU covers is below the first unit. The IVRS table names the IOAPICs that are remapped; how they sign stands with the pins' entries. */
function amdRemapUnits({ log, snapshots }: MachineFacts, functions: readonly PciState[]): AmdRemapUnitConfig[] {
  const covered = coveredBy(functions);
  const requester = snapshots[0]?.irqs.flatMap(({ chain }) => (chain[0]?.domain?.startsWith('IO-APIC') ? (chain[1]?.amdIrte?.devid ?? []) : [])).at(0);
  const places = functions.filter(isAmdIommu).map(({ address, config }) => ({ function: address, capability: capabilityOf(config, PCI_CAP_ID_SECURE_DEVICE) }));
  return log.amd.flatMap((unit, i) => {
    const place = unit.place ?? places.at(i);
    if (!place) return [];
    const f = functions.find(({ address }) => address === place.function);
    const base = f ? new DataView(f.config.buffer).getUint32(place.capability + IOMMU_CAP_BASE_LOW, true) : 0;
    const { ga, gam_vapic, x2apic } = FEATURE.decode(unit.features);
    return {
      address: (base & ~0x3fff) >>> 0,
      ...place,
      ga: ga === 1,
      guest: gam_vapic > 0,
      x2apic: x2apic === 1,
      includeAll: false,
      devices: i === 0 ? covered : [],
      ...(i === 0 && log.aliases.length > 0 && { aliases: log.aliases }),
      ioapics: i === 0 && requester !== undefined ? log.ioapics.map(({ id }) => ({ id, requesterId: requester })) : [],
    };
  });
}

function functionConfig(f: PciState, facts: MachineFacts): PciFunctionConfig {
  const gsi = gsiOf(f, facts);
  return {
    address: f.address,
    vendor: f.vendor,
    device: f.device,
    class: f.class,
    intxPin: f.config[PCI_INTERRUPT_PIN],
    gsi,
    gsiActiveHigh: facts.log.activeHigh.has(gsi),
    node: f.numa_node,
    ...(facts.log.silent.includes(f.address) && { silent: true }),
    config: powerOn(f.config),
  };
}

/** Configuration space as firmware leaves it: no interrupt and no bus mastering enabled yet. In 32-bit words. */
function powerOn(config: Uint8Array): string {
  const bytes = config.slice();
  const view = new DataView(bytes.buffer);
  const clear = (at: number, mask: number): void => view.setUint16(at, view.getUint16(at, true) & ~mask, true);
  const msi = capabilityOf(bytes, PCI_CAP_ID_MSI);
  const msix = capabilityOf(bytes, PCI_CAP_ID_MSIX);
  clear(PCI_COMMAND, COMMAND.encode({ bus_master: 1, intx_disable: 1 }));
  if (msi) clear(msi + PCI_MSI_FLAGS, MSI_FLAGS.encode({ enable: 1, qsize: 7 }));
  if (msix) clear(msix + PCI_MSIX_FLAGS, MSIX_FLAGS.encode({ enable: 1, maskall: 1 }));
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true).toString(16).padStart(8, '0')).join(' ');
}

/**
 * Where a function's INTx goes: pci_dev.irq at a time when the function was enabled, if that irq is on an IOAPIC then.
 * Before, pci_dev.irq is what firmware left in the interrupt line register.
 * Where no time tells: what the board's firmware says. @returns -1 where that is not known
 */
function gsiOf({ address, config }: PciState, { pci, snapshots, log }: MachineFacts): number {
  for (const { label, functions } of [...pci].reverse()) {
    const f = functions.find(other => other.address === address);
    const irqs = snapshots.find(s => s.label === label)?.irqs;
    if (!f || !irqs || (f.driver === null && f.irq === f.config[PCI_INTERRUPT_LINE])) continue;
    const level = irqs.find(i => i.irq === f.irq)?.chain[0];
    const ioapic = log.ioapics.find((_, i) => level?.domain === `IO-APIC-${i}` || level?.domain === `IO-APIC-IR-${i}`);
    if (level && ioapic) return ioapic.gsiBase + level.hwirq;
  }
  return log.q35 ? q35Gsi(address, config[PCI_INTERRUPT_PIN], pci[0]?.functions ?? []) : -1;
}

/**
 * Where a q35's routing table (as its ACPI tables have it) sends a pin: the slots from 25 on to GSI 16 to 19 by the pin, the others to 20 to 23 by slot and pin.
 * A bridge passes a pin on as its own, turned by the slot behind it.
 */
function q35Gsi(address: string, pin: number, functions: readonly PciState[]): number {
  if (pin === 0) return -1;
  const bus = parseInt(address.slice(5, 7), 16);
  const slot = parseInt(address.slice(8, 10), 16);
  if (bus === 0) return slot >= 25 ? 16 + pin - 1 : 20 + ((slot + pin - 1) % 4);
  const bridge = functions.find(({ class: code, config }) => code >>> 8 === PCI_CLASS_BRIDGE_PCI && config[PCI_SECONDARY_BUS] === bus);
  return bridge ? q35Gsi(bridge.address, ((pin - 1 + slot) % 4) + 1, functions) : -1;
}

const PCI_CLASS_BRIDGE_PCI = 0x0604;

/** Kconfig symbols that show as system vectors: the entries that only a kernel with the symbol installs. */
const SYMBOL_OF_VECTOR: Record<number, string> = {
  18: 'X86_MCE',
  20: 'INTEL_TDX_GUEST',
  21: 'X86_CET',
  29: 'AMD_MEM_ENCRYPT',
  128: 'IA32_EMULATION',
  242: 'HAVE_KVM',
  244: 'X86_MCE_AMD',
  246: 'IRQ_WORK',
  249: 'X86_MCE_THRESHOLD',
  250: 'X86_THERMAL_VECTOR',
};

/** Drivers that some kernels have as modules: one that has a device before the script loads any is built in. */
const BUILT_IN = [{ driver: 'virtio-pci', symbol: 'VIRTIO_PCI' }];

/** The symbols of the kernel's configuration that show. @param assigned system vectors of the trace, where the snapshots have no matrix */
export function configSymbolsOf({ snapshots, log, pci }: MachineFacts, assigned: readonly number[]): string[] {
  const system = snapshots[0]?.matrix?.system ?? assigned;
  const symbols = Object.entries(SYMBOL_OF_VECTOR).flatMap(([vector, symbol]) => (system.includes(Number(vector)) ? [symbol] : []));
  const builtIn = BUILT_IN.filter(({ driver }) => pci[0]?.functions.some(f => f.driver === driver)).map(({ symbol }) => symbol);
  return [...symbols, ...builtIn, ...(log.hpet?.device ? ['HPET'] : []), ...(log.hpet?.rtc ? ['HPET_EMULATE_RTC'] : []), ...log.config];
}

/** Stable releases that have changed nothing in the interrupt code. */
const SAME_CODE: Partial<Record<string, string>> = { 'v5.9.2': 'v5.9' };

/** `v5.10.223`, each that stands there */
export const versionsOf = (uname: string): string[] => [...uname.matchAll(/\b(\d+\.\d+(?:\.\d+)?)\b/g)].map(m => `v${m[1]}`);

/**
 * The model's name of the kernel that `uname -a` names, for a distribution's kernel by the upstream version that its package says.
 * @returns undefined for one that the model does not know
 */
export function kernelNameOf(uname: string): string | undefined {
  const versions = versionsOf(uname);
  return versions.map(version => SAME_CODE[version] ?? version).find(version => version in KERNELS);
}
