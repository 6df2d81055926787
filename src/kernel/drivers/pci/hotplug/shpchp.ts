import { PCI_CAP_ID_SHPC, PCI_SECONDARY_BUS } from '../../../../hardware/pci-registers';
import type { Op } from '../../../../stepper/op';
import { IRQF_SHARED, IRQ_HANDLED } from '../../../include/interrupt';
import type { PciDev } from '../../../include/pci';
import { free_irq, request_irq } from '../../../irq/manage';
import { EBUSY, ENODEV } from '../../../lib/errno';
import { pr_err, pr_info } from '../../../lib/printk';
import { machine } from '../../../world';
import { pci_read_config_byte, pci_read_config_word } from '../access';
import { pci_disable_msi } from '../msi';
import { pci_enable_msi } from '../msi_api';
import { pci_enable_device, pci_find_capability, pci_set_master } from '../pci';
import type { pci_driver } from '../pci-driver';

// drivers/pci/hotplug/shpchp*.c: the Standard Hot Plug Controller of a conventional bridge. Its slots' events are not modelled.

const PCI_SUBSYSTEM = 0x2c;

function* shpc_isr(_irq: number, _context: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** Only _OSC is looked at: without one, firmware's OSHP method would have to be asked. Source: drivers/pci/hotplug/acpi_pcihp.c, acpi_get_hp_hw_control_from_firmware() */
function* acpi_get_hp_hw_control_from_firmware(): Op<number> {
  return (machine.config.osc ?? []).includes('SHPCHotplug') ? 0 : -ENODEV;
}

/** @returns 0 or an errno. Source: drivers/pci/hotplug/shpchp_hpc.c, shpc_init() */
function* shpc_init(dev: PciDev): Op<number> {
  const { vendor, device } = dev.hw.config;
  const [ss_vid, ss_did] = [pci_read_config_word(dev, PCI_SUBSYSTEM), pci_read_config_word(dev, PCI_SUBSYSTEM + 2)];
  pr_info(`shpchp ${dev.name}: HPC vendor_id ${vendor.toString(16)} device_id ${device.toString(16)} ss_vid ${ss_vid.toString(16)} ss_did ${ss_did.toString(16)}`);

  const rc = yield* pci_enable_device(dev);
  if (rc) return rc;

  if (yield* pci_enable_msi(dev)) pr_info(`shpchp ${dev.name}: Can't get msi for the hotplug controller`);
  else yield* pci_set_master(dev);
  return yield* request_irq(dev.irq, shpc_isr, IRQF_SHARED, 'shpchp', dev);
}

/** acpiphp came first: where ACPI can eject what is in a slot, the slot is acpiphp's. @returns 0 or -EBUSY. Source: drivers/pci/hotplug/shpchp_core.c, init_slots() */
function* init_slots(dev: PciDev): Op<number> {
  const bus = `${dev.name.slice(0, 5)}${pci_read_config_byte(dev, PCI_SECONDARY_BUS).toString(16).padStart(2, '0')}`;
  return (machine.config.ejectable ?? []).includes(bus) ? -EBUSY : 0;
}

/** Source: drivers/pci/hotplug/shpchp_hpc.c, hpc_release_ctlr() */
function* hpc_release_ctlr(dev: PciDev): Op {
  yield* free_irq(dev.irq, dev);
  yield* pci_disable_msi(dev);
}

/** @returns 0 or -ENODEV, whatever went wrong. Source: drivers/pci/hotplug/shpchp_core.c, shpc_probe() */
function* shpc_probe(dev: PciDev): Op<number> {
  if (!(yield* pci_find_capability(dev, PCI_CAP_ID_SHPC))) return -ENODEV;
  if (yield* acpi_get_hp_hw_control_from_firmware()) return -ENODEV;
  if (yield* shpc_init(dev)) return -ENODEV;

  const rc = yield* init_slots(dev);
  if (rc) {
    pr_err(`shpchp ${dev.name}: pci_hp_register failed with error ${rc}`);
    pr_err(`shpchp ${dev.name}: Slot initialization failed`);
    yield* hpc_release_ctlr(dev);
    return -ENODEV;
  }
  return 0;
}

/** For every bridge that no other driver has. */
export const shpc_driver: pci_driver = Object.freeze({ name: 'shpchp', probe: shpc_probe, remove: hpc_release_ctlr });
