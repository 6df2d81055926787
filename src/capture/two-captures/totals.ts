import type { Rename } from './irq-keys';

/** Sums over the whole machine: what an event changes them by is its own, what they were before is not. */
const TOTALS = ['global_avl', 'global_rsvd', 'total_alloc'];

/** A CPU's sums, likewise. */
const OF_A_CPU = / (avl|alloc|managed)=\d+/g;

/** What tells an event from another, whatever machine it was made on. One for each run of events. */
export class EventIdentity {
  private before = new Map<string, number>();

  constructor(private readonly rename: Rename) {}

  /** @param inOrder whether the events come as they were made: then the totals' changes count */
  of(text: string, inOrder: boolean): string {
    const changes = text.replaceAll(/(\w+)=(\d+)/g, (field: string, name: string, value: string) => (TOTALS.includes(name) ? `${name}${inOrder ? this.change(name, Number(value)) : ''}` : field));
    return this.rename(changes.replaceAll(OF_A_CPU, ''));
  }

  private change(name: string, value: number): string {
    const before = this.before.get(name);
    this.before.set(name, value);
    return before === undefined ? '' : `${value < before ? '' : '+'}${value - before}`;
  }
}
