import type { Op } from '../../../../stepper/op';
import {
  EVENT_WORDS_PER_PAGE, EVTCHN_FIFO, EVTCHN_FIFO_MAX_QUEUES, EVTCHN_FIFO_NR_CHANNELS, EVTCHNOP, FIFO_CONTROL, PAGE_SIZE,
} from '../../../../hardware/xen/interface';
import { HYPERVISOR_event_channel_op } from '../../../arch/x86/xen/hypercall';
import { EINVAL, ENOMEM } from '../../../lib/errno';
import { BUG_ON, panic, pr_err, pr_info, pr_warn } from '../../../lib/printk';
import { should_fail } from '../../../lib/slab';
import { kernel, machine } from '../../../world';
import { handle_irq_for_port } from './events_base';
import type { evtchn_ops } from './events_internal';

// The FIFO ABI: a word for each port, and queues by priority: drivers/xen/events/events_fifo.c.

const MAX_EVENT_ARRAY_PAGES = EVTCHN_FIFO_NR_CHANNELS / EVENT_WORDS_PER_PAGE;
const bit = (n: number): number => (1 << n) >>> 0;

export const events_fifo_globals = (nr_cpus: number) => ({
  /** physical address of each CPU's control block; 0 = none yet */
  cpu_control_block: new Array<number>(nr_cpus).fill(0),
  /** of each CPU and priority: the port to go on with; 0: ask the control block */
  cpu_queue: Array.from({ length: nr_cpus }, () => new Array<number>(EVTCHN_FIFO_MAX_QUEUES).fill(0)),
  /** physical addresses of the pages of event words, and how many of them Xen knows */
  event_array: [] as number[],
  event_array_pages: 0,
});

const event_word_from_port = (port: number): number => kernel.event_array[Math.floor(port / EVENT_WORDS_PER_PAGE)] + (port % EVENT_WORDS_PER_PAGE) * 4;

const evtchn_fifo_max_channels = (): number => EVTCHN_FIFO_NR_CHANNELS;
const evtchn_fifo_nr_channels = (): number => kernel.event_array_pages * EVENT_WORDS_PER_PAGE;

const test_word = (port: number, n: number): boolean => ((machine.memory.read32(event_word_from_port(port)) >>> n) & 1) === 1;

function change_word(port: number, clear: number, set: number): void {
  const word = event_word_from_port(port);
  machine.memory.write32(word, ((machine.memory.read32(word) & ~clear) | set) >>> 0);
}

/** Source: drivers/xen/events/events_fifo.c, init_control_block() */
function* init_control_block(cpu: number, control_block: number): Op<number> {
  for (let i = 0; i < PAGE_SIZE; i += 4) machine.memory.write32(control_block + i, 0);
  kernel.cpu_queue[cpu].fill(0);
  return HYPERVISOR_event_channel_op(EVTCHNOP.init_control, { control_gfn: control_block / PAGE_SIZE, offset: 0, vcpu: cpu });
}

/** Pages up to the one with the port; all ports of a new one are masked. @returns 0 or an errno. Source: drivers/xen/events/events_fifo.c, evtchn_fifo_setup() */
function* evtchn_fifo_setup(port: number): Op<number> {
  const new_array_pages = Math.floor(port / EVENT_WORDS_PER_PAGE) + 1;
  if (new_array_pages > MAX_EVENT_ARRAY_PAGES) return -EINVAL;

  while (kernel.event_array_pages < new_array_pages) {
    const ret = yield* add_array_page();
    if (ret >= 0) continue;
    if (kernel.event_array_pages === 0) panic(`xen: unable to expand event array with initial page (${ret})`);
    pr_err(`xen:events: unable to expand event array (${ret})`);
    return ret;
  }
  return 0;
}

/** The part of evtchn_fifo_setup() for one page, which is there already in a guest that was saved. */
function* add_array_page(): Op<number> {
  if (kernel.event_array.length === kernel.event_array_pages) {
    if (should_fail('evtchn_fifo_setup: array_page')) return -ENOMEM;
    kernel.event_array.push(machine.memory.alloc(PAGE_SIZE, PAGE_SIZE));
  }
  const array_page = kernel.event_array[kernel.event_array_pages];
  for (let i = 0; i < EVENT_WORDS_PER_PAGE; i++) machine.memory.write32(array_page + i * 4, bit(EVTCHN_FIFO.MASKED));

  const ret = HYPERVISOR_event_channel_op(EVTCHNOP.expand_array, { array_gfn: array_page / PAGE_SIZE });
  if (ret >= 0) kernel.event_array_pages++;
  else kernel.event_array.length = kernel.event_array_pages; // free_unused_array_pages()
  return ret;
}

/** Xen's queues are what tells the CPU. */
function* evtchn_fifo_bind_to_cpu(evtchn: number, cpu: number, old_cpu: number): Op {
  return;
}

function* evtchn_fifo_clear_pending(port: number): Op {
  change_word(port, bit(EVTCHN_FIFO.PENDING), 0);
}

function* evtchn_fifo_set_pending(port: number): Op {
  change_word(port, 0, bit(EVTCHN_FIFO.PENDING));
}

const evtchn_fifo_is_pending = (port: number): boolean => test_word(port, EVTCHN_FIFO.PENDING);

function* evtchn_fifo_test_and_set_mask(port: number): Op<boolean> {
  const masked = test_word(port, EVTCHN_FIFO.MASKED);
  change_word(port, 0, bit(EVTCHN_FIFO.MASKED));
  return masked;
}

function* evtchn_fifo_mask(port: number): Op {
  change_word(port, 0, bit(EVTCHN_FIFO.MASKED));
}

/** @returns false where something waits: then Xen has to take the mask off. Source: drivers/xen/events/events_fifo.c, clear_masked_cond() */
function* clear_masked_cond(port: number): Op<boolean> {
  if (!test_word(port, EVTCHN_FIFO.MASKED)) return true;
  if (test_word(port, EVTCHN_FIFO.PENDING)) return false;
  change_word(port, bit(EVTCHN_FIFO.MASKED), 0);
  return true;
}

/** Source: drivers/xen/events/events_fifo.c, evtchn_fifo_unmask() */
function* evtchn_fifo_unmask(port: number): Op {
  BUG_ON(kernel.cpus[kernel.this_cpu].irqs_enabled, 'drivers/xen/events/events_fifo.c evtchn_fifo_unmask');

  if (!(yield* clear_masked_cond(port))) HYPERVISOR_event_channel_op(EVTCHNOP.unmask, { port });
}

/** Takes the port off its queue. @returns the next one, 0: it was the last. Source: drivers/xen/events/events_fifo.c, clear_linked() */
function* clear_linked(port: number): Op<number> {
  const link = machine.memory.read32(event_word_from_port(port)) & EVTCHN_FIFO.LINK_MASK;
  change_word(port, bit(EVTCHN_FIFO.LINKED) | EVTCHN_FIFO.LINK_MASK, 0);
  return link;
}

/** @param drop the CPU is dead: what waits for it is lost @returns whether the queue has more. Source: drivers/xen/events/events_fifo.c, consume_one_event() */
function* consume_one_event(cpu: number, control_block: number, priority: number, drop: boolean): Op<boolean> {
  const q = kernel.cpu_queue[cpu];
  const port = q[priority] === 0 ? machine.memory.read32(control_block + FIFO_CONTROL.head + priority * 4) : q[priority];
  const head = yield* clear_linked(port);

  if (evtchn_fifo_is_pending(port) && !test_word(port, EVTCHN_FIFO.MASKED)) {
    if (drop) pr_warn(`xen:events: Dropping pending event for port ${port}`);
    else yield* handle_irq_for_port(port);
  }

  q[priority] = head;
  return head !== 0;
}

/** Source: drivers/xen/events/events_fifo.c, __evtchn_fifo_handle_events() */
function* __evtchn_fifo_handle_events(cpu: number, drop: boolean): Op {
  const control_block = kernel.cpu_control_block[cpu];
  const taken = (): number => {
    const ready = machine.memory.read32(control_block + FIFO_CONTROL.ready);
    machine.memory.write32(control_block + FIFO_CONTROL.ready, 0);
    return ready;
  };

  let ready = taken();
  while (ready) {
    const q = 31 - Math.clz32(ready & -ready);
    if (!(yield* consume_one_event(cpu, control_block, q, drop))) ready &= ~(1 << q);
    ready |= taken();
  }
}

/** Source: drivers/xen/events/events_fifo.c, evtchn_fifo_handle_events() */
function* evtchn_fifo_handle_events(cpu: number): Op {
  yield* __evtchn_fifo_handle_events(cpu, false);
}

/** Pages are told to Xen again as ports are bound; control blocks of CPUs that are offline go. Source: drivers/xen/events/events_fifo.c, evtchn_fifo_resume() */
function* evtchn_fifo_resume(): Op {
  for (const cpu of kernel.cpu_possible_mask) {
    const control_block = kernel.cpu_control_block[cpu];
    if (control_block === 0) continue;
    if (!kernel.cpu_online_mask.test(cpu)) {
      kernel.cpu_control_block[cpu] = 0;
      continue;
    }
    BUG_ON((yield* init_control_block(cpu, control_block)) < 0, 'drivers/xen/events/events_fifo.c evtchn_fifo_resume');
  }
  kernel.event_array_pages = 0;
}

/** @returns 0 or an errno. Source: drivers/xen/events/events_fifo.c, evtchn_fifo_alloc_control_block() */
function* evtchn_fifo_alloc_control_block(cpu: number): Op<number> {
  if (should_fail('evtchn_fifo_alloc_control_block: control_block')) return -ENOMEM;
  const control_block = machine.memory.alloc(PAGE_SIZE, PAGE_SIZE);

  const ret = yield* init_control_block(cpu, control_block);
  if (ret < 0) return ret;

  kernel.cpu_control_block[cpu] = control_block;
  return 0;
}

/** Source: drivers/xen/events/events_fifo.c, evtchn_fifo_percpu_init() */
function* evtchn_fifo_percpu_init(cpu: number): Op<number> {
  return kernel.cpu_control_block[cpu] === 0 ? yield* evtchn_fifo_alloc_control_block(cpu) : 0;
}

/** Source: drivers/xen/events/events_fifo.c, evtchn_fifo_percpu_deinit() */
function* evtchn_fifo_percpu_deinit(cpu: number): Op<number> {
  yield* __evtchn_fifo_handle_events(cpu, true);
  return 0;
}

const evtchn_ops_fifo: evtchn_ops = Object.freeze({
  max_channels: evtchn_fifo_max_channels,
  nr_channels: evtchn_fifo_nr_channels,
  setup: evtchn_fifo_setup,
  bind_to_cpu: evtchn_fifo_bind_to_cpu,
  clear_pending: evtchn_fifo_clear_pending,
  set_pending: evtchn_fifo_set_pending,
  is_pending: evtchn_fifo_is_pending,
  test_and_set_mask: evtchn_fifo_test_and_set_mask,
  mask: evtchn_fifo_mask,
  unmask: evtchn_fifo_unmask,
  handle_events: evtchn_fifo_handle_events,
  resume: evtchn_fifo_resume,
  percpu_init: evtchn_fifo_percpu_init,
  percpu_deinit: evtchn_fifo_percpu_deinit,
});

/** @returns 0, or an errno: Xen has only the other ABI. Source: drivers/xen/events/events_fifo.c, xen_evtchn_fifo_init() */
export function* xen_evtchn_fifo_init(): Op<number> {
  const ret = yield* evtchn_fifo_alloc_control_block(kernel.this_cpu);
  if (ret < 0) return ret;

  pr_info('xen:events: Using FIFO-based ABI');
  kernel.evtchn_ops = evtchn_ops_fifo;
  return ret;
}
