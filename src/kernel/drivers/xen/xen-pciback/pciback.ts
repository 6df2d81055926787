import type { xen_pci_op, xen_pci_sharedinfo } from '../../../../hardware/xen/pci-backend';
import type { Op } from '../../../../stepper/op';
import type { PciDev } from '../../../include/pci';
import { has } from '../../../world';
import { workqueue_struct } from '../../../workqueue';
import { xen_irq_lateeoi } from '../events/events_lateeoi';

// dom0 gives PCI devices to other domains: what the parts of drivers/xen/xen-pciback/ share (pciback.h).

export const DRV_NAME = 'xen-pciback';

/** A domain that has devices. Source: drivers/xen/xen-pciback/pciback.h, struct xen_pcibk_device */
export class xen_pcibk_device {
  static readonly struct = 'xen_pcibk_device';
  /** -1 = none */
  evtchn_irq = -1;
  /** the page that its pcifront has granted */
  sh_info: xen_pci_sharedinfo | null = null;
  /** bits of flags */
  op_active = false;
  eoi_pending = false;
  readonly op_work = new workqueue_struct('xen_pcibk_do_op');
  op: xen_pci_op | null = null;
  /** exported to it */
  readonly devices: PciDev[] = [];

  constructor(readonly otherend_id: number) {}
}

/** A device that no driver of dom0's may have. Source: drivers/xen/xen-pciback/pci_stub.c, struct pcistub_device */
export class pcistub_device {
  static readonly struct = 'pcistub_device';
  /** who has it; null: nobody as yet */
  pdev: xen_pcibk_device | null = null;

  constructor(readonly dev: PciDev) {}
}

export const xen_pciback_globals = () => ({
  pcistub_devices: [] as pcistub_device[],
  /** backends on the xenbus, one for each domain that has devices */
  xen_pcibk_devices: [] as xen_pcibk_device[],
});

/** Source: drivers/xen/xen-pciback/pciback.h, xen_pcibk_lateeoi() */
export function* xen_pcibk_lateeoi(pdev: xen_pcibk_device, eoi_flag: number): Op {
  if (!has('xen-lateeoi') || !pdev.eoi_pending) return;
  pdev.eoi_pending = false;
  yield* xen_irq_lateeoi(pdev.evtchn_irq, eoi_flag);
}
