import type { Op } from '../../../stepper/op';
import type { ChangeId } from '../../changes';
import { default_teardown_msi_irqs } from '../../drivers/pci/msi';
import { default_restore_msi_irqs } from '../../drivers/pci/msi_restore';
import type { PciDev } from '../../include/pci';
import { called } from '../../lib/fault';
import { kernel } from '../../world';
import type { irq_domain } from '../../include/irqdomain';
import { apic_intr_mode_init, apic_intr_mode_select } from './apic/apic';
import { setup_boot_APIC_clock, setup_secondary_APIC_clock } from './apic/apic_timer';
import { native_send_call_func_single_ipi } from './apic/ipi';
import { native_create_pci_msi_domain, native_setup_msi_irqs, native_teardown_msi_irq } from './apic/msi';
import { native_init_IRQ } from './irqinit';
import { __cpu_die, __cpu_up, native_cpu_disable, native_smp_prepare_cpus } from './smpboot';
import { hpet_time_init } from './time';

// What a platform does in its own way: arch/x86/kernel/x86_init.c. Before v2-35 also how it sets up MSIs.

/** Struct x86_msi_ops; a hypervisor's setup replaces what is in it. v2-35 and v2-36 take out all but restore_msi_irqs. */
export interface x86_msi_ops {
  restore_msi_irqs: (dev: PciDev) => Op;
  setup_msi_irqs?: (dev: PciDev, nvec: number, type: number) => Op<number>;
  teardown_msi_irq?: (irq: number) => Op;
  teardown_msi_irqs?: (dev: PciDev) => Op;
}

/** Of struct x86_platform_ops what a hypervisor's setup puts in. */
export interface x86_platform_ops {
  /** runs when it is known how interrupts are delivered, before the local APIC is set up */
  apic_post_init: (() => Op) | null;
}

/** Of struct x86_init_ops and x86_cpuinit_ops what a hypervisor's setup replaces. */
export interface x86_init_ops {
  intr_init: () => Op;
  intr_mode_select: () => Op;
  intr_mode_init: () => Op;
  timer_init: () => Op;
  /** of the boot CPU */
  setup_percpu_clockev: () => Op;
  /** of the others */
  setup_secondary_clockev: () => Op;
  /** @returns 0: the native part of pci_arch_init() is left out */
  pci_arch_init?: () => Op<number>;
  create_pci_msi_domain: () => Op<irq_domain | null>;
}

/** Of struct smp_ops what a hypervisor's setup replaces. */
export interface smp_ops {
  smp_prepare_cpus: () => Op;
  cpu_up: (cpu: number) => Op<number>;
  cpu_disable: () => Op<number>;
  cpu_die: (cpu: number) => Op;
  send_call_func_single_ipi: (cpu: number) => Op;
}

export const x86_init_globals = (changes: ReadonlySet<ChangeId>) => ({
  x86_init: {
    intr_init: native_init_IRQ,
    intr_mode_select: apic_intr_mode_select,
    intr_mode_init: apic_intr_mode_init,
    timer_init: hpet_time_init,
    setup_percpu_clockev: setup_boot_APIC_clock,
    setup_secondary_clockev: setup_secondary_APIC_clock,
    create_pci_msi_domain: native_create_pci_msi_domain,
  } as x86_init_ops,
  x86_platform: { apic_post_init: null } as x86_platform_ops,
  smp_ops: {
    smp_prepare_cpus: native_smp_prepare_cpus,
    cpu_up: __cpu_up,
    cpu_disable: native_cpu_disable,
    cpu_die: __cpu_die,
    send_call_func_single_ipi: native_send_call_func_single_ipi,
  },
  x86_msi: {
    ...(!changes.has('v2-35') && { setup_msi_irqs: native_setup_msi_irqs, teardown_msi_irq: native_teardown_msi_irq, teardown_msi_irqs: default_teardown_msi_irqs }),
    restore_msi_irqs: default_restore_msi_irqs,
  },
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

/** Source: arch/x86/kernel/x86_init.c, arch_restore_msi_irqs() */
export function* arch_restore_msi_irqs(dev: PciDev): Op {
  yield* kernel.x86_msi.restore_msi_irqs(dev);
}
