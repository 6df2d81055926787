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
  let left = firstLine(text);
  for (let i = 0; (left = left.replace(/[\s,]+$/, '')) !== ''; i++) {
    if (i >= bits.words.length) return -EOVERFLOW;
    const [word] = /[^\s,]{1,8}$/.exec(left)!;
    if (!/^[0-9a-f]+$/i.test(word)) return -EINVAL;
    bits.words[i] = parseInt(word, 16);

    left = left.slice(0, -word.length);
    if (word.length < 8) continue;
    if (/[0-9a-f]$/i.test(left)) return -EOVERFLOW;
    // A ninth character that is no digit ends the word, whatever it is.
    left = left.slice(0, -1);
  }
  const rest = nbits & 31;
  return rest && bits.words.at(-1)! >>> rest ? -EOVERFLOW : bits;
}

const firstLine = (text: string): string => text.split('\n', 1)[0];
