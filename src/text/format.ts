import type { bitmap } from '../kernel/lib/bitmap';

// Pieces of the kernel's printf formats.

/** "%*s" with a positive width. */
export const right = (value: string | number | bigint, width: number): string => String(value).padStart(width);
/** "%-*s" */
export const left = (value: string | number, width: number): string => String(value).padEnd(width);
/** "0x%0*x" */
export const hex = (value: number | bigint, digits = 1): string => `0x${(typeof value === 'number' ? value >>> 0 : value).toString(16).padStart(digits, '0')}`;

/** "%*pb": the bits in hexadecimal, words of 32 apart by commas, the first as long as its part needs. */
export function bitsHex(bits: bitmap): string {
  const words = [...bits.words].reverse();
  const first = Math.ceil((bits.nbits % 32 || 32) / 4);
  return words.map((word, i) => word.toString(16).padStart(i === 0 ? first : 8, '0')).join(',');
}
