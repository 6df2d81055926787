// What the stepper runs. It knows CPUs, tasks and entries, and nothing of interrupts.
import type { Op } from './op';
import type { FunctionInfo, ScriptPlace } from './registry';

/** One power-on; built anew for every replay, and each time the same. */
export interface Guest {
  /** Number of CPUs. */
  readonly cpus: number;
  /** Makes this guest's world the current one, and `cpu` the CPU that runs. Called before every resume and question. */
  enter(cpu: number): void;
  /** An entry (interrupt, IPI) that `cpu` takes now, or null. Asked at scheduling points. */
  pending(cpu: number): Entry | null;
  /** Goes on with what comes before the first step and is not stepped through, for about so many probes. @returns whether that is over */
  startUp?(probes: number): boolean;
  /** The next scripted step, asked for when everything is idle; null at the end. */
  nextStep(): ScriptStep | null;
  /** The steps that are known before the run, so that breakpoints on them bind early. */
  steps?(): readonly ScriptPlace[];
  /** Whether a function of the code is none of what is modelled, but a part of the one that calls it: it has no frame. */
  isPart?(fn: FunctionInfo): boolean;
  /** Hash of the whole world's state. */
  hash(): string;
}

/** What a guest may ask of its run. */
export interface Host {
  /** Starts a task: it runs when its CPU is free, after those that wait longer. */
  spawn(task: TaskSpec): void;
}

/** Builds a guest, powered off until its first step. */
export type MakeGuest = (host: Host) => Guest;

export interface Entry {
  readonly name: string;
  readonly run: () => Op;
}

/** A frame at the bottom of its task's stack, with one probe. */
export interface ScriptStep extends ScriptPlace {
  readonly task: TaskSpec;
}

export interface TaskSpec {
  /** As the kernel shows it: `kworker/0:1`. */
  readonly name: string;
  readonly cpu: number;
  readonly run: () => Op;
  /** May sleep when all is over (a kernel thread): that is no deadlock. */
  readonly daemon?: boolean;
}
