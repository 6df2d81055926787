// A kernel without a boot, for tests of single parts: masks are set, nothing else has run.
import { Machine } from '../../src/hardware/machine';
import { KERNELS, type ChangeId } from '../../src/kernel/changes';
import { make_kernel } from '../../src/kernel/globals';
import { numa_add_cpu } from '../../src/kernel/include/topology';
import { cpumask } from '../../src/kernel/lib/cpumask';
import { enterWorld, World } from '../../src/kernel/world';
import type { Op } from '../../src/stepper/op';

export interface Setup {
  readonly cpus?: number;
  /** CPUs that are there (default: all), and that run (default: those that are there) */
  readonly present?: readonly number[];
  readonly online?: readonly number[];
  /** NUMA node of a CPU; default: all in node 0 */
  readonly node?: (cpu: number) => number;
  /** default: those of the CPUs */
  readonly memoryNodes?: readonly number[];
  /** the first number for an interrupt that may have any */
  readonly gsiTop?: number;
  readonly kernel?: 'v5.9' | 'v5.10' | 'v5.10.223';
  readonly cmdline?: readonly string[];
}

/** Makes a world and enters it on CPU 0. */
export function setUp({ cpus = 4, present, online, node = () => 0, memoryNodes, gsiTop = 24, kernel: name = 'v5.10', cmdline = [] }: Setup = {}): World {
  const all = Array.from({ length: cpus }, (_, cpu) => cpu);
  const machine = new Machine({ cpus: all.map((cpu) => ({ apicId: cpu, node: node(cpu) })), x2apic: false, ioapics: [], isaOverrides: [], pci: [], ...(memoryNodes && { memoryNodes }) });
  const changes = new Set<ChangeId>(KERNELS[name]);
  const world = new World(make_kernel(cpus, { config: new Set(), cmdline }, changes), machine, changes);
  enterWorld(world, 0);

  const { kernel } = world;
  kernel.cpu_to_node = all.map(node);
  kernel.cpu_possible_mask.setAll();
  kernel.cpu_present_mask.copyFrom(mask(cpus, present ?? all));
  kernel.cpu_online_mask.copyFrom(mask(cpus, online ?? present ?? all));
  for (const cpu of kernel.cpu_online_mask) numa_add_cpu(cpu);
  kernel.irq_default_affinity.setAll();
  kernel.gsi_top = gsiTop;
  return world;
}

const mask = (nbits: number, cpus: readonly number[]): cpumask => cpumask.of(nbits, ...cpus);

/** Runs an Op to its end. @throws when it waits for what cannot come */
export function run<T>(op: Op<T>): T {
  for (;;) {
    const result = op.next();
    if (result.done) return result.value;
    const wait = result.value;
    if (typeof wait === 'object' && wait.wait === 'until' && !wait.ready()) throw new Error(`waits for ever on ${wait.on}`);
  }
}

/** What the kernel logged at `level` warn and above. */
export const warnings = (world: World): string[] =>
  world.kernel.log.filter(({ level, text }) => (level === 'warn' || level === 'err' || level === 'emerg') && !AROUND_WARNING.test(text)).map(({ text }) => text);

/** What every WARN_ON() prints around its own lines: the cut, and the calls. */
const AROUND_WARNING = /^(-+\[ cut here \]|RIP: |Call Trace:$| \w+$)/;
