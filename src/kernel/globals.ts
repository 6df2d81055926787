import { apic_globals } from './arch/x86/apic/apic';
import { io_apic_globals } from './arch/x86/apic/io_apic';
import { x86_msi_globals } from './arch/x86/apic/msi';
import { hpet_msi_globals } from './arch/x86/apic/msi_hpet';
import { vector_globals } from './arch/x86/apic/vector';
import { hpet_globals } from './arch/x86/hpet';
import { irq_globals } from './arch/x86/irq';
import { smpboot_globals } from './arch/x86/smpboot';
import { hv_init_globals } from './arch/x86/hyperv/hv_init';
import { mshyperv_globals } from './arch/x86/mshyperv';
import { kvm_globals } from './arch/x86/kvm/posted_intr';
import { xen_initdom_globals } from './arch/x86/pci/xen_initdom';
import { xen_msi_globals } from './arch/x86/pci/xen_msi';
import { xen_smp_globals } from './arch/x86/xen/smp';
import { uv_irq_globals } from './arch/x86/platform/uv/uv_irq';
import { x86_init_globals } from './arch/x86/x86_init';
import { vmbus_globals } from './drivers/hv/vmbus_drv';
import { hyperv_iommu_globals } from './drivers/iommu/hyperv-iommu';
import { amd_iommu_globals } from './drivers/iommu/amd/iommu';
import type { ChangeId } from './changes';
import { cpu_globals } from './cpu';
import { intel_iommu_globals } from './drivers/iommu/intel/iommu';
import { intel_irq_remapping_globals } from './drivers/iommu/intel/irq_remapping';
import { irq_remapping_globals } from './drivers/iommu/irq_remapping';
import { platform_msi_globals } from './drivers/base/platform-msi';
import { ims_device_globals } from './drivers/misc/ims_device';
import { modules_globals } from './drivers/modules';
import { virtio_net_globals } from './drivers/virtio/net';
import { pci_hyperv_globals } from './drivers/pci/controller/pci-hyperv_msi';
import { vmd_globals } from './drivers/pci/controller/vmd_msi';
import { pci_globals } from './drivers/pci/probe';
import { xen_pcifront_globals } from './drivers/pci/xen-pcifront';
import { events_2l_globals } from './drivers/xen/events/events_2l';
import { xen_chip_globals } from './drivers/xen/events/events_chip';
import { events_fifo_globals } from './drivers/xen/events/events_fifo';
import { events_lateeoi_globals } from './drivers/xen/events/events_lateeoi';
import { xen_events_globals } from './drivers/xen/events/irq_info';
import { xen_pciback_globals } from './drivers/xen/xen-pciback/pciback';
import { xenbus_globals } from './drivers/xen/xenbus';
import { xen_enlighten_globals } from './include/xen';
import { irqdesc_globals } from './irq/irqdesc';
import { irqdomain_globals } from './irq/irqdomain';
import { manage_globals } from './irq/manage';
import { proc_globals } from './irq/proc';
import { resend_globals } from './irq/resend';
import { spurious_globals } from './irq/spurious';
import { cpumask } from './lib/cpumask';
import type { bound_limit } from './lib/limit';
import type { LogLine } from './lib/printk';
import { slab_globals } from './lib/slab';
import { tasklet_globals } from './lib/tasklet';
import { isolation_globals } from './sched/isolation';
import { smp_globals } from './smp';
import { clockevents_globals } from './time/clockevents';
import { timer_globals } from './time/timer';
import type { TraceEvent } from './trace/trace';

/** What the kernel keeps for each CPU besides the per-CPU variables of single files. */
export class CpuState {
  irqs_enabled = true;
  /** nesting of hard interrupts */
  hardirq_count = 0;
}

/** What the kernel was built with and booted with; numbers follow from it by rule. */
export interface KernelConfig {
  /** Kconfig symbols that show, without CONFIG_: IA32_EMULATION, AMD_MEM_ENCRYPT, HAVE_KVM, X86_MCE_AMD ..., and NR_CPUS=64 for other than 8192 */
  readonly config: ReadonlySet<string>;
  /** the kernel's command line, split */
  readonly cmdline: readonly string[];
}

/**
 * The kernel's globals, flat and under their C names; a file's own (C: static) ones are made by its `*_globals()`.
 * @param nr_cpu_ids possible CPUs
 * @param changes what the kernel chosen contains: declarations differ by it
 */
export function make_kernel(nr_cpu_ids: number, config: KernelConfig, changes: ReadonlySet<ChangeId>) {
  return {
    config,
    nr_cpu_ids,
    this_cpu: 0,
    cpus: Array.from({ length: nr_cpu_ids }, () => new CpuState()),
    cpu_possible_mask: new cpumask(nr_cpu_ids),
    cpu_present_mask: new cpumask(nr_cpu_ids),
    cpu_online_mask: new cpumask(nr_cpu_ids),
    /** NUMA node of each CPU */
    cpu_to_node: new Array<number>(nr_cpu_ids).fill(0),
    /** CPUs of a node that have come up; include/topology.ts reads it */
    node_to_cpumask_map: new Map<number, cpumask>(),
    /** SMT siblings of each CPU that has come up, itself included */
    cpu_sibling_map: Array.from({ length: nr_cpu_ids }, () => new cpumask(nr_cpu_ids)),
    cpu_sibling_setup_mask: new cpumask(nr_cpu_ids),
    log: [] as LogLine[],
    trace: [] as TraceEvent[],
    /** what ran out, in order */
    limits: [] as bound_limit[],
    /** places that warned once already */
    once: new Set<string>(),
    ...slab_globals(),
    ...tasklet_globals(),
    ...cpu_globals(nr_cpu_ids),
    ...smp_globals(nr_cpu_ids),
    ...smpboot_globals(),
    ...irqdesc_globals(nr_cpu_ids, config),
    ...irqdomain_globals(),
    ...manage_globals(),
    ...proc_globals(),
    ...resend_globals(),
    ...spurious_globals(),
    ...isolation_globals(),
    ...irq_globals(nr_cpu_ids),
    ...apic_globals(changes),
    ...x86_init_globals(changes),
    ...vector_globals(nr_cpu_ids, changes),
    ...io_apic_globals(changes),
    ...x86_msi_globals(changes),
    ...clockevents_globals(nr_cpu_ids),
    ...timer_globals(nr_cpu_ids),
    ...hpet_globals(nr_cpu_ids),
    ...hpet_msi_globals(changes),
    ...irq_remapping_globals(),
    ...intel_irq_remapping_globals(),
    ...intel_iommu_globals(),
    ...amd_iommu_globals(),
    ...kvm_globals(),
    ...uv_irq_globals(),
    ...platform_msi_globals(),
    ...ims_device_globals(),
    ...mshyperv_globals(),
    ...hv_init_globals(),
    ...hyperv_iommu_globals(nr_cpu_ids),
    ...vmbus_globals(),
    ...pci_globals(),
    ...vmd_globals(),
    ...pci_hyperv_globals(changes),
    ...modules_globals(),
    ...virtio_net_globals(),
    ...xen_enlighten_globals(),
    ...xen_smp_globals(nr_cpu_ids),
    ...xen_events_globals(nr_cpu_ids),
    ...xen_chip_globals(),
    ...events_2l_globals(nr_cpu_ids),
    ...events_fifo_globals(nr_cpu_ids),
    ...xen_initdom_globals(),
    ...xen_msi_globals(changes),
    ...events_lateeoi_globals(nr_cpu_ids),
    ...xen_pciback_globals(),
    ...xenbus_globals(),
    ...xen_pcifront_globals(),
  };
}

export type Kernel = ReturnType<typeof make_kernel>;
