import type { Op } from '../../../stepper/op';
import { generic_smp_call_function_single_interrupt } from '../../smp';
import { ack_APIC_irq } from './apic/apic';
import { this_irq_stat } from './irq';

// Entries of inter-processor interrupts: arch/x86/kernel/smp.c. Of what they ask for only calls are modelled.

/** Source: arch/x86/kernel/smp.c, sysvec_reschedule_ipi() */
export function* sysvec_reschedule_ipi(): Op {
  ack_APIC_irq();
  this_irq_stat().irq_resched_count++;
}

/** Source: arch/x86/kernel/smp.c, sysvec_call_function() */
export function* sysvec_call_function(): Op {
  ack_APIC_irq();
  this_irq_stat().irq_call_count++;
}

/** Source: arch/x86/kernel/smp.c, sysvec_call_function_single() */
export function* sysvec_call_function_single(): Op {
  ack_APIC_irq();
  this_irq_stat().irq_call_count++;
  yield* generic_smp_call_function_single_interrupt();
}
