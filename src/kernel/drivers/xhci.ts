import type { Op } from '../../stepper/op';
import { IRQF_SHARED, IRQ_HANDLED } from '../include/interrupt';
import { PCI_IRQ_MSI, PCI_IRQ_MSIX, type PciDev } from '../include/pci';
import { free_irq, request_irq } from '../irq/manage';
import { EINVAL } from '../lib/errno';
import { has, kernel } from '../world';
import { pci_alloc_irq_vectors, pci_free_irq_vectors, pci_irq_vector } from './pci/msi_api';
import { pci_disable_device, pci_enable_device, pci_set_master } from './pci/pci';
import type { pci_driver } from './pci/pci-driver';

// drivers/usb/host/xhci.c and xhci-pci.c as far as interrupts go: an MSI-X vector for each CPU and one more, else MSI, else the pin.

/** Interrupters of a controller as QEMU has it (HCSPARAMS1). */
const HCS_MAX_INTRS = 16;

class xhci_hcd {
  msix_count = 0;
  /** vectors that are requested */
  requested = 0;
  msix_enabled = false;
  /** of the pin; 0: messages are in use */
  irq = 0;
  /** n of usbn: of its USB 2 root hub, and of its USB 3 one */
  readonly busnums: number[] = [];
  constructor(readonly pdev: PciDev) {}
}

/** A root hub gets the lowest number that no other has. Source: drivers/usb/core/hcd.c, usb_register_bus() */
function* usb_register_bus(xhci: xhci_hcd): Op {
  const taken = new Set(kernel.pci_devices.flatMap(d => (d.drvdata instanceof xhci_hcd ? d.drvdata.busnums : [])));
  let busnum = 1;
  while (taken.has(busnum)) busnum++;
  xhci.busnums.push(busnum);
}

function* xhci_msi_irq(_irq: number, _data: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* usb_hcd_irq(_irq: number, data: unknown): Op<number> {
  (data as xhci_hcd).pdev.hw.deassertIntx();
  return IRQ_HANDLED;
}

/** @returns 0 or an errno */
function* xhci_setup_msix(xhci: xhci_hcd): Op<number> {
  const { pdev } = xhci;
  xhci.msix_count = Math.min(kernel.cpu_online_mask.weight + 1, HCS_MAX_INTRS);
  let ret = yield* pci_alloc_irq_vectors(pdev, xhci.msix_count, xhci.msix_count, PCI_IRQ_MSIX);
  if (ret < 0) return ret;

  xhci.requested = has('xhci-one-interrupt') ? 1 : xhci.msix_count;
  for (let i = 0; i < xhci.requested; i++) {
    ret = yield* request_irq(yield* pci_irq_vector(pdev, i), xhci_msi_irq, 0, 'xhci_hcd', xhci);
    if (!ret) continue;
    while (--i >= 0) yield* free_irq(yield* pci_irq_vector(pdev, i), xhci);
    yield* pci_free_irq_vectors(pdev);
    return ret;
  }
  xhci.msix_enabled = true;
  return ret;
}

/** What xhci_try_enable_msi() of v6.8 does first: as many as there are, MSI-X or MSI, of which it takes one. @returns 0 or an errno */
function* xhci_setup_messages(xhci: xhci_hcd): Op<number> {
  const { pdev } = xhci;
  const nvecs = yield* pci_alloc_irq_vectors(pdev, 1, Math.min(kernel.cpu_online_mask.weight + 1, HCS_MAX_INTRS), PCI_IRQ_MSIX | PCI_IRQ_MSI);
  if (nvecs < 0) return nvecs;

  const ret = yield* request_irq(yield* pci_irq_vector(pdev, 0), xhci_msi_irq, 0, 'xhci_hcd', xhci);
  if (ret) yield* pci_free_irq_vectors(pdev);
  return ret;
}

/** @returns 0 or an errno */
function* xhci_setup_msi(xhci: xhci_hcd): Op<number> {
  const { pdev } = xhci;
  let ret = yield* pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
  if (ret < 0) return ret;

  ret = yield* request_irq(pdev.irq, xhci_msi_irq, 0, 'xhci_hcd', xhci);
  if (ret) yield* pci_free_irq_vectors(pdev);
  return ret;
}

/** @returns 0 or an errno */
function* xhci_try_enable_msi(xhci: xhci_hcd): Op<number> {
  let ret = has('xhci-msi-as-msix') ? yield* xhci_setup_messages(xhci) : yield* xhci_setup_msix(xhci);
  if (ret && !has('xhci-msi-as-msix')) ret = yield* xhci_setup_msi(xhci);
  if (!ret) return 0;

  if (!xhci.pdev.irq) return -EINVAL;
  ret = yield* request_irq(xhci.pdev.irq, usb_hcd_irq, IRQF_SHARED, `xhci-hcd:usb${xhci.busnums[0]}`, xhci);
  if (!ret) xhci.irq = xhci.pdev.irq;
  return ret;
}

function* xhci_cleanup_msix(xhci: xhci_hcd): Op {
  if (xhci.irq > 0) return;
  for (let i = 0; i < (xhci.msix_enabled ? xhci.requested : 1); i++) yield* free_irq(yield* pci_irq_vector(xhci.pdev, i), xhci);
  yield* pci_free_irq_vectors(xhci.pdev);
  xhci.msix_enabled = false;
}

/** Sets interrupts up when the first root hub is added. @returns 0 or an errno. Source: xhci_run() */
function* xhci_run(xhci: xhci_hcd): Op<number> {
  return yield* xhci_try_enable_msi(xhci);
}

/** Source: xhci_stop(), and usb_remove_hcd() behind it */
function* xhci_stop(xhci: xhci_hcd): Op {
  yield* xhci_cleanup_msix(xhci);
  if (xhci.irq > 0) yield* free_irq(xhci.irq, xhci);
}

/** @returns 0 or an errno. Source: drivers/usb/host/xhci-pci.c, xhci_pci_probe(); usb_hcd_pci_probe() */
function* xhci_pci_probe(pdev: PciDev): Op<number> {
  const err = yield* pci_enable_device(pdev);
  if (err < 0) return err;
  yield* pci_set_master(pdev);

  const xhci = new xhci_hcd(pdev);
  pdev.drvdata = xhci;
  yield* usb_register_bus(xhci);
  const retval = yield* xhci_run(xhci);
  if (retval) {
    pdev.drvdata = null;
    yield* pci_disable_device(pdev);
  } else {
    yield* usb_register_bus(xhci);
  }
  return retval;
}

/** Source: drivers/usb/host/xhci-pci.c, xhci_pci_remove(); usb_hcd_pci_remove() */
function* xhci_pci_remove(pdev: PciDev): Op {
  const xhci = pdev.drvdata as xhci_hcd;
  yield* xhci_stop(xhci);
  pdev.drvdata = null;
  yield* pci_disable_device(pdev);
}

export const xhci_pci_driver: pci_driver = Object.freeze({ name: 'xhci_hcd', probe: xhci_pci_probe, remove: xhci_pci_remove });
