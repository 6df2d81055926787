import { HYPERV_REENLIGHTENMENT_VECTOR, HYPERV_STIMER0_VECTOR, HYPERVISOR_CALLBACK_VECTOR } from '../kernel/arch/x86/hw_irq';
import type { irq_cpustat } from '../kernel/arch/x86/irq';
import type { ChangeId } from '../kernel/changes';
import { IRQ_HIDDEN } from '../kernel/include/irq';
import type { irq_desc } from '../kernel/include/irqdesc';
import { irq_desc_is_chained } from '../kernel/irq/chip';
import { kstat_irqs_cpu } from '../kernel/irq/irqdesc';
import type { World } from '../kernel/world';
import { left, right } from './format';
import { actionNames } from './sys-irq';

/** /proc/interrupts. Source: kernel/irq/proc.c, show_interrupts(); arch/x86/kernel/irq.c, arch_show_interrupts() */
export function procInterrupts(world: World): string {
  const { kernel } = world;
  const cpus = [...kernel.cpu_online_mask];
  const width = Math.max(3, String(kernel.nr_irqs).length);
  const header = `${' '.repeat(width + 8)}${cpus.map(cpu => `CPU${left(cpu, 8)}`).join('')}`;
  const irqs = [...kernel.irq_desc_tree].sort(([a], [b]) => a - b);
  const rows = irqs.flatMap(([irq, desc]) => irqRow(irq, desc, cpus, width, world.changes) ?? []);
  return [header, ...rows, ...summaryRows(world, cpus, width)].map(line => `${line}\n`).join('');
}

const counts = (values: readonly number[]): string => values.map(value => `${right(value >>> 0, 10)} `).join('');

/** @returns undefined for an irq that nobody handles and, in kernels that look, that never came */
function irqRow(irq: number, desc: irq_desc, cpus: readonly number[], width: number, changes: ReadonlySet<ChangeId>): string | undefined {
  const handled = cpus.map(cpu => kstat_irqs_cpu(desc, cpu));
  if ((desc.status_use_accessors & IRQ_HIDDEN) !== 0 || ((!desc.action || irq_desc_is_chained(desc)) && (changes.has('proc-requested-only') || handled.every(count => count === 0)))) return undefined;

  const { chip, domain, hwirq } = desc.irq_data;
  const flow = desc.name === null ? '' : `-${left(desc.name, 8)}`;
  const names = actionNames(desc);
  const number = right(domain ? hwirq | 0 : '', width);
  return `${right(irq, width)}: ${counts(handled)} ${right(chip.name || '-', 8)} ${number}${flow}${names.length > 0 ? `  ${names.join(', ')}` : ''}`;
}

interface SummaryRow {
  readonly label: string;
  readonly meaning: string;
  readonly counter: keyof irq_cpustat;
  /** the symbol without which the kernel has no such row */
  readonly needs?: string;
  /** the system vector without which there is no such row */
  readonly vector?: number;
}

const row = (label: string, meaning: string, counter: keyof irq_cpustat, needs?: string): SummaryRow => ({ label, meaning, counter, needs });

const BEFORE_ERRORS: readonly SummaryRow[] = [
  row('NMI', 'Non-maskable interrupts', '__nmi_count'),
  row('LOC', 'Local timer interrupts', 'apic_timer_irqs'),
  row('SPU', 'Spurious interrupts', 'irq_spurious_count'),
  row('PMI', 'Performance monitoring interrupts', 'apic_perf_irqs'),
  row('IWI', 'IRQ work interrupts', 'apic_irq_work_irqs'),
  row('RTR', 'APIC ICR read retries', 'icr_read_retry_count'),
  row('RES', 'Rescheduling interrupts', 'irq_resched_count'),
  row('CAL', 'Function call interrupts', 'irq_call_count'),
  row('TLB', 'TLB shootdowns', 'irq_tlb_count'),
  row('TRM', 'Thermal event interrupts', 'irq_thermal_count', 'X86_THERMAL_VECTOR'),
  row('THR', 'Threshold APIC interrupts', 'irq_threshold_count', 'X86_MCE_THRESHOLD'),
  row('DFR', 'Deferred Error APIC interrupts', 'irq_deferred_error_count', 'X86_MCE_AMD'),
  row('MCE', 'Machine check exceptions', 'mce_exception_count', 'X86_MCE'),
  row('MCP', 'Machine check polls', 'mce_poll_count', 'X86_MCE'),
];

const HYPERVISOR: readonly SummaryRow[] = [
  { label: 'HYP', meaning: 'Hypervisor callback interrupts', counter: 'irq_hv_callback_count', vector: HYPERVISOR_CALLBACK_VECTOR },
  { label: 'HRE', meaning: 'Hyper-V reenlightenment interrupts', counter: 'irq_hv_reenlightenment_count', vector: HYPERV_REENLIGHTENMENT_VECTOR },
  { label: 'HVS', meaning: 'Hyper-V stimer0 interrupts', counter: 'hyperv_stimer0_count', vector: HYPERV_STIMER0_VECTOR },
];

const BEHIND_ERRORS: readonly SummaryRow[] = [
  row('PIN', 'Posted-interrupt notification event', 'kvm_posted_intr_ipis', 'HAVE_KVM'),
  row('NPI', 'Nested posted-interrupt event', 'kvm_posted_intr_nested_ipis', 'HAVE_KVM'),
  row('PIW', 'Posted-interrupt wakeup event', 'kvm_posted_intr_wakeup_ipis', 'HAVE_KVM'),
];

function summaryRows({ kernel }: World, cpus: readonly number[], width: number): string[] {
  const print = (rows: readonly SummaryRow[]): string[] =>
    rows
      .filter(({ needs, vector }) => (needs === undefined || kernel.config.config.has(needs)) && (vector === undefined || kernel.system_vectors.test(vector)))
      .map(({ label, meaning, counter }) => `${right(label, width)}: ${counts(cpus.map(cpu => kernel.irq_stat[cpu][counter]))}  ${meaning}`);
  const errors = [`${right('ERR', width)}: ${right(kernel.irq_err_count, 10)}`, `${right('MIS', width)}: ${right(kernel.irq_mis_count, 10)}`];
  return [...print(BEFORE_ERRORS), ...print(HYPERVISOR), ...errors, ...print(BEHIND_ERRORS)];
}
