import type { VpciBus } from '../../hardware/hyperv-vpci-bus';
import type { Op } from '../../stepper/op';
import { mutex, raw_spinlock } from '../lib/locking';
import { pr_err, pr_info, pr_warn, pr_warn_once } from '../lib/printk';
import type { tasklet_struct } from '../lib/tasklet';
import { kernel } from '../world';

/** The way to the host's end of a device. */
export class vmbus_channel {
  static readonly struct = 'vmbus_channel';
  /** the host has taken the device away */
  rescind = false;
  /** null: closed */
  onchannel_callback: ((context: unknown) => Op) | null = null;
  channel_callback_context: unknown = null;
  readonly sched_lock = new raw_spinlock('sched_lock');
  /** what C has as the address of a request, by the number that stands for it in packets */
  readonly requests = new Map<number, unknown>();
  requests_made = 0;
  /** the ring that the guest writes; null: there is none */
  ring_buffer: object | null = null;

  constructor(
    /** the host's number of it */
    readonly child_relid: number,
    /** the rings, and who is at their other end */
    readonly hw: VpciBus,
    readonly callback_event: tasklet_struct,
  ) {}
}

/** A device that the host offers on its bus. */
export class hv_device {
  static readonly struct = 'hv_device';
  driver: string | null = null;
  /** the driver's functions */
  drv: hv_driver | null = null;
  /** probe, remove, suspend and resume wait for each other */
  readonly lock = new mutex('device_lock');
  drvdata: unknown = null;

  constructor(
    /** the GUID of the instance in lower case: dev_name() */
    readonly name: string,
    /** the same as 16 bytes */
    readonly dev_instance: readonly number[],
    readonly channel: vmbus_channel,
  ) {}
}

/** A driver for what a host offers. */
export interface hv_driver {
  readonly name: string;
  /** @returns 0 or an errno, as all of these */
  readonly probe: (hdev: hv_device) => Op<number>;
  readonly remove: (hdev: hv_device) => Op<number>;
  readonly suspend: (hdev: hv_device) => Op<number>;
  readonly resume: (hdev: hv_device) => Op<number>;
}

const prefix = ({ driver, name }: hv_device): string => `${driver ?? 'vmbus'} ${name}: `;

/** printk() with the device's name before it: include/linux/dev_printk.h. */
export const dev_err = (hdev: hv_device, text: string): void => pr_err(prefix(hdev) + text);
export const dev_info = (hdev: hv_device, text: string): void => pr_info(prefix(hdev) + text);
export const dev_warn = (hdev: hv_device, text: string): void => pr_warn(prefix(hdev) + text);
export const dev_warn_once = (hdev: hv_device, text: string, where: string): void => pr_warn_once(prefix(hdev) + text, where);

/** @param where kernel file and function, and what else tells one place from another */
export function dev_err_once(hdev: hv_device, text: string, where: string): void {
  if (kernel.once.has(where)) return;
  kernel.once.add(where);
  dev_err(hdev, text);
}
