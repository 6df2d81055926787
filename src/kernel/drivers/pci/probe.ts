import type { PciFunction } from '../../../hardware/pci';
import {
  EXP_FLAGS, MSIX_FLAGS, PCI_CAP_ID_EXP, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, PCI_EXP_FLAGS, PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE, PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN,
  PCI_SECONDARY_BUS,
} from '../../../hardware/pci-registers';
import type { Op } from '../../../stepper/op';
import type { irq_domain } from '../../include/irqdomain';
import { PciDev } from '../../include/pci';
import { has, kernel, machine } from '../../world';
import { iommu_bus_notifier } from '../iommu/amd/device';
import { dmar_pci_bus_notifier } from '../iommu/intel/dmar';
import { pci_read_config_byte, pci_read_config_word } from './access';
import { pci_msi_set_enable, pci_msix_clear_and_set_ctrl } from './msi';
import { pci_find_capability } from './pci';

/** Globals of drivers/pci. */
export const pci_globals = () => ({
  /** in the order of their discovery */
  pci_devices: [] as PciDev[],
  /** off with pci=nomsi */
  pci_msi_enable: true,
  /** mask bits are the hypervisor's (Xen) */
  pci_msi_ignore_mask: false,
});

/** Find all functions, bus by bus. Source: drivers/acpi/pci_root.c, acpi_pci_root_add(); drivers/pci/probe.c, pci_scan_child_bus() */
export function* pci_scan_root_bus(): Op {
  const order = (fn: PciFunction): number => fn.domain * 2 ** 16 + fn.requesterId;
  for (const fn of [...machine.pci].sort((a, b) => order(a) - order(b))) yield* pci_scan_single_device(fn);
}

/** Source: drivers/pci/probe.c, pci_scan_single_device() */
function* pci_scan_single_device(fn: PciFunction): Op<PciDev> {
  const dev = new PciDev(fn, fn.domain, fn.bus, fn.devfn, fn.config.node);
  yield* pci_setup_device(dev);
  yield* pci_device_add(dev);
  return dev;
}

/** What kind of function it is, and where. Source: drivers/pci/probe.c, pci_setup_device() */
function* pci_setup_device(dev: PciDev): Op {
  dev.bridge = kernel.pci_devices.find(d => d.domain_nr === dev.domain_nr && d.subordinate === dev.bus) ?? null;
  yield* set_pcie_port_type(dev);
  yield* pci_read_irq(dev);
  const bridge = (pci_read_config_byte(dev, PCI_HEADER_TYPE) & 0x7f) === PCI_HEADER_TYPE_BRIDGE;
  if (bridge) dev.subordinate = pci_read_config_byte(dev, PCI_SECONDARY_BUS);
}

/** Source: drivers/pci/probe.c, set_pcie_port_type() */
function* set_pcie_port_type(dev: PciDev): Op {
  const pos = yield* pci_find_capability(dev, PCI_CAP_ID_EXP);
  if (pos) dev.pcie_type = EXP_FLAGS.get(pci_read_config_word(dev, pos + PCI_EXP_FLAGS), 'type');
}

/** The pin, and the irq that firmware thought of: good only until the device is enabled. Source: drivers/pci/probe.c, pci_read_irq() */
function* pci_read_irq(dev: PciDev): Op {
  dev.pin = pci_read_config_byte(dev, PCI_INTERRUPT_PIN);
  dev.irq = dev.pin === 0 ? 0 : pci_read_config_byte(dev, PCI_INTERRUPT_LINE);
}

/** Find the capabilities; what firmware left enabled is disabled. Source: drivers/pci/probe.c, pci_msi_setup_pci_dev() */
function* pci_msi_setup_pci_dev(dev: PciDev): Op {
  dev.msi_cap = yield* pci_find_capability(dev, PCI_CAP_ID_MSI);
  if (dev.msi_cap) yield* pci_msi_set_enable(dev, 0);

  dev.msix_cap = yield* pci_find_capability(dev, PCI_CAP_ID_MSIX);
  if (dev.msix_cap) yield* pci_msix_clear_and_set_ctrl(dev, MSIX_FLAGS.encode({ enable: 1 }), 0);
}

/** Source: drivers/pci/probe.c, pci_device_add() */
function* pci_device_add(dev: PciDev): Op {
  yield* pci_msi_setup_pci_dev(dev);
  kernel.pci_devices.push(dev);
  yield* pcibios_add_device(dev);
  yield* pci_set_msi_domain(dev);
  yield* device_add(dev);
}

/** The default until remapping takes the device over; right for good where nothing remaps. Source: arch/x86/pci/common.c, pcibios_add_device() */
function* pcibios_add_device(dev: PciDev): Op<number> {
  if (has('v2-33')) dev.msi_domain = kernel.x86_pci_msi_default_domain;
  return 0;
}

/** What the platform chose already: no firmware of x86 names a domain. Source: drivers/pci/probe.c, pci_dev_msi_domain() */
function* pci_dev_msi_domain(dev: PciDev): Op<irq_domain | null> {
  return dev.msi_domain;
}

/** Source: drivers/pci/probe.c, pci_set_msi_domain() */
function* pci_set_msi_domain(dev: PciDev): Op {
  dev.msi_domain = yield* pci_dev_msi_domain(dev);
}

/** Tell who listens for new devices: the DMAR code gives the device its remapping domain. Source: drivers/base/core.c, device_add() */
function* device_add(dev: PciDev): Op {
  yield* dmar_pci_bus_notifier(dev);
  yield* iommu_bus_notifier(dev);
}

/** @returns the device at an address. Source: drivers/pci/search.c, pci_get_domain_bus_and_slot() */
export const pci_get_domain_bus_and_slot = (domain_nr: number, bus: number, devfn: number): PciDev | undefined =>
  kernel.pci_devices.find(dev => dev.domain_nr === domain_nr && dev.bus === bus && dev.devfn === devfn);
