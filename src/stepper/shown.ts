/** A value in a message about somebody's code: "text", 5, the function f, an array, a PciDev. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `the function ${value.name}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (isOp(value)) return 'an Op that nobody ran';
  const name = classOf(value);
  return name === undefined ? 'an object' : `${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`;
}

/** Is it what a generator function returns? */
export const isOp = (value: unknown): boolean => Object.prototype.toString.call(value) === '[object Generator]';

/** undefined: none but JavaScript's own */
function classOf(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype ? undefined : (prototype as { constructor?: { name?: string } }).constructor?.name;
}
