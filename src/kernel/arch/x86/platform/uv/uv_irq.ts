import { UV_GLOBAL_MMR64_BASE, UV_GLOBAL_MMR64_PNODE_SHIFT, UV_ROUTE_ENTRY } from '../../../../../hardware/uv-hub';
import type { Op } from '../../../../../stepper/op';
import { IRQ_MOVE_PCNTXT, IRQ_NO_BALANCING, type irq_chip, type irq_data } from '../../../../include/irq';
import type { irq_domain, irq_domain_ops } from '../../../../include/irqdomain';
import { X86_IRQ_ALLOC_TYPE } from '../../../../include/msi';
import { handle_percpu_irq, irq_clear_status_flags, irq_set_status_flags } from '../../../../irq/chip';
import {
  __irq_domain_alloc_irqs, irq_domain_alloc_irqs_parent, irq_domain_alloc_named_fwnode, irq_domain_create_tree, irq_domain_free_irqs, irq_domain_free_irqs_top,
  irq_domain_get_irq_data, irq_domain_set_info,
} from '../../../../irq/irqdomain';
import { cpumask } from '../../../../lib/cpumask';
import { EINVAL } from '../../../../lib/errno';
import { mutex, mutex_lock, mutex_unlock } from '../../../../lib/locking';
import { BUG_ON } from '../../../../lib/printk';
import { kernel, machine } from '../../../../world';
import { apic_ack_irq, init_irq_alloc_info, irqd_cfg } from '../../apic/vector';
import { send_cleanup_vector } from '../../apic/vector_move';
import { irq_alloc_info, type irq_cfg } from '../../hw_irq';

// Interrupts of an SGI UV's hubs: arch/x86/platform/uv/uv_irq.c.

export const UV_AFFINITY_ALL = 0;
export const UV_AFFINITY_NODE = 1;
export const UV_AFFINITY_CPU = 2;

/** The UV-CORE level of an interrupt: which register of which hub sends it. */
export class uv_irq_2_mmr_pnode {
  constructor(
    readonly offset: number,
    readonly pnode: number,
  ) {}
}

export const uv_irq_globals = () => ({
  uv_domain: null as irq_domain | null,
  uv_lock: new mutex('uv_lock'),
  uv_irq_chip: {
    name: 'UV-CORE',
    irq_mask: uv_noop,
    irq_unmask: uv_noop,
    irq_eoi: apic_ack_irq,
    irq_set_affinity: uv_set_irq_affinity,
    flags: 0,
  } as irq_chip,
});

/** Source: arch/x86/include/asm/uv/uv_hub.h, uv_blade_to_pnode() */
const uv_blade_to_pnode = (bid: number): number => machine.uvHubs[bid].config.pnode;
/** Source: arch/x86/include/asm/uv/uv_hub.h, uv_blade_to_memory_nid() */
const uv_blade_to_memory_nid = (bid: number): number => machine.uvHubs[bid].config.node;

/** Source: arch/x86/include/asm/uv/uv_hub.h, uv_write_global_mmr64() */
function uv_write_global_mmr64(pnode: number, offset: number, val: bigint): void {
  machine.write64(UV_GLOBAL_MMR64_BASE + pnode * 2 ** UV_GLOBAL_MMR64_PNODE_SHIFT + offset, val);
}

/** Source: arch/x86/platform/uv/uv_irq.c, uv_program_mmr() */
function* uv_program_mmr(cfg: irq_cfg, info: uv_irq_2_mmr_pnode): Op {
  const entry = UV_ROUTE_ENTRY.encode({
    vector: cfg.vector,
    delivery_mode: kernel.apic.irq_delivery_mode,
    dest_mode: kernel.apic.irq_dest_mode,
    dest: cfg.dest_apicid,
  });
  uv_write_global_mmr64(info.pnode, info.offset, entry);
}

function* uv_noop(_data: irq_data): Op {}

/** @returns as the parent's setter. Source: arch/x86/platform/uv/uv_irq.c, uv_set_irq_affinity() */
function* uv_set_irq_affinity(data: irq_data, mask: cpumask, force: boolean): Op<number> {
  const parent = data.parent_data!;
  const cfg = (yield* irqd_cfg(data))!;

  const ret = yield* parent.chip.irq_set_affinity!(parent, mask, force);
  if (ret >= 0) {
    yield* uv_program_mmr(cfg, data.chip_data as uv_irq_2_mmr_pnode);
    yield* send_cleanup_vector(cfg);
  }
  return ret;
}

/** @returns 0, -EINVAL for more than one or for another's request, or as the parents. Source: arch/x86/platform/uv/uv_irq.c, uv_domain_alloc() */
function* uv_domain_alloc(domain: irq_domain, virq: number, nr_irqs: number, arg: unknown): Op<number> {
  const info = arg as irq_alloc_info | null;

  if (nr_irqs > 1 || !info || info.type !== X86_IRQ_ALLOC_TYPE.UV) return -EINVAL;

  const ret = yield* irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);
  if (ret < 0) return ret;

  const { limit, blade, offset, name } = info.uv!;
  if (limit === UV_AFFINITY_CPU) yield* irq_set_status_flags(virq, IRQ_NO_BALANCING);
  else yield* irq_set_status_flags(virq, IRQ_MOVE_PCNTXT);

  const chip_data = new uv_irq_2_mmr_pnode(offset, uv_blade_to_pnode(blade));
  yield* irq_domain_set_info(domain, virq, virq, kernel.uv_irq_chip, chip_data, handle_percpu_irq, null, name);
  return ret;
}

/** Source: arch/x86/platform/uv/uv_irq.c, uv_domain_free() */
function* uv_domain_free(domain: irq_domain, virq: number, nr_irqs: number): Op {
  const irq_data = (yield* irq_domain_get_irq_data(domain, virq))!;

  BUG_ON(nr_irqs !== 1, 'arch/x86/platform/uv/uv_irq.c uv_domain_free()');
  irq_data.chip_data = null;
  yield* irq_clear_status_flags(virq, IRQ_MOVE_PCNTXT);
  yield* irq_clear_status_flags(virq, IRQ_NO_BALANCING);
  yield* irq_domain_free_irqs_top(domain, virq, nr_irqs);
}

/** Source: arch/x86/platform/uv/uv_irq.c, uv_domain_activate() */
function* uv_domain_activate(_domain: irq_domain, irq_data: irq_data, _reserve: boolean): Op<number> {
  yield* uv_program_mmr((yield* irqd_cfg(irq_data))!, irq_data.chip_data as uv_irq_2_mmr_pnode);
  return 0;
}

/** Shall mask the register. The kernel prepares a masked value, and then writes another: the hub goes on sending. Source: arch/x86/platform/uv/uv_irq.c, uv_domain_deactivate() */
function* uv_domain_deactivate(_domain: irq_domain, irq_data: irq_data): Op {
  yield* uv_program_mmr((yield* irqd_cfg(irq_data))!, irq_data.chip_data as uv_irq_2_mmr_pnode);
}

const uv_domain_ops: irq_domain_ops = Object.freeze({
  alloc: uv_domain_alloc,
  free: uv_domain_free,
  activate: uv_domain_activate,
  deactivate: uv_domain_deactivate,
});

/** Source: arch/x86/platform/uv/uv_irq.c, uv_get_irq_domain() */
function* uv_get_irq_domain(): Op<irq_domain> {
  yield* mutex_lock(kernel.uv_lock);
  if (!kernel.uv_domain) {
    const fn = yield* irq_domain_alloc_named_fwnode('UV-CORE');
    kernel.uv_domain = yield* irq_domain_create_tree(fn, uv_domain_ops, null);
    kernel.uv_domain.parent = kernel.x86_vector_domain;
  }
  yield* mutex_unlock(kernel.uv_lock);
  return kernel.uv_domain;
}

/**
 * An interrupt of a hub, with its vector: nothing is reserved first.
 * @param cpu gets it
 * @param mmr_offset of the register that says where it goes
 * @param limit UV_AFFINITY_*: whether it may move
 * @returns the irq, or an errno. Source: arch/x86/platform/uv/uv_irq.c, uv_setup_irq()
 */
export function* uv_setup_irq(irq_name: string, cpu: number, mmr_blade: number, mmr_offset: number, limit: number): Op<number> {
  const domain = yield* uv_get_irq_domain();
  const info = new irq_alloc_info();

  yield* init_irq_alloc_info(info, cpumask.of(kernel.nr_cpu_ids, cpu));
  info.type = X86_IRQ_ALLOC_TYPE.UV;
  info.uv = { limit, blade: mmr_blade, offset: mmr_offset, name: irq_name };

  return yield* __irq_domain_alloc_irqs(domain, -1, 1, uv_blade_to_memory_nid(mmr_blade), info, false, null);
}

/** Source: arch/x86/platform/uv/uv_irq.c, uv_teardown_irq() */
export function* uv_teardown_irq(irq: number): Op {
  yield* irq_domain_free_irqs(irq, 1);
}
