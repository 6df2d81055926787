import * as flag from '../include/irq';
import type { irq_desc } from '../include/irqdesc';

// Inlines of kernel/irq/settings.h: the IRQ_* bits of a line.

/** IRQ_* bits that irq_modify_status() may change */
const IRQF_MODIFY_MASK =
  flag.IRQ_TYPE_SENSE_MASK | flag.IRQ_NOPROBE | flag.IRQ_NOREQUEST | flag.IRQ_NOAUTOEN | flag.IRQ_MOVE_PCNTXT | flag.IRQ_LEVEL |
  flag.IRQ_NO_BALANCING | flag.IRQ_PER_CPU | flag.IRQ_NESTED_THREAD | flag.IRQ_NOTHREAD | flag.IRQ_PER_CPU_DEVID |
  flag.IRQ_IS_POLLED | flag.IRQ_DISABLE_UNLAZY | flag.IRQ_HIDDEN;

const is = (desc: irq_desc, bit: number): boolean => (desc.status_use_accessors & bit) !== 0;
const set = (desc: irq_desc, bit: number): void => {
  desc.status_use_accessors |= bit;
};
const clr = (desc: irq_desc, bit: number): void => {
  desc.status_use_accessors &= ~bit;
};

export function irq_settings_clr_and_set(desc: irq_desc, clear: number, add: number): void {
  clr(desc, clear & IRQF_MODIFY_MASK);
  set(desc, add & IRQF_MODIFY_MASK);
}

export const irq_settings_is_per_cpu = (desc: irq_desc): boolean => is(desc, flag.IRQ_PER_CPU);
export const irq_settings_set_per_cpu = (desc: irq_desc): void => set(desc, flag.IRQ_PER_CPU);
export const irq_settings_is_per_cpu_devid = (desc: irq_desc): boolean => is(desc, flag.IRQ_PER_CPU_DEVID);
export const irq_settings_has_no_balance_set = (desc: irq_desc): boolean => is(desc, flag.IRQ_NO_BALANCING);
export const irq_settings_set_no_balancing = (desc: irq_desc): void => set(desc, flag.IRQ_NO_BALANCING);
export const irq_settings_get_trigger_mask = (desc: irq_desc): number => desc.status_use_accessors & flag.IRQ_TYPE_SENSE_MASK;
export function irq_settings_set_trigger_mask(desc: irq_desc, mask: number): void {
  clr(desc, flag.IRQ_TYPE_SENSE_MASK);
  set(desc, mask & flag.IRQ_TYPE_SENSE_MASK);
}
export const irq_settings_is_level = (desc: irq_desc): boolean => is(desc, flag.IRQ_LEVEL);
export const irq_settings_clr_level = (desc: irq_desc): void => clr(desc, flag.IRQ_LEVEL);
export const irq_settings_set_level = (desc: irq_desc): void => set(desc, flag.IRQ_LEVEL);
export const irq_settings_can_request = (desc: irq_desc): boolean => !is(desc, flag.IRQ_NOREQUEST);
export const irq_settings_set_norequest = (desc: irq_desc): void => set(desc, flag.IRQ_NOREQUEST);
export const irq_settings_can_thread = (desc: irq_desc): boolean => !is(desc, flag.IRQ_NOTHREAD);
export const irq_settings_is_nested_thread = (desc: irq_desc): boolean => is(desc, flag.IRQ_NESTED_THREAD);
export const irq_settings_set_nothread = (desc: irq_desc): void => set(desc, flag.IRQ_NOTHREAD);
export const irq_settings_set_noprobe = (desc: irq_desc): void => set(desc, flag.IRQ_NOPROBE);
export const irq_settings_can_move_pcntxt = (desc: irq_desc): boolean => is(desc, flag.IRQ_MOVE_PCNTXT);
export const irq_settings_can_autoenable = (desc: irq_desc): boolean => !is(desc, flag.IRQ_NOAUTOEN);
export const irq_settings_is_polled = (desc: irq_desc): boolean => is(desc, flag.IRQ_IS_POLLED);
export const irq_settings_disable_unlazy = (desc: irq_desc): boolean => is(desc, flag.IRQ_DISABLE_UNLAZY);
export const irq_settings_clr_disable_unlazy = (desc: irq_desc): void => clr(desc, flag.IRQ_DISABLE_UNLAZY);
