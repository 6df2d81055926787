import type { Memory } from '../memory';
import {
  BITS_PER_EVTCHN_WORD, EVENT_WORDS_PER_PAGE, EVTCHN_FIFO, EVTCHN_FIFO_MAX_QUEUES, EVTCHN_FIFO_NR_CHANNELS, EVTCHN_2L_NR_CHANNELS, FIFO_CONTROL, SHARED_INFO, VCPU_INFO,
} from './interface';

// How Xen tells a virtual CPU which event channels have something: in memory that both see.

/** What both ABIs need of a channel. */
export interface EventTarget {
  readonly port: number;
  /** the virtual CPU that is told */
  vcpu: number;
  readonly priority: number;
}

export interface EventAbi {
  readonly name: '2-level' | 'FIFO';
  readonly channels: number;
  /** An event for the channel: noted, and said unless it is masked or was said already. */
  setPending(channel: EventTarget): void;
  clearPending(port: number): void;
  isPending(port: number): boolean;
  isMasked(port: number): boolean;
  /** Takes the mask off; what is pending is said. */
  unmask(channel: EventTarget): void;
}

/** A bit in a word of memory. @returns whether it was set */
function testAndSet(memory: Memory, address: number, bit: number): boolean {
  const at = address + (bit >>> 5) * 4;
  const word = memory.read32(at);
  memory.write32(at, (word | (1 << (bit & 31))) >>> 0);
  return ((word >>> (bit & 31)) & 1) === 1;
}

function clear(memory: Memory, address: number, bit: number): void {
  const at = address + (bit >>> 5) * 4;
  memory.write32(at, (memory.read32(at) & ~(1 << (bit & 31))) >>> 0);
}

const test = (memory: Memory, address: number, bit: number): boolean => ((memory.read32(address + (bit >>> 5) * 4) >>> (bit & 31)) & 1) === 1;

/** What a guest's virtual CPU shares with Xen. */
export class Vcpus {
  /** physical address of each one's vcpu_info */
  readonly info: number[];

  constructor(readonly memory: Memory, readonly sharedInfo: number, count: number) {
    this.info = Array.from({ length: count }, (_, vcpu) => sharedInfo + vcpu * VCPU_INFO.size);
  }

  /** As in a guest that has just been built: nothing has come, all is masked. */
  reset(): void {
    for (let at = 0; at < SHARED_INFO.evtchn_pending; at += 4) this.memory.write32(this.sharedInfo + at, 0);
    for (let bit = 0; bit < EVTCHN_2L_NR_CHANNELS; bit += 32) {
      this.memory.write32(this.sharedInfo + SHARED_INFO.evtchn_pending + bit / 8, 0);
      this.memory.write32(this.sharedInfo + SHARED_INFO.evtchn_mask + bit / 8, 0xffffffff);
    }
    for (const vcpu of this.info.keys()) this.info[vcpu] = this.sharedInfo + vcpu * VCPU_INFO.size;
  }

  upcallPending(vcpu: number): boolean {
    return (this.memory.read32(this.info[vcpu]) & 0xff) !== 0;
  }

  markPending(vcpu: number): void {
    testAndSet(this.memory, this.info[vcpu], 0);
  }
}

/** Source: xen/common/event_2l.c */
export class TwoLevelAbi implements EventAbi {
  readonly name = '2-level';
  readonly channels = EVTCHN_2L_NR_CHANNELS;

  constructor(private readonly vcpus: Vcpus) {}

  private get pending(): number {
    return this.vcpus.sharedInfo + SHARED_INFO.evtchn_pending;
  }

  private get mask(): number {
    return this.vcpus.sharedInfo + SHARED_INFO.evtchn_mask;
  }

  setPending({ port, vcpu }: EventTarget): void {
    if (testAndSet(this.vcpus.memory, this.pending, port)) return;
    if (!test(this.vcpus.memory, this.mask, port)) this.select(port, vcpu);
  }

  private select(port: number, vcpu: number): void {
    const selector = this.vcpus.info[vcpu] + VCPU_INFO.evtchn_pending_sel;
    if (!testAndSet(this.vcpus.memory, selector, Math.floor(port / BITS_PER_EVTCHN_WORD))) this.vcpus.markPending(vcpu);
  }

  clearPending(port: number): void {
    clear(this.vcpus.memory, this.pending, port);
  }

  isPending(port: number): boolean {
    return test(this.vcpus.memory, this.pending, port);
  }

  isMasked(port: number): boolean {
    return test(this.vcpus.memory, this.mask, port);
  }

  unmask({ port, vcpu }: EventTarget): void {
    if (!test(this.vcpus.memory, this.mask, port)) return;
    clear(this.vcpus.memory, this.mask, port);
    if (this.isPending(port)) this.select(port, vcpu);
  }
}

interface Queue {
  /** last port of the queue that Xen put there */
  tail: number;
}

/** Source: xen/common/event_fifo.c */
export class FifoAbi implements EventAbi {
  readonly name = 'FIFO';
  readonly channels = EVTCHN_FIFO_NR_CHANNELS;
  /** physical addresses of the pages with the event words, in order */
  readonly pages: number[] = [];
  /** by virtual CPU; undefined: it has told of none */
  readonly controlBlocks = new Map<number, number>();
  private readonly queues = new Map<string, Queue>();
  /** the queue that each port was in last */
  private readonly last = new Map<number, Queue>();

  constructor(private readonly vcpus: Vcpus) {}

  /** @returns the address of a port's word, undefined where the guest has given no page for it */
  private word(port: number): number | undefined {
    const page = this.pages.at(Math.floor(port / EVENT_WORDS_PER_PAGE));
    return page === undefined ? undefined : page + (port % EVENT_WORDS_PER_PAGE) * 4;
  }

  private queue(vcpu: number, priority: number): Queue {
    const key = `${vcpu} ${priority}`;
    const queue = this.queues.get(key) ?? { tail: 0 };
    this.queues.set(key, queue);
    return queue;
  }

  setPending({ port, vcpu, priority }: EventTarget): void {
    const { memory } = this.vcpus;
    const word = this.word(port);
    if (word === undefined) return;
    testAndSet(memory, word, EVTCHN_FIFO.PENDING);
    const control = this.controlBlocks.get(vcpu);
    if (control === undefined || test(memory, word, EVTCHN_FIFO.MASKED) || testAndSet(memory, word, EVTCHN_FIFO.LINKED)) return;

    const queue = this.queue(vcpu, Math.min(priority, EVTCHN_FIFO_MAX_QUEUES - 1));
    const old = this.last.get(port) ?? queue;
    if (old.tail === port) old.tail = 0;
    this.last.set(port, queue);
    const linked = queue.tail !== 0 && this.link(queue.tail, port);
    if (!linked) memory.write32(control + FIFO_CONTROL.head + priority * 4, port);
    queue.tail = port;
    if (!linked && !testAndSet(memory, control + FIFO_CONTROL.ready, priority)) this.vcpus.markPending(vcpu);
  }

  /** Puts a port behind another one. @returns false where that one has been taken off the queue */
  private link(tail: number, port: number): boolean {
    const word = this.word(tail)!;
    const value = this.vcpus.memory.read32(word);
    if (((value >>> EVTCHN_FIFO.LINKED) & 1) === 0) return false;
    this.vcpus.memory.write32(word, ((value & ~EVTCHN_FIFO.LINK_MASK) | port) >>> 0);
    return true;
  }

  clearPending(port: number): void {
    const word = this.word(port);
    if (word !== undefined) clear(this.vcpus.memory, word, EVTCHN_FIFO.PENDING);
  }

  isPending(port: number): boolean {
    const word = this.word(port);
    return word !== undefined && test(this.vcpus.memory, word, EVTCHN_FIFO.PENDING);
  }

  isMasked(port: number): boolean {
    const word = this.word(port);
    return word === undefined || test(this.vcpus.memory, word, EVTCHN_FIFO.MASKED);
  }

  unmask(channel: EventTarget): void {
    const word = this.word(channel.port);
    if (word === undefined) return;
    clear(this.vcpus.memory, word, EVTCHN_FIFO.MASKED);
    if (this.isPending(channel.port)) this.setPending(channel);
  }
}
