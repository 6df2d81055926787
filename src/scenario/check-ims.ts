import type { ChangeId } from '../kernel/changes';
import { type KernelChoice, kernelOf, kernelText } from '../kernel/kernel_choice';
import { actionsOf, deviceOf } from './actions-of-step';
import type { Diagnostic } from './diagnostic';
import { sameAddress } from './devices';
import { list } from './nearest';
import { numbersOf } from './number-list';
import type { ImsSection } from './ims-sections';
import type { DeviceSection } from './machine-sections';
import type { ScenarioFile, StepMap } from './scenario-file';
import { PART_ACTIONS } from './subdevice';
import type { Path, YamlSource } from './yaml-source';

// What cannot be of message stores and is seen in the scenario only.

const MAX_SLOTS = 4096;

/** Of the device at `machine.devices[i]`. */
export function checkIms(device: DeviceSection, i: number, devices: readonly DeviceSection[], source: YamlSource): Diagnostic[] {
  const at = (...path: Path): Path => ['machine', 'devices', i, ...path];
  const { kind, ims, name } = device;
  if (kind === 'ims' && !ims) return [source.error(at('kind'), `${name} has no store; expected ims: { slots: ..., subdevices: [...] }`)];
  if (!ims) return [];
  if (kind !== 'ims') return [source.error(at('ims'), `a ${kind} has no store of messages; expected kind: ims`, 'key')];

  const { store = 'array', msi, slots, subdevices } = ims;
  const taken = [...devices.map(d => d.name), ...devices.slice(0, i).flatMap(d => d.ims?.subdevices ?? [])];
  const twice = subdevices.flatMap((part, n) =>
    taken.includes(part) || subdevices.indexOf(part) < n ? [source.error(at('ims', 'subdevices', n), `there is a device ${part} already; expected another name`)] : [],
  );
  const all = slots * (store === 'queue' ? subdevices.length : 1);
  const many = all > MAX_SLOTS ? [source.error(at('ims', 'slots'), `${all} slots in all queues; expected at most ${MAX_SLOTS}`)] : [];
  const array = store === 'array' && ims.loses ? [source.error(at('ims', 'loses'), 'an array takes no commands; expected store: queue', 'key')] : [];
  const queue = store === 'queue' && msi === 'platform' ? [source.error(at('ims', 'msi'), 'platform MSI cannot wait for commands; expected store: array', 'key')] : [];
  return [...twice, ...many, ...array, ...queue];
}

/** A step that is about a part of a device. */
export function checkPart(file: ScenarioFile, step: StepMap, part: string, path: Path, source: YamlSource): Diagnostic[] {
  const [action] = actionsOf(step);
  const { auxdata } = step;
  if (auxdata && (auxdata.pasid === undefined) === (auxdata.value === undefined)) {
    return [source.error([...path, 'auxdata'], `${auxdata.pasid === undefined ? 'what shall it be?' : 'pasid and value are both there'}; expected either pasid or value`, 'key')];
  }
  if (!(PART_ACTIONS as readonly string[]).includes(action)) return [source.error([...path, action], `${part} is a part of a device; expected one of ${list(PART_ACTIONS, 'or')}`, 'key')];
  if (step.expect !== undefined) return [];

  const device = file.machine!.devices!.find(({ ims }) => ims?.subdevices.includes(part))!;
  const before = file.steps.slice(0, Number(path[1]));
  if (!before.some(earlier => earlier !== 'boot' && probes(earlier, device))) {
    return [source.error([...path, action], `${part} is a device when the driver of ${device.name} has made it one; expected a step before this one: "- probe: ${device.name}"`, 'key')];
  }
  return checkSlots(step, device, path, source);
}

function probes(step: StepMap, { name, address }: DeviceSection): boolean {
  const probed = step.probe === undefined ? undefined : deviceOf(step)?.name;
  return probed === name || (probed !== undefined && sameAddress(probed, address));
}

/** More than there can be, and the step does not say that it wants to see that. */
function checkSlots({ msiAlloc, raise }: StepMap, { name, ims }: DeviceSection, path: Path, source: YamlSource): Diagnostic[] {
  const { slots, store } = ims!;
  const has = `${name} has ${slots} ${slots === 1 ? 'slot' : 'slots'}${store === 'queue' ? ' in each queue' : ''}`;
  if (msiAlloc && msiAlloc.vectors > slots) return [source.error([...path, 'msiAlloc', 'vectors'], `${has}; expected 1 to ${slots} vectors, or expect: -ENOSPC`)];
  const entries = numbersOf(typeof raise === 'object' ? (raise.entry ?? 0) : 0);
  return entries.every(entry => entry < slots) ? [] : [source.error([...path, 'raise', 'entry'], `${has}; expected an entry of 0 to ${slots - 1}, or expect: -EINVAL`)];
}

const FOR_PARTS = ['msiAlloc', 'msiFree', 'auxdata'] as const;

/** A step that is about a whole device. */
export function checkWhole(step: StepMap, { name, ims }: DeviceSection, path: Path, source: YamlSource): Diagnostic[] {
  const wrong: Path[] = FOR_PARTS.filter(key => step[key] !== undefined).map(key => (key === 'msiFree' ? [key] : [key, 'device']));
  const parts = ims ? list(ims.subdevices, 'or') : 'a part of a device of kind ims';
  return wrong.map(key => source.error([...path, ...key], `${name} is no part of a device; expected ${parts}`));
}

/** A message store that the scenario's own kernel cannot use, unless that is what the scenario shows. */
export function checkStores({ machine, steps }: ScenarioFile, kernel: KernelChoice, source: YamlSource): Diagnostic[] {
  const found = kernelOf(kernel);
  if (!found.ok) return [];
  const { changes } = found;
  return steps.flatMap((step, i) => {
    if (step !== 'boot' && step.msiAlloc?.pasid !== undefined && !secondary(changes)) {
      return [source.error(['steps', i, 'msiAlloc', 'pasid'], `kernel ${kernelText(kernel)} takes no pasid with an allocation; expected a step auxdata behind it, or a kernel with pci-ims`, 'key')];
    }
    if (step === 'boot' || step.probe === undefined || step.expect !== undefined) return [];
    // A driver of the scenario's own may do with the store what it likes.
    if (typeof step.probe === 'object' && step.probe.driver !== undefined) return [];
    const device = machine?.devices?.find(({ name }) => name === deviceOf(step)?.name);
    const wrong = device?.ims && unusable(device.ims, changes);
    return wrong === undefined ? [] : [source.error(['steps', i, 'probe'], `kernel ${kernelText(kernel)} ${wrong}, or expect: -ENODEV`)];
  });
}

/** Messages of a PCI device's own, and none of its parts. */
const secondary = (changes: ReadonlySet<ChangeId>): boolean => changes.has('pci-ims') && !changes.has('v2-46');

function unusable({ store, msi }: ImsSection, changes: ReadonlySet<ChangeId>): string | undefined {
  if (msi === 'platform' || secondary(changes)) return undefined;
  if (!changes.has('v2-46')) return 'has no driver for message stores; expected v5.10+device-msi (as posted in August 2020) or v5.10+ims-repost (as posted again until February 2021), or a kernel with pci-ims';
  return store === 'queue' && changes.has('repost-ims') ? 'has no queue store, which was not posted again; expected v5.10+device-msi+ims-queue-usable' : undefined;
}
