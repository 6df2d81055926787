// Layouts of registers, table entries and messages: one declaration gives width, names, docs, encode and decode.

/** A bit, `[bit, doc]`, a range `[low, high]`, or `[low, high, doc]`; bits are counted from 0, a range includes both ends. */
export type FieldSpec = number | readonly [bit: number, doc: string] | readonly [low: number, high: number, doc?: string];

export interface Field<N extends string = string> {
  readonly name: N;
  readonly low: number;
  readonly size: number;
  readonly doc: string;
}

/** A raw value: a bigint for 64 bits, else an unsigned number. */
export type Raw<W extends number> = W extends 64 ? bigint : number;

type Values<N extends string> = Partial<Record<N, number | boolean>>;

export interface BitLayout<N extends string, W extends number> {
  readonly width: W;
  /** in the order of the declaration */
  readonly fields: readonly Field<N>[];
  /** Fields that are not given are 0. @throws RangeError when a value does not fit its field */
  encode(values: Values<N>): Raw<W>;
  /** `raw` with some fields replaced. @throws RangeError when a value does not fit its field */
  with(raw: Raw<W>, values: Values<N>): Raw<W>;
  /** Fields are numbers; one of more than 53 bits cannot be declared. */
  decode(raw: Raw<W>): Record<N, number>;
  get(raw: Raw<W>, name: N): number;
  /** The bits of `raw` that no field covers; nonzero where reserved bits are set. */
  reserved(raw: Raw<W>): Raw<W>;
}

const MAX_FIELD = 53;

/**
 * Declares a layout.
 * @throws Error for a field that is outside the width, wider than 53 bits, or overlaps another
 */
export function bits<const W extends 8 | 16 | 32 | 64, const F extends Record<string, FieldSpec>>(width: W, spec: F): BitLayout<keyof F & string, W> {
  type N = keyof F & string;
  const fields = Object.entries(spec).map(([name, s]) => field(name as N, s));
  check(fields, width);
  const byName = new Map(fields.map(f => [f.name, f]));
  const raw64 = width === 64;
  const known = fields.reduce((mask, f) => mask | (ones(f.size) << BigInt(f.low)), 0n);

  const take = (raw: number | bigint, f: Field): number =>
    typeof raw === 'bigint' ? Number((raw >> BigInt(f.low)) & ones(f.size)) : f.size === 32 ? raw >>> 0 : (raw >>> f.low) & (2 ** f.size - 1);
  const put = (raw: number | bigint, f: Field, value: number): number | bigint =>
    typeof raw === 'bigint'
      ? (raw & ~(ones(f.size) << BigInt(f.low))) | (BigInt(value) << BigInt(f.low))
      : f.size === 32 ? value : ((raw & ~((2 ** f.size - 1) << f.low)) | (value << f.low)) >>> 0;

  const layout = {
    width,
    fields,
    encode: (values: Values<N>) => layout.with(raw64 ? 0n : 0, values),
    with(raw: number | bigint, values: Values<N>): number | bigint {
      let out = raw;
      for (const [name, value] of Object.entries(values) as [N, number | boolean | undefined][]) {
        if (value !== undefined) out = put(out, byName.get(name)!, fitting(byName.get(name)!, Number(value)));
      }
      return out;
    },
    decode: (raw: number | bigint) => Object.fromEntries(fields.map(f => [f.name, take(raw, f)])),
    get: (raw: number | bigint, name: N) => take(raw, byName.get(name)!),
    reserved: (raw: number | bigint) => (typeof raw === 'bigint' ? raw & ~known : Number(BigInt(raw) & ~known)),
  };
  // Every method takes and gives what the width says; TypeScript cannot see that through Raw<W>.
  return layout as unknown as BitLayout<N, W>;
}

const ones = (size: number): bigint => (1n << BigInt(size)) - 1n;

function field<N extends string>(name: N, spec: FieldSpec): Field<N> {
  if (typeof spec === 'number') return { name, low: spec, size: 1, doc: '' };
  const [low, second, doc] = spec;
  return typeof second === 'string' ? { name, low, size: 1, doc: second } : { name, low, size: second - low + 1, doc: doc ?? '' };
}

function check(fields: readonly Field[], width: number): void {
  let taken = 0n;
  for (const f of fields) {
    if (f.low < 0 || f.size < 1 || f.low + f.size > width) throw new Error(`field ${f.name} is outside ${width} bits`);
    if (f.size > MAX_FIELD) throw new Error(`field ${f.name} has more than ${MAX_FIELD} bits`);
    const mask = ones(f.size) << BigInt(f.low);
    if (taken & mask) throw new Error(`field ${f.name} overlaps another`);
    taken |= mask;
  }
}

function fitting(f: Field, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** f.size) return value;
  throw new RangeError(`${f.name} = ${value} does not fit its ${f.size} bit${f.size === 1 ? '' : 's'} from bit ${f.low}`);
}
