import type { irq_domain } from './irqdomain';
import type { msi_desc } from './msi';

/** struct device: what interrupt code sees of any device. */
export abstract class device {
  abstract readonly name: string;
  msi_domain: irq_domain | null = null;
  msi_list: msi_desc[] = [];
  /** what it is a part of; null for what stands for itself, such as a PCI function */
  readonly parent: device | null = null;
  /** its number on its bus, where its bus counts */
  readonly id: number = 0;

  constructor(
    /** NUMA node or -1 */
    public numa_node: number,
  ) {}
}

/** A part of a device that a driver makes a device of its own, such as a mediated device: no PCI function. */
export class subdevice extends device {
  static readonly struct = 'device';

  constructor(
    readonly name: string,
    override readonly parent: device,
    override readonly id: number,
  ) {
    super(parent.numa_node);
  }
}

/** Inlines of include/linux/device.h. */
export const dev_get_msi_domain = (dev: device): irq_domain | null => dev.msi_domain;
export const dev_set_msi_domain = (dev: device, domain: irq_domain | null): void => {
  dev.msi_domain = domain;
};
