import type { Op } from '../../../stepper/op';
import type { ChangeId } from '../../changes';
import { default_teardown_msi_irqs } from '../../drivers/pci/msi';
import type { PciDev } from '../../include/pci';
import { called } from '../../lib/fault';
import { kernel } from '../../world';
import { native_setup_msi_irqs, native_teardown_msi_irq } from './apic/msi';

// How a platform sets up MSIs before v2-35, and who asks for it: arch/x86/kernel/x86_init.c.

/** Of struct x86_msi_ops what v2-35 and v2-36 take out; a hypervisor's setup replaces them. */
export interface x86_msi_ops {
  setup_msi_irqs?: (dev: PciDev, nvec: number, type: number) => Op<number>;
  teardown_msi_irq?: (irq: number) => Op;
  teardown_msi_irqs?: (dev: PciDev) => Op;
}

/** Of struct x86_platform_ops what a hypervisor's setup puts in. */
export interface x86_platform_ops {
  /** runs when it is known how interrupts are delivered, before the local APIC is set up */
  apic_post_init: (() => Op) | null;
}

export const x86_init_globals = (changes: ReadonlySet<ChangeId>) => ({
  x86_platform: { apic_post_init: null } as x86_platform_ops,
  x86_msi: (changes.has('v2-35')
    ? {}
    : { setup_msi_irqs: native_setup_msi_irqs, teardown_msi_irq: native_teardown_msi_irq, teardown_msi_irqs: default_teardown_msi_irqs }) as x86_msi_ops,
});

/** @returns 0, an errno, or how many could be had. Source: arch/x86/kernel/x86_init.c (v5.9), arch_setup_msi_irqs() */
export function* arch_setup_msi_irqs(dev: PciDev, nvec: number, type: number): Op<number> {
  return yield* called(kernel.x86_msi.setup_msi_irqs)(dev, nvec, type);
}

/** Source: arch/x86/kernel/x86_init.c (v5.9), arch_teardown_msi_irqs() */
export function* arch_teardown_msi_irqs(dev: PciDev): Op {
  yield* called(kernel.x86_msi.teardown_msi_irqs)(dev);
}

/** Source: arch/x86/kernel/x86_init.c (v5.9), arch_teardown_msi_irq() */
export function* arch_teardown_msi_irq(irq: number): Op {
  yield* called(kernel.x86_msi.teardown_msi_irq)(irq);
}
