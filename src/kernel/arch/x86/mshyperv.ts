import type { Op } from '../../../stepper/op';
import { pr_info } from '../../lib/printk';
import { kernel, machine } from '../../world';
import { ack_APIC_irq, x2apic_supported } from './apic/apic';
import { HYPERV_REENLIGHTENMENT_VECTOR, HYPERV_STIMER0_VECTOR, HYPERVISOR_CALLBACK_VECTOR } from './hw_irq';
import { hyperv_init } from './hyperv/hv_init';
import { alloc_intr_gate } from './idt';
import { this_irq_stat } from './irq';

// A kernel that finds itself a guest of Hyper-V: arch/x86/kernel/cpu/hypervisor.c and mshyperv.c. Its clocks, its TLB flushes and its IPIs by hypercall are not modelled.

export type x86_hypervisor_type = 'X86_HYPER_NATIVE' | 'X86_HYPER_MS_HYPERV';

export const mshyperv_globals = () => ({
  x86_hyper_type: 'X86_HYPER_NATIVE' as x86_hypervisor_type,
  vmbus_handler: null as (() => Op) | null,
});

/** Source: arch/x86/include/asm/hypervisor.h, hypervisor_is_type() */
export const hypervisor_is_type = (type: x86_hypervisor_type): boolean => kernel.x86_hyper_type === type;

/** Source: arch/x86/kernel/cpu/hypervisor.c, init_hypervisor_platform() */
export function* init_hypervisor_platform(): Op {
  if (!machine.hyperv) return;

  pr_info('Hypervisor detected: Microsoft Hyper-V');
  kernel.x86_hyper_type = 'X86_HYPER_MS_HYPERV';
  yield* ms_hyperv_init_platform();
}

/** Source: arch/x86/kernel/cpu/mshyperv.c, ms_hyperv_init_platform() */
function* ms_hyperv_init_platform(): Op {
  kernel.x86_platform.apic_post_init = hyperv_init;

  yield* alloc_intr_gate(HYPERVISOR_CALLBACK_VECTOR, { name: 'sysvec_hyperv_callback', entry: sysvec_hyperv_callback });
  yield* alloc_intr_gate(HYPERV_REENLIGHTENMENT_VECTOR, { name: 'sysvec_hyperv_reenlightenment' });
  yield* alloc_intr_gate(HYPERV_STIMER0_VECTOR, { name: 'sysvec_hyperv_stimer0' });

  // What an IOAPIC sends reaches 8 bits of physical ids: hyperv-iommu.c sees to it that nothing else is asked for.
  if (x2apic_supported()) kernel.x2apic_phys = true;
}

/** The host says that there are packets. The host wants an end of interrupt (HV_DEPRECATING_AEOI_RECOMMENDED). Source: arch/x86/kernel/cpu/mshyperv.c, sysvec_hyperv_callback() */
function* sysvec_hyperv_callback(): Op {
  this_irq_stat().irq_hv_callback_count++;
  if (kernel.vmbus_handler) yield* kernel.vmbus_handler();
  ack_APIC_irq();
}

/** Source: arch/x86/kernel/cpu/mshyperv.c, hv_setup_vmbus_irq() */
export function* hv_setup_vmbus_irq(handler: () => Op): Op {
  kernel.vmbus_handler = handler;
}
