import type { Op } from '../../stepper/op';
import { IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, type irq_affinity, type irq_handler_t } from '../include/interrupt';
import { PCI_IRQ_AFFINITY, type PciDev } from '../include/pci';
import { free_irq, request_threaded_irq } from '../irq/manage';
import { pci_alloc_irq_vectors_affinity, pci_free_irq_vectors, pci_irq_vector } from './pci/msi_api';
import { pci_disable_device, pci_enable_device, pci_set_master } from './pci/pci';
import type { pci_driver } from './pci/pci-driver';

/** Arguments of one pci_alloc_irq_vectors_affinity(). flags: PCI_IRQ_*; pre, post and sets count with PCI_IRQ_AFFINITY only */
export interface AllocPattern {
  readonly min: number;
  readonly max: number;
  readonly flags: number;
  readonly pre?: number;
  readonly post?: number;
  /** the spread vectors as sets of at most these sizes, each spread over all CPUs; the first one has what the others leave */
  readonly sets?: readonly number[];
}

/** What a handler says: NULL = there is only a thread. */
export type HandlerAnswer = 'IRQ_HANDLED' | 'IRQ_NONE' | 'IRQ_WAKE_THREAD' | 'NULL';

export interface RequestPattern {
  readonly vector: number;
  readonly name: string;
  /** IRQF_* */
  readonly flags: number;
  /** default: IRQ_HANDLED */
  readonly handler?: HandlerAnswer;
}

/** What a driver does about interrupts, said in data. */
export interface DriverPattern {
  readonly name: string;
  /** tried in this order until one gets vectors */
  readonly alloc: readonly AllocPattern[];
  /** in this order. Vectors that were not allocated are left out. */
  readonly request: readonly RequestPattern[];
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

/** Takes no notice of the device. */
function* pattern_deaf_irq(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_NONE;
}

/** Leaves the device to the thread. */
function* pattern_waking_irq(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_WAKE_THREAD;
}

const HANDLERS: Record<HandlerAnswer, { readonly handler: irq_handler_t | null; readonly thread_fn: irq_handler_t | null }> = {
  IRQ_HANDLED: { handler: pattern_irq, thread_fn: null },
  IRQ_NONE: { handler: pattern_deaf_irq, thread_fn: null },
  IRQ_WAKE_THREAD: { handler: pattern_waking_irq, thread_fn: pattern_irq },
  NULL: { handler: null, thread_fn: pattern_irq },
};

function* pattern_request(pattern: DriverPattern, pdev: PciDev, dev: PatternDev): Op<number> {
  for (const { vector, name, flags, handler: answer = 'IRQ_HANDLED' } of pattern.request) {
    if (vector >= dev.nvecs) continue;
    const dev_id = new PatternVector(pdev, vector);
    const { handler, thread_fn } = HANDLERS[answer];
    const result = yield* request_threaded_irq(yield* pci_irq_vector(pdev, vector), handler, thread_fn, flags, name, dev_id);
    if (result < 0) return result;
    dev.vectors.push(dev_id);
  }
  return 0;
}

/** Each set but the first gets its size, as long as those before it keep a vector each. */
function* pattern_calc_sets(affd: irq_affinity, affvecs: number): Op {
  const sizes = affd.priv as readonly number[];
  let left = affvecs;
  affd.nr_sets = Math.max(Math.min(sizes.length, affvecs), 1);
  for (let set = affd.nr_sets - 1; set > 0; set--) {
    affd.set_size[set] = Math.min(sizes[set], left - set);
    left -= affd.set_size[set];
  }
  affd.set_size[0] = Math.min(sizes[0], left);
}

function* pattern_alloc(pdev: PciDev, { min, max, flags, pre = 0, post = 0, sets }: AllocPattern): Op<number> {
  if (!(flags & PCI_IRQ_AFFINITY)) return yield* pci_alloc_irq_vectors_affinity(pdev, min, max, flags, null);
  const affd: irq_affinity = { pre_vectors: pre, post_vectors: post, nr_sets: 0, set_size: [0, 0, 0, 0], ...(sets && { calc_sets: pattern_calc_sets, priv: sets }) };
  return yield* pci_alloc_irq_vectors_affinity(pdev, min, max, flags, affd);
}

function* pattern_probe(pattern: DriverPattern, pdev: PciDev): Op<number> {
  const dev = new PatternDev();
  pdev.drvdata = dev;
  const enabled = yield* pci_enable_device(pdev);
  if (enabled < 0) return enabled;
  yield* pci_set_master(pdev);

  let nvecs = 0;
  for (const alloc of pattern.alloc) {
    nvecs = yield* pattern_alloc(pdev, alloc);
    if (nvecs > 0) break;
  }
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
