import { errnoName } from '../kernel/lib/errno';
import { write_fail_nth } from '../kernel/lib/slab';
import { kernel, type World } from '../kernel/world';
import type { Op } from '../stepper/op';
import type { ScriptStep } from '../stepper/guest';
import { type Action, actionOf } from './actions';
import type { Span } from './diagnostic';
import { Invariants, type Violation } from './invariants';
import type { ModuleRun } from './modules/module-run';
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
  /** which allocation behind the boot fails; undefined: those that the steps name */
  readonly failNth?: number | undefined;
}

/** An allocation that was made to fail. */
export interface Fault {
  readonly step: string;
  /** the kernel's function and what it wanted */
  readonly site: string;
  /** memory that the kernel's own unwinding forgot */
  readonly lost: readonly string[];
  /** what the step returned; undefined: it did not end */
  readonly value: number | undefined;
}

/** What the steps of a run have come to. */
export class Findings {
  /** the action that runs, or ran last */
  action = '';
  readonly faults: Fault[] = [];
  readonly results: StepResult[] = [];
  /** broken by bugs of the modelled kernel that are known, each when it is first seen; others end the run */
  readonly violations: { readonly step: string; readonly violation: Violation }[] = [];
}

/** The scenario's steps, for the stepper: each action, and each check as a step behind it. */
export function scriptOf(file: ScenarioFile, source: YamlSource, world: World, findings: Findings, { expect: expects, invariants: checks, failNth }: Checks, modules: ModuleRun): ScriptStep[] {
  const script: ScriptStep[] = [];
  const invariants = new Invariants();
  const check = (title: string, place: ScriptStep['source']): void => {
    if (checks) script.push({ title: `check after ${title}`, source: place, task: sh(world, 0, undefined, () => checkAfter(title, place, world, invariants, findings)) });
  };
  const loads = (file.modules ?? []).map((path, n) => ({ title: `load ${path}`, place: placeOf(source, source.span(['modules', n])), run: () => modules.load(n) }));
  const load = (): void => {
    for (const { title, place, run } of loads.splice(0)) {
      const index = script.length;
      script.push({ title, source: place, task: sh(world, 0, undefined, () => perform(run, index, { title, nth: undefined }, findings)) });
      check(title, place);
    }
  };
  for (const [i, step] of file.steps.entries()) {
    const place = placeOf(source, source.span(['steps', i]));
    if (step === 'boot') {
      script.push(...bootScript(source, world));
      if (failNth !== undefined) script.push({ title: `from here on allocation ${failNth} fails`, source: place, task: sh(world, 0, undefined, () => armed(failNth)) });
      check('boot', place);
      continue;
    }
    load();
    const { cpu, expect } = step;
    const { title, run } = actionOf(file, step, modules);
    const index = script.length;
    script.push({ title, source: place, task: sh(world, cpu, step.offline, () => perform(run, index, { title, nth: failNth === undefined ? step.failNth : undefined }, findings)) });
    check(title, place);
    if (!expects || expect === undefined) continue;
    const expectAt = placeOf(source, source.span(['steps', i, 'expect'], 'key'));
    script.push({ title: `expect ${expect}`, source: expectAt, task: sh(world, cpu, undefined, () => compare(findings.results.at(-1)!.value, expect, expectAt)) });
  }
  load();
  return script;
}

/** The boot, task by task. It stands where the scenario's first step does. */
export function bootScript(source: YamlSource, world: World): ScriptStep[] {
  const place = placeOf(source, source.span(['steps', 0]));
  return bootTasks(world).map(task => ({ title: `boot ${task.name}`, source: place, task }));
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

/** @param nth which allocation of this step fails */
function* perform(run: Action['run'], step: number, { title, nth }: { readonly title: string; readonly nth: number | undefined }, findings: Findings): Op {
  findings.action = title;
  if (nth !== undefined) write_fail_nth(nth);
  const value = yield* run();
  findings.results.push({ step, value });

  const { failed, lost } = kernel.fail_nth;
  if (failed !== null) findings.faults.push({ step: title, site: failed, lost, value });
  if (failed !== null || nth !== undefined) write_fail_nth(0);
}

function* armed(nth: number): Op {
  write_fail_nth(nth);
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
