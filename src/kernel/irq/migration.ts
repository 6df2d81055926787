import type { Op } from '../../stepper/op';
import { irqd_clr_move_pending, irqd_irq_disabled, irqd_irq_masked, irqd_is_per_cpu, irqd_is_setaffinity_pending, irqd_set_move_pending, type irq_data } from '../include/irq';
import type { irq_desc } from '../include/irqdesc';
import { EBUSY } from '../lib/errno';
import { WARN_ON } from '../lib/printk';
import { kernel } from '../world';
import { irq_data_to_desc } from './irqdesc';
import { irq_do_set_affinity } from './manage';

/** A CPU goes down. @returns whether a move is pending to CPUs that are still there; one that is not is dropped. @param force_clear take the move over. Source: kernel/irq/migration.c, irq_fixup_move_pending() */
export function* irq_fixup_move_pending(desc: irq_desc, force_clear: boolean): Op<boolean> {
  const data = desc.irq_data;
  if (!irqd_is_setaffinity_pending(data)) return false;
  if (!desc.pending_mask.intersects(kernel.cpu_online_mask)) {
    irqd_clr_move_pending(data);
    return false;
  }
  if (force_clear) irqd_clr_move_pending(data);
  return true;
}

/** Carry out a pending change of affinity, the line being masked or unable to come. -EBUSY leaves it pending. Source: kernel/irq/migration.c, irq_move_masked_irq() */
export function* irq_move_masked_irq(idata: irq_data): Op {
  const desc = irq_data_to_desc(idata);
  const data = desc.irq_data;
  if (!irqd_is_setaffinity_pending(data)) return;

  irqd_clr_move_pending(data);
  if (WARN_ON(irqd_is_per_cpu(data), 'kernel/irq/migration.c irq_move_masked_irq')) return;
  if (desc.pending_mask.empty) return;
  if (!data.chip.irq_set_affinity) return;

  if (desc.pending_mask.intersects(kernel.cpu_online_mask)) {
    const ret = yield* irq_do_set_affinity(data, desc.pending_mask, false);
    if (ret === -EBUSY) {
      irqd_set_move_pending(data);
      return;
    }
  }
  desc.pending_mask.clearAll();
}

export function* __irq_move_irq(idata: irq_data): Op {
  const data = irq_data_to_desc(idata).irq_data;
  if (irqd_irq_disabled(data)) return;

  const masked = irqd_irq_masked(data);
  if (!masked) yield* data.chip.irq_mask!(data);
  yield* irq_move_masked_irq(data);
  if (!masked) yield* data.chip.irq_unmask!(data);
}

/** From the chip's ack: inline of include/linux/irq.h. */
export function* irq_move_irq(data: irq_data): Op {
  if (irqd_is_setaffinity_pending(data)) yield* __irq_move_irq(data);
}
