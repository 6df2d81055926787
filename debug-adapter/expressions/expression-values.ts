// What the operators of an expression do to values of the model. Looking changes nothing.
import { bitmap } from '../../src/kernel/lib/bitmap';
import { nearest } from '../../src/scenario/nearest';
import { structOf } from '../variables/types';

export const truth = (value: unknown): boolean => value !== undefined && Boolean(value);

export function unary(operator: string, value: unknown): unknown {
  if (operator === '!') return !truth(value);
  const operand = numeric(value, operator);
  if (operator === '+') return operand;
  return narrow(operator === '-' ? -BigInt(operand) : ~BigInt(operand));
}

export function binary(operator: string, left: unknown, right: unknown): unknown {
  if (operator === '==') return same(left, right);
  if (operator === '!=') return !same(left, right);
  const a = BigInt(numeric(left, operator));
  const b = BigInt(numeric(right, operator));
  switch (operator) {
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    case '/':
    case '%':
      if (b === 0n) throw new Error('division by zero');
      return narrow(operator === '/' ? a / b : a % b);
    case '<<':
    case '>>':
      if (b < 0n || b > 64n) throw new Error(`a shift by ${b} bits`);
      return narrow(operator === '<<' ? a << b : a >> b);
    case '+':
      return narrow(a + b);
    case '-':
      return narrow(a - b);
    case '*':
      return narrow(a * b);
    case '&':
      return narrow(a & b);
    case '|':
      return narrow(a | b);
    default:
      return narrow(a ^ b);
  }
}

/** A member as data: own properties and getters; nothing of JavaScript itself. */
export function access(object: unknown, member: string): unknown {
  const owner = structure(object, `.${member}`);
  if (Object.hasOwn(owner, member)) return (owner as Record<string, unknown>)[member];
  if (isGetter(owner, member)) return (owner as Record<string, unknown>)[member];
  const near = nearest(member, [...Object.keys(owner), ...getters(owner)]);
  throw new Error(`${kind(owner)} has no member ${member}${near === undefined ? '' : `; did you mean ${near}?`}`);
}

/** `a[i]`: an element, the value of a map's key, or a bit of a mask. */
export function index(object: unknown, key: unknown): unknown {
  const owner = structure(object, `[${String(key)}]`);
  if (owner instanceof Map) return (owner as Map<unknown, unknown>).get(key);
  if (owner instanceof bitmap) return owner.test(Number(key));
  if (Array.isArray(owner) || ArrayBuffer.isView(owner)) return (owner as unknown as ArrayLike<unknown>)[Number(key)];
  return access(owner, String(key));
}

/** The getters of an object's class, and of those it extends. */
export function getters(object: object): string[] {
  const names: string[] = [];
  for (let proto = prototype(object); proto && proto !== Object.prototype; proto = prototype(proto)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(proto))) if (property.get && name !== '__proto__') names.push(name);
  }
  return names;
}

const isGetter = (object: object, member: string): boolean => getters(object).includes(member);

const prototype = (object: object): object | null => Object.getPrototypeOf(object) as object | null;

function structure(value: unknown, what: string): object {
  if (value === null || value === undefined) throw new Error(`NULL${what}: the value before it is NULL`);
  if (typeof value === 'object') return value;
  throw new Error(`${value as number | string} is no structure: it has no ${what}`);
}

function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (left instanceof bitmap && typeof right === 'string') return left.toString() === right;
  if (isNumeric(left) && isNumeric(right)) return BigInt(left) === BigInt(right);
  // In C, NULL, false and 0 are one.
  return !truth(left) && !truth(right) && left !== '' && right !== '';
}

const isNumeric = (value: unknown): value is number | bigint | boolean => typeof value === 'bigint' || typeof value === 'boolean' || Number.isInteger(value);

function numeric(value: unknown, operator: string): number | bigint | boolean {
  if (isNumeric(value)) return value;
  throw new Error(`${operator} works on whole numbers, and ${typeof value === 'string' ? JSON.stringify(value) : kind(value)} is none`);
}

/** A number where it is exact, so that it compares and prints as the model's own. */
const narrow = (value: bigint): number | bigint => (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value);

const kind = (value: unknown): string => (typeof value === 'object' && value !== null ? structOf(value) || 'this structure' : String(value));
