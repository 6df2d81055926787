import { apic_chip_data_of, type apic_chip_data } from '../../../src/kernel/arch/x86/apic/apic_chip_data';
import { pci_alloc_irq_vectors, pci_alloc_irq_vectors_affinity } from '../../../src/kernel/drivers/pci/msi_api';
import { pci_enable_device, pci_set_master } from '../../../src/kernel/drivers/pci/pci';
import type { Kernel } from '../../../src/kernel/globals';
import { IRQ_HANDLED } from '../../../src/kernel/include/interrupt';
import { PCI_IRQ_AFFINITY, PCI_IRQ_MSIX, type PciDev } from '../../../src/kernel/include/pci';
import { free_irq, irq_set_affinity, request_irq } from '../../../src/kernel/irq/manage';
import { cpumask } from '../../../src/kernel/lib/cpumask';
import type { World } from '../../../src/kernel/world';
import { boot, type Options, plain, run } from './machines';

/** Device numbers of the machines. */
export const NIC = 3;
export const NVME = 4;

/** A booted machine with drivers for its devices. */
export class Rig {
  readonly world: World;
  readonly handled: { irq: number; cpu: number }[] = [];

  constructor(config = plain(), options?: Options) {
    this.world = boot(config, options);
  }

  get kernel(): Kernel {
    return this.world.kernel;
  }

  device(devfn: number): PciDev {
    return this.kernel.pci_devices.find(dev => dev.devfn === devfn << 3)!;
  }

  enable(dev: PciDev, cpu = 2): void {
    run(this.world, cpu, () => pci_enable_device(dev));
    run(this.world, cpu, () => pci_set_master(dev));
  }

  msix(dev: PciDev, count: number, cpu = 2): number {
    return run(this.world, cpu, () => pci_alloc_irq_vectors(dev, count, count, PCI_IRQ_MSIX));
  }

  /** One pre vector and `queues` managed ones. */
  queues(dev: PciDev, queues: number): number {
    const affd = { pre_vectors: 1, post_vectors: 0, nr_sets: 0, set_size: [] };
    return run(this.world, 2, () => pci_alloc_irq_vectors_affinity(dev, 2, 1 + queues, PCI_IRQ_MSIX | PCI_IRQ_AFFINITY, affd));
  }

  request(irq: number, cpu = 3): number {
    const note = (handled: number): void => void this.handled.push({ irq: handled, cpu: this.kernel.this_cpu });
    return run(this.world, cpu, () => request_irq(irq, function* (n) { note(n); return IRQ_HANDLED; }, 0, `irq${irq}`, 'me'));
  }

  move(irq: number, ...cpus: number[]): number {
    return run(this.world, 1, () => irq_set_affinity(irq, cpumask.of(this.kernel.nr_cpu_ids, ...cpus)));
  }

  raise(dev: PciDev, entry: number): void {
    run(this.world, 0, function* () { dev.hw.raise(entry); });
  }

  free(irq: number): void {
    run(this.world, 0, () => free_irq(irq, 'me'));
  }

  chip(irq: number): apic_chip_data {
    return apic_chip_data_of(this.kernel.irq_desc_tree.get(irq)!.irq_data)!;
  }

  place(irq: number): { cpu: number; vector: number } {
    const { cpu, vector } = this.chip(irq);
    return { cpu, vector };
  }
}
