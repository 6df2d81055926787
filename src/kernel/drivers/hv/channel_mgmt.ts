import { CHANNELMSG_RESCIND_CHANNELOFFER, type VmbusMessage } from '../../../hardware/hyperv-vmbus';
import type { Op } from '../../../stepper/op';
import type { hv_device, vmbus_channel } from '../../include/hyperv';
import { BUG_ON } from '../../lib/printk';
import { kernel } from '../../world';
import { vmbus_reset_channel_cb } from './channel';
import { vmbus_device_unregister } from './vmbus_drv';

// What the host says of channels: drivers/hv/channel_mgmt.c. Those that it offers are there from the beginning, so that it can only take some back.

/** Source: drivers/hv/channel_mgmt.c, vmbus_onmessage() */
export function* vmbus_onmessage({ msgtype, child_relid }: VmbusMessage): Op {
  if (msgtype === CHANNELMSG_RESCIND_CHANNELOFFER) yield* vmbus_onoffer_rescind(child_relid);
}

/** Source: drivers/hv/connection.c, relid2channel() */
const relid2device = (relid: number): hv_device | undefined => kernel.vmbus_devices.find(({ channel }) => channel.child_relid === relid);

/** The host takes a device back, and does not wait: whoever asks it for something gets -ENODEV, and the driver goes. Source: drivers/hv/channel_mgmt.c, vmbus_onoffer_rescind() */
function* vmbus_onoffer_rescind(child_relid: number): Op {
  const device_obj = relid2device(child_relid);
  if (!device_obj) return;

  // The callback is not running any more when others can see that the channel is rescinded.
  yield* vmbus_reset_channel_cb(device_obj.channel);
  yield* vmbus_rescind_cleanup(device_obj.channel);

  // A probe that is under way ends first: the device's lock is what waits for it here.
  yield* vmbus_device_unregister(device_obj);
}

/** Source: drivers/hv/channel_mgmt.c, vmbus_rescind_cleanup() */
function* vmbus_rescind_cleanup(channel: vmbus_channel): Op {
  channel.rescind = true;
}

/** Nobody knows the channel any more. Source: drivers/hv/channel_mgmt.c, hv_process_channel_removal() */
export function* hv_process_channel_removal(channel: vmbus_channel): Op {
  BUG_ON(!channel.rescind, 'drivers/hv/channel_mgmt.c hv_process_channel_removal');
  kernel.vmbus_devices = kernel.vmbus_devices.filter(device => device.channel !== channel);
}
