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

/** Events with which an operation may begin; those that end one come with vector_lock still held. */
const BEGINNING = [...LEADING, 'irq_matrix_', 'vector_activate', 'vector_deactivate', 'vector_setup'];

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
  const lists = [...streams.values()];
  let place: Place = { at: lists.map(() => 0), current: 0, totals: before };
  for (;;) {
    const search = new Search(lists);
    const isWhole = search.from(place);
    ordered.push(...search.longest.map(({ line }) => line));
    place = search.longest.at(-1)?.place ?? place;
    if (isWhole) return place.totals;
    // Events are lost: there is one that fits nowhere.
    place = next(lists, place, place.at[place.current] < lists[place.current].length ? place.current : lists.findIndex((list, i) => place.at[i] < list.length));
    ordered.push(lists[place.current][place.at[place.current] - 1]);
  }
}

/** How far each stream has come. */
interface Place {
  readonly at: readonly number[];
  /** the stream that made the last event */
  readonly current: number;
  readonly totals: Totals | undefined;
}

const next = (streams: readonly (readonly TraceLine[])[], { at, totals }: Place, stream: number): Place => ({
  at: at.map((n, i) => (i === stream ? n + 1 : n)),
  current: stream,
  totals: totalsOf(streams[stream][at[stream]]) ?? totals,
});

/** Looks for an order in which the totals fit; a stream goes on as long as it can. */
class Search {
  longest: readonly { readonly line: TraceLine; readonly place: Place }[] = [];
  private readonly path: { line: TraceLine; place: Place }[] = [];
  private readonly dead = new Set<string>();

  constructor(private readonly streams: readonly (readonly TraceLine[])[]) {}

  /** @returns whether all of it has been put in order */
  from(place: Place): boolean {
    if (this.path.length > this.longest.length) this.longest = [...this.path];
    const { at, current, totals } = place;
    if (at.every((n, i) => n === this.streams[i].length)) return true;
    const key = `${at.join()} ${current} ${totals?.global_avl} ${totals?.global_rsvd} ${totals?.total_alloc}`;
    if (this.dead.has(key)) return false;
    const others = this.isInside(place) ? [] : this.streams.map((_, i) => i).filter(i => i !== current);
    for (const stream of [current, ...others]) {
      if (!this.fits(place, stream)) continue;
      const step = next(this.streams, place, stream);
      this.path.push({ line: this.streams[stream][at[stream]], place: step });
      if (this.from(step)) return true;
      this.path.pop();
    }
    this.dead.add(key);
    return false;
  }

  /** Between two events of one operation nobody else comes in. */
  private isInside({ at, current }: Place): boolean {
    const [last, line] = [this.streams[current].at(at[current] - 1), this.streams[current].at(at[current])];
    return at[current] > 0 && last !== undefined && line !== undefined && (LEADING.includes(last.event) || !BEGINNING.some(begin => line.event.startsWith(begin)));
  }

  private fits({ at, totals }: Place, stream: number): boolean {
    const line = this.streams[stream].at(at[stream]);
    const after = line && totalsOf(line);
    if (!line || !after || !totals || !(line.event in CHANGES)) return line !== undefined;
    return CHANGES[line.event].some(
      ([avl, rsvd, alloc]) => totals.global_avl + avl === after.global_avl && totals.global_rsvd + rsvd === after.global_rsvd && totals.total_alloc + alloc === after.total_alloc,
    );
  }
}

function totalsOf({ event, text }: TraceLine): Totals | undefined {
  if (!event.startsWith('irq_matrix_')) return undefined;
  const field = (name: string): number => Number(new RegExp(`${name}=(\\d+)`).exec(text)?.[1]);
  return { global_avl: field('global_avl'), global_rsvd: field('global_rsvd'), total_alloc: field('total_alloc') };
}
