import type { Op } from '../../stepper/op';
import type { irq_chip, irq_data, irqchip_irq_state } from '../include/irq';
import type { cpumask } from '../lib/cpumask';
import { ENOSYS } from '../lib/errno';

// kernel/irq/chip.c, irq_chip_*_parent(): a level's callback that hands on to the next one towards the CPU.
// The parent is there, and has the callback, or the kernel oopses: so does the model.
// All that may be handed on is here, also what no level of x86 uses: a domain of one's own may.

const parent_of = (data: irq_data): irq_data => data.parent_data!;

/** The parent's irq_enable, or its irq_unmask. Source: kernel/irq/chip.c, irq_chip_enable_parent() */
export function* irq_chip_enable_parent(data: irq_data): Op {
  const parent = parent_of(data);
  if (parent.chip.irq_enable) yield* parent.chip.irq_enable(parent);
  else yield* parent.chip.irq_unmask!(parent);
}

/** The parent's irq_disable, or its irq_mask. Source: kernel/irq/chip.c, irq_chip_disable_parent() */
export function* irq_chip_disable_parent(data: irq_data): Op {
  const parent = parent_of(data);
  if (parent.chip.irq_disable) yield* parent.chip.irq_disable(parent);
  else yield* parent.chip.irq_mask!(parent);
}

/** For a chip's callback of the same name: what the parent's chip does. Source: kernel/irq/chip.c, irq_chip_ack_parent() */
export function* irq_chip_ack_parent(data: irq_data): Op {
  const parent = parent_of(data);
  yield* parent.chip.irq_ack!(parent);
}

/** What the parent's chip does. Source: kernel/irq/chip.c, irq_chip_mask_parent() */
export function* irq_chip_mask_parent(data: irq_data): Op {
  const parent = parent_of(data);
  yield* parent.chip.irq_mask!(parent);
}

/** What the parent's chip does. Source: kernel/irq/chip.c, irq_chip_unmask_parent() */
export function* irq_chip_unmask_parent(data: irq_data): Op {
  const parent = parent_of(data);
  yield* parent.chip.irq_unmask!(parent);
}

/** What the parent's chip does. Source: kernel/irq/chip.c, irq_chip_eoi_parent() */
export function* irq_chip_eoi_parent(data: irq_data): Op {
  const parent = parent_of(data);
  yield* parent.chip.irq_eoi!(parent);
}

/** @returns what the parent's chip says, -ENOSYS when it cannot */
export function* irq_chip_set_affinity_parent(data: irq_data, dest: cpumask, force: boolean): Op<number> {
  const parent = parent_of(data);
  if (!parent.chip.irq_set_affinity) return -ENOSYS;
  return yield* parent.chip.irq_set_affinity(parent, dest, force);
}

/** @param type IRQ_TYPE_* @returns what the parent's chip says, -ENOSYS when it cannot. Source: kernel/irq/chip.c, irq_chip_set_type_parent() */
export function* irq_chip_set_type_parent(data: irq_data, type: number): Op<number> {
  const parent = parent_of(data);
  if (!parent.chip.irq_set_type) return -ENOSYS;
  return yield* parent.chip.irq_set_type(parent, type);
}

/** @returns the state, an errno, or false without a parent that knows. Source: kernel/irq/chip.c, irq_chip_get_parent_state() */
export function* irq_chip_get_parent_state(data: irq_data, which: irqchip_irq_state): Op<boolean | number> {
  const parent = data.parent_data;
  if (!parent?.chip.irq_get_irqchip_state) return false;
  return yield* parent.chip.irq_get_irqchip_state(parent, which);
}

/** Raise the interrupt again, by the first parent that can. @returns its answer (nonzero: done), 0 for none. Source: kernel/irq/chip.c, irq_chip_retrigger_hierarchy() */
export function* irq_chip_retrigger_hierarchy(data: irq_data): Op<number> {
  for (let pos = data.parent_data; pos; pos = pos.parent_data) {
    const chip: irq_chip = pos.chip;
    if (chip.irq_retrigger) return yield* chip.irq_retrigger(pos);
  }
  return 0;
}

/** @returns what the parent's chip says, -ENOSYS when it cannot. Source: kernel/irq/chip.c, irq_chip_set_vcpu_affinity_parent() */
export function* irq_chip_set_vcpu_affinity_parent(data: irq_data, vcpu_info: unknown): Op<number> {
  const parent = parent_of(data);
  if (!parent.chip.irq_set_vcpu_affinity) return -ENOSYS;
  return yield* parent.chip.irq_set_vcpu_affinity(parent, vcpu_info);
}
