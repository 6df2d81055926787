import type { Host } from '../stepper/guest';
import type { Op } from '../stepper/op';
import { Run } from '../stepper/run';
import { $ } from '../stepper/runtime';
import { Continue } from '../stepper/watch';
import type { ModelGuest } from './guest';

/** Statements that somebody wants to know of. */
export interface Probes {
  /** by probe id: nonzero = this one */
  readonly marks: Uint8Array;
  /** such a statement is about to run: `$.fn[$.sp]` is its function, `$.vals[$.sp]` its variables */
  readonly pass: (probe: number) => void;
}

const SLICE = 1_000_000;
const NO_PROBES: Probes = { marks: new Uint8Array(0), pass: () => undefined };

/** A task on its way to its end without a stop, outside of any stepper's run, and with it the tasks that it starts; interrupts enter where they may. */
export class Drain {
  private whole: Run | undefined;
  private host: Host | undefined;

  /** @param name of the task */
  constructor(
    private readonly guest: ModelGuest,
    private readonly cpu: number,
    private readonly run: () => Op,
    private readonly probes: Probes = NO_PROBES,
    private readonly name = 'sh',
  ) {}

  get over(): boolean {
    return this.whole?.halt !== undefined;
  }

  /** Goes on for at most so many probes. @returns those passed @throws what the task throws */
  slice(probes: number): number {
    const { n, lim, t, at, sp, fn, pos, vals } = $;
    const before = this.guest.host;
    try {
      this.whole ??= this.start();
      this.guest.host = this.host;
      const from = this.whole.step;
      this.whole.slice(new Continue(), probes);
      if (this.whole.halt?.error) throw this.whole.halt.error;
      return this.whole.step - from;
    } finally {
      this.guest.host = before;
      Object.assign($, { n, lim, t, at, sp, fn, pos, vals });
    }
  }

  private start(): Run {
    const { guest, cpu, run, name, probes } = this;
    const make = (host: Host): Silent => {
      this.host = host;
      host.spawn({ name, cpu, run });
      return new Silent(guest);
    };
    const pass = (probe: number): boolean => {
      probes.pass(probe);
      return false;
    };
    return new Run(make, () => probes.marks, pass);
  }
}

/** Runs a task to its end at once. */
export function drain(...task: ConstructorParameters<typeof Drain>): void {
  const whole = new Drain(...task);
  while (!whole.over) whole.slice(SLICE);
}

/** A guest without a script. */
class Silent {
  readonly cpus: number;
  constructor(private readonly guest: ModelGuest) {
    this.cpus = guest.cpus;
  }
  enter(cpu: number): void {
    this.guest.enter(cpu);
  }
  pending(cpu: number): ReturnType<ModelGuest['pending']> {
    return this.guest.pending(cpu);
  }
  nextStep(): null {
    return null;
  }
  hash(): string {
    return this.guest.hash();
  }
}
