import { type EventAbi, FifoAbi, TwoLevelAbi, Vcpus } from './event-abi';
import {
  EVTCHN_FIFO_MAX_QUEUES, EVTCHN_FIFO_PRIORITY_DEFAULT, type evtchn_alloc_unbound, type evtchn_bind_interdomain, type evtchn_bind_ipi, type evtchn_bind_vcpu, type evtchn_bind_virq, type evtchn_expand_array,
  type evtchn_init_control, type evtchn_set_priority, PAGE_SIZE, XEN_ERRNO,
} from './interface';

const { EEXIST, EINVAL, ENOENT, ENOSPC } = XEN_ERRNO;

/** One end of an event channel, in the guest. */
export interface Channel {
  readonly port: number;
  state: 'unbound' | 'interdomain' | 'pirq' | 'virq' | 'ipi';
  vcpu: number;
  /** 0 is the highest; counts with the FIFO ABI */
  priority: number;
  /** number of the pirq, or of the virq; the domain at the other end */
  readonly of: number;
  /** of what is bound to another domain: what happens there when the guest sends */
  remote?: () => void;
}

/** The event channels of a guest. Source: xen/common/event_channel.c */
export class EventChannels {
  readonly channels = new Map<number, Channel>();
  abi: EventAbi;
  private readonly fifo: FifoAbi;

  /** @param limit the greatest port that the guest may have @param fifoKnown Xen has the FIFO ABI */
  constructor(readonly vcpus: Vcpus, private readonly limit: number, private readonly fifoKnown: boolean) {
    this.fifo = new FifoAbi(vcpus);
    this.abi = new TwoLevelAbi(vcpus);
  }

  private freePort(): number {
    let port = 1;
    while (this.channels.has(port)) port++;
    return port > this.limit || port >= this.abi.channels ? -ENOSPC : port;
  }

  /** @returns the port, which arg gets too, or an errno */
  private bind(arg: { port: number }, channel: Omit<Channel, 'port' | 'priority'>): number {
    const port = this.freePort();
    if (port < 0) return port;
    this.channels.set(port, { ...channel, port, priority: EVTCHN_FIFO_PRIORITY_DEFAULT });
    arg.port = port;
    return 0;
  }

  allocUnbound(arg: evtchn_alloc_unbound): number {
    return this.bind(arg, { state: 'unbound', vcpu: 0, of: arg.remote_dom });
  }

  /** Another domain takes the other end. */
  connect(port: number, remote: () => void): void {
    const channel = this.channels.get(port);
    if (channel) channel.remote = remote;
  }

  /** The guest takes an end that another domain has made for it. @returns 0, arg.local_port is the guest's, or an errno */
  bindInterdomain(arg: evtchn_bind_interdomain): number {
    const made = { port: 0 };
    const error = this.bind(made, { state: 'interdomain', vcpu: 0, of: arg.remote_dom });
    if (error === 0) arg.local_port = made.port;
    return error;
  }

  bindPirq(arg: { pirq: number; port: number }): number {
    return this.bind(arg, { state: 'pirq', vcpu: 0, of: arg.pirq });
  }

  bindVirq(arg: evtchn_bind_virq): number {
    if (arg.vcpu >= this.vcpus.info.length) return -ENOENT;
    if ([...this.channels.values()].some(c => c.state === 'virq' && c.of === arg.virq && c.vcpu === arg.vcpu)) return -EEXIST;
    return this.bind(arg, { state: 'virq', vcpu: arg.vcpu, of: arg.virq });
  }

  bindIpi(arg: evtchn_bind_ipi): number {
    if (arg.vcpu >= this.vcpus.info.length) return -ENOENT;
    return this.bind(arg, { state: 'ipi', vcpu: arg.vcpu, of: 0 });
  }

  /** What belongs to one virtual CPU stays there. */
  bindVcpu({ port, vcpu }: evtchn_bind_vcpu): number {
    if (vcpu >= this.vcpus.info.length) return -ENOENT;
    const channel = this.channels.get(port);
    if (channel?.state !== 'pirq' && channel?.state !== 'unbound' && channel?.state !== 'interdomain') return -EINVAL;
    channel.vcpu = vcpu;
    return 0;
  }

  /** @returns the channel that was closed, or an errno */
  close(port: number): Channel | number {
    const channel = this.channels.get(port);
    if (!channel) return -EINVAL;
    this.abi.clearPending(port);
    this.channels.delete(port);
    return channel;
  }

  /** The guest sends through a channel: to itself, or to whom it is bound. */
  send(port: number): number {
    const channel = this.channels.get(port);
    if (channel?.state === 'ipi') this.abi.setPending(channel);
    else if (channel?.remote) channel.remote();
    else if (channel?.state !== 'unbound' && channel?.state !== 'interdomain') return -EINVAL;
    return 0;
  }

  unmask(port: number): number {
    const channel = this.channels.get(port);
    if (!channel) return -EINVAL;
    this.abi.unmask(channel);
    return 0;
  }

  /** The guest speaks the FIFO ABI from now on. */
  initControl({ control_gfn, offset, vcpu }: evtchn_init_control): number {
    if (!this.fifoKnown) return -XEN_ERRNO.ENOSYS;
    if (vcpu >= this.vcpus.info.length) return -ENOENT;
    this.fifo.controlBlocks.set(vcpu, control_gfn * PAGE_SIZE + offset);
    this.abi = this.fifo;
    return 0;
  }

  setPriority({ port, priority }: evtchn_set_priority): number {
    if (this.abi !== this.fifo) return -XEN_ERRNO.ENOSYS;
    const channel = this.channels.get(port);
    if (!channel || priority >= EVTCHN_FIFO_MAX_QUEUES) return -EINVAL;
    channel.priority = priority;
    return 0;
  }

  expandArray({ array_gfn }: evtchn_expand_array): number {
    if (this.abi !== this.fifo) return -EINVAL;
    this.fifo.pages.push(array_gfn * PAGE_SIZE);
    return 0;
  }
}
