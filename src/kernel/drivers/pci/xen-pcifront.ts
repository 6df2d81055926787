import { SH_INFO_MAX_VEC, XEN_PCI_ERR, XEN_PCI_OP, XEN_PCIF_active, type xen_pci_op, type xen_pci_sharedinfo } from '../../../hardware/xen/pci-backend';
import { DOMID_SELF, EVTCHNOP } from '../../../hardware/xen/interface';
import type { Op } from '../../../stepper/op';
import { HYPERVISOR_event_channel_op } from '../../arch/x86/xen/hypercall';
import { IRQ_HANDLED } from '../../include/interrupt';
import { pci_domain_nr, type PciDev } from '../../include/pci';
import { EINVAL, ENODEV } from '../../lib/errno';
import { local_irq_restore, local_irq_save } from '../../lib/locking';
import { pr_err, pr_info, pr_warn } from '../../lib/printk';
import { kernel, machine } from '../../world';
import { bind_evtchn_to_irqhandler, notify_remote_via_evtchn } from '../xen/events/events_bind';
import { clear_evtchn } from '../xen/events/events_internal';
import { pcifront_scan_root } from './probe';

// PCI devices of a PV guest: drivers/pci/xen-pcifront.c. What it wants of a device it asks pciback in dom0, through a page that both see.
// Accesses to configuration space go straight to the function.

/** What arch/x86/pci/xen.c calls. Source: arch/x86/include/asm/xen/pci.h */
export interface xen_pci_frontend_ops {
  readonly enable_msi: (dev: PciDev, vectors: number[]) => Op<number>;
  readonly disable_msi: (dev: PciDev) => Op;
  readonly enable_msix: (dev: PciDev, vectors: number[], nvec: number) => Op<number>;
  readonly disable_msix: (dev: PciDev) => Op;
}

/** struct pcifront_device */
export class pcifront_device {
  static readonly struct = 'pcifront_device';
  evtchn = 0;
  irq = -1;
  readonly sh_info: xen_pci_sharedinfo = { flags: 0, op: operation(0) };
}

export const xen_pcifront_globals = () => ({
  pcifront_dev: null as pcifront_device | null,
});

function operation(cmd: number, dev?: PciDev, value = 0): xen_pci_op {
  const place = dev ? { domain: pci_domain_nr(dev.parent_bus), bus: dev.bus, devfn: dev.devfn } : { domain: 0, bus: 0, devfn: 0 };
  return { cmd, err: 0, ...place, value, msix_entries: [] };
}

const pci_err = (dev: PciDev, text: string): void => pr_err(`pci ${dev.name}: ${text}`);

/** The operation goes into the shared page, pciback is told, and is waited for. @returns its error. Source: drivers/pci/xen-pcifront.c, do_pci_op() */
function* do_pci_op(pdev: pcifront_device, op: xen_pci_op): Op<number> {
  const flags = yield* local_irq_save();
  pdev.sh_info.op = op;
  pdev.sh_info.flags |= XEN_PCIF_active;
  yield* notify_remote_via_evtchn(pdev.evtchn);

  yield* clear_evtchn(pdev.evtchn);
  let err = op.err;
  if (pdev.sh_info.flags & XEN_PCIF_active) {
    pr_err('pcifront pci-0: pciback not responding!!!');
    pdev.sh_info.flags &= ~XEN_PCIF_active;
    err = XEN_PCI_ERR.dev_not_found;
  }
  yield* local_irq_restore(flags);
  return err;
}

/** @param vector gets the pirqs @returns 0 or an errno. Source: drivers/pci/xen-pcifront.c, pci_frontend_enable_msix() */
function* pci_frontend_enable_msix(dev: PciDev, vector: number[], nvec: number): Op<number> {
  if (nvec > SH_INFO_MAX_VEC) {
    pci_err(dev, `too many vectors (0x${nvec.toString(16)}) for PCI frontend: Increase SH_INFO_MAX_VEC`);
    return -EINVAL;
  }
  const op = operation(XEN_PCI_OP.enable_msix, dev, nvec);
  op.msix_entries = dev.msi_list.map(({ msi_attrib }) => ({ entry: msi_attrib.entry_nr, vector: -1 }));

  let err = yield* do_pci_op(kernel.pcifront_dev!, op);
  if (err) {
    pci_err(dev, `enable msix get err ${(err >>> 0).toString(16)}`);
    return err;
  }
  if (op.value) {
    pr_info(`enable msix get value ${op.value.toString(16)}`);
    return op.value;
  }
  for (const [i, entry] of op.msix_entries.entries()) {
    if (entry.vector <= 0) {
      pr_warn(`pci ${dev.name}: MSI-X entry ${i} is invalid: ${entry.vector}!`);
      err = -EINVAL;
      vector[i] = -1;
    } else {
      vector[i] = entry.vector;
    }
  }
  return err;
}

/** Source: drivers/pci/xen-pcifront.c, pci_frontend_disable_msix() */
function* pci_frontend_disable_msix(dev: PciDev): Op {
  const err = yield* do_pci_op(kernel.pcifront_dev!, operation(XEN_PCI_OP.disable_msix, dev));
  if (err) pci_err(dev, `pci_disable_msix get err ${(err >>> 0).toString(16)}`);
}

/** @param vector gets the pirq @returns 0 or -EINVAL. Source: drivers/pci/xen-pcifront.c, pci_frontend_enable_msi() */
function* pci_frontend_enable_msi(dev: PciDev, vector: number[]): Op<number> {
  const op = operation(XEN_PCI_OP.enable_msi, dev);
  if (yield* do_pci_op(kernel.pcifront_dev!, op)) {
    pci_err(dev, `pci frontend enable msi failed for dev ${op.bus.toString(16)}:${op.devfn.toString(16)}`);
    return -EINVAL;
  }
  vector[0] = op.value;
  if (op.value > 0) return 0;
  pr_warn(`pci ${dev.name}: MSI entry is invalid: ${op.value}!`);
  vector[0] = -1;
  return -EINVAL;
}

/** Source: drivers/pci/xen-pcifront.c, pci_frontend_disable_msi() */
function* pci_frontend_disable_msi(dev: PciDev): Op {
  const err = yield* do_pci_op(kernel.pcifront_dev!, operation(XEN_PCI_OP.disable_msi, dev));
  if (err === XEN_PCI_ERR.dev_not_found) pr_info('get no response from backend for disable MSI');
  else if (err) pr_info('get fake response from backend');
}

const pci_frontend_ops: xen_pci_frontend_ops = Object.freeze({
  enable_msi: pci_frontend_enable_msi,
  disable_msi: pci_frontend_disable_msi,
  enable_msix: pci_frontend_enable_msix,
  disable_msix: pci_frontend_disable_msix,
});

/** The backend has something for the driver of a device: not modelled. Source: drivers/pci/xen-pcifront.c, pcifront_handler_aer() */
function* pcifront_handler_aer(irq: number, dev: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** The page and an event channel for pciback. @returns 0 or an errno. Source: drivers/pci/xen-pcifront.c, pcifront_publish_info() */
function* pcifront_publish_info(pdev: pcifront_device): Op<number> {
  const alloc_unbound = { dom: DOMID_SELF, remote_dom: 0, port: 0 };
  const err = HYPERVISOR_event_channel_op(EVTCHNOP.alloc_unbound, alloc_unbound);
  if (err) return err;
  pdev.evtchn = alloc_unbound.port;
  machine.pciback!.connect(pdev.sh_info, pdev.evtchn);
  const irq = yield* bind_evtchn_to_irqhandler(pdev.evtchn, pcifront_handler_aer, 0, 'pcifront', pdev);
  if (irq < 0) return irq;
  pdev.irq = irq;
  return 0;
}

/** Source: drivers/pci/xen-pcifront.c, pcifront_xenbus_probe(), then pcifront_try_connect() when pciback is ready */
export function* pcifront_xenbus_probe(): Op<number> {
  if (!machine.pciback) return -ENODEV;
  const pdev = new pcifront_device();
  const err = yield* pcifront_publish_info(pdev);
  if (err) return err;

  pr_info('pcifront pci-0: Installing PCI frontend');
  kernel.pcifront_dev = pdev;
  kernel.xen_pci_frontend = pci_frontend_ops;
  for (const domain of [...new Set(machine.pci.map(fn => fn.domain))]) yield* pcifront_scan_root(domain);
  return 0;
}
