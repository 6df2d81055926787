import { checkOnBus } from './check-hyperv';
import { checkHypervisor, checkXen } from './check-xen';
import { DEFAULT_CPUS } from './number-list';
import { bridgeOf, placeOf, sameAddress } from './devices';
import type { Diagnostic } from './diagnostic';
import { busesOf, findBus } from './hyperv-buses';
import type { DeviceSection, MachineSection } from './machine-sections';
import { suggestion } from './nearest';
import type { Path, YamlSource } from './yaml-source';

/** What of a machine cannot be and is seen in the scenario only: bridges, and what is said of devices that are not there. */
export function checkMachine(machine: MachineSection | undefined, source: YamlSource): Diagnostic[] {
  const devices = machine?.devices ?? [];
  return [...checkHypervisor(machine, source), ...checkXen(machine, source), ...checkNodes(machine, source), ...devices.flatMap((device, i) => [...checkBehind(device, machine, at(i), source), ...checkBridge(device, devices, at(i), source), ...(findBus(machine, device.behind) ? [] : checkBus(device, devices, at(i), source))]), ...checkAliases(machine, source)];
}

type At = (key: string) => Path;
const at = (i: number): At => key => ['machine', 'devices', i, key];

function checkNodes({ cpus, nodes }: MachineSection = {}, source: YamlSource): Diagnostic[] {
  if (nodes === undefined) return [];
  if (Array.isArray(cpus)) return [source.error(['machine', 'nodes'], 'each CPU of the list names its node; expected no nodes, or a number of CPUs', 'key')];
  const count = cpus ?? DEFAULT_CPUS;
  return nodes > count ? [source.error(['machine', 'nodes'], `${nodes} nodes, and ${count} CPUs to divide among them; expected at most ${count}`)] : [];
}

/** What is behind a VMD is on buses of its own, and has messages only. */
function checkBehind(device: DeviceSection, machine: MachineSection | undefined, path: At, source: YamlSource): Diagnostic[] {
  const { behind, kind, address, gsi, node, name } = device;
  const devices = machine?.devices ?? [];
  if (behind === undefined) return [];
  if (findBus(machine, behind)) return checkOnBus(device, path, source);
  const vmds = devices.filter(d => d.kind === 'vmd').map(d => d.name);
  if (!vmds.includes(behind)) {
    const found = devices.some(d => d.name === behind);
    return [source.error(path('behind'), found ? `${behind} is no VMD; expected a device with kind: vmd` : `unknown device ${behind}${suggestion(behind, [...vmds, ...busesOf(machine).map(bus => bus.name)])}`)];
  }
  if (kind === 'vmd') return [source.error(path('behind'), 'a VMD hides no VMD; expected another kind', 'key')];
  if (placeOf({ address }).segment !== 0) return [source.error(path('address'), `the segment of ${name} is given by the kernel; expected bus:device.function alone`)];
  if (gsi !== undefined) return [source.error(path('gsi'), `the INTx line of ${name} ends at the VMD; expected no gsi`, 'key')];
  return node === undefined ? [] : [source.error(path('node'), `${name} is on the node of ${behind}; expected no node`, 'key')];
}

function checkBridge(device: DeviceSection, devices: readonly DeviceSection[], path: At, source: YamlSource): Diagnostic[] {
  const { kind, secondary, subordinate } = device;
  if (kind !== 'bridge') {
    const key = secondary === undefined ? (subordinate === undefined ? undefined : 'subordinate') : 'secondary';
    return key === undefined ? [] : [source.error(path(key), `there is no bus behind ${device.name}: it is no bridge`, 'key')];
  }
  if (secondary === undefined) return [source.error(path('kind'), `${device.name} leads nowhere; expected secondary, the bus behind it`)];
  const { segment, bus } = placeOf(device);
  if (secondary <= bus) return [source.error(path('secondary'), `${device.name} is on bus ${hex(bus)}; expected a greater number of the bus behind it`)];
  if (subordinate !== undefined && subordinate < secondary) return [source.error(path('subordinate'), `the last bus comes before the first, ${secondary}`)];
  const others = devices.slice(0, devices.indexOf(device)).filter(d => d.behind === device.behind && placeOf(d).segment === segment);
  const same = others.find(d => d.secondary === secondary);
  return same ? [source.error(path('secondary'), `bus ${hex(secondary)} is behind ${same.name} already`)] : [];
}

function checkBus(device: DeviceSection, devices: readonly DeviceSection[], path: At, source: YamlSource): Diagnostic[] {
  const { bus } = placeOf(device);
  if (bus === 0) return [];
  const bridge = bridgeOf(device, devices);
  if (!bridge) return [source.error(path('address'), `no bridge leads to bus ${hex(bus)}; expected { kind: bridge, secondary: ${bus}, ... } among the devices`)];
  const outer = placeOf(bridge).bus === 0 ? undefined : bridgeOf(bridge, devices);
  if (!outer || (outer.subordinate ?? outer.secondary!) >= bus) return [];
  return [source.error(path('address'), `bus ${hex(bus)} is beyond the buses behind ${outer.name}; expected its subordinate to be ${bus} or more`)];
}

function checkAliases({ remap, devices = [] }: MachineSection = {}, source: YamlSource): Diagnostic[] {
  if (typeof remap !== 'object' || remap.type !== 'amd') return [];
  const aliases = remap.aliases ?? [];
  return aliases.flatMap(({ device }, i) => {
    const path: Path = ['machine', 'remap', 'aliases', i, 'device'];
    if (!devices.some(d => d.behind === undefined && sameAddress(d.address, device))) return [source.error(path, `the unit's scope names ${device}, and there is no such device`)];
    return aliases.slice(0, i).some(other => sameAddress(other.device, device)) ? [source.error(path, `${device} has an alias already`)] : [];
  });
}

const hex = (bus: number): string => bus.toString(16).padStart(2, '0');
