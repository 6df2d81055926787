import { IMS_QUEUE, IMS_SLOT } from '../../../hardware/ims-store';
import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import { mutex, mutex_unlock } from '../../lib/locking';
import { pr_err } from '../../lib/printk';
import { ims_slot } from '../irqchip/irq-ims-queue';
import { readl, writel } from '../pci/access';

// Queues of the model's device that keep their messages in memory of their own: what any driver of it does with them.

/** Times that a command's end is looked for. */
const COMMAND_POLLS = 3;

/** The memory of one queue, as its driver keeps it. */
export class ims_queue {
  readonly shadows: ims_slot[];
  /** what the device was told last, in the same order */
  readonly told: ims_slot[];
  readonly lock: mutex;

  constructor(
    readonly id: number,
    slots: number,
  ) {
    this.lock = new mutex(`ims queue ${id}`);
    this.shadows = Array.from({ length: slots }, () => new ims_slot());
    this.told = Array.from({ length: slots }, () => new ims_slot());
  }
}

export const queue_of = (queues: readonly ims_queue[], shadow: ims_slot): ims_queue => queues.find(({ shadows }) => shadows.includes(shadow))!;

const WORDS = Object.keys(IMS_SLOT) as (keyof typeof IMS_SLOT)[];

/** Tells the device what has changed, and waits. What it did not take over is tried again with the next operation. */
export function* queue_sync_unlock(pdev: PciDev, queue: ims_queue): Op {
  for (const [index, shadow] of queue.shadows.entries()) {
    const told = queue.told[index];
    if (WORDS.every(word => shadow[word] === told[word])) continue;

    if (yield* queue_command(pdev, queue.id, index, shadow)) Object.assign(told, shadow);
    else pr_err(`${pdev.driver ?? ''} ${pdev.name}: queue ${queue.id}: command for message ${index} timed out`);
  }
  yield* mutex_unlock(queue.lock);
}

/** @returns whether the device has taken the message over */
function* queue_command(pdev: PciDev, queue: number, index: number, shadow: ims_slot): Op<boolean> {
  const { address } = pdev.hw.ims!;
  writel(queue, address + IMS_QUEUE.QUEUE);
  writel(index, address + IMS_QUEUE.INDEX);
  for (const word of WORDS) writel(shadow[word], address + IMS_QUEUE.MESSAGE + IMS_SLOT[word]);
  writel(1, address + IMS_QUEUE.COMMAND);

  for (let polls = 0; polls < COMMAND_POLLS; polls++) {
    if ((readl(address + IMS_QUEUE.STATUS) & 1) === 0) return true;
  }
  return false;
}
