import type { Op } from '../../../stepper/op';
import { IRQF_NO_THREAD } from '../../include/interrupt';
import { IRQ_LEVEL } from '../../include/irq';
import { handle_level_irq, irq_modify_status, irq_set_chip_and_handler_name } from '../../irq/chip';
import { no_action } from '../../irq/handle';
import { irq_to_desc } from '../../irq/irqdesc';
import { request_irq } from '../../irq/manage';
import { pr_err } from '../../lib/printk';
import { has, kernel } from '../../world';
import { lapic_assign_system_vectors } from './apic/lapic';
import { ISA_IRQ_VECTOR, VECTOR_UNUSED } from './hw_irq';
import { nr_legacy_irqs, PIC_CASCADE_IR } from './i8259';
import { idt_setup_apic_and_irq_gates } from './idt';

// Interrupts of the boot CPU before any IOAPIC: arch/x86/kernel/irqinit.c.

/** Source: arch/x86/kernel/irqinit.c, init_ISA_irqs() */
function* init_ISA_irqs(): Op {
  yield* kernel.legacy_pic.init(false);

  for (let i = 0; i < nr_legacy_irqs(); i++) {
    yield* irq_set_chip_and_handler_name(i, kernel.i8259A_chip, handle_level_irq, null);
    if (has('legacy-pic-level')) yield* irq_modify_status(i, 0, IRQ_LEVEL);
  }
}

/** Source: arch/x86/kernel/irqinit.c, init_IRQ() */
export function* init_IRQ(): Op {
  for (let i = 0; i < nr_legacy_irqs(); i++) kernel.vector_irq[0][ISA_IRQ_VECTOR(i)] = irq_to_desc(i) ?? VECTOR_UNUSED;

  yield* kernel.x86_init.intr_init();
}

/** Source: arch/x86/kernel/irqinit.c, native_init_IRQ() */
export function* native_init_IRQ(): Op {
  yield* init_ISA_irqs();

  yield* idt_setup_apic_and_irq_gates();
  yield* lapic_assign_system_vectors();

  if (!kernel.acpi_ioapic && nr_legacy_irqs() > 0) {
    if (yield* request_irq(PIC_CASCADE_IR, no_action, IRQF_NO_THREAD, 'cascade', null)) pr_err('cascade: request_irq() failed');
  }
}
