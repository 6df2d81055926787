import type { Op } from '../../../stepper/op';
import { has, kernel } from '../../world';
import { spurious_interrupt, sysvec_apic_timer_interrupt, sysvec_error_interrupt, sysvec_spurious_apic_interrupt } from './apic/apic';
import { sysvec_irq_move_cleanup } from './apic/vector';
import {
  CALL_FUNCTION_SINGLE_VECTOR,
  CALL_FUNCTION_VECTOR,
  DEFERRED_ERROR_VECTOR,
  ERROR_APIC_VECTOR,
  FIRST_EXTERNAL_VECTOR,
  first_system_vector,
  IA32_SYSCALL_VECTOR,
  IRQ_MOVE_CLEANUP_VECTOR,
  IRQ_WORK_VECTOR,
  LOCAL_TIMER_VECTOR,
  NR_VECTORS,
  POSTED_INTR_NESTED_VECTOR,
  POSTED_INTR_VECTOR,
  POSTED_INTR_WAKEUP_VECTOR,
  REBOOT_VECTOR,
  RESCHEDULE_VECTOR,
  SPURIOUS_APIC_VECTOR,
  THERMAL_APIC_VECTOR,
  THRESHOLD_APIC_VECTOR,
  X86_PLATFORM_IPI_VECTOR,
} from './hw_irq';
import { common_interrupt, sysvec_kvm_posted_intr_ipi } from './irq';
import { sysvec_call_function, sysvec_call_function_single, sysvec_reschedule_ipi } from './smp';

// The interrupt descriptor table: arch/x86/kernel/idt.c.

/** Where a vector leads; `entry` absent: an exception or a system vector whose handler is not modelled. */
export interface gate {
  readonly name: string;
  readonly entry?: (vector: number) => Op;
}

interface idt_data {
  readonly vector: number;
  readonly gate: gate;
  /** Kconfig symbol that it needs */
  readonly config?: string;
}

const INTG = (vector: number, name: string, entry?: (vector: number) => Op, config?: string): idt_data =>
  Object.freeze({ vector, gate: Object.freeze({ name, entry }), config });

const X86_TRAPS: Record<number, string> = {
  0: 'divide_error', 2: 'nmi', 4: 'overflow', 5: 'bounds', 6: 'invalid_op', 7: 'device_not_available', 8: 'double_fault',
  9: 'coproc_segment_overrun', 10: 'invalid_tss', 11: 'segment_not_present', 12: 'stack_segment', 13: 'general_protection',
  15: 'spurious_interrupt_bug', 16: 'coprocessor_error', 17: 'alignment_check', 19: 'simd_coprocessor_error',
};

const early_idts = (): idt_data[] => [INTG(1, 'exc_debug'), INTG(3, 'exc_int3')];

const early_pf_idts = (): idt_data[] => [INTG(14, 'exc_page_fault')];

const def_idts = (): idt_data[] => [
  ...Object.entries(X86_TRAPS).map(([vector, name]) => INTG(Number(vector), `exc_${name}`)),
  INTG(18, 'exc_machine_check', undefined, 'X86_MCE'),
  ...(has('virtualization-exception') ? [INTG(20, 'exc_virtualization_exception', undefined, 'INTEL_TDX_GUEST')] : []),
  ...(has('control-protection-exception') ? [INTG(21, 'exc_control_protection', undefined, 'X86_CET')] : []),
  INTG(IA32_SYSCALL_VECTOR, 'entry_INT80_compat', undefined, 'IA32_EMULATION'),
];

/** Those on an interrupt stack of their own that are not in the tables above. */
const ist_idts = (): idt_data[] => (has('vmm-communication-vector') ? [INTG(29, 'exc_vmm_communication', undefined, 'AMD_MEM_ENCRYPT')] : []);

const apic_idts = (): idt_data[] => [
  INTG(RESCHEDULE_VECTOR, 'sysvec_reschedule_ipi', sysvec_reschedule_ipi),
  INTG(CALL_FUNCTION_VECTOR, 'sysvec_call_function', sysvec_call_function),
  INTG(CALL_FUNCTION_SINGLE_VECTOR, 'sysvec_call_function_single', sysvec_call_function_single),
  ...(has('vector-cleanup-timer') ? [] : [INTG(IRQ_MOVE_CLEANUP_VECTOR, 'sysvec_irq_move_cleanup', sysvec_irq_move_cleanup)]),
  INTG(REBOOT_VECTOR, 'sysvec_reboot'),
  INTG(THERMAL_APIC_VECTOR, 'sysvec_thermal', undefined, 'X86_THERMAL_VECTOR'),
  INTG(THRESHOLD_APIC_VECTOR, 'sysvec_threshold', undefined, 'X86_MCE_THRESHOLD'),
  INTG(DEFERRED_ERROR_VECTOR, 'sysvec_deferred_error', undefined, 'X86_MCE_AMD'),
  INTG(LOCAL_TIMER_VECTOR, 'sysvec_apic_timer_interrupt', sysvec_apic_timer_interrupt),
  INTG(X86_PLATFORM_IPI_VECTOR, 'sysvec_x86_platform_ipi'),
  INTG(POSTED_INTR_VECTOR, 'sysvec_kvm_posted_intr_ipi', sysvec_kvm_posted_intr_ipi, 'HAVE_KVM'),
  INTG(POSTED_INTR_WAKEUP_VECTOR, 'sysvec_kvm_posted_intr_wakeup_ipi', undefined, 'HAVE_KVM'),
  INTG(POSTED_INTR_NESTED_VECTOR, 'sysvec_kvm_posted_intr_nested_ipi', undefined, 'HAVE_KVM'),
  INTG(IRQ_WORK_VECTOR, 'sysvec_irq_work', undefined, 'IRQ_WORK'),
  INTG(SPURIOUS_APIC_VECTOR, 'sysvec_spurious_apic_interrupt', sysvec_spurious_apic_interrupt),
  INTG(ERROR_APIC_VECTOR, 'sysvec_error_interrupt', sysvec_error_interrupt),
];

const common_gate: gate = Object.freeze({ name: 'common_interrupt', entry: common_interrupt });
const spurious_gate: gate = Object.freeze({ name: 'spurious_interrupt', entry: spurious_interrupt });

/** Source: arch/x86/kernel/idt.c, idt_setup_from_table() with sys set: what it installs counts as a system vector. */
function* idt_setup_from_table(table: readonly idt_data[]): Op {
  for (const { vector, gate, config } of table) {
    if (config !== undefined && !kernel.config.config.has(config)) continue;
    kernel.idt_table[vector] = gate;
    kernel.system_vectors.set(vector);
  }
}

/** A system vector of a hypervisor's. Source: arch/x86/kernel/idt.c, alloc_intr_gate() */
export function* alloc_intr_gate(vector: number, gate: gate): Op {
  yield* idt_setup_from_table([{ vector, gate }]);
}

/** The gates of exceptions. Source: arch/x86/kernel/idt.c, idt_setup_early_traps(), idt_setup_early_pf(), idt_setup_traps(), idt_setup_ist_traps() */
export function* idt_setup_traps(): Op {
  yield* idt_setup_from_table(early_idts());
  yield* idt_setup_from_table(early_pf_idts());
  yield* idt_setup_from_table(def_idts());
  yield* idt_setup_from_table(ist_idts());
}

/** Source: arch/x86/kernel/idt.c, idt_setup_apic_and_irq_gates() */
export function* idt_setup_apic_and_irq_gates(): Op {
  yield* idt_setup_from_table(apic_idts());

  for (let i = FIRST_EXTERNAL_VECTOR; i < NR_VECTORS; i++) {
    if (kernel.system_vectors.test(i)) continue;
    // Left over system vectors are not put into system_vectors: they do not show in /proc/interrupts.
    kernel.idt_table[i] = i < first_system_vector() ? common_gate : spurious_gate;
  }
}
