import { AMD_IOMMU_CAP, amdIommuFunction } from '../hardware/amd-iommu-function';
import { DMAR_REG_SIZE } from '../hardware/dmar-registers';
import {
  type AmdRemapUnitConfig, type CpuConfig, type HpetConfig, type ImsConfig, type IoApicConfig, type IsaOverride, type MachineConfig, parsePciAddress, type PciFunctionConfig,
  type RemapUnitConfig,
} from '../hardware/machine-config';
import { DEFAULT_CPUS } from './number-list';
import { AMD_IOMMU_FUNCTION, bridgeOf, DEFAULT_TIMERS, deviceKind, fullAddress, placeOf, SRIOV } from './devices';
import type { ImsSection } from './ims-sections';
import { findBus, hypervConfig, instanceOf } from './hyperv-buses';
import type { DeviceSection, HpetSection, IoApicSection, MachineSection } from './machine-sections';
import { xenConfig, xenOf } from './xen-section';
import type { Path } from './yaml-source';

/** From this version on an IOAPIC has an EOI register. */
const IOAPIC_VERSION = 0x20;
const DEFAULT_IOAPIC: IoApicSection = { id: 0, address: 0xfec00000, pins: 24, gsiBase: 0 };
/** As Xen makes it up. */
const HVM_IOAPIC: IoApicSection = { ...DEFAULT_IOAPIC, pins: 48 };
const DMAR_ADDRESS = 0xfed90000;
/** How the IOAPIC signs its messages: bus 0xff, as QEMU's q35 has it. */
const IOAPIC_REQUESTER = 0xff00;
const HPET_ADDRESS = 0xfed00000;
/** How the HPET signs its messages: a device of its own on the IOAPIC's bus. */
const HPET_REQUESTER = 0xff78;
const AMD_IOMMU_ADDRESS = 0xfed80000;
/** The southbridge, 00:14.0: Linux remaps nothing where no IOAPIC signs so. */
const AMD_IOAPIC_REQUESTER = 0xa0;
/** The southbridge, too. */
const AMD_HPET_REQUESTER = 0xa0;
/** The PIT is on pin 2; the SCI and the lines that PCI shares are level triggered. */
const PC_OVERRIDES: readonly IsaOverride[] = [{ irq: 0, gsi: 2 }, ...[5, 9, 10, 11].map(irq => ({ irq, gsi: irq, level: true }))];

/** The hardware that a scenario describes, with what a usual PC has where it is silent. */
export function machineConfig(machine: MachineSection = {}): MachineConfig {
  const xen = xenOf(machine);
  const ioapics = (machine.ioapics ?? [xen?.xen === 'hvm' ? HVM_IOAPIC : DEFAULT_IOAPIC]).map((ioapic): IoApicConfig => ({ ...ioapic, version: IOAPIC_VERSION }));
  const intel = intelRemap(machine, ioapics);
  const amd = amdRemapUnit(machine, ioapics);
  const hyperv = hypervConfig(machine);
  return {
    cpus: cpus(machine),
    x2apic: machine.x2apic ?? false,
    ioapics,
    isaOverrides: machine.overrides ?? PC_OVERRIDES.filter(o => hasPin(ioapics, o.gsi)),
    ...(intel && { intelRemap: intel }),
    ...(amd && { amdRemap: { units: [amd] } }),
    ...(machine.hpet && { hpet: hpet(machine.hpet) }),
    ...(machine.arat !== undefined && { arat: machine.arat }),
    ...(machine.uv && { uv: { blades: Array.from({ length: machine.nodes ?? 1 }, (_, node) => ({ pnode: node, node })) } }),
    ...(xen && { xen: xenConfig(xen, Math.max(...ioapics.map(({ gsiBase, pins }) => gsiBase + pins))) }),
    ...(xen?.xen === 'pv-domu' && { isaDevices: [] }),
    ...(machine.smbios && { smbios: { vendor: 'unknown', virtualMachine: false, ...machine.smbios } }),
    ...(machine.hypervisor === 'kvm' && { hypervisor: machine.hypervisor }),
    ...(hyperv && { hyperv }),
    pci: [...(machine.devices ?? []).map(device => pciFunction(device, machine, ioapics)), ...(amd ? [amdIommuFunction(amd.function, amd.address, hasNpCache(machine))] : [])],
  };
}

function cpus({ cpus = DEFAULT_CPUS, nodes = 1 }: MachineSection): CpuConfig[] {
  if (typeof cpus !== 'number') return cpus.map(({ apicId, node = 0 }) => ({ apicId, node }));
  return Array.from({ length: cpus }, (_, i) => ({ apicId: i, node: Math.floor((i * nodes) / cpus) }));
}

function hpet({ timers = DEFAULT_TIMERS, messages = false }: HpetSection): HpetConfig {
  const fsb = (n: number): boolean => (Array.isArray(messages) ? messages.includes(n) : messages);
  return { id: 0, address: HPET_ADDRESS, legacy: true, timers: Array.from({ length: timers }, (_, n) => ({ fsb: fsb(n) })) };
}

function intelRemap(machine: MachineSection, ioapics: readonly IoApicConfig[]): MachineConfig['intelRemap'] {
  const { remap, x2apic = false } = machine;
  const section: MachineSection['remap'] = remap === 'intel' ? { type: 'intel' } : remap;
  if (typeof section !== 'object' || section.type !== 'intel') return undefined;
  const { eim = x2apic, postedInterrupts = false, cachingMode = false, handleMask, x2apicOptOut, units = [{}] } = section;
  const named = units.some(unit => unit.ioapics);
  return {
    ...(x2apicOptOut !== undefined && { x2apicOptOut }),
    units: units.map(({ devices = [], ioapics: ids = [] }, i): RemapUnitConfig => {
      const last = i === units.length - 1;
      const below = (id: number): boolean => (named ? ids.includes(id) : last);
      return {
        segment: 0,
        address: DMAR_ADDRESS + i * DMAR_REG_SIZE,
        eim,
        pi: postedInterrupts,
        cachingMode,
        ...(handleMask !== undefined && { handleMask }),
        includeAll: devices.length === 0,
        devices: devices.map(fullAddress),
        ioapics: ioapics.flatMap(({ id }, n) => (below(id) ? { id, requesterId: IOAPIC_REQUESTER + n * 8 } : [])),
        ...(machine.hpet && last && { hpets: [{ id: 0, requesterId: HPET_REQUESTER }] }),
      };
    }),
  };
}

function amdRemapUnit(machine: MachineSection, ioapics: readonly IoApicConfig[]): AmdRemapUnitConfig | undefined {
  const { remap, x2apic = false } = machine;
  const section: MachineSection['remap'] = remap === 'amd' ? { type: 'amd' } : remap;
  if (typeof section !== 'object' || section.type !== 'amd') return undefined;
  const { ga = true, guest = false, aliases = [], ioapic } = section;
  const southbridge = ioapic ? requesterId(ioapic) : AMD_IOAPIC_REQUESTER;
  const listed = ioapic === false ? ioapics.slice(1) : ioapics;
  return {
    address: AMD_IOMMU_ADDRESS,
    function: AMD_IOMMU_FUNCTION,
    capability: AMD_IOMMU_CAP,
    ga,
    guest,
    x2apic: x2apic && ga,
    includeAll: true,
    devices: [],
    aliases: aliases.map(({ device, to, alias }) => ({ device: fullAddress(device), ...(to !== undefined && { to: fullAddress(to) }), alias: fullAddress(alias) })),
    ioapics: listed.map(({ id }, i) => ({ id, requesterId: southbridge + i })),
    ...(machine.hpet && { hpets: [{ id: 0, requesterId: AMD_HPET_REQUESTER }] }),
  };
}

const hasNpCache = ({ remap }: MachineSection): boolean => typeof remap === 'object' && remap.type === 'amd' && (remap.npCache ?? false);

function pciFunction(section: DeviceSection, machine: MachineSection, ioapics: readonly IoApicConfig[]): PciFunctionConfig {
  const { vendor, device, class: classCode, msix, msi, driver } = deviceKind(section);
  const address = fullAddress(section.address);
  const { devices = [], hypervisor } = machine;
  const bus = findBus(machine, section.behind);
  const behind = bus ? instanceOf(bus, machine) : section.behind === undefined ? undefined : fullAddress(devices.find(({ name }) => name === section.behind)!.address);
  const usual = intxGsi(section, devices);
  return {
    address,
    vendor,
    device,
    class: classCode,
    name: section.name,
    intxPin: bus ? 0 : 1,
    gsi: section.gsi ?? (behind === undefined && hasPin(ioapics, usual) ? usual : -1),
    ...(msi && { msi }),
    ...(msix && { msix: { entries: msix } }),
    ...(section.ims && { ims: imsStore(section.ims, hypervisor !== undefined && bus === undefined) }),
    ...(section.vfs !== undefined && { sriov: { vfs: section.vfs, ...SRIOV, device } }),
    ...(section.secondary !== undefined && { bridge: { kind: section.port, secondary: section.secondary, subordinate: section.subordinate ?? section.secondary } }),
    ...(section.kind === 'vmd' && { vmd: true }),
    ...(behind !== undefined && { behind }),
    ...(section.guest !== undefined && { guest: section.guest }),
    node: section.node ?? -1,
    ...(driver !== undefined && { driver }),
  };
}

/** @param guest the host knows nothing of the messages: one that passes a device through on a bus of its own looks them up */
function imsStore({ store = 'array', slots, subdevices, bit0 = 'masks', msi = 'device', loses = [] }: ImsSection, guest: boolean): ImsConfig {
  return { store, slots, queues: subdevices.length, bit0, platformMsi: msi === 'platform', guest, loses, subdevices };
}

function requesterId(address: string): number {
  const { bus, devfn } = parsePciAddress(fullAddress(address))!;
  return (bus << 8) | devfn;
}

/** INTA of bus 0 goes to one of the pins 20 to 23, by the slot, as on a q35. Each bridge turns the pins of what is behind it by their slots. */
function intxGsi(section: DeviceSection, devices: readonly DeviceSection[], turned = 0): number {
  const { bus, slot } = placeOf(section);
  const bridge = bus === 0 ? undefined : bridgeOf(section, devices);
  return bridge ? intxGsi(bridge, devices, turned + slot) : 20 + ((slot + turned) % 4);
}

const hasPin = (ioapics: readonly IoApicConfig[], gsi: number): boolean => ioapics.some(a => gsi >= a.gsiBase && gsi < a.gsiBase + a.pins);

/** Where the scenario says what is in the configuration at `machine.pci[3].msix.entries`: machine, devices, 3, msix. */
export function sourcePath(configPath: string): Path {
  const parts = configPath.split(/[.[\]]+/).filter(part => part !== '').map(part => (/^\d+$/.test(part) ? Number(part) : part));
  if (parts[1] === 'pci') parts[1] = 'devices';
  if (parts[1] === 'isaOverrides') parts[1] = 'overrides';
  if (parts[1] === 'intelRemap' || parts[1] === 'amdRemap') return ['machine', 'remap'];
  return parts.filter(part => part !== 'sriov').map(part => (part === 'entries' ? 'msix' : part)).filter((part, i, all) => part !== all[i - 1]);
}
