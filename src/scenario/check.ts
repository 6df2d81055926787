import { UV_GLOBAL_MMR64_PNODE_SHIFT } from '../hardware/uv-hub';
import { errnoName } from '../kernel/lib/errno';
import { busesFor, checkBuses, checkBusStep, checkHostStep } from './check-hyperv';
import { checkIms, checkPart, checkWhole } from './check-ims';
import { checkMachine } from './check-machine';
import { checkGuestStep } from './check-xen';
import { ACTIONS, actionsOf, deviceOf } from './actions-of-step';
import { DEFAULT_CPUS, numbersOf } from './number-list';
import { AMD_IOMMU_FUNCTION, builtInDrivers, DEFAULT_TIMERS, deviceKind, sameAddress, virtualOf } from './devices';
import { driverFor } from './drivers';
import type { Diagnostic } from './diagnostic';
import type { RaiseSection } from './ims-sections';
import { list, suggestion } from './nearest';
import type { AllocSection } from './driver-sections';
import type { DeviceSection, MachineSection } from './machine-sections';
import type { CpuList, ScenarioFile, StepMap, VectorList } from './scenario-file';
import type { ModuleSource } from './modules/module-source';
import type { Path, YamlSource } from './yaml-source';

/** What a schema cannot see: names that lead nowhere, things that are there twice, figures that do not fit each other. */
/** @param modules that the scenario names */
export function checkMeaning(file: ScenarioFile, source: YamlSource, modules: readonly ModuleSource[]): Diagnostic[] {
  return [...checkDevices(file, source), ...checkBuses(file.machine, source), ...checkMachine(file.machine, source), ...checkHpet(file, source), ...checkDrivers(file, source), ...file.steps.flatMap((step, i) => checkStep(file, source, step, i, modules))];
}

function checkDevices({ machine }: ScenarioFile, source: YamlSource): Diagnostic[] {
  const errors: Diagnostic[] = [];
  const devices = machine?.devices ?? [];
  devices.forEach((device, i) => {
    const at = (key: string): Path => ['machine', 'devices', i, key];
    const before = devices.slice(0, i);
    const sameName = before.find(d => d.name === device.name);
    const samePlace = before.find(d => d.behind === device.behind && sameAddress(d.address, device.address));
    if (hasAmdIommu(machine) && device.behind === undefined && sameAddress(device.address, AMD_IOMMU_FUNCTION)) errors.push(source.error(at('address'), `${device.address} is the AMD IOMMU itself; expected another address`));
    if (sameName) errors.push(source.error(at('name'), `there is a device ${device.name} already; expected another name`));
    errors.push(...checkIms(device, i, devices, source));
    if (samePlace) errors.push(source.error(at('address'), `the address ${device.address} is there twice: ${samePlace.name} has it`));
  });
  return errors;
}

const hasAmdIommu = (machine: MachineSection | undefined): boolean => machine?.remap === 'amd' || (typeof machine?.remap === 'object' && machine.remap.type === 'amd');

function checkDrivers({ drivers = {} }: ScenarioFile, source: YamlSource): Diagnostic[] {
  return Object.entries(drivers).flatMap(([name, { match, alloc }]) => {
    const path: Path = ['drivers', name];
    const attempts = Array.isArray(alloc) ? alloc : [alloc];
    return [
      ...(builtInDrivers.includes(name) ? [source.error(path, `${name} is a driver of the kernel; expected another name`, 'key')] : []),
      ...(match && Object.keys(match).length === 0 ? [source.error([...path, 'match'], 'this matches every device; expected address, vendor, device or class')] : []),
      ...attempts.flatMap((attempt, i) => checkAlloc(attempt, Array.isArray(alloc) ? [...path, 'alloc', i] : [...path, 'alloc'], source)),
    ];
  });
}

/** What pci_alloc_irq_vectors_affinity() would pass over in silence. */
function checkAlloc({ min, max, flags = [], pre, post, sets }: AllocSection, path: Path, source: YamlSource): Diagnostic[] {
  if (min > max) return [source.error([...path, 'max'], `at most ${max}, and at least ${min}; expected ${min} or more`)];
  const idle = Object.entries({ pre, post, sets }).find(([, value]) => value !== undefined)?.[0];
  if (idle === undefined || flags.includes('PCI_IRQ_AFFINITY')) return [];
  return [source.error([...path, idle], `${idle} counts with PCI_IRQ_AFFINITY only; expected it among the flags`, 'key')];
}

function checkStep(file: ScenarioFile, source: YamlSource, step: 'boot' | StepMap, i: number, modules: readonly ModuleSource[]): Diagnostic[] {
  const path: Path = ['steps', i];
  if (step === 'boot') return i === 0 ? [] : [source.error(path, 'the machine runs already; boot can only be the first step')];
  const actions = actionsOf(step);
  const first = actions.at(0);
  const second = actions.at(1);
  if (first === undefined) return [source.error(path, `a step without an action; expected one of ${list(ACTIONS, 'or')}`)];
  if (second !== undefined) return [source.error([...path, second], `a step has one action, and this one has ${first} already; expected a new step ("- ${second}: ...")`, 'key')];
  return [
    ...checkUv(file, source, step, path), ...checkGuestStep(file, source, step, path), ...(checkBusStep(file, source, step, path) ?? checkDevice(file, source, step, path, modules)), ...checkCall(source, step, path, modules), ...checkCpus(file, source, step, path), ...checkTimer(file, source, step, path),
    ...checkAffinity(source, step, path), ...checkOrder(source, step, path), ...checkExpect(source, step, path),
  ];
}

function checkDevice(file: ScenarioFile, source: YamlSource, step: StepMap, path: Path, modules: readonly ModuleSource[]): Diagnostic[] {
  const named = deviceOf(step);
  if (!named) return [];
  const devices = file.machine?.devices ?? [];
  const device = findDevice(devices, named.name);
  const part = findPart(devices, named.name);
  if (part !== undefined) return checkPart(file, step, part, path, source);
  if (!device) {
    const known = [...devices.flatMap(d => [d.name, ...virtualOf(d).map(({ name }) => name), ...(d.ims?.subdevices ?? [])]), ...busesFor(file, step)];
    return [source.error([...path, ...named.path], `unknown device ${named.name}${suggestion(named.name, known)}`)];
  }
  return [...checkWhole(step, device, path, source), ...checkSriov(source, step, device, path), ...checkHostStep(file, source, step, device, path), ...checkDriver(file, source, step, device, path, modules), ...checkEntry(source, step, device, path)];
}

function checkSriov(source: YamlSource, { sriov }: StepMap, { name, vfs }: DeviceSection, path: Path): Diagnostic[] {
  if (sriov === undefined || vfs !== undefined) return [];
  return [source.error([...path, 'sriov', 'device'], `${name} has no file sriov_numvfs; expected a device with vfs`)];
}

function checkUv({ machine }: ScenarioFile, source: YamlSource, { uvSetup }: StepMap, path: Path): Diagnostic[] {
  if (uvSetup === undefined) return [];
  if (!machine?.uv) return [source.error([...path, 'uvSetup'], 'the machine has no UV hub; expected machine.uv: true', 'key')];
  const { blade = 0, offset = 0 } = uvSetup;
  const blades = machine.nodes ?? 1;
  if (blade >= blades) return [source.error([...path, 'uvSetup', 'blade'], `there is no blade ${blade}; expected 0 to ${blades - 1}: one a node`)];
  return offset % 8 === 0 && offset < 2 ** UV_GLOBAL_MMR64_PNODE_SHIFT ? [] : [source.error([...path, 'uvSetup', 'offset'], `${offset} is no offset of a register; expected a multiple of 8 below 0x4000000`)];
}

function checkDriver({ drivers = {} }: ScenarioFile, source: YamlSource, { probe }: StepMap, device: DeviceSection, path: Path, modules: readonly ModuleSource[]): Diagnostic[] {
  if (probe === undefined) return [];
  const written = typeof probe === 'string' ? undefined : probe.driver;
  if (written === undefined) {
    if (driverFor(device, drivers) !== undefined) return [];
    return [source.error([...path, 'probe'], `no driver of the kernel takes ${device.name} (${device.kind}); expected {device: ${device.name}, driver: one of yours}, or one of yours with match`)];
  }
  const known = [...builtInDrivers, ...Object.keys(drivers), ...exportedNames(modules)];
  if (known.includes(written)) return [];
  return [source.error([...path, 'probe', 'driver'], `unknown driver ${written}${suggestion(written, known)}`)];
}

function checkCall(source: YamlSource, { call }: StepMap, path: Path, modules: readonly ModuleSource[]): Diagnostic[] {
  if (call === undefined) return [];
  const name = typeof call === 'string' ? call : call.function;
  const at: Path = typeof call === 'string' ? [...path, 'call'] : [...path, 'call', 'function'];
  const known = exportedNames(modules);
  if (!known.includes(name)) return [source.error(at, modules.length === 0 ? 'there are no modules; expected modules: [./my-domain.ts]' : `no module exports a function ${name}${suggestion(name, known)}`)];
  return known.indexOf(name) === known.lastIndexOf(name) ? [] : [source.error(at, `several modules export ${name}; expected a name that one of them has`)];
}

const exportedNames = (modules: readonly ModuleSource[]): string[] => modules.flatMap(({ exports, reexports }) => [...exports.keys(), ...reexports.keys()]);

function checkEntry(source: YamlSource, { raise }: StepMap, device: DeviceSection, path: Path): Diagnostic[] {
  if (raise === undefined) return [];
  const { msix, msi } = deviceKind(device);
  const entries = Math.max(msix || 0, msi ? msi.vectors : 0);
  if (entries === 0) return [source.error([...path, 'raise'], `${device.name} has neither MSI-X nor MSI, so it has no message to send`)];
  if (typeof raise === 'object' && raise.at !== undefined) return checkWord(source, raise, device, path);
  const entry = numbersOf(typeof raise === 'string' ? 0 : (raise.entry ?? 0)).find(number => number >= entries);
  if (entry === undefined) return [];
  return [source.error([...path, 'raise', 'entry'], `${device.name} has no entry ${entry}; expected 0 to ${entries - 1}`)];
}

/** An interrupt in the middle of a write of the message. */
function checkWord(source: YamlSource, { at, entry }: RaiseSection, device: DeviceSection, path: Path): Diagnostic[] {
  if (!deviceKind(device).msi) return [source.error([...path, 'raise', 'at'], `${device.name} has no MSI capability; expected a device with one, or a part of a device of kind ims`)];
  if (at === 'ctrl') return [source.error([...path, 'raise', 'at'], 'an MSI message has no such word; expected address_lo, address_hi or data')];
  return entry === undefined || entry === 0 ? [] : [source.error([...path, 'raise', 'entry'], 'only the first message of an MSI capability can be waited for; expected entry 0, or none')];
}

function checkCpus(file: ScenarioFile, source: YamlSource, step: StepMap, path: Path): Diagnostic[] {
  const written: [Path, CpuList | undefined][] = [
    [['cpu'], step.cpu],
    [['offline'], step.offline],
    [['uvSetup', 'cpu'], step.uvSetup?.cpu],
    [['vcpu', 'runs'], step.vcpu?.runs === 'none' ? undefined : step.vcpu?.runs],
    [['online'], step.online],
    [['affinity', 'cpus'], step.affinity?.cpus],
  ];
  const count = cpuCount(file);
  return written.flatMap(([where, cpus]) => {
    if (cpus === undefined) return [];
    const missing = numbersOf(cpus).find(cpu => cpu >= count);
    if (missing === undefined) return [];
    return [source.error([...path, ...where], `there is no CPU ${missing}; expected CPUs of 0 to ${count - 1}`)];
  });
}

function checkHpet({ machine }: ScenarioFile, source: YamlSource): Diagnostic[] {
  const { timers = DEFAULT_TIMERS, messages } = machine?.hpet ?? {};
  if (!Array.isArray(messages)) return [];
  return messages.flatMap((timer, i) => (timer < timers ? [] : [source.error(['machine', 'hpet', 'messages', i], `the HPET has no timer ${timer}; expected 0 to ${timers - 1}`)]));
}

function checkTimer({ machine }: ScenarioFile, source: YamlSource, { expire }: StepMap, path: Path): Diagnostic[] {
  if (expire === undefined) return [];
  if (!machine?.hpet) return [source.error([...path, 'expire'], 'the machine has no HPET; expected machine.hpet', 'key')];
  const { timers = DEFAULT_TIMERS } = machine.hpet;
  return expire < timers ? [] : [source.error([...path, 'expire'], `the HPET has no timer ${expire}; expected 0 to ${timers - 1}`)];
}

/** A range that goes down is no vector at all. */
function checkOrder(source: YamlSource, { affinity, raise }: StepMap, path: Path): Diagnostic[] {
  const written: [Path, VectorList | undefined][] = [
    [['affinity', 'vector'], affinity?.vector],
    [['raise', 'entry'], typeof raise === 'object' ? raise.entry : undefined],
  ];
  return written.flatMap(([where, vectors]) => {
    const down = String(vectors ?? '').split(',').find(range => numbersOf(range).length === 0);
    return vectors === undefined || down === undefined ? [] : [source.error([...path, ...where], `${down} goes down; expected the lower number first`)];
  });
}

function checkAffinity(source: YamlSource, { affinity }: StepMap, path: Path): Diagnostic[] {
  if (!affinity || (affinity.irq === undefined) !== (affinity.device === undefined)) return [];
  const both = affinity.irq !== undefined;
  return [source.error([...path, 'affinity'], `${both ? 'irq and device are both there' : 'whose affinity?'}; expected either irq, or device (and vector)`, 'key')];
}

const LAST_ERRNO = 4095;
/** "-EPERM" and the like, all that the model knows. */
const ERRNO_NAMES = Array.from({ length: LAST_ERRNO }, (_, i) => errnoName(-i - 1)).filter(name => name !== undefined);

function checkExpect(source: YamlSource, { expect }: StepMap, path: Path): Diagnostic[] {
  if (typeof expect !== 'string' || ERRNO_NAMES.includes(expect)) return [];
  return [source.error([...path, 'expect'], `unknown errno ${expect}${suggestion(expect, ERRNO_NAMES)}`)];
}

export function cpuCount({ machine }: ScenarioFile): number {
  const cpus = machine?.cpus ?? DEFAULT_CPUS;
  return typeof cpus === 'number' ? cpus : cpus.length;
}

/** The part of a device that has this name. */
export const findPart = (devices: readonly DeviceSection[], written: string | undefined): string | undefined =>
  devices.flatMap(({ ims }) => ims?.subdevices ?? []).find(name => name === written);

/** By name, or by address if no VMD hides it; virtual functions too. */
export function findDevice(devices: readonly DeviceSection[], written: string): DeviceSection | undefined {
  const all = devices.flatMap(d => [d, ...virtualOf(d)]);
  return all.find(d => d.name === written) ?? all.find(d => d.behind === undefined && sameAddress(d.address, written));
}
