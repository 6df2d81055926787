import type { Op } from '../../../../stepper/op';
import { BITS_PER_EVTCHN_WORD, EVTCHN_2L_NR_CHANNELS, EVTCHNOP, SHARED_INFO, VCPU_INFO, VIRQ } from '../../../../hardware/xen/interface';
import { HYPERVISOR_event_channel_op } from '../../../arch/x86/xen/hypercall';
import { xen_hvm_domain } from '../../../include/xen';
import { generic_handle_irq } from '../../../irq/irqdesc';
import { bitmap } from '../../../lib/bitmap';
import { BUG_ON, pr_info } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { handle_irq_for_port } from './events_base';
import type { evtchn_ops } from './events_internal';
import { cpu_from_evtchn, evtchn_from_irq } from './irq_info';

// The two-level ABI: a bit for each of 4096 ports, above them one for each word of 64: drivers/xen/events/events_2l.c.

const ALL_ONES = 0xffffffffffffffffn;

export const events_2l_globals = (nr_cpus: number) => ({
  /** ports that come to each CPU */
  cpu_evtchn_mask: Array.from({ length: nr_cpus }, () => new bitmap(EVTCHN_2L_NR_CHANNELS)),
  /** where each CPU goes on looking */
  current_word_idx: new Array<number>(nr_cpus).fill(0),
  current_bit_idx: new Array<number>(nr_cpus).fill(0),
});

const pending = (): number => machine.xen!.vcpus.sharedInfo + SHARED_INFO.evtchn_pending;
const mask = (): number => machine.xen!.vcpus.sharedInfo + SHARED_INFO.evtchn_mask;

/** Words in shared memory, 32 bits at a time. */
const word_at = (base: number, bit: number): number => base + (bit >>> 5) * 4;
const sync_test_bit = (bit: number, base: number): boolean => ((machine.memory.read32(word_at(base, bit)) >>> (bit & 31)) & 1) === 1;
const sync_set_bit = (bit: number, base: number): void => machine.memory.write32(word_at(base, bit), (machine.memory.read32(word_at(base, bit)) | (1 << (bit & 31))) >>> 0);
const sync_clear_bit = (bit: number, base: number): void => machine.memory.write32(word_at(base, bit), (machine.memory.read32(word_at(base, bit)) & ~(1 << (bit & 31))) >>> 0);

const evtchn_2l_max_channels = (): number => EVTCHN_2L_NR_CHANNELS;

/** Source: drivers/xen/events/events_2l.c, evtchn_2l_bind_to_cpu() */
function* evtchn_2l_bind_to_cpu(evtchn: number, cpu: number, old_cpu: number): Op {
  kernel.cpu_evtchn_mask[old_cpu].clear(evtchn);
  kernel.cpu_evtchn_mask[cpu].set(evtchn);
}

function* evtchn_2l_clear_pending(port: number): Op {
  sync_clear_bit(port, pending());
}

function* evtchn_2l_set_pending(port: number): Op {
  sync_set_bit(port, pending());
}

const evtchn_2l_is_pending = (port: number): boolean => sync_test_bit(port, pending());

function* evtchn_2l_test_and_set_mask(port: number): Op<boolean> {
  const masked = sync_test_bit(port, mask());
  sync_set_bit(port, mask());
  return masked;
}

function* evtchn_2l_mask(port: number): Op {
  sync_set_bit(port, mask());
}

/** Another CPU's channel is Xen's business, and in an HVM guest whatever waits. Source: drivers/xen/events/events_2l.c, evtchn_2l_unmask() */
function* evtchn_2l_unmask(port: number): Op {
  const cpu = kernel.this_cpu;
  let do_hypercall = false;
  let evtchn_pending = false;

  BUG_ON(kernel.cpus[cpu].irqs_enabled, 'drivers/xen/events/events_2l.c evtchn_2l_unmask');

  if (cpu !== cpu_from_evtchn(port)) {
    do_hypercall = true;
  } else {
    sync_clear_bit(port, mask());
    evtchn_pending = sync_test_bit(port, pending());

    // Xen only looks at a channel that is masked.
    if (evtchn_pending && xen_hvm_domain()) {
      sync_set_bit(port, mask());
      do_hypercall = true;
    }
  }

  if (do_hypercall) {
    HYPERVISOR_event_channel_op(EVTCHNOP.unmask, { port });
  } else if (evtchn_pending) {
    const selector = kernel.xen_vcpu[cpu] + VCPU_INFO.evtchn_pending_sel;
    const word = Math.floor(port / BITS_PER_EVTCHN_WORD);
    const selected = sync_test_bit(word, selector);
    sync_set_bit(word, selector);
    if (!selected) sync_set_bit(0, kernel.xen_vcpu[cpu] + VCPU_INFO.evtchn_upcall_pending);
  }
}

/** The bits of a word from bit i on. */
const MASK_LSBS = (w: bigint, i: number): bigint => w & ((ALL_ONES << BigInt(i)) & ALL_ONES);

function first_bit(w: bigint): number {
  for (let i = 0; i < BITS_PER_EVTCHN_WORD; i++) if ((w >> BigInt(i)) & 1n) return i;
  return BITS_PER_EVTCHN_WORD;
}

function active_evtchns(cpu: number, idx: number): bigint {
  const { words } = kernel.cpu_evtchn_mask[cpu];
  const mine = (BigInt(words[idx * 2 + 1]) << 32n) | BigInt(words[idx * 2]);
  return machine.memory.read64(pending() + idx * 8) & mine & ~machine.memory.read64(mask() + idx * 8);
}

/** The timer first, then from where the last time ended on, so that each gets its turn. Source: drivers/xen/events/events_2l.c, evtchn_2l_handle_events() */
function* evtchn_2l_handle_events(cpu: number): Op {
  yield* handle_timer_virq(cpu);

  const selector = kernel.xen_vcpu[cpu] + VCPU_INFO.evtchn_pending_sel;
  let pending_words = machine.memory.read64(selector);
  machine.memory.write64(selector, 0n);

  const start_word_idx = kernel.current_word_idx[cpu];
  const start_bit_idx = kernel.current_bit_idx[cpu];
  let word_idx = start_word_idx;

  for (let i = 0; pending_words !== 0n; i++) {
    const words = MASK_LSBS(pending_words, word_idx);
    if (words === 0n) {
      word_idx = 0;
      continue;
    }
    word_idx = first_bit(words);

    // The word to start in is looked at twice: its upper bits now, all of it in the end.
    yield* handle_word(cpu, word_idx, word_idx === start_word_idx && i === 0 ? start_bit_idx : 0);

    if (word_idx !== start_word_idx || i !== 0) pending_words &= ~(1n << BigInt(word_idx));
    word_idx = (word_idx + 1) % BITS_PER_EVTCHN_WORD;
  }
}

/** The part of evtchn_2l_handle_events() that comes before everything else. */
function* handle_timer_virq(cpu: number): Op {
  const irq = kernel.virq_to_irq[cpu].get(VIRQ.TIMER) ?? -1;
  if (irq === -1) return;
  const evtchn = evtchn_from_irq(irq);
  const bit = 1n << BigInt(evtchn % BITS_PER_EVTCHN_WORD);
  if (active_evtchns(cpu, Math.floor(evtchn / BITS_PER_EVTCHN_WORD)) & bit) yield* generic_handle_irq(irq);
}

/** The part of evtchn_2l_handle_events() for one word, from a bit of it on. */
function* handle_word(cpu: number, word_idx: number, from: number): Op {
  const pending_bits = active_evtchns(cpu, word_idx);
  let bit_idx = from;
  do {
    const bits = MASK_LSBS(pending_bits, bit_idx);
    if (bits === 0n) return;
    bit_idx = first_bit(bits);

    yield* handle_irq_for_port(word_idx * BITS_PER_EVTCHN_WORD + bit_idx);

    bit_idx = (bit_idx + 1) % BITS_PER_EVTCHN_WORD;
    kernel.current_word_idx[cpu] = bit_idx ? word_idx : (word_idx + 1) % BITS_PER_EVTCHN_WORD;
    kernel.current_bit_idx[cpu] = bit_idx;
  } while (bit_idx !== 0);
}

/** Source: drivers/xen/events/events_2l.c, evtchn_2l_resume() */
function* evtchn_2l_resume(): Op {
  for (const cpu of kernel.cpu_online_mask) kernel.cpu_evtchn_mask[cpu] = new bitmap(EVTCHN_2L_NR_CHANNELS);
}

export const evtchn_ops_2l: evtchn_ops = Object.freeze({
  max_channels: evtchn_2l_max_channels,
  nr_channels: evtchn_2l_max_channels,
  bind_to_cpu: evtchn_2l_bind_to_cpu,
  clear_pending: evtchn_2l_clear_pending,
  set_pending: evtchn_2l_set_pending,
  is_pending: evtchn_2l_is_pending,
  test_and_set_mask: evtchn_2l_test_and_set_mask,
  mask: evtchn_2l_mask,
  unmask: evtchn_2l_unmask,
  handle_events: evtchn_2l_handle_events,
  resume: evtchn_2l_resume,
});

/** Source: drivers/xen/events/events_2l.c, xen_evtchn_2l_init() */
export function* xen_evtchn_2l_init(): Op {
  pr_info('xen:events: Using 2-level ABI');
  kernel.evtchn_ops = evtchn_ops_2l;
}
