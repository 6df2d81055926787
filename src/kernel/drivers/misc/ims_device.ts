import { IMS_QUEUE, IMS_SLOT, IMS_SLOT_SIZE } from '../../../hardware/ims-store';
import type { Op } from '../../../stepper/op';
import { dev_set_msi_domain, type device, subdevice } from '../../include/device';
import type { irq_domain } from '../../include/irqdomain';
import type { msi_desc } from '../../include/msi';
import { type PciDev, to_pci_dev } from '../../include/pci';
import { dev_msi_hwirq } from '../../irq/auxdata';
import { irq_domain_remove } from '../../irq/irqdomain';
import { free_irq } from '../../irq/manage';
import { msi_domain_alloc_irqs, msi_domain_free_irqs } from '../../irq/msi';
import { EINVAL, ENODEV } from '../../lib/errno';
import { limit_bound } from '../../lib/limit';
import { irq_window, mutex, mutex_lock, mutex_unlock } from '../../lib/locking';
import { pr_err } from '../../lib/printk';
import { has, kernel } from '../../world';
import { IMS_CONTROL_WORD_IRQMASK, pci_ims_array_create_msi_irq_domain } from '../irqchip/irq-ims-msi';
import { platform_msi_domain_free_irqs } from '../base/platform-msi';
import { ims_slot, pci_ims_queue_create_msi_irq_domain } from '../irqchip/irq-ims-queue';
import { readl, writel } from '../pci/access';
import { pci_disable_device, pci_enable_device, pci_set_master } from '../pci/pci';
import type { pci_driver } from '../pci/pci-driver';
import { ims_platform_alloc_irqs, ims_platform_create_domain, platform_slot } from './ims_platform';

// A driver for the model's device with a message store: what such a driver does, by the rules that v2-46 states. No kernel has it.

/** Times that a command's end is looked for. */
const COMMAND_POLLS = 3;

/** The memory of one queue, as its driver keeps it. */
class ims_queue {
  readonly shadows: ims_slot[];
  /** what the device was told last, in the same order */
  readonly told: ims_slot[];
  readonly lock: mutex;

  constructor(
    readonly id: number,
    slots: number,
  ) {
    this.lock = new mutex(`ims queue ${id}`);
    this.shadows = Array.from({ length: slots }, () => new ims_slot());
    this.told = Array.from({ length: slots }, () => new ims_slot());
  }
}

export interface ims_device {
  readonly pdev: PciDev;
  readonly domain: irq_domain;
  readonly subdevices: readonly subdevice[];
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
  for (const sub of subdevices) dev_set_msi_domain(sub, domain);
  kernel.ims_devices.push({ pdev, domain, subdevices });
  return 0;
}

function* create_domain(pdev: PciDev): Op<irq_domain | null> {
  const { address, config } = pdev.hw.ims!;
  if (config.platformMsi) return yield* ims_platform_create_domain(pdev);
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

const queue_of = (queues: readonly ims_queue[], shadow: ims_slot): ims_queue => queues.find(({ shadows }) => shadows.includes(shadow))!;

function* queue_get_shadow(queues: readonly ims_queue[], dev: device, msi_index: number): Op<ims_slot | null> {
  const { shadows } = queues[dev.id];
  if (msi_index < shadows.length) return shadows[msi_index];

  limit_bound({ name: `messages of queue ${dev.id} of ${dev.parent!.name}`, needed: dev.msi_list.length, size: shadows.length });
  return null;
}

const WORDS = Object.keys(IMS_SLOT) as (keyof typeof IMS_SLOT)[];

/** Tells the device what has changed, and waits. What it did not take over is tried again with the next operation. */
function* queue_sync_unlock(pdev: PciDev, queue: ims_queue): Op {
  for (const [index, shadow] of queue.shadows.entries()) {
    const told = queue.told[index];
    if (WORDS.every(word => shadow[word] === told[word])) continue;

    if (yield* queue_command(pdev, queue.id, index, shadow)) Object.assign(told, shadow);
    else pr_err(`${pdev.driver ?? ''} ${pdev.name}: queue ${queue.id}: command for message ${index} timed out`);
  }
  yield* mutex_unlock(queue.lock);
}

/** @returns whether the device has taken the message over */
function* queue_command(pdev: PciDev, queue: number, index: number, shadow: ims_slot): Op<boolean> {
  const { address } = pdev.hw.ims!;
  writel(queue, address + IMS_QUEUE.QUEUE);
  writel(index, address + IMS_QUEUE.INDEX);
  for (const word of WORDS) writel(shadow[word], address + IMS_QUEUE.MESSAGE + IMS_SLOT[word]);
  writel(1, address + IMS_QUEUE.COMMAND);

  for (let polls = 0; polls < COMMAND_POLLS; polls++) {
    if ((readl(address + IMS_QUEUE.STATUS) & 1) === 0) return true;
  }
  return false;
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

/** What the driver does when a part wants `nvec` messages. @returns 0 or an errno */
export function* ims_alloc_irqs(dev: subdevice, nvec: number): Op<number> {
  return uses_platform_msi(dev) ? yield* ims_platform_alloc_irqs(dev, nvec) : yield* msi_domain_alloc_irqs(dev.msi_domain!, dev, nvec);
}

/** What the driver does when a part wants no messages any more. */
export function* ims_free_irqs(dev: subdevice): Op {
  if (uses_platform_msi(dev)) yield* platform_msi_domain_free_irqs(dev);
  else yield* msi_domain_free_irqs(dev.msi_domain!, dev);
}

const uses_platform_msi = ({ parent }: subdevice): boolean => to_pci_dev(parent).hw.ims!.config.platformMsi;

/** The driver's own: handlers, messages, domain. */
function* ims_remove(pdev: PciDev): Op {
  const ims = kernel.ims_devices.find(device => device.pdev === pdev)!;
  for (const sub of ims.subdevices) {
    for (const { irq } of sub.msi_list) if (irq > 0 && kernel.irq_desc_tree.get(irq)?.action) yield* free_irq(irq, sub);
    yield* ims_free_irqs(sub);
    dev_set_msi_domain(sub, null);
  }
  yield* irq_domain_remove(ims.domain);
  kernel.ims_devices = kernel.ims_devices.filter(device => device !== ims);
  yield* pci_disable_device(pdev);
}

export const ims_driver: pci_driver = Object.freeze({ name: 'ims', probe: ims_probe, remove: ims_remove });

/** The place of a part's message in the device. */
export function slot_number(desc: msi_desc): number {
  const { dev, platform, device_msi } = desc;
  if (platform) return platform_slot(dev, platform.msi_index);
  const { address, config } = to_pci_dev(dev.parent).hw.ims!;
  return config.store === 'array' ? (device_msi!.priv_iomem - address) / IMS_SLOT_SIZE : dev.id * config.slots + dev.msi_list.indexOf(desc);
}
