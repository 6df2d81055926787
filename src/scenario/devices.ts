import { virtualAddress, virtualName } from '../hardware/sriov';
import type { DeviceSection, MsiSection } from './machine-sections';

/** The PCI function that an AMD IOMMU is. */
export const AMD_IOMMU_FUNCTION = '0000:00:00.2';

/** Ids and capabilities of a kind of device, as QEMU has them. */
export interface DeviceKind {
  readonly vendor: number;
  readonly device: number;
  readonly class: number;
  readonly msix: number | false;
  readonly msi: Required<MsiSection> | false;
  /** the kernel's driver for it */
  readonly driver?: string;
}

const ONE_PLAIN_MSI: Required<MsiSection> = { vectors: 1, maskable: false, addr64: true };

const KINDS: Record<DeviceSection['kind'], DeviceKind> = {
  nvme: { vendor: 0x1b36, device: 0x0010, class: 0x010802, msix: 65, msi: false, driver: 'nvme' },
  nic: { vendor: 0x8086, device: 0x10d3, class: 0x020000, msix: 5, msi: ONE_PLAIN_MSI, driver: 'e1000e' },
  edu: { vendor: 0x1234, device: 0x11e8, class: 0x00ff00, msix: false, msi: ONE_PLAIN_MSI },
  vmd: { vendor: 0x8086, device: 0x201d, class: 0x010400, msix: 33, msi: false, driver: 'vmd' },
  bridge: { vendor: 0x1b36, device: 0x000c, class: 0x060400, msix: false, msi: ONE_PLAIN_MSI, driver: 'pcieport' },
  ims: { vendor: 0x8086, device: 0x0b25, class: 0x088000, msix: 9, msi: false, driver: 'ims' },
  custom: { vendor: 0x1234, device: 0x0001, class: 0xff0000, msix: false, msi: false },
};

/** What keeps a device for another guest of Xen's. */
const PCIBACK = 'pciback';

/** Drivers of the modelled kernel. */
export const builtInDrivers: readonly string[] = [...Object.values(KINDS).flatMap(kind => kind.driver ?? []), PCIBACK];

/** A device's kind, with what the scenario writes in its place. */
export function deviceKind(d: DeviceSection): DeviceKind {
  const kind = KINDS[d.kind];
  return {
    vendor: d.vendor ?? kind.vendor,
    device: d.device ?? kind.device,
    class: d.class ?? kind.class,
    msix: d.msix ?? kind.msix,
    msi: d.msi ? { ...ONE_PLAIN_MSI, ...d.msi } : (d.msi ?? kind.msi),
    driver: d.guest === undefined ? kind.driver : PCIBACK,
  };
}

/** Where virtual functions are, as with Intel's network cards. */
export const SRIOV = { offset: 0x80, stride: 2 } as const;

/** The virtual functions that a device can make, as if they were devices: MSI-X is all that they have. */
export function virtualOf(device: DeviceSection): DeviceSection[] {
  const { msix, ...kind } = deviceKind(device);
  return Array.from({ length: device.vfs ?? 0 }, (_, index) => ({
    name: virtualName(device.name, index),
    kind: device.kind,
    address: virtualAddress(fullAddress(device.address), SRIOV, index),
    vendor: kind.vendor,
    device: kind.device,
    class: kind.class,
    msix,
    msi: false,
  }));
}

/** "00:04.0" as the kernel writes it: "0000:00:04.0". */
export function fullAddress(address: string): string {
  const lower = address.toLowerCase();
  return lower.split(':').length === 3 ? lower : `0000:${lower}`;
}

export const sameAddress = (a: string, b: string): boolean => fullAddress(a) === fullAddress(b);

/** Segment, bus and slot of a device. */
export function placeOf({ address }: Pick<DeviceSection, 'address'>): { segment: number; bus: number; slot: number } {
  const [segment, bus, slot] = fullAddress(address).split(/[:.]/).map(digits => parseInt(digits, 16));
  return { segment, bus, slot };
}

/** The bridge whose secondary bus the device is on. */
export function bridgeOf(device: DeviceSection, devices: readonly DeviceSection[]): DeviceSection | undefined {
  const { segment, bus } = placeOf(device);
  return devices.find(other => other.secondary === bus && other !== device && other.behind === device.behind && placeOf(other).segment === segment && placeOf(other).bus < bus);
}

/** Of an HPET that does not say. */
export const DEFAULT_TIMERS = 3;
