import { validateMachineConfig } from '../hardware/validate-machine';
import { type KernelChoice, kernelOf, kernelText, parseKernel } from '../kernel/kernel_choice';
import { kernel_death } from '../kernel/lib/printk';
import { write_fail_nth } from '../kernel/lib/slab';
import type { World } from '../kernel/world';
import type { Host } from '../stepper/guest';
import { checkMeaning } from './check';
import { checkStores } from './check-ims';
import { type Diagnostic, inFileOrder } from './diagnostic';
import { ModelGuest } from './guest';
import { machineConfig, sourcePath } from './machine';
import { ModuleRun } from './modules/module-run';
import { Program, type ReadModules } from './modules/program';
import { choice } from './nearest';
import { Boot, powerOn } from './power-on';
import { readText } from './read-text';
import type { ScenarioFile } from './scenario-file';
import { readScenarioFile } from './schema-errors';
import { bootScript, type Checks, Findings, scriptOf, type StepResult } from './script';
import { YamlSource } from './yaml-source';

export const DEFAULT_KERNEL = 'v5.10';

export interface LoadOptions {
  /** runs this kernel instead of the scenario's; as parseKernel() reads it */
  readonly kernel?: string;
  /** false: a step that does not return what it expects does not end the run; default true */
  readonly expect?: boolean;
  /** true: the invariants are looked at after every step; default false */
  readonly check?: boolean;
  /** false: a scenario with modules is refused; default true */
  readonly allowModules?: boolean;
  /** where modules may be, besides the scenario's own folder: the workspace's */
  readonly root?: string;
  /** the n-th memory allocation behind the boot fails; steps' own failNth then count for nothing */
  readonly failNth?: number;
}

export interface Scenario {
  readonly path: string;
  readonly title: string;
  /** as parseKernel() reads it */
  readonly kernel: string;
  readonly file: ScenarioFile;
  readonly program: Program;
}

/** A guest whose steps note what they came to. */
export class ScenarioGuest extends ModelGuest {
  /** absent: the script boots, or it is over */
  private boot?: Boot;

  constructor(
    private readonly scenario: Scenario,
    private readonly source: YamlSource,
    private readonly checks: Checks,
    host: Host,
    readonly findings = new Findings(),
  ) {
    const world = worldOf(scenario);
    super(world, scriptOf(scenario.file, source, world, findings, checks, new ModuleRun(scenario.program)), host);
    if (scenario.file.steps[0] !== 'boot') this.boot = new Boot(this);
  }

  startUp(probes: number): boolean {
    if (!this.boot) return true;
    try {
      if (!this.boot.slice(probes)) return false;
    } catch (error) {
      if (!(error instanceof kernel_death)) throw error;
      this.bootInSteps();
      return true;
    }
    this.boot = undefined;
    this.enter(0);
    write_fail_nth(this.checks.failNth ?? 0);
    return true;
  }

  /** Of a kernel that fails while it boots, the boot becomes the first step: so one sees where. */
  private bootInSteps(): void {
    const { scenario, source, findings, checks } = this;
    const world = worldOf(scenario);
    this.boot = undefined;
    this.begin(world, [...bootScript(source, world), ...scriptOf(scenario.file, source, world, findings, checks, new ModuleRun(scenario.program))]);
  }

  /** of the actions that have ended */
  get results(): readonly StepResult[] {
    return this.findings.results;
  }
}

/** @param failNth instead of the one in LoadOptions */
export type MakeScenario = (host: Host, failNth?: number) => ScenarioGuest;

export type Loaded =
  | { readonly ok: true; readonly scenario: Scenario; /** One power-on; the same each time. */ readonly make: MakeScenario }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/**
 * Reads a scenario; nothing of it runs yet.
 * @param text the content, if it is not the file's on disk (an editor's)
 */
export function loadScenario(path: string, text?: string, options: LoadOptions = {}): Loaded {
  const content = text ?? readText(path);
  if (typeof content !== 'string') return { ok: false, diagnostics: [content] };
  const source = new YamlSource(path, content);
  const file = source.errors.length > 0 ? [...source.errors] : readScenarioFile(source);
  if (Array.isArray(file)) return { ok: false, diagnostics: inFileOrder(file) };
  const kernel = chosenKernel(options.kernel ?? file.kernel ?? DEFAULT_KERNEL);
  const { program, problems } = readModules(file, source, options);
  if (problems.length > 0) return { ok: false, diagnostics: inFileOrder(problems) };
  const meaning = [...checkMeaning(file, source, program.named), ...checkKernel(kernel, source), ...(options.kernel === undefined ? checkStores(file, kernel, source) : [])];
  const diagnostics = meaning.length > 0 ? meaning : checkMachine(file, source);
  if (diagnostics.length > 0) return { ok: false, diagnostics: inFileOrder(diagnostics) };

  const checks = { expect: options.expect ?? true, invariants: options.check ?? false };
  const scenario: Scenario = { path, title: file.title ?? path, kernel: kernelText(kernel), file, program };
  return { ok: true, scenario, make: (host, failNth = options.failNth) => new ScenarioGuest(scenario, source, { ...checks, failNth }, host) };
}

const worldOf = ({ file, kernel }: Scenario): World => powerOn({ machine: machineConfig(file.machine), kernel, cmdline: file.cmdline, config: file.config });

/** What the scenario brings of its own: read, but not run. */
function readModules({ modules = [] }: ScenarioFile, source: YamlSource, { allowModules = true, root }: LoadOptions): ReadModules {
  const wrong: Diagnostic[] = [];
  const report = (n: number, message: string): void => void wrong.push(source.error(['modules', n], message));
  if (!allowModules && modules.length > 0) wrong.push(source.error(['modules'], REFUSED, 'key'));
  const { program, problems } = Program.read(wrong.length > 0 ? [] : modules, { scenario: source.path, root }, report);
  return { program, problems: [...wrong, ...problems] };
}

const REFUSED = 'modules are code that runs in the debugger, and this session may not load any; expected a trusted workspace in VS Code, elsewhere "allowModules": true at the launch';

function checkMachine(file: ScenarioFile, source: YamlSource): Diagnostic[] {
  return validateMachineConfig(machineConfig(file.machine)).map(({ path, message }) => source.error(sourcePath(path), message));
}

const chosenKernel = (written: string | KernelChoice): KernelChoice => (typeof written === 'string' ? parseKernel(written) : written);

function checkKernel(kernel: KernelChoice, source: YamlSource): Diagnostic[] {
  const found = kernelOf(kernel);
  if (found.ok) return [];
  return found.problems.map(({ path, message, unknown }) => source.error(['kernel', ...path], message + (unknown ? choice(unknown.word, unknown.known) : '')));
}
