import type { PciFunction } from '../pci';
import { MSI_FLAGS, MSIX_FLAGS, PCI_MSI_FLAGS, PCI_MSIX_FLAGS } from '../pci-registers';
import type { XenHypervisor } from './hypervisor';

// The other end of a PV guest's PCI devices: pciback in dom0, which does for the guest what the guest may not. Source: xen/include/public/io/pciif.h

export const XEN_PCI_OP = { enable_msi: 2, disable_msi: 3, enable_msix: 4, disable_msix: 5 } as const;
export const XEN_PCI_ERR = { success: 0, dev_not_found: -1, op_failed: -5 } as const;
/** _XEN_PCIF_active: the frontend has put an operation there. */
export const XEN_PCIF_active = 1 << 0;
export const SH_INFO_MAX_VEC = 128;

/** struct xen_pci_op: what the frontend wants, and what came of it. */
export interface xen_pci_op {
  cmd: number;
  err: number;
  domain: number;
  bus: number;
  devfn: number;
  value: number;
  msix_entries: { vector: number; entry: number }[];
}

/** struct xen_pci_sharedinfo: the page between frontend and backend. */
export interface xen_pci_sharedinfo {
  flags: number;
  op: xen_pci_op;
}

/** Serves the operation that stands in the shared page. */
export class PciBackend {
  /** the page, once the frontend has granted it */
  private page: xen_pci_sharedinfo | null = null;

  constructor(
    private readonly xen: XenHypervisor,
    private readonly functions: () => readonly PciFunction[],
  ) {}

  /** The frontend has told in xenstore of its page and its event channel. */
  connect(page: xen_pci_sharedinfo, port: number): void {
    this.page = page;
    this.xen.channels.connect(port, () => this.notify());
  }

  /** The frontend has sent an event. */
  private notify(): void {
    const { page } = this;
    if (!page || (page.flags & XEN_PCIF_active) === 0) return;
    page.op.err = this.serve(page.op);
    page.flags &= ~XEN_PCIF_active;
  }

  private serve(op: xen_pci_op): number {
    const fn = this.functions().find(f => f.domain === op.domain && f.bus === op.bus && f.devfn === op.devfn);
    if (!fn) return XEN_PCI_ERR.dev_not_found;
    if (op.cmd === XEN_PCI_OP.enable_msi) return this.enableMsi(fn, op);
    if (op.cmd === XEN_PCI_OP.enable_msix) return this.enableMsix(fn, op);
    this.xen.unmapForGuest(fn);
    if (op.cmd === XEN_PCI_OP.disable_msi) setMsi(fn, false);
    else setMsix(fn, false);
    return XEN_PCI_ERR.success;
  }

  private enableMsi(fn: PciFunction, op: xen_pci_op): number {
    op.value = this.xen.mapForGuest(fn, null);
    if (op.value < 0) return op.value;
    setMsi(fn, true);
    return XEN_PCI_ERR.success;
  }

  private enableMsix(fn: PciFunction, op: xen_pci_op): number {
    const entries = op.msix_entries.slice(0, op.value);
    for (const msix of entries) {
      msix.vector = this.xen.mapForGuest(fn, msix.entry);
      if (msix.vector >= 0) continue;
      this.xen.unmapForGuest(fn);
      op.value = msix.vector;
      return msix.vector;
    }
    setMsix(fn, true);
    op.value = 0;
    return XEN_PCI_ERR.success;
  }
}

function setMsi(fn: PciFunction, enable: boolean): void {
  const at = fn.space.msi + PCI_MSI_FLAGS;
  fn.write16(at, MSI_FLAGS.with(fn.read16(at), { enable }));
}

function setMsix(fn: PciFunction, enable: boolean): void {
  const at = fn.space.msix + PCI_MSIX_FLAGS;
  fn.write16(at, MSIX_FLAGS.with(fn.read16(at), { enable }));
}
