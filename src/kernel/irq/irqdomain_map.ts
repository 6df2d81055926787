import type { Op } from '../../stepper/op';
import { IRQ_NOREQUEST } from '../include/irq';
import { type irq_domain, irq_domain_is_hierarchy } from '../include/irqdomain';
import { EINVAL, EPERM } from '../lib/errno';
import { mutex_lock, mutex_unlock } from '../lib/locking';
import { pr_info, WARN, WARN_ON } from '../lib/printk';
import { kernel } from '../world';
import { irq_clear_status_flags, irq_set_chip_and_handler_name, irq_set_status_flags } from './chip';
import { irq_domain_alloc_descs, irq_domain_clear_mapping, irq_domain_free_irqs, irq_domain_set_mapping, irq_find_mapping } from './irqdomain';
import { irq_free_descs, irq_get_irq_data } from './irqdesc';
import { synchronize_irq } from './manage';

// kernel/irq/irqdomain.c, domains that stand alone: each hwirq is mapped by the domain's map(), without a hierarchy. No platform of x86 here has one; domains of users do.

const where = (fn: string): string => `kernel/irq/irqdomain.c ${fn}`;

/** @returns 0; -EINVAL for a hwirq beyond the domain, or an interrupt that is not there or has a domain; what map() says. Source: kernel/irq/irqdomain.c, irq_domain_associate() */
export function* irq_domain_associate(domain: irq_domain, virq: number, hwirq: number): Op<number> {
  const data = irq_get_irq_data(virq);
  if (WARN(BigInt(hwirq) >= domain.hwirq_max, `error: hwirq 0x${hwirq.toString(16)} is too large for ${domain.name}`, where('irq_domain_associate'))) return -EINVAL;
  if (WARN(!data, `error: virq${virq} is not allocated`, where('irq_domain_associate')) || !data) return -EINVAL;
  if (WARN(data.domain !== null, `error: virq${virq} is already associated`, where('irq_domain_associate'))) return -EINVAL;

  yield* mutex_lock(kernel.irq_domain_mutex);
  data.hwirq = hwirq;
  data.domain = domain;
  const ret = domain.ops.map ? yield* domain.ops.map(domain, virq, hwirq) : 0;
  if (ret !== 0) {
    // -EPERM: not for the kernel, as firmware has it; nobody need know
    if (ret !== -EPERM) pr_info(`irq: ${domain.name} didn't like hwirq-0x${hwirq.toString(16)} to VIRQ${virq} mapping (rc=${ret})`);
    data.domain = null;
    data.hwirq = 0;
    yield* mutex_unlock(kernel.irq_domain_mutex);
    return ret;
  }

  domain.mapcount++;
  yield* irq_domain_set_mapping(domain, hwirq, data);
  yield* mutex_unlock(kernel.irq_domain_mutex);

  yield* irq_clear_status_flags(virq, IRQ_NOREQUEST);
  return 0;
}

/** Source: kernel/irq/irqdomain.c, irq_domain_disassociate() */
function* irq_domain_disassociate(domain: irq_domain, irq: number): Op {
  const data = irq_get_irq_data(irq);
  if (WARN(data?.domain !== domain, `virq${irq} doesn't exist; cannot disassociate`, where('irq_domain_disassociate')) || !data) return;

  const { hwirq } = data;
  yield* irq_set_status_flags(irq, IRQ_NOREQUEST);
  yield* irq_set_chip_and_handler_name(irq, null, null, null);
  yield* synchronize_irq(irq);
  if (domain.ops.unmap) yield* domain.ops.unmap(domain, irq);

  data.domain = null;
  data.hwirq = 0;
  domain.mapcount--;
  yield* irq_domain_clear_mapping(domain, hwirq);
}

/**
 * The interrupt of a hwirq: the one that it has, or a new one, which the domain's map() sets up.
 * @param domain null: the default one
 * @returns its number, 0 for none. Source: kernel/irq/irqdomain.c, irq_create_mapping_affinity(), before v5.11 irq_create_mapping()
 */
export function* irq_create_mapping(domain: irq_domain | null, hwirq: number): Op<number> {
  domain ??= kernel.irq_default_domain;
  if (WARN(!domain, `irq_create_mapping_affinity(, ${hwirq.toString(16)}) called with NULL domain`, where('irq_create_mapping_affinity')) || !domain) return 0;

  const known = yield* irq_find_mapping(domain, hwirq);
  if (known) return known;

  const virq = yield* irq_domain_alloc_descs(-1, 1, hwirq, -1, null);
  if (virq <= 0) return 0;

  if (yield* irq_domain_associate(domain, virq, hwirq)) {
    yield* irq_free_descs(virq, 1);
    return 0;
  }
  return virq;
}

/** Undo it; of a domain with an alloc() it is irq_domain_free_irqs(). Source: kernel/irq/irqdomain.c, irq_dispose_mapping() */
export function* irq_dispose_mapping(virq: number): Op {
  const data = irq_get_irq_data(virq);
  if (!virq || !data) return;

  const { domain } = data;
  if (WARN_ON(!domain, where('irq_dispose_mapping')) || !domain) return;

  if (irq_domain_is_hierarchy(domain)) {
    yield* irq_domain_free_irqs(virq, 1);
    return;
  }
  yield* irq_domain_disassociate(domain, virq);
  yield* irq_free_descs(virq, 1);
}
