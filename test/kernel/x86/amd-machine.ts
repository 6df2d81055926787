import { AMD_IOMMU_CAP, amdIommuFunction } from '../../../src/hardware/amd-iommu-function';
import type { AmdRemapUnitConfig, MachineConfig, PciFunctionConfig } from '../../../src/hardware/machine-config';
import { plain } from './machines';

export const IOMMU = '0000:00:00.2';
const REGISTERS = 0xfed80000;

/** Eight vectors of MSI that can be masked. A USB controller's class would have a quirk take its line once. */
export const MULTI: PciFunctionConfig = {
  address: '0000:00:09.0', vendor: 0x1033, device: 0x0194, class: 0xff0000, intxPin: 1, gsi: 21, msi: { vectors: 8, maskable: true, addr64: true }, node: -1,
};

/** The machine of 5.10.0-32-n-4cpu-1nvme-min below an AMD IOMMU as 5.10.0-32-e-4cpu-amdir has it. */
export function amdRemapped(unit: Partial<AmdRemapUnitConfig> = {}, cpus = 4): MachineConfig {
  const config = plain(cpus);
  return {
    ...config,
    amdRemap: {
      units: [{ address: REGISTERS, function: IOMMU, capability: AMD_IOMMU_CAP, ga: true, guest: false, x2apic: false, includeAll: true, devices: [], ioapics: [{ id: 0, requesterId: 0xa0 }], ...unit }],
    },
    pci: [amdIommuFunction(IOMMU, REGISTERS), ...config.pci, MULTI],
  };
}
