// An irqchip of your own: a device that keeps interrupt messages in slots of its memory, as IMS does.
// Each interrupt has a level here, one in the remapping unit (where there is one), and one in VECTOR.
import {
  ENOSPC, IRQ_SET_MASK_OK_DONE, bitmap, device_slots, handle_edge_irq, irq_chip_ack_parent, irq_chip_compose_msi_msg, irq_chip_retrigger_hierarchy,
  irq_domain_alloc_irqs_parent, irq_domain_alloc_named_fwnode, irq_domain_create_hierarchy, irq_domain_free_irqs_top, irq_domain_get_irq_data,
  irq_domain_set_info, msi_msg, msi_parent_domain, readl, writel,
} from 'irqstep/model';
import type { Op, PciDev, cpumask, irq_chip, irq_data, irq_domain, irq_domain_ops, message_slots } from 'irqstep/model';

const SLOT_SIZE = 16;
const ADDRESS_LO = 0, ADDRESS_HI = 4, DATA = 8, CTRL = 12;
const CTRL_MASKED = 1;

/** The domain's host_data: the slots, and which of them are taken. */
interface Store {
  readonly slots: message_slots;
  readonly taken: bitmap;
}

/** The address of an interrupt's slot: its hwirq is the slot's number. */
const slot_of = (data: irq_data): number => (data.domain!.host_data as Store).slots.address + data.hwirq * SLOT_SIZE;

function* accel_mask(data: irq_data): Op {
  writel(readl(slot_of(data) + CTRL) | CTRL_MASKED, slot_of(data) + CTRL);
}

function* accel_unmask(data: irq_data): Op {
  writel(readl(slot_of(data) + CTRL) & ~CTRL_MASKED, slot_of(data) + CTRL);
}

/** What the message says is the parents' affair: VECTOR's, or the remapping unit's. */
function* accel_write_message(data: irq_data): Op<number> {
  const msg = new msi_msg();
  const err = yield* irq_chip_compose_msi_msg(data, msg);
  if (err < 0) return err;
  writel(msg.address_lo, slot_of(data) + ADDRESS_LO);
  writel(msg.address_hi, slot_of(data) + ADDRESS_HI);
  writel(msg.data, slot_of(data) + DATA);
  return 0;
}

/** A remapping unit changes its entry, and that is all; without one the message has to change. */
function* accel_set_affinity(data: irq_data, mask: cpumask, force: boolean): Op<number> {
  const parent = data.parent_data!;
  const ret = yield* parent.chip.irq_set_affinity!(parent, mask, force);
  if (ret < 0 || ret === IRQ_SET_MASK_OK_DONE) return ret;
  const err = yield* accel_write_message(data);
  return err < 0 ? err : ret;
}

const accel_chip: irq_chip = {
  name: 'ACCEL',
  irq_mask: accel_mask,
  irq_unmask: accel_unmask,
  irq_ack: irq_chip_ack_parent,
  irq_retrigger: irq_chip_retrigger_hierarchy,
  irq_set_affinity: accel_set_affinity,
  flags: 0,
};

function* accel_domain_alloc(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const { taken } = domain.host_data as Store;
  const first = taken.nextZeroArea(0, nr_irqs);
  if (first < 0) return -ENOSPC;
  const err = yield* irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);
  if (err < 0) return err;
  for (let i = 0; i < nr_irqs; i++) {
    taken.set(first + i);
    yield* irq_domain_set_info(domain, virq + i, first + i, accel_chip, null, handle_edge_irq, null, 'edge');
  }
  return 0;
}

function* accel_domain_free(domain: irq_domain, virq: number, nr_irqs: number): Op {
  const { taken } = domain.host_data as Store;
  for (let i = 0; i < nr_irqs; i++) taken.clear((yield* irq_domain_get_irq_data(domain, virq + i))!.hwirq);
  yield* irq_domain_free_irqs_top(domain, virq, nr_irqs);
}

/** The parents are active already: there is a vector, and an entry. */
function* accel_domain_activate(_domain: irq_domain, data: irq_data, _reserve: boolean): Op<number> {
  return yield* accel_write_message(data);
}

const accel_domain_ops: irq_domain_ops = { alloc: accel_domain_alloc, free: accel_domain_free, activate: accel_domain_activate };

/** A domain for the slots of a device, on top of the one that its MSI-X has below it. */
export function* accel_create_domain(pdev: PciDev): Op<irq_domain> {
  const slots = device_slots(pdev);
  const store: Store = { slots, taken: new bitmap(slots.count) };
  const fwnode = yield* irq_domain_alloc_named_fwnode(`ACCEL-${pdev.name}`);
  return yield* irq_domain_create_hierarchy(yield* msi_parent_domain(pdev), 0, slots.count, fwnode, accel_domain_ops, store);
}
