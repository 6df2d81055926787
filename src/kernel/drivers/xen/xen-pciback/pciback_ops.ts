import { SH_INFO_MAX_VEC, XEN_PCI_ERR, XEN_PCI_OP, XEN_PCIF_active, type xen_pci_op } from '../../../../hardware/xen/pci-backend';
import { COMMAND, PCI_COMMAND } from '../../../../hardware/pci-registers';
import type { Op } from '../../../../stepper/op';
import { IRQ_HANDLED } from '../../../include/interrupt';
import { dev_driver_string, pci_domain_nr, type PciDev } from '../../../include/pci';
import { EALREADY, EINVAL, ENOMEM, ENXIO } from '../../../lib/errno';
import { pr_warn, WARN } from '../../../lib/printk';
import { should_fail } from '../../../lib/slab';
import { has } from '../../../world';
import { queue_work } from '../../../workqueue';
import { pci_read_config_word } from '../../pci/access';
import { type msix_entry, pci_disable_msi, pci_disable_msix } from '../../pci/msi';
import { pci_enable_msi, pci_enable_msix_range } from '../../pci/msi_api';
import { pci_disable_device, pci_is_enabled } from '../../pci/pci';
import { notify_remote_via_irq } from '../events/events_bind';
import { XEN_EOI_FLAG_SPURIOUS } from '../events/events_lateeoi';
import { xen_pirq_from_irq } from '../events/events_pirq';
import { xen_pcibk_lateeoi, type xen_pcibk_device } from './pciback';

// What a domain's pcifront asks of its devices: drivers/xen/xen-pciback/pciback_ops.c. Accesses to configuration space go straight to the function.

/** The domain may have ended without a word: its interrupts go. Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_reset_device() */
export function* xen_pcibk_reset_device(dev: PciDev): Op {
  if (dev.msix_enabled) yield* pci_disable_msix(dev);
  if (dev.msi_enabled) yield* pci_disable_msi(dev);
  if (pci_is_enabled(dev)) yield* pci_disable_device(dev);
  dev.is_busmaster = false;
}

const warn = (dev: PciDev, what: string, pdev: xen_pcibk_device, end: string): void => pr_warn(`${dev_driver_string(dev)} ${dev.name}: xen_pciback: error enabling ${what} for guest ${pdev.otherend_id}: err ${end}`);

/** The number that the domain needs is Xen's, not dom0's. */
const pirq_or_0 = (irq: number): number => (irq ? xen_pirq_from_irq(irq) : 0);

/** @returns 0 or XEN_PCI_ERR.op_failed. Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_enable_msi() */
function* xen_pcibk_enable_msi(pdev: xen_pcibk_device, dev: PciDev, op: xen_pci_op): Op<number> {
  let status: number;
  if (dev.msi_enabled) status = -EALREADY;
  else if (dev.msix_enabled) status = -ENXIO;
  else status = yield* pci_enable_msi(dev);

  if (status) {
    warn(dev, 'MSI', pdev, `${status}`);
    op.value = 0;
    return XEN_PCI_ERR.op_failed;
  }
  op.value = pirq_or_0(dev.irq);
  return 0;
}

/** Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_disable_msi() */
function* xen_pcibk_disable_msi(dev: PciDev, op: xen_pci_op): Op<number> {
  yield* pci_disable_msi(dev);
  op.value = pirq_or_0(dev.irq);
  return 0;
}

/** All that the domain wants, or none. @returns 0 or an errno. Source: include/linux/pci.h, pci_enable_msix_exact() */
function* pci_enable_msix_exact(dev: PciDev, entries: msix_entry[], nvec: number): Op<number> {
  const rc = yield* pci_enable_msix_range(dev, entries, nvec, nvec);
  return Math.min(rc, 0);
}

/** @returns 0 or an errno. Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_enable_msix() */
function* xen_pcibk_enable_msix(pdev: xen_pcibk_device, dev: PciDev, op: xen_pci_op): Op<number> {
  if (op.value > SH_INFO_MAX_VEC) return -EINVAL;
  if (dev.msix_enabled) return -EALREADY;
  // Without this the table cannot be reached. A virtual function's physical one says.
  const cmd = pci_read_config_word(dev.physfn ?? dev, PCI_COMMAND);
  if (dev.msi_enabled || COMMAND.get(cmd, 'memory') === 0) return -ENXIO;

  if (should_fail('xen_pcibk_enable_msix: entries')) return -ENOMEM;
  const entries = op.msix_entries.map(({ entry, vector }) => ({ entry, vector }));

  const result = yield* pci_enable_msix_exact(dev, entries, op.value);
  if (result === 0) op.msix_entries = entries.map(({ entry, vector }) => ({ entry, vector: pirq_or_0(vector) }));
  else warn(dev, 'MSI-X', pdev, `${result}!`);

  op.value = result;
  return result;
}

/** Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_disable_msix() */
function* xen_pcibk_disable_msix(dev: PciDev, op: xen_pci_op): Op<number> {
  yield* pci_disable_msix(dev);
  op.value = pirq_or_0(dev.irq);
  return 0;
}

/** There is an operation in the page, and nobody at it. Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_test_op_pending() */
function xen_pcibk_test_op_pending(pdev: xen_pcibk_device): boolean {
  if (((pdev.sh_info?.flags ?? 0) & XEN_PCIF_active) === 0 || pdev.op_active) return false;
  pdev.op_active = true;
  return true;
}

/** Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_test_and_schedule_op() */
export function* xen_pcibk_test_and_schedule_op(pdev: xen_pcibk_device): Op {
  if (xen_pcibk_test_op_pending(pdev)) yield* queue_work(pdev.op_work, () => xen_pcibk_do_op(pdev));
  else yield* xen_pcibk_lateeoi(pdev, XEN_EOI_FLAG_SPURIOUS);
}

function* perform(pdev: xen_pcibk_device, dev: PciDev, op: xen_pci_op): Op<number> {
  switch (op.cmd) {
    case XEN_PCI_OP.enable_msi:
      return yield* xen_pcibk_enable_msi(pdev, dev, op);
    case XEN_PCI_OP.disable_msi:
      return yield* xen_pcibk_disable_msi(dev, op);
    case XEN_PCI_OP.enable_msix:
      return yield* xen_pcibk_enable_msix(pdev, dev, op);
    default:
      return yield* xen_pcibk_disable_msix(dev, op);
  }
}

/** In v5.9 the body of xen_pcibk_do_op(). Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_do_one_op() */
function* xen_pcibk_do_one_op(pdev: xen_pcibk_device): Op {
  const sh_info = pdev.sh_info!;
  // A copy: the domain could change it meanwhile.
  const op: xen_pci_op = { ...sh_info.op, msix_entries: sh_info.op.msix_entries.map(entry => ({ ...entry })) };
  pdev.op = op;
  const dev = pdev.devices.find(d => pci_domain_nr(d.parent_bus) === op.domain && d.bus === op.bus && d.devfn === op.devfn);
  op.err = dev ? yield* perform(pdev, dev, op) : XEN_PCI_ERR.dev_not_found;

  sh_info.op.err = op.err;
  sh_info.op.value = op.value;
  if (op.cmd === XEN_PCI_OP.enable_msix && op.err === 0) sh_info.op.msix_entries = op.msix_entries;
  sh_info.flags &= ~XEN_PCIF_active;
  yield* notify_remote_via_irq(pdev.evtchn_irq);
  pdev.op_active = false;
}

/** Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_do_op() */
function* xen_pcibk_do_op(pdev: xen_pcibk_device): Op {
  if (has('xen-lateeoi')) {
    do yield* xen_pcibk_do_one_op(pdev);
    while (xen_pcibk_test_op_pending(pdev));
    yield* xen_pcibk_lateeoi(pdev, 0);
  } else {
    yield* xen_pcibk_do_one_op(pdev);
    yield* xen_pcibk_test_and_schedule_op(pdev);
  }
}

/** Source: drivers/xen/xen-pciback/pciback_ops.c, xen_pcibk_handle_event() */
export function* xen_pcibk_handle_event(irq: number, dev_id: unknown): Op<number> {
  const pdev = dev_id as xen_pcibk_device;
  if (has('xen-lateeoi')) {
    // It may come before whoever binds it has written it down.
    pdev.evtchn_irq = irq;
    WARN(pdev.eoi_pending, 'IRQ while EOI pending', 'drivers/xen/xen-pciback/pciback_ops.c xen_pcibk_handle_event');
    pdev.eoi_pending = true;
  }
  yield* xen_pcibk_test_and_schedule_op(pdev);
  return IRQ_HANDLED;
}
