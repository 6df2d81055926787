// What a module hands to the functions of irqstep/model. C's compiler would see it; the model's functions would go on with it and break elsewhere.
import { shown } from '../../stepper/shown';
import parameters from './parameters.json';

/** "number" or "irq_domain | null", and what it is called in the function. */
interface Parameter {
  readonly name: string;
  readonly kind: string;
  readonly optional: boolean;
  readonly orNull: boolean;
}

const read = (text: string): Parameter => {
  const [, name, optional, kind] = /^(\w+)(\??): (\w+)/.exec(text)!;
  return { name, kind, optional: optional !== '', orNull: text.endsWith(' | null') };
};

const PARAMETERS: ReadonlyMap<string, readonly Parameter[]> = new Map(Object.entries(parameters).map(([fn, list]) => [fn, list.map(read)]));

/** The same, by name too, but for what it refuses: the error is thrown where the module calls it. */
export function checkedArguments(name: string, value: unknown): unknown {
  const expected = PARAMETERS.get(name);
  if (typeof value !== 'function' || !expected) return value;
  const fn = value as (...args: readonly unknown[]) => unknown;
  const checked = (...args: readonly unknown[]): unknown => {
    for (const [i, parameter] of expected.entries()) check(name, parameter, args[i], i >= args.length);
    return fn(...args);
  };
  Object.defineProperty(checked, 'name', { value: fn.name });
  return checked;
}

function check(fn: string, { name, kind, optional, orNull }: Parameter, value: unknown, missing: boolean): void {
  if (holds(kind, value) || (optional && value === undefined) || (orNull && value === null)) return;
  const is = missing ? 'is missing' : `is ${shown(value)}`;
  throw new TypeError(`${fn}(): ${name} ${is}; expected ${WORDS[kind] ?? `a struct ${kind}`}${orNull ? ', or null' : ''}`);
}

const WORDS: Readonly<Record<string, string | undefined>> = {
  number: 'a whole number', string: 'a text', boolean: 'true or false', function: 'a function', array: 'an array', object: 'an object',
};

function holds(kind: string, value: unknown): boolean {
  switch (kind) {
    case 'unknown':
      return true;
    case 'number':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'string':
    case 'boolean':
    case 'function':
      return typeof value === kind;
    default:
      return isA(kind, value);
  }
}

/** Of a class of this name, or of one that extends it. */
function isA(name: string, value: unknown): boolean {
  if (typeof value !== 'object') return false;
  for (let prototype: unknown = value; prototype !== null; prototype = Object.getPrototypeOf(prototype)) {
    if ((prototype as { constructor?: { name?: string } }).constructor?.name === name) return true;
  }
  return false;
}
