import { pci_alloc_irq_vectors_affinity, pci_free_irq_vectors, pci_irq_vector } from '../kernel/drivers/pci/msi_api';
import { pci_enable_device, pci_is_enabled, pci_set_master } from '../kernel/drivers/pci/pci';
import { IRQ_HANDLED, IRQF_NO_THREAD, IRQF_NOBALANCING, IRQF_SHARED, type irq_affinity } from '../kernel/include/interrupt';
import { PCI_IRQ_AFFINITY, type PciDev } from '../kernel/include/pci';
import { free_irq, request_irq } from '../kernel/irq/manage';
import type { Op } from '../stepper/op';
import { allocFlags } from './drivers';
import type { AllocSection, StepMap } from './scenario-file';

// A device whose driver is the scenario: alloc, request, free, freeVectors.

const REQUEST_FLAGS = { IRQF_SHARED, IRQF_NOBALANCING, IRQF_NO_THREAD };

export type RequestFlag = NonNullable<NonNullable<StepMap['request']>['flags']>[number];

/** @returns the number of vectors, or an errno */
export function* allocVectors(dev: PciDev, { min, max, flags, pre = 0, post = 0 }: AllocSection): Op<number> {
  const error = pci_is_enabled(dev) ? 0 : yield* pci_enable_device(dev);
  if (error) return error;
  yield* pci_set_master(dev);
  const affd: irq_affinity = { pre_vectors: pre, post_vectors: post, nr_sets: 0, set_size: [] };
  const bits = allocFlags(flags);
  return yield* pci_alloc_irq_vectors_affinity(dev, min, max, bits, bits & PCI_IRQ_AFFINITY ? affd : null);
}

export function* requestVector(dev: PciDev, vector: number, name: string, flags: readonly RequestFlag[] = []): Op<number> {
  const irq = yield* pci_irq_vector(dev, vector);
  if (irq < 0) return irq;
  return yield* request_irq(irq, scenario_handler, flags.reduce((sum, flag) => sum | REQUEST_FLAGS[flag], 0), name, dev);
}

export function* freeVector(dev: PciDev, vector: number): Op<number> {
  const irq = yield* pci_irq_vector(dev, vector);
  if (irq < 0) return irq;
  yield* free_irq(irq, dev);
  return 0;
}

export function* freeVectors(dev: PciDev): Op<number> {
  yield* pci_free_irq_vectors(dev);
  return 0;
}

function* scenario_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}
