// Machines of the captures, and their kernels booted.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Machine } from '../../../src/hardware/machine';
import type { MachineConfig } from '../../../src/hardware/machine-config';
import { KERNELS, type ChangeId } from '../../../src/kernel/changes';
import { do_IRQ_entry } from '../../../src/kernel/arch/x86/irq';
import { make_kernel } from '../../../src/kernel/globals';
import { boot_steps } from '../../../src/kernel/init/main';
import { enterWorld, World } from '../../../src/kernel/world';
import type { Op } from '../../../src/stepper/op';

/** What Debian builds that shows. */
const DEBIAN = new Set(['IA32_EMULATION', 'AMD_MEM_ENCRYPT', 'HAVE_KVM', 'X86_MCE', 'X86_MCE_AMD', 'X86_MCE_THRESHOLD', 'X86_THERMAL_VECTOR', 'IRQ_WORK']);

/** 5.10.0-32-n-4cpu-1nvme-min: a network card and an NVMe disk. */
export const plain = (cpus = 4): MachineConfig => ({
  cpus: Array.from({ length: cpus }, (_, apicId) => ({ apicId, node: 0 })),
  x2apic: false,
  ioapics: [{ id: 0, address: 0xfec00000, pins: 24, gsiBase: 0, version: 0x20 }],
  isaOverrides: [{ irq: 0, gsi: 2 }, ...[5, 9, 10, 11].map(irq => ({ irq, gsi: irq, level: true }))],
  pci: [
    { address: '0000:00:03.0', vendor: 0x8086, device: 0x10d3, class: 0x020000, intxPin: 1, gsi: 23, msix: { entries: 5 }, node: -1 },
    { address: '0000:00:04.0', vendor: 0x1b36, device: 0x0010, class: 0x010802, intxPin: 1, gsi: 20, msix: { entries: 65 }, node: -1 },
  ],
});

/** 5.10.0-32-n-4cpu-1nvme-min-intelir: the same below a VT-d unit. */
export const remapped = (cpus = 4, x2apic = false): MachineConfig => ({
  ...plain(cpus),
  x2apic,
  intelRemap: {
    units: [{ segment: 0, address: 0xfed90000, eim: x2apic, pi: false, includeAll: true, devices: [], ioapics: [{ id: 0, requesterId: 0xff00 }] }],
  },
});

export interface Options {
  readonly kernel?: keyof typeof KERNELS;
  readonly cmdline?: string;
}

export function powerOn(config: MachineConfig, { kernel = 'v5.10.223', cmdline = '' }: Options = {}): World {
  const words = cmdline.split(' ').filter(word => word !== '');
  const changes = new Set<ChangeId>(KERNELS[kernel]);
  return new World(make_kernel(config.cpus.length, { config: DEBIAN, cmdline: words }, changes), new Machine(config), changes);
}

/** Runs an Op on a CPU, and whatever interrupts any CPU takes meanwhile and after. */
export function run<T>(world: World, cpu: number, op: () => Op<T>): T {
  enterWorld(world, cpu);
  const running = op();
  for (;;) {
    enterWorld(world, cpu);
    const step = running.next();
    if (step.done) {
      takeInterrupts(world);
      return step.value;
    }
    if (typeof step.value === 'object' && step.value.wait === 'until' && !step.value.ready()) throw new Error(`waits for ever on ${step.value.on}`);
    takeInterrupts(world);
  }
}

/** Every CPU whose interrupts are open takes what its local APIC offers. */
export function takeInterrupts(world: World): void {
  const { kernel, machine } = world;
  const offering = (cpu: number): number | null => (kernel.cpus[cpu].irqs_enabled && kernel.cpu_online_mask.test(cpu) ? machine.cpus[cpu].lapic.deliverable() : null);
  for (let cpu = machine.cpus.findIndex((_, c) => offering(c) !== null); cpu >= 0; cpu = machine.cpus.findIndex((_, c) => offering(c) !== null)) {
    enterWorld(world, cpu);
    const entry = do_IRQ_entry(offering(cpu)!);
    while (!entry.next().done);
  }
}

export function boot(config: MachineConfig, options: Options = {}): World {
  const world = powerOn(config, options);
  for (const step of boot_steps(world)) run(world, step.cpu, step.run);
  return world;
}

/** Events as lines: "event: text". */
export const events = (world: World, from = 0): string[] => world.kernel.trace.slice(from).map(({ event, text }) => `${event}: ${text}`);

/** The events of a capture until its boot is complete. */
export function capturedBoot(capture: string): string[] {
  const text = gunzipSync(readFileSync(`test/captures/${capture}/trace-vectors.txt.gz`)).toString();
  const lines = text.slice(0, text.indexOf('ORACLE: BOOT COMPLETE')).split('\n');
  return lines.flatMap(line => /\d+\.\d{6}: ((?:irq_matrix|vector)_\w+: .*)$/.exec(line)?.[1] ?? []);
}
