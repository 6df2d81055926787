import type { Op } from '../stepper/op';
import { __cpuhp_kick_ap, cpuhp_invoke_callback, cpus_read_lock, cpus_read_unlock } from './cpu';
import { cpuhp_store_callbacks } from './cpuhp';
import { CPUHP, type cpuhp_callback } from './include/cpuhotplug';
import { mutex_lock, mutex_unlock } from './lib/locking';
import { kernel } from './world';

// Who wants to know of CPUs learns of those that are up too: this part of kernel/cpu.c.

const cpuhp_is_ap_state = (state: number): boolean => state > CPUHP.BRINGUP_CPU && state !== CPUHP.TEARDOWN_CPU;

/** Has cpuhp/N call one function. Source: cpuhp_invoke_ap_callback() */
function* cpuhp_invoke_ap_callback(cpu: number, state: number, bringup: boolean): Op<number> {
  if (!kernel.cpu_online_mask.test(cpu)) return 0;

  const st = kernel.cpuhp_state[cpu];
  Object.assign(st, { rollback: false, bringup, cb_state: state, single: true });
  yield* __cpuhp_kick_ap(cpu, st);
  st.single = false;
  return st.result;
}

/** Source: cpuhp_issue_call() */
function* cpuhp_issue_call(cpu: number, state: number, bringup: boolean): Op<number> {
  return cpuhp_is_ap_state(state) ? yield* cpuhp_invoke_ap_callback(cpu, state, bringup) : yield* cpuhp_invoke_callback(cpu, state, bringup);
}

/** A driver wants to know of CPUs that come and go, and of those that are there. @returns 0 or an errno. Source: __cpuhp_setup_state_cpuslocked() */
function* cpuhp_setup_state_cpuslocked(state: number, name: string, startup?: cpuhp_callback, teardown?: cpuhp_callback): Op<number> {
  const ret = yield* cpuhp_store_callbacks(state, { name, startup, teardown });
  if (ret < 0) return ret;
  if (!startup) return 0;
  for (const cpu of kernel.cpu_present_mask) {
    if (kernel.cpuhp_state[cpu].state < state) continue;
    const failed = yield* cpuhp_issue_call(cpu, state, true);
    if (!failed) continue;
    kernel.cpuhp_hp_states.delete(state);
    return failed;
  }
  return 0;
}

/** The same, with the CPUs kept as they are meanwhile. Source: __cpuhp_setup_state() */
export function* cpuhp_setup_state(state: number, name: string, startup?: cpuhp_callback, teardown?: cpuhp_callback): Op<number> {
  yield* cpus_read_lock();
  yield* mutex_lock(kernel.cpuhp_state_mutex);
  const ret = yield* cpuhp_setup_state_cpuslocked(state, name, startup, teardown);
  yield* mutex_unlock(kernel.cpuhp_state_mutex);
  yield* cpus_read_unlock();
  return ret;
}
