import type { Op } from '../../stepper/op';
import { EEXIST, ENOENT } from '../lib/errno';
import type { PciDev } from '../include/pci';
import { kernel } from '../world';
import { ahci_pci_driver } from './ahci';
import { e1000_driver } from './e1000e';
import { nvme_queued_driver } from './nvme';
import { pcie_portdriver } from './pci/pcie/portdrv';
import { shpc_driver } from './pci/hotplug/shpchp';
import { vmd_drv } from './pci/controller/vmd';
import type { pci_driver } from './pci/pci-driver';
import { __pci_register_driver, type pci_match, pci_unregister_driver } from './pci/register';
import { virtio_blk_driver } from './virtio/blk';
import { register_virtio_driver, unregister_virtio_driver, type virtio_driver } from './virtio/bus';
import { virtio_net_driver_exit, virtio_net_driver_init } from './virtio/net';
import { virtio_pci_driver } from './virtio/pci';
import { virtio_rng_driver } from './virtio/rng';
import { xhci_pci_driver } from './xhci';

/** Globals of this file. */
export const modules_globals = () => ({
  /** names of those that are loaded */
  modules: new Set<string>(),
});

/** What runs when a module comes and when it goes. */
interface module {
  readonly init: () => Op;
  readonly exit: () => Op;
}

const pci_module = (driver: pci_driver, match: pci_match): module => ({
  init: () => __pci_register_driver(driver, match),
  exit: () => pci_unregister_driver(driver),
});

const virtio_module = (driver: virtio_driver): module => ({
  init: () => register_virtio_driver(driver),
  exit: () => unregister_virtio_driver(driver),
});

const of_class = (value: number): pci_match => ({ hw }) => hw.config.class === value;

const is_virtio = ({ hw: { config } }: PciDev): boolean => config.vendor === 0x1af4 && config.device >= 0x1000 && config.device <= 0x107f;
/** vmd_ids. Source: drivers/pci/controller/vmd.c */
const VMD_IDS: readonly number[] = [0x201d, 0x28c0, 0x467f, 0x4c3d, 0x9a0b];
const is_vmd_endpoint = ({ hw: { config } }: PciDev): boolean => config.vendor === 0x8086 && VMD_IDS.includes(config.device);
const is_82574 = ({ hw: { config } }: PciDev): boolean => config.vendor === 0x8086 && config.device === 0x10d3;

/** Modules with drivers whose interrupts are modelled. */
const MODULES: Record<string, module> = {
  nvme: pci_module(nvme_queued_driver, of_class(0x010802)),
  e1000e: pci_module(e1000_driver, is_82574),
  ahci: pci_module(ahci_pci_driver, of_class(0x010601)),
  xhci_pci: pci_module(xhci_pci_driver, of_class(0x0c0330)),
  vmd: pci_module(vmd_drv, is_vmd_endpoint),
  virtio_pci: pci_module(virtio_pci_driver, is_virtio),
  virtio_net: { init: virtio_net_driver_init, exit: virtio_net_driver_exit },
  virtio_blk: virtio_module(virtio_blk_driver),
  virtio_rng: virtio_module(virtio_rng_driver),
};

/** Names of the drivers of PCI functions that are modelled. */
export const PCI_DRIVERS: readonly string[] = [nvme_queued_driver, e1000_driver, ahci_pci_driver, xhci_pci_driver, virtio_pci_driver, pcie_portdriver, shpc_driver].map(({ name }) => name);

/** Whether a module's interrupts are modelled. */
export const has_module = (name: string): boolean => name in MODULES;

/** As `insmod NAME`. @returns 0; -ENOENT for a module that is not there, -EEXIST for one that is loaded */
export function* init_module(name: string): Op<number> {
  if (!has_module(name)) return -ENOENT;
  if (kernel.modules.has(name)) return -EEXIST;
  kernel.modules.add(name);
  yield* MODULES[name].init();
  return 0;
}

/** As `rmmod NAME`. @returns 0; -ENOENT for a module that is not loaded */
export function* delete_module(name: string): Op<number> {
  if (!kernel.modules.delete(name)) return -ENOENT;
  yield* MODULES[name].exit();
  return 0;
}
