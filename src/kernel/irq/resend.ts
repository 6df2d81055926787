import type { Op } from '../../stepper/op';
import { irqd_is_handle_enforce_irqctx } from '../include/irq';
import { IRQS, type irq_desc } from '../include/irqdesc';
import { EBUSY, EINVAL } from '../lib/errno';
import { local_irq_restore, local_irq_save } from '../lib/locking';
import { has, kernel, spawn } from '../world';
import { irq_chip_retrigger_hierarchy } from './chip';
import { irq_to_desc } from './irqdesc';
import { irq_settings_is_level, irq_settings_is_nested_thread } from './settings';

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

/** After this interrupt, or in ksoftirqd where there is none. Source: kernel/softirq.c, tasklet_schedule(), raise_softirq_irqoff() */
function* schedule_resend(irq: number): Op {
  const is_scheduled = kernel.irqs_resend.size > 0;
  kernel.irqs_resend.add(irq);
  const cpu = kernel.this_cpu;
  if (!is_scheduled && kernel.cpus[cpu].hardirq_count === 0) spawn({ name: `ksoftirqd/${cpu}`, cpu, run: resend_irqs });
}

/** @returns 0 or -EINVAL where the chip needs interrupt context, and for one that nests in a thread: whose, irq_set_parent() would say, which nobody calls. Source: kernel/irq/resend.c, irq_sw_resend() */
function* irq_sw_resend(desc: irq_desc): Op<number> {
  if (irqd_is_handle_enforce_irqctx(desc.irq_data)) return -EINVAL;
  if (irq_settings_is_nested_thread(desc)) return -EINVAL;
  yield* schedule_resend(desc.irq_data.irq);
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
