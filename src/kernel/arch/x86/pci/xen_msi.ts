import { MSI_BASE } from '../../../../hardware/message';
import { PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX } from '../../../../hardware/pci-registers';
import { DOMID_SELF, XEN_PIRQ_ADDRESS_LO, XEN_PIRQ_DATA, XEN_PIRQ_DELIVERY_MODE } from '../../../../hardware/xen/interface';
import type { Op } from '../../../../stepper/op';
import type { ChangeId } from '../../../changes';
import { default_teardown_msi_irqs } from '../../../drivers/pci/msi';
import { __pci_write_msi_msg } from '../../../drivers/pci/msi_message';
import type { xen_pci_frontend_ops } from '../../../drivers/pci/xen-pcifront';
import { xen_allocate_pirq_msi, xen_bind_pirq_msi_to_irq, xen_destroy_irq } from '../../../drivers/xen/events/events_pirq';
import type { device } from '../../../include/device';
import type { irq_domain } from '../../../include/irqdomain';
import { type msi_desc, type msi_domain_info, MSI_FLAG, msi_msg } from '../../../include/msi';
import { dev_driver_string, dev_is_pci, type PciDev, to_pci_dev } from '../../../include/pci';
import { xen_hvm_domain, xen_initial_domain, xen_pv_domain } from '../../../include/xen';
import { no_irq_chip } from '../../../irq/dummychip';
import { irq_domain_alloc_named_fwnode } from '../../../irq/irqdomain';
import { msi_create_irq_domain } from '../../../irq/msi';
import { EINVAL, ENODEV, ENOMEM, ENOSYS } from '../../../lib/errno';
import { pr_err, WARN_ON_ONCE } from '../../../lib/printk';
import { should_fail } from '../../../lib/slab';
import { has, kernel } from '../../../world';
import type { x86_msi_ops } from '../x86_init';
import { xen_initdom_restore_msi_irqs, xen_initdom_setup_msi_irqs } from './xen_initdom';
import { is_msix, one_only } from './xen_msi_common';

// How a guest of Xen's gets messages of PCI devices: this part of arch/x86/pci/xen.c.

/** From v2-36 on Xen's own; before, x86_msi has them. Source: arch/x86/pci/xen.c, struct xen_msi_ops */
export interface xen_msi_ops {
  setup_msi_irqs?: (dev: PciDev, nvec: number, type: number) => Op<number>;
  teardown_msi_irqs?: (dev: PciDev) => Op;
}

export const xen_msi_globals = (changes: ReadonlySet<ChangeId>) => ({
  xen_pci_frontend: null as xen_pci_frontend_ops | null,
  xen_msi_ops: {} as xen_msi_ops,
  /** ops, and nothing else: no chip, no handler */
  xen_pci_msi_domain_info: {
    flags: changes.has('xen-msix-flag') ? MSI_FLAG.PCI_MSIX : 0,
    ops: { domain_alloc_irqs: xen_msi_domain_alloc_irqs, domain_free_irqs: xen_msi_domain_free_irqs },
    chip: no_irq_chip,
  } as msi_domain_info,
});

const dev_err = (dev: PciDev, text: string): void => pr_err(`${dev_driver_string(dev)} ${dev.name}: ${text}`);

/** A PV guest asks pciback, through pcifront. @returns 0, 1 for several MSIs, or an errno: what pcifront has enabled stays so. Source: arch/x86/pci/xen.c, xen_setup_msi_irqs() */
export function* xen_setup_msi_irqs(dev: PciDev, nvec: number, type: number): Op<number> {
  if (type === PCI_CAP_ID_MSI && nvec > 1) return one_only('a PV guest', nvec);

  if (should_fail('xen_setup_msi_irqs: v')) return -ENOMEM;
  const v = new Array<number>(Math.max(1, nvec)).fill(0);

  const ret = is_msix(type) ? yield* xen_pci_frontend_enable_msix(dev, v, nvec) : yield* xen_pci_frontend_enable_msi(dev, v);
  if (ret) {
    if (ret === -ENOSYS) dev_err(dev, 'Xen PCI frontend has not registered MSI/MSI-X support!');
    else dev_err(dev, `Xen PCI frontend error: ${ret}!`);
    return ret;
  }

  for (const [i, msidesc] of dev.msi_list.entries()) {
    const irq = yield* xen_bind_pirq_msi_to_irq(dev, msidesc, v[i], type === PCI_CAP_ID_MSI ? nvec : 1, is_msix(type) ? 'pcifront-msi-x' : 'pcifront-msi', DOMID_SELF);
    if (irq < 0) return irq;
  }
  return 0;
}

/** Inlines of arch/x86/include/asm/xen/pci.h: -ENOSYS, or nothing, without a frontend. */
function* xen_pci_frontend_enable_msix(dev: PciDev, vectors: number[], nvec: number): Op<number> {
  return kernel.xen_pci_frontend ? yield* kernel.xen_pci_frontend.enable_msix(dev, vectors, nvec) : -ENOSYS;
}

function* xen_pci_frontend_enable_msi(dev: PciDev, vectors: number[]): Op<number> {
  return kernel.xen_pci_frontend ? yield* kernel.xen_pci_frontend.enable_msi(dev, vectors) : -ENOSYS;
}

function* xen_pci_frontend_disable_msix(dev: PciDev): Op {
  if (kernel.xen_pci_frontend) yield* kernel.xen_pci_frontend.disable_msix(dev);
}

function* xen_pci_frontend_disable_msi(dev: PciDev): Op {
  if (kernel.xen_pci_frontend) yield* kernel.xen_pci_frontend.disable_msi(dev);
}

/** Vector 0 tells Xen that what stands in place of the destination is a pirq. Source: arch/x86/pci/xen.c, xen_msi_compose_msg() */
function* xen_msi_compose_msg(pdev: PciDev, pirq: number, msg: msi_msg): Op {
  msg.address_hi = (pirq & 0xffffff00) >>> 0;
  msg.address_lo = XEN_PIRQ_ADDRESS_LO.encode({ base_address: MSI_BASE, pirq_0_7: pirq & 0xff });
  msg.data = XEN_PIRQ_DATA.encode({ vector: 0, delivery_mode: XEN_PIRQ_DELIVERY_MODE, active_low: 1 });
}

/** @returns 0, 1 for several MSIs, or an errno. Source: arch/x86/pci/xen.c, xen_hvm_setup_msi_irqs() */
export function* xen_hvm_setup_msi_irqs(dev: PciDev, nvec: number, type: number): Op<number> {
  if (type === PCI_CAP_ID_MSI && nvec > 1) return one_only('an HVM guest', nvec);

  for (const msidesc of dev.msi_list) {
    const pirq = yield* xen_allocate_pirq_msi(dev, msidesc);
    const irq = pirq < 0 ? -ENODEV : yield* hvm_setup_msi(dev, msidesc, pirq, nvec, type);
    if (irq >= 0) continue;
    dev_err(dev, `Failed to create MSI${is_msix(type) ? '-X' : ''}! ret=${irq}!`);
    return irq;
  }
  return 0;
}

/** The part of xen_hvm_setup_msi_irqs() for one message: no chip writes it, nothing is activated. */
function* hvm_setup_msi(dev: PciDev, msidesc: msi_desc, pirq: number, nvec: number, type: number): Op<number> {
  const msg = new msi_msg();
  yield* xen_msi_compose_msg(dev, pirq, msg);
  yield* __pci_write_msi_msg(msidesc, msg);
  return yield* xen_bind_pirq_msi_to_irq(dev, msidesc, pirq, type === PCI_CAP_ID_MSI ? nvec : 1, is_msix(type) ? 'msi-x' : 'msi', DOMID_SELF);
}

/** Before v2-27: pcifront, then irq by irq. Source: arch/x86/pci/xen.c, xen_teardown_msi_irqs() */
export function* xen_teardown_msi_irqs(dev: PciDev): Op {
  if (!has('v2-27')) {
    yield* disable_in_frontend(dev);
    yield* default_teardown_msi_irqs(dev);
    return;
  }
  for (const { irq, nvec_used } of dev.msi_list) {
    if (irq === 0) continue;
    for (let i = 0; i < nvec_used; i++) yield* xen_destroy_irq(irq + i);
  }
}

function* disable_in_frontend(dev: PciDev): Op {
  if (dev.msi_list[0].msi_attrib.is_msix) yield* xen_pci_frontend_disable_msix(dev);
  else yield* xen_pci_frontend_disable_msi(dev);
}

/** In dom0 there is no frontend, and nothing to disable there. Source: arch/x86/pci/xen.c, xen_pv_teardown_msi_irqs() */
function* xen_pv_teardown_msi_irqs(dev: PciDev): Op {
  yield* disable_in_frontend(dev);
  yield* xen_teardown_msi_irqs(dev);
}

/** From v2-27 on nobody is to come here. Source: arch/x86/pci/xen.c (v5.9), xen_teardown_msi_irq() */
export function* xen_teardown_msi_irq(irq: number): Op {
  if (has('v2-27')) WARN_ON_ONCE(true, 'arch/x86/pci/xen.c xen_teardown_msi_irq');
  else yield* xen_destroy_irq(irq);
}

/** Where setup and teardown stand. */
const msi_ops = (): Partial<x86_msi_ops> | xen_msi_ops => (has('v2-36') ? kernel.xen_msi_ops : kernel.x86_msi);

/** @returns as the guest's setup_msi_irqs; -EINVAL for what is no PCI device. Source: arch/x86/pci/xen.c, xen_msi_domain_alloc_irqs() */
function* xen_msi_domain_alloc_irqs(domain: irq_domain, dev: device, nvec: number): Op<number> {
  if (WARN_ON_ONCE(!dev_is_pci(dev), 'arch/x86/pci/xen.c xen_msi_domain_alloc_irqs')) return -EINVAL;

  const type = dev.msi_list[0].msi_attrib.is_msix ? PCI_CAP_ID_MSIX : PCI_CAP_ID_MSI;
  return yield* msi_ops().setup_msi_irqs!(to_pci_dev(dev), nvec, type);
}

/** Source: arch/x86/pci/xen.c, xen_msi_domain_free_irqs() */
function* xen_msi_domain_free_irqs(domain: irq_domain, dev: device): Op {
  if (WARN_ON_ONCE(!dev_is_pci(dev), 'arch/x86/pci/xen.c xen_msi_domain_free_irqs')) return;
  yield* msi_ops().teardown_msi_irqs!(to_pci_dev(dev));
}

/** A domain in which there is no interrupt: allocating and freeing lead to Xen's functions. Source: arch/x86/pci/xen.c, xen_create_pci_msi_domain() */
function* xen_create_pci_msi_domain(): Op<irq_domain | null> {
  const fn = yield* irq_domain_alloc_named_fwnode('XEN-MSI');
  return yield* msi_create_irq_domain(fn, kernel.xen_pci_msi_domain_info, null);
}

/** From v2-28 on, for guests of all kinds. Source: arch/x86/pci/xen.c, xen_setup_pci_msi() */
export function* xen_setup_pci_msi(): Op {
  const ops = msi_ops();
  if (xen_pv_domain()) {
    ops.setup_msi_irqs = xen_initial_domain() ? xen_initdom_setup_msi_irqs : xen_setup_msi_irqs;
    if (xen_initial_domain()) kernel.x86_msi.restore_msi_irqs = xen_initdom_restore_msi_irqs;
    ops.teardown_msi_irqs = xen_pv_teardown_msi_irqs;
    kernel.pci_msi_ignore_mask = true;
  } else if (xen_hvm_domain()) {
    ops.setup_msi_irqs = xen_hvm_setup_msi_irqs;
    ops.teardown_msi_irqs = xen_teardown_msi_irqs;
    if (has('xen-hvm-ignore-mask')) kernel.pci_msi_ignore_mask = true;
  } else {
    WARN_ON_ONCE(true, 'arch/x86/pci/xen.c xen_setup_pci_msi');
    return;
  }
  if (!has('v2-36')) kernel.x86_msi.teardown_msi_irq = xen_teardown_msi_irq;

  if (has('v2-30')) kernel.x86_init.create_pci_msi_domain = xen_create_pci_msi_domain;
}

/** Before v2-28: in pci_xen_init(). */
export function* set_pcifront_msi_ops(): Op {
  kernel.x86_msi.setup_msi_irqs = xen_setup_msi_irqs;
  kernel.x86_msi.teardown_msi_irq = xen_teardown_msi_irq;
  kernel.x86_msi.teardown_msi_irqs = has('v2-27') ? xen_pv_teardown_msi_irqs : xen_teardown_msi_irqs;
  kernel.pci_msi_ignore_mask = true;
}

/** Before v2-28: in pci_xen_initial_domain(). */
export function* set_initdom_msi_ops(): Op {
  kernel.x86_msi.setup_msi_irqs = xen_initdom_setup_msi_irqs;
  kernel.x86_msi.teardown_msi_irq = xen_teardown_msi_irq;
  if (has('v2-27')) kernel.x86_msi.teardown_msi_irqs = xen_teardown_msi_irqs;
  kernel.x86_msi.restore_msi_irqs = xen_initdom_restore_msi_irqs;
  kernel.pci_msi_ignore_mask = true;
}
