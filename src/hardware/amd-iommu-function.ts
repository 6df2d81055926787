import { IOMMU_CAP, IOMMU_CAP_BASE_LOW, PCI_CAP_ID_SECURE_DEVICE } from './amd-iommu-registers';
import type { PciFunctionConfig } from './machine-config';
import { COMMAND, MSI_FLAGS, PCI_CAP_ID_MSI, PCI_CAPABILITY_LIST, PCI_COMMAND, STATUS } from './pci-registers';

/** The function's own capability. */
export const AMD_IOMMU_CAP = 0x40;
const MSI_CAP = 0x60;
const CLASS_IOMMU = 0x080600;
const VENDOR_AMD = 0x1022;
const DEVICE = 0x0008;

/** The PCI function of an IOMMU: its registers' address, and one MSI without a mask bit. @param address of the function @param registers physical address @param npcache it caches entries that are not present */
export function amdIommuFunction(address: string, registers: number, npcache = false): PciFunctionConfig {
  const words = new Uint32Array(64);
  words[0] = (DEVICE << 16) | VENDOR_AMD;
  words[PCI_COMMAND >> 2] = (STATUS.encode({ cap_list: 1 }) << 16) | COMMAND.encode({ memory: 1 });
  words[2] = CLASS_IOMMU << 8;
  words[PCI_CAPABILITY_LIST >> 2] = MSI_CAP;
  words[AMD_IOMMU_CAP >> 2] = IOMMU_CAP.encode({ id: PCI_CAP_ID_SECURE_DEVICE, type: 3, iotlb: 1, ht_tunnel: 1, npcache, efr: 1, ext: 1 });
  words[(AMD_IOMMU_CAP + IOMMU_CAP_BASE_LOW) >> 2] = registers | 1;
  words[MSI_CAP >> 2] = (MSI_FLAGS.encode({ is_64bit: 1 }) << 16) | (AMD_IOMMU_CAP << 8) | PCI_CAP_ID_MSI;
  const config = Array.from(words, word => word.toString(16).padStart(8, '0')).join(' ');
  return { address, vendor: VENDOR_AMD, device: DEVICE, class: CLASS_IOMMU, name: 'iommu', intxPin: 0, gsi: -1, node: -1, config };
}
