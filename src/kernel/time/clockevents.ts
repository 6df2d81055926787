import type { Op } from '../../stepper/op';
import { kernel } from '../world';

// Who ticks on which CPU: as much of kernel/time/clockevents.c and tick-common.c as makes timers interrupt. The local APICs' own timers are not among them.

/** A timer that can wake a CPU. */
export interface clock_event_device {
  name: string;
  irq: number;
  rating: number;
  /** the CPU that it is for */
  cpu: number;
  /** it can do without being programmed for each event */
  periodic: boolean;
  set_state_periodic?: (evt: clock_event_device) => Op<number>;
  set_state_oneshot: (evt: clock_event_device) => Op<number>;
  set_state_shutdown: (evt: clock_event_device) => Op<number>;
  /** after a suspend */
  tick_resume?: (evt: clock_event_device) => Op<number>;
  /** null: nobody uses it yet */
  event_handler: ((evt: clock_event_device) => Op) | null;
}

export const clockevents_globals = (nr_cpus: number) => ({
  /** by CPU */
  tick_cpu_device: new Array<clock_event_device | null>(nr_cpus).fill(null),
});

/** Time is none of the model's affair. Source: kernel/time/tick-common.c, tick_handle_periodic() */
function* tick_handle_periodic(dev: clock_event_device): Op {}

/** Source: kernel/time/clockevents.c, clockevents_handle_noop() */
function* clockevents_handle_noop(dev: clock_event_device): Op {}

/** Source: kernel/time/tick-common.c, tick_setup_periodic() */
function* tick_setup_periodic(dev: clock_event_device): Op {
  dev.event_handler = tick_handle_periodic;
  if (dev.periodic && dev.set_state_periodic) yield* dev.set_state_periodic(dev);
  else yield* dev.set_state_oneshot(dev);
}

/** The better of two timers ticks. Source: kernel/time/tick-common.c, tick_check_new_device() */
function* tick_check_new_device(newdev: clock_event_device): Op {
  const curdev = kernel.tick_cpu_device[newdev.cpu];
  if (curdev) {
    if (curdev.rating >= newdev.rating) return;
    curdev.event_handler = clockevents_handle_noop;
    yield* curdev.set_state_shutdown(curdev);
  }
  kernel.tick_cpu_device[newdev.cpu] = newdev;
  yield* tick_setup_periodic(newdev);
}

/** Source: kernel/time/clockevents.c, clockevents_config_and_register() */
export function* clockevents_config_and_register(dev: clock_event_device): Op {
  yield* tick_check_new_device(dev);
}

/** A CPU is gone; its timer is left as it is. Source: kernel/time/tick-common.c, tick_shutdown() */
export function* tick_shutdown(cpu: number): Op {
  const dev = kernel.tick_cpu_device[cpu];
  if (!dev) return;
  kernel.tick_cpu_device[cpu] = null;
  dev.event_handler = clockevents_handle_noop;
}
