import type { Machine } from '../hardware/machine';
import type { ChangeId } from './changes';
import type { Kernel } from './globals';
import type { Op } from '../stepper/op';

/** Something that runs on a CPU with a stack of its own. */
export interface KernelTask {
  /** as the kernel shows it: `cpuhp/3` */
  readonly name: string;
  readonly cpu: number;
  readonly run: () => Op;
}

/** All mutable state of one run: the kernel's globals and the hardware below. */
export class World {
  /** Starts a task; it runs when its CPU is free. Set by whoever runs the World. */
  spawn: (task: KernelTask) => void = ({ name }) => {
    throw new Error(`nobody runs this World: the task ${name} cannot start`);
  };

  /** The functions that are being called, innermost first. Set by whoever runs the World. */
  calls: () => readonly string[] = () => [];
  /** Is told of each WARN_ON() that holds, with its lines of the log, behind them. Set by whoever looks for them. */
  warned: (text: string, report: readonly string[]) => void = () => {};

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
let current: World;

/** Makes `world` current and `cpu` the running CPU. The stepper's guest calls it before each resume. */
export function enterWorld(world: World, cpu: number): void {
  current = world;
  kernel = world.kernel;
  machine = world.machine;
  changes = world.changes;
  kernel.this_cpu = cpu;
}

/** Whether the kernel chosen contains this change. */
export const has = (change: ChangeId): boolean => changes.has(change);

/** The functions that are being called, innermost first. */
export const calls = (): readonly string[] => current.calls();

/** Tells who looks for warnings. */
export const warned = (text: string, report: readonly string[]): void => current.warned(text, report);

/** Starts a task of the kernel's. */
export const spawn = (task: KernelTask): void => current.spawn(task);
