/** Two 32-bit sums over words, mixed so that each bit of the input reaches most bits of both. */
class Sum {
  private a = 0x9e3779b9;
  private b = 0x85ebca6b;
  private readonly double = new Float64Array(1);
  private readonly halves = new Uint32Array(this.double.buffer);

  word(w: number): void {
    this.a = Math.imul(this.a ^ w, 0x01000193) ^ (this.b >>> 15);
    this.b = Math.imul(this.b + w, 0xc2b2ae35) ^ (this.a >>> 13);
  }

  number(n: number): void {
    this.double[0] = n;
    this.word(this.halves[0]);
    this.word(this.halves[1]);
  }

  text(s: string): void {
    this.word(s.length);
    for (let i = 0; i < s.length; i++) this.word(s.charCodeAt(i));
  }

  toString(): string {
    return [this.a, this.b].map(w => (w >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/** What a value starts with in the sum, so that 1, "1", true and an empty list differ. */
const TAG = { undefined: 1, null: 2, boolean: 3, number: 4, string: 5, bigint: 6, function: 7, symbol: 8, object: 9, seen: 10 } as const;

/**
 * A sum over everything that can be reached from `root`: equal worlds have equal sums, whatever way they came about.
 * Objects count by their class, their own properties and the order in which they are met (so cycles end);
 * functions are never state and count by their names.
 * @returns 16 hexadecimal digits
 */
export function structuralHash(root: unknown): string {
  const sum = new Sum();
  const ids = new Map<object, number>();
  const queue: object[] = [];

  const add = (value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      const known = ids.get(value);
      sum.word(known === undefined ? TAG.object : TAG.seen);
      if (known !== undefined) { sum.word(known); return; }
      ids.set(value, ids.size);
      queue.push(value);
      return;
    }
    sum.word(value === null ? TAG.null : TAG[typeof value]);
    if (typeof value === 'number') sum.number(value);
    else if (typeof value === 'function') sum.text(value.name);
    else if (typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean') sum.text(String(value));
  };

  add(root);
  for (const object of queue) addContents(object, sum, add);
  return sum.toString();
}

function addContents(object: object, sum: Sum, add: (value: unknown) => void): void {
  sum.text(object.constructor.name);
  if (ArrayBuffer.isView(object)) {
    const bytes = new Uint8Array(object.buffer, object.byteOffset, object.byteLength);
    sum.word(bytes.length);
    for (const byte of bytes) sum.word(byte);
    return;
  }
  if (object instanceof Map) {
    sum.word(object.size);
    for (const [key, value] of object) {
      add(key);
      add(value);
    }
    return;
  }
  if (object instanceof Set) {
    sum.word(object.size);
    for (const value of object) add(value);
    return;
  }
  const keys = Object.keys(object);
  sum.word(keys.length);
  for (const key of keys) {
    sum.text(key);
    add((object as Record<string, unknown>)[key]);
  }
}
