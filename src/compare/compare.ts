import { type Aligned, alignLists } from './align';
import { moveMarks } from './moves';
import { type Indexed, TreeIndex, type TreeNode } from './tree';

/** Two lists of trees, side by side, in the order of the second where something has moved. */
export function compareTrees(a: readonly TreeNode[], b: readonly TreeNode[]): Aligned[] {
  const index = new TreeIndex();
  const add = (nodes: readonly TreeNode[]): Indexed[] => nodes.map(node => index.add(node));
  const aligned = alignLists(add(a), add(b));
  moveMarks(aligned);
  return aligned;
}

/** Lines of both trees by what became of them. */
export type Counts = Record<Exclude<Aligned['kind'], 'inside'>, number>;

/** A line above a difference is the same. */
export function countLines(trees: readonly Aligned[]): Counts {
  const counts: Counts = { same: 0, changed: 0, renamed: 0, removed: 0, added: 0, moved: 0 };
  const walk = ({ kind, b, children, movedTo }: Aligned): void => {
    if (movedTo) return;
    counts[kind === 'inside' ? 'same' : kind] += kind === 'same' || (kind === 'moved' && children.length === 0) ? b!.size : 1;
    children.forEach(walk);
  };
  trees.forEach(walk);
  return counts;
}

export const isDifferent = ({ kind }: Aligned): boolean => kind !== 'same' && kind !== 'inside';

/** The first place where the trees part, with the nodes above it, the root first. @param counts which of the differences */
export function firstDifference(trees: readonly Aligned[], counts: (aligned: Aligned) => boolean = () => true): { readonly above: readonly Aligned[]; readonly at: Aligned } | undefined {
  for (const aligned of trees) {
    if (isDifferent(aligned) && counts(aligned)) return { above: [], at: aligned };
    const inside = firstDifference(aligned.children, counts);
    if (inside) return { above: [aligned, ...inside.above], at: inside.at };
  }
  return undefined;
}
