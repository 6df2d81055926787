import { BAR, COMMAND, PCI_BASE_ADDRESS_0, PCI_CAPABILITY_LIST, PCI_COMMAND, PCI_CONFIG_SIZE, PCI_INTERRUPT_PIN, PCI_STATUS, STATUS } from '../../../hardware/pci-registers';
import { EXT_CAP } from '../../../hardware/sriov';
import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import { WARN_ON_ONCE } from '../../lib/printk';
import { kernel } from '../../world';
import { pci_read_config_byte, pci_read_config_dword, pci_read_config_word, pci_write_config_word } from './access';

const BAR_TYPE_64 = 2;

const pci_dev_msi_enabled = (dev: PciDev): boolean => dev.msi_enabled || dev.msix_enabled;

/** Capabilities that a list may have: one that goes round ends here. */
const PCI_FIND_CAP_TTL = 48;
/** Standard header's size: no capability lies below. */
const PCI_STD_HEADER_SIZEOF = 0x40;

/** @returns the config offset of a capability; 0 for none. Source: drivers/pci/pci.c, pci_find_capability() */
export function* pci_find_capability(dev: PciDev, cap: number): Op<number> {
  if (STATUS.get(pci_read_config_word(dev, PCI_STATUS), 'cap_list') === 0) return 0;

  let pos = pci_read_config_byte(dev, PCI_CAPABILITY_LIST);
  for (let ttl = PCI_FIND_CAP_TTL; ttl > 0 && pos >= PCI_STD_HEADER_SIZEOF; ttl--) {
    pos &= ~3;
    const id = pci_read_config_byte(dev, pos);
    if (id === 0xff) return 0;
    if (id === cap) return pos;
    pos = pci_read_config_byte(dev, pos + 1);
  }
  return 0;
}

/** Where those of PCI Express begin. */
const PCI_CFG_SPACE_SIZE = 0x100;

/** @returns the config offset of an extended capability; 0 for none. Source: drivers/pci/pci.c, pci_find_ext_capability() */
export function* pci_find_ext_capability(dev: PciDev, cap: number): Op<number> {
  let pos = PCI_CFG_SPACE_SIZE;
  let header = EXT_CAP.decode(pci_read_config_dword(dev, pos));
  for (let ttl = (PCI_CONFIG_SIZE - PCI_CFG_SPACE_SIZE) / 8; ttl > 0 && header.id !== 0; ttl--) {
    if (header.id === cap) return pos;
    pos = header.next;
    if (pos < PCI_CFG_SPACE_SIZE) return 0;
    header = EXT_CAP.decode(pci_read_config_dword(dev, pos));
  }
  return 0;
}

/** Where a memory BAR lies, physically; 0 for none, and for I/O. Source: include/linux/pci.h, pci_resource_start(); drivers/pci/probe.c, __pci_read_base() */
export function pci_resource_start(dev: PciDev, bar: number): number {
  if (dev.is_virtfn) return dev.resource[bar] ?? 0;
  const reg = PCI_BASE_ADDRESS_0 + 4 * bar;
  const low = bar < 6 ? BAR.decode(pci_read_config_dword(dev, reg)) : undefined;
  if (!low || low.io) return 0;
  const high = low.type === BAR_TYPE_64 ? pci_read_config_dword(dev, reg + 4) : 0;
  return high * 2 ** 32 + low.base * 16;
}

/** Change bits of the command register, writing only when something changes. */
function* pci_change_command(dev: PciDev, bits: Parameters<typeof COMMAND.with>[1]): Op {
  const cmd = pci_read_config_word(dev, PCI_COMMAND);
  const wanted = COMMAND.with(cmd, bits);
  if (wanted !== cmd) pci_write_config_word(dev, PCI_COMMAND, wanted);
}

/** Let the function drive its INTx line, or not. Source: drivers/pci/pci.c, pci_intx() */
export function* pci_intx(pdev: PciDev, enable: number): Op {
  yield* pci_change_command(pdev, { intx_disable: !enable });
}

/** Let the function write to memory, so that it can send messages. Source: drivers/pci/pci.c, pci_set_master() */
export function* pci_set_master(dev: PciDev): Op {
  yield* pci_change_command(dev, { bus_master: 1 });
  dev.is_busmaster = true;
}

/** @returns 0 or an errno. Source: arch/x86/pci/common.c, pcibios_enable_device() */
function* pcibios_enable_device(dev: PciDev): Op<number> {
  yield* pci_change_command(dev, { memory: 1 });
  if (!pci_dev_msi_enabled(dev)) return yield* kernel.pcibios_enable_irq(dev);
  return 0;
}

/** Source: arch/x86/pci/common.c, pcibios_disable_device() */
function* pcibios_disable_device(dev: PciDev): Op {
  if (!pci_dev_msi_enabled(dev) && kernel.pcibios_disable_irq) yield* kernel.pcibios_disable_irq(dev);
}

/** Source: drivers/pci/pci.c, do_pci_enable_device() */
function* do_pci_enable_device(dev: PciDev): Op<number> {
  const err = yield* pcibios_enable_device(dev);
  if (err < 0) return err;

  if (pci_dev_msi_enabled(dev)) return 0;

  if (pci_read_config_byte(dev, PCI_INTERRUPT_PIN) !== 0) yield* pci_change_command(dev, { intx_disable: 0 });
  return 0;
}

/** @returns 0 or an errno; enabling nests. Source: drivers/pci/pci.c, pci_enable_device(), pci_enable_device_flags() */
export function* pci_enable_device(dev: PciDev): Op<number> {
  if (++dev.enable_cnt > 1) return 0;

  const err = yield* do_pci_enable_device(dev);
  if (err < 0) dev.enable_cnt--;
  return err;
}

/** Source: drivers/pci/pci.c, do_pci_disable_device() */
function* do_pci_disable_device(dev: PciDev): Op {
  yield* pci_change_command(dev, { bus_master: 0 });
  yield* pcibios_disable_device(dev);
}

/** Source: drivers/pci/pci.c, pci_disable_device() */
export function* pci_disable_device(dev: PciDev): Op {
  WARN_ON_ONCE(dev.enable_cnt <= 0, 'drivers/pci/pci.c pci_disable_device');

  if (--dev.enable_cnt !== 0) return;
  yield* do_pci_disable_device(dev);
  dev.is_busmaster = false;
}

export const pci_is_enabled = (dev: PciDev): boolean => dev.enable_cnt > 0;

/** pci= of the command line. Source: drivers/pci/pci.c, pci_setup() */
export function* pci_setup(str: string): Op {
  for (const option of str.split(',')) if (option === 'nomsi') kernel.pci_msi_enable = false;
}
