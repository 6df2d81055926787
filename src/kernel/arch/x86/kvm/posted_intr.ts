import { PI_DESC_CONTROL } from '../../../../hardware/irte';
import type { Op } from '../../../../stepper/op';
import type { amd_iommu_pi_data, amd_ir_data } from '../../../drivers/iommu/amd/amd_iommu_types';
import { amd_iommu_update_ga } from '../../../drivers/iommu/amd/guest';
import type { vcpu_data } from '../../../drivers/iommu/intel/irte';
import { IRQ_POSTING_CAP, irq_remapping_cap } from '../../../drivers/iommu/irq_remapping';
import { irq_set_vcpu_affinity } from '../../../irq/manage';
import { kernel, machine } from '../../../world';
import { x2apic_enabled } from '../apic/apic';
import { POSTED_INTR_VECTOR } from '../hw_irq';

// Where a hypervisor meets interrupt remapping: of arch/x86/kvm what posts interrupts of a guest's devices, vmx/posted_intr.c and svm/avic.c.

const PI_DESC_SIZE = 64;
const PI_DESC_CONTROL_OFFSET = 32;
const PAGE_SIZE = 4096;
/** The one guest that there is. */
const VM_ID = 1;
const AVIC_GATAG = (vm_id: number, vcpu_id: number): number => (vm_id << 8) | vcpu_id;

/** A guest's virtual CPU. */
export class kvm_vcpu {
  /** where it is loaded, or was last; -1: never */
  cpu = -1;
  /** vectors that have reached it, in order */
  readonly virr: number[] = [];
  /** its interrupts in guest mode (AMD) */
  readonly ir_list: amd_ir_data[] = [];

  constructor(
    readonly vcpu_id: number,
    /** physical address of its posted-interrupt descriptor (Intel) */
    readonly pi_desc: number,
    /** physical address of its virtual APIC (AMD) */
    readonly avic_backing_page: number,
  ) {}
}

export const kvm_globals = () => ({
  kvm_vcpus: [] as kvm_vcpu[],
});

const is_amd = (): boolean => machine.config.amdRemap !== undefined;

const control_of = ({ pi_desc }: kvm_vcpu): bigint => machine.memory.read64(pi_desc + PI_DESC_CONTROL_OFFSET);
const set_control = (vcpu: kvm_vcpu, control: bigint): void => machine.memory.write64(vcpu.pi_desc + PI_DESC_CONTROL_OFFSET, control);

/** The virtual CPU, made where it is not there; it does not run yet. Source: arch/x86/kvm/vmx/vmx.c, vmx_create_vcpu() */
export function* kvm_get_vcpu(vcpu_id: number): Op<kvm_vcpu> {
  const found = kernel.kvm_vcpus.find(vcpu => vcpu.vcpu_id === vcpu_id);
  if (found) return found;

  const vcpu = new kvm_vcpu(vcpu_id, machine.memory.alloc(PI_DESC_SIZE, PI_DESC_SIZE), machine.memory.alloc(PAGE_SIZE, PAGE_SIZE));
  set_control(vcpu, PI_DESC_CONTROL.encode({ nv: POSTED_INTR_VECTOR, sn: 1 }));
  kernel.kvm_vcpus.push(vcpu);
  return vcpu;
}

/** From now on notifications go to `cpu`. Source: arch/x86/kvm/vmx/posted_intr.c, vmx_vcpu_pi_load() */
function* vmx_vcpu_pi_load(vcpu: kvm_vcpu, cpu: number): Op {
  const { sn } = PI_DESC_CONTROL.decode(control_of(vcpu));
  if (!sn && vcpu.cpu === cpu) return;

  const dest = kernel.x86_cpu_to_apicid[cpu];
  const ndst = x2apic_enabled() ? dest : (dest << 8) & 0xff00;
  set_control(vcpu, PI_DESC_CONTROL.with(control_of(vcpu), vcpu.cpu === cpu ? { sn: 0 } : { ndst, sn: 0 }));

  // What came while nobody was notified is taken up at the next entry.
  if (pir_of(vcpu).length > 0) set_control(vcpu, PI_DESC_CONTROL.with(control_of(vcpu), { on: 1 }));
}

/** It was preempted: nobody shall be notified. Source: arch/x86/kvm/vmx/posted_intr.c, vmx_vcpu_pi_put() */
function* vmx_vcpu_pi_put(vcpu: kvm_vcpu): Op {
  if (!irq_remapping_cap(IRQ_POSTING_CAP)) return;
  set_control(vcpu, PI_DESC_CONTROL.with(control_of(vcpu), { sn: 1 }));
}

/** Vectors that are posted. */
function pir_of({ pi_desc }: kvm_vcpu): number[] {
  const word = (vector: number): number => machine.memory.read32(pi_desc + (vector >>> 5) * 4);
  return Array.from({ length: 256 }, (_, vector) => vector).filter(vector => (word(vector) >>> (vector & 31)) & 1);
}

/** What is posted goes into the guest, as it is entered. Source: arch/x86/kvm/vmx/vmx.c, vmx_sync_pir_to_irr() */
function* vmx_sync_pir_to_irr(vcpu: kvm_vcpu): Op {
  if (PI_DESC_CONTROL.get(control_of(vcpu), 'on') === 0) return;
  set_control(vcpu, PI_DESC_CONTROL.with(control_of(vcpu), { on: 0 }));
  vcpu.virr.push(...pir_of(vcpu));
  for (let i = 0; i < 8; i++) machine.memory.write32(vcpu.pi_desc + i * 4, 0);
}

/** Every entry of the virtual CPU's interrupts tells whether it runs, and where. Source: arch/x86/kvm/svm/avic.c, avic_update_iommu_vcpu_affinity() */
function* avic_update_iommu_vcpu_affinity(vcpu: kvm_vcpu, cpu: number, r: boolean): Op<number> {
  for (const data of vcpu.ir_list) {
    const ret = yield* amd_iommu_update_ga(cpu, r, data);
    if (ret) return ret;
  }
  return 0;
}

/** The virtual CPU runs on `cpu` from now on. Source: arch/x86/kvm/x86.c, kvm_arch_vcpu_load() */
export function* kvm_arch_vcpu_load(vcpu: kvm_vcpu, cpu: number): Op {
  if (is_amd()) {
    yield* avic_update_iommu_vcpu_affinity(vcpu, kernel.x86_cpu_to_apicid[cpu], true);
  } else {
    yield* vmx_vcpu_pi_load(vcpu, cpu);
    yield* vmx_sync_pir_to_irr(vcpu);
  }
  vcpu.cpu = cpu;
}

/** The virtual CPU leaves its CPU. Source: arch/x86/kvm/x86.c, kvm_arch_vcpu_put() */
export function* kvm_arch_vcpu_put(vcpu: kvm_vcpu): Op {
  if (is_amd()) yield* avic_update_iommu_vcpu_affinity(vcpu, -1, false);
  else yield* vmx_vcpu_pi_put(vcpu);
}

/**
 * An interrupt of the guest's device goes to a virtual CPU, or, with null, back to the host.
 * @param vector what the guest sees
 * @returns 0, also where no unit can post: then the hypervisor passes interrupts on itself; or an errno. Source: arch/x86/kvm/vmx/posted_intr.c, pi_update_irte()
 */
function* pi_update_irte(host_irq: number, vcpu: kvm_vcpu | null, vector: number): Op<number> {
  const vcpu_info: vcpu_data | null = vcpu && { pi_desc_addr: vcpu.pi_desc, vector };
  return yield* irq_set_vcpu_affinity(host_irq, vcpu_info);
}

/** Source: arch/x86/kvm/svm/avic.c, svm_update_pi_irte() */
function* svm_update_pi_irte(host_irq: number, vcpu: kvm_vcpu | null, vector: number): Op<number> {
  const pi: amd_iommu_pi_data = {
    ga_tag: vcpu ? AVIC_GATAG(VM_ID, vcpu.vcpu_id) : 0,
    prev_ga_tag: 0,
    base: vcpu?.avic_backing_page ?? 0,
    is_guest_mode: vcpu !== null,
    vcpu_data: { pi_desc_addr: vcpu?.avic_backing_page ?? 0, vector },
    ir_data: null,
  };
  const ret = yield* irq_set_vcpu_affinity(host_irq, pi);
  if (ret) return ret;

  if (vcpu && pi.is_guest_mode) yield* svm_ir_list_add(vcpu, pi);
  else if (pi.prev_ga_tag) yield* svm_ir_list_del(pi);
  return 0;
}

/** The interrupt may have been another virtual CPU's. Source: arch/x86/kvm/svm/avic.c, svm_ir_list_add() */
function* svm_ir_list_add(vcpu: kvm_vcpu, pi: amd_iommu_pi_data): Op {
  if (!pi.ir_data) return;
  if (pi.prev_ga_tag) yield* svm_ir_list_del(pi);
  vcpu.ir_list.push(pi.ir_data);
}

/** Source: arch/x86/kvm/svm/avic.c, svm_ir_list_del() */
function* svm_ir_list_del({ prev_ga_tag, ir_data }: amd_iommu_pi_data): Op {
  const prev = kernel.kvm_vcpus.find(({ vcpu_id }) => vcpu_id === (prev_ga_tag & 0xff));
  const at = prev?.ir_list.findIndex(data => data === ir_data) ?? -1;
  if (at >= 0) prev!.ir_list.splice(at, 1);
}

/** By the vendor's function. Source: arch/x86/kvm/x86.c, kvm_arch_update_irqfd_routing() */
export function* kvm_arch_update_irqfd_routing(host_irq: number, vcpu: kvm_vcpu | null, vector: number): Op<number> {
  if (!irq_remapping_cap(IRQ_POSTING_CAP)) return 0;
  return is_amd() ? yield* svm_update_pi_irte(host_irq, vcpu, vector) : yield* pi_update_irte(host_irq, vcpu, vector);
}
