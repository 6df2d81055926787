// What an interrupt costs as machines grow: boot, and drives probed with an interrupt for each CPU.
import type { World } from '../../src/kernel/world';
import { booted, probeDrive } from './workload/drives';

/** CPUs and drives; the last but one has 100,000 interrupts, the last as many as fit in a minute. */
const SIZES = [[4, 40], [64, 40], [512, 40], [1024, 98], [4096, 40]] as const;

const MEGABYTE = 1 << 20;

export function reportScale(): void {
  console.log('allocating and requesting, each drive with an interrupt for each CPU:');
  console.log('  CPUs   boot ms  interrupts  per second  us each  growth  MB used');
  let first: number | undefined;
  for (const [cpus, drives] of SIZES) {
    const { boot, probe, world, megabytes } = measured(cpus, drives);
    const irqs = world.kernel.irq_desc_tree.size;
    const each = (probe / irqs) * 1000;
    first ??= each;
    console.log(`  ${cell(cpus, 4)} ${cell(boot, 9)} ${cell(irqs, 11)} ${cell((irqs / probe) * 1000, 11)} ${cell(each, 8)} ${cell(each / first, 7, 2)} ${cell(megabytes, 8)}`);
  }
}

/** Times in ms of this process. */
function measured(cpus: number, drives: number): { boot: number; probe: number; world: World; megabytes: number } {
  const start = busy();
  const world = booted(cpus, drives);
  const before = busy();
  for (let i = 0; i < drives; i++) if (probeDrive(i) !== 0) throw new Error(`drive ${i} of ${drives} on ${cpus} CPUs got no interrupts`);
  return { boot: before - start, probe: busy() - before, world, megabytes: process.memoryUsage().heapUsed / MEGABYTE };
}

const busy = (): number => process.cpuUsage().user / 1000;

const cell = (value: number, width: number, digits = 0): string => value.toFixed(digits).padStart(width);
