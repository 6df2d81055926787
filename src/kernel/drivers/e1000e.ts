import type { Op } from '../../stepper/op';
import { IRQF_SHARED, IRQ_HANDLED } from '../include/interrupt';
import type { PciDev } from '../include/pci';
import { free_irq, request_irq } from '../irq/manage';
import { cpu_relax } from '../lib/locking';
import { kernel } from '../world';
import { pci_disable_msi, pci_disable_msix, type msix_entry } from './pci/msi';
import { pci_enable_msi, pci_enable_msix_range } from './pci/msi_api';
import { pci_disable_device, pci_enable_device, pci_set_master } from './pci/pci';
import type { pci_driver } from './pci/pci-driver';

// drivers/net/ethernet/intel/e1000e/netdev.c as far as interrupts go: vectors at probe, handlers while the interface is up.

/** Receive queue, transmit queue, everything else. */
const NUM_VECTORS = 3;

class e1000_adapter {
  msix_entries: msix_entry[] | null = null;
  msi_enabled = false;
  /** the best kind of interrupt that has not failed */
  int_mode: 'MSIX' | 'MSI' | 'LEGACY' = 'MSIX';
  msi_test_failed = false;
  /** the interface is up */
  running = false;
  constructor(
    readonly pdev: PciDev,
    readonly netdev_name: string,
  ) {}
}

function* e1000_intr(_irq: number, data: unknown): Op<number> {
  (data as e1000_adapter).pdev.hw.deassertIntx();
  return IRQ_HANDLED;
}

function* e1000_intr_msi(_irq: number, _data: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* e1000_intr_msix_rx(_irq: number, _data: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* e1000_intr_msix_tx(_irq: number, _data: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* e1000_msix_other(_irq: number, _data: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* e1000e_reset_interrupt_capability(adapter: e1000_adapter): Op {
  if (adapter.msix_entries) {
    yield* pci_disable_msix(adapter.pdev);
    adapter.msix_entries = null;
  } else if (adapter.msi_enabled) {
    yield* pci_disable_msi(adapter.pdev);
    adapter.msi_enabled = false;
  }
}

/** MSI-X, else MSI, else the pin; not what has failed before. */
function* e1000e_set_interrupt_capability(adapter: e1000_adapter): Op {
  const { pdev } = adapter;
  if (adapter.int_mode === 'MSIX') {
    adapter.msix_entries = Array.from({ length: NUM_VECTORS }, (_, entry) => ({ vector: 0, entry }));
    const err = yield* pci_enable_msix_range(pdev, adapter.msix_entries, NUM_VECTORS, NUM_VECTORS);
    if (err > 0) return;
    yield* e1000e_reset_interrupt_capability(adapter);
    adapter.int_mode = 'MSI';
  }
  if (adapter.int_mode !== 'MSI') return;
  adapter.msi_enabled = (yield* pci_enable_msi(pdev)) === 0;
  if (!adapter.msi_enabled) adapter.int_mode = 'LEGACY';
}

/** @returns 0 or an errno. */
function* e1000_request_msix(adapter: e1000_adapter, entries: readonly msix_entry[]): Op<number> {
  const { netdev_name } = adapter;
  let err = yield* request_irq(entries[0].vector, e1000_intr_msix_rx, 0, `${netdev_name}-rx-0`, adapter);
  if (err) return err;
  err = yield* request_irq(entries[1].vector, e1000_intr_msix_tx, 0, `${netdev_name}-tx-0`, adapter);
  if (err) return err;
  return yield* request_irq(entries[2].vector, e1000_msix_other, 0, netdev_name, adapter);
}

/** @returns 0 or an errno. */
function* e1000_request_irq(adapter: e1000_adapter): Op<number> {
  const { pdev, netdev_name } = adapter;
  if (adapter.msix_entries) {
    const err = yield* e1000_request_msix(adapter, adapter.msix_entries);
    if (!err) return err;
    yield* e1000e_reset_interrupt_capability(adapter);
    adapter.int_mode = 'MSI';
    yield* e1000e_set_interrupt_capability(adapter);
  }
  if (adapter.msi_enabled) {
    const err = yield* request_irq(pdev.irq, e1000_intr_msi, 0, netdev_name, adapter);
    if (!err) return err;
    yield* e1000e_reset_interrupt_capability(adapter);
    adapter.int_mode = 'LEGACY';
  }
  return yield* request_irq(pdev.irq, e1000_intr, IRQF_SHARED, netdev_name, adapter);
}

function* e1000_free_irq(adapter: e1000_adapter): Op {
  if (!adapter.msix_entries) {
    yield* free_irq(adapter.pdev.irq, adapter);
    return;
  }
  for (const { vector } of adapter.msix_entries) yield* free_irq(vector, adapter);
}

function* e1000_intr_msi_test(_irq: number, data: unknown): Op<number> {
  (data as e1000_adapter).msi_test_failed = false;
  return IRQ_HANDLED;
}

/** The device sends one message to a handler of the test's own; where none arrives the pin it is. @returns 0 or an errno. Source: e1000_test_msi_interrupt() */
function* e1000_test_msi_interrupt(adapter: e1000_adapter): Op<number> {
  const { pdev, netdev_name } = adapter;
  yield* e1000_free_irq(adapter);
  yield* e1000e_reset_interrupt_capability(adapter);

  if ((yield* pci_enable_msi(pdev)) === 0) {
    if ((yield* request_irq(pdev.irq, e1000_intr_msi_test, 0, netdev_name, adapter)) === 0) {
      pdev.hw.raise(0);
      // for 100 ms
      yield* cpu_relax();
      if (adapter.msi_test_failed) adapter.int_mode = 'LEGACY';
      yield* free_irq(pdev.irq, adapter);
    }
    yield* pci_disable_msi(pdev);
  }
  yield* e1000e_set_interrupt_capability(adapter);
  return yield* e1000_request_irq(adapter);
}

/** Some chipsets lose messages of a device that has no MSI-X. @returns 0 or an errno. Source: e1000_test_msi() */
function* e1000_test_msi(adapter: e1000_adapter): Op<number> {
  if (!adapter.msi_enabled) return 0;
  adapter.msi_test_failed = true;
  return yield* e1000_test_msi_interrupt(adapter);
}

/** The interface comes up. @returns 0 or an errno. Source: e1000e_open() */
export function* e1000e_open(pdev: PciDev): Op<number> {
  const adapter = pdev.drvdata as e1000_adapter;
  let err = yield* e1000_request_irq(adapter);
  if (!err && adapter.int_mode !== 'LEGACY') err = yield* e1000_test_msi(adapter);
  if (!err) adapter.running = true;
  return err;
}

/** Source: e1000e_close() */
function* e1000e_close(adapter: e1000_adapter): Op {
  adapter.running = false;
  yield* e1000_free_irq(adapter);
}

/** "eth0", or the first one that is free. Source: net/core/dev.c, dev_alloc_name() */
function* dev_alloc_name(): Op<string> {
  const taken = new Set(kernel.pci_devices.map(({ drvdata }) => (drvdata instanceof e1000_adapter ? drvdata.netdev_name : '')));
  let i = 0;
  while (taken.has(`eth${i}`)) i++;
  return `eth${i}`;
}

/** @returns 0 or an errno. Source: e1000_probe() */
function* e1000_probe(pdev: PciDev): Op<number> {
  const err = yield* pci_enable_device(pdev);
  if (err) return err;
  yield* pci_set_master(pdev);

  const adapter = new e1000_adapter(pdev, yield* dev_alloc_name());
  pdev.drvdata = adapter;
  yield* e1000e_set_interrupt_capability(adapter);
  return 0;
}

/** Source: e1000_remove() */
function* e1000_remove(pdev: PciDev): Op {
  const adapter = pdev.drvdata as e1000_adapter;
  if (adapter.running) yield* e1000e_close(adapter);
  yield* e1000e_reset_interrupt_capability(adapter);
  pdev.drvdata = null;
  yield* pci_disable_device(pdev);
}

export const e1000_driver: pci_driver = Object.freeze({ name: 'e1000e', probe: e1000_probe, remove: e1000_remove });
