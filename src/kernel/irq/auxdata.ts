import type { Op } from '../../stepper/op';
import type { device } from '../include/device';
import type { irq_data } from '../include/irq';
import { EINVAL, ENODEV } from '../lib/errno';
import { WARN_ON_ONCE } from '../lib/printk';
import { irq_get_desc_buslock, irq_put_desc_busunlock } from './irqdesc';

// Of kernel/irq/manage.c and kernel/irq/msi.c what was posted with the IMS driver in 2021 and never merged.

/**
 * Give a chip of the interrupt's something that belongs beside its message.
 * @param which what it is: the chip knows
 * @returns -EINVAL without a line, -ENODEV without such a chip, else what that says. Source: [re-post] kernel/irq/manage.c, irq_set_auxdata()
 */
export function* irq_set_auxdata(irq: number, which: number, val: number): Op<number> {
  const held = yield* irq_get_desc_buslock(irq, 0);
  if (!held) return -EINVAL;

  let data: irq_data | null = held.desc.irq_data;
  while (data && !data.chip.irq_set_auxdata) data = data.parent_data;
  const res = data ? yield* data.chip.irq_set_auxdata!(data, which, val) : -ENODEV;

  yield* irq_put_desc_busunlock(held);
  return res;
}

/** The interrupt of a device's message `nr`, counted from 0. @returns it, 0 before it has one; -EINVAL, with a warning, behind the last. Source: [re-post] kernel/irq/msi.c, msi_irq_vector() */
export function* msi_irq_vector(dev: device, nr: number): Op<number> {
  if (nr < dev.msi_list.length) return dev.msi_list[nr].irq;
  WARN_ON_ONCE(true, 'kernel/irq/msi.c msi_irq_vector');
  return -EINVAL;
}

/** Where the device keeps its message `nr`, for a driver that tells the device. @returns the number in its domain; -EINVAL, with a warning, behind the last. Source: [re-post] kernel/irq/msi.c, dev_msi_hwirq() */
export function* dev_msi_hwirq(dev: device, nr: number): Op<number> {
  if (nr < dev.msi_list.length) return dev.msi_list[nr].device_msi!.hwirq;
  WARN_ON_ONCE(true, 'kernel/irq/msi.c dev_msi_hwirq');
  return -EINVAL;
}

