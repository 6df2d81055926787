// Model code for tests: written as text, instrumented as the model is, and run by a small guest.
import { transformSync } from 'esbuild';
import { instrument, type Instrumented } from '../../src/stepper/instrument';
import type { Op } from '../../src/stepper/op';
import { $ } from '../../src/stepper/runtime';
import { Stepper, type Entry, type Goal, type Guest, type Host, type ScriptStep, type StopEvent, type TaskSpec } from '../../src/stepper/stepper';

export type Model = Record<string, (...args: unknown[]) => Op<unknown>>;

let files = 0;

/** A path that no other test uses. */
export const freshPath = (): string => `file${++files}.ts`;

/** Instruments TypeScript and loads it. `scope` holds names that the source may use. */
export function load(source: string, scope: object = {}, path = freshPath(), frames = true): { model: Model; path: string; made: Instrumented } {
  const made = instrument(source, path, { frames, runtime: 'runtime' });
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

const sleep = (on: string, ready: () => boolean) => ({ wait: 'until', on, ready });
/** What the sources of tests may use. */
export const scope = { world: () => world, sleep };

/** A model file and a stepper that runs its `main`. */
export function main(source: string, cpus?: number): { stepper: Stepper; model: Model; path: string } {
  const { model, path } = load(source, scope);
  return { stepper: stepperOf(() => model.main(), cpus), model, path };
}

type Step = Extract<Goal, { thread: number }>['kind'];

export const go = (stepper: Stepper, kind: Step, thread = 1): Promise<StopEvent> => stepper.run({ kind, thread });

/** `function:line` of the frames, top first. */
export const names = (stepper: Stepper, thread = 1): string[] => stepper.frames(thread).map(f => `${f.fn.name}:${f.line}`);

/** Runs to the first statement on a line. */
export async function runTo(stepper: Stepper, path: string, line: number): Promise<StopEvent> {
  stepper.setMarks(stepper.probesAt(path, line).map(p => p.id));
  const stop = await stepper.run({ kind: 'continue' });
  stepper.setMarks([]);
  return stop;
}

/** Calls in calls. */
export const CALLS = `function* leaf(n) {
  const twice = n * 2;
  return twice;
}
function* middle(n) {
  const a = yield* leaf(n);
  const b = yield* leaf(a);
  return b;
}
export function* main() {
  const r = (yield* middle(1)) + (yield* middle(2));
  world().log.push(r);
}`;
