import { kernel } from '../world';

/** Something ran out. The kernel only says -ENOSPC; which of its limits it was is known where that is found, and nowhere else. */
export interface bound_limit {
  /** "vectors of CPU 3" */
  readonly name: string;
  /** how many were asked for */
  readonly needed: number;
  /** undefined: nothing is taken, there are just too few */
  readonly used?: number;
  readonly size: number;
}

/** Notes that a limit bound; for whoever watches, the kernel itself never reads it. */
export function limit_bound(limit: bound_limit): void {
  kernel.limits.push(limit);
}

/** "limit: vectors of CPU 3: 201 of 201 in use" */
export function limit_text({ name, needed, used, size }: bound_limit): string {
  if (used === undefined) return `limit: ${name}: ${needed} needed, ${size} there`;
  return `limit: ${name}: ${used} of ${size} in use${needed > 1 ? `, ${needed} needed` : ''}`;
}
