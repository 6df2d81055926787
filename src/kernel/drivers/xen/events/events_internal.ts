import type { Op } from '../../../../stepper/op';
import { kernel } from '../../../world';

// What an event channel ABI does: drivers/xen/events/events_internal.h.

export interface evtchn_ops {
  readonly max_channels: () => number;
  readonly nr_channels: () => number;
  /** @returns 0 or an errno */
  readonly setup?: (port: number) => Op<number>;
  readonly bind_to_cpu: (port: number, cpu: number, old_cpu: number) => Op;
  readonly clear_pending: (port: number) => Op;
  readonly set_pending: (port: number) => Op;
  readonly is_pending: (port: number) => boolean;
  /** @returns whether it was masked */
  readonly test_and_set_mask: (port: number) => Op<boolean>;
  readonly mask: (port: number) => Op;
  readonly unmask: (port: number) => Op;
  readonly handle_events: (cpu: number) => Op;
  /** the guest has been built anew */
  readonly resume: () => Op;
  /** @returns 0 or an errno */
  readonly percpu_init?: (cpu: number) => Op<number>;
  readonly percpu_deinit?: (cpu: number) => Op<number>;
}

const ops = (): evtchn_ops => kernel.evtchn_ops!;

/** Xen never gives port 0 to anything. */
export const VALID_EVTCHN = (port: number): boolean => port !== 0;

export const xen_evtchn_max_channels = (): number => ops().max_channels();
export const xen_evtchn_nr_channels = (): number => ops().nr_channels();

/** @returns 0 or an errno */
export function* xen_evtchn_port_setup(port: number): Op<number> {
  const { setup } = ops();
  return setup ? yield* setup(port) : 0;
}

export const xen_evtchn_port_bind_to_cpu = (port: number, cpu: number, old_cpu: number): Op => ops().bind_to_cpu(port, cpu, old_cpu);
export const clear_evtchn = (port: number): Op => ops().clear_pending(port);
export const set_evtchn = (port: number): Op => ops().set_pending(port);
export const test_and_set_mask = (port: number): Op<boolean> => ops().test_and_set_mask(port);
export const mask_evtchn = (port: number): Op => ops().mask(port);
export const unmask_evtchn = (port: number): Op => ops().unmask(port);
export const xen_evtchn_resume = (): Op => ops().resume();
export const xen_evtchn_handle_events = (cpu: number): Op => ops().handle_events(cpu);
