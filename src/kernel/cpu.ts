import type { Op } from '../stepper/op';
import { cpuhp_cpu_state } from './cpuhp';
import { CPUHP, type cpuhp_step } from './include/cpuhotplug';
import { irq_affinity_online_cpu } from './irq/cpuhotplug';
import { irq_lock_sparse, irq_unlock_sparse } from './irq/irqdesc';
import { complete, type completion, wait_for_completion } from './lib/completion';
import { cpumask } from './lib/cpumask';
import { EBUSY, ECANCELED, EINVAL } from './lib/errno';
import { down_read, down_write, local_irq_restore, local_irq_save, mutex, mutex_lock, mutex_unlock, rw_semaphore, up_read, up_write } from './lib/locking';
import { BUG_ON, pr_err, WARN_ON, WARN_ON_ONCE } from './lib/printk';
import { stop_machine_cpuslocked } from './stop_machine';
import { tick_shutdown } from './time/clockevents';
import { kernel, spawn } from './world';

export * from './cpuhp';

// CPUs go down and come up, state by state: kernel/cpu.c. Who else wants to know of it: cpuhp.ts.

export const cpu_globals = (nr_cpus: number) => ({
  cpuhp_state: Array.from({ length: nr_cpus }, (_, cpu) => new cpuhp_cpu_state(cpu)),
  /** by state; drivers add theirs */
  cpuhp_hp_states: new Map<number, cpuhp_step>([
    [CPUHP.OFFLINE, { name: 'offline' }],
    [CPUHP.BRINGUP_CPU, { name: 'cpu:bringup', startup: bringup_cpu }],
    [CPUHP.AP_IDLE_DEAD, { name: 'idle:dead' }],
    [CPUHP.AP_OFFLINE, { name: 'ap:offline' }],
    [CPUHP.AP_ONLINE, { name: 'ap:online' }],
    [CPUHP.TEARDOWN_CPU, { name: 'cpu:teardown', teardown: takedown_cpu }],
    [CPUHP.AP_IRQ_AFFINITY_ONLINE, { name: 'irq/affinity:online', startup: irq_affinity_online_cpu }],
    [CPUHP.ONLINE, { name: 'online' }],
  ]),
  /** serializes who wants to know of CPUs */
  cpuhp_state_mutex: new mutex('cpuhp_state_mutex'),
  /** serializes whoever changes the set of CPUs */
  cpu_add_remove_lock: new mutex('cpu_add_remove_lock'),
  cpu_hotplug_lock: new rw_semaphore('cpu_hotplug_lock'),
  /** CPUs to start at boot, the boot CPU included; 0: no SMP at all. kernel/smp.c */
  setup_max_cpus: Infinity,
});

/** Keep CPUs from coming and going; get_online_cpus() is its other name. Source: kernel/cpu.c, cpus_read_lock() */
export function* cpus_read_lock(): Op {
  yield* down_read(kernel.cpu_hotplug_lock);
}

/** Let them again; put_online_cpus() is its other name. Source: kernel/cpu.c, cpus_read_unlock() */
export function* cpus_read_unlock(): Op {
  yield* up_read(kernel.cpu_hotplug_lock);
}

function* cpus_write_lock(): Op {
  yield* down_write(kernel.cpu_hotplug_lock);
}

function* cpus_write_unlock(): Op {
  yield* up_write(kernel.cpu_hotplug_lock);
}

const cpuhp_is_atomic_state = (state: number): boolean => CPUHP.AP_IDLE_DEAD <= state && state < CPUHP.AP_ONLINE;

const this_state = (): cpuhp_cpu_state => kernel.cpuhp_state[kernel.this_cpu];

/** @returns 0 or the first errno. Source: cpuhp_invoke_callback() */
export function* cpuhp_invoke_callback(cpu: number, state: number, bringup: boolean): Op<number> {
  const step = kernel.cpuhp_hp_states.get(state);
  const cb = bringup ? step?.startup : step?.teardown;
  if (!step || !cb) return 0;
  if (!step.instances) return yield* cb(cpu);
  for (const node of [...step.instances]) {
    const ret = yield* cb(cpu, node);
    if (ret) return ret;
  }
  return 0;
}

/** @returns the state before. Source: cpuhp_set_state() */
function cpuhp_set_state(st: cpuhp_cpu_state, target: number): number {
  st.rollback = false;
  st.target = target;
  st.bringup = st.state < target;
  return st.state;
}

/** Turns round after a failure: the state that failed is not undone. Source: cpuhp_reset_state() */
function cpuhp_reset_state(st: cpuhp_cpu_state, prev_state: number): void {
  st.rollback = true;
  st.state += st.bringup ? -1 : 1;
  st.target = prev_state;
  st.bringup = !st.bringup;
}

const ap_thread = (st: cpuhp_cpu_state, bringup: boolean): completion => (bringup ? st.done_up : st.done_down);

/** What cpuhp/N does: one state. Source: cpuhp_thread_fun() */
function* cpuhp_thread_fun(cpu: number): Op {
  const st = kernel.cpuhp_state[cpu];
  const { bringup } = st;
  let state: number;

  if (WARN_ON_ONCE(!st.should_run, 'kernel/cpu.c cpuhp_thread_fun()')) return;

  if (st.single) {
    state = st.cb_state;
    st.should_run = false;
  } else if (bringup) {
    st.state++;
    state = st.state;
    st.should_run = st.state < st.target;
  } else {
    state = st.state;
    st.state--;
    st.should_run = st.state > st.target;
  }

  if (cpuhp_is_atomic_state(state)) {
    const flags = yield* local_irq_save();
    st.result = yield* cpuhp_invoke_callback(cpu, state, bringup);
    yield* local_irq_restore(flags);
    WARN_ON_ONCE(st.result !== 0, 'kernel/cpu.c cpuhp_thread_fun()');
  } else {
    st.result = yield* cpuhp_invoke_callback(cpu, state, bringup);
  }

  if (st.result) {
    WARN_ON_ONCE(st.rollback, 'kernel/cpu.c cpuhp_thread_fun()');
    st.should_run = false;
  }
  if (!st.should_run) yield* complete(ap_thread(st, bringup));
}

/** cpuhp/N, from its waking to its sleep. Source: kernel/smpboot.c, smpboot_thread_fn() */
function* smpboot_thread_fn(cpu: number): Op {
  while (kernel.cpuhp_state[cpu].should_run) yield* cpuhp_thread_fun(cpu);
}

/** Source: __cpuhp_kick_ap() */
export function* __cpuhp_kick_ap(cpu: number, st: cpuhp_cpu_state): Op {
  if (!st.single && st.state === st.target) return;

  st.result = 0;
  st.should_run = true;
  spawn({ name: `cpuhp/${cpu}`, cpu, run: () => smpboot_thread_fn(cpu) });
  yield* wait_for_completion(ap_thread(st, st.bringup));
}

/** Has cpuhp/N go to `target`, or back where it was. Source: cpuhp_kick_ap() */
function* cpuhp_kick_ap(cpu: number, st: cpuhp_cpu_state, target: number): Op<number> {
  const prev_state = cpuhp_set_state(st, target);
  yield* __cpuhp_kick_ap(cpu, st);
  const ret = st.result;
  if (ret) {
    cpuhp_reset_state(st, prev_state);
    yield* __cpuhp_kick_ap(cpu, st);
  }
  return ret;
}

/** Source: cpuhp_kick_ap_work() */
function* cpuhp_kick_ap_work(cpu: number): Op<number> {
  const st = kernel.cpuhp_state[cpu];
  return yield* cpuhp_kick_ap(cpu, st, st.target);
}

/** Source: bringup_wait_for_ap() */
function* bringup_wait_for_ap(cpu: number): Op<number> {
  const st = kernel.cpuhp_state[cpu];

  yield* wait_for_completion(st.done_up);
  if (WARN_ON_ONCE(!kernel.cpu_online_mask.test(cpu), 'kernel/cpu.c bringup_wait_for_ap()')) return -ECANCELED;
  if (st.target <= CPUHP.AP_ONLINE_IDLE) return 0;
  return yield* cpuhp_kick_ap(cpu, st, st.target);
}

/** No interrupt is allocated or freed while the vectors of a CPU are set up. Source: bringup_cpu() */
function* bringup_cpu(cpu: number): Op<number> {
  yield* irq_lock_sparse();
  const ret = yield* kernel.smp_ops.cpu_up(cpu);
  yield* irq_unlock_sparse();
  return ret || (yield* bringup_wait_for_ap(cpu));
}

/** On the dying CPU, all others stand still. @returns 0 or why it cannot go. Source: take_cpu_down() */
function* take_cpu_down(): Op<number> {
  const st = this_state();
  const target = Math.max(st.target, CPUHP.AP_OFFLINE);

  const err = yield* kernel.smp_ops.cpu_disable();
  if (err < 0) return err;

  WARN_ON(st.state !== CPUHP.TEARDOWN_CPU, 'kernel/cpu.c take_cpu_down()');
  for (st.state--; st.state > target; st.state--) {
    WARN_ON_ONCE((yield* cpuhp_invoke_callback(kernel.this_cpu, st.state, false)) !== 0, 'kernel/cpu.c take_cpu_down()');
  }
  return 0;
}

/** No interrupt is allocated or freed while those of the CPU are moved away. Source: takedown_cpu() */
function* takedown_cpu(cpu: number): Op<number> {
  const st = kernel.cpuhp_state[cpu];

  yield* irq_lock_sparse();
  const err = yield* stop_machine_cpuslocked(take_cpu_down, cpumask.of(kernel.nr_cpu_ids, cpu));
  if (err) {
    yield* irq_unlock_sparse();
    return err;
  }
  BUG_ON(kernel.cpu_online_mask.test(cpu), 'kernel/cpu.c takedown_cpu()');

  // Nothing but the idle task is left there, and that finds the CPU offline.
  spawn({ name: `swapper/${cpu}`, cpu, run: cpuhp_report_idle_dead });
  yield* wait_for_completion(st.done_down);
  BUG_ON(st.state !== CPUHP.AP_IDLE_DEAD, 'kernel/cpu.c takedown_cpu()');

  yield* irq_unlock_sparse();
  yield* kernel.smp_ops.cpu_die(cpu);
  yield* tick_shutdown(cpu);
  return 0;
}

/** The idle task's last words. Source: cpuhp_report_idle_dead() */
function* cpuhp_report_idle_dead(): Op {
  const st = this_state();

  yield* local_irq_save();
  BUG_ON(st.state !== CPUHP.AP_OFFLINE, 'kernel/cpu.c cpuhp_report_idle_dead()');
  st.state = CPUHP.AP_IDLE_DEAD;
  yield* complete(st.done_down);
}

/** Source: cpuhp_down_callbacks() */
function* cpuhp_down_callbacks(cpu: number, st: cpuhp_cpu_state, target: number): Op<number> {
  const prev_state = st.state;
  for (; st.state > target; st.state--) {
    const ret = yield* cpuhp_invoke_callback(cpu, st.state, false);
    if (!ret) continue;
    st.target = prev_state;
    if (st.state < prev_state) yield* undo_cpu_down(cpu, st);
    return ret;
  }
  return 0;
}

/** Source: undo_cpu_down() */
function* undo_cpu_down(cpu: number, st: cpuhp_cpu_state): Op {
  for (st.state++; st.state < st.target; st.state++) yield* cpuhp_invoke_callback(cpu, st.state, true);
}

/** Source: cpuhp_up_callbacks() */
function* cpuhp_up_callbacks(cpu: number, st: cpuhp_cpu_state, target: number): Op<number> {
  const prev_state = st.state;
  while (st.state < target) {
    st.state++;
    const ret = yield* cpuhp_invoke_callback(cpu, st.state, true);
    if (!ret) continue;
    st.target = prev_state;
    yield* undo_cpu_up(cpu, st);
    return ret;
  }
  return 0;
}

/** Source: undo_cpu_up() */
function* undo_cpu_up(cpu: number, st: cpuhp_cpu_state): Op {
  for (st.state--; st.state > st.target; st.state--) yield* cpuhp_invoke_callback(cpu, st.state, false);
}

/** @returns 0, -EBUSY for the last CPU, -EINVAL for none, -ENOSPC: its vectors fit nowhere else. Source: _cpu_down() */
function* _cpu_down(cpu: number, target: number): Op<number> {
  const st = kernel.cpuhp_state[cpu];

  if (kernel.cpu_online_mask.weight === 1) return -EBUSY;
  if (!kernel.cpu_present_mask.test(cpu)) return -EINVAL;

  yield* cpus_write_lock();
  const ret = yield* cpu_down_to(cpu, st, target);
  yield* cpus_write_unlock();
  return ret;
}

/** The CPU itself, in cpuhp/N, down to where it cannot go on alone; then whoever asked. */
function* cpu_down_to(cpu: number, st: cpuhp_cpu_state, target: number): Op<number> {
  const prev_state = cpuhp_set_state(st, target);

  if (st.state > CPUHP.TEARDOWN_CPU) {
    st.target = Math.max(target, CPUHP.TEARDOWN_CPU);
    const ret = yield* cpuhp_kick_ap_work(cpu);
    if (ret || st.state > CPUHP.TEARDOWN_CPU) return ret;
    st.target = target;
  }

  const ret = yield* cpuhp_down_callbacks(cpu, st, target);
  // It refused, and comes up again by itself.
  if (ret && st.state === CPUHP.TEARDOWN_CPU && st.state < prev_state) {
    cpuhp_reset_state(st, prev_state);
    yield* __cpuhp_kick_ap(cpu, st);
  }
  return ret;
}

/** Source: _cpu_up() */
function* _cpu_up(cpu: number, target: number): Op<number> {
  const st = kernel.cpuhp_state[cpu];
  let ret = 0;

  yield* cpus_write_lock();
  if (!kernel.cpu_present_mask.test(cpu)) {
    ret = -EINVAL;
  } else if (st.state < target) {
    cpuhp_set_state(st, target);
    if (st.state > CPUHP.BRINGUP_CPU) ret = yield* cpuhp_kick_ap_work(cpu);
    if (!ret) ret = yield* cpuhp_up_callbacks(cpu, st, Math.min(target, CPUHP.BRINGUP_CPU));
  }
  yield* cpus_write_unlock();
  return ret;
}

/** Source: cpu_down() */
function* cpu_down(cpu: number, target: number): Op<number> {
  yield* mutex_lock(kernel.cpu_add_remove_lock);
  const err = yield* _cpu_down(cpu, target);
  yield* mutex_unlock(kernel.cpu_add_remove_lock);
  return err;
}

/** Source: cpu_up() */
function* cpu_up(cpu: number, target: number): Op<number> {
  if (!kernel.cpu_possible_mask.test(cpu)) {
    pr_err(`can't online cpu ${cpu} because it is not configured as may-hotadd at boot time`);
    return -EINVAL;
  }

  yield* mutex_lock(kernel.cpu_add_remove_lock);
  const err = yield* _cpu_up(cpu, target);
  yield* mutex_unlock(kernel.cpu_add_remove_lock);
  return err;
}

/** @returns 0 or as _cpu_down(). Source: cpu_device_down() */
export function* cpu_device_down(cpu: number): Op<number> {
  return yield* cpu_down(cpu, CPUHP.OFFLINE);
}

/** Source: cpu_device_up() */
export function* cpu_device_up(cpu: number): Op<number> {
  return yield* cpu_up(cpu, CPUHP.ONLINE);
}

/** On a CPU that comes up, its interrupts off. Source: notify_cpu_starting() */
export function* notify_cpu_starting(cpu: number): Op {
  const st = kernel.cpuhp_state[cpu];
  const target = Math.min(st.target, CPUHP.AP_ONLINE);
  while (st.state < target) {
    st.state++;
    WARN_ON_ONCE((yield* cpuhp_invoke_callback(cpu, st.state, true)) !== 0, 'kernel/cpu.c notify_cpu_starting()');
  }
}

/** It has reached its idle loop. Source: cpuhp_online_idle() */
export function* cpuhp_online_idle(): Op {
  const st = this_state();
  st.state = CPUHP.AP_ONLINE_IDLE;
  yield* complete(st.done_up);
}

/** Source: boot_cpu_hotplug_init() */
export function* boot_cpu_hotplug_init(): Op {
  Object.assign(this_state(), { state: CPUHP.ONLINE, target: CPUHP.ONLINE });
}

/** The other CPUs at boot. They have started as tasks of their own; nothing that follows in cpuhp/N has anything to do so early. Source: bringup_nonboot_cpus() */
export function* bringup_nonboot_cpus(): Op {
  for (const cpu of kernel.cpu_online_mask) {
    const st = kernel.cpuhp_state[cpu];
    st.done_up.done = 0;
    Object.assign(st, { state: CPUHP.ONLINE, target: CPUHP.ONLINE });
  }
}
