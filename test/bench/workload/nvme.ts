import type { World } from '../../../src/kernel/world';
import { pci_device_probe, pci_device_remove } from '../../../src/kernel/drivers/pci/pci-driver';
import { nvme_driver } from '../../../src/kernel/drivers/nvme';
import { pci_get_domain_bus_and_slot } from '../../../src/kernel/drivers/pci/probe';
import { NUMA_NO_NODE } from '../../../src/kernel/include/topology';
import { enterWorld } from '../../../src/kernel/world';
import { machineConfig } from '../../../src/scenario/machine';
import { bootTasks, powerOn } from '../../../src/scenario/power-on';
import type { Op } from '../../../src/stepper/op';

const PROBES = 60;

/** A 64-CPU machine boots, and an NVMe drive with a queue for each CPU comes and goes. @returns what the builds must agree on */
export function* main(): Op<string> {
  const world = powerOn({ kernel: 'v5.10', machine: machineConfig({ cpus: 64, remap: 'intel', devices: [{ name: 'nvme0', kind: 'nvme', address: '00:04.0' }] }) });
  for (const task of bootTasks(world)) {
    enterWorld(world, task.cpu);
    yield* task.run();
  }
  enterWorld(world, 0);
  yield* cycle();
  return summary(world);
}

function* cycle(): Op {
  const dev = pci_get_domain_bus_and_slot(0, 0, 4 << 3)!;
  for (let i = 0; i < PROBES; i++) {
    // The driver gives it a node; from then on a worker of that node would probe it, and nobody schedules one here.
    dev.numa_node = NUMA_NO_NODE;
    yield* pci_device_probe(dev, nvme_driver);
    yield* pci_device_remove(dev, nvme_driver);
  }
}

function summary({ kernel }: World): string {
  const { global_available, global_reserved, total_allocated } = kernel.vector_matrix;
  return `${kernel.trace.length} events, available ${global_available}, reserved ${global_reserved}, allocated ${total_allocated}`;
}
