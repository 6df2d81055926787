import type { Op } from '../../stepper/op';

/** Readers that may sleep, and who waits for them. */
export class srcu_struct {
  readers = 0;
}

/** @returns which count the reader is in: there is one. Source: kernel/rcu/srcutree.c, __srcu_read_lock() */
export function srcu_read_lock(ssp: srcu_struct): number {
  ssp.readers++;
  return 0;
}

export function srcu_read_unlock(ssp: srcu_struct, _idx: number): void {
  ssp.readers--;
}

/** Waits until nobody reads who might have seen what was before. Source: kernel/rcu/srcutree.c, synchronize_srcu() */
export function* synchronize_srcu(ssp: srcu_struct): Op {
  while (ssp.readers > 0) yield { wait: 'until', on: 'srcu', ready: () => ssp.readers === 0 };
}
