import type { Op } from '../../stepper/op';
import { devres_add, devres_destroy } from '../drivers/base/devres';
import type { irq_handler_t } from '../include/interrupt';
import type { PciDev } from '../include/pci';
import { ENOMEM } from '../lib/errno';
import { WARN_ON } from '../lib/printk';
import { should_fail } from '../lib/slab';
import { free_irq, request_threaded_irq } from './manage';

interface irq_devres {
  readonly irq: number;
  readonly dev_id: unknown;
}

/** Source: kernel/irq/devres.c, devm_irq_release() */
function* devm_irq_release(_dev: PciDev, res: unknown): Op {
  const { irq, dev_id } = res as irq_devres;
  yield* free_irq(irq, dev_id);
}

/** request_irq() until the driver goes. @returns 0 or an errno. Source: include/linux/interrupt.h, devm_request_irq(); kernel/irq/devres.c, devm_request_threaded_irq() */
export function* devm_request_irq(dev: PciDev, irq: number, handler: irq_handler_t, irqflags: number, devname: string, dev_id: unknown): Op<number> {
  if (should_fail('devm_request_threaded_irq: struct irq_devres')) return -ENOMEM;

  const rc = yield* request_threaded_irq(irq, handler, null, irqflags, devname, dev_id);
  if (rc) return rc;
  yield* devres_add(dev, devm_irq_release, { irq, dev_id });
  return 0;
}

/** free_irq() before the driver goes. Source: kernel/irq/devres.c, devm_free_irq() */
export function* devm_free_irq(dev: PciDev, irq: number, dev_id: unknown): Op {
  const match = (res: unknown): boolean => (res as irq_devres).irq === irq && (res as irq_devres).dev_id === dev_id;
  WARN_ON((yield* devres_destroy(dev, devm_irq_release, match)) !== 0, 'kernel/irq/devres.c devm_free_irq');
  yield* free_irq(irq, dev_id);
}
