// irqstep/model: what a module of the user's own may use to make an interrupt domain, a chip, and a driver for them. Names, arguments and results are the kernel's;
// whatever may wait or be stepped is an Op: a generator function, called with yield*. Callbacks that a module hands in are looked at when they return.
import type { Op } from '../../stepper/op';
import { irq_msi_compose_msg } from '../../kernel/arch/x86/apic/msi';
import { irqd_cfg } from '../../kernel/arch/x86/apic/vector';
import { irq_alloc_info, type irq_cfg } from '../../kernel/arch/x86/hw_irq';
import { pci_subdevice_msi_create_irq_domain as kernel_subdevice_domain } from '../../kernel/drivers/base/device-msi';
import { irq_remapping_get_irq_domain } from '../../kernel/drivers/iommu/irq_remapping';
import type { device } from '../../kernel/include/device';
import type { irq_handler_t } from '../../kernel/include/interrupt';
import type { irq_chip, irq_data } from '../../kernel/include/irq';
import type { irq_desc, irq_flow_handler } from '../../kernel/include/irqdesc';
import { type fwnode_handle, type irq_domain, irq_domain_is_msi_parent, type irq_domain_ops } from '../../kernel/include/irqdomain';
import { type msi_desc, type msi_domain_info, type msi_domain_ops, msi_msg, X86_IRQ_ALLOC_TYPE } from '../../kernel/include/msi';
import type { PciDev } from '../../kernel/include/pci';
import * as irq_chip_c from '../../kernel/irq/chip';
import * as irqdomain_c from '../../kernel/irq/irqdomain';
import * as manage_c from '../../kernel/irq/manage';
import * as msi_c from '../../kernel/irq/msi';
import { cpumask } from '../../kernel/lib/cpumask';
import { called } from '../../kernel/lib/fault';
import { has, kernel as current_kernel, machine } from '../../kernel/world';
import { checkedChip, checkedDomainOps, checkedHandler, checkedMsiOps } from './contracts';
import { refused } from './thrown';

export type { Op, irq_cfg, device, irq_handler_t, irq_chip, irq_data, irq_flow_handler, fwnode_handle, irq_domain, irq_domain_ops, msi_desc, msi_domain_info, msi_domain_ops, PciDev };
export type { irq_common_data, irqchip_irq_state } from '../../kernel/include/irq';
export type { irq_desc } from '../../kernel/include/irqdesc';
export type { pci_driver } from '../../kernel/drivers/pci/pci-driver';
export { subdevice } from '../../kernel/include/device';
export { cpumask, irq_alloc_info, irqd_cfg, irq_msi_compose_msg, msi_msg };

// ---- errors, log, memory, locks

export { EACCES, EAGAIN, EBUSY, ECANCELED, EEXIST, EINVAL, EIO, ENODEV, ENOENT, ENOMEM, ENOSPC, ENOSYS, ENOTCONN, ENOTSUPP, ENXIO, EOVERFLOW, EPERM, ERANGE } from '../../kernel/lib/errno';
export { BUG_ON, pr_err, pr_info, pr_warn, WARN_ON, WARN_ON_ONCE } from '../../kernel/lib/printk';
export { kzalloc } from '../../kernel/lib/slab';
export { bitmap } from '../../kernel/lib/bitmap';
export { cpu_relax, mutex, mutex_lock, mutex_unlock, raw_spin_lock, raw_spin_lock_irqsave, raw_spin_unlock, raw_spin_unlock_irqrestore, raw_spinlock } from '../../kernel/lib/locking';

// ---- domains

export { DOMAIN_BUS, IRQ_DOMAIN_FLAG } from '../../kernel/include/irqdomain';
export {
  irq_domain_activate_irq, irq_domain_alloc_irqs, irq_domain_alloc_irqs_parent, irq_domain_alloc_named_fwnode, irq_domain_alloc_named_id_fwnode, irq_domain_deactivate_irq,
  irq_domain_disconnect_hierarchy, irq_domain_free_irqs, irq_domain_free_irqs_common, irq_domain_free_irqs_parent, irq_domain_free_irqs_top, irq_domain_get_irq_data, irq_domain_remove,
  irq_domain_reset_irq_data, irq_domain_update_bus_token, irq_find_mapping,
} from '../../kernel/irq/irqdomain';
export { irq_create_mapping, irq_dispose_mapping } from '../../kernel/irq/irqdomain_map';

/**
 * A domain on top of `parent`: each of its interrupts has a level there too, and all the way down to VECTOR.
 * @param parent null for a domain that stands alone, such as one whose interrupts a handler tells apart
 * @param flags IRQ_DOMAIN_FLAG bits @param size hwirqs below it are found in an array; 0: all in a tree
 * @param host_data yours: `domain.host_data`. Source: kernel/irq/irqdomain.c, irq_domain_create_hierarchy()
 */
export function* irq_domain_create_hierarchy(parent: irq_domain | null, flags: number, size: number, fwnode: fwnode_handle | null, ops: irq_domain_ops, host_data: unknown): Op<irq_domain> {
  return yield* irqdomain_c.irq_domain_create_hierarchy(parent, flags, size, fwnode, checkedDomainOps(ops), host_data);
}

/** A domain without a parent, of hwirqs from 0 to size - 1. Source: include/linux/irqdomain.h, irq_domain_create_linear() */
export function* irq_domain_create_linear(fwnode: fwnode_handle | null, size: number, ops: irq_domain_ops, host_data: unknown): Op<irq_domain> {
  return yield* irqdomain_c.irq_domain_create_linear(fwnode, size, checkedDomainOps(ops), host_data);
}

/** A domain without a parent, of any hwirqs. Source: include/linux/irqdomain.h, irq_domain_create_tree() */
export function* irq_domain_create_tree(fwnode: fwnode_handle | null, ops: irq_domain_ops, host_data: unknown): Op<irq_domain> {
  return yield* irqdomain_c.irq_domain_create_tree(fwnode, checkedDomainOps(ops), host_data);
}

/** Say in `alloc` what the interrupt is on this level. @returns 0, or -ENOENT when `virq` has no level of `domain`. Source: kernel/irq/irqdomain.c, irq_domain_set_hwirq_and_chip() */
export function* irq_domain_set_hwirq_and_chip(domain: irq_domain, virq: number, hwirq: number, chip: irq_chip | null, chip_data: unknown): Op<number> {
  return yield* irqdomain_c.irq_domain_set_hwirq_and_chip(domain, virq, hwirq, checkedChip(chip), chip_data);
}

/** The same, and the flow handler: for the outermost level. @param handler_name as /proc/interrupts prints it: "edge". Source: kernel/irq/irqdomain.c, irq_domain_set_info() */
export function* irq_domain_set_info(
  domain: irq_domain, virq: number, hwirq: number, chip: irq_chip | null, chip_data: unknown, handler: irq_flow_handler | null, handler_data: unknown, handler_name: string | null,
): Op {
  yield* irqdomain_c.irq_domain_set_info(domain, virq, hwirq, checkedChip(chip), chip_data, handler, handler_data, handler_name);
}

// ---- chips and flow handlers

export {
  IRQ_NO_BALANCING, IRQ_SET_MASK_OK, IRQ_SET_MASK_OK_DONE, IRQ_SET_MASK_OK_NOCOPY, IRQ_TYPE_EDGE_FALLING, IRQ_TYPE_EDGE_RISING, IRQ_TYPE_LEVEL_HIGH, IRQ_TYPE_LEVEL_LOW,
  IRQCHIP_EOI_THREADED, IRQCHIP_ONESHOT_SAFE, IRQCHIP_SET_TYPE_MASKED, IRQCHIP_SKIP_SET_WAKE, irq_data_get_affinity_mask, irq_data_get_effective_affinity_mask, irq_data_get_msi_desc,
  irq_data_update_effective_affinity, irqd_affinity_is_managed, irqd_get_trigger_type, irqd_irq_disabled, irqd_irq_masked, irqd_is_activated, irqd_set_trigger_type,
} from '../../kernel/include/irq';
export {
  handle_edge_irq, handle_fasteoi_irq, handle_level_irq, handle_percpu_irq, handle_simple_irq, handle_untracked_irq, irq_chip_ack_parent, irq_chip_compose_msi_msg, irq_chip_disable_parent,
  irq_chip_enable_parent, irq_chip_eoi_parent, irq_chip_mask_parent, irq_chip_retrigger_hierarchy, irq_chip_set_affinity_parent, irq_chip_set_type_parent,
  irq_chip_set_vcpu_affinity_parent, irq_chip_unmask_parent, irq_clear_status_flags, irq_set_chip_data, irq_set_handler_data, irq_set_status_flags,
} from '../../kernel/irq/chip';
export { generic_handle_irq, irq_get_irq_data } from '../../kernel/irq/irqdesc';

/** For a domain's `map`: who the interrupt's chip is, and what happens when it comes. Source: include/linux/irq.h, irq_set_chip_and_handler() */
export function* irq_set_chip_and_handler(irq: number, chip: irq_chip | null, handle: irq_flow_handler | null): Op {
  yield* irq_chip_c.irq_set_chip_and_handler_name(irq, checkedChip(chip), handle, null);
}

/** A chained handler begins: what the chip needs before those behind it run. @param chip of the chained interrupt: desc.irq_data.chip. Source: include/linux/irqchip/chained_irq.h, chained_irq_enter() */
export function* chained_irq_enter(chip: irq_chip, desc: irq_desc): Op {
  if (chip.irq_eoi) return;
  if (chip.irq_mask_ack) {
    yield* chip.irq_mask_ack(desc.irq_data);
    return;
  }
  yield* called(chip.irq_mask)(desc.irq_data);
  if (chip.irq_ack) yield* chip.irq_ack(desc.irq_data);
}

/** It ends. Source: include/linux/irqchip/chained_irq.h, chained_irq_exit() */
export function* chained_irq_exit(chip: irq_chip, desc: irq_desc): Op {
  yield* called(chip.irq_eoi ?? chip.irq_unmask)(desc.irq_data);
}

/** Interrupts of `irq` are for this handler alone, which calls generic_handle_irq() for those behind it. @param handler null: no longer. Source: include/linux/irq.h, irq_set_chained_handler() */
export function* irq_set_chained_handler(irq: number, handler: irq_flow_handler | null): Op {
  yield* irq_chip_c.__irq_set_handler(irq, handler, true, null);
}

// ---- message signalled interrupts

export { MSI_FLAG, X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_TYPE } from '../../kernel/include/msi';
export { alloc_msi_entry, msi_domain_alloc_irqs, msi_domain_free_irqs, msi_domain_set_affinity, msi_get_domain_info } from '../../kernel/irq/msi';

/** A domain of messages: the kernel's ops, which ask yours in `info.ops` and write by `info.chip.irq_write_msi_msg`. `info` is completed in place. Source: kernel/irq/msi.c, msi_create_irq_domain() */
export function* msi_create_irq_domain(fwnode: fwnode_handle | null, info: msi_domain_info, parent: irq_domain | null): Op<irq_domain> {
  return yield* msi_c.msi_create_irq_domain(fwnode, checkedInfo(info), parent);
}

/** The same for the parts of a PCI device (subdevice), on the parent of the device's own domain: v5.10+device-msi has it, posted in 2020 and never merged. @returns it, or null without one. Source: [V2 44/46] drivers/base/platform-msi.c, pci_subdevice_msi_create_irq_domain() */
export function* pci_subdevice_msi_create_irq_domain(pdev: PciDev, info: msi_domain_info): Op<irq_domain | null> {
  if (!has('v2-44')) throw refused('pci_subdevice_msi_create_irq_domain() is not in this kernel; expected kernel: v5.10+device-msi, or irq_domain_create_hierarchy()');
  return yield* kernel_subdevice_domain(pdev, checkedInfo(info));
}

function checkedInfo(info: msi_domain_info): msi_domain_info {
  info.ops = checkedMsiOps(info.ops);
  info.chip = checkedChip(info.chip)!;
  return info;
}

/** The domain below a device's messages: INTEL-IR-n or AMD-IR-n where they are remapped, else VECTOR. A domain of yours goes on top of it. */
export function* msi_parent_domain(dev: PciDev): Op<irq_domain> {
  const asks = current_kernel.remap_ops !== null && !has(machine.amdRemapUnits.length > 0 ? 'v2-38' : 'v2-37');
  const info = asks ? yield* init_msi_alloc_info(dev) : null;
  const remapped = info && (yield* irq_remapping_get_irq_domain(info));
  const domain = remapped ?? dev.msi_domain;
  if (domain && irq_domain_is_msi_parent(domain)) return domain;
  return domain?.parent ?? current_kernel.x86_vector_domain!;
}

/**
 * What an allocation below msi_parent_domain() asks for: a message of this device, as one of its MSI-X entries would. An MSI domain for parts of the device,
 * which are no PCI functions, has it in its msi_prepare: `Object.assign(arg, yield* init_msi_alloc_info(pdev))`, and set_desc sets arg.hwirq alone.
 * @returns it, or null where memory is short
 */
export function* init_msi_alloc_info(dev: PciDev): Op<irq_alloc_info | null> {
  const info = new irq_alloc_info();
  info.type = X86_IRQ_ALLOC_TYPE.PCI_MSIX;
  info.desc = yield* msi_c.alloc_msi_entry(dev, 1, null);
  info.msi_dev = dev;
  return info.desc && info;
}

// ---- requests

export { IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IRQF_NO_THREAD, IRQF_NOBALANCING, IRQF_ONESHOT, IRQF_SHARED } from '../../kernel/include/interrupt';
export { disable_irq, disable_irq_nosync, enable_irq, free_irq, irq_set_affinity, synchronize_irq } from '../../kernel/irq/manage';

/** @param flags IRQF_* @returns 0 or an errno. Source: include/linux/interrupt.h, request_irq() */
export function* request_irq(irq: number, handler: irq_handler_t | null, flags: number, name: string, dev: unknown): Op<number> {
  return yield* manage_c.request_irq(irq, checkedHandler(handler), flags, name, dev);
}

/** @param handler null: the thread alone @returns 0 or an errno. Source: kernel/irq/manage.c, request_threaded_irq() */
export function* request_threaded_irq(irq: number, handler: irq_handler_t | null, thread_fn: irq_handler_t | null, flags: number, name: string, dev: unknown): Op<number> {
  return yield* manage_c.request_threaded_irq(irq, checkedHandler(handler), checkedHandler(thread_fn), flags, name, dev);
}

// ---- devices and the hardware

export { bits } from '../../hardware/bits';
export { PCI_IRQ_AFFINITY, PCI_IRQ_ALL_TYPES, PCI_IRQ_LEGACY, PCI_IRQ_MSI, PCI_IRQ_MSIX } from '../../kernel/include/pci';
export { readl, writel } from '../../kernel/drivers/pci/access';
export { pci_disable_device, pci_enable_device, pci_set_master } from '../../kernel/drivers/pci/pci';
export { pci_alloc_irq_vectors_affinity, pci_free_irq_vectors, pci_irq_vector } from '../../kernel/drivers/pci/msi_api';
export { pci_msix_alloc_irq_at, pci_msix_free_irq } from '../../kernel/drivers/pci/msi_ims';
export { MSI_ANY_INDEX } from '../../kernel/include/msi';

/** The PCI function that the scenario calls by this name. @throws when there is none */
export function pci_device(name: string): PciDev {
  const found = current_kernel.pci_devices.find(dev => dev.hw.config.name === name);
  if (found) return found;
  throw refused(`there is no device ${name}; there are ${current_kernel.pci_devices.map(dev => dev.hw.config.name ?? dev.name).join(', ')}`);
}

/** Messages that an MSI capability can have. */
const MAX_MSI = 32;

/** The slots for messages that a device with `kind: ims` has in its memory, 16 bytes each: address_lo, address_hi, data, ctrl (bit 0: masked). */
export interface message_slots {
  /** physical, of slot 0 */
  readonly address: number;
  readonly count: number;
}

/** @throws for a device without such slots */
export function device_slots(dev: PciDev): message_slots {
  const { ims } = dev.hw;
  if (ims?.config.store !== 'array') throw refused(`${dev.name} has no slots for messages; expected a device with kind: ims`);
  return { address: ims.address, count: ims.slots };
}

/** The device has an interrupt: of a slot, where it has slots, else of an MSI-X entry or MSI vector. It sends the message that is there, once that is not masked; what it raises enters here. */
export function* device_raise(dev: PciDev, entry: number): Op {
  const { ims, msix } = dev.hw;
  const count = ims ? device_slots(dev).count : (msix?.place.entries ?? MAX_MSI);
  if (entry < 0 || entry >= count) throw refused(`${dev.name} has no ${ims ? 'slot' : 'entry'} ${entry}; expected 0 to ${count - 1}`);
  (ims ?? dev.hw).raise(entry);
  yield { wait: 'window' };
}

/** The device writes to memory of its own accord: an interrupt where the address is in 0xfeexxxxx. @param msg 32 bits each */
export function* device_write(dev: PciDev, msg: Pick<msi_msg, 'address_hi' | 'address_lo' | 'data'>): Op {
  dev.hw.writeOut(msg.address_hi, msg.address_lo, msg.data);
  yield { wait: 'window' };
}

/** Memory for a device's tables, zeroed. @param align a power of two @returns its physical address, for readl() and writel(). @throws where RAM is used up */
export function dma_alloc(bytes: number, align = 8): number {
  if (bytes <= 0) throw refused(`dma_alloc() of ${bytes} bytes; expected at least 1`);
  if (align <= 0 || 2 ** Math.round(Math.log2(align)) !== align) throw refused(`dma_alloc() at a multiple of ${align}; expected a power of two`);
  return machine.memory.alloc(bytes, Math.max(align, 8));
}


/** The kernel's globals that a domain needs. */
export interface kernel_globals {
  readonly x86_vector_domain: irq_domain | null;
  readonly cpu_online_mask: cpumask;
  readonly nr_cpu_ids: number;
  readonly this_cpu: number;
}

/** Of the run that the module belongs to. */
export const kernel: kernel_globals = {
  get x86_vector_domain() {
    return current_kernel.x86_vector_domain;
  },
  get cpu_online_mask() {
    return current_kernel.cpu_online_mask;
  },
  get nr_cpu_ids() {
    return current_kernel.nr_cpu_ids;
  },
  get this_cpu() {
    return current_kernel.this_cpu;
  },
};
