// The driver of the device, and what the scenario calls.
import {
  ENODEV, ENOMEM, IRQ_HANDLED, device_raise, free_irq, init_msi_alloc_info, irq_domain_alloc_irqs, irq_domain_free_irqs, irq_domain_remove, pci_device, pci_disable_device, pci_enable_device,
  pci_set_master, request_irq,
} from 'irqstep/model';
import type { Op, PciDev, irq_domain, pci_driver } from 'irqstep/model';
import { accel_create_domain } from './accel-ims';

interface Accel {
  readonly domain: irq_domain;
  readonly irqs: number[];
}

function* accel_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* accel_probe(pdev: PciDev): Op<number> {
  const err = yield* pci_enable_device(pdev);
  if (err < 0) return err;
  yield* pci_set_master(pdev);
  const accel: Accel = { domain: yield* accel_create_domain(pdev), irqs: [] };
  pdev.drvdata = accel;
  return 0;
}

function* accel_remove(pdev: PciDev): Op {
  const { domain, irqs } = pdev.drvdata as Accel;
  for (const irq of irqs.splice(0)) {
    yield* free_irq(irq, pdev);
    yield* irq_domain_free_irqs(irq, 1);
  }
  yield* irq_domain_remove(domain);
  pdev.drvdata = null;
  yield* pci_disable_device(pdev);
}

/** probe: { device: accel0, driver: accel_driver } */
export const accel_driver: pci_driver = { name: 'accel', probe: accel_probe, remove: accel_remove };

/** call: one more queue, with an interrupt. @returns the irq, or an errno */
export function* add_queue(device: string, name: string): Op<number> {
  const pdev = pci_device(device);
  if (!pdev.drvdata) return -ENODEV;
  const { domain, irqs } = pdev.drvdata as Accel;
  const info = yield* init_msi_alloc_info(pdev);
  if (!info) return -ENOMEM;
  const irq = yield* irq_domain_alloc_irqs(domain, 1, pdev.numa_node, info);
  if (irq < 0) return irq;
  const err = yield* request_irq(irq, accel_handler, 0, name, pdev);
  if (err < 0) {
    yield* irq_domain_free_irqs(irq, 1);
    return err;
  }
  irqs.push(irq);
  return irq;
}

/** call: the device is done with something, and sends the message of that slot. */
export function* done(device: string, slot: number): Op {
  yield* device_raise(pci_device(device), slot);
}
