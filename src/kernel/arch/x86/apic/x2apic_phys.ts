import { APIC_SELF_IPI } from '../../../../hardware/local-apic-registers';
import { DELIVERY } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import { kernel } from '../../../world';
import { type apic, apic_default_calc_apicid, apic_write } from './apic';
import { __x2apic_send_IPI_dest } from './ipi';

// x2APIC, physical destinations: arch/x86/kernel/apic/x2apic_phys.c.

function* x2apic_send_IPI(cpu: number, vector: number): Op {
  yield* __x2apic_send_IPI_dest(kernel.x86_cpu_to_apicid[cpu], vector, 0);
}

/** Source: arch/x86/kernel/apic/x2apic_phys.c, x2apic_send_IPI_self() */
export function* x2apic_send_IPI_self(vector: number): Op {
  apic_write(APIC_SELF_IPI, vector);
}

/** Physical mode needs no logical id. */
function* init_x2apic_ldr(): Op {}

/** Source: arch/x86/kernel/apic/x2apic_phys.c, x2apic_phys_probe() */
function* x2apic_phys_probe(): Op<boolean> {
  if (kernel.x2apic_mode && kernel.x2apic_phys) return true;
  return kernel.apic === apic_x2apic_phys;
}

export const apic_x2apic_phys: apic = Object.freeze({
  name: 'physical x2apic',
  irq_delivery_mode: DELIVERY.FIXED,
  irq_dest_mode: 0,
  probe: x2apic_phys_probe,
  init_apic_ldr: init_x2apic_ldr,
  calc_dest_apicid: apic_default_calc_apicid,
  send_IPI: x2apic_send_IPI,
  send_IPI_self: x2apic_send_IPI_self,
});
