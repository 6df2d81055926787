import { PCI_INTERRUPT_LINE } from '../../../hardware/pci-registers';
import type { Op } from '../../../stepper/op';
import { ACPI_ACTIVE_HIGH, ACPI_ACTIVE_LOW, ACPI_LEVEL_SENSITIVE, acpi_register_gsi, acpi_unregister_gsi } from '../../arch/x86/acpi/boot';
import { NR_IRQS_LEGACY } from '../../arch/x86/i8259';
import { IRQ_NOTCONNECTED } from '../../include/interrupt';
import { dev_driver_string, type PciDev } from '../../include/pci';
import { pr_warn } from '../../lib/printk';
import { kernel } from '../../world';
import { pci_read_config_byte } from '../pci/access';

/** What firmware writes into a function's interrupt line register when the pin goes nowhere. */
const NO_LINE = 0xff;

const pin_name = (pin: number): string => String.fromCharCode('A'.charCodeAt(0) + pin - 1);

/**
 * Where ACPI's routing table sends the pin; -1 = nowhere. To the 8259 pair it leads through a link, which then keeps the interrupt that firmware gave it
 * and wrote into the function's interrupt line register. Source: drivers/acpi/pci_irq.c, acpi_pci_irq_lookup(); drivers/acpi/pci_link.c, acpi_pci_link_allocate()
 */
function acpi_pci_irq_lookup(dev: PciDev): number {
  const line = kernel.acpi_ioapic ? 0 : pci_read_config_byte(dev, PCI_INTERRUPT_LINE);
  return line > 0 && line < NR_IRQS_LEGACY ? line : dev.hw.config.gsi;
}

/** Connect the function's INTx pin: dev.irq becomes the Linux irq of its GSI. @returns 0 or an errno. Source: drivers/acpi/pci_irq.c, acpi_pci_irq_enable() */
export function* acpi_pci_irq_enable(dev: PciDev): Op<number> {
  if (dev.pin === 0) return 0;
  if (dev.irq_managed && dev.irq > 0) return 0;

  const gsi = acpi_pci_irq_lookup(dev);
  if (gsi < 0) {
    if (dev.irq === NO_LINE) dev.irq = IRQ_NOTCONNECTED;
    pr_warn(`${dev_driver_string(dev)} ${dev.name}: PCI INT ${pin_name(dev.pin)}: ${dev.irq === IRQ_NOTCONNECTED ? 'not connected' : 'no GSI'}`);
    return 0;
  }

  const polarity = dev.hw.config.gsiActiveHigh ? ACPI_ACTIVE_HIGH : ACPI_ACTIVE_LOW;
  const rc = yield* acpi_register_gsi(dev, gsi, ACPI_LEVEL_SENSITIVE, polarity);
  if (rc < 0) {
    pr_warn(`${dev_driver_string(dev)} ${dev.name}: PCI INT ${pin_name(dev.pin)}: failed to register GSI`);
    return rc;
  }
  dev.irq = rc;
  dev.irq_managed = true;
  return 0;
}

/** Let go of the GSI; dev.irq stays. Source: drivers/acpi/pci_irq.c, acpi_pci_irq_disable() */
export function* acpi_pci_irq_disable(dev: PciDev): Op {
  if (dev.pin === 0 || !dev.irq_managed || dev.irq <= 0) return;

  const gsi = acpi_pci_irq_lookup(dev);
  if (gsi < 0) return;
  yield* acpi_unregister_gsi(gsi);
  dev.irq_managed = false;
}
