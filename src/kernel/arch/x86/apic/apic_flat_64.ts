import { APIC_DFR, APIC_LDR, DFR_FLAT } from '../../../../hardware/local-apic-registers';
import { DELIVERY } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import { cpumask } from '../../../lib/cpumask';
import { local_irq_restore, local_irq_save } from '../../../lib/locking';
import { has, kernel } from '../../../world';
import { type apic, apic_default_calc_apicid, apic_flat_calc_apicid, apic_write } from './apic';
import { __default_send_IPI_dest_field, default_send_IPI_self, default_send_IPI_single_phys } from './ipi';

// xAPIC modes: arch/x86/kernel/apic/apic_flat_64.c.

const FLAT_CPUS = 8;

/** One bit of eight for each CPU. Source: arch/x86/kernel/apic/apic_flat_64.c, flat_init_apic_ldr() */
function* flat_init_apic_ldr(): Op {
  apic_write(APIC_DFR, DFR_FLAT);
  apic_write(APIC_LDR, ((1 << kernel.this_cpu) << 24) >>> 0);
}

/** @param mask one bit for each CPU. Source: arch/x86/kernel/apic/apic_flat_64.c, _flat_send_IPI_mask() */
function* _flat_send_IPI_mask(mask: number, vector: number): Op {
  const flags = yield* local_irq_save();
  yield* __default_send_IPI_dest_field(mask, vector, 1);
  yield* local_irq_restore(flags);
}

/** Source: arch/x86/kernel/apic/apic_flat_64.c, flat_send_IPI_mask() */
function* flat_send_IPI_mask(mask: cpumask, vector: number): Op {
  yield* _flat_send_IPI_mask(mask.words[0], vector);
}

/** Source: arch/x86/kernel/apic/ipi.c, default_send_IPI_single() */
function* default_send_IPI_single(cpu: number, vector: number): Op {
  yield* flat_send_IPI_mask(cpumask.of(kernel.nr_cpu_ids, cpu), vector);
}

function* flat_probe(): Op<boolean> {
  return true;
}

/** Physical mode needs no logical id. */
function* physflat_init_apic_ldr(): Op {}

/** Source: arch/x86/kernel/apic/apic_flat_64.c, physflat_probe() */
function* physflat_probe(): Op<boolean> {
  return has('physical-destinations') || kernel.apic === apic_physflat || kernel.cpu_possible_mask.weight > FLAT_CPUS;
}

export const apic_flat: apic = Object.freeze({
  name: 'flat',
  irq_delivery_mode: DELIVERY.FIXED,
  irq_dest_mode: 1,
  probe: flat_probe,
  init_apic_ldr: flat_init_apic_ldr,
  calc_dest_apicid: apic_flat_calc_apicid,
  send_IPI: default_send_IPI_single,
  send_IPI_self: default_send_IPI_self,
});

export const apic_physflat: apic = Object.freeze({
  name: 'physical flat',
  irq_delivery_mode: DELIVERY.FIXED,
  irq_dest_mode: 0,
  probe: physflat_probe,
  init_apic_ldr: physflat_init_apic_ldr,
  calc_dest_apicid: apic_default_calc_apicid,
  send_IPI: default_send_IPI_single_phys,
  send_IPI_self: default_send_IPI_self,
});
