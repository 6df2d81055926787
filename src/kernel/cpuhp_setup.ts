import type { Op } from '../stepper/op';
import { __cpuhp_kick_ap, cpuhp_invoke_callback, cpus_read_lock, cpus_read_unlock } from './cpu';
import { cpuhp_store_callbacks } from './cpuhp';
import { CPUHP, type cpuhp_callback } from './include/cpuhotplug';
import { EINVAL } from './lib/errno';
import { mutex_lock, mutex_unlock } from './lib/locking';
import { WARN } from './lib/printk';
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

/** The CPUs before the one that failed. Source: cpuhp_rollback_install() */
function* cpuhp_rollback_install(failed_cpu: number, state: number): Op {
  for (const cpu of kernel.cpu_present_mask) {
    if (cpu >= failed_cpu) break;
    if (kernel.cpuhp_state[cpu].state >= state) yield* cpuhp_issue_call(cpu, state, false);
  }
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
    if (teardown) yield* cpuhp_rollback_install(cpu, state);
    kernel.cpuhp_hp_states.delete(state);
    return failed;
  }
  return 0;
}

/** Nobody else asks to be told, and the CPUs stay as they are, while `fn` runs. */
function* cpuhp_locked<T>(fn: () => Op<T>): Op<T> {
  yield* cpus_read_lock();
  yield* mutex_lock(kernel.cpuhp_state_mutex);
  const ret = yield* fn();
  yield* mutex_unlock(kernel.cpuhp_state_mutex);
  yield* cpus_read_unlock();
  return ret;
}

/** Source: kernel/cpu.c, __cpuhp_setup_state() */
export function* cpuhp_setup_state(state: number, name: string, startup?: cpuhp_callback, teardown?: cpuhp_callback): Op<number> {
  return yield* cpuhp_locked(() => cpuhp_setup_state_cpuslocked(state, name, startup, teardown));
}

/** To be told for each of several devices, from now on. @returns the state or an errno. Source: include/linux/cpuhotplug.h, cpuhp_setup_state_multi() */
export function* cpuhp_setup_state_multi(state: number, name: string, startup?: cpuhp_callback, teardown?: cpuhp_callback): Op<number> {
  return yield* cpuhp_locked(() => cpuhp_store_callbacks(state, { name, startup, teardown, instances: [] }));
}

/** Source: kernel/cpu.c, __cpuhp_remove_state(), for a state of several devices */
export function* cpuhp_remove_multi_state(state: number): Op {
  yield* cpuhp_locked(function* () {
    WARN((kernel.cpuhp_hp_states.get(state)?.instances?.length ?? 0) > 0, `Error: Removing state ${state} which has instances left.`, 'kernel/cpu.c __cpuhp_remove_state_cpuslocked()');
    kernel.cpuhp_hp_states.delete(state);
  });
}

/** The last one added is called first. @returns 0 or -EINVAL. Source: kernel/cpu.c, __cpuhp_state_add_instance(), without invoke */
export function* cpuhp_state_add_instance_nocalls(state: number, node: unknown): Op<number> {
  return yield* cpuhp_locked(function* () {
    const instances = kernel.cpuhp_hp_states.get(state)?.instances;
    if (!instances) return -EINVAL;
    instances.unshift(node);
    return 0;
  });
}

/** @returns 0 or -EINVAL. Source: kernel/cpu.c, __cpuhp_state_remove_instance(), without invoke */
export function* cpuhp_state_remove_instance_nocalls(state: number, node: unknown): Op<number> {
  return yield* cpuhp_locked(function* () {
    const instances = kernel.cpuhp_hp_states.get(state)?.instances;
    if (!instances) return -EINVAL;
    instances.splice(instances.indexOf(node), 1);
    return 0;
  });
}
