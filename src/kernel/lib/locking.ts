import type { Op } from '../../stepper/op';
import { kernel, machine } from '../world';

/** Locks are leaves: stepping goes over them. A lock that is held makes the task wait for it by name; tasks switch nowhere else. */
abstract class lock {
  /** the CPU that it was taken on; null when free */
  owner: number | null = null;
  constructor(readonly name: string) {}
}

/** `new raw_spinlock(name)`: who waits for it spins; for interrupt context. */
export class raw_spinlock extends lock {}
/** `new mutex(name)`: who waits for it sleeps; not for interrupt context. */
export class mutex extends lock {}

/** Many readers, or one writer. */
export class rw_semaphore extends lock {
  readers = 0;
}

/** Waits until it is free. Interrupts may come meanwhile: see raw_spin_lock_irqsave(). */
export function* raw_spin_lock(l: raw_spinlock): Op {
  while (l.owner !== null) yield { wait: 'until', on: l.name, ready: () => l.owner === null };
  l.owner = kernel.this_cpu;
}

/** Lets it go. */
export function* raw_spin_unlock(l: raw_spinlock): Op {
  l.owner = null;
}

/** @returns the interrupt flag before, for raw_spin_unlock_irqrestore() */
export function* raw_spin_lock_irqsave(l: raw_spinlock): Op<boolean> {
  const flags = yield* local_irq_save();
  yield* raw_spin_lock(l);
  return flags;
}

/** @param flags what raw_spin_lock_irqsave() returned */
export function* raw_spin_unlock_irqrestore(l: raw_spinlock, flags: boolean): Op {
  yield* raw_spin_unlock(l);
  yield* local_irq_restore(flags);
}

export function* raw_spin_lock_irq(l: raw_spinlock): Op {
  yield* raw_spin_lock_irqsave(l);
}

export function* raw_spin_unlock_irq(l: raw_spinlock): Op {
  yield* raw_spin_unlock_irqrestore(l, true);
}

/** Waits until it is free: for ever, where its owner waits itself. */
export function* mutex_lock(l: mutex): Op {
  while (l.owner !== null) yield { wait: 'until', on: l.name, ready: () => l.owner === null };
  l.owner = kernel.this_cpu;
}

/** Lets it go; interrupts that wait may come now. */
export function* mutex_unlock(l: mutex): Op {
  l.owner = null;
  yield* irq_window();
}

export function* down_read(sem: rw_semaphore): Op {
  while (sem.owner !== null) yield { wait: 'until', on: sem.name, ready: () => sem.owner === null };
  sem.readers++;
}

export function* up_read(sem: rw_semaphore): Op {
  sem.readers--;
  yield* irq_window();
}

export function* down_write(sem: rw_semaphore): Op {
  const free = (): boolean => sem.owner === null && sem.readers === 0;
  while (!free()) yield { wait: 'until', on: sem.name, ready: free };
  sem.owner = kernel.this_cpu;
}

export function* up_write(sem: rw_semaphore): Op {
  sem.owner = null;
  yield* irq_window();
}

export function* local_irq_save(): Op<boolean> {
  const cpu = kernel.cpus[kernel.this_cpu];
  const flags = cpu.irqs_enabled;
  cpu.irqs_enabled = false;
  return flags;
}

export function* local_irq_restore(flags: boolean): Op {
  kernel.cpus[kernel.this_cpu].irqs_enabled = flags;
  if (flags) yield* irq_window();
}

/** A turn of a loop that waits: others run, interrupts come. */
export function* cpu_relax(): Op {
  yield { wait: 'window' };
}

/** The same until `ready`. */
export function* cpu_relax_until(on: string, ready: () => boolean): Op {
  if (!ready()) yield { wait: 'until', on, ready };
}

/** Where interrupts are open: pending ones of this CPU enter here, other CPUs take theirs. */
export function* irq_window(): Op {
  if (kernel.cpus[kernel.this_cpu].irqs_enabled && machine.interruptWaiting()) yield { wait: 'window' };
}
