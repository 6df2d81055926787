// The modules of a scenario: read and looked at when it is loaded, made ready to be stepped when it is run, and evaluated anew in each run.
import { instrument, type Instrumented } from '../../stepper/instrument';
import { addModule } from '../../stepper/registry';
import { $ } from '../../stepper/runtime';
import type { Diagnostic } from '../diagnostic';
import { checkModule } from './check-module';
import { modelValues } from './model-names';
import { ModuleReader, type ModuleRoot, type ModuleSource } from './module-source';
import { surroundings } from './surroundings';
import { noteCode } from './thrown';

/** What a module hands to others, by name. */
export type Exports = ReadonlyMap<string, unknown>;

type Evaluate = (values: readonly unknown[]) => Record<string, unknown>;

/** A module that can be evaluated. */
interface Compiled {
  readonly source: ModuleSource;
  readonly evaluate: Evaluate;
}

/** By path, the text that runs: loading it once more is the same code. */
const compiled = new Map<string, Compiled>();

export interface ReadModules {
  readonly program: Program;
  readonly problems: readonly Diagnostic[];
}

export class Program {
  /** @param modules in the order in which they can be evaluated @param named those that the scenario names */
  private constructor(
    private readonly modules: readonly ModuleSource[],
    readonly named: readonly ModuleSource[],
  ) {}

  /**
   * Reads what a scenario names, and what that imports. Nothing of it runs.
   * @param wrong reports what is wrong with how the n-th one is named
   */
  static read(paths: readonly string[], place: ModuleRoot, wrong: (n: number, message: string) => void): ReadModules {
    const reader = new ModuleReader(place);
    const named = paths.flatMap((path, n) => reader.read(place.scenario, path, message => wrong(n, message)) ?? []);
    const problems = reader.problems.length > 0 ? reader.problems : reader.modules.flatMap(checkModule);
    return { program: new Program(reader.modules, named), problems };
  }

  get paths(): readonly string[] {
    return this.modules.map(({ path }) => path);
  }

  /** Makes the modules known to the stepper: breakpoints in them bind from now on. */
  register(): void {
    this.modules.forEach(compile);
  }

  /** The scenario's module of this name, after those that it imports. @param done those of this run that were evaluated before */
  evaluate(named: ModuleSource, done: Map<ModuleSource, Exports>): Exports {
    for (const module of this.modules) {
      if (!done.has(module)) done.set(module, exportsOf(module, done));
      if (module === named) break;
    }
    return done.get(named)!;
  }
}

/** Of each name one parameter: imports, what is around a module, and what stepping needs. */
function compile(source: ModuleSource): Compiled {
  const known = compiled.get(source.path);
  if (known?.source.hash === source.hash) return known;
  const made = instrument(source.script, source.path, { frames: true, guard: true });
  const base = addModule({ ...made.table, source: source.text, hash: source.hash });
  const fresh = { source, evaluate: evaluator(source, made, base) };
  compiled.set(source.path, fresh);
  return fresh;
}

function evaluator(source: ModuleSource, made: Instrumented, base: number): Evaluate {
  const around = [...surroundings].filter(([name]) => !source.imports.some(({ local }) => local === name));
  const names = ['$', '$b', ...around.map(([name]) => name), ...source.imports.map(({ local }) => local)];
  const handed = [...source.exports].map(([name, own]) => `${JSON.stringify(name)}:${own}`).join(',');
  const { head, url } = noteCode(source.path, made);
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- this is what modules are for; who may load one is decided where a scenario is launched
  const run = new Function(...names, `${head}return(()=>{${made.code}\nreturn{${handed}}})()\n//# sourceURL=${url}`) as (...values: unknown[]) => Record<string, unknown>;
  const fixed = [$, base, ...around.map(([, value]) => value)];
  return values => run(...fixed, ...values);
}

function exportsOf(module: ModuleSource, done: ReadonlyMap<ModuleSource, Exports>): Exports {
  const values = module.imports.map(({ name, module: from }) => {
    const all = from ? Object.fromEntries(done.get(from)!) : modelValues;
    return name === undefined ? Object.freeze(all) : all[name];
  });
  const own = compile(module).evaluate(values);
  const others = [...module.reexports].map(([name, { module: from, name: of }]): [string, unknown] => [name, done.get(from)!.get(of)]);
  return new Map([...Object.entries(own), ...others]);
}
