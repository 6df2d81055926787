import { APIC_ICR, APIC_ICR2, ICR_LOW, SHORTHAND } from '../../../../hardware/local-apic-registers';
import { DELIVERY } from '../../../../hardware/message';
import type { Op } from '../../../../stepper/op';
import { local_irq_restore, local_irq_save } from '../../../lib/locking';
import { pr_info } from '../../../lib/printk';
import { kernel } from '../../../world';
import { CALL_FUNCTION_SINGLE_VECTOR } from '../hw_irq';
import { apic_write, native_x2apic_icr_write } from './apic';

// Inter-processor interrupts through the interrupt command register: arch/x86/kernel/apic/ipi.c and local.h.

const __prepare_ICR = (shorthand: number, vector: number, dest_mode_logical: number): number =>
  ICR_LOW.encode({ vector, delivery_mode: DELIVERY.FIXED, dest_mode_logical, shorthand });

/** @param dest APIC id, or a set of logical ids. Source: arch/x86/kernel/apic/ipi.c, __default_send_IPI_dest_field() */
export function* __default_send_IPI_dest_field(dest: number, vector: number, dest_mode_logical: number): Op {
  apic_write(APIC_ICR2, (dest << 24) >>> 0);
  apic_write(APIC_ICR, __prepare_ICR(SHORTHAND.NONE, vector, dest_mode_logical));
}

/** Source: arch/x86/kernel/apic/ipi.c, default_send_IPI_single_phys() */
export function* default_send_IPI_single_phys(cpu: number, vector: number): Op {
  const flags = yield* local_irq_save();
  yield* __default_send_IPI_dest_field(kernel.x86_cpu_to_apicid[cpu], vector, 0);
  yield* local_irq_restore(flags);
}

/** Source: arch/x86/kernel/apic/ipi.c, default_send_IPI_self() */
export function* default_send_IPI_self(vector: number): Op {
  apic_write(APIC_ICR, __prepare_ICR(SHORTHAND.SELF, vector, 0));
}

/** Source: arch/x86/kernel/apic/ipi.c, __x2apic_send_IPI_dest() */
export function* __x2apic_send_IPI_dest(apicid: number, vector: number, dest_mode_logical: number): Op {
  native_x2apic_icr_write(__prepare_ICR(SHORTHAND.NONE, vector, dest_mode_logical), apicid);
}

/** Source: arch/x86/kernel/apic/ipi.c, native_send_call_func_single_ipi() */
export function* native_send_call_func_single_ipi(cpu: number): Op {
  yield* kernel.apic.send_IPI(cpu, CALL_FUNCTION_SINGLE_VECTOR);
}

/** Source: arch/x86/kernel/apic/ipi.c, print_ipi_mode() */
export function* print_ipi_mode(): Op {
  pr_info('IPI shorthand broadcast: enabled');
}
