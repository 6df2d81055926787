import { PCI_EXT_CAP_ID_SRIOV, PCI_SRIOV_BAR, PCI_SRIOV_CTRL, PCI_SRIOV_INITIAL_VF, PCI_SRIOV_NUM_VF, PCI_SRIOV_TOTAL_VF, PCI_SRIOV_VF_DID, PCI_SRIOV_VF_OFFSET, PCI_SRIOV_VF_STRIDE, SRIOV_CTRL } from '../../../hardware/sriov';
import type { Op } from '../../../stepper/op';
import { dev_driver_string, pci_domain_nr, type PciDev } from '../../include/pci';
import { EBUSY, EINVAL, EIO, ENODEV, ENOENT, ERANGE } from '../../lib/errno';
import { pr_info, pr_warn } from '../../lib/printk';
import { pci_read_config_dword, pci_read_config_word, pci_write_config_dword, pci_write_config_word } from './access';
import { pci_stop_and_remove_bus_device } from './bus';
import { pci_find_ext_capability } from './pci';
import { pci_alloc_dev, pci_device_add, pci_get_domain_bus_and_slot, pci_setup_device } from './probe';
import { device_attach } from './register';

// drivers/pci/iov.c: functions that a function makes of itself. They are on its bus: those of other buses are not modelled.

/** Source: pci_iov_virtfn_devfn() */
const pci_iov_virtfn_devfn = (dev: PciDev, vf_id: number): number => (dev.devfn + dev.sriov!.offset + dev.sriov!.stride * vf_id) & 0xff;

/** Where they are may depend on how many there are. Source: pci_iov_set_numvfs() */
function* pci_iov_set_numvfs(dev: PciDev, nr_virtfn: number): Op {
  const iov = dev.sriov!;
  pci_write_config_word(dev, iov.pos + PCI_SRIOV_NUM_VF, nr_virtfn);
  iov.offset = pci_read_config_word(dev, iov.pos + PCI_SRIOV_VF_OFFSET);
  iov.stride = pci_read_config_word(dev, iov.pos + PCI_SRIOV_VF_STRIDE);
}

/** @returns the bytes of a BAR: which of its address bits can be written. Source: drivers/pci/probe.c, __pci_read_base() */
function* bar_size(dev: PciDev, reg: number): Op<number> {
  const before = pci_read_config_dword(dev, reg);
  pci_write_config_dword(dev, reg, 0xffffffff);
  const writable = pci_read_config_dword(dev, reg) & ~0xf;
  pci_write_config_dword(dev, reg, before);
  return -writable;
}

/** @returns 0 or an errno: the function is used all the same. Source: sriov_init() */
function* sriov_init(dev: PciDev, pos: number): Op<number> {
  // What firmware left enabled goes.
  if (SRIOV_CTRL.get(pci_read_config_word(dev, pos + PCI_SRIOV_CTRL), 'vf_enable')) pci_write_config_word(dev, pos + PCI_SRIOV_CTRL, 0);

  const total_VFs = pci_read_config_word(dev, pos + PCI_SRIOV_TOTAL_VF);
  if (total_VFs === 0) return 0;

  const barsz = [yield* bar_size(dev, pos + PCI_SRIOV_BAR)];
  const vf_device = pci_read_config_word(dev, pos + PCI_SRIOV_VF_DID);
  dev.sriov = { pos, total_VFs, initial_VFs: 0, num_VFs: 0, offset: 0, stride: 0, ctrl: 0, vf_device, barsz };
  dev.is_physfn = true;

  const rc = yield* compute_max_vf_buses(dev);
  if (rc) {
    dev.sriov = null;
    dev.is_physfn = false;
  }
  return rc;
}

/** Each number of them must be possible. @returns 0 or -EIO. Source: compute_max_vf_buses() */
function* compute_max_vf_buses(dev: PciDev): Op<number> {
  const iov = dev.sriov!;
  let rc = 0;
  for (let nr_virtfn = iov.total_VFs; nr_virtfn > 0 && rc === 0; nr_virtfn--) {
    yield* pci_iov_set_numvfs(dev, nr_virtfn);
    if (iov.offset === 0 || (nr_virtfn > 1 && iov.stride === 0)) rc = -EIO;
  }
  yield* pci_iov_set_numvfs(dev, 0);
  return rc;
}

/** @returns 0, or -ENODEV for a function without the capability. Source: pci_iov_init() */
export function* pci_iov_init(dev: PciDev): Op<number> {
  if (dev.pcie_type === null) return -ENODEV;

  const pos = yield* pci_find_ext_capability(dev, PCI_EXT_CAP_ID_SRIOV);
  return pos ? yield* sriov_init(dev, pos) : -ENODEV;
}

/** A driver goes. Source: pci_iov_remove() */
export function* pci_iov_remove(dev: PciDev): Op {
  if (dev.sriov && dev.sriov.num_VFs > 0) pr_warn(`${dev_driver_string(dev)} ${dev.name}: driver left SR-IOV enabled after remove`);
}

/** A virtual function is a device like any other from here on, but for its ids and BARs, which its physical one knows. @returns 0. Source: pci_iov_add_virtfn() */
function* pci_iov_add_virtfn(dev: PciDev, id: number): Op<number> {
  const iov = dev.sriov!;
  const bus = dev.parent_bus;
  const devfn = pci_iov_virtfn_devfn(dev, id);
  const fn = bus.functions.find(one => one.bus === dev.bus && one.devfn === devfn)!;

  const virtfn = yield* pci_alloc_dev(bus, fn);
  virtfn.is_virtfn = true;
  virtfn.physfn = dev;

  yield* pci_setup_device(virtfn);
  virtfn.resource = iov.barsz.map((size, i) => pci_read_config_dword(dev, iov.pos + PCI_SRIOV_BAR + 4 * i) + size * id);

  yield* pci_device_add(virtfn);
  yield* device_attach(virtfn);
  return 0;
}

/** Source: pci_iov_remove_virtfn() */
function* pci_iov_remove_virtfn(dev: PciDev, id: number): Op {
  const virtfn = pci_get_domain_bus_and_slot(pci_domain_nr(dev.parent_bus), dev.bus, pci_iov_virtfn_devfn(dev, id));
  if (virtfn) yield* pci_stop_and_remove_bus_device(virtfn);
}

/** Source: sriov_add_vfs() */
function* sriov_add_vfs(dev: PciDev, num_vfs: number): Op<number> {
  for (let i = 0; i < num_vfs; i++) yield* pci_iov_add_virtfn(dev, i);
  return 0;
}

/** @returns 0, -EINVAL where there are some or for too many, -EIO for a function that contradicts itself. Source: sriov_enable() */
function* sriov_enable(dev: PciDev, nr_virtfn: number): Op<number> {
  const iov = dev.sriov!;
  if (nr_virtfn === 0) return 0;
  if (iov.num_VFs) return -EINVAL;

  const initial = pci_read_config_word(dev, iov.pos + PCI_SRIOV_INITIAL_VF);
  if (initial !== iov.total_VFs) return -EIO;
  if (nr_virtfn < 0 || nr_virtfn > initial) return -EINVAL;
  iov.initial_VFs = initial;

  yield* pci_iov_set_numvfs(dev, nr_virtfn);
  iov.ctrl = SRIOV_CTRL.with(iov.ctrl, { vf_enable: 1, vf_memory: 1 });
  pci_write_config_word(dev, iov.pos + PCI_SRIOV_CTRL, iov.ctrl);

  yield* sriov_add_vfs(dev, nr_virtfn);
  iov.num_VFs = nr_virtfn;
  return 0;
}

/** Source: sriov_disable() */
function* sriov_disable(dev: PciDev): Op {
  const iov = dev.sriov!;
  if (!iov.num_VFs) return;

  for (let i = 0; i < iov.num_VFs; i++) yield* pci_iov_remove_virtfn(dev, i);
  iov.ctrl = SRIOV_CTRL.with(iov.ctrl, { vf_enable: 0, vf_memory: 0 });
  pci_write_config_word(dev, iov.pos + PCI_SRIOV_CTRL, iov.ctrl);

  iov.num_VFs = 0;
  yield* pci_iov_set_numvfs(dev, 0);
}

/** For drivers that need do nothing else. @returns how many there are, or an errno. Source: pci_sriov_configure_simple() */
export function* pci_sriov_configure_simple(dev: PciDev, nr_virtfn: number): Op<number> {
  if (!dev.is_physfn) return -ENODEV;

  if (nr_virtfn === 0) {
    yield* sriov_disable(dev);
    return 0;
  }

  const rc = yield* sriov_enable(dev, nr_virtfn);
  return rc < 0 ? rc : nr_virtfn;
}

/** A write to sriov_numvfs. @returns 0, -ERANGE for more than the function can make, -ENOENT without a driver that does it, -EBUSY where there are some, or as the driver. Source: sriov_numvfs_store() */
export function* sriov_numvfs_store(pdev: PciDev, num_vfs: number): Op<number> {
  const iov = pdev.sriov!;
  if (num_vfs > iov.total_VFs) return -ERANGE;

  if (num_vfs === iov.num_VFs) return 0;

  const configure = pdev.drv?.sriov_configure;
  if (!configure) {
    pr_info(`${dev_driver_string(pdev)} ${pdev.name}: Driver does not support SRIOV configuration via sysfs`);
    return -ENOENT;
  }

  if (num_vfs === 0) return yield* configure(pdev, 0);

  if (iov.num_VFs) {
    pr_warn(`${dev_driver_string(pdev)} ${pdev.name}: ${iov.num_VFs} VFs already enabled. Disable before enabling ${num_vfs} VFs`);
    return -EBUSY;
  }

  const ret = yield* configure(pdev, num_vfs);
  return Math.min(ret, 0);
}
