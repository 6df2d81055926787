import { HYPERCALLS } from '../hardware/xen/hypervisor';
import type { Diagnostic } from './diagnostic';
import { suggestion } from './nearest';
import type { MachineSection } from './machine-sections';
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
  if (!section) return [];
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
  if (xen !== 'pv-domu') return problems;
  for (const [i, { kind, behind, name }] of devices.entries()) {
    if (kind === 'bridge') add(['devices', i, 'kind'], `pciback shows a guest no bridges: ${name} cannot be there; expected another kind`);
    if (kind === 'vmd' || behind !== undefined) add(['devices', i, behind === undefined ? 'kind' : 'behind'], 'a VMD is not passed through to a PV guest; expected another kind');
  }
  return problems;
}
