import { Machine } from '../hardware/machine';
import type { MachineConfig } from '../hardware/machine-config';
import { kernelOf, parseKernel } from '../kernel/kernel_choice';
import { make_kernel } from '../kernel/globals';
import { boot_steps, nr_possible_cpus } from '../kernel/init/main';
import { World } from '../kernel/world';
import type { TaskSpec } from '../stepper/guest';
import { Drain } from './drain';
import type { ModelGuest } from './guest';

/** What is switched on. */
export interface PowerOn {
  readonly machine: MachineConfig;
  /** as parseKernel() reads it; one that can be had */
  readonly kernel: string;
  readonly cmdline?: string;
  /** Kconfig symbols without CONFIG_; default: those of a distribution's kernel */
  readonly config?: readonly string[];
}

/** What distributions build that shows in the interrupt code. */
const DISTRIBUTION_CONFIG = ['IA32_EMULATION', 'AMD_MEM_ENCRYPT', 'HAVE_KVM', 'X86_MCE', 'X86_MCE_AMD', 'X86_MCE_THRESHOLD', 'X86_THERMAL_VECTOR', 'IRQ_WORK', 'HPET', 'HPET_EMULATE_RTC'];

/** Machine and kernel, before the first instruction. */
export function powerOn({ machine, kernel, cmdline = '', config = DISTRIBUTION_CONFIG }: PowerOn): World {
  const words = cmdline.split(/\s+/).filter(word => word !== '');
  const found = kernelOf(parseKernel(kernel));
  if (!found.ok) throw new Error(found.problems.map(({ message }) => message).join('; '));
  const { changes } = found;
  return new World(make_kernel(nr_possible_cpus(machine.cpus.length, words), { config: new Set(config), cmdline: words }, changes), new Machine(machine), changes);
}

/** What runs from the first instruction to the first step, in order. */
export const bootTasks = (world: World): TaskSpec[] => boot_steps(world);

const SLICE = 1_000_000;

/** The boot without a stop. */
export class Boot {
  private readonly tasks: Drain[];

  constructor(guest: ModelGuest) {
    this.tasks = bootTasks(guest.world).map(({ cpu, run }) => new Drain(guest, cpu, run));
  }

  /** Goes on for about so many probes. @returns whether it is over */
  slice(probes: number): boolean {
    for (let left = probes; this.tasks.length > 0; ) {
      const used = this.tasks[0].slice(left);
      if (!this.tasks[0].over) return false;
      left -= used;
      this.tasks.shift();
    }
    return true;
  }
}

/** Boots in one piece. */
export function boot(guest: ModelGuest): void {
  const boot = new Boot(guest);
  while (!boot.slice(SLICE));
}
