import type { Op } from '../stepper/op';
import { CPUHP, type cpuhp_callback, type cpuhp_step } from './include/cpuhotplug';
import { completion } from './lib/completion';
import { EBUSY, EINVAL, ENOSPC } from './lib/errno';
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

/** A driver wants to know of CPUs that come and go; for those that are up it calls itself. @returns the state or an errno. Source: cpuhp_setup_state_nocalls() */
export function* cpuhp_setup_state_nocalls(state: number, name: string, startup?: cpuhp_callback, teardown?: cpuhp_callback): Op<number> {
  return yield* cpuhp_store_callbacks(state, { name, startup, teardown });
}

/** The same for each of several devices. Source: cpuhp_setup_state_multi() */
export function* cpuhp_setup_state_multi(state: number, name: string, startup?: cpuhp_callback, teardown?: cpuhp_callback): Op<number> {
  return yield* cpuhp_store_callbacks(state, { name, startup, teardown, instances: [] });
}

/** The last one added is called first. Source: __cpuhp_state_add_instance(), without invoke */
export function* cpuhp_state_add_instance_nocalls(state: number, node: unknown): Op<number> {
  const step = kernel.cpuhp_hp_states.get(state);
  if (!step?.instances) return -EINVAL;
  step.instances.unshift(node);
  return 0;
}

/** Source: __cpuhp_state_remove_instance(), without invoke */
export function* cpuhp_state_remove_instance_nocalls(state: number, node: unknown): Op<number> {
  const instances = kernel.cpuhp_hp_states.get(state)?.instances;
  if (!instances) return -EINVAL;
  instances.splice(instances.indexOf(node), 1);
  return 0;
}
