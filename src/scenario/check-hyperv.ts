import type { Diagnostic } from './diagnostic';
import { actionsOf, deviceOf } from './actions-of-step';
import { placeOf } from './devices';
import { BUS_ACTIONS } from './hyperv';
import { busesOf, findBus, instanceOf } from './hyperv-buses';
import { list, suggestion } from './nearest';
import type { DeviceSection, MachineSection } from './machine-sections';
import type { ScenarioFile, StepMap } from './scenario-file';
import { checkSaved } from './check-xen';
import { SAVED_GUEST } from './xen-section';
import type { Path, YamlSource } from './yaml-source';

// What about Hyper-V a schema cannot see.

/** Names and instances of buses are there once. */
export function checkBuses(machine: MachineSection | undefined, source: YamlSource): Diagnostic[] {
  const { devices = [] } = machine ?? {};
  return busesOf(machine).flatMap((bus, i, buses) => {
    const at = (key: string): Path => ['machine', 'hypervisor', 'hyperv', 'buses', i, key];
    const before = buses.slice(0, i);
    const taken = before.some(({ name }) => name === bus.name) ? 'bus' : devices.some(({ name }) => name === bus.name) ? 'device' : undefined;
    const twin = taken ? undefined : before.find(other => instanceOf(other, machine) === instanceOf(bus, machine));
    return [
      ...(taken ? [source.error(at('name'), `there is a ${taken} ${bus.name} already; expected another name`)] : []),
      ...(twin ? [source.error(at(bus.instance === undefined ? 'name' : 'instance'), `${twin.name} has the instance ${instanceOf(bus, machine)} already; expected another one`)] : []),
    ];
  });
}

/** What is on a virtual PCI bus is alone there but for its like, and has messages only. */
export function checkOnBus({ name, kind, address, gsi, behind }: DeviceSection, path: (key: string) => Path, source: YamlSource): Diagnostic[] {
  if (kind === 'vmd' || kind === 'bridge') return [source.error(path('kind'), `nothing can be behind ${name} on the virtual PCI bus ${behind}; expected another kind`)];
  if (placeOf({ address }).segment !== 0) return [source.error(path('address'), `the domain of ${name} is part of the instance of ${behind}; expected bus:device.function alone`)];
  if (placeOf({ address }).bus !== 0) return [source.error(path('address'), `a virtual PCI bus has the number 00; expected 00:device.function`)];
  return gsi === undefined ? [] : [source.error(path('gsi'), `${name} has no INTx line on a virtual PCI bus; expected no gsi`, 'key')];
}

/** Names of buses, for a step that may name one. */
export const busesFor = ({ machine }: ScenarioFile, step: StepMap): string[] => ((BUS_ACTIONS as readonly string[]).includes(actionsOf(step)[0]) ? busesOf(machine).map(({ name }) => name) : []);

/** Steps that name a bus, and steps of what a host does. @returns undefined for other steps */
export function checkBusStep({ machine }: ScenarioFile, source: YamlSource, step: StepMap, path: Path): Diagnostic[] | undefined {
  const [action] = actionsOf(step);
  const named = deviceOf(step);
  const names = [...busesOf(machine), ...(machine?.devices ?? []).filter(({ kind }) => kind === 'vmd')].map(({ name }) => name);
  const written = step.suspend ?? step.resume;
  if (written === SAVED_GUEST && !names.includes(written)) return checkSaved(machine, source, step, [...path, action]);
  if (written !== undefined && !names.includes(written)) {
    const device = machine?.devices?.some(({ name }) => name === written);
    return [source.error([...path, action], device ? `${written} is a device without a sleep of its own; expected a VMD, or a virtual PCI bus` : `unknown bus or VMD ${written}${suggestion(written, names)}`)];
  }
  if (!named || !findBus(machine, named.name)) return written === undefined ? undefined : [];
  const at: Path = [...path, ...named.path];
  if (!(BUS_ACTIONS as readonly string[]).includes(action)) return [source.error(at, `${named.name} is a virtual PCI bus; expected a device, or one of ${list(BUS_ACTIONS, 'or')}`)];
  if (typeof step.probe === 'object' && step.probe.driver !== undefined) return [source.error([...path, 'probe', 'driver'], 'a virtual PCI bus has the driver hv_pci; expected no driver', 'key')];
  return checkHostOrder(source, step, path, true);
}

/** What a host can do with a device, and what with a bus. */
function checkHostOrder(source: YamlSource, { eject, refuse }: StepMap, path: Path, bus: boolean): Diagnostic[] {
  const { at, forced, unlisted } = typeof eject === 'object' ? eject : {};
  const error = (action: string, key: string, text: string, of?: 'key'): Diagnostic[] => [source.error([...path, action, key], text, of)];
  if (bus && refuse && refuse.at !== 'd0') return error('refuse', 'at', `a bus has no messages; expected at: d0`);
  if (!bus && refuse?.at === 'd0') return error('refuse', 'at', `power is a bus's; expected create or retarget`);
  if (bus && at === 'create') return error('eject', 'at', 'a bus has no messages; expected now, d0 or d0exit');
  if (!bus && (at === 'd0' || at === 'd0exit')) return error('eject', 'at', `power is a bus's; expected now or create`);
  if (bus && (forced ?? unlisted) !== undefined) return error('eject', forced === undefined ? 'unlisted' : 'forced', 'the host takes a bus back in one way only; expected neither forced nor unlisted', 'key');
  if (unlisted && (forced || at === 'create')) return error('eject', 'unlisted', `the list is sent at once, and says that the device is gone; expected no ${forced ? 'forced' : 'at'} beside it`, 'key');
  return [];
}

/** Only a Hyper-V host takes devices back, or says no. */
export function checkHostStep({ machine }: ScenarioFile, source: YamlSource, step: StepMap, device: DeviceSection, path: Path): Diagnostic[] {
  const [action] = actionsOf(step);
  if (action !== 'eject' && action !== 'refuse') return [];
  if (findBus(machine, device.behind)) return checkHostOrder(source, step, path, false);
  return [source.error([...path, ...deviceOf(step)!.path], `${device.name} is not on a virtual PCI bus of Hyper-V; expected one that is behind one of machine.hypervisor.hyperv.buses`)];
}
