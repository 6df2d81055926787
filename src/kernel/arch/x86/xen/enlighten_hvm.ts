import { XENFEAT } from '../../../../hardware/xen/interface';
import type { Op } from '../../../../stepper/op';
import { xen_feature } from '../../../include/xen';
import { pr_info, printk, WARN } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { xen_hvm_evtchn_do_upcall, xen_init_IRQ } from '../../../drivers/xen/events/events_base';
import { this_irq_stat } from '../irq';
import { native_smp_prepare_cpus } from '../smpboot';
import { xen_cpuhp_setup, xen_vcpu_info_reset, xen_vcpu_setup } from './enlighten';
import { xen_setup_timer, xen_smp_intr_free, xen_smp_intr_init, xen_smp_send_call_function_single_ipi, xen_teardown_timer, xen_time_init } from './smp';
import { xen_init_lock_cpu, xen_init_spinlocks, xen_uninit_lock_cpu } from './spinlock';

// Guests that have a machine of their own, HVM and PVH: arch/x86/xen/enlighten_hvm.c and smp_hvm.c.

/** Source: arch/x86/xen/enlighten_hvm.c, init_hvm_pv_info() */
function* init_hvm_pv_info(): Op {
  const { guest } = machine.config.xen!;
  printk('info', 'Xen version 4.14.');
  kernel.xen_domain_type = 'XEN_HVM_DOMAIN';
  kernel.xen_pvh = guest === 'pvh-dom0';
  kernel.xen_initdomain = guest === 'pvh-dom0';
}

/** Events have come for this virtual CPU. No local APIC knows of it. Source: arch/x86/xen/enlighten_hvm.c, sysvec_xen_hvm_callback() */
export function* sysvec_xen_hvm_callback(): Op {
  this_irq_stat().irq_hv_callback_count++;
  yield* xen_hvm_evtchn_do_upcall();
}

const has_pv_timer = (): boolean => kernel.xen_have_vector_callback && xen_feature(XENFEAT.hvm_safe_pvclock);

/** Source: arch/x86/xen/enlighten_hvm.c, xen_cpu_up_prepare_hvm() */
function* xen_cpu_up_prepare_hvm(cpu: number): Op<number> {
  let rc = yield* xen_vcpu_setup(cpu);
  if (rc) return rc;

  if (has_pv_timer()) yield* xen_setup_timer(cpu);

  rc = yield* xen_smp_intr_init(cpu);
  WARN(rc !== 0, `xen_smp_intr_init() for CPU ${cpu} failed: ${rc}`, 'arch/x86/xen/enlighten_hvm.c xen_cpu_up_prepare_hvm');
  return rc;
}

/** Source: arch/x86/xen/enlighten_hvm.c, xen_cpu_dead_hvm() */
function* xen_cpu_dead_hvm(cpu: number): Op<number> {
  yield* xen_smp_intr_free(cpu);
  if (has_pv_timer()) yield* xen_teardown_timer(cpu);
  return 0;
}

/** Source: arch/x86/xen/enlighten_hvm.c, xen_hvm_guest_init() */
export function* xen_hvm_guest_init(): Op {
  yield* init_hvm_pv_info();
  yield* xen_vcpu_info_reset(0);

  if (xen_feature(XENFEAT.hvm_callback_vector)) kernel.xen_have_vector_callback = true;

  yield* xen_hvm_smp_init();
  yield* xen_cpuhp_setup(xen_cpu_up_prepare_hvm, xen_cpu_dead_hvm);
  kernel.x86_init.intr_init = xen_init_IRQ;
  yield* xen_hvm_init_time_ops();
}

/** Source: arch/x86/xen/time.c, xen_hvm_init_time_ops() */
function* xen_hvm_init_time_ops(): Op {
  if (!kernel.xen_have_vector_callback) return;
  if (!xen_feature(XENFEAT.hvm_safe_pvclock)) {
    pr_info("Xen doesn't support pvclock on HVM, disable pv timer");
    return;
  }
  kernel.x86_init.setup_percpu_clockev = xen_time_init;
}

/** Source: arch/x86/xen/smp_hvm.c, xen_hvm_smp_init() */
function* xen_hvm_smp_init(): Op {
  if (!kernel.xen_have_vector_callback) return;
  Object.assign(kernel.smp_ops, {
    smp_prepare_cpus: xen_hvm_smp_prepare_cpus,
    send_call_func_single_ipi: xen_smp_send_call_function_single_ipi,
    cpu_die: xen_hvm_cpu_die,
  });
}

/** With what comes just before: xen_hvm_smp_prepare_boot_cpu(). Source: arch/x86/xen/smp_hvm.c, xen_hvm_smp_prepare_cpus() */
function* xen_hvm_smp_prepare_cpus(): Op {
  yield* xen_vcpu_setup(0);
  yield* xen_init_spinlocks();

  yield* native_smp_prepare_cpus();
  yield* xen_smp_intr_init(0);
  yield* xen_init_lock_cpu(0);
}

/** Source: arch/x86/xen/smp_hvm.c, xen_hvm_cpu_die() */
function* xen_hvm_cpu_die(cpu: number): Op {
  yield* xen_smp_intr_free(cpu);
  yield* xen_uninit_lock_cpu(cpu);
  yield* xen_teardown_timer(cpu);
}

