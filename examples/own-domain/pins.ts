// An interrupt controller behind one message: eight pins, of which a device tells by one MSI-X vector. The domain stands alone: its
// handler on that vector reads which pins there are, and calls theirs.
import {
  ENODEV, IRQ_HANDLED, PCI_IRQ_MSIX, chained_irq_enter, chained_irq_exit, device_raise, dma_alloc, free_irq, generic_handle_irq, handle_edge_irq, irq_create_mapping, irq_dispose_mapping,
  irq_domain_alloc_named_fwnode, irq_domain_create_linear, irq_domain_remove, irq_find_mapping, irq_set_chained_handler, irq_set_chip_and_handler, irq_set_chip_data, irq_set_handler_data,
  pci_alloc_irq_vectors_affinity, pci_device, pci_disable_device, pci_enable_device, pci_free_irq_vectors, pci_irq_vector, pci_set_master, readl, request_irq, writel,
} from 'irqstep/model';
import type { Op, PciDev, irq_chip, irq_data, irq_desc, irq_domain, irq_domain_ops, pci_driver } from 'irqstep/model';

const PINS = 8;
/** Registers: which pins have an interrupt, and which may send. */
const STATUS = 0, ENABLE = 4;

interface Pins {
  readonly registers: number;
  readonly domain: irq_domain;
}

const change = (register: number, clear: number, set: number): void => writel((readl(register) & ~clear) | set, register);
const registers_of = (data: irq_data): number => data.chip_data as number;

// ---- one pin

function* pins_ack(data: irq_data): Op {
  change(registers_of(data) + STATUS, 1 << data.hwirq, 0);
}

function* pins_mask(data: irq_data): Op {
  change(registers_of(data) + ENABLE, 1 << data.hwirq, 0);
}

function* pins_unmask(data: irq_data): Op {
  change(registers_of(data) + ENABLE, 0, 1 << data.hwirq);
}

const pins_chip: irq_chip = { name: 'PINS', irq_ack: pins_ack, irq_mask: pins_mask, irq_unmask: pins_unmask, flags: 0 };

/** irq_create_mapping(): an interrupt for a pin. It has this level only; its vector is the device's. */
function* pins_map(domain: irq_domain, virq: number, _hwirq: number): Op<number> {
  yield* irq_set_chip_data(virq, domain.host_data);
  yield* irq_set_chip_and_handler(virq, pins_chip, handle_edge_irq);
  return 0;
}

const pins_ops: irq_domain_ops = { map: pins_map };

/** The device's vector: whose interrupt is it? */
function* pins_demux(desc: irq_desc): Op {
  const { registers, domain } = desc.irq_common_data.handler_data as Pins;
  const { chip } = desc.irq_data;
  yield* chained_irq_enter(chip, desc);
  const pending = readl(registers + STATUS) & readl(registers + ENABLE);
  for (let pin = 0; pin < PINS; pin++) {
    if (pending & (1 << pin)) yield* generic_handle_irq(yield* irq_find_mapping(domain, pin));
  }
  yield* chained_irq_exit(chip, desc);
}

// ---- the device's driver

function* pins_probe(pdev: PciDev): Op<number> {
  const err = yield* pci_enable_device(pdev);
  if (err < 0) return err;
  yield* pci_set_master(pdev);
  const vectors = yield* pci_alloc_irq_vectors_affinity(pdev, 1, 1, PCI_IRQ_MSIX, null);
  if (vectors < 0) return vectors;
  const registers = dma_alloc(8);
  const pins: Pins = { registers, domain: yield* irq_domain_create_linear(yield* irq_domain_alloc_named_fwnode('PINS'), PINS, pins_ops, registers) };
  pdev.drvdata = pins;
  const irq = yield* pci_irq_vector(pdev, 0);
  yield* irq_set_handler_data(irq, pins);
  yield* irq_set_chained_handler(irq, pins_demux);
  return 0;
}

function* pins_remove(pdev: PciDev): Op {
  yield* irq_set_chained_handler(yield* pci_irq_vector(pdev, 0), null);
  yield* irq_domain_remove((pdev.drvdata as Pins).domain);
  yield* pci_free_irq_vectors(pdev);
  yield* pci_disable_device(pdev);
}

export const pins_driver: pci_driver = { name: 'pins', probe: pins_probe, remove: pins_remove };

// ---- what the scenario calls

function* pin_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** @returns the pin's interrupt, or an errno */
export function* request_pin(device: string, pin: number): Op<number> {
  const { domain } = pci_device(device).drvdata as Pins;
  const irq = yield* irq_create_mapping(domain, pin);
  if (irq === 0) return -ENODEV;
  const err = yield* request_irq(irq, pin_handler, 0, `pin${pin}`, domain);
  return err < 0 ? err : irq;
}

export function* free_pin(device: string, pin: number): Op {
  const { domain } = pci_device(device).drvdata as Pins;
  const irq = yield* irq_find_mapping(domain, pin);
  yield* free_irq(irq, domain);
  yield* irq_dispose_mapping(irq);
}

/** Edges on pins: the device notes them, and sends its message. */
export function* edges(device: string, ...pins: number[]): Op {
  const pdev = pci_device(device);
  for (const pin of pins) change((pdev.drvdata as Pins).registers + STATUS, 0, 1 << pin);
  yield* device_raise(pdev, 0);
}
