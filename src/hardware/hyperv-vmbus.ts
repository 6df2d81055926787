// What a Hyper-V host says of channels: the messages of its synthetic interrupt controller. Names and numbers: include/linux/hyperv.h.

/** The host takes a channel back. */
export const CHANNELMSG_RESCIND_CHANNELOFFER = 2;

/** struct vmbus_channel_message_header, and the channel by its number (child_relid). */
export interface VmbusMessage {
  readonly msgtype: number;
  readonly child_relid: number;
}

/** Number of the channel of the host's n-th bus, from 0; 0 itself is that of the messages. */
export const relidOf = (bus: number): number => bus + 1;
