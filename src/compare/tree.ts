// Trees that are compared: calls with what happened in them.

/** A call, or, as a leaf, an event, a line of the log, a result. */
export interface TreeNode {
  /** what it is, whatever its details: "msi_domain_alloc", "* vector_alloc" */
  readonly key: string;
  /** with its details: the arguments, the event's fields */
  readonly text: string;
  /** what of the text tells it from another, where it holds figures of one machine or run; otherwise all of it */
  readonly identity?: string;
  readonly children: readonly TreeNode[];
  /** path:line, where it is defined */
  readonly place?: string;
}

export const identityOf = ({ identity, text }: TreeNode): string => identity ?? text;

/** Features of a subtree are counted in so many classes. */
const KEY_BINS = 32;
const BINS = 2 * KEY_BINS;

/** A node with what the alignment asks about it, in memory that does not depend on its subtree. */
export interface Indexed {
  readonly node: TreeNode;
  readonly children: readonly Indexed[];
  /** the same for equal subtrees */
  readonly id: number;
  /** nodes of the subtree */
  readonly size: number;
  /** how many nodes of the subtree fall in each class by their key, then by their text */
  readonly bins: Uint32Array;
}

/** Numbers equal subtrees alike; both trees of a comparison need the same one. */
export class TreeIndex {
  private readonly ids = new Map<string, number>();

  add(node: TreeNode): Indexed {
    const children = node.children.map(child => this.add(child));
    const bins = new Uint32Array(BINS);
    for (const child of children) child.bins.forEach((n, i) => (bins[i] += n));
    bins[hash(node.key) % KEY_BINS]++;
    bins[KEY_BINS + (hash(identityOf(node)) % KEY_BINS)]++;
    return { node, children, id: this.idOf(node, children), size: children.reduce((sum, { size }) => sum + size, 1), bins };
  }

  private idOf(node: TreeNode, children: readonly Indexed[]): number {
    const content = JSON.stringify([node.key, identityOf(node), ...children.map(({ id }) => id)]);
    const id = this.ids.get(content) ?? this.ids.size;
    this.ids.set(content, id);
    return id;
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** How much two subtrees have in common: up to twice the size of the smaller one; a little more than there is where classes coincide. */
export function common(a: Indexed, b: Indexed): number {
  if (a.id === b.id) return 2 * a.size;
  let sum = 0;
  for (let i = 0; i < BINS; i++) sum += Math.min(a.bins[i], b.bins[i]);
  return sum;
}

/** common() over what the larger one has: 1 for equal subtrees. */
export const likeness = (a: Indexed, b: Indexed): number => common(a, b) / (2 * Math.max(a.size, b.size));
