// Machines, and the drivers that their scenarios have, by chance.
import fc from 'fast-check';
import type { AllocSection, DriverSection } from '../../src/scenario/driver-sections';
import type { DeviceSection, MachineSection } from '../../src/scenario/machine-sections';
import type { ScenarioFile } from '../../src/scenario/scenario-file';

export type Head = Required<Pick<ScenarioFile, 'kernel' | 'cmdline' | 'drivers'>> & { readonly machine: MachineSection & { readonly cpus: number; readonly devices: DeviceSection[] } };

const SOME: AllocSection = { min: 1, max: 8, flags: ['PCI_IRQ_MSIX', 'PCI_IRQ_MSI', 'PCI_IRQ_LEGACY'] };

/** What drivers ask for. */
const DRIVERS: Record<string, DriverSection> = {
  some: { alloc: SOME },
  spread: { alloc: { min: 1, max: 64, flags: ['PCI_IRQ_MSIX', 'PCI_IRQ_MSI', 'PCI_IRQ_LEGACY', 'PCI_IRQ_AFFINITY'], pre: 1 } },
  post: { alloc: { min: 4, max: 20, flags: ['PCI_IRQ_MSIX', 'PCI_IRQ_AFFINITY'], pre: 1, post: 2 } },
  big: { alloc: { min: 1, max: 300, flags: ['PCI_IRQ_MSIX'] } },
  few: { alloc: { min: 2, max: 2, flags: ['PCI_IRQ_MSIX', 'PCI_IRQ_MSI'] }, request: ['few-0'] },
};

const msi = fc.record({ vectors: fc.constantFrom(1, 2, 4, 8, 32), maskable: fc.boolean(), addr64: fc.boolean() });

const device = fc.oneof(
  fc.record({ kind: fc.constantFrom('nvme', 'nic', 'edu') }),
  fc.record({ kind: fc.constant('custom'), msix: fc.constantFrom<(number | false)[]>(false, false, 1, 2, 3, 4, 5, 8, 16, 16, 32, 80, 300), msi: fc.option(msi, { nil: false }) }),
);

const remap = fc.oneof(
  fc.constant('none' as const),
  fc.record({ type: fc.constant('intel' as const), postedInterrupts: fc.boolean() }),
  fc.record({ type: fc.constant('amd' as const), ga: fc.boolean() }),
);

/** Half of all machines are small: what is rare happens there. */
const cpuCount = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 64 }));

/** Kernel, command line and machine. Numbers that name a CPU or a node are taken modulo those that are there, so that a smaller machine is still one. */
export const heads: fc.Arbitrary<Head> = fc
  .record({
    kernel: fc.constantFrom('v5.10' as const, 'v5.10.223' as const),
    options: fc.subarray(['threadirqs', 'intremap=off', 'nox2apic', 'isolcpus=managed_irq'], { maxLength: 2 }),
    cpus: cpuCount,
    nodes: fc.constantFrom(1, 1, 2, 4),
    x2apic: fc.boolean(),
    remap,
    devices: fc.array(fc.tuple(device, fc.option(fc.nat(3), { nil: undefined })), { minLength: 1, maxLength: 5 }),
  })
  .map(({ kernel, options, cpus, nodes, x2apic, remap, devices }) => ({
    kernel,
    cmdline: options.map(option => (option.startsWith('isolcpus') ? `${option},${cpus >> 1}-${cpus - 1}` : option)).join(' '),
    drivers: DRIVERS,
    machine: {
      cpus,
      nodes: Math.min(nodes, cpus),
      x2apic,
      remap,
      devices: devices.map(([section, node], i) => ({
        ...(section as Pick<DeviceSection, 'kind' | 'msix' | 'msi'>),
        name: `dev${i}`,
        address: `00:${(3 + i).toString(16).padStart(2, '0')}.0`,
        ...(node !== undefined && { node: node % Math.min(nodes, cpus) }),
      })),
    },
  }));
