import type { Actor } from './actor';

// Tasks that run at once take and free numbers of interrupts without events. A number that is taken is the lowest free one, so that the numbers
// which later events name tell in which order that was.

/** Its turn is now; then: it may go on; it frees what nobody is known to wait for; it takes a number that is not free yet, or that is not the lowest. */
export const READY = 0;
const OPEN = 1;
const FREES = 2;
const TAKES = 3;

interface Situation {
  /** who makes the next event */
  readonly wanted: Actor | undefined;
  readonly actors: readonly Actor[];
  /** the irq of a task's next event that names one */
  readonly irqOf: (actor: Actor) => number | undefined;
  /** what somebody who takes so many numbers would get now */
  readonly free: (count: number) => number;
}

/** When a task has its turn: lower ones first. */
export function turnOf(actor: Actor, { wanted, actors, irqOf, free }: Situation): number {
  const { takes, frees } = actor;
  if (takes !== undefined) {
    const irq = irqOf(actor);
    if (irq === undefined) return actor === wanted || actor.captured !== undefined ? OPEN : TAKES;
    return irq === free(takes) ? READY : TAKES;
  }
  if (!frees) return OPEN;
  const isTaken = (irq: number | undefined): boolean => irq !== undefined && irq >= frees.from && irq < frees.from + frees.count;
  if (actors.some(other => other.takes !== undefined && isTaken(irqOf(other)))) return READY;
  return actor === wanted ? OPEN : FREES;
}
