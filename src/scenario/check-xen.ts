import { HYPERCALLS } from '../hardware/xen/hypervisor';
import type { Diagnostic } from './diagnostic';
import type { DeviceSection, MachineSection } from './machine-sections';
import { list, suggestion } from './nearest';
import type { ScenarioFile, StepMap } from './scenario-file';
import { NEEDS_DEVICE } from './xen-guests';
import { XEN_OPTIONS, xenOf } from './xen-section';
import type { Path, YamlSource } from './yaml-source';

// What about a hypervisor a schema cannot see: which one it is, and what a guest of Xen's cannot have.

const HYPERVISOR: Path = ['machine', 'hypervisor'];

/** One hypervisor, and what is said of it is said of the right one. */
export function checkHypervisor({ hypervisor }: MachineSection = {}, source: YamlSource): Diagnostic[] {
  if (typeof hypervisor !== 'object') return [];
  const { xen, hyperv } = hypervisor;
  if (xen !== undefined && hyperv !== undefined) return [source.error([...HYPERVISOR, 'hyperv'], 'the machine is a guest of Xen\'s already; expected xen or hyperv', 'key')];
  if (xen !== undefined) return [];
  const option = XEN_OPTIONS.find(key => hypervisor[key] !== undefined);
  if (hyperv !== undefined) return option === undefined ? [] : [source.error([...HYPERVISOR, option], `${option} is said of a Xen; expected it beside xen`, 'key')];
  return [source.error(HYPERVISOR, 'which hypervisor? expected xen or hyperv', 'key')];
}

/** What a guest of Xen's has not: that is Xen's own, or nobody shows it to the guest. */
export function checkXen(machine: MachineSection = {}, source: YamlSource): Diagnostic[] {
  const section = xenOf(machine);
  if (!section) return (machine.devices ?? []).flatMap((device, i) => checkGiven(device, ['machine', 'devices', i], false, source));
  const { remap = 'none', hpet, uv, devices = [] } = machine;
  const { xen, deny = [], with: added = [], without = [] } = section;
  const problems: Diagnostic[] = [];
  const add = (path: Path, message: string, at?: 'key'): void => void problems.push(source.error(['machine', ...path], message, at));
  const where: Path = ['hypervisor'];
  if (remap !== 'none') add(['remap'], `Xen keeps the remapping unit for itself: a guest has none; expected no remap`, 'key');
  if (uv) add(['uv'], 'no guest of Xen is an SGI UV; expected no uv', 'key');
  if (hpet && xen.startsWith('pv-')) add(['hpet'], 'the HPET is Xen\'s: a PV guest has none; expected no hpet', 'key');
  for (const [i, name] of deny.entries()) if (!HYPERCALLS.includes(name)) add([...where, 'deny', i], `there is no hypercall ${name} here${suggestion(name, HYPERCALLS)}`);
  for (const [i, feature] of added.entries()) if (without.includes(feature)) add([...where, 'with', i], `${feature} is in without, too`);
  for (const [i, device] of devices.entries()) problems.push(...checkGiven(device, ['machine', 'devices', i], xen === 'pv-dom0', source));
  if (xen !== 'pv-domu') return problems;
  for (const [i, { kind, behind, name }] of devices.entries()) {
    if (kind === 'bridge') add(['devices', i, 'kind'], `pciback shows a guest no bridges: ${name} cannot be there; expected another kind`);
    if (kind === 'vmd' || behind !== undefined) add(['devices', i, behind === undefined ? 'kind' : 'behind'], 'a VMD is not passed through to a PV guest; expected another kind');
  }
  return problems;
}

/** Only dom0 gives devices to other guests, and only simple ones. */
function checkGiven({ name, guest, kind, behind, vfs }: DeviceSection, path: Path, dom0: boolean, source: YamlSource): Diagnostic[] {
  if (guest === undefined) return [];
  if (!dom0) return [source.error([...path, 'guest'], 'only dom0 of Xen gives a device to another guest; expected machine.hypervisor: { xen: pv-dom0 }', 'key')];
  if (kind === 'bridge' || kind === 'vmd' || kind === 'ims') return [source.error([...path, 'kind'], `${name} is given to no guest as a whole; expected another kind`)];
  if (behind !== undefined || vfs !== undefined) return [source.error([...path, 'guest'], `${name} cannot be given to a guest ${behind === undefined ? 'while it makes virtual functions' : `from behind ${behind}`}`, 'key')];
  return [];
}

/** Steps of other guests, and pciback. */
export function checkGuestStep({ machine }: ScenarioFile, source: YamlSource, { guest, probe }: StepMap, path: Path): Diagnostic[] {
  const devices = machine?.devices ?? [];
  if (typeof probe === 'object' && probe.driver === 'pciback' && devices.some(({ name, guest }) => name === probe.device && guest === undefined)) {
    return [source.error([...path, 'probe', 'driver'], `pciback takes what is another guest's; expected ${probe.device} to have guest, its DOMID`)];
  }
  if (guest === undefined) return [];
  const { domain, does, device, vectors } = guest;
  const at = (key: string): Path => [...path, 'guest', key];
  const known = [...new Set(devices.flatMap(({ guest }) => guest ?? []))];
  if (!known.includes(domain)) return [source.error(at('domain'), `no device is given to domain ${domain}${known.length === 0 ? '; expected one with guest' : choiceOf(known)}`)];
  const needs = NEEDS_DEVICE.includes(does);
  if (needs && device === undefined) return [source.error([...path, 'guest'], `${does} of which device?; expected device`, 'key')];
  if (!needs && device !== undefined) return [source.error(at('device'), `${does} is of no device; expected none`, 'key')];
  if (vectors !== undefined && does !== 'enable_msix') return [source.error(at('vectors'), 'vectors are counted with enable_msix only', 'key')];
  const given = devices.find(({ name }) => name === device);
  if (given && given.guest !== domain) return [source.error(at('device'), `${given.name} is not given to domain ${domain}; expected a device with guest: ${domain}`)];
  return [];
}

const choiceOf = (known: readonly number[]): string => `; expected ${list(known.map(String), 'or')}`;

/** Only what Xen makes up can be saved with the guest: dom0 has the machine, a PV guest its devices from pciback. */
export function checkSaved(machine: MachineSection | undefined, source: YamlSource, { resume }: StepMap, at: Path): Diagnostic[] {
  const xen = xenOf(machine)?.xen;
  if (xen !== 'hvm') return [source.error(at, `${xen === undefined ? 'the machine is no guest of Xen\'s' : `Xen does not save ${xen === 'pv-domu' ? 'a guest with devices of the machine' : 'dom0'}`}; expected machine.hypervisor: { xen: hvm }`)];
  return resume === undefined ? [] : [source.error(at, 'a guest that Xen saves is there again when suspend returns; expected suspend alone')];
}
