import type { Op } from '../../../../stepper/op';
import { xen_setup_callback_vector } from '../../../drivers/xen/events/events_base';
import { kernel } from '../../../world';
import { xen_vcpu_info_reset, xen_vcpu_setup } from './enlighten';

// A guest that was saved has been built anew: arch/x86/xen/suspend.c and suspend_hvm.c, and of enlighten.c what they call.

/** Until it comes back, a CPU that is offline has the one of the shared page. Source: arch/x86/xen/enlighten.c, xen_vcpu_setup_restore() */
function* xen_vcpu_setup_restore(cpu: number): Op<number> {
  yield* xen_vcpu_info_reset(cpu);
  return kernel.cpu_online_mask.test(cpu) ? yield* xen_vcpu_setup(cpu) : 0;
}

/** The others stand still meanwhile. Source: arch/x86/xen/enlighten.c, xen_vcpu_restore() */
function* xen_vcpu_restore(): Op {
  for (const cpu of kernel.cpu_possible_mask) yield* xen_vcpu_setup_restore(cpu);
}

/** Source: arch/x86/xen/suspend_hvm.c, xen_hvm_post_suspend() */
function* xen_hvm_post_suspend(suspend_cancelled: number): Op {
  if (!suspend_cancelled) yield* xen_vcpu_restore();
  yield* xen_setup_callback_vector();
}

/** Source: arch/x86/xen/suspend.c, xen_arch_post_suspend() */
export function* xen_arch_post_suspend(cancelled: number): Op {
  yield* xen_hvm_post_suspend(cancelled);
}
