// What a module finds around it: JavaScript's own, and nothing of the machine that runs it. This keeps a run the same each time; it locks nobody in.

/** Of JavaScript, what depends on its arguments alone. */
export const LANGUAGE: ReadonlySet<string> = new Set([
  'undefined', 'NaN', 'Infinity', 'isNaN', 'isFinite', 'parseInt', 'parseFloat', 'Object', 'Array', 'Map', 'Set', 'WeakMap', 'WeakSet', 'Number', 'String', 'Boolean', 'BigInt', 'Symbol', 'Math', 'JSON',
  'Error', 'TypeError', 'RangeError', 'ArrayBuffer', 'DataView', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array',
  'Float64Array', 'BigInt64Array', 'BigUint64Array', 'arguments',
]);

const CLOCK = 'a run has no clock, or it could not be run again to go back';
const OUTSIDE = 'a module has nothing but the model: a run must be the same each time';
const LATER = 'what takes time in the model is an Op: a generator function, called with yield*';
const HIDDEN = 'code that is made at run time cannot be stepped';

/** Of what a host has besides, why it is not here. */
export const NOT_HERE: ReadonlyMap<string, string> = new Map([
  ...['Date', 'performance', 'Temporal'].map((name): [string, string] => [name, CLOCK]),
  ...['process', 'require', 'module', 'exports', 'globalThis', 'global', 'window', 'self', 'Buffer', 'fetch', 'XMLHttpRequest', 'WebSocket', 'navigator', 'crypto', 'Intl', 'WeakRef', 'FinalizationRegistry', 'Atomics', 'SharedArrayBuffer', '__dirname', '__filename'].map((name): [string, string] => [name, OUTSIDE]),
  ...['Promise', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'].map((name): [string, string] => [name, LATER]),
  ...['eval', 'Function'].map((name): [string, string] => [name, HIDDEN]),
  ['console', "the kernel's log is written with pr_info(), pr_warn() and pr_err() of irqstep/model"],
]);

export const NO_RANDOM = `Math.random is not here: a run has no randomness, or it could not be run again to go back`;
export const notHere = (name: string): string => `${name} is not here: ${NOT_HERE.get(name)!}`;

/** Not a name that a strict function can have. */
const NO_PARAMETER = new Set(['eval']);

/** Stands in for something that is not here: any use of it says why. */
function absent(name: string): unknown {
  const refuse = (): never => {
    throw new TypeError(notHere(name));
  };
  return new Proxy(() => undefined, { apply: refuse, construct: refuse, get: refuse, set: refuse, has: refuse });
}

const calculations = Object.fromEntries(Object.entries(Object.getOwnPropertyDescriptors(Math)).map(([name, { value }]) => [name, value as unknown]));

/** Names, and what they mean in a module. */
export const surroundings: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...[...NOT_HERE.keys()].filter(name => !NO_PARAMETER.has(name)).map((name): [string, unknown] => [name, absent(name)]),
  [
    'Math',
    Object.freeze({
      ...calculations,
      random: () => {
        throw new TypeError(NO_RANDOM);
      },
    }),
  ],
]);
