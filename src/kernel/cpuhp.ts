import type { Op } from '../stepper/op';
import { CPUHP, type cpuhp_step } from './include/cpuhotplug';
import { completion } from './lib/completion';
import { EBUSY, ENOSPC } from './lib/errno';
import { kernel } from './world';

// The states of a CPU, and who wants to know of them: this part of kernel/cpu.c.

/** Where one CPU is, and where it is going. */
export class cpuhp_cpu_state {
  state: number = CPUHP.OFFLINE;
  target: number = CPUHP.OFFLINE;
  /** cpuhp/N has something to do */
  should_run = false;
  /** undoing: that must not fail */
  rollback = false;
  bringup = false;
  /** cpuhp/N has to do `cb_state` alone */
  single = false;
  cb_state = 0;
  /** what cpuhp/N came to */
  result = 0;
  readonly done_up: completion;
  readonly done_down: completion;

  constructor(cpu: number) {
    this.done_up = new completion(`cpuhp/${cpu} up`);
    this.done_down = new completion(`cpuhp/${cpu} down`);
  }
}

/** @returns `state`, for CPUHP.AP_ONLINE_DYN the first one that is free, or an errno. Source: cpuhp_store_callbacks() */
export function* cpuhp_store_callbacks(state: number, step: cpuhp_step): Op<number> {
  const last = state === CPUHP.AP_ONLINE_DYN ? CPUHP.AP_ONLINE_DYN_END : state;
  let free = state;
  while (free < last && kernel.cpuhp_hp_states.has(free)) free++;
  if (kernel.cpuhp_hp_states.has(free)) return free === state ? -EBUSY : -ENOSPC;
  kernel.cpuhp_hp_states.set(free, step);
  return free;
}
