import { type Aligned, paired } from './align';
import { type Indexed, likeness } from './tree';

/** A node that only one tree has, with all below it. */
interface Single {
  readonly aligned: Aligned;
  readonly node: Indexed;
  readonly path: readonly string[];
}

/** Finds what is not gone but stands elsewhere, and says so at both places. */
export function moveMarks(trees: readonly Aligned[]): void {
  const removed = singles(trees, 'removed');
  const added = singles(trees, 'added');
  const lookUp = { removed: group(removed, ({ id }) => id), equal: group(added, ({ id }) => id), named: group(added, ({ node }) => node.key) };
  const taken = new Set<Aligned>();
  const free = ({ aligned }: Single): boolean => !taken.has(aligned);
  for (const from of removed) {
    const to = free(from) ? counterpart(from, lookUp, free) : undefined;
    if (!to) continue;
    for (const { aligned } of [from, to]) everyOne(aligned, one => taken.add(one));
    mark(from, to);
  }
}

interface LookUp {
  readonly removed: ReadonlyMap<number, readonly Single[]>;
  /** added ones by their id, and by their key */
  readonly equal: ReadonlyMap<number, readonly Single[]>;
  readonly named: ReadonlyMap<string, readonly Single[]>;
}

function counterpart({ node }: Single, { removed, equal, named }: LookUp, free: (one: Single) => boolean): Single | undefined {
  const same = equal.get(node.id) ?? [];
  // A line alone is found everywhere: as many of its kind must be gone as are new.
  if (node.size === 1) return same.length === removed.get(node.id)!.length ? same.find(free) : undefined;
  const alike = (one: Single): boolean => free(one) && one.node.size >= ALIKE_SIZE && likeness(one.node, node) >= ALIKE;
  return same.find(free) ?? named.get(node.node.key)?.slice(0, MAX_LOOKS).find(alike);
}

function group<K>(list: readonly Single[], keyOf: (node: Indexed) => K): ReadonlyMap<K, Single[]> {
  const groups = new Map<K, Single[]>();
  for (const one of list) {
    const key = keyOf(one.node);
    const known = groups.get(key);
    if (known) known.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}

/** So many subtrees of its name are looked at closer. */
const MAX_LOOKS = 100;

/** Subtrees as large and as alike as this are the same one. */
const ALIKE_SIZE = 4;
const ALIKE = 0.8;

function mark(from: Single, to: Single): void {
  const { kind, children } = paired(from.node, to.node);
  Object.assign(from.aligned, { movedTo: to.path, children: [] });
  Object.assign(to.aligned, { kind: 'moved', a: from.node, children: kind === 'same' ? [] : children, movedFrom: from.path });
}

function everyOne(aligned: Aligned, visit: (aligned: Aligned) => void): void {
  visit(aligned);
  for (const child of aligned.children) everyOne(child, visit);
}

/** Nodes of one tree only, callers before what they call; wrappers of something that both have are none. */
function singles(trees: readonly Aligned[], kind: 'removed' | 'added'): Single[] {
  const found: Single[] = [];
  const walk = (aligned: Aligned, path: readonly string[]): void => {
    const node = (kind === 'removed' ? aligned.a : aligned.b) ?? aligned.a ?? aligned.b!;
    if (aligned.kind === kind && isWhole(aligned)) found.push({ aligned, node, path });
    for (const child of aligned.children) walk(child, [...path, node.node.key]);
  };
  for (const aligned of trees) walk(aligned, []);
  return found;
}

const isWhole = (aligned: Aligned): boolean => aligned.children.every(child => child.kind === aligned.kind && isWhole(child));
