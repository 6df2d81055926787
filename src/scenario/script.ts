import { errnoName } from '../kernel/lib/errno';
import type { World } from '../kernel/world';
import type { Op } from '../stepper/op';
import type { ScriptStep } from '../stepper/guest';
import { type Action, actionOf } from './actions';
import type { Span } from './diagnostic';
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

/**
 * The scenario's steps, for the stepper: each action, and each `expect` as a step behind it.
 * @param results gets what the actions return
 * @param check false: without the expectations
 */
export function scriptOf(file: ScenarioFile, source: YamlSource, world: World, results: StepResult[], check: boolean): ScriptStep[] {
  const script: ScriptStep[] = [];
  for (const [i, step] of file.steps.entries()) {
    const place = placeOf(source, source.span(['steps', i]));
    if (step === 'boot') {
      script.push(...bootTasks(world).map(task => ({ title: `boot ${task.name}`, source: place, task })));
      continue;
    }
    const { cpu, expect } = step;
    const { title, run } = actionOf(file, step, `${place.path}:${place.line}`);
    const index = script.length;
    script.push({ title, source: place, task: sh(cpu, () => perform(run, index, results)) });
    if (!check || expect === undefined) continue;
    const expectAt = placeOf(source, source.span(['steps', i, 'expect'], 'key'));
    script.push({ title: `expect ${expect}`, source: expectAt, task: sh(cpu, () => compare(results.at(-1)!.value, expect, expectAt)) });
  }
  return script;
}

/** What a user does in a shell. */
const sh = (cpu: number | undefined, run: () => Op): ScriptStep['task'] => ({ name: 'sh', cpu: cpu ?? 0, run });

/** A block ends at the start of the line after it. */
function placeOf({ path }: YamlSource, { line, column, endLine, endColumn }: Span): ScriptStep['source'] {
  return { path, line, column, endLine: endColumn === 1 ? Math.max(line, endLine - 1) : endLine };
}

function* perform(run: Action['run'], step: number, results: StepResult[]): Op {
  results.push({ step, value: yield* run() });
}

function* compare(value: number, expected: number | string, { path, line, column }: ScriptStep['source']): Op {
  if (value === expected || errnoName(value) === expected) return;
  throw new ExpectationError(`${path}:${line}:${column}: the step returned ${errnoName(value) ?? value}; expected ${expected}`);
}
