import type { Op } from '../../../stepper/op';
import { HYPERVISOR_suspend } from '../../arch/x86/xen/hypercall';
import { xen_arch_post_suspend } from '../../arch/x86/xen/suspend';
import { irq_pm_syscore_resume, resume_device_irqs, suspend_device_irqs } from '../../irq/pm';
import { cpumask } from '../../lib/cpumask';
import { BUG_ON } from '../../lib/printk';
import { stop_machine_cpuslocked } from '../../stop_machine';
import { kernel } from '../../world';
import { pci_restore_state, pci_save_state } from '../pci/pci-pm';
import { xen_irq_resume } from './events/events_resume';
import { xs_resume } from './xenbus';

// The toolstack wants to save the guest, to restore it here or elsewhere: drivers/xen/manage.c.

interface suspend_info {
  cancelled: number;
}

/** All CPUs but this one stand still. When HYPERVISOR_suspend() returns, the guest is another one. Source: drivers/xen/manage.c, xen_suspend() */
function* xen_suspend(si: suspend_info): Op<number> {
  BUG_ON(kernel.cpus[kernel.this_cpu].irqs_enabled, 'drivers/xen/manage.c xen_suspend');

  si.cancelled = HYPERVISOR_suspend();

  yield* xen_arch_post_suspend(si.cancelled);
  if (!si.cancelled) yield* xen_irq_resume();

  yield* irq_pm_syscore_resume(); // of syscore_resume()
  return 0;
}

/** With what dpm_suspend_end() and dpm_resume_start() do about interrupts. @returns 0 or an errno. Source: drivers/xen/manage.c, do_suspend() */
export function* do_suspend(): Op<number> {
  const si: suspend_info = { cancelled: 1 };

  yield* suspend_device_irqs();
  for (const dev of kernel.pci_devices) yield* pci_save_state(dev);

  const err = yield* stop_machine_cpuslocked(() => xen_suspend(si), cpumask.of(kernel.nr_cpu_ids, 0));

  for (const dev of kernel.pci_devices) yield* pci_restore_state(dev);
  yield* resume_device_irqs();

  if (!si.cancelled) yield* xs_resume();
  return err;
}
