import type { Op } from '../../stepper/op';
import { IRQF_SHARED, IRQ_HANDLED, type irq_affinity } from '../../kernel/include/interrupt';
import { PCI_IRQ_AFFINITY, PCI_IRQ_LEGACY, PCI_IRQ_MSI, PCI_IRQ_MSIX, type PciDev } from '../../kernel/include/pci';
import { pci_msi_vec_count, pci_msix_vec_count } from '../../kernel/drivers/pci/msi';
import { pci_alloc_irq_vectors_affinity, pci_free_irq_vectors, pci_irq_vector } from '../../kernel/drivers/pci/msi_api';
import { pci_enable_device, pci_set_master } from '../../kernel/drivers/pci/pci';
import { free_irq, request_irq } from '../../kernel/irq/manage';
import { EINVAL, ENODEV } from '../../kernel/lib/errno';
import { kernel } from '../../kernel/world';

// The commands of the test module irqlens, as the model's own driver: what a script writes to /proc/irqlens_cmd.

/** Vectors whose handlers the module keeps track of. */
const MAXV = 4096;

/** What the module remembers of a device that a command named. */
export interface lens_slot {
  readonly pdev: PciDev;
  /** vectors of the last successful alloc */
  n: number;
  /** indices of the vectors that have the module's handler */
  req: Set<number>;
  mapped: boolean;
}

/** @returns what /proc/irqlens_cmd holds afterwards: `4 : alloc 0000:00:04.0 1 4 x` */
export function* lens_command(slots: lens_slot[], line: string): Op<string> {
  const [cmd = '', bdf = '', ...words] = line.split(' ');
  const slot = yield* find_slot(slots, bdf);
  if (!slot) return `${-ENODEV} : ${line}`;
  if (cmd === 'req' || cmd === 'unreq') return yield* request(slot, cmd === 'unreq', words.map(Number), line);
  return `${yield* run(slot, cmd, words)} : ${line}`;
}

/** The device's slot, made (and the device enabled) by its first command. */
function* find_slot(slots: lens_slot[], bdf: string): Op<lens_slot | undefined> {
  const pdev = kernel.pci_devices.find(dev => dev.name === bdf);
  if (!pdev) return undefined;
  const known = slots.find(slot => slot.pdev === pdev);
  if (known) return known;

  if (yield* pci_enable_device(pdev)) return undefined;
  yield* pci_set_master(pdev);
  const slot = { pdev, n: 0, req: new Set<number>(), mapped: false };
  slots.push(slot);
  return slot;
}

function* run(slot: lens_slot, cmd: string, words: readonly string[]): Op<number> {
  switch (cmd) {
    case 'alloc':
      return yield* alloc(slot, words);
    case 'freevecs':
      return yield* freevecs(slot);
    case 'map':
      slot.mapped = true;
      return 0;
    case 'fire':
      if (!slot.mapped) return -EINVAL;
      if (slot.pdev.hw.msiEnabled) slot.pdev.hw.raise(0);
      else slot.pdev.hw.assertIntx();
      return 0;
    case 'irqof':
      return yield* pci_irq_vector(slot.pdev, Number(words[0]));
    case 'nvec': {
      const msix = yield* pci_msix_vec_count(slot.pdev);
      return msix < 0 ? yield* pci_msi_vec_count(slot.pdev) : msix;
    }
    default:
      return -EINVAL;
  }
}

const TYPES: Record<string, number> = { x: PCI_IRQ_MSIX, m: PCI_IRQ_MSI, l: PCI_IRQ_LEGACY, a: PCI_IRQ_AFFINITY };

/** alloc BDF min max FLAGS [pre post] */
function* alloc(slot: lens_slot, [min = '', max = '', letters = '', pre = '0', post = '0']: readonly string[]): Op<number> {
  const flags = Object.entries(TYPES).reduce((sum, [letter, flag]) => (letters.includes(letter) ? sum | flag : sum), 0);
  const affd: irq_affinity = { pre_vectors: Number(pre), post_vectors: Number(post), nr_sets: 0, set_size: [] };
  const ret = yield* pci_alloc_irq_vectors_affinity(slot.pdev, Number(min), Number(max), flags, flags & PCI_IRQ_AFFINITY ? affd : null);
  if (ret > 0) slot.n = ret;
  return ret;
}

function* freevecs(slot: lens_slot): Op<number> {
  for (const i of [...slot.req].sort((a, b) => a - b)) {
    slot.req.delete(i);
    yield* free_irq(yield* pci_irq_vector(slot.pdev, i), slot);
  }
  yield* pci_free_irq_vectors(slot.pdev);
  slot.n = 0;
  return 0;
}

/** req | unreq BDF first [last] */
function* request(slot: lens_slot, un: boolean, [first = 0, last = first]: readonly number[], line: string): Op<string> {
  let ret = 0;
  let i = first;
  for (; i <= last && i < MAXV; i++) {
    const virq = yield* pci_irq_vector(slot.pdev, i);
    if (virq < 0) {
      ret = virq;
      break;
    }
    if (un) {
      if (slot.req.delete(i)) yield* free_irq(virq, slot);
      continue;
    }
    ret = yield* request_irq(virq, lens_handler, IRQF_SHARED, 'irqlens', slot);
    if (ret) break;
    slot.req.add(i);
  }
  if (un || ret === 0) return `${i - first} : ${line}`;
  return `${ret} (after ${i - first} ok) : ${line}`;
}

/** A device whose registers are mapped has raised its line until it is told that this was seen. */
export function* lens_handler(_irq: number, dev_id: unknown): Op<number> {
  const { pdev, mapped } = dev_id as lens_slot;
  if (mapped) pdev.hw.deassertIntx();
  return IRQ_HANDLED;
}
