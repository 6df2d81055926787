import type { Op } from '../../../../stepper/op';
import { HVM_CALLBACK_VECTOR, PAGE_SIZE, PHYSDEVOP, VCPU_INFO, XENFEAT } from '../../../../hardware/xen/interface';
import { HYPERVISOR_CALLBACK_VECTOR } from '../../../arch/x86/hw_irq';
import { alloc_intr_gate } from '../../../arch/x86/idt';
import { native_init_IRQ } from '../../../arch/x86/irqinit';
import { pci_xen_hvm_init, pci_xen_initial_domain } from '../../../arch/x86/pci/xen';
import { sysvec_xen_hvm_callback } from '../../../arch/x86/xen/enlighten_hvm';
import { HYPERVISOR_hvm_op, HYPERVISOR_physdev_op } from '../../../arch/x86/xen/hypercall';
import { cpuhp_store_callbacks } from '../../../cpuhp';
import { CPUHP } from '../../../include/cpuhotplug';
import { xen_feature, xen_hvm_domain, xen_initial_domain, xen_pv_domain } from '../../../include/xen';
import { generic_handle_irq } from '../../../irq/irqdesc';
import { down_read, up_read } from '../../../lib/locking';
import { BUG_ON, pr_err, pr_info } from '../../../lib/printk';
import { has, kernel, machine } from '../../../world';
import { evtchn_ops_2l, xen_evtchn_2l_init } from './events_2l';
import { mask_evtchn, xen_evtchn_handle_events, xen_evtchn_nr_channels } from './events_internal';
import { xen_evtchn_fifo_init } from './events_fifo';
import { get_evtchn_to_irq, pirq_from_irq } from './irq_info';

// Events arrive, and how it begins: this part of drivers/xen/events/events_base.c.

/** Source: drivers/xen/events/events_base.c, handle_irq_for_port() */
export function* handle_irq_for_port(port: number): Op {
  const irq = get_evtchn_to_irq(port);
  if (irq !== -1) yield* generic_handle_irq(irq);
}

/** All events of this CPU, until none has come meanwhile. Source: drivers/xen/events/events_base.c, __xen_evtchn_do_upcall() */
function* __xen_evtchn_do_upcall(): Op {
  const cpu = kernel.this_cpu;
  const upcall_pending = kernel.xen_vcpu[cpu] + VCPU_INFO.evtchn_upcall_pending;

  if (has('xen-evtchn-rwlock')) yield* down_read(kernel.evtchn_rwlock);
  do {
    machine.memory.write32(upcall_pending, machine.memory.read32(upcall_pending) & ~0xff);

    yield* xen_evtchn_handle_events(cpu);

    BUG_ON(kernel.cpus[cpu].irqs_enabled, 'drivers/xen/events/events_base.c __xen_evtchn_do_upcall');
  } while (machine.memory.read32(upcall_pending) & 0xff);
  if (has('xen-evtchn-rwlock')) yield* up_read(kernel.evtchn_rwlock);
}

/** Where Xen calls a PV guest. Source: drivers/xen/events/events_base.c, xen_evtchn_do_upcall() */
export function* xen_evtchn_do_upcall(): Op {
  yield* __xen_evtchn_do_upcall();
}

/** Source: drivers/xen/events/events_base.c, xen_hvm_evtchn_do_upcall() */
export function* xen_hvm_evtchn_do_upcall(): Op {
  yield* __xen_evtchn_do_upcall();
}

/** Source: drivers/xen/events/events_base.c, xen_setup_callback_vector() */
export function* xen_setup_callback_vector(): Op {
  if (!kernel.xen_have_vector_callback) return;
  if (HYPERVISOR_hvm_op(HVM_CALLBACK_VECTOR(HYPERVISOR_CALLBACK_VECTOR)) === 0) return;
  pr_err('xen:events: Request for Xen HVM callback vector failed');
  kernel.xen_have_vector_callback = false;
}

/** Source: drivers/xen/events/events_base.c, xen_alloc_callback_vector() */
function* xen_alloc_callback_vector(): Op {
  if (!kernel.xen_have_vector_callback) return;
  pr_info('xen:events: Xen HVM callback vector for event delivery is enabled');
  yield* alloc_intr_gate(HYPERVISOR_CALLBACK_VECTOR, { name: 'sysvec_xen_hvm_callback', entry: sysvec_xen_hvm_callback });
}

/** Whether Xen waits for the interrupt's end, as a bit in shared memory says. Source: drivers/xen/events/events_base.c, pirq_check_eoi_map() */
function pirq_check_eoi_map(irq: number): boolean {
  const pirq = pirq_from_irq(irq);
  return ((machine.memory.read32(kernel.pirq_eoi_map + (pirq >>> 5) * 4) >>> (pirq & 31)) & 1) === 1;
}

/** Source: drivers/xen/events/events_base.c, xen_evtchn_cpu_prepare() */
function* xen_evtchn_cpu_prepare(cpu: number): Op<number> {
  const { percpu_init } = kernel.evtchn_ops!;
  return percpu_init ? yield* percpu_init(cpu) : 0;
}

/** Source: drivers/xen/events/events_base.c, xen_evtchn_cpu_dead() */
function* xen_evtchn_cpu_dead(cpu: number): Op<number> {
  const { percpu_deinit } = kernel.evtchn_ops!;
  return percpu_deinit ? yield* percpu_deinit(cpu) : 0;
}

/** xen.fifo_events= of the command line. */
const fifo_events_wanted = (): boolean => !kernel.config.cmdline.some(word => /^xen\.fifo_events=[0nN]/.test(word));

/** Instead of native_init_IRQ(), or around it. Source: drivers/xen/events/events_base.c, xen_init_IRQ() */
export function* xen_init_IRQ(): Op {
  const fifo = fifo_events_wanted() && (yield* xen_evtchn_fifo_init()) === 0;
  if (!fifo) {
    yield* xen_evtchn_2l_init();
    kernel.xen_fifo_events = false;
  }
  yield* cpuhp_store_callbacks(CPUHP.XEN_EVTCHN_PREPARE, { name: 'xen/evtchn:prepare', startup: xen_evtchn_cpu_prepare, teardown: xen_evtchn_cpu_dead });

  // Nothing may come yet.
  if (kernel.evtchn_ops === evtchn_ops_2l) for (let evtchn = 0; evtchn < xen_evtchn_nr_channels(); evtchn++) yield* mask_evtchn(evtchn);

  if (xen_pv_domain() && xen_initial_domain()) yield* pci_xen_initial_domain();
  if (xen_feature(XENFEAT.hvm_callback_vector)) {
    yield* xen_setup_callback_vector();
    yield* xen_alloc_callback_vector();
  }

  if (xen_hvm_domain()) {
    yield* native_init_IRQ();
    yield* pci_xen_hvm_init();
  } else {
    yield* share_eoi_map();
  }
}

/** The part of xen_init_IRQ() that gives Xen a page for the pirqs that want to be ended. */
function* share_eoi_map(): Op {
  const page = machine.memory.alloc(PAGE_SIZE, PAGE_SIZE);
  if (HYPERVISOR_physdev_op(PHYSDEVOP.pirq_eoi_gmfn_v2, { gmfn: page / PAGE_SIZE }) !== 0) return;
  kernel.pirq_eoi_map = page;
  kernel.pirq_needs_eoi = pirq_check_eoi_map;
}
