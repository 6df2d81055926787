import type { Op } from '../../../stepper/op';
import { irq_alloc_info } from '../../arch/x86/hw_irq';
import type { device } from '../../include/device';
import { IRQCHIP_SUPPORTS_LEVEL_MSI, type irq_data, irq_data_get_msi_desc } from '../../include/irq';
import { DOMAIN_BUS, type fwnode_handle, type irq_domain, type irq_domain_ops } from '../../include/irqdomain';
import { MSI_FLAG, type msi_alloc_info_t, type msi_desc, type msi_domain_info, type msi_msg } from '../../include/msi';
import { irq_chip_ack_parent, irq_chip_eoi_parent, irq_chip_mask_parent, irq_chip_unmask_parent } from '../../irq/chip';
import { irq_domain_create_hierarchy, irq_domain_free_irqs_common, irq_domain_remove, irq_domain_set_hwirq_and_chip, irq_domain_update_bus_token } from '../../irq/irqdomain';
import {
  alloc_msi_entry, msi_create_irq_domain, msi_domain_alloc_irqs, msi_domain_free_irqs, msi_domain_populate_irqs, msi_domain_prepare_irqs, msi_domain_set_affinity,
} from '../../irq/msi';
import { EBUSY, EINVAL, ENOMEM } from '../../lib/errno';
import { ida, ida_simple_get, ida_simple_remove } from '../../lib/ida';
import { pr_err, WARN_ON } from '../../lib/printk';
import { kzalloc } from '../../lib/slab';
import { has, kernel } from '../../world';

// Messages of devices that are not PCI, each of which writes them by a callback of its driver: drivers/base/platform-msi.c.

const DEV_ID_SHIFT = 21;
/** Messages that one device may have. */
export const MAX_DEV_MSIS = 1 << (32 - DEV_ID_SHIFT);

/** Puts a message where the device finds it. */
export type irq_write_msi_msg_t = (desc: msi_desc, msg: msi_msg) => Op;

/** What all messages of a device share. */
export class platform_msi_priv_data {
  host_data: unknown = null;
  readonly arg: msi_alloc_info_t = new irq_alloc_info();

  constructor(
    readonly dev: device,
    /** made up, so that hwirqs of two devices differ */
    readonly devid: number,
    readonly write_msg: irq_write_msi_msg_t,
  ) {}
}

export const platform_msi_globals = () => ({
  platform_msi_devid_ida: new ida(),
});

/** Architectures whose allocation info is that of asm-generic/msi.h: x86 has its own, and so none of what needs this. */
const GENERIC_MSI_DOMAIN_OPS = (): boolean => kernel.config.config.has('GENERIC_MSI_DOMAIN_OPS');

/** Source: drivers/base/platform-msi.c, platform_msi_calc_hwirq() */
const platform_msi_calc_hwirq = ({ platform }: msi_desc): number => ((platform!.msi_priv_data.devid << (32 - DEV_ID_SHIFT)) | platform!.msi_index) >>> 0;

/** Source: drivers/base/platform-msi.c, platform_msi_set_desc() */
function* platform_msi_set_desc(arg: msi_alloc_info_t, desc: msi_desc): Op {
  arg.desc = desc;
  arg.hwirq = platform_msi_calc_hwirq(desc);
}

/** Source: drivers/base/platform-msi.c, platform_msi_init() */
function* platform_msi_init(domain: irq_domain, info: msi_domain_info, virq: number, hwirq: number, _arg: msi_alloc_info_t): Op<number> {
  return yield* irq_domain_set_hwirq_and_chip(domain, virq, hwirq, info.chip, info.chip_data ?? null);
}

/** Source: drivers/base/platform-msi.c, platform_msi_update_dom_ops() */
function* platform_msi_update_dom_ops(info: msi_domain_info): Op {
  if (!GENERIC_MSI_DOMAIN_OPS()) return;

  info.ops.msi_init ??= platform_msi_init;
  info.ops.set_desc ??= platform_msi_set_desc;
}

/** Source: drivers/base/platform-msi.c, platform_msi_write_msg() */
function* platform_msi_write_msg(data: irq_data, msg: msi_msg): Op {
  const desc = irq_data_get_msi_desc(data)!;
  yield* desc.platform!.msi_priv_data.write_msg(desc, msg);
}

/** What the chip does not say itself its parent does. Source: drivers/base/platform-msi.c, platform_msi_update_chip_ops() */
export function* platform_msi_update_chip_ops(info: msi_domain_info): Op {
  const { chip } = info;

  chip.irq_mask ??= irq_chip_mask_parent;
  chip.irq_unmask ??= irq_chip_unmask_parent;
  if (has('v2-41')) chip.irq_ack ??= irq_chip_ack_parent;
  chip.irq_eoi ??= irq_chip_eoi_parent;
  chip.irq_set_affinity ??= msi_domain_set_affinity;
  chip.irq_write_msi_msg ??= platform_msi_write_msg;

  const level = (info.flags & MSI_FLAG.LEVEL_CAPABLE) !== 0 && !(chip.flags & IRQCHIP_SUPPORTS_LEVEL_MSI);
  if (WARN_ON(level, 'drivers/base/platform-msi.c platform_msi_update_chip_ops')) info.flags &= ~MSI_FLAG.LEVEL_CAPABLE;
}

/** Those with index base to base + nvec - 1. Source: drivers/base/platform-msi.c, platform_msi_free_descs() */
function* platform_msi_free_descs(dev: device, base: number, nvec: number): Op {
  dev.msi_list = dev.msi_list.filter(({ platform }) => !(platform && platform.msi_index >= base && platform.msi_index < base + nvec));
}

/** @param virq the first of `nvec` interrupts that exist already; 0 = none. @returns 0 or -ENOMEM. Source: drivers/base/platform-msi.c, platform_msi_alloc_descs_with_irq() */
function* platform_msi_alloc_descs_with_irq(dev: device, virq: number, nvec: number, data: platform_msi_priv_data): Op<number> {
  const last = dev.msi_list.at(-1);
  const base = last ? last.platform!.msi_index + 1 : 0;

  for (let i = 0; i < nvec; i++) {
    const desc = yield* alloc_msi_entry(dev, 1, null);
    if (!desc) {
      yield* platform_msi_free_descs(dev, base, nvec);
      return -ENOMEM;
    }
    desc.platform = { msi_priv_data: data, msi_index: base + i };
    desc.irq = virq ? virq + i : 0;
    dev.msi_list.push(desc);
  }
  return 0;
}

/** A domain for devices that are not PCI; `info` is completed in place. Source: drivers/base/platform-msi.c, platform_msi_create_irq_domain() */
export function* platform_msi_create_irq_domain(fwnode: fwnode_handle | null, info: msi_domain_info, parent: irq_domain | null): Op<irq_domain> {
  if (info.flags & MSI_FLAG.USE_DEF_DOM_OPS) yield* platform_msi_update_dom_ops(info);
  if (info.flags & MSI_FLAG.USE_DEF_CHIP_OPS) yield* platform_msi_update_chip_ops(info);

  const domain = yield* msi_create_irq_domain(fwnode, info, parent);
  yield* irq_domain_update_bus_token(domain, DOMAIN_BUS.PLATFORM_MSI);
  return domain;
}

/** @returns it, or -EINVAL, -EBUSY for a device that has messages already, -ENOMEM, or as ida_simple_get(). Source: drivers/base/platform-msi.c, platform_msi_alloc_priv_data() */
function* platform_msi_alloc_priv_data(dev: device, nvec: number, write_msi_msg: irq_write_msi_msg_t | null): Op<platform_msi_priv_data | number> {
  if (!dev.msi_domain || !write_msi_msg || !nvec || nvec > MAX_DEV_MSIS) return -EINVAL;

  if (dev.msi_domain.bus_token !== DOMAIN_BUS.PLATFORM_MSI) {
    pr_err(`platform ${dev.name}: Incompatible msi_domain, giving up`);
    return -EINVAL;
  }
  if (dev.msi_list.length > 0) return -EBUSY;

  const datap = kzalloc('platform_msi_alloc_priv_data: struct platform_msi_priv_data', () => true);
  if (!datap) return -ENOMEM;

  const devid = ida_simple_get(kernel.platform_msi_devid_ida, 0, 1 << DEV_ID_SHIFT);
  return devid < 0 ? devid : new platform_msi_priv_data(dev, devid, write_msi_msg);
}

/** Source: drivers/base/platform-msi.c, platform_msi_free_priv_data() */
function* platform_msi_free_priv_data(data: platform_msi_priv_data): Op {
  ida_simple_remove(kernel.platform_msi_devid_ida, data.devid);
}

/**
 * Interrupts for `nvec` messages of a device. Of an allocation that fails midway the interrupts that were there stay, and lose their descriptors.
 * @param nvec 1 to 2048
 * @returns 0, or as platform_msi_alloc_priv_data() and msi_domain_alloc_irqs(). Source: drivers/base/platform-msi.c, platform_msi_domain_alloc_irqs()
 */
export function* platform_msi_domain_alloc_irqs(dev: device, nvec: number, write_msi_msg: irq_write_msi_msg_t | null): Op<number> {
  const priv_data = yield* platform_msi_alloc_priv_data(dev, nvec, write_msi_msg);
  if (typeof priv_data === 'number') return priv_data;

  let err = yield* platform_msi_alloc_descs_with_irq(dev, 0, nvec, priv_data);
  if (!err) {
    err = yield* msi_domain_alloc_irqs(dev.msi_domain!, dev, nvec);
    if (!err) return 0;
    yield* platform_msi_free_descs(dev, 0, nvec);
  }
  yield* platform_msi_free_priv_data(priv_data);
  return err;
}

/** Source: drivers/base/platform-msi.c, platform_msi_domain_free_irqs() */
export function* platform_msi_domain_free_irqs(dev: device): Op {
  const desc = dev.msi_list.at(0);
  if (desc) yield* platform_msi_free_priv_data(desc.platform!.msi_priv_data);

  yield* msi_domain_free_irqs(dev.msi_domain!, dev);
  yield* platform_msi_free_descs(dev, 0, MAX_DEV_MSIS);
}

/** What platform_msi_create_device_domain() was given. Source: drivers/base/platform-msi.c, platform_msi_get_host_data() */
export const platform_msi_get_host_data = (domain: irq_domain): unknown => (domain.host_data as platform_msi_priv_data).host_data;

/** A domain for wires that a device turns into its own messages, below its MSI domain. @param is_tree without a limit of `nvec` hwirqs. @returns it, or null. Source: drivers/base/platform-msi.c, __platform_msi_create_device_domain() */
export function* __platform_msi_create_device_domain(
  dev: device, nvec: number, is_tree: boolean, write_msi_msg: irq_write_msi_msg_t, ops: irq_domain_ops, host_data: unknown,
): Op<irq_domain | null> {
  const data = yield* platform_msi_alloc_priv_data(dev, nvec, write_msi_msg);
  if (typeof data === 'number') return null;

  data.host_data = host_data;
  const domain = yield* irq_domain_create_hierarchy(dev.msi_domain, 0, is_tree ? 0 : nvec, null, ops, data);
  const err = yield* msi_domain_prepare_irqs(domain.parent!, dev, nvec, data.arg);
  if (!err) return domain;

  yield* irq_domain_remove(domain);
  yield* platform_msi_free_priv_data(data);
  return null;
}

/** An `ops.free` of such a domain. Source: drivers/base/platform-msi.c, platform_msi_domain_free() */
export function* platform_msi_domain_free(domain: irq_domain, virq: number, nvec: number): Op {
  const { dev } = domain.host_data as platform_msi_priv_data;
  for (const desc of [...dev.msi_list]) {
    if (WARN_ON(!desc.irq || desc.nvec_used !== 1, 'drivers/base/platform-msi.c platform_msi_domain_free')) return;
    if (!(desc.irq >= virq && desc.irq < virq + nvec)) continue;

    yield* irq_domain_free_irqs_common(domain, desc.irq, 1);
    dev.msi_list = dev.msi_list.filter(other => other !== desc);
  }
}

/** For the `ops.alloc` of such a domain. @returns 0, -ENOMEM, or as msi_domain_populate_irqs(). Source: drivers/base/platform-msi.c, platform_msi_domain_alloc() */
export function* platform_msi_domain_alloc(domain: irq_domain, virq: number, nr_irqs: number): Op<number> {
  const data = domain.host_data as platform_msi_priv_data;

  let err = yield* platform_msi_alloc_descs_with_irq(data.dev, virq, nr_irqs, data);
  if (err) return err;

  err = yield* msi_domain_populate_irqs(domain.parent!, data.dev, virq, nr_irqs, data.arg);
  if (err) yield* platform_msi_domain_free(domain, virq, nr_irqs);
  return err;
}
