import type { Op } from '../../../stepper/op';
import type { device } from '../../include/device';
import { type irq_chip, type irq_data, irq_data_get_msi_desc, IRQCHIP_SKIP_SET_WAKE } from '../../include/irq';
import type { irq_domain } from '../../include/irqdomain';
import { msi_desc, type msi_domain_info, type msi_msg } from '../../include/msi';
import type { PciDev } from '../../include/pci';
import { irq_chip_retrigger_hierarchy } from '../../irq/chip';
import { ENOSPC } from '../../lib/errno';
import { member_of } from '../../lib/fault';
import { kzalloc } from '../../lib/slab';
import { has } from '../../world';
import { pci_subdevice_msi_create_irq_domain } from '../base/device-msi';
import { ims_domain_info, ims_masked, ims_set_desc, ims_unmasked } from './irq-ims-msi';

// Messages in the memory of a device's queues, as posted in 2020 and never merged, nor posted again: the part of v2-46's drivers/irqchip/irq-ims-msi.c that is about queues.
// The kernel writes a shadow; the device's driver has it taken over by a command, when the bus lock is given back.

/** What the device shall have. */
export class ims_slot {
  address_lo = 0;
  address_hi = 0;
  data = 0;
  ctrl = 0;
}

/** What the device's driver does. The lock must allow sleep; commands cannot fail, as far as the callers know. */
export interface ims_queue_info {
  readonly queue_lock: (shadow: ims_slot) => Op;
  readonly queue_sync_unlock: (shadow: ims_slot) => Op;
  readonly queue_get_shadow: (dev: device, msi_index: number) => Op<ims_slot | null>;
}

/** Where struct msi_desc has device_msi.priv, in C. */
const OFFSETOF_PRIV = 0x50;

const shadow_of = (desc: msi_desc | null): ims_slot => member_of(desc, OFFSETOF_PRIV).device_msi!.priv as ims_slot;

/** Source: [V2 46/46] ims_queue_mask_irq() */
function* ims_queue_mask_irq(data: irq_data): Op {
  const slot = shadow_of(irq_data_get_msi_desc(data));
  slot.ctrl = ims_masked(slot.ctrl);
}

/** Source: [V2 46/46] ims_queue_unmask_irq() */
function* ims_queue_unmask_irq(data: irq_data): Op {
  const slot = shadow_of(irq_data_get_msi_desc(data));
  slot.ctrl = ims_unmasked(slot.ctrl);
}

/** Source: [V2 46/46] ims_queue_write_msi_msg() */
function* ims_queue_write_msi_msg(data: irq_data, msg: msi_msg): Op {
  const slot = shadow_of(irq_data_get_msi_desc(data));
  slot.address_lo = msg.address_lo;
  slot.address_hi = msg.address_hi;
  slot.data = msg.data;
}

/** While its domain sets an interrupt up it takes this lock, and the interrupt has no descriptor yet. */
const no_descriptor_yet = (data: irq_data): boolean => has('ims-queue-usable') && irq_data_get_msi_desc(data) === null;

/** Source: [V2 46/46] ims_queue_lock() */
function* ims_queue_lock(data: irq_data): Op {
  if (no_descriptor_yet(data)) return;
  const ims = data.chip_data as ims_queue_info;
  yield* ims.queue_lock(shadow_of(irq_data_get_msi_desc(data)));
}

/** Source: [V2 46/46] ims_queue_sync_unlock() */
function* ims_queue_sync_unlock(data: irq_data): Op {
  if (no_descriptor_yet(data)) return;
  const ims = data.chip_data as ims_queue_info;
  yield* ims.queue_sync_unlock(shadow_of(irq_data_get_msi_desc(data)));
}

const ims_queue_msi_controller = (): irq_chip => ({
  name: 'IMS',
  irq_mask: ims_queue_mask_irq,
  irq_unmask: ims_queue_unmask_irq,
  irq_disable: ims_queue_mask_irq,
  irq_enable: ims_queue_unmask_irq,
  irq_write_msi_msg: ims_queue_write_msi_msg,
  irq_retrigger: irq_chip_retrigger_hierarchy,
  irq_bus_lock: ims_queue_lock,
  irq_bus_sync_unlock: ims_queue_sync_unlock,
  flags: IRQCHIP_SKIP_SET_WAKE,
});

/** The device is not told. Source: [V2 46/46] ims_queue_free_msi_store() */
function* ims_queue_free_msi_store(_domain: irq_domain, dev: device): Op {
  for (const { device_msi } of dev.msi_list) {
    if (!device_msi?.priv) continue;
    Object.assign(device_msi.priv, new ims_slot());
    device_msi.priv = null;
    device_msi.hwirq = 0;
  }
}

/** The number has 16 bits: what was to tell one queue from another is lost. @returns 0, or -ENOSPC. Source: [V2 46/46] ims_queue_alloc_msi_store() */
function* ims_queue_alloc_msi_store(domain: irq_domain, dev: device, _nvec: number): Op<number> {
  const ims = (domain.host_data as msi_domain_info).chip_data as ims_queue_info;
  for (const [idx, { device_msi }] of dev.msi_list.entries()) {
    const slot = yield* ims.queue_get_shadow(dev, idx);
    if (!slot) {
      yield* ims_queue_free_msi_store(domain, dev);
      return -ENOSPC;
    }
    device_msi!.priv = slot;
    device_msi!.hwirq = u16((dev.id << 16) | idx);
  }
  return 0;
}

const u16 = (value: number): number => value & 0xffff;

/** @returns a domain for the queues of `pdev`, or null. Source: [V2 46/46] pci_ims_queue_create_msi_irq_domain() */
export function* pci_ims_queue_create_msi_irq_domain(pdev: PciDev, ims_info: ims_queue_info): Op<irq_domain | null> {
  const where = 'pci_ims_queue_create_msi_irq_domain';
  const info = ims_domain_info(where, {
    msi_alloc_store: ims_queue_alloc_msi_store,
    msi_free_store: ims_queue_free_msi_store,
    ...(has('ims-queue-usable') && { set_desc: ims_set_desc }),
  });
  if (!info) return null;

  const chip = kzalloc(`${where}: chip`, ims_queue_msi_controller);
  if (!chip) return null;

  return yield* pci_subdevice_msi_create_irq_domain(pdev, Object.assign(info, { chip_data: ims_info, chip }));
}
