import type { Op } from '../../stepper/op';

/** How far a CPU is up: those of enum cpuhp_state that have to do with interrupts, in its order. Source: include/linux/cpuhotplug.h */
export const CPUHP = {
  OFFLINE: 0,
  X86_HPET_DEAD: 1,
  VIRT_NET_DEAD: 2,
  X2APIC_PREPARE: 3,
  XEN_PREPARE: 4,
  XEN_EVTCHN_PREPARE: 5,
  /** the last one that the CPU which asks runs itself on the way up */
  BRINGUP_CPU: 6,
  /** from here to AP_ONLINE: on the CPU itself, its interrupts off */
  AP_IDLE_DEAD: 7,
  AP_OFFLINE: 8,
  AP_ONLINE: 9,
  TEARDOWN_CPU: 10,
  /** from here on: in cpuhp/N */
  AP_ONLINE_IDLE: 11,
  AP_IRQ_AFFINITY_ONLINE: 12,
  /** for drivers without a state of their own, as far as AP_ONLINE_DYN_END */
  AP_ONLINE_DYN: 13,
  AP_ONLINE_DYN_END: 16,
  AP_X86_HPET_ONLINE: 17,
  ONLINE: 18,
} as const;

/** Called when a CPU passes a state. @param node an instance of a state that has several @returns 0 or an errno */
export type cpuhp_callback = (cpu: number, node?: unknown) => Op<number>;

/** What is done where a CPU passes one state, up and down. */
export interface cpuhp_step {
  readonly name: string;
  readonly startup?: cpuhp_callback;
  readonly teardown?: cpuhp_callback;
  /** called once for each; undefined: once */
  readonly instances?: unknown[];
}
