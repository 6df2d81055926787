import { errnoName } from '../kernel/lib/errno';
import type { World } from '../kernel/world';
import type { Op } from '../stepper/op';
import type { ScriptStep } from '../stepper/guest';
import { type Action, actionOf } from './actions';
import type { Span } from './diagnostic';
import { Invariants, type Violation } from './invariants';
import { bootTasks } from './power-on';
import type { ScenarioFile } from './scenario-file';
import type { YamlSource } from './yaml-source';

/** What a step returned: as the kernel's function does, a negative errno or something useful. */
export interface StepResult {
  /** its index among the guest's steps() */
  readonly step: number;
  readonly value: number;
}

/** A step returned something else than its `expect`. */
export class ExpectationError extends Error {
  override readonly name = 'ExpectationError';
}

/** After a step something does not hold that always must. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** What is looked at behind each action. */
export interface Checks {
  /** whether it returned its `expect` */
  readonly expect: boolean;
  /** whether the invariants hold */
  readonly invariants: boolean;
}

/** What the steps of a run have come to. */
export class Findings {
  readonly results: StepResult[] = [];
  /** broken by bugs of the modelled kernel that are known, each when it is first seen; others end the run */
  readonly violations: { readonly step: string; readonly violation: Violation }[] = [];
}

/** The scenario's steps, for the stepper: each action, and each check as a step behind it. */
export function scriptOf(file: ScenarioFile, source: YamlSource, world: World, findings: Findings, { expect: expects, invariants: checks }: Checks): ScriptStep[] {
  const script: ScriptStep[] = [];
  const invariants = new Invariants();
  const check = (title: string, place: ScriptStep['source']): void => {
    if (checks) script.push({ title: `check after ${title}`, source: place, task: sh(world, 0, undefined, () => checkAfter(title, place, world, invariants, findings)) });
  };
  for (const [i, step] of file.steps.entries()) {
    const place = placeOf(source, source.span(['steps', i]));
    if (step === 'boot') {
      script.push(...bootTasks(world).map(task => ({ title: `boot ${task.name}`, source: place, task })));
      check('boot', place);
      continue;
    }
    const { cpu, expect } = step;
    const { title, run } = actionOf(file, step);
    const index = script.length;
    script.push({ title, source: place, task: sh(world, cpu, step.offline, () => perform(run, index, findings)) });
    check(title, place);
    if (!expects || expect === undefined) continue;
    const expectAt = placeOf(source, source.span(['steps', i, 'expect'], 'key'));
    script.push({ title: `expect ${expect}`, source: expectAt, task: sh(world, cpu, undefined, () => compare(findings.results.at(-1)!.value, expect, expectAt)) });
  }
  return script;
}

/** What a user does in a shell. The scheduler takes it off a CPU that is not online or about to go. */
const sh = ({ kernel }: World, cpu = 0, leaving: number | undefined, run: () => Op): ScriptStep['task'] => ({
  name: 'sh',
  get cpu() {
    const { cpu_online_mask: online } = kernel;
    const fits = (c: number): boolean => online.test(c) && c !== leaving;
    return online.empty || fits(cpu) ? cpu : ([...online].find(fits) ?? cpu);
  },
  run,
});

/** A block ends at the start of the line after it. */
function placeOf({ path }: YamlSource, { line, column, endLine, endColumn }: Span): ScriptStep['source'] {
  return { path, line, column, endLine: endColumn === 1 ? Math.max(line, endLine - 1) : endLine };
}

function* perform(run: Action['run'], step: number, { results }: Findings): Op {
  results.push({ step, value: yield* run() });
}

function* compare(value: number, expected: number | string, { path, line, column }: ScriptStep['source']): Op {
  if (value === expected || errnoName(value) === expected) return;
  throw new ExpectationError(`${path}:${line}:${column}: the step returned ${errnoName(value) ?? value}; expected ${expected}`);
}

function* checkAfter(step: string, { path, line }: ScriptStep['source'], world: World, invariants: Invariants, findings: Findings): Op {
  const violations = invariants.check(world);
  const noted = (v: Violation): boolean => findings.violations.some(({ violation }) => violation.invariant === v.invariant && violation.message === v.message);
  for (const violation of violations) if (violation.known !== undefined && !noted(violation)) findings.violations.push({ step, violation });
  const unknown = violations.filter(({ known }) => known === undefined).map(({ invariant, message }) => `${invariant}: ${message}`);
  if (unknown.length > 0) throw new InvariantError(`${path}:${line}: after ${step}: ${unknown.join('; ')}`);
}
