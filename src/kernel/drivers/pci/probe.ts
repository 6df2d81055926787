import type { PciFunction } from '../../../hardware/pci';
import {
  EXP_FLAGS, MSIX_FLAGS, PCI_CAP_ID_EXP, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, PCI_EXP_FLAGS, PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE, PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN,
  PCI_SECONDARY_BUS, PCI_VENDOR_ID,
} from '../../../hardware/pci-registers';
import type { Op } from '../../../stepper/op';
import { DOMAIN_BUS, type irq_domain } from '../../include/irqdomain';
import { pci_bus, pci_domain_nr, PciDev, type pci_sysdata } from '../../include/pci';
import { irq_find_matching_fwnode } from '../../irq/irqdomain';
import { pr_info } from '../../lib/printk';
import { has, kernel, machine } from '../../world';
import { acpi_pci_irq_disable, acpi_pci_irq_enable } from '../acpi/pci_irq';
import { iommu_bus_notifier } from '../iommu/amd/device';
import { dmar_pci_bus_notifier } from '../iommu/intel/dmar_scope';
import { pci_read_config_byte, pci_read_config_word } from './access';
import { pci_iov_init } from './iov';
import { pci_msi_set_enable, pci_msix_clear_and_set_ctrl } from './msi';
import { pci_find_capability } from './pci';
import type { registered_driver } from './register';

/** Globals of drivers/pci. */
export const pci_globals = () => ({
  pcibios_enable_irq: acpi_pci_irq_enable,
  /** null: lines are kept */
  pcibios_disable_irq: acpi_pci_irq_disable as ((dev: PciDev) => Op) | null,
  /** in the order of their discovery */
  pci_devices: [] as PciDev[],
  pci_buses: [] as pci_bus[],
  /** in the order of their coming */
  /** devices that have a driver, in the order in which they got it (klist_devices of the drivers) */
  klist_devices: [] as PciDev[],
  pci_drivers: [] as registered_driver[],
  /** off with pci=nomsi */
  pci_msi_enable: true,
  /** mask bits are the hypervisor's (Xen) */
  pci_msi_ignore_mask: false,
});

/** Find all functions that firmware tells of, bus by bus. Source: drivers/acpi/pci_root.c, acpi_pci_root_add() */
export function* pci_scan_root_bus(): Op {
  if (kernel.acpi_disabled) return;
  for (const domain of [...new Set(machine.pci.map(fn => fn.domain))].sort((a, b) => a - b)) yield* acpi_pci_root_add(domain);
}

/** The bus that pciback shows a PV guest. Source: drivers/pci/xen-pcifront.c, pcifront_scan_root() */
export function* pcifront_scan_root(domain: number): Op {
  const buses = machine.pci.filter(fn => fn.domain === domain).map(fn => fn.bus);
  for (const bus of [...new Set(buses)]) pr_info(`pcifront pci-0: Creating PCI Frontend Bus ${domain.toString(16).padStart(4, '0')}:${bus.toString(16).padStart(2, '0')}`);
  yield* acpi_pci_root_add(domain);
}

/** A PCI domain: a root bus for each bus that no bridge leads to. Source: drivers/acpi/pci_root.c, acpi_pci_root_add() */
function* acpi_pci_root_add(domain: number): Op {
  const functions = machine.pci.filter(fn => fn.domain === domain);
  for (const fn of inOrder(functions)) {
    let bus = pci_find_bus(domain, fn.bus);
    if (!bus) {
      bus = new pci_bus(fn.bus, null, null, { domain, node: -1, vmd_dev: null }, functions);
      bus.native = machine.config.osc ?? [];
      yield* pci_register_bus(bus);
    }
    yield* pci_scan_single_device(bus, fn);
  }
}

const inOrder = (functions: readonly PciFunction[]): PciFunction[] => [...functions].sort((a, b) => a.requesterId - b.requesterId);

/** @returns the bus of this number. Source: drivers/pci/search.c, pci_find_bus() */
const pci_find_bus = (domain: number, number: number): pci_bus | undefined => kernel.pci_buses.find(bus => pci_domain_nr(bus) === domain && bus.number === number);

/** What every new bus goes through. */
function* pci_register_bus(bus: pci_bus): Op {
  yield* pci_set_bus_msi_domain(bus);
  kernel.pci_buses.push(bus);
}

/** The domain of the nearest bridge above, else of the host bridge. Source: drivers/pci/probe.c, pci_set_bus_msi_domain() */
function* pci_set_bus_msi_domain(bus: pci_bus): Op {
  let d: irq_domain | null = null;
  for (let b: pci_bus | null = bus; b && !d; b = b.parent) d = b.self?.msi_domain ?? null;
  bus.msi_domain = d ?? (yield* pci_host_bridge_msi_domain(bus));
}

/** Only those of Hyper-V have one on x86. Source: drivers/pci/probe.c, pci_host_bridge_msi_domain() */
function* pci_host_bridge_msi_domain({ sysdata: { fwnode } }: pci_bus): Op<irq_domain | null> {
  return fwnode ? yield* irq_find_matching_fwnode(fwnode, DOMAIN_BUS.PCI_MSI) : null;
}

/** A hierarchy that firmware does not tell of. @param parent the device that leads there, or the one of a hypervisor's bus. @returns the bus, or null for one that is there already. Source: drivers/pci/probe.c, pci_create_root_bus() */
export function* pci_create_root_bus(parent: Pick<PciDev, 'driver' | 'name'>, number: number, sysdata: pci_sysdata, functions: readonly PciFunction[]): Op<pci_bus | null> {
  if (pci_find_bus(sysdata.domain, number)) return null;
  const bus = new pci_bus(number, null, null, sysdata, functions);
  yield* pci_register_bus(bus);
  pr_info(`${parent.driver} ${parent.name}: PCI host bridge to bus ${bus.name}`);
  return bus;
}

/** Find what is on the bus and behind its bridges. Source: drivers/pci/probe.c, pci_scan_child_bus() */
export function* pci_scan_child_bus(bus: pci_bus): Op {
  for (const fn of inOrder(bus.functions)) {
    const on = pci_find_bus(pci_domain_nr(bus), fn.bus);
    if (on && !pci_get_domain_bus_and_slot(pci_domain_nr(on), fn.bus, fn.devfn)) yield* pci_scan_single_device(on, fn);
  }
}

/** Nobody answers, or a virtual function, whose physical one knows about it. Source: drivers/pci/probe.c, pci_bus_read_dev_vendor_id() */
const is_absent = (fn: PciFunction): boolean => fn.read32(PCI_VENDOR_ID) === 0xffffffff;

/** A function of a bus. Source: drivers/pci/probe.c, pci_alloc_dev() */
export function* pci_alloc_dev(bus: pci_bus, fn: PciFunction): Op<PciDev> {
  const node = bus.sysdata.node >= 0 ? bus.sysdata.node : fn.config.node;
  return new PciDev(fn, pci_domain_nr(bus), fn.bus, fn.devfn, node, bus);
}

/** @returns it, or null where nothing is. Source: drivers/pci/probe.c, pci_scan_single_device() */
function* pci_scan_single_device(bus: pci_bus, fn: PciFunction): Op<PciDev | null> {
  if (is_absent(fn)) return null;

  const dev = yield* pci_alloc_dev(bus, fn);
  yield* pci_setup_device(dev);
  yield* pci_device_add(dev);
  if (dev.subordinate !== null) yield* pci_add_new_bus(dev, dev.subordinate);
  return dev;
}

/** The bus behind a bridge. Source: drivers/pci/probe.c, pci_add_new_bus() */
function* pci_add_new_bus(bridge: PciDev, number: number): Op {
  const { parent_bus: parent } = bridge;
  yield* pci_register_bus(new pci_bus(number, bridge, parent, parent.sysdata, parent.functions));
}

/** What kind of function it is, and where. Source: drivers/pci/probe.c, pci_setup_device() */
export function* pci_setup_device(dev: PciDev): Op {
  dev.bridge = dev.parent_bus.self;
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
  if (dev.is_virtfn) return;

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
export function* pci_device_add(dev: PciDev): Op {
  yield* pci_msi_setup_pci_dev(dev);
  yield* pci_iov_init(dev);
  kernel.pci_devices.push(dev);
  yield* pcibios_add_device(dev);
  yield* pci_set_msi_domain(dev);
  yield* device_add(dev);
}

/** The bus's own domain (VMD, Hyper-V), else the default until remapping takes the device over; right for good where nothing remaps. Source: arch/x86/pci/common.c, pcibios_add_device() */
function* pcibios_add_device(dev: PciDev): Op<number> {
  if (has('v2-33')) dev.msi_domain = dev.parent_bus.msi_domain ?? kernel.x86_pci_msi_default_domain;
  return 0;
}

/** What the platform chose already: no firmware of x86 names a domain. Source: drivers/pci/probe.c, pci_dev_msi_domain() */
function* pci_dev_msi_domain(dev: PciDev): Op<irq_domain | null> {
  return dev.msi_domain;
}

/** The device's own domain, else its bus's. Source: drivers/pci/probe.c, pci_set_msi_domain() */
function* pci_set_msi_domain(dev: PciDev): Op {
  dev.msi_domain = (yield* pci_dev_msi_domain(dev)) ?? dev.parent_bus.msi_domain;
}

/** Tell who listens for new devices: the DMAR code gives the device its remapping domain. Source: drivers/base/core.c, device_add() */
function* device_add(dev: PciDev): Op {
  yield* dmar_pci_bus_notifier(dev);
  yield* iommu_bus_notifier(dev);
}

/** @returns the device at an address. Source: drivers/pci/search.c, pci_get_domain_bus_and_slot() */
export const pci_get_domain_bus_and_slot = (domain_nr: number, bus: number, devfn: number): PciDev | undefined =>
  kernel.pci_devices.find(dev => dev.domain_nr === domain_nr && dev.bus === bus && dev.devfn === devfn);
