// So many random operations on random machines; what fails becomes a scenario file.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { loadScenario, type ScenarioGuest } from '../../src/scenario/load';
import type { ScenarioFile } from '../../src/scenario/scenario-file';
import { InvariantError } from '../../src/scenario/script';
import { toEnd } from '../../src/scenario/to-end';
import { heads } from './machines';
import { draws, stepsOf } from './operations';
import { type Drawn, shrink } from './shrink';

const MOST_STEPS = 500;
const RUNS_A_ROUND = 20;

const drawn: fc.Arbitrary<Drawn> = fc.record({ head: heads, draws: fc.array(draws, { maxLength: MOST_STEPS, size: 'max' }) });

const fileOf = ({ head, draws }: Drawn): ScenarioFile => ({ title: 'Random operations', ...head, steps: stepsOf(head, draws) });

/** Looks at a run that ended well. @throws what is wrong with it */
export type Inspect = (guest: ScenarioGuest) => void;

/** How a scenario ended. */
interface Ended {
  /** steps that were done, or begun */
  readonly steps: number;
  readonly error: Error | undefined;
}

/** Runs a scenario as `irqstep run --check` does. */
export function runScenario(file: ScenarioFile, inspect: Inspect = () => undefined): Ended {
  if (file.steps.length === 0) return { steps: 0, error: undefined };
  const text = stringify(file);
  const loaded = loadScenario('random.irq.yaml', text, { check: true });
  if (!loaded.ok) throw new Error(`no scenario: ${JSON.stringify(loaded.diagnostics)}\n${text}`);
  const { guest, error } = toEnd(loaded.make);
  const steps = guest.results.length + (error === undefined || error instanceof InvariantError ? 0 : 1);
  return { steps, error: error ?? inspected(guest, inspect) };
}

function inspected(guest: ScenarioGuest, inspect: Inspect): Error | undefined {
  try {
    inspect(guest);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** What is the same of a failure wherever it happens: the invariants that are broken, or the message without its numbers. */
function kindOf(error: Error): string {
  if (error instanceof InvariantError) return [...new Set(error.message.match(/\b(I\d+|orphan)(?=:)/g))].sort().join();
  return error.message.replace(/\d+/g, '');
}

export interface Campaign {
  readonly seed: number;
  /** how many at least */
  readonly operations: number;
  /** where a failure's scenario is written */
  readonly folder: string;
  readonly inspect?: Inspect;
  readonly progress?: (operations: number) => void;
}

export interface Failure {
  readonly path: string;
  readonly message: string;
  readonly steps: number;
}

export interface CampaignResult {
  readonly operations: number;
  readonly failure?: Failure;
}

/** The same seed does the same. */
export function campaign({ seed, operations, folder, inspect, progress }: Campaign): CampaignResult {
  let done = 0;
  for (let round = 0; done < operations; round++) {
    for (const [i, sample] of fc.sample(drawn, { seed: seed + round, numRuns: RUNS_A_ROUND }).entries()) {
      const { error, steps } = runScenario(fileOf(sample), inspect);
      done += steps;
      if (error) return { operations: done, failure: report(sample, error, join(folder, `failure-${seed + round}-${i}.irq.yaml`), inspect) };
    }
    progress?.(done);
  }
  return { operations: done };
}

/** Writes the smallest scenario that fails so. */
function report(sample: Drawn, error: Error, path: string, inspect: Inspect | undefined): Failure {
  const fails = (candidate: Drawn): boolean => {
    const again = runScenario(fileOf(candidate), inspect).error;
    return again !== undefined && kindOf(again) === kindOf(error);
  };
  const file = fileOf(shrink(sample, fails));
  const { error: smallest, steps } = runScenario(file, inspect);
  const message = smallest!.message.slice(0, 500);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, stringify(readable({ ...file, title: `Fails: ${message.slice(0, 200)}`, steps: file.steps.slice(0, steps) })));
  return { path, message, steps };
}

/** The same without what says nothing: drivers that no step names, CPU 0. */
function readable(file: ScenarioFile): ScenarioFile {
  const steps = file.steps.map(step => (typeof step === 'object' && step.cpu === 0 ? { ...step, cpu: undefined } : step));
  const named = JSON.stringify(steps);
  const drivers = Object.fromEntries(Object.entries(file.drivers ?? {}).filter(([name]) => named.includes(`"driver":"${name}"`)));
  return { ...file, cmdline: file.cmdline === '' ? undefined : file.cmdline, drivers, steps };
}
