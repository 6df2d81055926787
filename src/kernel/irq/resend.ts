import type { Op } from '../../stepper/op';
import { irqd_is_handle_enforce_irqctx } from '../include/irq';
import { IRQS, type irq_desc } from '../include/irqdesc';
import { EBUSY, EINVAL } from '../lib/errno';
import { local_irq_restore, local_irq_save } from '../lib/locking';
import { has, kernel } from '../world';
import { irq_chip_retrigger_hierarchy } from './chip';
import { irq_to_desc } from './irqdesc';
import { irq_settings_is_level } from './settings';

export const resend_globals = () => ({
  /** interrupts that wait for the resend tasklet */
  irqs_resend: new Set<number>(),
});

/** The resend tasklet: run the flow handlers of what hardware could not raise again, lowest number first. Source: kernel/irq/resend.c, resend_irqs() */
export function* resend_irqs(): Op {
  while (kernel.irqs_resend.size > 0) {
    const irq = Math.min(...kernel.irqs_resend);
    kernel.irqs_resend.delete(irq);
    const desc = irq_to_desc(irq);
    if (!desc) continue;
    const flags = yield* local_irq_save();
    yield* desc.handle_irq(desc);
    yield* local_irq_restore(flags);
  }
}

/** @returns 0 or -EINVAL where the chip needs interrupt context. */
function* irq_sw_resend(desc: irq_desc): Op<number> {
  if (irqd_is_handle_enforce_irqctx(desc.irq_data)) return -EINVAL;
  kernel.irqs_resend.add(desc.irq_data.irq);
  return 0;
}

function* try_retrigger(desc: irq_desc): Op<number> {
  const { chip } = desc.irq_data;
  if (chip.irq_retrigger) return yield* chip.irq_retrigger(desc.irq_data);
  return has('retrigger-hierarchy') ? yield* irq_chip_retrigger_hierarchy(desc.irq_data) : 0;
}

/**
 * Raise again what came while the line was off.
 * @param inject also when nothing did @returns 0; -EINVAL for a level line (it comes by itself) or where it cannot be done; -EBUSY while one is under way. Source: kernel/irq/resend.c, check_irq_resend()
 */
export function* check_irq_resend(desc: irq_desc, inject: boolean): Op<number> {
  if (irq_settings_is_level(desc)) {
    desc.istate &= ~IRQS.PENDING;
    return -EINVAL;
  }
  if (desc.istate & IRQS.REPLAY) return -EBUSY;
  if (!(desc.istate & IRQS.PENDING) && !inject) return 0;

  desc.istate &= ~IRQS.PENDING;
  const err = (yield* try_retrigger(desc)) ? 0 : yield* irq_sw_resend(desc);
  if (!err) desc.istate |= IRQS.REPLAY;
  return err;
}
