import { common, type Indexed } from './tree';

// Which members of two lists belong together, in order: the heaviest common subsequence.

/** Indices into both lists, rising in both. */
export type Match = readonly [a: number, b: number];

/** What it is worth to put two nodes together; 0: never. */
export type Weight = (a: Indexed, b: Indexed) => number;

/** Nodes of one name, better the more they have in common. */
export const sameKey: Weight = (a, b) => (a.node.key === b.node.key ? common(a, b) + (a.id === b.id ? 1 : 0.5) : 0);

/** Larger tables than this are divided first. */
const MAX_CELLS = 1 << 20;

/** The best matches between `a` and `b`, in memory that grows with their lengths. */
export function matchLists(a: readonly Indexed[], b: readonly Indexed[], weight: Weight = sameKey): Match[] {
  const matches: Match[] = [];
  const task: Task = { a, b, weight, matches };
  divide(task, { a0: 0, a1: a.length, b0: 0, b1: b.length });
  return matches;
}

interface Task {
  readonly a: readonly Indexed[];
  readonly b: readonly Indexed[];
  readonly weight: Weight;
  /** found so far, in order */
  readonly matches: Match[];
}

/** Parts of both lists, without their ends. */
interface Part {
  readonly a0: number;
  readonly a1: number;
  readonly b0: number;
  readonly b1: number;
}

/** Equal beginnings and ends belong together; what is between is looked at closer. */
function divide(task: Task, { a0, a1, b0, b1 }: Part): void {
  const { a, b, matches } = task;
  while (a0 < a1 && b0 < b1 && a[a0].id === b[b0].id) matches.push([a0++, b0++]);
  const ends: Match[] = [];
  while (a0 < a1 && b0 < b1 && a[a1 - 1].id === b[b1 - 1].id) ends.push([--a1, --b1]);
  const part: Part = { a0, a1, b0, b1 };
  if ((a1 - a0) * (b1 - b0) <= MAX_CELLS) bisect(task, part);
  else for (const piece of pieces(task, part)) divide(task, piece);
  matches.push(...ends.reverse());
}

/** A part that is too large, cut at subtrees that both have equally often; where there are none, in halves. */
function pieces({ a, b }: Task, part: Part): Part[] {
  const { a0, a1, b0, b1 } = part;
  const anchors = rising(equalOnes(a, b, part));
  const halves: Match = [(a0 + a1) >> 1, (b0 + b1) >> 1];
  const cuts: Match[] = [...(anchors.length > 0 ? anchors : [halves]), [a1, b1]];
  return cuts.map(([endA, endB], i) => ({ a0: i === 0 ? a0 : cuts[i - 1][0], a1: endA, b0: i === 0 ? b0 : cuts[i - 1][1], b1: endB }));
}

/** Subtrees that both parts have equally often, the first with the first and so on, ordered by their place in `a`; never the first of both. */
function equalOnes(a: readonly Indexed[], b: readonly Indexed[], { a0, a1, b0, b1 }: Part): Match[] {
  const placesOf = (list: readonly Indexed[], from: number, to: number): Map<number, number[]> => {
    const places = new Map<number, number[]>();
    for (let i = from; i < to; i++) places.set(list[i].id, [...(places.get(list[i].id) ?? []), i]);
    return places;
  };
  const inB = placesOf(b, b0, b1);
  return [...placesOf(a, a0, a1)]
    .flatMap(([id, at]) => (inB.get(id)?.length === at.length ? at.map((i, k): Match => [i, inB.get(id)![k]]) : []))
    .filter(([i, j]) => i > a0 || j > b0)
    .sort(([i], [j]) => i - j);
}

/** The longest rising subsequence by the second index. */
function rising(matches: readonly Match[]): Match[] {
  const tails: number[] = [];
  const before: number[] = [];
  matches.forEach(([, b], i) => {
    let low = 0;
    for (let high = tails.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (matches[tails[middle]][1] < b) low = middle + 1;
      else high = middle;
    }
    before[i] = low > 0 ? tails[low - 1] : -1;
    tails[low] = i;
  });
  const chain: Match[] = [];
  for (let i = tails.at(-1) ?? -1; i >= 0; i = before[i]) chain.push(matches[i]);
  return chain.reverse();
}

/** Hirschberg's division: the row in the middle tells where the best way crosses it. */
function bisect(task: Task, { a0, a1, b0, b1 }: Part): void {
  if (a0 === a1 || b0 === b1) return;
  if (a1 - a0 === 1) {
    matchOne(task, a0, b0, b1);
    return;
  }
  const middle = (a0 + a1) >> 1;
  const above = scores(task, range(a0, middle), range(b0, b1));
  const below = scores(task, range(a0, a1).slice(middle - a0).reverse(), range(b0, b1).reverse());
  let best = 0;
  for (let j = 1; j <= b1 - b0; j++) if (above[j] + below[b1 - b0 - j] > above[best] + below[b1 - b0 - best]) best = j;
  bisect(task, { a0, a1: middle, b0, b1: b0 + best });
  bisect(task, { a0: middle, a1, b0: b0 + best, b1 });
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

function matchOne({ a, b, weight, matches }: Task, i: number, b0: number, b1: number): void {
  const weights = range(b0, b1).map(j => weight(a[i], b[j]));
  const best = Math.max(...weights);
  if (best > 0) matches.push([i, b0 + weights.indexOf(best)]);
}

/** The last row of the table: the best score of all of `rows` with each beginning of `columns`. */
function scores({ a, b, weight }: Task, rows: readonly number[], columns: readonly number[]): Float64Array {
  let above = new Float64Array(columns.length + 1);
  let row = new Float64Array(columns.length + 1);
  for (const i of rows) {
    columns.forEach((j, at) => {
      const w = weight(a[i], b[j]);
      row[at + 1] = Math.max(above[at + 1], row[at], w > 0 ? above[at] + w : 0);
    });
    [above, row] = [row, above];
  }
  return above;
}
