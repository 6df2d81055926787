import type { Op } from '../../../stepper/op';
import { irq_set_chip_and_handler_name, handle_level_irq } from '../../irq/chip';
import { irq_to_desc } from '../../irq/irqdesc';
import { kernel } from '../../world';
import { lapic_assign_system_vectors } from './apic/lapic';
import { ISA_IRQ_VECTOR, VECTOR_UNUSED } from './hw_irq';
import { nr_legacy_irqs } from './i8259';
import { idt_setup_apic_and_irq_gates } from './idt';

// Interrupts of the boot CPU before any IOAPIC: arch/x86/kernel/irqinit.c.

/** Source: init_ISA_irqs() */
function* init_ISA_irqs(): Op {
  yield* kernel.legacy_pic.init(false);

  for (let i = 0; i < nr_legacy_irqs(); i++) yield* irq_set_chip_and_handler_name(i, kernel.i8259A_chip, handle_level_irq, null);
}

/** Source: init_IRQ() */
export function* init_IRQ(): Op {
  for (let i = 0; i < nr_legacy_irqs(); i++) kernel.vector_irq[0][ISA_IRQ_VECTOR(i)] = irq_to_desc(i) ?? VECTOR_UNUSED;

  yield* native_init_IRQ();
}

/** Source: native_init_IRQ() */
function* native_init_IRQ(): Op {
  yield* init_ISA_irqs();

  yield* idt_setup_apic_and_irq_gates();
  yield* lapic_assign_system_vectors();
}
