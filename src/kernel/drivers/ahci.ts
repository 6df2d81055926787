import type { Op } from '../../stepper/op';
import { IRQF_SHARED, IRQ_HANDLED } from '../include/interrupt';
import { PCI_IRQ_MSI, PCI_IRQ_MSIX, type PciDev } from '../include/pci';
import { free_irq, request_irq } from '../irq/manage';
import { pci_alloc_irq_vectors, pci_free_irq_vectors, pci_irq_vector } from './pci/msi_api';
import { pci_disable_device, pci_enable_device, pci_intx, pci_set_master } from './pci/pci';
import type { pci_driver } from './pci/pci-driver';

// drivers/ata/ahci.c and libahci.c as far as interrupts go: a vector for each port if there are so many, else one for all.

/** Ports of an ICH9, the AHCI controller that a q35 has. */
const N_PORTS = 6;
const INT_MAX = 0x7fffffff;

class ahci_host_priv {
  /** handlers by their irqs */
  readonly irqs: number[] = [];
  constructor(readonly pdev: PciDev) {}
}

function* ahci_single_level_irq_intr(_irq: number, data: unknown): Op<number> {
  (data as ahci_host_priv).pdev.hw.deassertIntx();
  return IRQ_HANDLED;
}

function* ahci_multi_irqs_intr_hard(_irq: number, _data: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** @returns the vectors or an errno. Source: drivers/ata/ahci.c, ahci_init_msi() */
function* ahci_init_msi(pdev: PciDev, n_ports: number): Op<number> {
  if (n_ports > 1) {
    const nvec = yield* pci_alloc_irq_vectors(pdev, n_ports, INT_MAX, PCI_IRQ_MSIX | PCI_IRQ_MSI);
    if (nvec > 0) return nvec;
  }
  const nvec = yield* pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
  if (nvec === 1) return nvec;
  return yield* pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX);
}

/** @returns 0 or an errno. Source: drivers/ata/libahci.c, ahci_host_activate() */
function* ahci_host_activate(hpriv: ahci_host_priv, multi_msi: boolean): Op<number> {
  const { pdev } = hpriv;
  const name = `ahci[${pdev.name}]`;
  for (let i = 0; i < (multi_msi ? N_PORTS : 1); i++) {
    const irq = yield* pci_irq_vector(pdev, i);
    const handler = multi_msi ? ahci_multi_irqs_intr_hard : ahci_single_level_irq_intr;
    const rc = yield* request_irq(irq, handler, multi_msi ? 0 : IRQF_SHARED, multi_msi ? `ahci${i}` : name, hpriv);
    if (rc) return rc;
    hpriv.irqs.push(irq);
  }
  return 0;
}

/** @returns 0 or an errno. Source: drivers/ata/ahci.c, ahci_init_one() */
function* ahci_init_one(pdev: PciDev): Op<number> {
  const rc = yield* pci_enable_device(pdev);
  if (rc) return rc;

  const hpriv = new ahci_host_priv(pdev);
  pdev.drvdata = hpriv;
  const nvec = yield* ahci_init_msi(pdev, N_PORTS);
  if (nvec < 0) yield* pci_intx(pdev, 1);
  yield* pci_set_master(pdev);
  return yield* ahci_host_activate(hpriv, nvec >= N_PORTS);
}

/** Undoes what was managed for the device, the last first. Source: drivers/ata/ahci.c, ahci_remove_one() */
function* ahci_remove_one(pdev: PciDev): Op {
  const hpriv = pdev.drvdata as ahci_host_priv;
  for (const irq of hpriv.irqs.reverse()) yield* free_irq(irq, hpriv);
  pdev.drvdata = null;
  yield* pci_free_irq_vectors(pdev);
  yield* pci_disable_device(pdev);
}

export const ahci_pci_driver: pci_driver = Object.freeze({ name: 'ahci', probe: ahci_init_one, remove: ahci_remove_one });
