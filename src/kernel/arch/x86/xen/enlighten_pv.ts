import type { Op } from '../../../../stepper/op';
import { xen_init_IRQ } from '../../../drivers/xen/events/events_base';
import { cpuhp_online_idle, notify_cpu_starting } from '../../../cpu';
import { numa_add_cpu } from '../../../include/topology';
import { EBUSY } from '../../../lib/errno';
import { cpu_relax_until, local_irq_restore } from '../../../lib/locking';
import { BUG_ON, pr_info } from '../../../lib/printk';
import { kernel, machine, spawn } from '../../../world';
import { null_legacy_pic } from '../i8259';
import { pci_xen_init } from '../pci/xen';
import { cpu_disable_common, set_cpu_sibling_map } from '../smpboot';
import { xen_cpuhp_setup, xen_vcpu_info_reset, xen_vcpu_setup } from './enlighten';
import {
  xen_setup_timer, xen_smp_intr_free, xen_smp_intr_init, xen_smp_intr_init_pv, xen_smp_send_call_function_single_ipi, xen_teardown_timer, xen_time_init,
} from './smp';
import { xen_init_lock_cpu, xen_init_spinlocks, xen_uninit_lock_cpu } from './spinlock';

// Guests without interrupt controllers: arch/x86/xen/enlighten_pv.c and smp_pv.c.

function* x86_init_noop(): Op {
  return;
}

/** Where a PV guest begins. Source: arch/x86/xen/enlighten_pv.c, xen_start_kernel() */
export function* xen_start_kernel(): Op {
  kernel.xen_domain_type = 'XEN_PV_DOMAIN';
  kernel.xen_initdomain = machine.config.xen!.guest === 'pv-dom0';

  yield* xen_vcpu_info_reset(0);
  // There is no 8259 pair to be found.
  kernel.legacy_pic = null_legacy_pic;
  Object.assign(kernel.x86_init, { intr_init: xen_init_IRQ, intr_mode_select: x86_init_noop, intr_mode_init: x86_init_noop, timer_init: xen_time_init });

  if (!kernel.xen_initdomain) {
    kernel.acpi_disabled = true;
    kernel.x86_init.pci_arch_init = pci_xen_init;
  }
  yield* xen_smp_init();
  yield* xen_cpuhp_setup(xen_cpu_up_prepare_pv, xen_cpu_dead_pv);
  pr_info('Booting paravirtualized kernel on Xen');
}

/** Source: arch/x86/xen/smp_pv.c, xen_smp_init() */
function* xen_smp_init(): Op {
  Object.assign(kernel.smp_ops, {
    smp_prepare_cpus: xen_pv_smp_prepare_cpus,
    cpu_up: xen_pv_cpu_up,
    cpu_disable: xen_pv_cpu_disable,
    cpu_die: xen_pv_cpu_die,
    send_call_func_single_ipi: xen_smp_send_call_function_single_ipi,
  });
  yield* xen_fill_possible_map();
}

/** Xen knows the virtual CPUs; dom0 has them from ACPI. Source: arch/x86/xen/smp_pv.c, xen_fill_possible_map() */
function* xen_fill_possible_map(): Op {
  if (kernel.xen_initdomain) return;
  for (const [cpu, { apicId }] of machine.cpus.entries()) {
    kernel.x86_cpu_to_apicid[cpu] = apicId;
    kernel.cpu_possible_mask.set(cpu);
    kernel.cpu_present_mask.set(cpu);
  }
}

/** With what comes just before: xen_pv_smp_prepare_boot_cpu(). Source: arch/x86/xen/smp_pv.c, xen_pv_smp_prepare_cpus() */
function* xen_pv_smp_prepare_cpus(): Op {
  for (const cpu of kernel.cpu_possible_mask) yield* xen_vcpu_setup(cpu);
  yield* xen_init_spinlocks();

  yield* xen_init_lock_cpu(0);
  yield* set_cpu_sibling_map(0);

  BUG_ON((yield* xen_smp_intr_init(0)) !== 0 || (yield* xen_smp_intr_init_pv(0)) !== 0, 'arch/x86/xen/smp_pv.c xen_pv_smp_prepare_cpus');
}

/** Source: arch/x86/xen/enlighten_pv.c, xen_cpu_up_prepare_pv() */
function* xen_cpu_up_prepare_pv(cpu: number): Op<number> {
  yield* xen_setup_timer(cpu);
  const rc = yield* xen_smp_intr_init(cpu);
  return rc || (yield* xen_smp_intr_init_pv(cpu));
}

/** Source: arch/x86/xen/enlighten_pv.c, xen_cpu_dead_pv() */
function* xen_cpu_dead_pv(cpu: number): Op<number> {
  yield* xen_smp_intr_free(cpu);
  yield* xen_teardown_timer(cpu);
  return 0;
}

/** Source: arch/x86/xen/smp_pv.c, xen_pv_cpu_up() */
function* xen_pv_cpu_up(cpu: number): Op<number> {
  spawn({ name: `swapper/${cpu}`, cpu, run: cpu_bringup_and_idle });
  yield* cpu_relax_until(`CPU ${cpu} online`, () => kernel.cpu_online_mask.test(cpu));
  return 0;
}

/** What a secondary virtual CPU runs first. Source: arch/x86/xen/smp_pv.c, cpu_bringup_and_idle() */
export function* cpu_bringup_and_idle(): Op {
  yield* cpu_bringup();
  yield* cpuhp_online_idle();
}

/** Source: arch/x86/xen/smp_pv.c, cpu_bringup() */
function* cpu_bringup(): Op {
  const cpu = kernel.this_cpu;
  kernel.cpus[cpu].irqs_enabled = false;

  yield* set_cpu_sibling_map(cpu);
  numa_add_cpu(cpu);
  yield* notify_cpu_starting(cpu);
  kernel.cpu_online_mask.set(cpu);
  yield* local_irq_restore(true);
}

/** The first one stays. Source: arch/x86/xen/smp_pv.c, xen_pv_cpu_disable() */
function* xen_pv_cpu_disable(): Op<number> {
  if (kernel.this_cpu === 0) return -EBUSY;
  yield* cpu_disable_common();
  return 0;
}

/** Source: arch/x86/xen/smp_pv.c, xen_pv_cpu_die() */
function* xen_pv_cpu_die(cpu: number): Op {
  yield* xen_smp_intr_free(cpu);
  yield* xen_uninit_lock_cpu(cpu);
  yield* xen_teardown_timer(cpu);
}
