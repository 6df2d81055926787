import type { MachineConfig } from '../../../src/hardware/machine-config';
import { nvme_driver } from '../../../src/kernel/drivers/nvme';
import { pci_device_probe } from '../../../src/kernel/drivers/pci/pci-driver';
import { pci_get_domain_bus_and_slot } from '../../../src/kernel/drivers/pci/probe';
import { enterWorld, type World } from '../../../src/kernel/world';
import { machineConfig } from '../../../src/scenario/machine';
import { bootTasks, powerOn } from '../../../src/scenario/power-on';
import type { Op } from '../../../src/stepper/op';

/** A remapping unit has 65536 entries: this many drives of 1024 CPUs share one. */
const DRIVES_PER_UNIT = 32;

/** CPUs under x2APIC and remapping, and drives that want a queue interrupt for each CPU and one more. */
export function manyDrives(cpus: number, drives: number): MachineConfig {
  const devices = Array.from({ length: drives }, (_, i) => ({ name: `nvme${i}`, kind: 'nvme' as const, msix: Math.min(cpus + 1, 2048), address: `00:${(1 + (i >> 3)).toString(16).padStart(2, '0')}.${i & 7}` }));
  const machine = machineConfig({ cpus, x2apic: true, remap: 'intel', nodes: Math.ceil(cpus / 128), devices });
  const [unit] = machine.intelRemap!.units;
  const addresses = devices.map(({ address }) => `0000:${address}`);
  const others = Array.from({ length: Math.ceil(drives / DRIVES_PER_UNIT) - 1 }, (_, i) => {
    const first = (i + 1) * DRIVES_PER_UNIT;
    return { ...unit, address: unit.address - 0x1000 * (i + 1), includeAll: false, ioapics: [], devices: addresses.slice(first, first + DRIVES_PER_UNIT) };
  });
  return { ...machine, intelRemap: { units: [...others, unit] } };
}

/** A booted machine: its drives wait for their driver. */
export function booted(cpus: number, drives: number): World {
  const world = powerOn({ kernel: 'v5.10', machine: manyDrives(cpus, drives) });
  for (const { cpu, run } of bootTasks(world)) {
    enterWorld(world, cpu);
    finish(run());
  }
  enterWorld(world, 0);
  return world;
}

/** @param nth drive @returns what the probe returned, 0 or a negative errno */
export function probeDrive(nth: number): number {
  const dev = pci_get_domain_bus_and_slot(0, 0, ((1 + (nth >> 3)) << 3) | (nth & 7))!;
  return finish(pci_device_probe(dev, nvme_driver));
}

/** Runs to the end; waits wait for nothing. */
function finish<T>(op: Op<T>): T {
  for (;;) {
    const { done, value } = op.next();
    if (done) return value;
  }
}
