import { RTE } from '../../../../hardware/io-apic';
import type { Op } from '../../../../stepper/op';
import { irq_remapping_get_ir_irq_domain, irq_remapping_get_irq_domain } from '../../../drivers/iommu/irq_remapping';
import { IRQ_LEVEL, type irq_data } from '../../../include/irq';
import type { irq_domain, irq_domain_ops } from '../../../include/irqdomain';
import { X86_IRQ_ALLOC_LEGACY, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import { NUMA_NO_NODE } from '../../../include/topology';
import { __irq_set_handler, handle_edge_irq, handle_fasteoi_irq, irq_clear_status_flags, irq_set_status_flags } from '../../../irq/chip';
import { irq_get_irq_data } from '../../../irq/irqdesc';
import {
  __irq_domain_alloc_irqs, irq_domain_alloc_irqs_parent, irq_domain_alloc_named_id_fwnode, irq_domain_create_linear, irq_domain_free_irqs,
  irq_domain_free_irqs_top, irq_domain_get_irq_data, irq_find_mapping,
} from '../../../irq/irqdomain';
import { EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, ENOMEM, ENOSYS } from '../../../lib/errno';
import { local_irq_restore, local_irq_save, mutex_lock, mutex_unlock, raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { BUG_ON, panic, pr_err, WARN_ON } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { has, kernel } from '../../../world';
import { irq_alloc_info, type irq_cfg } from '../hw_irq';
import { nr_legacy_irqs, PIC_CASCADE_IR } from '../i8259';
import { apic_printk, APIC_VERBOSE } from './apic';
import { ioapic_configure_entry, ioapic_mask_entry, mpc_ioapic_id } from './io_apic';
import { acpi_get_override_irq, find_irq_entry, is_isa, mp_find_ioapic, mp_find_ioapic_pin } from './io_apic_mp';
import { check_timer, init_IO_APIC_traps } from './io_apic_timer';
import { mp_chip_data } from './io_apic_types';
import { copy_irq_alloc_info, init_irq_alloc_info, irqd_cfg } from './vector';

// Which pin is which interrupt, and the IO-APIC domain: arch/x86/kernel/apic/io_apic.c. Registers and irq_chips: io_apic.ts.

export const IOAPIC_MAP_ALLOC = 1;
export const IOAPIC_MAP_CHECK = 2;

const IOAPIC_LEVEL = 1;
const IOAPIC_POL_LOW = 1;

const mp_pin_to_gsi = (idx: number, pin: number): number => kernel.ioapics[idx].gsi_config.gsi_base + pin;
const mp_is_legacy_irq = (irq: number): boolean => irq >= 0 && irq < nr_legacy_irqs();
const mp_irqdomain_ioapic_idx = (domain: irq_domain): number => domain.host_data as number;

/** Source: arch/x86/kernel/apic/io_apic.c, ioapic_set_alloc_attr() */
export function* ioapic_set_alloc_attr(info: irq_alloc_info, node: number, trigger: number, polarity: number): Op {
  yield* init_irq_alloc_info(info, null);
  info.type = X86_IRQ_ALLOC_TYPE.IOAPIC;
  info.ioapic = { pin: 0, node, trigger, polarity, valid: true, entry: null };
}

/** A request for one pin: trigger and polarity as asked for, or as the firmware says. Source: arch/x86/kernel/apic/io_apic.c, ioapic_copy_alloc_attr() */
function* ioapic_copy_alloc_attr(dst: irq_alloc_info, src: irq_alloc_info | null, gsi: number, idx: number, pin: number): Op {
  yield* copy_irq_alloc_info(dst, src);
  dst.type = X86_IRQ_ALLOC_TYPE.IOAPIC;
  dst.devid = mpc_ioapic_id(idx);
  if (src?.ioapic?.valid) {
    const { node, trigger, polarity } = src.ioapic;
    dst.ioapic = { pin, node, trigger, polarity, valid: true, entry: null };
  } else {
    const { trigger, polarity } = (yield* acpi_get_override_irq(gsi)) ?? { trigger: IOAPIC_LEVEL, polarity: IOAPIC_POL_LOW };
    dst.ioapic = { pin, node: NUMA_NO_NODE, trigger, polarity, valid: true, entry: null };
  }
}

const ioapic_alloc_attr_node = (info: irq_alloc_info): number => (info.ioapic?.valid ? info.ioapic.node : NUMA_NO_NODE);

/** Source: arch/x86/kernel/apic/io_apic.c, mp_register_handler() */
function* mp_register_handler(irq: number, trigger: number): Op {
  if (trigger) {
    yield* irq_set_status_flags(irq, IRQ_LEVEL);
    yield* __irq_set_handler(irq, handle_fasteoi_irq, false, 'fasteoi');
  } else {
    yield* irq_clear_status_flags(irq, IRQ_LEVEL);
    yield* __irq_set_handler(irq, handle_edge_irq, false, 'edge');
  }
}

/** Whether a pin in use is what the next user wants; the first real user of an ISA pin may change it. Source: arch/x86/kernel/apic/io_apic.c, mp_check_pin_attr() */
function* mp_check_pin_attr(irq: number, info: irq_alloc_info): Op<boolean> {
  const data = irq_get_irq_data(irq)!.chip_data as mp_chip_data;
  const { trigger, polarity } = info.ioapic!;

  if (irq < nr_legacy_irqs() && data.count === 1) {
    if (trigger !== data.trigger) yield* mp_register_handler(irq, trigger);
    data.trigger = trigger;
    data.polarity = polarity;
    data.entry = RTE.with(data.entry, { trigger, polarity });
  }

  return data.trigger === trigger && data.polarity === polarity;
}

/** Source: arch/x86/kernel/apic/io_apic.c, alloc_irq_from_domain() */
function* alloc_irq_from_domain(domain: irq_domain, idx: number, gsi: number, info: irq_alloc_info): Op<number> {
  const { type } = kernel.ioapics[idx].irqdomain_cfg;
  let legacy = false;
  let irq = -1;

  if (type === 'LEGACY') {
    if (!kernel.ioapic_initialized || gsi >= nr_legacy_irqs()) irq = gsi;
    legacy = mp_is_legacy_irq(irq);
  } else if (type === 'STRICT') {
    irq = gsi;
  }

  return yield* __irq_domain_alloc_irqs(domain, irq, 1, ioapic_alloc_attr_node(info), info, legacy, null);
}

/** ISA interrupts have their descriptors already, and several pins may share one. Source: arch/x86/kernel/apic/io_apic.c, alloc_isa_irq_from_domain() */
export function* alloc_isa_irq_from_domain(domain: irq_domain, isa_irq: number, idx: number, pin: number, info: irq_alloc_info): Op<number> {
  const irq_data = irq_get_irq_data(isa_irq);
  const node = ioapic_alloc_attr_node(info);

  if (irq_data?.parent_data) {
    if (!(yield* mp_check_pin_attr(isa_irq, info))) return -EBUSY;
    if (yield* __add_pin_to_irq_node(irq_data.chip_data as mp_chip_data, node, idx, pin)) return -ENOMEM;
    return isa_irq;
  }

  info.flags |= X86_IRQ_ALLOC_LEGACY;
  const irq = yield* __irq_domain_alloc_irqs(domain, isa_irq, 1, node, info, true, null);
  if (irq >= 0) {
    const data = (yield* irq_domain_get_irq_data(domain, irq))!.chip_data as mp_chip_data;
    data.isa_irq = true;
  }
  return irq;
}

/** @returns 0 or -ENOMEM. Source: arch/x86/kernel/apic/io_apic.c, __add_pin_to_irq_node() */
function* __add_pin_to_irq_node(data: mp_chip_data, node: number, apic: number, pin: number): Op<number> {
  if (data.irq_2_pin.some(p => p.apic === apic && p.pin === pin)) return 0;

  const entry = kzalloc('__add_pin_to_irq_node: struct irq_pin_list', () => ({ apic, pin }));
  if (!entry) {
    pr_err(`can not alloc irq_pin_list (${node},${apic},${pin})`);
    return -ENOMEM;
  }
  data.irq_2_pin.push(entry);
  return 0;
}

/** Source: arch/x86/kernel/apic/io_apic.c, add_pin_to_irq_node() */
export function* add_pin_to_irq_node(data: mp_chip_data, node: number, apic: number, pin: number): Op {
  if (yield* __add_pin_to_irq_node(data, node, apic, pin)) panic('IO-APIC: failed to add irq-pin. Can not proceed');
}

/** @returns the interrupt of a pin, -ENOSYS, -ENOENT (not mapped), -EBUSY (mapped otherwise) or as the allocation. Source: arch/x86/kernel/apic/io_apic.c, mp_map_pin_to_irq() */
function* mp_map_pin_to_irq(gsi: number, entry: number, idx: number, pin: number, flags: number, info: irq_alloc_info | null): Op<number> {
  const domain = kernel.ioapics[idx].irqdomain;
  if (!domain) return -ENOSYS;

  const isa_irq = entry >= 0 && is_isa(kernel.mp_irqs[entry]) ? kernel.mp_irqs[entry].srcbusirq : -1;
  const legacy = mp_is_legacy_irq(isa_irq);
  // a PC's cascade of the two 8259; no interrupt can come from it
  if (has('ioapic-ignore-irq2') && legacy && isa_irq === PIC_CASCADE_IR) return -EINVAL;
  let irq = isa_irq;

  yield* mutex_lock(kernel.ioapic_mutex);
  if (!(flags & IOAPIC_MAP_ALLOC)) {
    if (!legacy) irq = (yield* irq_find_mapping(domain, pin)) || -ENOENT;
  } else {
    const tmp = new irq_alloc_info();
    yield* ioapic_copy_alloc_attr(tmp, info, gsi, idx, pin);
    if (legacy) irq = yield* alloc_isa_irq_from_domain(domain, irq, idx, pin, tmp);
    else if ((irq = yield* irq_find_mapping(domain, pin)) === 0) irq = yield* alloc_irq_from_domain(domain, idx, gsi, tmp);
    else if (!(yield* mp_check_pin_attr(irq, tmp))) irq = -EBUSY;
    if (irq >= 0) (irq_get_irq_data(irq)!.chip_data as mp_chip_data).count++;
  }
  yield* mutex_unlock(kernel.ioapic_mutex);

  return irq;
}

/** Source: arch/x86/kernel/apic/io_apic.c, pin_2_irq() */
function* pin_2_irq(entry: number, idx: number, pin: number, flags: number): Op<number> {
  return yield* mp_map_pin_to_irq(mp_pin_to_gsi(idx, pin), entry, idx, pin, flags, null);
}

/** @returns the interrupt of a global line, or an errno. Source: arch/x86/kernel/apic/io_apic.c, mp_map_gsi_to_irq() */
export function* mp_map_gsi_to_irq(gsi: number, flags: number, info: irq_alloc_info | null): Op<number> {
  const idx = yield* mp_find_ioapic(gsi);
  if (idx < 0) return -ENODEV;

  const pin = yield* mp_find_ioapic_pin(idx, gsi);
  const entry = yield* find_irq_entry(idx, pin);
  if (flags & IOAPIC_MAP_CHECK && entry < 0) return -ENODEV;

  return yield* mp_map_pin_to_irq(gsi, entry, idx, pin, flags, info);
}

/** A user of a line is gone; with the last one the interrupt is freed, unless it is an ISA one. Source: arch/x86/kernel/apic/io_apic.c, mp_unmap_irq() */
export function* mp_unmap_irq(irq: number): Op {
  const irq_data = irq_get_irq_data(irq);
  if (!irq_data?.domain) return;

  const data = irq_data.chip_data as mp_chip_data | null;
  if (!data || data.isa_irq) return;

  yield* mutex_lock(kernel.ioapic_mutex);
  if (--data.count === 0) yield* irq_domain_free_irqs(irq, 1);
  yield* mutex_unlock(kernel.ioapic_mutex);
}

/** Source: arch/x86/kernel/apic/io_apic.c, mp_irqdomain_get_attr() */
function* mp_irqdomain_get_attr(gsi: number, data: mp_chip_data, info: irq_alloc_info): Op {
  const attr = info.ioapic?.valid ? info.ioapic : yield* acpi_get_override_irq(gsi);
  data.trigger = attr?.trigger ?? IOAPIC_LEVEL;
  data.polarity = attr?.polarity ?? IOAPIC_POL_LOW;
}

/** The entry without remapping. A level interrupt starts masked. Source: arch/x86/kernel/apic/io_apic.c, mp_setup_entry() */
function* mp_setup_entry(cfg: irq_cfg, data: mp_chip_data): Op {
  data.entry = RTE.encode({
    delivery_mode: kernel.apic.irq_delivery_mode,
    dest_mode: kernel.apic.irq_dest_mode,
    dest: cfg.dest_apicid & 0xff,
    vector: cfg.vector,
    trigger: data.trigger,
    polarity: data.polarity,
    mask: data.trigger,
  });
}

/** @returns 0, -EINVAL, -EEXIST for a pin in use, -ENOMEM, or as the parents. Source: arch/x86/kernel/apic/io_apic.c, mp_irqdomain_alloc() */
function* mp_irqdomain_alloc(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const info = arg as irq_alloc_info | null;

  if (!info?.ioapic || nr_irqs > 1) return -EINVAL;
  const irq_data = yield* irq_domain_get_irq_data(domain, virq);
  if (!irq_data) return -EINVAL;

  const idx = mp_irqdomain_ioapic_idx(domain);
  const { ioapic } = info;
  const { pin } = ioapic;
  if ((yield* irq_find_mapping(domain, pin)) > 0) return -EEXIST;

  const data = kzalloc('mp_irqdomain_alloc: struct mp_chip_data', () => new mp_chip_data());
  if (!data) return -ENOMEM;

  ioapic.entry = data;
  const ret = yield* irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, info);
  if (ret < 0) return ret;

  irq_data.hwirq = pin;
  irq_data.chip = domain.parent === kernel.x86_vector_domain ? kernel.ioapic_chip : kernel.ioapic_ir_chip;
  irq_data.chip_data = data;
  yield* mp_irqdomain_get_attr(mp_pin_to_gsi(idx, pin), data, info);

  const cfg = (yield* irqd_cfg(irq_data))!;
  yield* add_pin_to_irq_node(data, ioapic_alloc_attr_node(info), idx, pin);

  const flags = yield* local_irq_save();
  // A remapping domain has filled the entry itself.
  if (info.ioapic.entry) yield* mp_setup_entry(cfg, data);
  yield* mp_register_handler(virq, data.trigger);
  if (virq < nr_legacy_irqs()) yield* kernel.legacy_pic.mask(virq);
  yield* local_irq_restore(flags);

  apic_printk(
    APIC_VERBOSE,
    `IOAPIC[${idx}]: Set routing entry (${mpc_ioapic_id(idx)}-${pin} -> 0x${cfg.vector.toString(16)} -> IRQ ${virq} Mode:${data.trigger} Active:${data.polarity} Dest:${cfg.dest_apicid})`,
  );

  return 0;
}

/** Source: arch/x86/kernel/apic/io_apic.c, mp_irqdomain_free() */
function* mp_irqdomain_free(domain: irq_domain, virq: number, nr_irqs: number): Op {
  BUG_ON(nr_irqs !== 1, 'arch/x86/kernel/apic/io_apic.c mp_irqdomain_free');
  const irq_data = yield* irq_domain_get_irq_data(domain, virq);
  const data = irq_data?.chip_data as mp_chip_data | null | undefined;
  if (irq_data && data) {
    const { irq_2_pin } = data;
    const own = irq_2_pin.findIndex(p => p.apic === mp_irqdomain_ioapic_idx(domain) && p.pin === irq_data.hwirq);
    if (own >= 0) irq_2_pin.splice(own, 1);
    WARN_ON(irq_2_pin.length > 0, 'arch/x86/kernel/apic/io_apic.c mp_irqdomain_free');
  }
  yield* irq_domain_free_irqs_top(domain, virq, nr_irqs);
}

/** Source: arch/x86/kernel/apic/io_apic.c, mp_irqdomain_activate() */
function* mp_irqdomain_activate(domain: irq_domain, irq_data: irq_data, reserve: boolean): Op<number> {
  const flags = yield* raw_spin_lock_irqsave(kernel.ioapic_lock);
  yield* ioapic_configure_entry(irq_data);
  yield* raw_spin_unlock_irqrestore(kernel.ioapic_lock, flags);
  return 0;
}

/** Source: arch/x86/kernel/apic/io_apic.c, mp_irqdomain_deactivate() */
function* mp_irqdomain_deactivate(domain: irq_domain, irq_data: irq_data): Op {
  yield* ioapic_mask_entry(mp_irqdomain_ioapic_idx(domain), irq_data.hwirq);
}

const mp_ioapic_irqdomain_ops: irq_domain_ops = Object.freeze({
  alloc: mp_irqdomain_alloc,
  free: mp_irqdomain_free,
  activate: mp_irqdomain_activate,
  deactivate: mp_irqdomain_deactivate,
});

/** Source: arch/x86/kernel/apic/io_apic.c, mp_irqdomain_create() */
function* mp_irqdomain_create(idx: number): Op<number> {
  const ip = kernel.ioapics[idx];
  const info = new irq_alloc_info();

  yield* init_irq_alloc_info(info, null);
  info.type = has('v2-08') ? X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT : X86_IRQ_ALLOC_TYPE.IOAPIC;
  info.devid = mpc_ioapic_id(idx);
  const remapping = has('v2-11') ? yield* irq_remapping_get_irq_domain(info) : yield* irq_remapping_get_ir_irq_domain(info);

  const fn = has('ioapic-parent-by-fwspec') ? yield* irq_domain_alloc_named_id_fwnode('IO-APIC', mpc_ioapic_id(idx)) : yield* irq_domain_alloc_named_id_fwnode(remapping ? 'IO-APIC-IR' : 'IO-APIC', idx);
  ip.irqdomain = yield* irq_domain_create_linear(fn, ip.nr_registers, mp_ioapic_irqdomain_ops, idx);
  ip.irqdomain.parent = remapping ?? kernel.x86_vector_domain;

  if (ip.irqdomain_cfg.type !== 'DYNAMIC') kernel.ioapic_dynirq_base = Math.max(kernel.ioapic_dynirq_base, ip.gsi_config.gsi_end + 1);

  return 0;
}

/** The domains, then the ISA interrupts. Source: arch/x86/kernel/apic/io_apic.c, setup_IO_APIC() */
export function* setup_IO_APIC(): Op {
  if (kernel.skip_ioapic_setup || kernel.ioapics.length === 0) return;

  kernel.io_apic_irqs = nr_legacy_irqs() > 0 ? ~(1 << PIC_CASCADE_IR) : -1;

  apic_printk(APIC_VERBOSE, 'ENABLING IO-APIC IRQs');
  for (let idx = 0; idx < kernel.ioapics.length; idx++) {
    BUG_ON((yield* mp_irqdomain_create(idx)) !== 0, 'arch/x86/kernel/apic/io_apic.c setup_IO_APIC');
  }

  yield* setup_IO_APIC_irqs();
  yield* init_IO_APIC_traps();
  if (nr_legacy_irqs() > 0) yield* check_timer();

  kernel.ioapic_initialized = true;
}

/** Pins of the first IOAPIC are mapped now, those of others when somebody asks. Source: arch/x86/kernel/apic/io_apic.c, setup_IO_APIC_irqs() */
function* setup_IO_APIC_irqs(): Op {
  apic_printk(APIC_VERBOSE, 'init IO_APIC IRQs');

  for (let idx = 0; idx < kernel.ioapics.length; idx++) {
    for (let pin = 0; pin < kernel.ioapics[idx].nr_registers; pin++) {
      const entry = yield* find_irq_entry(idx, pin);
      if (entry < 0) apic_printk(APIC_VERBOSE, ` apic ${mpc_ioapic_id(idx)} pin ${pin} not connected`);
      else yield* pin_2_irq(entry, idx, pin, idx ? 0 : IOAPIC_MAP_ALLOC);
    }
  }
}
