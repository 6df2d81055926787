import { bitmap } from './bitmap';
import { EINVAL, EOVERFLOW, ERANGE } from './errno';

// lib/bitmap.c of v5.10: what a write to /proc/irq/N/smp_affinity* goes through. Texts end at a newline.

/**
 * "0-3,8" and "0-31:1/4" (the first one of each four).
 * @returns the bits, -EINVAL for what is no list, -ERANGE for a bit outside. Source: lib/bitmap.c, bitmap_parselist()
 */
export function bitmap_parselist(text: string, nbits: number): bitmap | number {
  const bits = new bitmap(nbits);
  for (const region of firstLine(text).split(/[\s,]+/).filter(Boolean)) {
    const match = /^(\d+)(?:-(\d+)(?::(\d+)\/(\d+))?)?$/.exec(region);
    if (!match) return -EINVAL;
    const [, first, last, some, each] = match as readonly (string | undefined)[];
    const start = Number(first);
    const end = Number(last ?? start);
    const used = Number(some ?? end + 1);
    const group = Number(each ?? end + 1);
    if (Math.max(start, end, used, group) > 0xffffffff) return -EOVERFLOW;
    if (start > end || group === 0 || used > group) return -EINVAL;
    if (end >= nbits) return -ERANGE;
    for (let at = start; at <= end; at += group) for (let bit = at; bit < Math.min(at + used, end + 1); bit++) bits.set(bit);
  }
  return bits;
}

/**
 * "f" and "00000001,0000000f": hexadecimal words of 32 bits, the lowest last.
 * @returns the bits, -EINVAL for what is no hexadecimal digit, -EOVERFLOW for a bit or a word too many. Source: lib/bitmap.c, bitmap_parse()
 */
export function bitmap_parse(text: string, nbits: number): bitmap | number {
  const bits = new bitmap(nbits);
  const words = firstLine(text).split(/[\s,]+/).filter(Boolean).reverse();
  for (const [i, word] of words.entries()) {
    if (i >= bits.words.length) return -EOVERFLOW;
    const low = word.slice(-8);
    if (!/^[0-9a-f]+$/i.test(low)) return -EINVAL;
    if (word.length > 8) return /[0-9a-f]/i.test(word.at(-9)!) ? -EOVERFLOW : -EINVAL;
    bits.words[i] = parseInt(low, 16);
  }
  const rest = nbits & 31;
  return rest && bits.words.at(-1)! >>> rest ? -EOVERFLOW : bits;
}

const firstLine = (text: string): string => text.split('\n', 1)[0];
