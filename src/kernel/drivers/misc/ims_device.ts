import { IMS_SLOT, IMS_SLOT_SIZE, type ImsStore } from '../../../hardware/ims-store';
import type { Op } from '../../../stepper/op';
import { dev_set_msi_domain, type device, subdevice } from '../../include/device';
import type { irq_domain } from '../../include/irqdomain';
import { type msi_desc, type msi_domain_info, type msi_map, MSI_SECONDARY_DOMAIN } from '../../include/msi';
import { dev_is_pci, type PciDev, to_pci_dev } from '../../include/pci';
import { dev_msi_hwirq } from '../../irq/auxdata';
import { irq_domain_remove } from '../../irq/irqdomain';
import { free_irq } from '../../irq/manage';
import { msi_domain_alloc_irqs, msi_domain_free_irqs } from '../../irq/msi';
import { EINVAL, ENODEV } from '../../lib/errno';
import { limit_bound } from '../../lib/limit';
import { irq_window, mutex_lock } from '../../lib/locking';
import { has, kernel } from '../../world';
import { IMS_CONTROL_WORD_IRQMASK, type ims_array_data, pci_ims_array_create_msi_irq_domain } from '../irqchip/irq-ims-msi';
import { platform_msi_domain_free_irqs } from '../base/platform-msi';
import { type ims_slot, pci_ims_queue_create_msi_irq_domain } from '../irqchip/irq-ims-queue';
import { readl, writel } from '../pci/access';
import { pci_disable_device, pci_enable_device, pci_set_master } from '../pci/pci';
import type { pci_driver } from '../pci/pci-driver';
import { ims_queue, queue_of, queue_sync_unlock } from './ims_queue';
import { ims_secondary_alloc_irqs, ims_secondary_create_domain, ims_secondary_free_irqs } from './ims_secondary';
import { ims_platform_alloc_irqs, ims_platform_create_domain, platform_slot } from './ims_platform';

// A driver for the model's device with a message store: what such a driver does, by the rules that v2-46 states. No kernel has it.

export interface ims_device {
  readonly pdev: PciDev;
  readonly domain: irq_domain;
  readonly subdevices: readonly subdevice[];
  /** interrupts of each part, where they are the PCI device's own (pci-ims) */
  readonly maps: readonly msi_map[][];
}

export const ims_device_globals = () => ({
  ims_devices: [] as ims_device[],
});

/** @returns 0, or -ENODEV: the kernel has no such domain, or refuses one */
function* ims_probe(pdev: PciDev): Op<number> {
  const err = yield* pci_enable_device(pdev);
  if (err) return err;
  yield* pci_set_master(pdev);

  const domain = yield* create_domain(pdev);
  if (!domain) {
    yield* pci_disable_device(pdev);
    return -ENODEV;
  }

  const subdevices = pdev.hw.config.ims!.subdevices.map((name, id) => new subdevice(name, pdev, id));
  if (!uses_secondary(pdev)) for (const sub of subdevices) dev_set_msi_domain(sub, domain);
  kernel.ims_devices.push({ pdev, domain, subdevices, maps: subdevices.map(() => []) });
  return 0;
}

function* create_domain(pdev: PciDev): Op<irq_domain | null> {
  const { address, config } = pdev.hw.ims!;
  if (config.platformMsi) return yield* ims_platform_create_domain(pdev);
  if (uses_secondary(pdev)) return yield* ims_secondary_create_domain(pdev);
  if (!has('v2-46')) return null;
  if (config.store === 'array') return yield* pci_ims_array_create_msi_irq_domain(pdev, { slots: address, max_slots: config.slots });
  if (has('repost-ims')) return null;

  const queues = Array.from({ length: config.queues }, (_, id) => new ims_queue(id, config.slots));
  return yield* pci_ims_queue_create_msi_irq_domain(pdev, {
    queue_lock: shadow => mutex_lock(queue_of(queues, shadow).lock),
    queue_sync_unlock: shadow => queue_sync_unlock(pdev, queue_of(queues, shadow)),
    queue_get_shadow: (dev, msi_index) => queue_get_shadow(queues, dev, msi_index),
  });
}

function* queue_get_shadow(queues: readonly ims_queue[], dev: device, msi_index: number): Op<ims_slot | null> {
  const { shadows } = queues[dev.id];
  if (msi_index < shadows.length) return shadows[msi_index];

  limit_bound({ name: `messages of queue ${dev.id} of ${dev.parent!.name}`, needed: dev.msi_list.length, size: shadows.length });
  return null;
}

/** As a driver would that does not care for irq_set_auxdata(): it changes its bits of the control word itself, and what the kernel does to the word meanwhile is lost. @returns 0, or -EINVAL where there is no slot */
export function* write_ctrl_directly({ dev, device_msi }: msi_desc, nr: number, auxval: number): Op<number> {
  if (!device_msi?.priv_iomem) return -EINVAL;

  const hwirq = has('repost-auxdata') ? yield* dev_msi_hwirq(dev, nr) : device_msi.hwirq;
  const address = to_pci_dev(dev.parent).hw.ims!.address + hwirq * IMS_SLOT_SIZE + IMS_SLOT.ctrl;
  const ctrl = readl(address);
  yield* irq_window();
  writel(((ctrl & IMS_CONTROL_WORD_IRQMASK) | auxval) >>> 0, address);
  return 0;
}

/** What the driver does when a part wants `nvec` messages. @param pasid of the address space that they are for, where that goes with the allocation (pci-ims) @returns 0 or an errno */
export function* ims_alloc_irqs(dev: subdevice, nvec: number, pasid?: number): Op<number> {
  if (uses_secondary(to_pci_dev(dev.parent))) {
    const { domain, maps } = device_of(dev);
    return yield* ims_secondary_alloc_irqs(dev, domain, maps[dev.id], nvec, pasid);
  }
  return uses_platform_msi(dev) ? yield* ims_platform_alloc_irqs(dev, nvec) : yield* msi_domain_alloc_irqs(dev.msi_domain!, dev, nvec);
}

/** What the driver does when a part wants no messages any more. */
export function* ims_free_irqs(dev: subdevice): Op {
  if (uses_secondary(to_pci_dev(dev.parent))) yield* ims_secondary_free_irqs(dev, device_of(dev).maps[dev.id]);
  else if (uses_platform_msi(dev)) yield* platform_msi_domain_free_irqs(dev);
  else yield* msi_domain_free_irqs(dev.msi_domain!, dev);
}

/** The kernel lets a PCI device have messages of its own, and has no device MSI for its parts. */
const uses_secondary = ({ hw }: PciDev): boolean => has('pci-ims') && !has('v2-46') && !hw.ims!.config.platformMsi;

const device_of = (dev: subdevice): ims_device => kernel.ims_devices.find(({ subdevices }) => subdevices.includes(dev))!;

/** Messages of a part, in the order of their allocation. */
export function ims_messages(dev: subdevice): readonly msi_desc[] {
  if (!uses_secondary(to_pci_dev(dev.parent))) return dev.msi_list;
  const { pdev, maps } = device_of(dev);
  const { store } = pdev.msi_data!.__domains[MSI_SECONDARY_DOMAIN];
  return maps[dev.id].flatMap(({ index }) => store.find(({ msi_attrib }) => msi_attrib.entry_nr === index) ?? []);
}

/** Slots that the store of an array keeps as taken (device MSI). */
export function slots_taken({ pdev, domain }: ims_device): readonly number[] {
  const { data } = domain.host_data as msi_domain_info;
  return data === undefined || uses_secondary(pdev) ? [] : [...(data as ims_array_data).map];
}

/** The device's store, of a message in it. */
export const store_of_message = ({ dev }: msi_desc): ImsStore => (dev_is_pci(dev) ? dev : to_pci_dev(dev.parent)).hw.ims!;

const uses_platform_msi = ({ parent }: subdevice): boolean => to_pci_dev(parent).hw.ims!.config.platformMsi;

/** The driver's own: handlers, messages, domain. */
function* ims_remove(pdev: PciDev): Op {
  const ims = kernel.ims_devices.find(device => device.pdev === pdev)!;
  for (const sub of ims.subdevices) {
    for (const { irq, dev } of ims_messages(sub)) if (irq > 0 && kernel.irq_desc_tree.get(irq)?.action) yield* free_irq(irq, dev);
    yield* ims_free_irqs(sub);
    dev_set_msi_domain(sub, null);
  }
  // A second domain of the PCI device goes with the driver by itself.
  if (!uses_secondary(pdev)) yield* irq_domain_remove(ims.domain);
  kernel.ims_devices = kernel.ims_devices.filter(device => device !== ims);
  yield* pci_disable_device(pdev);
}

export const ims_driver: pci_driver = Object.freeze({ name: 'ims', probe: ims_probe, remove: ims_remove });

/** The place of a part's message in the device. */
export function slot_number(desc: msi_desc): number {
  const { dev, platform, device_msi, data } = desc;
  if (data) return secondary_slot(desc);
  if (platform) return platform_slot(dev, platform.msi_index);
  const { address, config } = to_pci_dev(dev.parent).hw.ims!;
  return config.store === 'array' ? (device_msi!.priv_iomem - address) / IMS_SLOT_SIZE : dev.id * config.slots + dev.msi_list.indexOf(desc);
}

function secondary_slot({ dev, data, msi_attrib }: msi_desc): number {
  const pdev = to_pci_dev(dev);
  const { config } = pdev.hw.ims!;
  if (config.store === 'array') return msi_attrib.entry_nr;
  const queues = pdev.msi_data!.__domains[MSI_SECONDARY_DOMAIN].domain!.host_data as msi_domain_info;
  const shadow = data!.icookie as ims_slot;
  const queue = queue_of(queues.data as ims_queue[], shadow);
  return queue.id * config.slots + queue.shadows.indexOf(shadow);
}
