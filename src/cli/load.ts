import { KERNELS } from '../kernel/changes';
import { kernelOf, parseKernel } from '../kernel/kernel_choice';
import { formatDiagnostic } from '../scenario/diagnostic';
import { loadScenario, type Loaded, type LoadOptions } from '../scenario/load';
import { choice } from '../scenario/nearest';
import { type Arguments, type OptionSpec, UsageError } from './arguments';
import type { Output } from './command';

export const KERNEL_OPTION: OptionSpec = { type: 'text' };

/** Options of every command that runs a scenario. */
export const SCENARIO_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  kernel: KERNEL_OPTION,
  expect: { type: 'text', values: ['yes', 'no'] },
  check: { type: 'flag' },
  'fail-nth': { type: 'text' },
};

export const SCENARIO_OPTIONS_HELP = `  --kernel K      run this kernel instead of the scenario's: ${Object.keys(KERNELS).join(', ')}; series:19 for
                  v5.9 with the first 19 patches; each with changes added and taken away: v5.10-v2-04, series:19+dmar-hpet-msi-flags
  --expect yes|no no: go on when a step does not return what it expects (default yes)
  --check         look after every step whether the invariants hold: counters, bitmaps, vector tables, remapping entries, messages
  --fail-nth N    the N-th memory allocation behind the boot fails, as with /proc/self/fail-nth of a kernel with CONFIG_FAILSLAB`;

/** @returns the allocation that --fail-nth names; undefined for none @throws UsageError for what is no number */
function failNth(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`--fail-nth: found ${text}; expected a number from 1 on`);
}

/** Reads the scenario that a command names; prints what is wrong with it. @param options besides those of the command line */
export function loadFor(path: string, { texts, flags }: Arguments, { err }: Output, options: LoadOptions = { failNth: failNth(texts.get('fail-nth')) }): Extract<Loaded, { ok: true }> | undefined {
  const kernel = kernelIn(texts);
  const loaded = loadScenario(path, undefined, { root: process.cwd(), kernel, expect: texts.get('expect') !== 'no', check: flags.has('check'), ...options });
  if (loaded.ok) {
    err(loaded.scenario.program.paths.map(module => `irqstep: ${path} loads the code of ${module}\n`).join(''));
    return loaded;
  }
  err(loaded.diagnostics.map(d => `${formatDiagnostic(d)}\n`).join(''));
  return undefined;
}

/** @returns the kernel that --kernel names, as parseKernel() reads it; undefined for none @throws UsageError for one that cannot be had */
export function kernelIn(texts: Arguments['texts']): string | undefined {
  const text = texts.get('kernel');
  if (text === undefined) return undefined;
  const found = kernelOf(parseKernel(text));
  if (found.ok) return text;
  const { message, unknown } = found.problems[0];
  throw new UsageError(`--kernel: ${message}${unknown ? choice(unknown.word, unknown.known) : ''}`);
}

/** @throws UsageError when there are fewer or more operands than asked for */
export function operands({ positionals }: Arguments, names: readonly string[], optional: readonly string[] = []): readonly string[] {
  const missing = names.at(positionals.length);
  if (missing !== undefined) throw new UsageError(`${missing} is missing`);
  const extra = positionals.at(names.length + optional.length);
  if (extra !== undefined) throw new UsageError(`found ${extra} after ${[...names, ...optional].join(' ')}; expected nothing more`);
  return positionals;
}
