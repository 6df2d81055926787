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

const NO_PROBES: Probes = { marks: new Uint8Array(0), pass: () => undefined };
const SLICE = 1_000_000;

/** Runs a task to its end without a stop, outside of any stepper's run, and with it the tasks that it starts; interrupts enter where they may. */
export function drain(guest: ModelGuest, cpu: number, run: () => Op, { marks, pass }: Probes = NO_PROBES, name = 'sh'): void {
  const { n, lim, t, at, sp, fn, pos, vals } = $;
  const before = guest.host;
  try {
    const make = (host: Host): Silent => {
      guest.host = host;
      host.spawn({ name, cpu, run });
      return new Silent(guest);
    };
    const whole = new Run(make, () => marks, probe => {
      pass(probe);
      return false;
    });
    while (!whole.halt) whole.slice(new Continue(), SLICE);
    if (whole.halt.error) throw whole.halt.error;
  } finally {
    guest.host = before;
    Object.assign($, { n, lim, t, at, sp, fn, pos, vals });
  }
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
