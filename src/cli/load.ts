import { KERNELS } from '../kernel/changes';
import { formatDiagnostic } from '../scenario/diagnostic';
import { loadScenario, type Loaded, type LoadOptions } from '../scenario/load';
import { type Arguments, type OptionSpec, UsageError } from './arguments';
import type { Output } from './command';

/** Options of every command that runs a scenario. */
export const SCENARIO_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  kernel: { type: 'text', values: Object.keys(KERNELS) },
  expect: { type: 'text', values: ['yes', 'no'] },
  check: { type: 'flag' },
  'fail-nth': { type: 'text' },
};

export const SCENARIO_OPTIONS_HELP = `  --kernel K      run this kernel instead of the scenario's: ${Object.keys(KERNELS).join(', ')}
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
  const loaded = loadScenario(path, undefined, { kernel: texts.get('kernel'), expect: texts.get('expect') !== 'no', check: flags.has('check'), ...options });
  if (loaded.ok) return loaded;
  err(loaded.diagnostics.map(d => `${formatDiagnostic(d)}\n`).join(''));
  return undefined;
}

/** @throws UsageError when there are fewer or more operands than asked for */
export function operands({ positionals }: Arguments, names: readonly string[], optional: readonly string[] = []): readonly string[] {
  const missing = names.at(positionals.length);
  if (missing !== undefined) throw new UsageError(`${missing} is missing`);
  const extra = positionals.at(names.length + optional.length);
  if (extra !== undefined) throw new UsageError(`found ${extra} after ${[...names, ...optional].join(' ')}; expected nothing more`);
  return positionals;
}
