import { PAGE_SIZE, VCPU_INFO } from '../../../../hardware/xen/interface';
import type { Op } from '../../../../stepper/op';
import { cpuhp_store_callbacks } from '../../../cpuhp';
import { CPUHP, type cpuhp_callback } from '../../../include/cpuhotplug';
import { xen_hvm_domain } from '../../../include/xen';
import { kernel, machine } from '../../../world';
import { HYPERVISOR_vcpu_op } from './hypercall';
import { xen_init_lock_cpu } from './spinlock';

// What guests of all kinds do: arch/x86/xen/enlighten.c.

/** Source: arch/x86/xen/enlighten.c, xen_cpu_up_online() */
export function* xen_cpu_up_online(cpu: number): Op<number> {
  yield* xen_init_lock_cpu(cpu);
  return 0;
}

/** Source: arch/x86/xen/enlighten.c, xen_cpuhp_setup() */
export function* xen_cpuhp_setup(startup: cpuhp_callback, teardown: cpuhp_callback): Op {
  yield* cpuhp_store_callbacks(CPUHP.XEN_PREPARE, { name: 'x86/xen/guest:prepare', startup, teardown });
  yield* cpuhp_store_callbacks(CPUHP.AP_ONLINE_DYN, { name: 'x86/xen/guest:online', startup: xen_cpu_up_online });
}

/** Until it has another one, a CPU's vcpu_info is that of the shared page. Source: arch/x86/xen/enlighten.c, xen_vcpu_info_reset() */
export function* xen_vcpu_info_reset(cpu: number): Op {
  kernel.xen_vcpu[cpu] = machine.xen!.vcpus.sharedInfo + cpu * VCPU_INFO.size;
}

/** A vcpu_info of the CPU's own memory; Xen takes one only once. Source: arch/x86/xen/enlighten.c, xen_vcpu_setup() */
export function* xen_vcpu_setup(cpu: number): Op<number> {
  const vcpup = kernel.xen_vcpu_info.get(cpu) ?? machine.memory.alloc(VCPU_INFO.size, VCPU_INFO.size);
  if (xen_hvm_domain() && kernel.xen_vcpu[cpu] === vcpup) return 0;

  const offset = vcpup % PAGE_SIZE;
  const err = HYPERVISOR_vcpu_op(cpu, { mfn: (vcpup - offset) / PAGE_SIZE, offset });
  if (err) {
    yield* xen_vcpu_info_reset(cpu);
    return 0;
  }
  kernel.xen_vcpu_info.set(cpu, vcpup);
  kernel.xen_vcpu[cpu] = vcpup;
  return 0;
}
