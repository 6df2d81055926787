import type { VmbusPacket } from '../../../hardware/hyperv-vpci';
import type { Op } from '../../../stepper/op';
import type { vmbus_channel } from '../../include/hyperv';
import { ENODEV, ENOMEM } from '../../lib/errno';
import { member_of } from '../../lib/fault';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../lib/locking';
import { should_fail } from '../../lib/slab';
import { tasklet_disable, tasklet_enable } from '../../lib/tasklet';

// Packets to and from the host: drivers/hv/channel.c and ring_buffer.c. What is in the memory of the rings, and what is said to open a channel, are not modelled.

/** Where struct hv_ring_buffer has its read index, in C. */
const OFFSETOF_READ_INDEX = 4;

/** From now on the host can send. @returns 0, -ENODEV for a device that the host has taken away, or -ENOMEM. Source: drivers/hv/channel.c, vmbus_open(), __vmbus_open() */
export function* vmbus_open(channel: vmbus_channel, onchannelcallback: (context: unknown) => Op, context: unknown): Op<number> {
  if (should_fail('vmbus_alloc_ring: ring buffer')) return -ENOMEM;

  channel.onchannel_callback = onchannelcallback;
  channel.channel_callback_context = context;
  if (channel.rescind) return -ENODEV;

  channel.ring_buffer = {};
  channel.hw.setOpen(true);
  return 0;
}

/** Nobody reads what still comes. Source: drivers/hv/channel.c, vmbus_reset_channel_cb() */
export function* vmbus_reset_channel_cb(channel: vmbus_channel): Op {
  yield* tasklet_disable(channel.callback_event);

  const flags = yield* raw_spin_lock_irqsave(channel.sched_lock);
  channel.onchannel_callback = null;
  yield* raw_spin_unlock_irqrestore(channel.sched_lock, flags);

  yield* tasklet_enable(channel.callback_event);
}

/** The rings go. Source: drivers/hv/channel.c, vmbus_close(), vmbus_free_ring() */
export function* vmbus_close(channel: vmbus_channel): Op {
  yield* vmbus_reset_channel_cb(channel);
  channel.hw.setOpen(false);
  channel.requests.clear();
  channel.ring_buffer = null;
}

/**
 * Nobody asks whether there is a ring: who sends through a channel that is closed reads a NULL pointer.
 * @param requestid what the host's answer names, null: none is wanted (VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED)
 * @returns 0, or -ENODEV for a device that the host has taken away. Source: drivers/hv/channel.c, vmbus_sendpacket(); drivers/hv/ring_buffer.c, hv_ringbuffer_write()
 */
export function* vmbus_sendpacket(channel: vmbus_channel, buffer: Uint8Array, requestid: object | null): Op<number> {
  if (channel.rescind) return -ENODEV;
  member_of(channel.ring_buffer, OFFSETOF_READ_INDEX, 'hv_ringbuffer_write');

  const trans_id = requestid ? ++channel.requests_made : 0;
  if (requestid) channel.requests.set(trans_id, requestid);
  channel.hw.receive(buffer, trans_id);
  return 0;
}

/** The next packet, and the request that it answers. @returns null when there is none. Source: drivers/hv/channel.c, vmbus_recvpacket_raw() */
export function* vmbus_recvpacket_raw(channel: vmbus_channel): Op<{ readonly desc: VmbusPacket; readonly req_id: unknown } | null> {
  const desc = channel.hw.toGuest.shift();
  if (!desc) return null;

  const req_id = channel.requests.get(desc.transId);
  channel.requests.delete(desc.transId);
  return { desc, req_id };
}
