import type { Op } from '../stepper/op';
import { down_read, rw_semaphore, up_read } from './lib/locking';
import { kernel } from './world';

// kernel/cpu.c: the lock that CPUs come and go under.

export const cpu_globals = () => ({
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
