import {
  EVENT, EVENT_ENTRY_SIZE, EVENT_TYPE, GA_ENTRY_SIZE, GA_GUEST_NR, GA_LOG_ENTRY, MMIO_EVT_HEAD_OFFSET, MMIO_EVT_TAIL_OFFSET, MMIO_GA_HEAD_OFFSET, MMIO_GA_TAIL_OFFSET,
  MMIO_STATUS_OFFSET, STATUS,
} from '../../../../hardware/amd-iommu-registers';
import type { Op } from '../../../../stepper/op';
import { IRQ_HANDLED, IRQ_WAKE_THREAD } from '../../../include/interrupt';
import { pr_err } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { pci_get_domain_bus_and_slot } from '../../pci/probe';
import { type amd_iommu, devid_text, EVT_BUFFER_SIZE, GA_LOG_SIZE, PCI_BUS_NUM, readl, writel } from './amd_iommu_types';
import { search_dev_data } from './device';
import { dte_data } from './irq_table';

// What a unit reports: this part of drivers/iommu/amd/iommu.c.

const hex = (value: number | bigint, digits = 1): string => value.toString(16).padStart(digits, '0');

interface iommu_event {
  readonly type: number;
  readonly devid: number;
  readonly pasid: number;
  readonly flags: number;
  readonly address: bigint;
}

function event_at(address: number): iommu_event {
  const low = machine.memory.read64(address);
  const { type, devid, pasid_hi, domid } = EVENT.decode(low);
  return { type, devid, pasid: pasid_hi * 0x10000 + domid, flags: Number((low >> 48n) & 0xfffn), address: machine.memory.read64(address + 8) };
}

/** Source: dump_dte_entry() */
function* dump_dte_entry(devid: number): Op {
  for (let i = 0; i < 4; i++) pr_err(`AMD-Vi: DTE[${i}]: ${hex(machine.memory.read64(dte_data(devid, i)), 16)}`);
}

/** Source: dump_command() */
function* dump_command(phys_addr: number): Op {
  for (let i = 0; i < 4; i++) pr_err(`AMD-Vi: CMD[${i}]: ${hex(machine.memory.read32(phys_addr + 4 * i) >>> 0, 8)}`);
}

/** A blocked access, or a blocked interrupt. Source: amd_iommu_report_page_fault() */
function* amd_iommu_report_page_fault({ devid, pasid, address, flags }: iommu_event): Op {
  const what = `domain=0x${hex(pasid, 4)} address=0x${hex(address)} flags=0x${hex(flags, 4)}`;
  const pdev = pci_get_domain_bus_and_slot(0, PCI_BUS_NUM(devid), devid & 0xff);
  if (pdev && (yield* search_dev_data(devid))) pr_err(`${pdev.driver ?? 'pci'} ${pdev.name}: AMD-Vi: Event logged [IO_PAGE_FAULT ${what}]`);
  else pr_err(`AMD-Vi: Event logged [IO_PAGE_FAULT device=${devid_text(devid)} ${what}]`);
}

/** Source: iommu_print_event(), those of interrupts */
function* iommu_print_event(iommu: amd_iommu, at: number): Op {
  const event = event_at(at);
  const { type, devid, pasid, flags, address } = event;
  const prefix = `iommu ivhd${iommu.index}: AMD-Vi: Event logged`;

  switch (type) {
    case EVENT_TYPE.IO_FAULT:
      yield* amd_iommu_report_page_fault(event);
      return;
    case EVENT_TYPE.ILL_DEV:
      pr_err(`${prefix} [ILLEGAL_DEV_TABLE_ENTRY device=${devid_text(devid)} pasid=0x${hex(pasid, 5)} address=0x${hex(address)} flags=0x${hex(flags, 4)}]`);
      yield* dump_dte_entry(devid);
      break;
    case EVENT_TYPE.ILL_CMD:
      pr_err(`${prefix} [ILLEGAL_COMMAND_ERROR address=0x${hex(address)}]`);
      yield* dump_command(Number(address));
      break;
    default:
      pr_err(`${prefix} [UNKNOWN ${[0, 1, 2, 3].map(i => `event[${i}]=0x${hex(machine.memory.read32(at + 4 * i) >>> 0, 8)}`).join(' ')}`);
  }

  machine.memory.write64(at, 0n);
  machine.memory.write64(at + 8, 0n);
}

/** Empties and prints the event log. Source: iommu_poll_events() */
function* iommu_poll_events(iommu: amd_iommu): Op {
  let head = readl(iommu, MMIO_EVT_HEAD_OFFSET);
  const tail = readl(iommu, MMIO_EVT_TAIL_OFFSET);

  while (head !== tail) {
    yield* iommu_print_event(iommu, iommu.evt_buf + head);
    head = (head + EVENT_ENTRY_SIZE) % EVT_BUFFER_SIZE;
  }

  writel(iommu, MMIO_EVT_HEAD_OFFSET, head);
}

/** Whom the unit could not interrupt because he does not run. Source: amd_iommu_register_ga_log_notifier() */
export function* amd_iommu_register_ga_log_notifier(notifier: ((ga_tag: number) => Op<number>) | null): Op<number> {
  kernel.iommu_ga_log_notifier = notifier;
  return 0;
}

/** Source: iommu_poll_ga_log() */
function* iommu_poll_ga_log(iommu: amd_iommu): Op {
  if (!iommu.ga_log) return;

  let head = readl(iommu, MMIO_GA_HEAD_OFFSET);
  const tail = readl(iommu, MMIO_GA_TAIL_OFFSET);

  while (head !== tail) {
    const { type, tag } = GA_LOG_ENTRY.decode(machine.memory.read64(iommu.ga_log + head));

    head = (head + GA_ENTRY_SIZE) % GA_LOG_SIZE;
    writel(iommu, MMIO_GA_HEAD_OFFSET, head);

    if (type !== GA_GUEST_NR || !kernel.iommu_ga_log_notifier) continue;
    if ((yield* kernel.iommu_ga_log_notifier(tag)) !== 0) pr_err('AMD-Vi: GA log notifier failed.');
  }
}

const AMD_IOMMU_INT_MASK = STATUS.encode({ evt_int: 1, ppr_int: 1, galog_int: 1 });

/** Works on the unit's logs until nothing is left. Source: amd_iommu_int_thread() */
export function* amd_iommu_int_thread(_irq: number, data: unknown): Op<number> {
  const iommu = data as amd_iommu;
  let status = readl(iommu, MMIO_STATUS_OFFSET);

  while (status & AMD_IOMMU_INT_MASK) {
    writel(iommu, MMIO_STATUS_OFFSET, AMD_IOMMU_INT_MASK);

    if (STATUS.get(status, 'evt_int')) yield* iommu_poll_events(iommu);
    if (STATUS.get(status, 'galog_int')) yield* iommu_poll_ga_log(iommu);

    status = readl(iommu, MMIO_STATUS_OFFSET);
  }
  return IRQ_HANDLED;
}

/** Source: amd_iommu_int_handler() */
export function* amd_iommu_int_handler(_irq: number, _data: unknown): Op<number> {
  return IRQ_WAKE_THREAD;
}
