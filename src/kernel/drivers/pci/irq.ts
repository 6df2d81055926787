import type { Op } from '../../../stepper/op';
import { type irq_handler_t, IRQF_ONESHOT, IRQF_SHARED } from '../../include/interrupt';
import type { PciDev } from '../../include/pci';
import { free_irq, request_threaded_irq } from '../../irq/manage';
import { pci_irq_vector } from './msi_api';

/** Request the device's vector `nr`, always as shared. @returns 0 or an errno. Source: drivers/pci/irq.c, pci_request_irq() */
export function* pci_request_irq(
  dev: PciDev, nr: number, handler: irq_handler_t | null, thread_fn: irq_handler_t | null, dev_id: unknown, devname: string,
): Op<number> {
  const irqflags = handler ? IRQF_SHARED : IRQF_SHARED | IRQF_ONESHOT;
  return yield* request_threaded_irq(yield* pci_irq_vector(dev, nr), handler, thread_fn, irqflags, devname, dev_id);
}

/** Source: drivers/pci/irq.c, pci_free_irq() */
export function* pci_free_irq(dev: PciDev, nr: number, dev_id: unknown): Op {
  yield* free_irq(yield* pci_irq_vector(dev, nr), dev_id);
}
