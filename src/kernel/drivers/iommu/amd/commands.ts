import { CMD, CMD_ENTRY_SIZE, CMD_TYPE, CMD_WAIT, MMIO_CMD_HEAD_OFFSET, MMIO_CMD_TAIL_OFFSET } from '../../../../hardware/amd-iommu-registers';
import type { Op } from '../../../../stepper/op';
import { EIO } from '../../../lib/errno';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { pr_alert, pr_err } from '../../../lib/printk';
import { machine } from '../../../world';
import { type amd_iommu, CMD_BUFFER_SIZE, readl, writel } from './amd_iommu_types';

// The command buffer: this part of drivers/iommu/amd/iommu.c.

/** Room that is never used up. */
const RESERVE = 0x20;

interface iommu_cmd {
  readonly low: bigint;
  readonly high: bigint;
}

/** The unit stores at once, or not at all. @returns 0 or -EIO. Source: wait_on_sem() */
function* wait_on_sem(iommu: amd_iommu, data: bigint): Op<number> {
  if (machine.memory.read64(iommu.cmd_sem) !== data) {
    pr_alert('AMD-Vi: Completion-Wait loop timed out');
    return -EIO;
  }
  return 0;
}

/** Source: copy_cmd_to_buffer() */
function* copy_cmd_to_buffer(iommu: amd_iommu, { low, high }: iommu_cmd): Op {
  const tail = iommu.cmd_buf_tail;
  machine.memory.write64(iommu.cmd_buf + tail, low);
  machine.memory.write64(iommu.cmd_buf + tail + 8, high);

  iommu.cmd_buf_tail = (tail + CMD_ENTRY_SIZE) % CMD_BUFFER_SIZE;
  writel(iommu, MMIO_CMD_TAIL_OFFSET, iommu.cmd_buf_tail);
}

/** Source: build_completion_wait() */
const build_completion_wait = (iommu: amd_iommu, data: bigint): iommu_cmd => ({
  low: CMD_WAIT.encode({ type: CMD_TYPE.COMPL_WAIT, store: 1, address: iommu.cmd_sem / 8 }),
  high: data,
});

const build_inv_dte = (devid: number): iommu_cmd => ({ low: CMD.encode({ type: CMD_TYPE.INV_DEV_ENTRY, devid }), high: 0n });
const build_inv_irt = (devid: number): iommu_cmd => ({ low: CMD.encode({ type: CMD_TYPE.INV_IRT, devid }), high: 0n });
const build_inv_all = (): iommu_cmd => ({ low: CMD.encode({ type: CMD_TYPE.INV_ALL }), high: 0n });

/** @returns 0, or -EIO for a unit that stopped taking commands. Source: __iommu_queue_command_sync() */
function* __iommu_queue_command_sync(iommu: amd_iommu, cmd: iommu_cmd, sync: boolean): Op<number> {
  const next_tail = (iommu.cmd_buf_tail + CMD_ENTRY_SIZE) % CMD_BUFFER_SIZE;
  const left = (): number => (iommu.cmd_buf_head - next_tail + CMD_BUFFER_SIZE) % CMD_BUFFER_SIZE;

  if (left() <= RESERVE) {
    iommu.cmd_buf_head = readl(iommu, MMIO_CMD_HEAD_OFFSET);
    if (left() <= RESERVE) {
      pr_err('AMD-Vi: Command buffer timeout');
      return -EIO;
    }
  }

  yield* copy_cmd_to_buffer(iommu, cmd);

  iommu.need_sync = sync;
  return 0;
}

/** Source: iommu_queue_command_sync() */
function* iommu_queue_command_sync(iommu: amd_iommu, cmd: iommu_cmd, sync: boolean): Op<number> {
  const flags = yield* raw_spin_lock_irqsave(iommu.lock);
  const ret = yield* __iommu_queue_command_sync(iommu, cmd, sync);
  yield* raw_spin_unlock_irqrestore(iommu.lock, flags);
  return ret;
}

/** Source: iommu_queue_command() */
function* iommu_queue_command(iommu: amd_iommu, cmd: iommu_cmd): Op<number> {
  return yield* iommu_queue_command_sync(iommu, cmd, true);
}

/** Until the unit has done all that was queued. @returns 0 or -EIO. Source: iommu_completion_wait() */
export function* iommu_completion_wait(iommu: amd_iommu): Op<number> {
  if (!iommu.need_sync) return 0;

  const flags = yield* raw_spin_lock_irqsave(iommu.lock);
  const data = ++iommu.cmd_sem_val;

  let ret = yield* __iommu_queue_command_sync(iommu, build_completion_wait(iommu, data), false);
  if (ret === 0) ret = yield* wait_on_sem(iommu, data);
  yield* raw_spin_unlock_irqrestore(iommu.lock, flags);
  return ret;
}

/** The device's entry is read from the table again. Source: iommu_flush_dte() */
export function* iommu_flush_dte(iommu: amd_iommu, devid: number): Op<number> {
  return yield* iommu_queue_command(iommu, build_inv_dte(devid));
}

/** The device's interrupt entries are read from their table again. Source: iommu_flush_irt() */
export function* iommu_flush_irt(iommu: amd_iommu, devid: number): Op {
  yield* iommu_queue_command(iommu, build_inv_irt(devid));
}

/** Source: amd_iommu_flush_all() */
function* amd_iommu_flush_all(iommu: amd_iommu): Op {
  yield* iommu_queue_command(iommu, build_inv_all());
  yield* iommu_completion_wait(iommu);
}

/** The unit can forget everything by one command (FEATURE_IA). Source: iommu_flush_all_caches() */
export function* iommu_flush_all_caches(iommu: amd_iommu): Op {
  yield* amd_iommu_flush_all(iommu);
}
