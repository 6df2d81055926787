import { RequestError } from './errors';

/** What a request's arguments look like: a key that ends with `?` may be absent, `[S]` is a list of S. */
export type Shape = 'number' | 'string' | 'boolean' | 'any' | readonly [Shape] | { readonly [key: string]: Shape };

/** The type that a shape describes. */
export type Of<S> = S extends 'number'
  ? number
  : S extends 'string'
    ? string
    : S extends 'boolean'
      ? boolean
      : S extends 'any'
        ? unknown
        : S extends readonly [infer E]
          ? Of<E>[]
          : { [K in keyof S as K extends `${string}?` ? never : K]: Of<S[K]> } & { [K in keyof S as K extends `${infer Name}?` ? Name : never]?: Of<S[K]> | undefined };

/**
 * The value, which is what the shape says.
 * @param where how the error names the value: "setBreakpoints: arguments"
 */
export function shaped<S extends Shape>(value: unknown, shape: S, where: string): Of<S> {
  check(value, shape, where);
  return value as Of<S>;
}

function check(value: unknown, shape: Shape, where: string): void {
  if (typeof shape === 'string') {
    if (shape === 'any' || (typeof value === shape && !Number.isNaN(value))) return;
    throw wrong(where, `a ${shape}`, value);
  }
  if (isList(shape)) {
    if (!Array.isArray(value)) throw wrong(where, 'a list', value);
    value.forEach((element, i) => check(element, shape[0], `${where}[${i}]`));
    return;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where, 'an object', value);
  for (const [key, inner] of Object.entries(shape)) {
    const name = key.replace(/\?$/, '');
    const member = (value as Record<string, unknown>)[name];
    if (name !== key && (member === undefined || member === null)) continue;
    check(member, inner, `${where}.${name}`);
  }
}

const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);

function wrong(where: string, expected: string, found: unknown): RequestError {
  const text = found === undefined ? 'nothing' : JSON.stringify(found);
  return new RequestError(`${where}: ${expected} was expected, found ${text.length > 60 ? `${text.slice(0, 60)}...` : text}`);
}
