import type { Op } from '../../stepper/op';
import { acpi_boot_init, acpi_gsi_to_irq, SCI_INTERRUPT } from '../arch/x86/acpi/boot';
import { APIC_DEBUG, apic_intr_mode_init, apic_intr_mode_select, APIC_VERBOSE, check_x2apic } from '../arch/x86/apic/apic';
import { disable_ioapic_support } from '../arch/x86/apic/io_apic';
import { x86_create_pci_msi_domain } from '../arch/x86/apic/msi';
import { idt_setup_traps } from '../arch/x86/idt';
import { init_IRQ } from '../arch/x86/irqinit';
import { prefill_possible_map, set_cpu_sibling_map, start_secondary } from '../arch/x86/smpboot';
import { init_cpu_to_node, numa_init_array } from '../arch/x86/mm/numa';
import { dmar_register_bus_notifier } from '../drivers/iommu/intel/dmar';
import { ir_dev_scope_init } from '../drivers/iommu/intel/irq_remapping';
import { setup_irqremap } from '../drivers/iommu/irq_remapping';
import { pci_scan_root_bus } from '../drivers/pci/probe';
import { IRQ_HANDLED, IRQF_IRQPOLL, IRQF_NOBALANCING, IRQF_SHARED, IRQF_TIMER } from '../include/interrupt';
import { numa_add_cpu } from '../include/topology';
import { early_irq_init, irq_affinity_setup } from '../irq/irqdesc';
import { free_irq, request_irq } from '../irq/manage';
import { init_irq_proc } from '../irq/proc';
import { local_irq_restore } from '../lib/locking';
import { housekeeping_isolcpus_setup } from '../sched/isolation';
import { kernel, type World } from '../world';

// The boot, as far as it concerns interrupts: init/main.c and what it calls.

/** A part of the boot, and where it runs. */
export interface boot_step {
  readonly name: string;
  readonly cpu: number;
  readonly run: () => Op;
}

/** All of it, in order. */
export const boot_steps = (world: World): boot_step[] => [
  { name: 'swapper/0', cpu: 0, run: start_kernel },
  ...nonboot_cpus(world).map(cpu => ({ name: `swapper/${cpu}`, cpu, run: start_secondary })),
  { name: 'init', cpu: 0, run: kernel_init },
];

/** Present CPUs are started in order while fewer than maxcpus= are up. Source: kernel/cpu.c, bringup_nonboot_cpus() */
function nonboot_cpus({ kernel: { config }, machine }: World): number[] {
  const limit = config.cmdline.filter(word => word.startsWith('maxcpus=')).at(-1)?.slice('maxcpus='.length);
  const setup_max_cpus = limit === undefined ? Infinity : Math.max(1, Number(limit));
  return machine.cpus.flatMap(({ present = true }, cpu) => (cpu > 0 && present ? cpu : [])).slice(0, setup_max_cpus - 1);
}

/** The boot CPU, until it can start the others. Source: init/main.c, start_kernel() */
function* start_kernel(): Op {
  const cpu = kernel.this_cpu;
  kernel.cpus[cpu].irqs_enabled = false;
  kernel.cpu_online_mask.set(cpu);

  yield* setup_arch();
  yield* parse_args();
  yield* early_irq_init();
  yield* init_IRQ();
  yield* local_irq_restore(true);
  yield* x86_late_time_init();

  // identify_boot_cpu(): only now the CPU's node has a CPU.
  numa_add_cpu(cpu);
  yield* set_cpu_sibling_map(cpu);
}

/** Source: arch/x86/kernel/setup.c, setup_arch() */
function* setup_arch(): Op {
  yield* idt_setup_traps();
  yield* parse_early_param();
  yield* check_x2apic();
  yield* numa_init_array();
  yield* acpi_boot_init();
  yield* prefill_possible_map();
  yield* init_cpu_to_node();
}

/** What of the command line concerns interrupts. Source: init/main.c, parse_early_param() */
function* parse_early_param(): Op {
  for (const word of kernel.config.cmdline) {
    const [name, value = ''] = word.split('=', 2);
    if (name === 'noapic') yield* disable_ioapic_support();
    else if (name === 'nolapic' || name === 'disableapic') kernel.disable_apic = true;
    else if (name === 'apic') kernel.apic_verbosity = value === 'debug' ? APIC_DEBUG : value === 'verbose' ? APIC_VERBOSE : kernel.apic_verbosity;
    else if (name === 'x2apic_phys') kernel.x2apic_phys = true;
    else if (name === 'nointremap') kernel.disable_irq_remap = true;
    else if (name === 'intremap') yield* setup_irqremap(value);
  }
}

/** What is parsed when the CPUs are known: `__setup()`. Source: kernel/params.c, parse_args() */
function* parse_args(): Op {
  for (const word of kernel.config.cmdline) {
    const [name, value = ''] = word.split('=', 2);
    if (name === 'irqaffinity') yield* irq_affinity_setup(value);
    else if (name === 'isolcpus') yield* housekeeping_isolcpus_setup(value);
  }
}

/** The timer by the 8259 pair first, then everything by the IOAPIC. Source: arch/x86/kernel/time.c, x86_late_time_init() */
function* x86_late_time_init(): Op {
  yield* apic_intr_mode_select();
  yield* setup_default_timer_irq();
  yield* apic_intr_mode_init();
}

function* timer_interrupt(irq: number, dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** Source: arch/x86/kernel/time.c, setup_default_timer_irq() */
function* setup_default_timer_irq(): Op {
  yield* request_irq(0, timer_interrupt, IRQF_NOBALANCING | IRQF_IRQPOLL | IRQF_TIMER, 'timer', null);
}

/** /proc/irq, then initcalls in the order of their levels. Source: init/main.c, kernel_init(), do_basic_setup() */
function* kernel_init(): Op {
  yield* init_irq_proc();
  yield* pci_arch_init();
  yield* acpi_enable();
  yield* pci_scan_root_bus();
  yield* ir_dev_scope_init();
  yield* dmar_register_bus_notifier();
  yield* device_initcalls();
}

/** Source: arch/x86/pci/init.c, pci_arch_init() */
function* pci_arch_init(): Op {
  yield* x86_create_pci_msi_domain();
}

/** A handler of a device that the model has not: it has nothing to do. */
function* idle_handler(irq: number, dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** ACPI's own interrupt. Source: drivers/acpi/osl.c, acpi_os_install_interrupt_handler() */
function* acpi_enable(): Op {
  const irq = kernel.ioapics.length > 0 ? yield* acpi_gsi_to_irq(kernel.isa_irq_to_gsi[SCI_INTERRUPT]) : SCI_INTERRUPT;
  yield* request_irq(irq, idle_handler, IRQF_SHARED, 'acpi', 'acpi');
}

/** What the drivers of a PC's old devices request, in the order of their probes. */
function* device_initcalls(): Op {
  // i8042 tries whether the mouse's interrupt arrives before it takes it.
  yield* request_irq(12, idle_handler, IRQF_SHARED, 'i8042', 'i8042_aux_test');
  yield* free_irq(12, 'i8042_aux_test');
  yield* request_irq(12, idle_handler, IRQF_SHARED, 'i8042', 'i8042');
  yield* request_irq(1, idle_handler, IRQF_SHARED, 'i8042', 'i8042');
  yield* request_irq(8, idle_handler, 0, 'rtc0', 'rtc0');
  yield* request_irq(4, idle_handler, 0, 'ttyS0', 'ttyS0');
}
