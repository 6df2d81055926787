import type { Op } from '../../../../stepper/op';
import type { ChangeId } from '../../../changes';
import { irq_remapping_get_ir_irq_domain, irq_remapping_get_irq_domain } from '../../../drivers/iommu/irq_remapping';
import { type irq_chip, type irq_data, IRQ_MOVE_PCNTXT } from '../../../include/irq';
import type { irq_domain } from '../../../include/irqdomain';
import { MSI_FLAG, type msi_domain_info, type msi_msg, X86_IRQ_ALLOC_TYPE } from '../../../include/msi';
import { NUMA_NO_NODE } from '../../../include/topology';
import { handle_edge_irq, irq_chip_ack_parent, irq_chip_retrigger_hierarchy, irq_clear_status_flags, irq_set_status_flags } from '../../../irq/chip';
import { irq_domain_alloc_irqs, irq_domain_alloc_named_id_fwnode, irq_domain_set_info } from '../../../irq/irqdomain';
import { msi_create_irq_domain, msi_domain_set_affinity, msi_get_domain_info } from '../../../irq/msi';
import { has, kernel } from '../../../world';
import type { hpet_channel } from '../hpet';
import { hpet_msi_mask, hpet_msi_unmask, hpet_msi_write } from '../hpet_msi';
import { irq_alloc_info, x86_chip_flags } from '../hw_irq';
import { irq_msi_compose_msg } from './msi';
import { init_irq_alloc_info } from './vector';

// Messages of HPET timers: this part of arch/x86/kernel/apic/msi.c.

export const hpet_msi_globals = (changes: ReadonlySet<ChangeId>) => {
  const hpet_msi_controller: irq_chip = {
    name: 'HPET-MSI',
    irq_unmask: hpet_msi_unmask,
    irq_mask: hpet_msi_mask,
    irq_ack: irq_chip_ack_parent,
    irq_set_affinity: msi_domain_set_affinity,
    ...(!changes.has('v2-05') && { irq_compose_msi_msg: irq_msi_compose_msg }),
    irq_retrigger: irq_chip_retrigger_hierarchy,
    irq_write_msi_msg: hpet_msi_write_msg,
    flags: x86_chip_flags(changes),
  };
  return {
    hpet_msi_controller,
    hpet_msi_domain_info: {
      flags: changes.has('dmar-hpet-msi-flags') ? MSI_FLAG.USE_DEF_DOM_OPS : 0,
      ops: { msi_init: hpet_msi_init, msi_free: hpet_msi_free, ...(!changes.has('v2-19') && { get_hwirq: hpet_msi_get_hwirq }) },
      chip: hpet_msi_controller,
    } as msi_domain_info,
  };
};

/** The number of the timers' block. Source: arch/x86/kernel/apic/msi.c, hpet_dev_id() */
function* hpet_dev_id(domain: irq_domain): Op<number> {
  return (yield* msi_get_domain_info(domain)).data as number;
}

/** Source: arch/x86/kernel/apic/msi.c, hpet_msi_write_msg() */
function* hpet_msi_write_msg(data: irq_data, msg: msi_msg): Op {
  yield* hpet_msi_write(data.common.handler_data as hpet_channel, msg);
}

/** Before v2-19; then the default's. Source: arch/x86/kernel/apic/msi.c (v5.9), hpet_msi_get_hwirq() */
function* hpet_msi_get_hwirq(info: msi_domain_info, arg: irq_alloc_info): Op<number> {
  return arg.hwirq;
}

/** Nothing else sends while the kernel moves it: it need not wait for an interrupt. Source: arch/x86/kernel/apic/msi.c, hpet_msi_init() */
function* hpet_msi_init(domain: irq_domain, info: msi_domain_info, virq: number, hwirq: number, arg: irq_alloc_info): Op<number> {
  yield* irq_set_status_flags(virq, IRQ_MOVE_PCNTXT);
  yield* irq_domain_set_info(domain, virq, arg.hwirq, info.chip, null, handle_edge_irq, arg.data, 'edge');
  return 0;
}

/** Source: arch/x86/kernel/apic/msi.c, hpet_msi_free() */
function* hpet_msi_free(domain: irq_domain, info: msi_domain_info, virq: number): Op {
  yield* irq_clear_status_flags(virq, IRQ_MOVE_PCNTXT);
}

/** The domain of a block of timers, on top of the remapping unit's where one has the block below it. @returns null where no vector can be had. Source: arch/x86/kernel/apic/msi.c, hpet_create_irq_domain() */
export function* hpet_create_irq_domain(hpet_id: number): Op<irq_domain | null> {
  if (!kernel.x86_vector_domain) return null;

  const domain_info: msi_domain_info = { ...kernel.hpet_msi_domain_info, data: hpet_id };

  const info = new irq_alloc_info();
  yield* init_irq_alloc_info(info, null);
  info.type = has('v2-08') ? X86_IRQ_ALLOC_TYPE.HPET_GET_PARENT : X86_IRQ_ALLOC_TYPE.HPET;
  info.devid = hpet_id;
  let parent = has('v2-11') ? yield* irq_remapping_get_irq_domain(info) : yield* irq_remapping_get_ir_irq_domain(info);
  if (parent) kernel.hpet_msi_controller.name = 'IR-HPET-MSI';
  else parent = kernel.x86_vector_domain;

  const fn = yield* irq_domain_alloc_named_id_fwnode(kernel.hpet_msi_controller.name, hpet_id);
  return yield* msi_create_irq_domain(fn, domain_info, parent);
}

/** @returns a timer's interrupt, or an errno. Source: arch/x86/kernel/apic/msi.c, hpet_assign_irq() */
export function* hpet_assign_irq(domain: irq_domain, hc: hpet_channel, dev_num: number): Op<number> {
  const info = new irq_alloc_info();

  yield* init_irq_alloc_info(info, null);
  info.type = X86_IRQ_ALLOC_TYPE.HPET;
  info.data = hc;
  info.devid = yield* hpet_dev_id(domain);
  info.hwirq = dev_num;

  return yield* irq_domain_alloc_irqs(domain, 1, NUMA_NO_NODE, info);
}
