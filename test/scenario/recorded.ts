// A scenario with its calls: for facts about what comes before what.
import assert from 'node:assert/strict';
import { brief } from '../../src/recording/brief';
import { type Call, recordCalls, type Recording } from '../../src/recording/call-tree';
import { loadScenario } from '../../src/scenario/load';

/** @param steps YAML of the steps, one a line @param head YAML before them */
export async function recorded(head: string, steps: readonly string[], kernel: string): Promise<Recording> {
  const loaded = loadScenario('x.irq.yaml', `${head}\nsteps:\n${steps.map(step => `  - ${step}\n`).join('')}`, { kernel });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return recordCalls(loaded.make, brief);
}

/** All calls below one, outermost first. */
export const callsBelow = (call: Call): Call[] => call.items.flatMap(item => ('call' in item ? [item.call, ...callsBelow(item.call)] : []));

/** Of the calls of a step those that are named, in their order. @param step from 0 */
export function called({ steps }: Recording, step: number, names: readonly string[]): string[] {
  return callsBelow(steps[step].call).flatMap(({ name }) => (names.includes(name) ? [name] : []));
}

/** An argument of each call of a function in a step. */
export const passed = ({ steps }: Recording, step: number, fn: string, arg: string): unknown[] =>
  callsBelow(steps[step].call).flatMap(({ name, args }) => (name === fn ? [args.find(a => a.name === arg)?.value] : []));
