import type { Op } from '../../stepper/op';
import type { cpumask } from '../lib/cpumask';
import type { irq_domain } from './irqdomain';
import type { msi_desc, msi_msg } from './msi';

// Types, constants and inline accessors of include/linux/irq.h. Plain functions here are the header's inlines; whatever is a function in a .c file is an Op.

export const IRQ_TYPE_NONE = 0;
/** Trigger types: low bits of the state, and arguments of irq_set_type(). */
export const IRQ_TYPE_EDGE_RISING = 1;
/** On a falling edge. */
export const IRQ_TYPE_EDGE_FALLING = 2;
/** As long as the line is high. */
export const IRQ_TYPE_LEVEL_HIGH = 4;
/** As long as the line is low. */
export const IRQ_TYPE_LEVEL_LOW = 8;
export const IRQ_TYPE_LEVEL_MASK = 0xc;
export const IRQ_TYPE_SENSE_MASK = 0xf;

/** desc->status_use_accessors */
export const IRQ_LEVEL = 1 << 8;
export const IRQ_PER_CPU = 1 << 9;
export const IRQ_NOPROBE = 1 << 10;
export const IRQ_NOREQUEST = 1 << 11;
export const IRQ_NOAUTOEN = 1 << 12;
/** For irq_set_status_flags(): the affinity is not for users to write. */
export const IRQ_NO_BALANCING = 1 << 13;
export const IRQ_MOVE_PCNTXT = 1 << 14;
export const IRQ_NESTED_THREAD = 1 << 15;
export const IRQ_NOTHREAD = 1 << 16;
export const IRQ_PER_CPU_DEVID = 1 << 17;
export const IRQ_IS_POLLED = 1 << 18;
export const IRQ_DISABLE_UNLAZY = 1 << 19;
export const IRQ_HIDDEN = 1 << 20;

/** What irq_chip.irq_set_affinity() returns besides an errno. */
export const IRQ_SET_MASK_OK = 0;
/** Done, and the chip has noted the affinity itself. */
export const IRQ_SET_MASK_OK_NOCOPY = 1;
/** Done, and for the chips above there is nothing left to do: the message stays as it is. */
export const IRQ_SET_MASK_OK_DONE = 2;

/** irq_common_data.state_use_accessors */
export const IRQD_TRIGGER_MASK = 0xf;
export const IRQD = {
  SETAFFINITY_PENDING: 1 << 8,
  ACTIVATED: 1 << 9,
  NO_BALANCING: 1 << 10,
  PER_CPU: 1 << 11,
  AFFINITY_SET: 1 << 12,
  LEVEL: 1 << 13,
  WAKEUP_STATE: 1 << 14,
  MOVE_PCNTXT: 1 << 15,
  IRQ_DISABLED: 1 << 16,
  IRQ_MASKED: 1 << 17,
  IRQ_INPROGRESS: 1 << 18,
  WAKEUP_ARMED: 1 << 19,
  FORWARDED_TO_VCPU: 1 << 20,
  AFFINITY_MANAGED: 1 << 21,
  IRQ_STARTED: 1 << 22,
  MANAGED_SHUTDOWN: 1 << 23,
  SINGLE_TARGET: 1 << 24,
  DEFAULT_TRIGGER_SET: 1 << 25,
  CAN_RESERVE: 1 << 26,
  MSI_NOMASK_QUIRK: 1 << 27,
  HANDLE_ENFORCE_IRQCTX: 1 << 28,
  AFFINITY_ON_ACTIVATE: 1 << 29,
  IRQ_ENABLED_ON_SUSPEND: 1 << 30,
} as const;

/** irq_chip.flags: masked while the trigger type is changed. */
export const IRQCHIP_SET_TYPE_MASKED = 1 << 0;
export const IRQCHIP_EOI_IF_HANDLED = 1 << 1;
/** irq_chip.flags: nothing to do for wakeup. */
export const IRQCHIP_SKIP_SET_WAKE = 1 << 4;
/** irq_chip.flags: edges that need no IRQF_ONESHOT for a thread alone, as messages are. */
export const IRQCHIP_ONESHOT_SAFE = 1 << 5;
/** irq_chip.flags: irq_eoi also when the thread of a one-shot interrupt is done. */
export const IRQCHIP_EOI_THREADED = 1 << 6;
export const IRQCHIP_SUPPORTS_LEVEL_MSI = 1 << 7;
export const IRQCHIP_AFFINITY_PRE_STARTUP = 1 << 10;

/** State shared by all levels of an interrupt's irq_data chain. */
export class irq_common_data {
  /** IRQD bits and, in the low four, the trigger type */
  state_use_accessors = 0;
  handler_data: unknown = null;
  msi_desc: msi_desc | null = null;
  /** @param node NUMA node or -1 */
  constructor(
    public node: number,
    public affinity: cpumask,
    public effective_affinity: cpumask,
  ) {}
}

/** One level of an interrupt: its number in one domain. The outermost one is part of irq_desc; parent_data leads towards the CPU. */
export class irq_data {
  hwirq = 0;
  domain: irq_domain | null = null;
  parent_data: irq_data | null = null;
  chip_data: unknown = null;
  /** @param irq the Linux interrupt number (virq), the same on all levels */
  constructor(
    public irq: number,
    public common: irq_common_data,
    public chip: irq_chip,
  ) {}
}

/** What irq_get_irqchip_state() is asked for. Source: include/linux/interrupt.h, enum irqchip_irq_state */
export type irqchip_irq_state = 'pending' | 'active' | 'masked' | 'line-level';

/** Callbacks into one interrupt controller level. Absent = NULL. */
export interface irq_chip {
  name: string;
  irq_startup?: (data: irq_data) => Op<number>;
  irq_shutdown?: (data: irq_data) => Op;
  irq_enable?: (data: irq_data) => Op;
  irq_disable?: (data: irq_data) => Op;
  irq_ack?: (data: irq_data) => Op;
  irq_mask?: (data: irq_data) => Op;
  irq_mask_ack?: (data: irq_data) => Op;
  irq_unmask?: (data: irq_data) => Op;
  irq_eoi?: (data: irq_data) => Op;
  /** @returns IRQ_SET_MASK_* or an errno */
  irq_set_affinity?: (data: irq_data, mask: cpumask, force: boolean) => Op<number>;
  irq_retrigger?: (data: irq_data) => Op<number>;
  irq_set_type?: (data: irq_data, type: number) => Op<number>;
  irq_bus_lock?: (data: irq_data) => Op;
  irq_bus_sync_unlock?: (data: irq_data) => Op;
  irq_request_resources?: (data: irq_data) => Op<number>;
  irq_release_resources?: (data: irq_data) => Op;
  irq_compose_msi_msg?: (data: irq_data, msg: msi_msg) => Op;
  irq_write_msi_msg?: (data: irq_data, msg: msi_msg) => Op;
  /** @returns the state asked for, or an errno */
  irq_get_irqchip_state?: (data: irq_data, which: irqchip_irq_state) => Op<boolean | number>;
  irq_set_vcpu_affinity?: (data: irq_data, vcpu_info: unknown) => Op<number>;
  irq_set_auxdata?: (data: irq_data, which: number, val: number) => Op<number>;
  /** IRQCHIP_* bits */
  flags: number;
}

const state = (d: irq_data): number => d.common.state_use_accessors;
const set_state = (d: irq_data, bits: number): void => {
  d.common.state_use_accessors |= bits;
};
const clear_state = (d: irq_data, bits: number): void => {
  d.common.state_use_accessors &= ~bits;
};

export const irqd_is_setaffinity_pending = (d: irq_data): boolean => (state(d) & IRQD.SETAFFINITY_PENDING) !== 0;
export const irqd_set_move_pending = (d: irq_data): void => set_state(d, IRQD.SETAFFINITY_PENDING);
export const irqd_clr_move_pending = (d: irq_data): void => clear_state(d, IRQD.SETAFFINITY_PENDING);
export const irqd_is_per_cpu = (d: irq_data): boolean => (state(d) & IRQD.PER_CPU) !== 0;
export const irqd_can_balance = (d: irq_data): boolean => (state(d) & (IRQD.PER_CPU | IRQD.NO_BALANCING)) === 0;
/** @returns IRQ_TYPE_* */
export const irqd_get_trigger_type = (d: irq_data): number => state(d) & IRQD_TRIGGER_MASK;
/** @param type IRQ_TYPE_* */
export const irqd_set_trigger_type = (d: irq_data, type: number): void => {
  clear_state(d, IRQD_TRIGGER_MASK);
  set_state(d, (type & IRQD_TRIGGER_MASK) | IRQD.DEFAULT_TRIGGER_SET);
};
export const irqd_trigger_type_was_set = (d: irq_data): boolean => (state(d) & IRQD.DEFAULT_TRIGGER_SET) !== 0;
export const irqd_is_level_type = (d: irq_data): boolean => (state(d) & IRQD.LEVEL) !== 0;
export const irqd_set_single_target = (d: irq_data): void => set_state(d, IRQD.SINGLE_TARGET);
export const irqd_is_single_target = (d: irq_data): boolean => (state(d) & IRQD.SINGLE_TARGET) !== 0;
export const irqd_set_handle_enforce_irqctx = (d: irq_data): void => set_state(d, IRQD.HANDLE_ENFORCE_IRQCTX);
export const irqd_is_handle_enforce_irqctx = (d: irq_data): boolean => (state(d) & IRQD.HANDLE_ENFORCE_IRQCTX) !== 0;
export const irqd_can_move_in_process_context = (d: irq_data): boolean => (state(d) & IRQD.MOVE_PCNTXT) !== 0;
/** disable_irq() has been called, or nobody has requested it. */
export const irqd_irq_disabled = (d: irq_data): boolean => (state(d) & IRQD.IRQ_DISABLED) !== 0;
/** As the kernel believes; the chip may know better. */
export const irqd_irq_masked = (d: irq_data): boolean => (state(d) & IRQD.IRQ_MASKED) !== 0;
export const irqd_irq_inprogress = (d: irq_data): boolean => (state(d) & IRQD.IRQ_INPROGRESS) !== 0;
/** Its CPUs were chosen by the kernel, for life: users cannot write them. */
export const irqd_affinity_is_managed = (d: irq_data): boolean => (state(d) & IRQD.AFFINITY_MANAGED) !== 0;
/** irq_domain_activate_irq() has run: the hardware is programmed. */
export const irqd_is_activated = (d: irq_data): boolean => (state(d) & IRQD.ACTIVATED) !== 0;
export const irqd_set_activated = (d: irq_data): void => set_state(d, IRQD.ACTIVATED);
export const irqd_clr_activated = (d: irq_data): void => clear_state(d, IRQD.ACTIVATED);
export const irqd_is_started = (d: irq_data): boolean => (state(d) & IRQD.IRQ_STARTED) !== 0;
export const irqd_is_managed_and_shutdown = (d: irq_data): boolean => (state(d) & IRQD.MANAGED_SHUTDOWN) !== 0;
export const irqd_set_managed_shutdown = (d: irq_data): void => set_state(d, IRQD.MANAGED_SHUTDOWN);
export const irqd_clr_managed_shutdown = (d: irq_data): void => clear_state(d, IRQD.MANAGED_SHUTDOWN);
export const irqd_set_can_reserve = (d: irq_data): void => set_state(d, IRQD.CAN_RESERVE);
export const irqd_clr_can_reserve = (d: irq_data): void => clear_state(d, IRQD.CAN_RESERVE);
export const irqd_can_reserve = (d: irq_data): boolean => (state(d) & IRQD.CAN_RESERVE) !== 0;
export const irqd_set_msi_nomask_quirk = (d: irq_data): void => set_state(d, IRQD.MSI_NOMASK_QUIRK);
export const irqd_msi_nomask_quirk = (d: irq_data): boolean => (state(d) & IRQD.MSI_NOMASK_QUIRK) !== 0;
export const irqd_set_affinity_on_activate = (d: irq_data): void => set_state(d, IRQD.AFFINITY_ON_ACTIVATE);
export const irqd_affinity_on_activate = (d: irq_data): boolean => (state(d) & IRQD.AFFINITY_ON_ACTIVATE) !== 0;
/** For kernel/irq/: the internals.h irqd_set / irqd_clear / irqd_has_set. */
export const irqd_set = (d: irq_data, bits: number): void => set_state(d, bits);
export const irqd_clear = (d: irq_data, bits: number): void => clear_state(d, bits);
export const irqd_has_set = (d: irq_data, bits: number): boolean => (state(d) & bits) !== 0;

export const irq_data_get_node = (d: irq_data): number => d.common.node;
/** The CPUs that are asked for. */
export const irq_data_get_affinity_mask = (d: irq_data): cpumask => d.common.affinity;
/** The CPUs that get the interrupt: on x86 one. */
export const irq_data_get_effective_affinity_mask = (d: irq_data): cpumask => d.common.effective_affinity;
/** For a chip that decides itself which CPUs get the interrupt. */
export const irq_data_update_effective_affinity = (d: irq_data, mask: cpumask): void => {
  d.common.effective_affinity.copyFrom(mask);
};
/** @returns the message that the interrupt belongs to, or null */
export const irq_data_get_msi_desc = (d: irq_data): msi_desc | null => d.common.msi_desc;
