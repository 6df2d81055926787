// Packed little-endian structures, as they stand in memory that guest and host share.

/** How a value of type V stands in memory. */
export interface Layout<V> {
  /** in bytes */
  readonly size: number;
  read(view: DataView, at: number): V;
  write(view: DataView, at: number, value: V): void;
}

export const u8: Layout<number> = { size: 1, read: (view, at) => view.getUint8(at), write: (view, at, value) => view.setUint8(at, value) };
export const u16: Layout<number> = { size: 2, read: (view, at) => view.getUint16(at, true), write: (view, at, value) => view.setUint16(at, value, true) };
export const u32: Layout<number> = { size: 4, read: (view, at) => view.getUint32(at, true), write: (view, at, value) => view.setUint32(at, value, true) };
export const s32: Layout<number> = { size: 4, read: (view, at) => view.getInt32(at, true), write: (view, at, value) => view.setInt32(at, value, true) };
export const u64: Layout<bigint> = { size: 8, read: (view, at) => view.getBigUint64(at, true), write: (view, at, value) => view.setBigUint64(at, value, true) };

/** A fixed number of elements; those that are not written are zero. */
export const array = <V>(element: Layout<V>, length: number): Layout<readonly V[]> => ({
  size: element.size * length,
  read: (view, at) => Array.from({ length }, (_, i) => element.read(view, at + i * element.size)),
  write: (view, at, values) => values.forEach((value, i) => element.write(view, at + i * element.size, value)),
});

type Fields = Readonly<Record<string, Layout<unknown>>>;
type ValueOf<L> = L extends Layout<infer V> ? V : never;
type Values<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** A structure without gaps. */
export interface Packed<V> extends Layout<V> {
  /** @param value what is not written is zero */
  encode(value: Partial<V>): Uint8Array;
  /** @throws RangeError for fewer bytes than `size` */
  decode(bytes: Uint8Array): V;
}

/** @param fields in their order in memory */
export function packed<F extends Fields>(fields: F): Packed<Values<F>> {
  const places: (readonly [name: string, layout: Layout<unknown>, offset: number])[] = [];
  let size = 0;
  for (const [name, layout] of Object.entries(fields)) {
    places.push([name, layout, size]);
    size += layout.size;
  }
  const read = (view: DataView, at: number): Values<F> => Object.fromEntries(places.map(([name, layout, offset]) => [name, layout.read(view, at + offset)])) as Values<F>;
  const write = (view: DataView, at: number, value: Partial<Values<F>>): void => {
    for (const [name, layout, offset] of places) if (value[name] !== undefined) layout.write(view, at + offset, value[name]);
  };
  return {
    size,
    read,
    write,
    encode(value) {
      const bytes = new Uint8Array(size);
      write(viewOf(bytes), 0, value);
      return bytes;
    },
    decode: bytes => read(viewOf(bytes), 0),
  };
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A structure with an array of any length at its end. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The elements of an array that fills the rest of `bytes` from `at` on. */
export function rest<V>(element: Layout<V>, bytes: Uint8Array, at: number): V[] {
  const view = viewOf(bytes);
  return Array.from({ length: Math.max(0, Math.floor((bytes.length - at) / element.size)) }, (_, i) => element.read(view, at + i * element.size));
}
