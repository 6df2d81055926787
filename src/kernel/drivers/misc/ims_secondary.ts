import { IMS_CTRL, IMS_SLOT, IMS_SLOT_SIZE } from '../../../hardware/ims-store';
import type { Op } from '../../../stepper/op';
import type { subdevice } from '../../include/device';
import { type irq_data, irq_data_get_msi_desc, IRQCHIP_ONESHOT_SAFE } from '../../include/irq';
import { DOMAIN_BUS, type irq_domain } from '../../include/irqdomain';
import { type msi_alloc_info_t, type msi_desc, type msi_domain_info, type msi_domain_template, MSI_FLAG, type msi_map, type msi_msg, MSI_SECONDARY_DOMAIN } from '../../include/msi';
import { type PciDev, to_pci_dev } from '../../include/pci';
import { ENOSPC } from '../../lib/errno';
import { limit_bound } from '../../lib/limit';
import { mutex_lock } from '../../lib/locking';
import { ims_ctrl_pasid_aux } from '../irqchip/irq-ims-msi';
import type { ims_slot } from '../irqchip/irq-ims-queue';
import { readl, writel } from '../pci/access';
import { pci_create_ims_domain, pci_ims_alloc_irq, pci_ims_free_irq } from '../pci/msi_ims';
import { ims_queue, queue_of, queue_sync_unlock } from './ims_queue';

// The model's device on a kernel with pci-ims: its messages are in a second domain of the PCI device, and its parts have none. As the driver that was posted beside those
// patches does it, "irqchip: Add IDXD Interrupt Message Store driver", which was not merged; the queues by the rules that pci_create_ims_domain() states. No kernel has it.

/** The control word with the interrupt masked, as devices have it. */
const MASKED = IMS_CTRL.encode({ bit0: true });

function iowrite32_and_flush(value: number, address: number): void {
  writel(value, address);
  readl(address);
}

/** Where the slot is, and the driver's bits of its control word, which never change: nobody races with the mask bit. */
const slot_of = (data: irq_data): { readonly slot: number; readonly cval: number } => {
  const { dcookie, icookie } = irq_data_get_msi_desc(data)!.data!;
  return { slot: dcookie, cval: icookie as number };
};

function* ims_slot_mask(data: irq_data): Op {
  const { slot, cval } = slot_of(data);
  iowrite32_and_flush((cval | MASKED) >>> 0, slot + IMS_SLOT.ctrl);
}

function* ims_slot_unmask(data: irq_data): Op {
  const { slot, cval } = slot_of(data);
  iowrite32_and_flush(cval, slot + IMS_SLOT.ctrl);
}

function* ims_slot_write_msi_msg(data: irq_data, msg: msi_msg): Op {
  const { slot } = slot_of(data);
  writel(msg.address_lo, slot + IMS_SLOT.address_lo);
  writel(msg.address_hi, slot + IMS_SLOT.address_hi);
  iowrite32_and_flush(msg.data, slot + IMS_SLOT.data);
}

/** The message's number is its slot's, and its hwirq. The PASID that came with the allocation goes to its place in the control word. */
function* ims_slot_prepare_desc(domain: irq_domain, arg: msi_alloc_info_t, desc: msi_desc): Op {
  const store = (domain.host_data as msi_domain_info).data as number;
  const data = desc.data!;
  const pasid = data.icookie as number | undefined;
  data.dcookie = store + desc.msi_attrib.entry_nr * IMS_SLOT_SIZE;
  data.icookie = pasid === undefined ? 0 : ims_ctrl_pasid_aux(pasid, true);
  iowrite32_and_flush(MASKED, data.dcookie + IMS_SLOT.ctrl);
  arg.hwirq = desc.msi_attrib.entry_nr;
}

const IMS_FLAGS = MSI_FLAG.ALLOC_SIMPLE_MSI_DESCS | MSI_FLAG.FREE_MSI_DESCS | MSI_FLAG.PCI_IMS;

const ims_slot_template: msi_domain_template = Object.freeze({
  chip: { name: 'IMS', irq_mask: ims_slot_mask, irq_unmask: ims_slot_unmask, irq_write_msi_msg: ims_slot_write_msi_msg, flags: IRQCHIP_ONESHOT_SAFE },
  ops: { prepare_desc: ims_slot_prepare_desc },
  flags: IMS_FLAGS,
  bus_token: DOMAIN_BUS.PCI_DEVICE_IMS,
});

/** A queue's message is a shadow of what the device shall have; while an interrupt is being set up it has no descriptor yet. */
const shadow_of = (data: irq_data): ims_slot | undefined => irq_data_get_msi_desc(data)?.data?.icookie as ims_slot | undefined;

const queues_of = (data: irq_data): readonly ims_queue[] => (data.domain!.host_data as msi_domain_info).data as ims_queue[];

function* ims_queue_mask(data: irq_data): Op {
  const shadow = shadow_of(data)!;
  shadow.ctrl = IMS_CTRL.with(shadow.ctrl, { bit0: true });
}

function* ims_queue_unmask(data: irq_data): Op {
  const shadow = shadow_of(data)!;
  shadow.ctrl = IMS_CTRL.with(shadow.ctrl, { bit0: false });
}

function* ims_queue_write_msi_msg(data: irq_data, msg: msi_msg): Op {
  Object.assign(shadow_of(data)!, { address_lo: msg.address_lo, address_hi: msg.address_hi, data: msg.data });
}

function* ims_queue_bus_lock(data: irq_data): Op {
  const shadow = shadow_of(data);
  if (shadow) yield* mutex_lock(queue_of(queues_of(data), shadow).lock);
}

function* ims_queue_bus_sync_unlock(data: irq_data): Op {
  const desc = irq_data_get_msi_desc(data);
  const shadow = shadow_of(data);
  if (desc && shadow) yield* queue_sync_unlock(to_pci_dev(desc.dev), queue_of(queues_of(data), shadow));
}

/** The number says nothing to the device: the place is in the cookie. */
function* ims_queue_prepare_desc(_domain: irq_domain, arg: msi_alloc_info_t, desc: msi_desc): Op {
  arg.hwirq = desc.msi_attrib.entry_nr;
}

const ims_queue_template: msi_domain_template = Object.freeze({
  chip: {
    name: 'IMS', irq_mask: ims_queue_mask, irq_unmask: ims_queue_unmask, irq_write_msi_msg: ims_queue_write_msi_msg, irq_bus_lock: ims_queue_bus_lock, irq_bus_sync_unlock: ims_queue_bus_sync_unlock,
    flags: IRQCHIP_ONESHOT_SAFE,
  },
  ops: { prepare_desc: ims_queue_prepare_desc },
  flags: IMS_FLAGS,
  bus_token: DOMAIN_BUS.PCI_DEVICE_IMS,
});

/** @returns the device's second domain; null where the kernel refuses one */
export function* ims_secondary_create_domain(pdev: PciDev): Op<irq_domain | null> {
  const { address, config } = pdev.hw.ims!;
  const queues = Array.from({ length: config.queues }, (_, id) => new ims_queue(id, config.slots));
  const made = config.store === 'array' ? yield* pci_create_ims_domain(pdev, ims_slot_template, config.slots, address) : yield* pci_create_ims_domain(pdev, ims_queue_template, 0, queues);
  return made ? pdev.msi_data!.__domains[MSI_SECONDARY_DOMAIN].domain : null;
}

/** What goes with the allocation of one message of a part: its PASID, or a place in its queue that no other message has. @returns -ENOSPC where the queue has none */
function* cookie_of(dev: subdevice, domain: irq_domain, pasid: number | undefined): Op<unknown> {
  const pdev = to_pci_dev(dev.parent);
  if (pdev.hw.ims!.config.store === 'array') return pasid;

  const { shadows } = ((domain.host_data as msi_domain_info).data as ims_queue[])[dev.id];
  const taken = pdev.msi_data!.__domains[MSI_SECONDARY_DOMAIN].store.map(({ data }) => data!.icookie);
  const free = shadows.find(shadow => !taken.includes(shadow));
  if (!free) {
    limit_bound({ name: `messages of queue ${dev.id} of ${pdev.name}`, needed: 1, used: shadows.length, size: shadows.length });
    return -ENOSPC;
  }
  Object.assign(free, { address_lo: 0, address_hi: 0, data: 0, ctrl: MASKED });
  return free;
}

/** `nvec` messages for a part, one by one, into `maps`; what there was when one is not to be had goes back. @returns 0 or an errno */
export function* ims_secondary_alloc_irqs(dev: subdevice, domain: irq_domain, maps: msi_map[], nvec: number, pasid: number | undefined): Op<number> {
  const pdev = to_pci_dev(dev.parent);
  for (let i = 0; i < nvec; i++) {
    const cookie = yield* cookie_of(dev, domain, pasid);
    const full = cookie === -ENOSPC;
    const map = full ? { index: -ENOSPC, virq: 0 } : yield* pci_ims_alloc_irq(pdev, cookie, null);
    if (map.index < 0) {
      while (i-- > 0) yield* pci_ims_free_irq(pdev, maps.pop()!);
      return map.index;
    }
    maps.push(map);
  }
  return 0;
}

/** All messages of a part. */
export function* ims_secondary_free_irqs(dev: subdevice, maps: msi_map[]): Op {
  for (let map = maps.pop(); map; map = maps.pop()) yield* pci_ims_free_irq(to_pci_dev(dev.parent), map);
}
