import { pci_device_probe, pci_device_remove } from '../kernel/drivers/pci/pci-driver';
import { pci_irq_vector } from '../kernel/drivers/pci/msi_api';
import type { PciDev } from '../kernel/include/pci';
import { AFFINITY_LIST, write_irq_affinity } from '../kernel/irq/proc';
import { EBUSY, ENODEV, ENOENT } from '../kernel/lib/errno';
import { kernel } from '../kernel/world';
import type { Op } from '../stepper/op';
import { type ActionKey, actionsOf } from './actions-of-step';
import { findDevice } from './check';
import { deviceKind, fullAddress } from './devices';
import { driverNamed } from './drivers';
import { allocVectors, freeVector, freeVectors, requestVector } from './hand-driven';
import type { DeviceSection, ScenarioFile, StepMap } from './scenario-file';

/** What a step does. */
export interface Action {
  readonly title: string;
  /** @returns 0, a number of vectors, or a negative errno */
  readonly run: () => Op<number>;
}

/** A step that is in the language, and not in the model yet. */
export class NotBuiltError extends Error {
  override readonly name = 'NotBuiltError';
}

interface Context {
  readonly file: ScenarioFile;
  /** "file:line" of the step */
  readonly place: string;
}

/** @param place "file:line" of the step */
export function actionOf(file: ScenarioFile, step: StepMap, place: string): Action {
  const key = actionsOf(step)[0];
  return build(key, step[key]!, { file, place });
}

function build<K extends ActionKey>(key: K, action: NonNullable<StepMap[K]>, context: Context): Action {
  return BUILD[key](action, context);
}

const BUILD: { readonly [K in ActionKey]: (action: NonNullable<StepMap[K]>, context: Context) => Action } = {
  probe(action, { file }) {
    const written = typeof action === 'string' ? { device: action } : action;
    const device = deviceIn(file, written.device);
    const name = written.driver ?? deviceKind(device).driver!;
    const driver = driverNamed(name, file.drivers);
    return { title: `probe ${device.name}${written.driver === undefined ? '' : ` with ${name}`}`, run: () => byHand(device, dev => pci_device_probe(dev, driver)) };
  },
  remove(action, { file }) {
    const device = deviceIn(file, action);
    return { title: `remove ${device.name}`, run: () => withDevice(device, dev => remove(dev, file)) };
  },
  alloc(action, { file }) {
    const device = deviceIn(file, action.device);
    return { title: `alloc ${action.min} to ${action.max} vectors of ${device.name}`, run: () => byHand(device, dev => allocVectors(dev, action)) };
  },
  freeVectors(action, { file }) {
    const device = deviceIn(file, action);
    return { title: `freeVectors ${device.name}`, run: () => byHand(device, freeVectors) };
  },
  request(action, { file }) {
    const device = deviceIn(file, action.device);
    const { vector = 0, name = device.name } = action;
    return { title: `request vector ${vector} of ${device.name}`, run: () => byHand(device, dev => requestVector(dev, vector, name, action.flags)) };
  },
  free({ device: written, vector = 0 }, { file }) {
    const device = deviceIn(file, written);
    return { title: `free vector ${vector} of ${device.name}`, run: () => byHand(device, dev => freeVector(dev, vector)) };
  },
  raise(action, { file }) {
    const { device: written, entry = 0 } = typeof action === 'string' ? { device: action } : action;
    const device = deviceIn(file, written);
    return { title: `raise ${device.name} entry ${entry}`, run: () => withDevice(device, dev => raise(dev, entry)) };
  },
  affinity({ irq, device: written, vector = 0, cpus }, { file }) {
    const list = String(cpus);
    if (irq !== undefined) return { title: `affinity of irq ${irq}: ${list}`, run: () => writeAffinity(irq, list) };
    const device = deviceIn(file, written!);
    return { title: `affinity of ${device.name} vector ${vector}: ${list}`, run: () => withDevice(device, dev => writeAffinityOf(dev, vector, list)) };
  },
  offline: (cpu, { place }) => ({ title: `offline CPU ${cpu}`, run: () => notBuilt(`${place}: CPU hotplug is not built yet: CPU ${cpu} cannot go offline`) }),
  online: (cpu, { place }) => ({ title: `online CPU ${cpu}`, run: () => notBuilt(`${place}: CPU hotplug is not built yet: CPU ${cpu} cannot go online`) }),
};

const deviceIn = ({ machine }: ScenarioFile, written: string): DeviceSection => findDevice(machine?.devices ?? [], written)!;

function* withDevice(device: DeviceSection, run: (dev: PciDev) => Op<number>): Op<number> {
  const address = fullAddress(device.address);
  const dev = kernel.pci_devices.find(d => d.name === address);
  return dev ? yield* run(dev) : -ENODEV;
}

/** On a device that no driver has. */
const byHand = (device: DeviceSection, run: (dev: PciDev) => Op<number>): Op<number> => withDevice(device, dev => (dev.driver === null ? run(dev) : refuse(EBUSY)));

function* refuse(errno: number): Op<number> {
  return -errno;
}

function* notBuilt(message: string): Op<number> {
  throw new NotBuiltError(message);
}

function* remove(dev: PciDev, { drivers }: ScenarioFile): Op<number> {
  if (dev.driver === null) return -ENODEV;
  yield* pci_device_remove(dev, driverNamed(dev.driver, drivers));
  return 0;
}

/** The device's message; the interrupt enters where a CPU takes it. */
function* raise(dev: PciDev, entry: number): Op<number> {
  dev.hw.raise(entry);
  yield { wait: 'window' };
  return 0;
}

function* writeAffinityOf(dev: PciDev, vector: number, list: string): Op<number> {
  const irq = yield* pci_irq_vector(dev, vector);
  return irq < 0 ? irq : yield* writeAffinity(irq, list);
}

/** As `echo LIST > /proc/irq/N/smp_affinity_list`. */
function* writeAffinity(irq: number, list: string): Op<number> {
  if (!kernel.irq_desc_tree.has(irq)) return -ENOENT;
  return Math.min(yield* write_irq_affinity(AFFINITY_LIST, irq, list), 0);
}
