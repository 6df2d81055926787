import { taskOf, type TraceLine } from './trace';

// Call trees are printed when they end, so that the events of tasks that ran at once stand behind each other. The matrix counts what is done to it:
// each of its events says what the totals are after it, so that only one order is possible, or nearly so.

interface Totals {
  readonly global_avl: number;
  readonly global_rsvd: number;
  readonly total_alloc: number;
}

/** By what an operation changes the totals: available, reserved, allocated. Those not named here may change them in any way. */
const CHANGES: Record<string, readonly (readonly [number, number, number])[]> = {
  irq_matrix_reserve: [[0, 1, 0]],
  irq_matrix_remove_reserved: [[0, -1, 0]],
  irq_matrix_reserve_managed: [[-1, 0, 0]],
  irq_matrix_remove_managed: [[1, 0, 0]],
  irq_matrix_alloc: [[-1, -1, 1], [-1, 0, 1]],
  irq_matrix_alloc_managed: [[0, 0, 1]],
  irq_matrix_free: [[1, 0, -1], [0, 0, -1]],
};

/** Events before the matrix event of the same operation, with vector_lock held. */
const LEADING = ['vector_clear', 'vector_teardown', 'vector_free_moved'];

/** Puts the events between two marks into the order in which they were made. */
export function inOrder(lines: readonly TraceLine[]): TraceLine[] {
  const ordered: TraceLine[] = [];
  let totals: Totals | undefined;
  let part: TraceLine[] = [];
  const flush = (): void => {
    totals = merge(part, totals, ordered);
    part = [];
  };
  for (const line of lines) {
    if (line.event !== 'tracing_mark_write') {
      part.push(line);
      continue;
    }
    flush();
    ordered.push(line);
  }
  flush();
  // They keep the places of the lines in whose stead they stand.
  return ordered.map((line, i) => ({ ...line, line: lines[i].line }));
}

function merge(part: readonly TraceLine[], before: Totals | undefined, ordered: TraceLine[]): Totals | undefined {
  const streams = new Map<string, TraceLine[]>();
  for (const line of part) {
    const key = line.hardirq ? `interrupts of CPU ${line.cpu}` : taskOf(line);
    streams.set(key, [...(streams.get(key) ?? []), line]);
  }
  let totals = before;
  let current = streams.keys().next().value;
  while (streams.size > 0) {
    const candidates = [...streams].sort(([a], [b]) => Number(b === current) - Number(a === current));
    const [key, stream] = candidates.find(([, s]) => canBeNext(s, totals)) ?? candidates[0];
    current = key;
    const line = stream.shift()!;
    ordered.push(line);
    totals = totalsOf(line) ?? totals;
    if (stream.length === 0) streams.delete(key);
  }
  return totals;
}

function canBeNext(stream: readonly TraceLine[], totals: Totals | undefined): boolean {
  const line = LEADING.includes(stream[0].event) ? stream.find(({ event }) => event.startsWith('irq_matrix_')) : stream[0];
  const after = line && totalsOf(line);
  if (!after || !totals || !(line.event in CHANGES)) return true;
  return CHANGES[line.event].some(
    ([avl, rsvd, alloc]) => totals.global_avl + avl === after.global_avl && totals.global_rsvd + rsvd === after.global_rsvd && totals.total_alloc + alloc === after.total_alloc,
  );
}

function totalsOf({ event, text }: TraceLine): Totals | undefined {
  if (!event.startsWith('irq_matrix_')) return undefined;
  const field = (name: string): number => Number(new RegExp(`${name}=(\\d+)`).exec(text)?.[1]);
  return { global_avl: field('global_avl'), global_rsvd: field('global_rsvd'), total_alloc: field('total_alloc') };
}
