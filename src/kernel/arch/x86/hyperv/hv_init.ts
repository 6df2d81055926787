import { encodeRetarget, type RetargetInterrupt } from '../../../../hardware/hyperv-hypercall';
import type { Op } from '../../../../stepper/op';
import type { cpumask } from '../../../lib/cpumask';
import { kernel, machine } from '../../../world';

// Hypercalls, and the numbers that the hypervisor has for CPUs: arch/x86/hyperv/hv_init.c, arch/x86/include/asm/mshyperv.h, include/asm-generic/mshyperv.h.

/** u64 of all ones: there is no hypercall page */
const U64_MAX = 0xffffffffffffffffn;
const BITS_PER_BANK = 64;

export const hv_init_globals = () => ({
  /** the page through which hypercalls go is set up */
  hv_hypercall_pg: false,
  /** the hypervisor's numbers of CPUs */
  hv_vp_index: [] as number[],
});

/** Source: arch/x86/hyperv/hv_init.c, hyperv_init() */
export function* hyperv_init(): Op {
  // hv_cpu_init() on each CPU reads HV_X64_MSR_VP_INDEX
  for (const cpu of kernel.cpu_possible_mask) kernel.hv_vp_index[cpu] = cpu;
  kernel.hv_hypercall_pg = true;
}

/** Source: include/asm-generic/mshyperv.h, hv_cpu_number_to_vp_number() */
export const hv_cpu_number_to_vp_number = (cpu_number: number): number => kernel.hv_vp_index[cpu_number];

/** The banks that hold the CPUs; empty ones between count too. Source: include/asm-generic/mshyperv.h, cpumask_to_vpset() */
export function* cpumask_to_vpset(cpus: cpumask): Op<bigint[]> {
  const bank_contents = [0n];
  for (const cpu of cpus) {
    const vcpu = hv_cpu_number_to_vp_number(cpu);
    const bank = Math.floor(vcpu / BITS_PER_BANK);
    while (bank_contents.length <= bank) bank_contents.push(0n);
    bank_contents[bank] |= 1n << BigInt(vcpu % BITS_PER_BANK);
  }
  return bank_contents;
}

/** @param control code and size of the call @returns HV_STATUS_*. Source: arch/x86/include/asm/mshyperv.h, hv_do_hypercall() */
export function* hv_do_hypercall(control: number, input: RetargetInterrupt): Op<bigint> {
  if (!kernel.hv_hypercall_pg) return U64_MAX;
  return BigInt(machine.hyperv!.hypercall(control, encodeRetarget(input)));
}
