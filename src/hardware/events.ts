import type { InterruptRequest } from './message';

/** What the hardware did, in order; for whoever watches, the hardware itself never reads it. */
export type HardwareEvent =
  /** a device, or an IOAPIC, wrote a message */
  | { readonly kind: 'message'; readonly requesterId: number; readonly addressHi: number; readonly addressLo: number; readonly data: number }
  /** a device wanted to and could not; `why`: 'disabled', 'masked', 'no bus master', 'no such entry', 'it is for software alone' */
  | { readonly kind: 'held back'; readonly requesterId: number; readonly entry: number; readonly why: string }
  /** software changed one word of a slot's message while the device may send it; what it would send now */
  | { readonly kind: 'open slot rewritten'; readonly requesterId: number; readonly slot: number; readonly word: string; readonly addressHi: number; readonly addressLo: number; readonly data: number }
  /** a device was to take the message of one of its queues over; `taken` false: it never does */
  | { readonly kind: 'queue command'; readonly requesterId: number; readonly queue: number; readonly slot: number; readonly taken: boolean; readonly addressLo: number; readonly data: number; readonly masked: boolean }
  /** a device of a guest wrote a message that its host does not know: it means something else there, or nothing */
  | { readonly kind: 'sent on the host'; readonly requesterId: number; readonly slot: number; readonly addressHi: number; readonly addressLo: number; readonly data: number }
  /** the write was no interrupt */
  | { readonly kind: 'memory write'; readonly requesterId: number; readonly addressHi: number; readonly addressLo: number; readonly data: number }
  /** a VMD (`by`, its requester id) took the message of a function below it, and raises its own MSI-X entry `index` */
  | { readonly kind: 'collected'; readonly requesterId: number; readonly addressLo: number; readonly data: number; readonly by: number; readonly index: number }
  /** a Hyper-V host made entries of its redirection table for a function, from `index` on, and gave out their message; or dropped them */
  | { readonly kind: 'host entries'; readonly made: boolean; readonly requesterId: number; readonly index: number; readonly count: number; readonly vector: number; readonly vps: readonly number[] }
  /** it gave none: it refused, or the function is gone */
  | { readonly kind: 'no host entry'; readonly requesterId: number; readonly why: string }
  /** a Hyper-V host's redirection table has the message of a passed-through function: virtual processor `vp` gets it */
  | { readonly kind: 'redirected'; readonly index: number; readonly vector: number; readonly vp: number }
  /** it has not: the interrupt is lost. `instance` is the function's bus */
  | { readonly kind: 'unknown message'; readonly instance: string; readonly requesterId: number; readonly addressLo: number; readonly data: number }
  /** a guest asked the host to move the interrupt of a message; `status` is HV_STATUS_*, 0 = done */
  | { readonly kind: 'retarget'; readonly status: number; readonly address: number; readonly data: number; readonly vector: number; readonly vps: readonly number[] }
  /** a remapping unit found the entry */
  | { readonly kind: 'remapped'; readonly unit: number; readonly index: number; readonly low: bigint; readonly high: bigint; readonly cached: boolean }
  /** the entry is posted: the descriptor in memory took the vector */
  | { readonly kind: 'posted'; readonly unit: number; readonly index: number; readonly vector: number; readonly notified: boolean }
  /** a remapping unit refused; `index` is -1 where the message has none; `recorded` false: the log was full or the entry forbids */
  | { readonly kind: 'fault'; readonly unit: number; readonly reason: number; readonly sourceId: number; readonly index: number; readonly recorded: boolean }
  /** a guest asked Xen; `arg` as it is afterwards */
  | { readonly kind: 'hypercall'; readonly op: string; readonly arg: Readonly<Record<string, number>>; readonly result: number }
  /** Xen notes an event for a pirq in the guest's memory */
  | { readonly kind: 'event'; readonly port: number; readonly vcpu: number; readonly pirq: number }
  /** Xen notes an event for a pirq of another guest */
  | { readonly kind: 'event elsewhere'; readonly domid: number; readonly pirq: number }
  /** an interrupt ends at Xen */
  | { readonly kind: 'dropped'; readonly what: string; readonly why: string }
  | { readonly kind: 'ipi'; readonly from: number; readonly request: InterruptRequest }
  /** `merged`: the request was already waiting, one interrupt of two is left */
  | { readonly kind: 'accepted'; readonly cpu: number; readonly vector: number; readonly level: boolean; readonly merged: boolean }
  /** what is no vector: NMI, SMI, INIT, STARTUP, ExtINT */
  | { readonly kind: 'signal'; readonly cpu: number; readonly delivery: number; readonly vector: number }
  /** nobody took it; `why`: 'no such destination', 'local APIC disabled', 'illegal vector' */
  | { readonly kind: 'lost'; readonly request: InterruptRequest; readonly cpu: number | null; readonly why: string }
  /** a CPU took the vector from its local APIC */
  | { readonly kind: 'taken'; readonly cpu: number; readonly vector: number }
  /** `vector` null: nothing was in service; `broadcast`: IOAPICs were told */
  | { readonly kind: 'eoi'; readonly cpu: number; readonly vector: number | null; readonly broadcast: boolean };
