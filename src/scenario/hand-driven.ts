import { pci_alloc_irq_vectors_affinity, pci_free_irq_vectors, pci_irq_vector } from '../kernel/drivers/pci/msi_api';
import { pci_enable_device, pci_is_enabled, pci_set_master } from '../kernel/drivers/pci/pci';
import {
  IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, type irq_affinity, type irq_handler_t,
} from '../kernel/include/interrupt';
import { PCI_IRQ_AFFINITY, type PciDev } from '../kernel/include/pci';
import { disable_irq, enable_irq, free_irq, request_threaded_irq } from '../kernel/irq/manage';
import type { Op } from '../stepper/op';
import { allocFlags, requestFlags } from './drivers';
import type { AllocSection } from './driver-sections';
import type { StepMap } from './scenario-file';

// A device whose driver is the scenario: alloc, request, free, freeVectors, disable, enable.

type RequestSection = NonNullable<StepMap['request']>;

/** @returns the number of vectors, or an errno */
export function* allocVectors(dev: PciDev, { min, max, flags, pre = 0, post = 0 }: AllocSection): Op<number> {
  const error = pci_is_enabled(dev) ? 0 : yield* pci_enable_device(dev);
  if (error) return error;
  yield* pci_set_master(dev);
  const affd: irq_affinity = { pre_vectors: pre, post_vectors: post, nr_sets: 0, set_size: [] };
  const bits = allocFlags(flags);
  return yield* pci_alloc_irq_vectors_affinity(dev, min, max, bits, bits & PCI_IRQ_AFFINITY ? affd : null);
}

export function* requestVector(dev: PciDev, vector: number, name: string, { flags, handler = 'IRQ_HANDLED' }: RequestSection): Op<number> {
  const irq = yield* pci_irq_vector(dev, vector);
  if (irq < 0) return irq;
  const { primary, thread } = HANDLERS[handler];
  return yield* request_threaded_irq(irq, primary, thread, requestFlags(flags), name, dev);
}

/** disable_irq() or enable_irq() */
export function* switchVector(dev: PciDev, vector: number, on: boolean): Op<number> {
  const irq = yield* pci_irq_vector(dev, vector);
  if (irq < 0) return irq;
  if (on) yield* enable_irq(irq);
  else yield* disable_irq(irq);
  return 0;
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

/** Serves the device. On a line that several share it is not always this one's turn. */
function* scenario_handler(_irq: number, dev_id: unknown): Op<number> {
  const { hw } = dev_id as PciDev;
  if (!hw.msiEnabled && !hw.msixEnabled && !hw.intxDriven) return IRQ_NONE;
  hw.deassertIntx();
  return IRQ_HANDLED;
}

/** Knows nothing of the device, and leaves a line driven. */
function* deaf_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_NONE;
}

/** Leaves the device to scenario_handler(), in a thread. */
function* waking_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_WAKE_THREAD;
}

const HANDLERS: Record<NonNullable<RequestSection['handler']>, { readonly primary: irq_handler_t; readonly thread: irq_handler_t | null }> = {
  IRQ_HANDLED: { primary: scenario_handler, thread: null },
  IRQ_NONE: { primary: deaf_handler, thread: null },
  IRQ_WAKE_THREAD: { primary: waking_handler, thread: scenario_handler },
};
