import type { Op } from '../../../stepper/op';
import { cpuhp_online_idle, notify_cpu_starting } from '../../cpu';
import { cpu_to_node, num_possible_nodes, numa_add_cpu, NUMA_NO_NODE, numa_remove_cpu, topology_sibling_cpumask } from '../../include/topology';
import { cpu_relax_until, local_irq_restore } from '../../lib/locking';
import { pr_cont, pr_info, pr_warn, printk_open } from '../../lib/printk';
import { kernel, machine, spawn } from '../../world';
import { apic_ap_setup, apic_soft_disable, x2apic_setup } from './apic/apic';
import { disable_ioapic_support } from './apic/io_apic';
import { lapic_can_unplug_cpu, lapic_offline, lapic_online } from './apic/lapic';
import { lock_vector_lock, unlock_vector_lock } from './apic/vector';
import { fixup_irqs } from './irq';

// CPUs come and go: arch/x86/kernel/smpboot.c.

export const smpboot_globals = () => ({
  system_state: 'booting' as 'booting' | 'running',
  /** node of the CPU that was announced last */
  current_node: NUMA_NO_NODE,
});

/** Where a CPU may be plugged in later, one is possible now. Source: arch/x86/kernel/smpboot.c, prefill_possible_map() */
export function* prefill_possible_map(): Op {
  for (let cpu = 0; cpu < kernel.nr_cpu_ids; cpu++) kernel.cpu_possible_mask.set(cpu);

  const possible = kernel.cpu_possible_mask.weight;
  const { length: processors } = machine.cpus.filter(({ present = true }) => present);
  if (processors > possible) pr_warn(`smpboot: ${processors} Processors exceeds max_cpus limit of ${kernel.setup_max_cpus}`);
  pr_info(`smpboot: Allowing ${possible} CPUs, ${possible - kernel.cpu_present_mask.weight} hotplug CPUs`);
}

/** Threads of one core; what the firmware puts in different nodes is none. Source: arch/x86/kernel/smpboot.c, match_smt() */
function match_smt(cpu: number, other: number): boolean {
  const { core } = machine.cpus[cpu];
  return core !== undefined && core === machine.cpus[other].core && cpu_to_node(cpu) === cpu_to_node(other);
}

/** Source: arch/x86/kernel/smpboot.c, set_cpu_sibling_map() */
export function* set_cpu_sibling_map(cpu: number): Op {
  kernel.cpu_sibling_setup_mask.set(cpu);
  for (const i of kernel.cpu_sibling_setup_mask) {
    if (i !== cpu && !match_smt(cpu, i)) continue;
    topology_sibling_cpumask(cpu).set(i);
    topology_sibling_cpumask(i).set(cpu);
  }
}

/** Source: arch/x86/kernel/smpboot.c, remove_siblinginfo() */
function* remove_siblinginfo(cpu: number): Op {
  for (const sibling of topology_sibling_cpumask(cpu).copy()) topology_sibling_cpumask(sibling).clear(cpu);
  topology_sibling_cpumask(cpu).clearAll();
  kernel.cpu_sibling_setup_mask.clear(cpu);
}

/** Without SMP there is no IOAPIC either. Source: arch/x86/kernel/smpboot.c, arch_disable_smp_support() */
export function* arch_disable_smp_support(): Op {
  yield* disable_ioapic_support();
}

/** Only the boot CPU is left. Source: arch/x86/kernel/smpboot.c, disable_smp() */
function* disable_smp(): Op {
  pr_info('smpboot: SMP disabled');

  yield* disable_ioapic_support();

  for (const mask of [kernel.cpu_present_mask, kernel.cpu_possible_mask]) {
    mask.clearAll();
    mask.set(0);
  }
}

/** Before the other CPUs are started: whether they can be. Source: arch/x86/kernel/smpboot.c, native_smp_prepare_cpus() */
export function* native_smp_prepare_cpus(): Op {
  yield* set_cpu_sibling_map(0);

  switch (kernel.apic_intr_mode) {
    case 'PIC':
    case 'VIRTUAL_WIRE_NO_CONFIG':
      yield* disable_smp();
      return;
    case 'SYMMETRIC_IO_NO_ROUTING':
      yield* disable_smp();
      break;
    case 'VIRTUAL_WIRE':
    case 'SYMMETRIC_IO':
      break;
  }

  yield* kernel.x86_init.setup_percpu_clockev();
}

/** What a secondary CPU runs first, on that CPU; its interrupts are off until the end. Source: arch/x86/kernel/smpboot.c, start_secondary() */
export function* start_secondary(): Op {
  const cpu = kernel.this_cpu;
  kernel.cpus[cpu].irqs_enabled = false;

  yield* smp_callin();

  // Nobody may see the CPU online without its vectors, or the other way round.
  yield* lock_vector_lock();
  kernel.cpu_online_mask.set(cpu);
  yield* lapic_online();
  yield* unlock_vector_lock();

  yield* local_irq_restore(true);
  yield* kernel.x86_init.setup_secondary_clockev();
  yield* cpuhp_online_idle();
}

/** Source: arch/x86/kernel/smpboot.c, smp_callin() */
function* smp_callin(): Op {
  yield* x2apic_setup();
  yield* apic_ap_setup();
  yield* set_cpu_sibling_map(kernel.this_cpu);
  numa_add_cpu(kernel.this_cpu);
  yield* notify_cpu_starting(kernel.this_cpu);
}

/** Wakes the CPU, which starts in start_secondary(), and waits until it is online. @returns 0. Source: arch/x86/kernel/smpboot.c, native_cpu_up() */
export function* __cpu_up(cpu: number): Op<number> {
  yield* do_boot_cpu(cpu);
  yield* cpu_relax_until(`CPU ${cpu} online`, () => kernel.cpu_online_mask.test(cpu));
  return 0;
}

/** At boot the CPUs of a node stand in one line, where nobody else prints. Source: arch/x86/kernel/smpboot.c, announce_cpu() */
export function* announce_cpu(cpu: number): Op {
  const node = cpu_to_node(cpu);
  const padded = (n: number, most: number): string => `${' '.repeat(Math.max(1, String(most).length + 1 - String(n).length))}#${n}`;
  const possible = kernel.cpu_possible_mask.weight;

  if (cpu === 1) pr_info('x86: Booting SMP configuration:');
  if (kernel.system_state === 'running') {
    pr_info(`smpboot: Booting Node ${node} Processor ${cpu} APIC 0x${kernel.x86_cpu_to_apicid[cpu].toString(16)}`);
    return;
  }

  if (node !== kernel.current_node) {
    if (kernel.current_node !== NUMA_NO_NODE) pr_cont('\n');
    kernel.current_node = node;
    printk_open('info', `.... node ${padded(node, num_possible_nodes())}, CPUs:  `);
  }
  // In place of the boot CPU.
  if (cpu === 1) pr_cont(' '.repeat(String(possible).length + 2));
  pr_cont(padded(cpu, possible));
}

/** Source: arch/x86/kernel/smpboot.c, do_boot_cpu() */
function* do_boot_cpu(cpu: number): Op {
  yield* announce_cpu(cpu);
  spawn({ name: `swapper/${cpu}`, cpu, run: start_secondary });
}

/** Source: arch/x86/kernel/smpboot.c, cpu_disable_common() */
export function* cpu_disable_common(): Op {
  yield* remove_siblinginfo(kernel.this_cpu);
  yield* lock_vector_lock();
  yield* remove_cpu_from_maps(kernel.this_cpu);
  yield* unlock_vector_lock();
  yield* fixup_irqs();
  yield* lapic_offline();
}

/** Source: arch/x86/kernel/smpboot.c, remove_cpu_from_maps() */
function* remove_cpu_from_maps(cpu: number): Op {
  kernel.cpu_online_mask.clear(cpu);
  numa_remove_cpu(cpu);
}

/** The running CPU goes offline; interrupts are off and all other CPUs stand still. @returns 0, or -ENOSPC: its vectors fit nowhere else. Source: arch/x86/kernel/smpboot.c, native_cpu_disable() */
export function* native_cpu_disable(): Op<number> {
  const ret = yield* lapic_can_unplug_cpu();
  if (ret) return ret;

  yield* cpu_disable_common();

  // Last: what arrives at a disabled local APIC is lost, and fixup_irqs() looks for what has arrived.
  yield* apic_soft_disable();

  return 0;
}

/** The CPU has died by itself: it is only said. Source: arch/x86/kernel/smpboot.c, native_cpu_die(), common_cpu_die() */
export function* __cpu_die(cpu: number): Op {
  pr_info(`smpboot: CPU ${cpu} is now offline`);
}
