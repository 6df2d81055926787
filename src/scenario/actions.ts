import type { MsiWord } from '../hardware/pci';
import { online_store } from '../kernel/drivers/base/cpu';
import { do_suspend } from '../kernel/drivers/xen/manage';
import { sriov_numvfs_store } from '../kernel/drivers/pci/iov';
import { pci_device_probe, pci_device_remove, type pci_driver } from '../kernel/drivers/pci/pci-driver';
import { pci_pm_resume, pci_pm_suspend } from '../kernel/drivers/pci/pci-pm';
import { pci_irq_vector } from '../kernel/drivers/pci/msi_api';
import type { PciDev } from '../kernel/include/pci';
import { EBUSY, EINVAL, ENODEV } from '../kernel/lib/errno';
import { kernel, machine } from '../kernel/world';
import type { Op } from '../stepper/op';
import { type ActionKey, actionsOf, deviceOf } from './actions-of-step';
import { writeAffinity } from './affinity';
import { findDevice, findPart } from './check';
import { driverFor, driverNamed, isDriver } from './drivers';
import { type BusAction, hostEjects, hostRefuses, isGone, onBus } from './hyperv';
import { findBus, instanceOf } from './hyperv-buses';
import type { ModuleRun } from './modules/module-run';
import { forEach } from './number-list';
import { subdeviceAction } from './subdevice';
import { uvRaise, uvSetup, uvTeardown } from './uv';
import { loadVcpu, setVcpuAffinity } from './vcpu';
import { guestDoes } from './xen-guests';
import { SAVED_GUEST } from './xen-section';
import { allocVectors, freeVector, freeVectors, requestVector, switchVector } from './hand-driven';
import type { DeviceSection } from './machine-sections';
import type { ScenarioFile, StepMap } from './scenario-file';

/** What a step does. */
export interface Action {
  readonly title: string;
  /** @returns 0, a number of vectors, or a negative errno */
  readonly run: () => Op<number>;
}

export function actionOf(file: ScenarioFile, step: StepMap, modules: ModuleRun): Action {
  const key = actionsOf(step)[0];
  const part = findPart(file.machine?.devices ?? [], deviceOf(step)?.name);
  if (part !== undefined) return subdeviceAction(part, key, step[key]!);
  const bus = findBus(file.machine, step.suspend ?? step.resume ?? deviceOf(step)?.name);
  if (bus && key !== 'eject' && key !== 'refuse') return { title: `${key} ${bus.name}`, run: () => onBus(instanceOf(bus, file.machine), key as BusAction) };
  return build(key, step[key]!, file, modules);
}

function build<K extends ActionKey>(key: K, action: NonNullable<StepMap[K]>, file: ScenarioFile, modules: ModuleRun): Action {
  return BUILD[key]!(action, file, modules);
}

type Build = { readonly [K in ActionKey]?: (action: NonNullable<StepMap[K]>, file: ScenarioFile, modules: ModuleRun) => Action };

/** Those that are not here are for parts of devices only. */
const BUILD: Build = {
  probe(action, file, modules) {
    const written = typeof action === 'string' ? { device: action } : action;
    const device = deviceIn(file, written.device);
    const name = written.driver ?? driverFor(device, file.drivers)!;
    const driver = (): pci_driver => (isDriver(name, file.drivers) ? driverNamed(name, file.drivers) : modules.driver(name));
    return { title: `probe ${device.name}${written.driver === undefined ? '' : ` with ${name}`}`, run: () => byHand(device, dev => pci_device_probe(dev, driver())) };
  },
  remove(action, file) {
    const device = deviceIn(file, action);
    return { title: `remove ${device.name}`, run: () => withDevice(device, remove) };
  },
  alloc(action, file) {
    const device = deviceIn(file, action.device);
    return { title: `alloc ${action.min} to ${action.max} vectors of ${device.name}`, run: () => byHand(device, dev => allocVectors(dev, action)) };
  },
  freeVectors(action, file) {
    const device = deviceIn(file, action);
    return { title: `freeVectors ${device.name}`, run: () => byHand(device, freeVectors) };
  },
  request(action, file) {
    const device = deviceIn(file, action.device);
    const { vector = 0, name = device.name } = action;
    return { title: `request vector ${vector} of ${device.name}`, run: () => byHand(device, dev => requestVector(dev, vector, name, action)) };
  },
  free({ device: written, vector = 0 }, file) {
    const device = deviceIn(file, written);
    return { title: `free vector ${vector} of ${device.name}`, run: () => byHand(device, dev => freeVector(dev, vector)) };
  },
  disable({ device: written, vector = 0 }, file) {
    const device = deviceIn(file, written);
    return { title: `disable vector ${vector} of ${device.name}`, run: () => byHand(device, dev => switchVector(dev, vector, false)) };
  },
  enable({ device: written, vector = 0 }, file) {
    const device = deviceIn(file, written);
    return { title: `enable vector ${vector} of ${device.name}`, run: () => byHand(device, dev => switchVector(dev, vector, true)) };
  },
  assert(written, file) {
    const device = deviceIn(file, written);
    return { title: `assert INTx of ${device.name}`, run: () => withDevice(device, dev => driveIntx(dev, true)) };
  },
  deassert(written, file) {
    const device = deviceIn(file, written);
    return { title: `deassert INTx of ${device.name}`, run: () => withDevice(device, dev => driveIntx(dev, false)) };
  },
  raise(action, file) {
    const { device: written, entry = 0, at } = typeof action === 'string' ? { device: action } : action;
    const device = deviceIn(file, written);
    if (at !== undefined) return { title: `raise ${device.name} at ${at}`, run: () => withDevice(device, dev => raiseAt(dev, at as MsiWord)) };
    return { title: `raise ${device.name} entry ${entry}`, run: () => withDevice(device, dev => forEach(entry, number => raise(dev, number))) };
  },
  expire: timer => ({ title: `expire timer ${timer} of the HPET`, run: () => expire(timer) }),
  write({ device: written, address, data }, file) {
    const device = deviceIn(file, written);
    return { title: `${device.name} writes ${hex(data)} to ${hex(address)}`, run: () => withDevice(device, dev => writeOut(dev, address, data)) };
  },
  vcpu: ({ id, runs }) => ({ title: `vcpu ${id} ${runs === 'none' ? 'is taken off its CPU' : `on CPU ${runs}`}`, run: () => loadVcpu(id, runs === 'none' ? null : runs) }),
  vcpuAffinity(action, file) {
    const device = deviceIn(file, action.device);
    const { vector = 0, vcpu, guestVector = 0x51 } = action;
    const target = vcpu === undefined ? null : { id: vcpu, vector: guestVector };
    return { title: `vcpuAffinity of ${device.name} vector ${vector}: ${vcpu === undefined ? 'host' : `vcpu ${vcpu}`}`, run: () => withDevice(device, dev => setVcpuAffinity(dev, vector, target)) };
  },
  uvSetup: action => ({ title: `uvSetup ${action.name}`, run: () => uvSetup(action) }),
  uvTeardown: name => ({ title: `uvTeardown ${name}`, run: () => uvTeardown(name) }),
  uvRaise: name => ({ title: `uvRaise ${name}`, run: () => uvRaise(name) }),
  affinity({ irq, device: written, vector = 0, cpus }, file) {
    const list = String(cpus);
    if (irq !== undefined) return { title: `affinity of irq ${irq}: ${list}`, run: () => writeAffinity(irq, list) };
    const device = deviceIn(file, written!);
    return { title: `affinity of ${device.name} vector ${vector}: ${list}`, run: () => withDevice(device, dev => forEach(vector, number => writeAffinityOf(dev, number, list))) };
  },
  sriov({ device: written, numvfs }, file) {
    const device = deviceIn(file, written);
    return { title: `sriov_numvfs of ${device.name}: ${numvfs}`, run: () => withDevice(device, dev => sriov_numvfs_store(dev, numvfs)) };
  },
  call(action, _file, modules) {
    const written = typeof action === 'string' ? { function: action } : action;
    return { title: `call ${written.function}(${(written.args ?? []).join(', ')})`, run: () => modules.call(written) };
  },
  eject(action, file) {
    const section = typeof action === 'string' ? { device: action } : action;
    const device = onHost(file, section.device);
    return { title: `${section.forced ? 'withdraw' : section.unlisted ? 'forget' : 'eject'} ${device}${WHEN[section.at ?? 'now']}`, run: () => hostEjects({ ...section, device }) };
  },
  refuse({ device: written, at }, file) {
    const device = onHost(file, written);
    return { title: `refuse the next ${at} of ${device}`, run: () => hostRefuses({ device, at }) };
  },
  suspend(written, file) {
    if (written === SAVED_GUEST) return { title: 'Xen saves the guest, and restores it', run: do_suspend };
    const device = deviceIn(file, written);
    return { title: `suspend ${device.name}`, run: () => withDriver(device, pci_pm_suspend) };
  },
  resume(written, file) {
    const device = deviceIn(file, written);
    return { title: `resume ${device.name}`, run: () => withDriver(device, pci_pm_resume) };
  },
  guest(action, file) {
    const device = action.device === undefined ? undefined : deviceIn(file, action.device).name;
    return { title: `guest ${action.domain}: ${action.does}${device === undefined ? '' : ` of ${device}`}`, run: () => guestDoes({ ...action, ...(device !== undefined && { device }) }) };
  },
  offline: cpu => ({ title: `offline CPU ${cpu}`, run: () => writeOnline(cpu, '0') }),
  online: cpu => ({ title: `online CPU ${cpu}`, run: () => writeOnline(cpu, '1') }),
};

const hex = (value: number): string => `0x${value.toString(16)}`;

const WHEN = { now: '', create: ' when a message is asked for', d0: ' when it is asked for power', d0exit: ' when it is asked to take its power away' };

/** Name of a device that a Hyper-V host passes through, or of a bus. */
const onHost = (file: ScenarioFile, written: string): string => (findBus(file.machine, written) ?? deviceIn(file, written)).name;

const deviceIn = ({ machine }: ScenarioFile, written: string): DeviceSection => findDevice(machine?.devices ?? [], written)!;

function* withDevice(device: DeviceSection, run: (dev: PciDev) => Op<number>): Op<number> {
  const dev = kernel.pci_devices.find(d => d.hw.config.name === device.name);
  return dev ? yield* run(dev) : -ENODEV;
}

/** On a device that no driver has. */
const byHand = (device: DeviceSection, run: (dev: PciDev) => Op<number>): Op<number> => withDevice(device, dev => (dev.driver === null ? run(dev) : refuse(EBUSY)));

/** On a device that some driver has. */
const withDriver = (device: DeviceSection, run: (dev: PciDev, drv: pci_driver) => Op<number>): Op<number> => withDevice(device, dev => (dev.drv === null ? refuse(ENODEV) : run(dev, dev.drv)));

function* refuse(errno: number): Op<number> {
  return -errno;
}

/** As `echo 0 > /sys/devices/system/cpu/cpuN/online`. */
function* writeOnline(cpu: number, value: '0' | '1'): Op<number> {
  return Math.min(yield* online_store(cpu, value), 0);
}

function* remove(dev: PciDev): Op<number> {
  if (dev.drv === null) return -ENODEV;
  yield* pci_device_remove(dev, dev.drv);
  return 0;
}

/** The device's message; the interrupt enters where a CPU takes it. @returns -EINVAL for an entry beyond the table of a device that has MSI on offer too, -ENODEV for one that a host has back */
function* raise(dev: PciDev, entry: number): Op<number> {
  if (isGone(dev.hw)) return -ENODEV;
  const { msix, msixEnabled } = dev.hw;
  if (msixEnabled && entry >= msix!.place.entries) return -EINVAL;
  dev.hw.raise(entry);
  yield { wait: 'window' };
  return 0;
}

function* raiseAt(dev: PciDev, word: MsiWord): Op<number> {
  dev.hw.raiseAt(word);
  return 0;
}

function* expire(timer: number): Op<number> {
  const came = machine.hpet!.expire(timer);
  yield { wait: 'window' };
  return came ? 1 : 0;
}

function* writeOut(dev: PciDev, address: number, data: number): Op<number> {
  if (isGone(dev.hw)) return -ENODEV;
  dev.hw.writeOut(0, address, data);
  yield { wait: 'window' };
  return 0;
}

function* driveIntx(dev: PciDev, on: boolean): Op<number> {
  if (on) dev.hw.assertIntx();
  else dev.hw.deassertIntx();
  yield { wait: 'window' };
  return 0;
}

function* writeAffinityOf(dev: PciDev, vector: number, list: string): Op<number> {
  const irq = yield* pci_irq_vector(dev, vector);
  return irq < 0 ? irq : yield* writeAffinity(irq, list);
}
