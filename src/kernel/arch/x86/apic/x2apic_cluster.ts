import { APIC_LDR } from '../../../../hardware/local-apic-registers';
import { DELIVERY } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import { kernel } from '../../../world';
import { type apic, apic_read } from './apic';
import { __x2apic_send_IPI_dest } from './ipi';
import { x2apic_send_IPI_self } from './x2apic_phys';

// x2APIC, logical destinations in clusters of 16: arch/x86/kernel/apic/x2apic_cluster.c.

function* x2apic_send_IPI(cpu: number, vector: number): Op {
  yield* __x2apic_send_IPI_dest(kernel.x86_cpu_to_logical_apicid[cpu], vector, 1);
}

/** Source: arch/x86/kernel/apic/x2apic_cluster.c, x2apic_calc_apicid() */
function* x2apic_calc_apicid(cpu: number): Op<number> {
  return kernel.x86_cpu_to_logical_apicid[cpu];
}

/** The hardware derives the logical id from the physical one; software only reads it. Source: arch/x86/kernel/apic/x2apic_cluster.c, init_x2apic_ldr() */
function* init_x2apic_ldr(): Op {
  kernel.x86_cpu_to_logical_apicid[kernel.this_cpu] = apic_read(APIC_LDR);
}

/** Source: arch/x86/kernel/apic/x2apic_cluster.c, x2apic_cluster_probe() */
function* x2apic_cluster_probe(): Op<boolean> {
  if (!kernel.x2apic_mode) return false;

  yield* init_x2apic_ldr();
  return true;
}

export const apic_x2apic_cluster: apic = Object.freeze({
  name: 'cluster x2apic',
  irq_delivery_mode: DELIVERY.FIXED,
  irq_dest_mode: 1,
  probe: x2apic_cluster_probe,
  init_apic_ldr: init_x2apic_ldr,
  calc_dest_apicid: x2apic_calc_apicid,
  send_IPI: x2apic_send_IPI,
  send_IPI_self: x2apic_send_IPI_self,
});
