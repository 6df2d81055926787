import {
  CONTROL, DEV_TABLE_BASE, MMIO_CMD_BUF_OFFSET, MMIO_CMD_HEAD_OFFSET, MMIO_CMD_TAIL_OFFSET, MMIO_CONTROL_OFFSET, MMIO_DEV_TABLE_OFFSET, MMIO_EVT_BUF_OFFSET,
  MMIO_EVT_HEAD_OFFSET, MMIO_EVT_TAIL_OFFSET, MMIO_GA_HEAD_OFFSET, MMIO_GA_LOG_BASE_OFFSET, MMIO_GA_LOG_TAIL_OFFSET, MMIO_GA_TAIL_OFFSET, MMIO_STATUS_OFFSET, RING_BASE, STATUS,
} from '../../../../hardware/amd-iommu-registers';
import type { Op } from '../../../../stepper/op';
import { EINVAL, ENODEV } from '../../../lib/errno';
import { request_threaded_irq } from '../../../irq/manage';
import { kernel, machine } from '../../../world';
import { pci_disable_msi } from '../../pci/msi';
import { pci_enable_msi } from '../../pci/msi_api';
import { IRQ_POSTING_CAP, IRQ_REMAP_X2APIC_MODE } from '../irq_remapping';
import {
  type amd_iommu, AMD_IOMMU_GUEST_IR_GA, AMD_IOMMU_GUEST_IR_LEGACY_GA, AMD_IOMMU_GUEST_IR_VAPIC, AMD_IOMMU_GUEST_IR_VAPIC_ON, GA_LOG_SIZE, iommu_feature, readl, readq, writel,
  writeq,
} from './amd_iommu_types';
import { iommu_flush_all_caches } from './commands';
import { amd_iommu_int_handler, amd_iommu_int_thread } from './events';
import { irte_128_ops, irte_32_ops } from './irte_ops';

// Switches units on: this part of drivers/iommu/amd/init.c.

const PAGE_SIZE = 4096;
/** log2 of the entries of the command buffer and the event log: MMIO_CMD_SIZE_512, EVT_LEN_MASK */
const LENGTH_512 = 9;
/** GA_LOG_SIZE_512, as the kernel has it */
const GA_LENGTH = 8;

type Feature = Parameters<typeof CONTROL.get>[1];

/** Source: iommu_feature_enable() */
function* iommu_feature_enable(iommu: amd_iommu, bit: Feature): Op {
  writeq(iommu, MMIO_CONTROL_OFFSET, CONTROL.with(readq(iommu, MMIO_CONTROL_OFFSET), { [bit]: 1 }));
}

/** Source: iommu_feature_disable() */
function* iommu_feature_disable(iommu: amd_iommu, bit: Feature): Op {
  writeq(iommu, MMIO_CONTROL_OFFSET, CONTROL.with(readq(iommu, MMIO_CONTROL_OFFSET), { [bit]: 0 }));
}

/** Source: iommu_disable() */
function* iommu_disable(iommu: amd_iommu): Op {
  for (const bit of ['cmdbuf_en', 'evt_int_en', 'evt_log_en', 'galog_en', 'gaint_en', 'iommu_en'] as const) yield* iommu_feature_disable(iommu, bit);
}

/** Source: disable_iommus() */
export function* disable_iommus(): Op {
  for (const iommu of kernel.amd_iommu_list) yield* iommu_disable(iommu);
}

/** What the IVRS table wishes concerns memory; a wait for a device's answer ends after a second. Source: iommu_init_flags() */
function* iommu_init_flags(iommu: amd_iommu): Op {
  yield* iommu_feature_enable(iommu, 'coherent_en');
  writeq(iommu, MMIO_CONTROL_OFFSET, CONTROL.with(readq(iommu, MMIO_CONTROL_OFFSET), { inv_timeout: 4 }));
}

/** Source: iommu_set_device_table() */
function* iommu_set_device_table(iommu: amd_iommu): Op {
  writeq(iommu, MMIO_DEV_TABLE_OFFSET, DEV_TABLE_BASE.encode({ address: kernel.amd_iommu_dev_table / PAGE_SIZE, size: kernel.dev_table_size / PAGE_SIZE - 1 }));
}

/** Source: amd_iommu_reset_cmd_buffer() */
function* amd_iommu_reset_cmd_buffer(iommu: amd_iommu): Op {
  yield* iommu_feature_disable(iommu, 'cmdbuf_en');

  writel(iommu, MMIO_CMD_HEAD_OFFSET, 0);
  writel(iommu, MMIO_CMD_TAIL_OFFSET, 0);
  iommu.cmd_buf_head = 0;
  iommu.cmd_buf_tail = 0;

  yield* iommu_feature_enable(iommu, 'cmdbuf_en');
}

/** Source: iommu_enable_command_buffer() */
function* iommu_enable_command_buffer(iommu: amd_iommu): Op {
  writeq(iommu, MMIO_CMD_BUF_OFFSET, RING_BASE.encode({ address: iommu.cmd_buf / PAGE_SIZE, length: LENGTH_512 }));
  yield* amd_iommu_reset_cmd_buffer(iommu);
}

/** Source: iommu_enable_event_buffer() */
function* iommu_enable_event_buffer(iommu: amd_iommu): Op {
  writeq(iommu, MMIO_EVT_BUF_OFFSET, RING_BASE.encode({ address: iommu.evt_buf / PAGE_SIZE, length: LENGTH_512 }));
  writel(iommu, MMIO_EVT_HEAD_OFFSET, 0);
  writel(iommu, MMIO_EVT_TAIL_OFFSET, 0);

  yield* iommu_feature_enable(iommu, 'evt_log_en');
}

/** Which form interrupt entries have. Source: iommu_enable_ga() */
function* iommu_enable_ga(iommu: amd_iommu): Op {
  switch (kernel.amd_iommu_guest_ir) {
    case AMD_IOMMU_GUEST_IR_VAPIC:
    case AMD_IOMMU_GUEST_IR_LEGACY_GA:
      if (AMD_IOMMU_GUEST_IR_VAPIC_ON(kernel.amd_iommu_guest_ir)) yield* iommu_feature_enable(iommu, 'gam_en');
      yield* iommu_feature_enable(iommu, 'ga_en');
      iommu.irte_ops = irte_128_ops;
      break;
    default:
      iommu.irte_ops = irte_32_ops;
  }
}

/** 32-bit APIC ids need entries of 128 bits. Source: iommu_enable_xt() */
function* iommu_enable_xt(iommu: amd_iommu): Op {
  if (AMD_IOMMU_GUEST_IR_GA(kernel.amd_iommu_guest_ir) && kernel.amd_iommu_xt_mode === IRQ_REMAP_X2APIC_MODE) yield* iommu_feature_enable(iommu, 'xt_en');
}

/** Source: early_enable_iommu() */
function* early_enable_iommu(iommu: amd_iommu): Op {
  yield* iommu_disable(iommu);
  yield* iommu_init_flags(iommu);
  yield* iommu_set_device_table(iommu);
  yield* iommu_enable_command_buffer(iommu);
  yield* iommu_enable_event_buffer(iommu);
  yield* iommu_enable_ga(iommu);
  yield* iommu_enable_xt(iommu);
  yield* iommu_feature_enable(iommu, 'iommu_en');
  yield* iommu_flush_all_caches(iommu);
}

/** Source: early_enable_iommus() */
export function* early_enable_iommus(): Op {
  for (const iommu of kernel.amd_iommu_list) yield* early_enable_iommu(iommu);

  if (AMD_IOMMU_GUEST_IR_VAPIC_ON(kernel.amd_iommu_guest_ir)) kernel.irq_remap_capability |= 1 << IRQ_POSTING_CAP;
}

/** Source: iommu_init_ga_log() */
function* iommu_init_ga_log(iommu: amd_iommu): Op<number> {
  if (!AMD_IOMMU_GUEST_IR_VAPIC_ON(kernel.amd_iommu_guest_ir)) return 0;

  iommu.ga_log = machine.memory.alloc(GA_LOG_SIZE, PAGE_SIZE);
  iommu.ga_log_tail = machine.memory.alloc(8, PAGE_SIZE);

  writeq(iommu, MMIO_GA_LOG_BASE_OFFSET, RING_BASE.encode({ address: iommu.ga_log / PAGE_SIZE, length: GA_LENGTH }));
  writeq(iommu, MMIO_GA_LOG_TAIL_OFFSET, BigInt(iommu.ga_log_tail));
  writel(iommu, MMIO_GA_HEAD_OFFSET, 0);
  writel(iommu, MMIO_GA_TAIL_OFFSET, 0);
  return 0;
}

/** A unit that cannot deliver to guests takes that away from all. Source: iommu_init_ga() */
export function* iommu_init_ga(iommu: amd_iommu): Op<number> {
  if (AMD_IOMMU_GUEST_IR_VAPIC_ON(kernel.amd_iommu_guest_ir) && !iommu_feature(iommu, 'gam_vapic')) kernel.amd_iommu_guest_ir = AMD_IOMMU_GUEST_IR_LEGACY_GA;

  return yield* iommu_init_ga_log(iommu);
}

/** @returns 0, or -EINVAL for a unit without a guest log. Source: iommu_ga_log_enable() */
function* iommu_ga_log_enable(iommu: amd_iommu): Op<number> {
  if (!iommu.ga_log) return -EINVAL;
  if (STATUS.get(readl(iommu, MMIO_STATUS_OFFSET), 'galog_run')) return 0;

  yield* iommu_feature_enable(iommu, 'gaint_en');
  yield* iommu_feature_enable(iommu, 'galog_en');

  return STATUS.get(readl(iommu, MMIO_STATUS_OFFSET), 'galog_run') ? 0 : -EINVAL;
}

/** The unit's own MSI: its domain is PCI-MSI, so nothing remaps it. @returns 0 or an errno. Source: iommu_setup_msi() */
function* iommu_setup_msi(iommu: amd_iommu): Op<number> {
  const dev = iommu.dev!;
  const r = yield* pci_enable_msi(dev);
  if (r) return r;

  const ret = yield* request_threaded_irq(dev.irq, amd_iommu_int_handler, amd_iommu_int_thread, 0, 'AMD-Vi', iommu);
  if (ret) {
    yield* pci_disable_msi(dev);
    return ret;
  }

  iommu.int_enabled = true;
  return 0;
}

/** @returns 0, or -ENODEV for a unit without MSI. Source: iommu_init_msi() */
export function* iommu_init_msi(iommu: amd_iommu): Op<number> {
  if (!iommu.int_enabled) {
    const ret = iommu.dev!.msi_cap ? yield* iommu_setup_msi(iommu) : -ENODEV;
    if (ret) return ret;
  }

  yield* iommu_feature_enable(iommu, 'evt_int_en');
  yield* iommu_ga_log_enable(iommu);
  return 0;
}
