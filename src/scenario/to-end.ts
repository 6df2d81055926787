import type { Host } from '../stepper/guest';
import { type Halt, Run } from '../stepper/run';
import { Continue } from '../stepper/watch';
import type { ScenarioGuest } from './load';

const NO_MARKS = new Uint8Array(0);
const SLICE = 1_000_000;
/** A run of so many slices has no end. */
const MOST_SLICES = 2000;

/** How a run ended. */
export interface Ended {
  readonly guest: ScenarioGuest;
  /** what ended it early; undefined: all steps were done */
  readonly error: Error | undefined;
}

/** Runs a scenario from power-on to its end without a stop. @throws what power-on throws */
export function toEnd(make: (host: Host) => ScenarioGuest): Ended {
  let guest!: ScenarioGuest;
  const run = new Run(host => (guest = make(host)), () => NO_MARKS, () => false);
  let halt: Halt | undefined;
  for (let slices = 0; !halt; slices++) {
    if (slices === MOST_SLICES) return { guest, error: new Error('the run has no end') };
    halt = run.slice(new Continue(), SLICE);
  }
  return { guest, error: halt.error };
}
