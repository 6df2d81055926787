import { entryOf, functionsNamed, modules, probesBetween, registrySize } from '../../stepper/registry';

/** Kinds of gates: what makes an event or always leads to one; vector_lock; where numbers of interrupts are freed, and taken. */
export const EVENT = 1;
export const LOCK = 2;
export const FREE = 3;
export const TAKE = 4;
/** A probe has ended: its device is put behind those that the driver has. */
export const BOUND = 5;
/** Events that are made without vector_lock. */
export const UNLOCKED = ['vector_activate', 'vector_deactivate', 'vector_setup'];

/**
 * What tasks that run at once must do in the order of the capture: make an event, and take a lock in which events are made.
 * Between two of these each goes on as far as it can.
 */
export function gates(): Uint8Array {
  const found = new Uint8Array(registrySize());
  for (const { path, source } of modules()) {
    const lines = source.split('\n');
    for (const { id, line, endLine } of probesBetween(path, 1, Infinity)) {
      const text = lines.slice(line - 1, endLine).join('\n');
      if (/\btrace_\w+\(|mutex_lock\(kernel\.irq_domain_mutex/.test(text)) found[id] = EVENT;
      else if (/\block_vector_lock\(|spin_lock\w*\(kernel\.vector_lock/.test(text)) found[id] = LOCK;
    }
  }
  for (const fn of functionsNamed('irq_free_descs')) found[entryOf(fn)!.id] = FREE;
  for (const fn of functionsNamed('__irq_alloc_descs')) found[entryOf(fn)!.id] = TAKE;
  for (const fn of functionsNamed('driver_bound')) found[entryOf(fn)!.id] = BOUND;
  return found;
}
