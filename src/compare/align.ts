import { matchLists, type Match, type Weight } from './sequence';
import { common, identityOf, type Indexed, likeness } from './tree';

/**
 * Nodes of two trees that belong together, or a node that only one of them has.
 * - same: equal subtrees
 * - inside: the nodes are equal, and something below differs
 * - changed: the texts differ
 * - renamed: the keys differ, what is below is alike
 * - removed, added: only in the first, only in the second tree; what is below may belong together: then the node is a wrapper
 * - moved: the subtree stands elsewhere in the second tree, here; where it stood there is a `removed` with `movedTo`
 */
export interface Aligned {
  kind: 'same' | 'inside' | 'changed' | 'renamed' | 'removed' | 'added' | 'moved';
  a: Indexed | undefined;
  readonly b: Indexed | undefined;
  children: Aligned[];
  /** keys of the nodes above the place where it stood */
  movedFrom?: readonly string[];
  /** keys of the nodes above the place where it stands */
  movedTo?: readonly string[];
}

/** Aligns two lists of trees by their keys and nesting; what has moved away is `removed` and `added` here. */
export function alignLists(a: readonly Indexed[], b: readonly Indexed[]): Aligned[] {
  return inOrder(a, b, matchLists(a, b), between);
}

/** The matched ones, and before, between and behind them what is left. */
function inOrder(a: readonly Indexed[], b: readonly Indexed[], matches: readonly Match[], rest: (a: readonly Indexed[], b: readonly Indexed[]) => Aligned[]): Aligned[] {
  const aligned: Aligned[] = [];
  let [atA, atB] = [0, 0];
  for (const [i, j] of [...matches, [a.length, b.length] as const]) {
    aligned.push(...rest(a.slice(atA, i), b.slice(atB, j)));
    if (i < a.length) aligned.push(paired(a[i], b[j]));
    [atA, atB] = [i + 1, j + 1];
  }
  return aligned;
}

/** Two nodes that belong together. */
export function paired(a: Indexed, b: Indexed): Aligned {
  if (a.id === b.id) return { kind: 'same', a, b, children: [] };
  const kind = a.node.key !== b.node.key ? 'renamed' : identityOf(a.node) !== identityOf(b.node) ? 'changed' : 'inside';
  return { kind, a, b, children: alignLists(a.children, b.children) };
}

const only = {
  a: (a: Indexed): Aligned => ({ kind: 'removed', a, b: undefined, children: a.children.map(only.a) }),
  b: (b: Indexed): Aligned => ({ kind: 'added', a: undefined, b, children: b.children.map(only.b) }),
};

/** Nodes without a match by name: wrappers around others of them, renamed ones, and those that only one tree has. */
function between(a: readonly Indexed[], b: readonly Indexed[]): Aligned[] {
  if (a.length === 0 || b.length === 0) return [...a.map(only.a), ...b.map(only.b)];
  const [inA, inB] = [placesByKey(a), placesByKey(b)];
  for (const [i, node] of a.entries()) {
    const inner = wrapped(node, b, inB);
    if (!inner) continue;
    const wrapper: Aligned = { kind: 'removed', a: node, b: undefined, children: alignLists(node.children, b.slice(...inner)) };
    return [...between(a.slice(0, i), b.slice(0, inner[0])), wrapper, ...between(a.slice(i + 1), b.slice(inner[1]))];
  }
  for (const [j, node] of b.entries()) {
    const inner = wrapped(node, a, inA);
    if (!inner) continue;
    const wrapper: Aligned = { kind: 'added', a: undefined, b: node, children: alignLists(a.slice(...inner), node.children) };
    return [...between(a.slice(0, inner[0]), b.slice(0, j)), wrapper, ...between(a.slice(inner[1]), b.slice(j + 1))];
  }
  return inOrder(a, b, matchLists(a, b, renamed), (left, right) => [...left.map(only.a), ...right.map(only.b)]);
}

/** So far inside a function does one look for what it wraps. */
const WRAPPER_DEPTH = 4;

/** A wrapper has at most so many times the lines that it wraps. */
const MAX_WRAPPING = 4;

/** Indices by key. */
function placesByKey(list: readonly Indexed[]): ReadonlyMap<string, number[]> {
  const places = new Map<string, number[]>();
  list.forEach(({ node }, i) => {
    const at = places.get(node.key);
    if (at) at.push(i);
    else places.set(node.key, [i]);
  });
  return places;
}

/** The range of `list` that `wrapper` contains: of each member most, below a node of its name, in their order. @param places of the list */
function wrapped(wrapper: Indexed, list: readonly Indexed[], places: ReadonlyMap<string, readonly number[]>): [from: number, to: number] | undefined {
  let range: [number, number] | undefined;
  const look = (children: readonly Indexed[], depth: number): void => {
    for (const child of children) {
      const next = range?.[1] ?? 0;
      const found = places.get(child.node.key)?.find(i => i >= next && likeness(child, list[i]) >= 0.5);
      if (found !== undefined) range = [range?.[0] ?? found, found + 1];
      else if (depth > 1) look(child.children, depth - 1);
    }
  };
  look(wrapper.children, WRAPPER_DEPTH);
  const inside = list.slice(...(range ?? [0, 0])).reduce((sum, { size }) => sum + size, 0);
  return inside * MAX_WRAPPING >= wrapper.size ? range : undefined;
}

/** What is below must be alike, and not just one line, or the names: then it does the same thing in another way. */
const renamed: Weight = (a, b) => {
  if (a.size > 2 && b.size > 2 && likeness(a, b) >= 0.6) return common(a, b);
  const alike = isName(a) && isName(b) ? nameLikeness(a.node.key, b.node.key) : 0;
  return alike >= 0.5 ? alike : 0;
};

const isName = ({ node }: Indexed): boolean => /^\w+$/.test(node.key);

/** The words that two names share, of all that they have. */
function nameLikeness(a: string, b: string): number {
  const [one, other] = [a.split('_'), b.split('_')];
  const shared = one.filter(word => other.includes(word)).length;
  return shared / (one.length + other.length - shared);
}
