import type { Op } from '../../stepper/op';
import type { irqaction } from '../include/interrupt';
import type { irq_desc } from '../include/irqdesc';
import { bitmap_parse, bitmap_parselist } from '../lib/bitmap_parse';
import { cpumask } from '../lib/cpumask';
import { EINVAL, EIO, ENOMEM, EPERM } from '../lib/errno';
import { mutex, mutex_lock, mutex_unlock, raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../lib/locking';
import { should_fail } from '../lib/slab';
import { has, kernel } from '../world';
import { no_irq_chip } from './dummychip';
import { irq_to_desc } from './irqdesc';
import { irq_can_set_affinity_usr, irq_set_affinity } from './manage';

export const proc_globals = () => ({
  /** /proc/irq: a line's directory, with those of its handlers; null before /proc is there */
  root_irq_dir: null as Map<number, Set<string>> | null,
  register_lock: new mutex('register_lock'),
});

/** Which file of /proc/irq/N is written. */
export const AFFINITY = 0;
export const AFFINITY_LIST = 1;

/**
 * Write `buffer` to /proc/irq/`irq`/smp_affinity (a hexadecimal mask) or smp_affinity_list.
 * @returns the length written; -EIO for a line that users may not move, -ENOMEM, -EINVAL without an online CPU, or what parser or chip say. Source: kernel/irq/proc.c, write_irq_affinity()
 */
export function* write_irq_affinity(type: number, irq: number, buffer: string): Op<number> {
  if (!(yield* irq_can_set_affinity_usr(irq))) return has('affinity-eperm') ? -EPERM : -EIO;

  if (should_fail('write_irq_affinity: new_value')) return -ENOMEM;

  const parsed = (type === AFFINITY_LIST ? bitmap_parselist : bitmap_parse)(buffer, kernel.nr_cpu_ids);
  if (typeof parsed === 'number') return parsed;
  const new_value = new cpumask(kernel.nr_cpu_ids).copyFrom(parsed);

  if (!new_value.intersects(kernel.cpu_online_mask)) return -EINVAL;
  const err = yield* irq_set_affinity(irq, new_value);
  return err || buffer.length;
}

function* name_unique(irq: number, new_action: irqaction): Op<boolean> {
  const desc = irq_to_desc(irq)!;
  let unique = true;
  const flags = yield* raw_spin_lock_irqsave(desc.lock);
  for (let action = desc.action; action; action = action.next) {
    if (action !== new_action && action.name === new_action.name) {
      unique = false;
      break;
    }
  }
  yield* raw_spin_unlock_irqrestore(desc.lock, flags);
  return unique;
}

export function* register_handler_proc(irq: number, action: irqaction): Op {
  const desc = irq_to_desc(irq)!;
  if (!desc.dir || action.dir !== null || !(yield* name_unique(irq, action))) return;
  desc.dir.add(action.name);
  action.dir = action.name;
}

export function* register_irq_proc(irq: number, desc: irq_desc): Op {
  if (!kernel.root_irq_dir || desc.irq_data.chip === no_irq_chip) return;

  yield* mutex_lock(kernel.register_lock);
  if (!desc.dir) {
    desc.dir = new Set();
    kernel.root_irq_dir.set(irq, desc.dir);
    desc.affinity_mode = !has('affinity-file-modes') || (yield* irq_can_set_affinity_usr(irq)) ? 0o644 : 0o444;
  }
  yield* mutex_unlock(kernel.register_lock);
}

export function* unregister_irq_proc(irq: number, desc: irq_desc): Op {
  if (!kernel.root_irq_dir || !desc.dir) return;
  kernel.root_irq_dir.delete(irq);
}

export function* unregister_handler_proc(irq: number, action: irqaction): Op {
  if (action.dir !== null) irq_to_desc(irq)!.dir?.delete(action.dir);
}

/** /proc/irq appears, with the lines that have a chip by now. Source: kernel/irq/proc.c, init_irq_proc() */
export function* init_irq_proc(): Op {
  kernel.root_irq_dir = new Map();
  for (const [irq, desc] of kernel.irq_desc_tree) yield* register_irq_proc(irq, desc);
}
