import type { Op } from '../../stepper/op';
import { IRQ_HANDLED, IRQ_NONE, type irq_affinity } from '../include/interrupt';
import { PCI_IRQ_AFFINITY, type PciDev } from '../include/pci';
import { free_irq, request_threaded_irq } from '../irq/manage';
import { pci_alloc_irq_vectors_affinity, pci_free_irq_vectors, pci_irq_vector } from './pci/msi_api';
import { pci_disable_device, pci_enable_device, pci_set_master } from './pci/pci';
import type { pci_driver } from './pci/pci-driver';

/** What a driver does about interrupts, said in data. */
export interface DriverPattern {
  readonly name: string;
  /** the arguments of pci_alloc_irq_vectors_affinity(); flags: PCI_IRQ_*, pre and post count with PCI_IRQ_AFFINITY only */
  readonly alloc: { readonly min: number; readonly max: number; readonly flags: number; readonly pre?: number; readonly post?: number };
  /** in this order; flags: IRQF_*. Vectors that were not allocated are left out. */
  readonly request: readonly { readonly vector: number; readonly name: string; readonly flags: number }[];
}

/** One requested vector: the dev_id of its handler. */
class PatternVector {
  /** interrupts handled */
  handled = 0;
  constructor(
    readonly pdev: PciDev,
    readonly vector: number,
  ) {}
}

/** A device bound to a pattern driver. */
class PatternDev {
  nvecs = 0;
  /** those whose interrupt is requested */
  readonly vectors: PatternVector[] = [];
}

/** Handle a message; a level line only while the device drives it. */
function* pattern_irq(irq: number, dev_id: unknown): Op<number> {
  const vector = dev_id as PatternVector;
  const hw = vector.pdev.hw;
  if (!hw.msiEnabled && !hw.msixEnabled && !hw.intxDriven) return IRQ_NONE;
  hw.deassertIntx();
  vector.handled++;
  return IRQ_HANDLED;
}

function* pattern_request(pattern: DriverPattern, pdev: PciDev, dev: PatternDev): Op<number> {
  for (const { vector, name, flags } of pattern.request) {
    if (vector >= dev.nvecs) continue;
    const dev_id = new PatternVector(pdev, vector);
    const result = yield* request_threaded_irq(yield* pci_irq_vector(pdev, vector), pattern_irq, null, flags, name, dev_id);
    if (result < 0) return result;
    dev.vectors.push(dev_id);
  }
  return 0;
}

function* pattern_probe(pattern: DriverPattern, pdev: PciDev): Op<number> {
  const dev = new PatternDev();
  pdev.drvdata = dev;
  const enabled = yield* pci_enable_device(pdev);
  if (enabled < 0) return enabled;
  yield* pci_set_master(pdev);

  const { min, max, flags, pre, post } = pattern.alloc;
  const affd: irq_affinity | null = flags & PCI_IRQ_AFFINITY ? { pre_vectors: pre ?? 0, post_vectors: post ?? 0, nr_sets: 0, set_size: [0, 0, 0, 0] } : null;
  const nvecs = yield* pci_alloc_irq_vectors_affinity(pdev, min, max, flags, affd);
  dev.nvecs = Math.max(nvecs, 0);

  const result = nvecs < 0 ? nvecs : yield* pattern_request(pattern, pdev, dev);
  if (result < 0) yield* pattern_remove(pdev);
  return result;
}

function* pattern_remove(pdev: PciDev): Op {
  const dev = pdev.drvdata as PatternDev;
  for (const dev_id of dev.vectors) yield* free_irq(yield* pci_irq_vector(pdev, dev_id.vector), dev_id);
  pdev.drvdata = null;
  yield* pci_free_irq_vectors(pdev);
  yield* pci_disable_device(pdev);
}

/** Make a driver of a pattern: its probe enables the device, allocates and requests; its remove undoes that. */
export const pattern_driver = (pattern: DriverPattern): pci_driver => ({
  name: pattern.name,
  probe: pdev => pattern_probe(pattern, pdev),
  remove: pattern_remove,
});
