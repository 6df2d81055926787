/// <reference path="./irqstep-model.d.ts" />
// An interrupt domain of your own. Open my-domain.irq.yaml and press F5: breakpoints in here are hit, forwards and backwards.
// Functions that may be stepped are generators (function*), and are called with yield*. Callbacks return 0 or a negative errno.
import {
  EINVAL, ENOMEM, ENOSPC, IRQ_HANDLED, device_raise, device_slots, free_irq, handle_edge_irq, init_msi_alloc_info, irq_chip_ack_parent, irq_chip_compose_msi_msg, irq_chip_set_affinity_parent,
  irq_domain_alloc_irqs, irq_domain_alloc_irqs_parent, irq_domain_alloc_named_fwnode, irq_domain_create_hierarchy, irq_domain_free_irqs, irq_domain_free_irqs_top,
  irq_domain_set_info, irq_find_mapping, msi_msg, msi_parent_domain, pci_device, pci_enable_device, pci_set_master, pr_info, readl, request_irq, writel,
} from 'irqstep/model';
import type { Op, PciDev, irq_chip, irq_data, irq_domain, irq_domain_ops } from 'irqstep/model';

// ---- the chip: what the kernel does with one interrupt. The device has 16 bytes for each: address_lo, address_hi, data, ctrl.

const slot_of = (data: irq_data): number => device_slots(data.chip_data as PciDev).address + data.hwirq * 16;

function* my_mask(data: irq_data): Op {
  writel(readl(slot_of(data) + 12) | 1, slot_of(data) + 12);
}

function* my_unmask(data: irq_data): Op {
  writel(readl(slot_of(data) + 12) & ~1, slot_of(data) + 12);
}

const my_chip: irq_chip = {
  name: 'MY-CHIP',
  irq_mask: my_mask,
  irq_unmask: my_unmask,
  irq_ack: irq_chip_ack_parent,
  // With a remapping unit (remap: intel) that is all. Without one the message in the slot has to change too.
  irq_set_affinity: irq_chip_set_affinity_parent,
  flags: 0,
};

// ---- the domain: which interrupts there are. Each one has a level here, and one in each domain below.

function* my_alloc(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const pdev = domain.host_data as PciDev;
  if (nr_irqs > 1) return -EINVAL;
  let hwirq = 0;
  while ((yield* irq_find_mapping(domain, hwirq)) !== 0) hwirq++;
  if (hwirq >= device_slots(pdev).count) return -ENOSPC;
  const err = yield* irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);
  if (err < 0) return err;
  yield* irq_domain_set_info(domain, virq, hwirq, my_chip, pdev, handle_edge_irq, null, 'edge');
  return 0;
}

/** The domains below are active: the message can be had, and goes into the slot. */
function* my_activate(_domain: irq_domain, data: irq_data, _reserve: boolean): Op<number> {
  const msg = new msi_msg();
  const err = yield* irq_chip_compose_msi_msg(data, msg);
  if (err < 0) return err;
  writel(msg.address_lo, slot_of(data));
  writel(msg.address_hi, slot_of(data) + 4);
  writel(msg.data, slot_of(data) + 8);
  return 0;
}

const my_ops: irq_domain_ops = { alloc: my_alloc, free: irq_domain_free_irqs_top, activate: my_activate };

// ---- what the scenario calls

let my_domain: irq_domain;

/** Runs when the module is loaded, behind the boot. */
export function* init(): Op<number> {
  const pdev = pci_device('card');
  const err = yield* pci_enable_device(pdev);
  if (err < 0) return err;
  yield* pci_set_master(pdev);
  my_domain = yield* irq_domain_create_hierarchy(yield* msi_parent_domain(pdev), 0, 0, yield* irq_domain_alloc_named_fwnode('MY-DOMAIN'), my_ops, pdev);
  pr_info(`${my_domain.name} stands on ${my_domain.parent!.name}`);
  return 0;
}

function* my_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** call: an interrupt of the domain, requested. @returns its number */
export function* request(name: string): Op<number> {
  const info = yield* init_msi_alloc_info(pci_device('card'));
  if (!info) return -ENOMEM;
  const irq = yield* irq_domain_alloc_irqs(my_domain, 1, -1, info);
  if (irq < 0) return irq;
  const err = yield* request_irq(irq, my_handler, 0, name, my_domain);
  return err < 0 ? err : irq;
}

/** call: the device sends the message of a slot. */
export function* raise(slot: number): Op {
  yield* device_raise(pci_device('card'), slot);
}

/** call */
export function* release(irq: number): Op {
  yield* free_irq(irq, my_domain);
  yield* irq_domain_free_irqs(irq, 1);
}
