import type { PciDev } from '../kernel/include/pci';
import type { World } from '../kernel/world';
import { type TextFile, KernelReadError } from './text-file';

/** What /sys/bus/pci/devices/ADDRESS tells of interrupts. Source: drivers/pci/pci-sysfs.c; drivers/pci/msi.c, populate_msi_sysfs() */
export function sysPciFiles(world: World): TextFile[] {
  return world.kernel.pci_devices.flatMap(dev => {
    const folder = `/sys/bus/pci/devices/${dev.name}`;
    const irqs = (dev.msi_irqs ?? []).map(irq => ({ path: `${folder}/msi_irqs/${irq}`, read: () => msiMode(world, irq, `${folder}/msi_irqs/${irq}`) }));
    return [
      { path: `${folder}/irq`, read: () => `${dev.irq}\n` },
      { path: `${folder}/msi_bus`, read: () => `${mayUseMsi(dev) ? 1 : 0}\n` },
      ...irqs,
    ];
  });
}

/** A bridge answers for what is behind it; no bridge of the model forbids messages. */
const mayUseMsi = (dev: PciDev): boolean => !dev.no_msi;

/** Source: drivers/pci/msi.c, msi_mode_show() */
function msiMode({ kernel }: World, irq: number, path: string): string {
  const entry = kernel.irq_desc_tree.get(irq)?.irq_common_data.msi_desc;
  if (!entry) throw new KernelReadError(path, 'ENODEV', 'the interrupt is freed already');
  return entry.msi_attrib.is_msix ? 'msix\n' : 'msi\n';
}
