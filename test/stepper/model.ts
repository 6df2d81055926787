// Model code for tests: written as text, instrumented as the model is, and run by a small guest.
import { transformSync } from 'esbuild';
import { instrument, type Instrumented } from '../../src/stepper/instrument';
import type { Op } from '../../src/stepper/op';
import { $ } from '../../src/stepper/runtime';
import { Stepper, type Entry, type Guest, type Host, type ScriptStep, type TaskSpec } from '../../src/stepper/stepper';

export type Model = Record<string, (...args: unknown[]) => Op<unknown>>;

let files = 0;

/** A path that no other test uses. */
export const freshPath = (): string => `file${++files}.ts`;

/** Instruments TypeScript and loads it. `scope` holds names that the source may use. */
export function load(source: string, scope: object = {}, path = freshPath(), frames = true): { model: Model; path: string; made: Instrumented } {
  const made = instrument(source, path, { probes: true, frames, runtime: 'runtime' });
  return { model: evaluate(made.code, scope), path, made };
}

/** The same without instrumenting. */
export const loadPlain = (source: string, scope: object = {}): Model => evaluate(source, scope);

function evaluate(code: string, scope: object): Model {
  const js = transformSync(code, { loader: 'ts', format: 'cjs', target: 'es2022' }).code;
  const module = { exports: {} as Model };
  const names = Object.keys(scope);
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- loading the code under test is the point
  const run = new Function('require', 'module', 'exports', ...names, js) as (...args: unknown[]) => void;
  run(() => ({ $ }), module, module.exports, ...(Object.values(scope) as unknown[]));
  return module.exports;
}

/** Runs an operation to its end without a stepper. Waits are passed over. */
export function finish<T>(op: Op<T>): T {
  for (;;) {
    const { done, value } = op.next();
    if (done) return value;
  }
}

/** What a test's world holds; steps and code change it. */
export interface World {
  host: Host;
  cpu: number;
  /** Entries that wait, by CPU; taken unless `masked`. */
  entries: Entry[][];
  masked: boolean;
  log: unknown[];
  [name: string]: unknown;
}

/** What the running world is, for model code and for `ready` functions. */
export let world: World;

export type Script = readonly (() => TaskSpec)[];

/** A guest whose script is a list of tasks, one a step; step i stands on line i + 1 of `scriptPath`. */
export function guestOf(script: Script, { cpus = 2, scriptPath = 'script.yaml' } = {}): (host: Host) => Guest {
  return host => {
    const own: World = { host, cpu: 0, entries: Array.from({ length: cpus }, () => []), masked: false, log: [] };
    let next = 0;
    const place = (i: number) => ({ title: `step ${i + 1}`, source: { path: scriptPath, line: i + 1, column: 3 } });
    return {
      cpus,
      enter(cpu) {
        world = own;
        own.cpu = cpu;
      },
      pending: cpu => (own.masked ? null : (own.entries[cpu].shift() ?? null)),
      nextStep(): ScriptStep | null {
        const index = next++;
        return index < script.length ? { ...place(index), task: script[index]() } : null;
      },
      steps: () => script.map((_, i) => place(i)),
      hash: () => JSON.stringify({ ...own, host: undefined, entries: own.entries.map(e => e.map(x => x.name)), next }),
    };
  };
}

/** A stepper that runs one operation as one task on CPU 0. */
export const stepperOf = (run: () => Op<unknown>, cpus?: number): Stepper => new Stepper(guestOf([() => task('task', run)], { cpus }));

export const task = (name: string, run: () => Op<unknown>, cpu = 0): TaskSpec => ({ name, cpu, run: run as () => Op });

/** `line:column` of the top frame. */
export function where(stepper: Stepper, thread = 1): string {
  const [top] = stepper.frames(thread);
  return `${top.line}:${top.column}`;
}

/** Names and values of the top frame. */
export function variables(stepper: Stepper, thread = 1): Record<string, unknown> {
  const [top] = stepper.frames(thread);
  return Object.fromEntries(top.names.map((name, i) => [name, top.values[i]]));
}
