import type { Op } from '../../stepper/op';
import { type IsaDevice, PC_ISA_DEVICES } from '../../hardware/machine-config';
import {
  ACPI_ACTIVE_HIGH, acpi_boot_init, ACPI_EDGE_SENSITIVE, acpi_gsi_to_irq, acpi_processor_init, acpi_register_gsi, early_acpi_boot_init, SCI_INTERRUPT,
} from '../arch/x86/acpi/boot';
import { APIC_DEBUG, APIC_VERBOSE, check_x2apic } from '../arch/x86/apic/apic';
import { disable_ioapic_support, io_apic_init_mappings } from '../arch/x86/apic/io_apic';
import { print_ipi_mode } from '../arch/x86/apic/ipi';
import { x86_create_pci_msi_domain } from '../arch/x86/apic/msi';
import { print_ICs } from '../arch/x86/apic/print';
import { hpet_late_init, hpet_setup } from '../arch/x86/hpet';
import { idt_setup_traps } from '../arch/x86/idt';
import { init_hypervisor_platform } from '../arch/x86/mshyperv';
import { get_smp_config } from '../arch/x86/mpparse';
import { init_IRQ } from '../arch/x86/irqinit';
import { hv_acpi_init } from '../drivers/hv/vmbus_drv';
import { xen_cpu_up_online } from '../arch/x86/xen/enlighten';
import { xen_hvm_guest_init } from '../arch/x86/xen/enlighten_hvm';
import { cpu_bringup_and_idle, xen_start_kernel } from '../arch/x86/xen/enlighten_pv';
import { boot_cpu_hotplug_init, bringup_nonboot_cpus, cpuhp_invoke_callback } from '../cpu';
import { amd_iommu_detect, amd_iommu_init } from '../drivers/iommu/amd/init';
import { parse_amd_iommu_intr, parse_amd_iommu_options, parse_ivrs_hpet, parse_ivrs_ioapic } from '../drivers/iommu/amd/options';
import { shpc_driver } from '../drivers/pci/hotplug/shpchp';
import { init_module } from '../drivers/modules';
import { is_port, pcie_portdriver } from '../drivers/pci/pcie/portdrv';
import { announce_cpu, arch_disable_smp_support, prefill_possible_map, start_secondary } from '../arch/x86/smpboot';
import { x86_late_time_init } from '../arch/x86/time';
import { init_cpu_to_node, numa_init_array } from '../arch/x86/mm/numa';
import { intel_iommu_init, intel_iommu_setup } from '../drivers/iommu/intel/iommu';
import { ir_dev_scope_init } from '../drivers/iommu/intel/irq_remapping';
import { setup_irqremap } from '../drivers/iommu/irq_remapping';
import { pci_setup } from '../drivers/pci/pci';
import { pcifront_xenbus_probe } from '../drivers/pci/xen-pcifront';
import { xenbus_init } from '../drivers/xen/xenbus';
import { CPUHP } from '../include/cpuhotplug';
import { xen_domain } from '../include/xen';
import { pci_scan_root_bus } from '../drivers/pci/probe';
import { pci_apply_final_quirks } from '../drivers/pci/quirks';
import { __pci_register_driver } from '../drivers/pci/register';
import { serial8250_startup } from '../drivers/serial8250';
import { IRQ_HANDLED, IRQF_SHARED } from '../include/interrupt';
import { numa_add_cpu } from '../include/topology';
import { early_irq_init, irq_affinity_setup } from '../irq/irqdesc';
import { free_irq, request_irq } from '../irq/manage';
import { init_irq_proc } from '../irq/proc';
import { irqfixup_setup, irqpoll_setup, noirqdebug_setup } from '../irq/spurious';
import { local_irq_restore } from '../lib/locking';
import { pr_err } from '../lib/printk';
import { housekeeping_isolcpus_setup } from '../sched/isolation';
import { smp_init_begin, smp_init_end } from '../smp';
import { has, kernel, machine, type World } from '../world';

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
  ...nonboot_cpus(world).flatMap(cpu => (world.machine.xen ? boot_xen_cpu(world.machine.xen.pv, cpu) : [
    { name: 'init', cpu: 0, run: () => announce_cpu(cpu) },
    { name: `swapper/${cpu}`, cpu, run: start_secondary },
  ])),
  { name: 'init', cpu: 0, run: kernel_init },
];

/** A CPU of a Xen guest has interrupts of its own to get. @param pv nobody announces it */
const boot_xen_cpu = (pv: boolean, cpu: number): boot_step[] => [
  { name: 'init', cpu: 0, run: () => bringup_xen_cpu(cpu, !pv) },
  { name: `swapper/${cpu}`, cpu, run: pv ? cpu_bringup_and_idle : start_secondary },
  { name: `cpuhp/${cpu}`, cpu, run: () => xen_cpu_online(cpu) },
];

/** The states in which Xen's code has something to do, as far as cpu_up() would run them on the boot CPU. */
function* bringup_xen_cpu(cpu: number, announced: boolean): Op {
  yield* cpuhp_invoke_callback(cpu, CPUHP.XEN_PREPARE, true);
  yield* cpuhp_invoke_callback(cpu, CPUHP.XEN_EVTCHN_PREPARE, true);
  if (announced) yield* announce_cpu(cpu);
}

/** The same in cpuhp/N. */
function* xen_cpu_online(cpu: number): Op {
  yield* xen_cpu_up_online(cpu);
}

const NO_APIC: readonly string[] = ['nolapic', 'disableapic'];

/** Present CPUs are started in order while fewer than maxcpus= are up; none without local APICs. Source: kernel/cpu.c, bringup_nonboot_cpus() */
function nonboot_cpus({ kernel: { config }, machine }: World): number[] {
  const limit = config.cmdline.some(word => NO_APIC.includes(word)) ? 0 : max_cpus(config.cmdline);
  return machine.cpus.flatMap(({ present = true }, cpu) => (cpu > 0 && present ? cpu : [])).slice(0, Math.max(0, limit - 1));
}

const max_cpus = (cmdline: readonly string[]): number => cmdline.map(maxcpus).filter(n => n !== undefined).at(-1) ?? Infinity;

/** How many CPUs a kernel has places for: only the one that boots with nosmp or maxcpus=0. Source: arch/x86/kernel/smpboot.c, prefill_possible_map() */
export const nr_possible_cpus = (cpus: number, cmdline: readonly string[]): number => (max_cpus(cmdline) === 0 ? 1 : cpus);

/** What a word of the command line says about setup_max_cpus, or undefined. Source: kernel/smp.c, nosmp(), maxcpus() */
function maxcpus(word: string): number | undefined {
  if (word === 'nosmp') return 0;
  const limit = /^maxcpus=(\d+)/.exec(word);
  return limit ? Number(limit[1]) : undefined;
}

/** The boot CPU, until it can start the others. Source: init/main.c, start_kernel() */
function* start_kernel(): Op {
  const cpu = kernel.this_cpu;
  kernel.cpus[cpu].irqs_enabled = false;
  kernel.cpu_online_mask.set(cpu);

  yield* setup_arch();
  yield* boot_cpu_hotplug_init();
  yield* parse_args();
  yield* amd_iommu_detect();
  yield* early_irq_init();
  yield* init_IRQ();
  yield* local_irq_restore(true);
  yield* x86_late_time_init();

  // identify_boot_cpu(): only now the CPU's node has a CPU.
  numa_add_cpu(cpu);
  yield* kernel.smp_ops.smp_prepare_cpus();
  yield* smp_init_begin();
}

/** Source: arch/x86/kernel/setup.c, setup_arch() */
function* setup_arch(): Op {
  if (machine.xen) yield* begin_as_xen_guest(machine.xen.pv);
  yield* idt_setup_traps();
  yield* parse_early_param();
  yield* init_hypervisor_platform();
  yield* check_x2apic();
  yield* numa_init_array();
  yield* early_acpi_boot_init();
  yield* acpi_boot_init();
  yield* get_smp_config();
  yield* prefill_possible_map();
  yield* init_cpu_to_node();
  yield* io_apic_init_mappings();
}

/** A PV guest has begun with it; others find out that they are guests. Source: arch/x86/kernel/cpu/hypervisor.c, init_hypervisor_platform() */
function* begin_as_xen_guest(pv: boolean): Op {
  if (pv) yield* xen_start_kernel();
  else yield* xen_hvm_guest_init();
}

/** What of the command line concerns interrupts. Source: init/main.c, parse_early_param() */
function* parse_early_param(): Op {
  for (const word of kernel.config.cmdline) {
    const [name, value = ''] = word.split('=', 2);
    if (name === 'noapic') yield* disable_ioapic_support();
    else if (NO_APIC.includes(name)) kernel.disable_apic = true;
    else if (name === 'nosmp' || name === 'maxcpus') yield* set_max_cpus(word);
    else if (name === 'pci') yield* pci_setup(value);
    else if (name === 'apic') kernel.apic_verbosity = value === 'debug' ? APIC_DEBUG : value === 'verbose' ? APIC_VERBOSE : kernel.apic_verbosity;
    else if (name === 'x2apic_phys') kernel.x2apic_phys = true;
    else if (name === 'nointremap') kernel.disable_irq_remap = true;
    else if (name === 'intremap') yield* setup_irqremap(value);
    else if (name === 'amd_iommu') yield* parse_amd_iommu_options(value);
    else if (name === 'amd_iommu_intr') yield* parse_amd_iommu_intr(value);
    else if (name.startsWith('ivrs_ioapic')) yield* parse_ivrs_ioapic(word.slice('ivrs_ioapic'.length));
    else if (name.startsWith('ivrs_hpet')) yield* parse_ivrs_hpet(word.slice('ivrs_hpet'.length));
  }
}

/** Source: kernel/smp.c, nosmp(), maxcpus() */
function* set_max_cpus(word: string): Op {
  kernel.setup_max_cpus = maxcpus(word) ?? kernel.setup_max_cpus;
  if (kernel.setup_max_cpus === 0) yield* arch_disable_smp_support();
}

/** What is parsed when the CPUs are known: `__setup()`. Source: kernel/params.c, parse_args() */
function* parse_args(): Op {
  for (const word of kernel.config.cmdline) {
    const [name, value = ''] = word.split('=', 2);
    if (name === 'irqaffinity') yield* irq_affinity_setup(value);
    else if (name === 'noirqdebug') yield* noirqdebug_setup();
    else if (name === 'irqfixup') yield* irqfixup_setup();
    else if (name === 'irqpoll') yield* irqpoll_setup();
    else if (name === 'hpet') yield* hpet_setup(value);
    else if (name === 'nohpet') yield* hpet_setup('disable');
    else if (name === 'isolcpus') yield* housekeeping_isolcpus_setup(value);
    else if (name === 'intel_iommu') yield* intel_iommu_setup(value);
  }
}

/** /proc/irq, then initcalls in the order of their levels. Source: init/main.c, kernel_init(), do_basic_setup() */
function* kernel_init(): Op {
  yield* bringup_nonboot_cpus();
  yield* smp_init_end();
  yield* init_irq_proc();
  yield* pci_arch_init();
  yield* acpi_enable();
  yield* pci_scan_root_bus();
  yield* acpi_processor_init();
  yield* hv_acpi_init();
  yield* hpet_late_init();
  yield* pci_apply_final_quirks();
  yield* intel_iommu_init();
  yield* ir_dev_scope_init();
  yield* amd_iommu_init();
  yield* device_initcalls();
  yield* late_initcalls();
  if (there('serial')) yield* console_open();
  kernel.system_state = 'running';
}

/** Source: arch/x86/pci/init.c, pci_arch_init() */
function* pci_arch_init(): Op {
  const late = has('pci-msi-domain-after-arch-init');
  if (has('v2-22') && !late) yield* x86_create_pci_msi_domain();

  if (kernel.x86_init.pci_arch_init) yield* kernel.x86_init.pci_arch_init();

  if (has('v2-22') && late) yield* x86_create_pci_msi_domain();
}

/** A handler of a device that the model has not: it has nothing to do. */
function* idle_handler(irq: number, dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** ACPI's own interrupt. Source: drivers/acpi/osl.c, acpi_os_install_interrupt_handler() */
function* acpi_enable(): Op {
  if (kernel.acpi_disabled) return;
  const gsi = kernel.acpi_ioapic ? kernel.isa_irq_to_gsi[SCI_INTERRUPT] : SCI_INTERRUPT;
  const irq = yield* acpi_gsi_to_irq(gsi);
  if (irq < 0) {
    pr_err(`ACPI: SCI (ACPI GSI ${gsi}) not registered`);
    return;
  }
  yield* request_irq(irq, idle_handler, IRQF_SHARED, 'acpi', 'acpi');
}

/** i8042 tries whether the mouse's interrupt arrives before it takes it. Source: drivers/input/serio/i8042.c, i8042_probe() */
function* i8042_probe(): Op {
  yield* request_irq(12, idle_handler, IRQF_SHARED, 'i8042', 'i8042_aux_test');
  yield* free_irq(12, 'i8042_aux_test');
  yield* request_irq(12, idle_handler, IRQF_SHARED, 'i8042', 'i8042');
  yield* request_irq(1, idle_handler, IRQF_SHARED, 'i8042', 'i8042');
}

/** Source: drivers/rtc/rtc-cmos.c, cmos_do_probe() */
function* cmos_do_probe(): Op {
  yield* request_irq(8, idle_handler, 0, 'rtc0', 'rtc0');
}

/** The first serial port is opened for the console. */
function* console_open(): Op {
  yield* serial8250_startup(0);
}

const there = (device: IsaDevice): boolean => (machine.config.isaDevices ?? PC_ISA_DEVICES).includes(device);

const ISA_IRQS: Record<IsaDevice, readonly number[]> = { i8042: [1, 12], rtc: [8], serial: [4] };

/** ACPI's tables name the lines of old devices, which are registered: it shows only where Xen makes other interrupts of them. Source: drivers/acpi/resource.c, acpi_dev_get_irqresource() */
function* pnpacpi_init(): Op {
  for (const [device, irqs] of Object.entries(ISA_IRQS) as [IsaDevice, readonly number[]][]) {
    if (there(device)) for (const irq of irqs) yield* acpi_register_gsi(null, kernel.isa_irq_to_gsi[irq], ACPI_EDGE_SENSITIVE, ACPI_ACTIVE_HIGH);
  }
}

/** Drivers of ports and of the old devices, in the order of their probes, where the machine has the device. */
function* device_initcalls(): Op {
  if (xen_domain()) yield* xenbus_init();
  if (xen_domain() && !kernel.acpi_disabled) yield* pnpacpi_init();
  yield* __pci_register_driver(pcie_portdriver, is_port);
  yield* __pci_register_driver(shpc_driver, is_port);
  if (kernel.config.config.has('VIRTIO_PCI')) yield* init_module('virtio_pci');
  if (there('i8042')) yield* i8042_probe();
  if (there('rtc')) yield* cmos_do_probe();
  if (machine.pciback) yield* pcifront_xenbus_probe();
}

/** In the order in which they are linked. */
function* late_initcalls(): Op {
  yield* print_ipi_mode();
  yield* print_ICs();
}
