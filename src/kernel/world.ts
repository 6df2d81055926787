import type { Machine } from '../hardware/machine';
import type { ChangeId } from './changes';
import type { Kernel } from './globals';

/** All mutable state of one run: the kernel's globals and the hardware below. */
export class World {
  constructor(
    readonly kernel: Kernel,
    readonly machine: Machine,
    readonly changes: ReadonlySet<ChangeId>,
  ) {}
}

/** The current World's kernel globals and hardware, and the change set; the one ambient variable of the model. */
export let kernel: Kernel;
export let machine: Machine;
let changes: ReadonlySet<ChangeId>;

/** Makes `world` current and `cpu` the running CPU. The stepper's guest calls it before each resume. */
export function enterWorld(world: World, cpu: number): void {
  kernel = world.kernel;
  machine = world.machine;
  changes = world.changes;
  kernel.this_cpu = cpu;
}

/** Whether the kernel chosen contains this change. */
export const has = (change: ChangeId): boolean => changes.has(change);
