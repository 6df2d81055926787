import { EXP_FLAGS, PCI_CAP_ID_EXP, PCI_EXP_FLAGS, PCI_EXP_TYPE } from '../../../../hardware/pci-registers';
import { bits } from '../../../../hardware/bits';
import type { Op } from '../../../../stepper/op';
import { IRQF_SHARED, IRQ_HANDLED, type irq_handler_t } from '../../../include/interrupt';
import { PCI_IRQ_LEGACY, PCI_IRQ_MSI, PCI_IRQ_MSIX, pci_find_host_bridge, type PciDev } from '../../../include/pci';
import { free_irq, request_threaded_irq } from '../../../irq/manage';
import { EIO, ENODEV } from '../../../lib/errno';
import { pr_info } from '../../../lib/printk';
import { pci_read_config_byte, pci_read_config_dword, pci_read_config_word } from '../access';
import { pci_alloc_irq_vectors, pci_free_irq_vectors, pci_irq_vector } from '../msi_api';
import { pci_disable_device, pci_enable_device, pci_set_master } from '../pci';
import type { pci_driver } from '../pci-driver';

// drivers/pci/pcie: a root or switch port serves events of the bus below it, each service with the port's vector that it says.

/** Offsets from the PCI Express capability. Source: PCI Express Base specification 3.1, 7.8 */
const PCI_EXP_SLTCAP = 0x14;
const SLTCAP = bits(32, { hpc: [6, 'can be hotplugged'] });

const PCI_EXT_CAP_ID_ERR = 0x01;
const PCI_ERR_ROOT_STATUS = 0x30;
const ERR_ROOT_STATUS = bits(32, { irq: [27, 31, 'vector of error reports'] });
const PCI_EXT_CAP_ID_DPC = 0x1d;
const PCI_EXP_DPC_CAP = 0x04;
const DPC_CAP = bits(16, { irq: [0, 4, 'vector of downstream port containment'] });
const EXT_CAP = bits(32, { id: [0, 15], next: [20, 31] });
const FIRST_EXT_CAP = 0x100;

const PCIE_PORT_MAX_MSI_ENTRIES = 32;

/** The driver of a service: it requests the service's interrupt. */
interface service_driver {
  readonly devname: string;
  /** a kind of port; undefined: any */
  readonly port_type?: number;
  /** what its handler leaves to a thread */
  readonly thread_fn: irq_handler_t | null;
  /** what it logs; undefined: not of its interrupt */
  readonly message?: (irq: number) => string;
}

/** A service of a port; without a driver it has a vector all the same. */
interface service {
  readonly name: 'PME' | 'AER' | 'hotplug' | 'DPC' | 'BWNOTIF';
  readonly driver?: service_driver;
}

/** A handler that finds its events in registers which are not modelled. */
function* service_irq(_irq: number, _context: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* aer_isr(_irq: number, _context: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* pciehp_ist(_irq: number, _context: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* dpc_handler(_irq: number, _context: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** In the order of their numbers. Sources: drivers/pci/pcie/{pme,aer,dpc}.c, drivers/pci/hotplug/pciehp_hpc.c; CONFIG_PCIE_BW is off */
const SERVICES: readonly service[] = [
  { name: 'PME', driver: { devname: 'PCIe PME', port_type: PCI_EXP_TYPE.ROOT_PORT, thread_fn: null, message: irq => `PME: Signaling with IRQ ${irq}` } },
  { name: 'AER', driver: { devname: 'aerdrv', port_type: PCI_EXP_TYPE.ROOT_PORT, thread_fn: aer_isr, message: irq => `AER: enabled with IRQ ${irq}` } },
  { name: 'hotplug', driver: { devname: 'pciehp', thread_fn: pciehp_ist } },
  { name: 'DPC', driver: { devname: 'pcie-dpc', thread_fn: dpc_handler, message: irq => `DPC: enabled with IRQ ${irq}` } },
  { name: 'BWNOTIF' },
];

class port_services {
  readonly requested: { readonly irq: number; readonly dev_id: object }[] = [];
}

/** Offset of the PCI Express capability; 0 = none. */
function pci_pcie_cap(dev: PciDev): number {
  let at = pci_read_config_byte(dev, 0x34) & ~3;
  for (let left = 48; at >= 0x40 && left > 0; left--) {
    if (pci_read_config_byte(dev, at) === PCI_CAP_ID_EXP) return at;
    at = pci_read_config_byte(dev, at + 1) & ~3;
  }
  return 0;
}

/** Source: drivers/pci/pci.c, pci_find_ext_capability() */
function pci_find_ext_capability(dev: PciDev, id: number): number {
  for (let at = FIRST_EXT_CAP, left = 480; at >= FIRST_EXT_CAP && left > 0; left--) {
    const header = pci_read_config_dword(dev, at);
    if (header === 0 || header === 0xffffffff) return 0;
    if (EXT_CAP.get(header, 'id') === id) return at;
    at = EXT_CAP.get(header, 'next') & ~3;
  }
  return 0;
}

const flags_of = (dev: PciDev): number => pci_read_config_word(dev, pci_pcie_cap(dev) + PCI_EXP_FLAGS);

/** What the port can, and firmware has left to the kernel. Source: drivers/pci/pcie/portdrv_core.c, get_port_device_capability() */
function* get_port_device_capability(dev: PciDev): Op<service[]> {
  const { native } = pci_find_host_bridge(dev.parent_bus);
  const flags = EXP_FLAGS.decode(flags_of(dev));
  const hotplug = flags.slot === 1 && SLTCAP.get(pci_read_config_dword(dev, pci_pcie_cap(dev) + PCI_EXP_SLTCAP), 'hpc') === 1;
  const aer = pci_find_ext_capability(dev, PCI_EXT_CAP_ID_ERR) !== 0 && native.includes('AER');
  const can: Record<service['name'], boolean> = {
    hotplug: hotplug && native.includes('PCIeHotplug'),
    AER: aer,
    PME: flags.type === PCI_EXP_TYPE.ROOT_PORT && native.includes('PME'),
    DPC: aer && pci_find_ext_capability(dev, PCI_EXT_CAP_ID_DPC) !== 0,
    BWNOTIF: flags.type === PCI_EXP_TYPE.DOWNSTREAM || flags.type === PCI_EXP_TYPE.ROOT_PORT,
  };
  return SERVICES.filter(({ name }) => can[name]);
}

/** The vector of each service. Source: drivers/pci/pcie/portdrv_core.c, pcie_message_numbers() */
function* pcie_message_number(dev: PciDev, { name }: service): Op<number> {
  switch (name) {
    case 'AER': return ERR_ROOT_STATUS.get(pci_read_config_dword(dev, pci_find_ext_capability(dev, PCI_EXT_CAP_ID_ERR) + PCI_ERR_ROOT_STATUS), 'irq');
    case 'DPC': return DPC_CAP.get(pci_read_config_word(dev, pci_find_ext_capability(dev, PCI_EXT_CAP_ID_DPC) + PCI_EXP_DPC_CAP), 'irq');
    default: return EXP_FLAGS.get(flags_of(dev), 'irq');
  }
}

/** As many vectors as the services use. @returns each service's irq, or an errno. Source: drivers/pci/pcie/portdrv_core.c, pcie_port_enable_irq_vec() */
function* pcie_port_enable_irq_vec(dev: PciDev, services: readonly service[]): Op<number[] | number> {
  let nr_entries = yield* pci_alloc_irq_vectors(dev, 1, PCIE_PORT_MAX_MSI_ENTRIES, PCI_IRQ_MSIX | PCI_IRQ_MSI);
  if (nr_entries < 0) return nr_entries;

  const numbers: number[] = [];
  for (const s of services) numbers.push(yield* pcie_message_number(dev, s));
  const nvec = Math.max(...numbers) + 1;
  if (nvec > nr_entries) {
    yield* pci_free_irq_vectors(dev);
    return -EIO;
  }
  if (nvec !== nr_entries) {
    yield* pci_free_irq_vectors(dev);
    nr_entries = yield* pci_alloc_irq_vectors(dev, nvec, nvec, PCI_IRQ_MSIX | PCI_IRQ_MSI);
    if (nr_entries < 0) return nr_entries;
  }
  const irqs: number[] = [];
  for (const n of numbers) irqs.push(yield* pci_irq_vector(dev, n));
  return irqs;
}

/** @returns each service's irq, or an errno. Source: drivers/pci/pcie/portdrv_core.c, pcie_init_service_irqs() */
function* pcie_init_service_irqs(dev: PciDev, services: readonly service[]): Op<number[] | number> {
  const irqs = yield* pcie_port_enable_irq_vec(dev, services);
  if (typeof irqs !== 'number') return irqs;

  const ret = yield* pci_alloc_irq_vectors(dev, 1, 1, PCI_IRQ_LEGACY);
  if (ret < 0) return -ENODEV;
  const irq = yield* pci_irq_vector(dev, 0);
  return services.map(() => irq);
}

/** Its driver takes a service, where the port is of the kind that it is for. Source: drivers/pci/pcie/portdrv_core.c, pcie_device_init(); pcie_port_bus_match() */
function* pcie_device_init(dev: PciDev, port: port_services, { driver }: service, irq: number): Op {
  if (!driver || (driver.port_type !== undefined && driver.port_type !== EXP_FLAGS.get(flags_of(dev), 'type'))) return;
  const dev_id = {};
  if (yield* request_threaded_irq(irq, service_irq, driver.thread_fn, IRQF_SHARED, driver.devname, dev_id)) return;
  port.requested.push({ irq, dev_id });
  if (driver.message) pr_info(`pcieport ${dev.name}: ${driver.message(irq)}`);
}

/** What a service without an interrupt is given. */
const NO_IRQ = -1;

/** @returns 0 or an errno. Source: drivers/pci/pcie/portdrv_core.c, pcie_port_device_register() */
function* pcie_port_device_register(dev: PciDev): Op<number> {
  const status = yield* pci_enable_device(dev);
  if (status) return status;

  const port = new port_services();
  dev.drvdata = port;
  let services = yield* get_port_device_capability(dev);
  if (services.length === 0) return 0;

  yield* pci_set_master(dev);
  let irqs = yield* pcie_init_service_irqs(dev, services);
  if (typeof irqs === 'number') {
    // hotplug might poll
    services = services.filter(({ name }) => name === 'hotplug');
    if (services.length === 0) {
      yield* pci_disable_device(dev);
      return irqs;
    }
    irqs = [NO_IRQ];
  }
  for (const [i, service] of services.entries()) yield* pcie_device_init(dev, port, service, irqs[i]);
  return 0;
}

/** @returns 0 or an errno. Source: drivers/pci/pcie/portdrv_pci.c, pcie_portdrv_probe() */
function* pcie_portdrv_probe(dev: PciDev): Op<number> {
  const ports: readonly number[] = [PCI_EXP_TYPE.ROOT_PORT, PCI_EXP_TYPE.UPSTREAM, PCI_EXP_TYPE.DOWNSTREAM];
  if (pci_pcie_cap(dev) === 0 || !ports.includes(EXP_FLAGS.get(flags_of(dev), 'type'))) return -ENODEV;
  return yield* pcie_port_device_register(dev);
}

/** Source: drivers/pci/pcie/portdrv_core.c, pcie_port_device_remove() */
function* pcie_portdrv_remove(dev: PciDev): Op {
  const port = dev.drvdata as port_services;
  for (const { irq, dev_id } of port.requested) yield* free_irq(irq, dev_id);
  dev.drvdata = null;
  yield* pci_free_irq_vectors(dev);
  yield* pci_disable_device(dev);
}

export const pcie_portdriver: pci_driver = Object.freeze({ name: 'pcieport', probe: pcie_portdrv_probe, remove: pcie_portdrv_remove });

const PCI_CLASS_BRIDGE_PCI = 0x0604;

/** Any port: normal and subtractive decode. */
export const is_port = ({ hw }: PciDev): boolean => hw.config.class >>> 8 === PCI_CLASS_BRIDGE_PCI;
