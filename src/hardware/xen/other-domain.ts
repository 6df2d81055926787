import type { PciFunction } from '../pci';
import { COMMAND, PCI_COMMAND } from '../pci-registers';
import { XEN_PCI_ERR, XEN_PCI_OP, XEN_PCIF_active, type xen_pci_op, type xen_pci_sharedinfo } from './pci-backend';
import type { Pirq, Pirqs } from './pirqs';

// A guest of Xen's besides the one that runs, to which dom0 has given devices: of it only its pcifront, and what Xen keeps for it.

/** The event channel that its pcifront has made for pciback. */
export const PCIFRONT_PORT = 3;

export class OtherDomain {
  /** the page that pciback maps */
  readonly page: xen_pci_sharedinfo = { flags: 0, op: { cmd: 0, err: 0, domain: 0, bus: 0, devfn: 0, value: 0, msix_entries: [] } };
  /** dom0's end of the event channel; null: nobody listens */
  local: number | null = null;

  constructor(
    /** DOMID */
    readonly id: number,
    readonly pirqs: Pirqs,
  ) {}

  /** Puts an operation for a function into the page; the event that tells of it is the caller's. @param vectors of MSI-X */
  ask(cmd: number, { domain, bus, devfn }: PciFunction, vectors: number): void {
    this.page.op = { cmd, err: 0, domain, bus, devfn, value: vectors, msix_entries: Array.from({ length: vectors }, (_, entry) => ({ entry, vector: -1 })) };
    this.page.flags |= XEN_PCIF_active;
  }

  get waiting(): boolean {
    return (this.page.flags & XEN_PCIF_active) !== 0;
  }

  /** Its kernel takes what it got: the pirqs have event channels there, and the device may send. @returns the operation's error, dev_not_found where nobody has answered */
  take(fn: PciFunction): number {
    const { op } = this.page;
    if (this.waiting) {
      this.page.flags &= ~XEN_PCIF_active;
      return XEN_PCI_ERR.dev_not_found;
    }
    if (op.err === 0 && asksForMessages(op)) {
      fn.write16(PCI_COMMAND, COMMAND.with(fn.read16(PCI_COMMAND), { bus_master: 1, memory: 1 }));
      for (const pirq of this.pirqs.pirqs.values()) if (pirq.fn === fn) this.bind(pirq);
    }
    return op.err;
  }

  /** The pirq has an event channel there; which one is that guest's business. */
  private bind(pirq: Pirq): void {
    pirq.port = PCIFRONT_PORT + 1 + pirq.number;
    this.pirqs.start(pirq, true);
  }
}

const asksForMessages = ({ cmd }: xen_pci_op): boolean => cmd === XEN_PCI_OP.enable_msi || cmd === XEN_PCI_OP.enable_msix;
