import type { Op } from '../../stepper/op';
import { devres_add } from '../drivers/base/devres';
import { type irq_domain, IRQ_DOMAIN_FLAG, irq_domain_is_msi_device, irq_domain_is_msi_parent } from '../include/irqdomain';
import { MSI_DEFAULT_DOMAIN, MSI_MAX_DEVICE_IRQDOMAINS, MSI_XA_DOMAIN_SIZE, type msi_domain_info, type msi_domain_template } from '../include/msi';
import type { PciDev } from '../include/pci';
import { WARN_ON_ONCE } from '../lib/printk';
import { kzalloc } from '../lib/slab';
import { has } from '../world';
import { irq_domain_alloc_named_fwnode, irq_domain_remove } from './irqdomain';
import { __msi_create_irq_domain } from './msi';

// What a device of later kernels keeps for its messages, in v6.2 domains of its own, too. It is one of its resources: it stays until a driver goes.

function* msi_device_data_release(dev: PciDev): Op {
  for (let domid = 0; domid < MSI_MAX_DEVICE_IRQDOMAINS; domid++) {
    yield* msi_remove_device_irq_domain(dev, domid);
    WARN_ON_ONCE(dev.msi_data!.__domains[domid].store.length > 0, 'kernel/irq/msi.c msi_device_data_release');
  }
  dev.msi_data = null;
}

/** Before a device's first message. A domain for many devices counts as its own. Source: kernel/irq/msi.c (v5.17), msi_setup_device_data() */
export function* msi_setup_device_data(dev: PciDev): Op {
  if (dev.msi_data) return;
  yield* devres_add(dev, msi_device_data_release, null);
  const global = has('msi-parent-domains') && dev.msi_domain && !irq_domain_is_msi_parent(dev.msi_domain) ? dev.msi_domain : null;
  dev.msi_data = { __domains: Array.from({ length: MSI_MAX_DEVICE_IRQDOMAINS }, (_, domid) => ({ domain: domid === MSI_DEFAULT_DOMAIN ? global : null, store: [] })) };
}

/** One of a device's domains. Source: kernel/irq/msi.c (v6.2), msi_get_device_domain() */
export function* msi_get_device_domain(dev: PciDev, domid: number): Op<irq_domain | null> {
  const domain = dev.msi_data?.__domains[domid].domain;
  if (!domain || WARN_ON_ONCE(irq_domain_is_msi_parent(domain), 'kernel/irq/msi.c msi_get_device_domain')) return null;
  return domain;
}

/** Whether a device has a domain of its own of that kind there. Source: kernel/irq/msi.c (v6.2), msi_match_device_irq_domain() */
export function* msi_match_device_irq_domain(dev: PciDev, domid: number, bus_token: number): Op<boolean> {
  const domain = yield* msi_get_device_domain(dev, domid);
  return domain !== null && irq_domain_is_msi_device(domain) && domain.bus_token === bus_token;
}

/** How many messages there can be. Source: kernel/irq/msi.c (v6.2), msi_domain_get_hwsize() */
export function* msi_domain_get_hwsize(dev: PciDev, domid: number): Op<number> {
  const domain = yield* msi_get_device_domain(dev, domid);
  return domain ? (domain.host_data as msi_domain_info).hwsize! : MSI_XA_DOMAIN_SIZE;
}

/** For a domain on top of one that leaves it to its parent what a device's domain may do. Source: kernel/irq/msi.c (v6.2), msi_parent_init_dev_msi_info() */
export function* msi_parent_init_dev_msi_info(dev: PciDev, domain: irq_domain, msi_parent_domain: irq_domain, msi_child_info: msi_domain_info): Op<boolean> {
  const { parent } = domain;
  if (WARN_ON_ONCE(!parent?.msi_parent_ops, 'kernel/irq/msi.c msi_parent_init_dev_msi_info')) return false;
  return yield* parent!.msi_parent_ops!.init_dev_msi_info(dev, parent!, msi_parent_domain, msi_child_info);
}

/**
 * Gives a device a domain of its own, on top of the one that its bus has for that. Its chip and the domain are called after the device.
 * @param domid which of its domains it shall be @param hwsize of the device's table; 0: as large as it can be @param domain_data msi_domain_info.data @param chip_data of its interrupts
 * @returns false where the domain below has nothing to do with devices, or refuses. Source: kernel/irq/msi.c (v6.2), msi_create_device_irq_domain()
 */
export function* msi_create_device_irq_domain(dev: PciDev, domid: number, template: msi_domain_template, hwsize: number, domain_data: unknown, chip_data: unknown): Op<boolean> {
  const parent = dev.msi_domain!;
  if (!irq_domain_is_msi_parent(parent)) return false;
  if (domid >= MSI_MAX_DEVICE_IRQDOMAINS) return false;

  const pops = parent.msi_parent_ops!;
  const name = `${pops.prefix}${template.chip.name}-${dev.name}`;
  const info = kzalloc<msi_domain_info>('msi_create_device_irq_domain: struct msi_domain_template', () => ({
    flags: template.flags, ops: { ...template.ops }, chip: { ...template.chip, name }, bus_token: template.bus_token, hwsize, data: domain_data, chip_data,
  }));
  if (!info) return false;

  const fwnode = yield* irq_domain_alloc_named_fwnode(name);
  yield* msi_setup_device_data(dev);
  if (WARN_ON_ONCE((yield* msi_get_device_domain(dev, domid)) !== null, 'kernel/irq/msi.c msi_create_device_irq_domain')) return false;
  if (!(yield* pops.init_dev_msi_info(dev, parent, parent, info))) return false;

  const domain = yield* __msi_create_irq_domain(fwnode, info, IRQ_DOMAIN_FLAG.MSI_DEVICE, parent);
  if (!domain) return false;

  domain.dev = dev;
  dev.msi_data!.__domains[domid].domain = domain;
  return true;
}

/** Source: kernel/irq/msi.c (v6.2), msi_remove_device_irq_domain() */
export function* msi_remove_device_irq_domain(dev: PciDev, domid: number): Op {
  const domain = yield* msi_get_device_domain(dev, domid);
  if (!domain || !irq_domain_is_msi_device(domain)) return;

  dev.msi_data!.__domains[domid].domain = null;
  yield* irq_domain_remove(domain);
}
