import { kvm_arch_update_irqfd_routing, kvm_arch_vcpu_load, kvm_arch_vcpu_put, kvm_get_vcpu } from '../kernel/arch/x86/kvm/posted_intr';
import { amd_iommu_attach_device } from '../kernel/drivers/iommu/amd/device';
import { pci_irq_vector } from '../kernel/drivers/pci/msi_api';
import type { PciDev } from '../kernel/include/pci';
import type { Op } from '../stepper/op';

// A guest with a device of its own: vcpu, vcpuAffinity.

/** @param cpu null: it is taken off its CPU */
export function* loadVcpu(id: number, cpu: number | null): Op<number> {
  const vcpu = yield* kvm_get_vcpu(id);
  if (cpu === null) yield* kvm_arch_vcpu_put(vcpu);
  else yield* kvm_arch_vcpu_load(vcpu, cpu);
  return 0;
}

/** @param target null: back to the host. @returns 0 or an errno */
export function* setVcpuAffinity(dev: PciDev, vector: number, target: { readonly id: number; readonly vector: number } | null): Op<number> {
  const irq = yield* pci_irq_vector(dev, vector);
  if (irq < 0) return irq;
  // The device is the guest's, as VFIO arranges it.
  yield* amd_iommu_attach_device(dev, true);
  const vcpu = target && (yield* kvm_get_vcpu(target.id));
  return yield* kvm_arch_update_irqfd_routing(irq, vcpu, target?.vector ?? 0);
}
