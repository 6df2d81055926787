import { parseArgs, type ParseArgsConfig } from 'node:util';
import { choice, suggestion } from '../scenario/nearest';

/** The command line is wrong: exit status 2. */
export class UsageError extends Error {}

export interface OptionSpec {
  /** flag: stands alone; text: takes a value */
  readonly type: 'flag' | 'text';
  /** values that a text may have */
  readonly values?: readonly string[];
}

export interface Arguments {
  readonly positionals: readonly string[];
  readonly flags: ReadonlySet<string>;
  readonly texts: ReadonlyMap<string, string>;
}

const HELP: OptionSpec = { type: 'flag' };

/** Reads a command's options and operands. @throws UsageError which names what is wrong and what is near */
export function readArguments(args: readonly string[], specs: Readonly<Record<string, OptionSpec>>): Arguments {
  const known: Record<string, OptionSpec> = { ...specs, help: HELP };
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } };
  for (const [name, spec] of Object.entries(specs)) options[name] = { type: spec.type === 'flag' ? 'boolean' : 'string' };
  const { tokens } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true });

  const positionals: string[] = [];
  const flags = new Set<string>();
  const texts = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const spec = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!spec) throw new UsageError(`unknown option ${rawName}${suggestion(rawName, Object.keys(known).map(n => `--${n}`))}`);
    if (spec.type === 'flag') {
      if (value !== undefined) throw new UsageError(`${rawName} takes no value, found ${value}`);
      flags.add(name);
    } else {
      texts.set(name, checkValue(rawName, value, spec));
    }
  }
  return { positionals, flags, texts };
}

function checkValue(option: string, value: string | undefined, { values }: OptionSpec): string {
  if (value === undefined) throw new UsageError(`${option} needs a value${values ? `: ${values.join(' or ')}` : ''}`);
  if (values && !values.includes(value)) throw new UsageError(`${option}: found ${value}${choice(value, values)}`);
  return value;
}
