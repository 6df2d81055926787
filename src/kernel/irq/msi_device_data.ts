import type { Op } from '../../stepper/op';
import { devres_add } from '../drivers/base/devres';
import { type irq_domain, IRQ_DOMAIN_FLAG, irq_domain_is_msi_device, irq_domain_is_msi_parent } from '../include/irqdomain';
import type { msi_domain_info, msi_domain_template } from '../include/msi';
import type { PciDev } from '../include/pci';
import { WARN_ON_ONCE } from '../lib/printk';
import { irq_domain_alloc_named_fwnode, irq_domain_remove } from './irqdomain';
import { __msi_create_irq_domain } from './msi';

// What a device of later kernels keeps for its messages, in v6.2 a domain of its own, too. It is one of its resources: it stays until a driver goes.

function* msi_device_data_release(dev: PciDev): Op {
  yield* msi_remove_device_irq_domain(dev);
  dev.msi_data = null;
}

/** Before a device's first message. Source: kernel/irq/msi.c (v5.17), msi_setup_device_data() */
export function* msi_setup_device_data(dev: PciDev): Op {
  if (dev.msi_data) return;
  yield* devres_add(dev, msi_device_data_release, null);
  dev.msi_data = { domain: null };
}

/** Where a device's messages are: its own domain, or one for many devices. Source: kernel/irq/msi.c (v6.2), msi_get_device_domain() */
export function* msi_get_device_domain(dev: PciDev): Op<irq_domain | null> {
  const domain = dev.msi_data?.domain ?? dev.msi_domain;
  if (!domain || WARN_ON_ONCE(irq_domain_is_msi_parent(domain), 'kernel/irq/msi.c msi_get_device_domain')) return null;
  return domain;
}

/** Whether a device has a domain of its own of that kind. Source: kernel/irq/msi.c (v6.2), msi_match_device_irq_domain() */
export function* msi_match_device_irq_domain(dev: PciDev, bus_token: number): Op<boolean> {
  const domain = dev.msi_data?.domain;
  return domain?.bus_token === bus_token;
}

/**
 * Gives a device a domain of its own, on top of the one that its bus has for that. Its chip and the domain are called after the device.
 * @returns false where the domain below has nothing to do with devices, or refuses. Source: kernel/irq/msi.c (v6.2), msi_create_device_irq_domain()
 */
export function* msi_create_device_irq_domain(dev: PciDev, template: msi_domain_template): Op<boolean> {
  const parent = dev.msi_domain!;
  const pops = parent.msi_parent_ops;
  if (!pops) return false;

  const name = `${pops.prefix}${template.chip.name}-${dev.name}`;
  const info: msi_domain_info = { flags: template.flags, ops: { ...template.ops }, chip: { ...template.chip, name }, bus_token: template.bus_token };
  const fwnode = yield* irq_domain_alloc_named_fwnode(name);
  yield* msi_setup_device_data(dev);
  if (!(yield* pops.init_dev_msi_info(dev, parent, parent, info))) return false;

  const domain = yield* __msi_create_irq_domain(fwnode, info, IRQ_DOMAIN_FLAG.MSI_DEVICE, parent);
  domain.dev = dev;
  dev.msi_data!.domain = domain;
  return true;
}

/** Source: kernel/irq/msi.c (v6.2), msi_remove_device_irq_domain() */
export function* msi_remove_device_irq_domain(dev: PciDev): Op {
  const domain = dev.msi_data?.domain;
  if (!domain || !irq_domain_is_msi_device(domain)) return;
  dev.msi_data!.domain = null;
  yield* irq_domain_remove(domain);
}
