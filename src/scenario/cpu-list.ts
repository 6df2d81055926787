import type { CpuList } from './scenario-file';

/** 2, "0-3" or "0,2-3" as CPU numbers, ascending. */
export function cpusOf(list: CpuList): number[] {
  const ranges = String(list).split(',').map(range => range.split('-').map(Number));
  const cpus = ranges.flatMap(([first, last = first]) => Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => first + i));
  return [...new Set(cpus)].sort((a, b) => a - b);
}

/** Of a machine that does not say. */
export const DEFAULT_CPUS = 4;
