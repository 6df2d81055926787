import type { Op } from '../stepper/op';

/** 2, "0-3" or "0,2-3" as numbers, ascending. */
export function numbersOf(list: number | string): number[] {
  const ranges = String(list).split(',').map(range => range.split('-').map(Number));
  const numbers = ranges.flatMap(([first, last = first]) => Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => first + i));
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** One after the other, also behind one that fails, as a loop of the shell goes on. @returns the first error, or what the last one returned */
export function* forEach(list: number | string, run: (number: number) => Op<number>): Op<number> {
  let error = 0;
  let result = 0;
  for (const number of numbersOf(list)) {
    result = yield* run(number);
    if (result < 0 && error === 0) error = result;
  }
  return error < 0 ? error : result;
}

/** Of a machine that does not say. */
export const DEFAULT_CPUS = 4;
