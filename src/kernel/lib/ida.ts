import { ENOSPC } from './errno';

/** Small numbers, each given once: struct ida. */
export class ida {
  readonly taken = new Set<number>();
}

/** @returns the first free number of start to end - 1, or -ENOSPC. Source: include/linux/idr.h, ida_simple_get() */
export function ida_simple_get({ taken }: ida, start: number, end: number): number {
  for (let id = start; id < end; id++) {
    if (taken.has(id)) continue;
    taken.add(id);
    return id;
  }
  return -ENOSPC;
}

export function ida_simple_remove({ taken }: ida, id: number): void {
  taken.delete(id);
}
