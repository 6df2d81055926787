import type { Op } from '../../stepper/op';
import { ack_bad_irq } from '../arch/x86/irq';
import { IRQCHIP_SKIP_SET_WAKE, type irq_chip, type irq_data } from '../include/irq';
import { irq_data_to_desc, print_irq_desc } from './irqdesc';

function* ack_bad(data: irq_data): Op {
  print_irq_desc(data.irq, irq_data_to_desc(data));
  yield* ack_bad_irq(data.irq);
}

function* noop(data: irq_data): Op {}

function* noop_ret(data: irq_data): Op<number> {
  return 0;
}

/** The chip of a line that has none: C says NULL and means this one. Source: kernel/irq/dummychip.c */
export const no_irq_chip: irq_chip = Object.freeze({
  name: 'none',
  irq_startup: noop_ret,
  irq_shutdown: noop,
  irq_enable: noop,
  irq_disable: noop,
  irq_ack: ack_bad,
  flags: IRQCHIP_SKIP_SET_WAKE,
});
