import type { Aligned } from './align';
import type { Indexed } from './tree';

/** Whether a call that only one side shows says nothing of the difference. @param caller key of the node above */
export type IsHidden = (node: Indexed, side: 'a' | 'b', caller: string | undefined) => boolean;

/** The same trees without hidden calls that only one side has, or that stand for one another: what is below them belongs to the caller. */
export const withoutHidden = (trees: readonly Aligned[], isHidden: IsHidden, caller?: Aligned): Aligned[] =>
  trees.flatMap(aligned => {
    const hides = (side: 'a' | 'b'): boolean => aligned[side] === undefined || isHidden(aligned[side], side, (caller?.[side] ?? caller?.a ?? caller?.b)?.node.key);
    const isSingle = aligned.kind === 'removed' || aligned.kind === 'added' || aligned.kind === 'renamed';
    if (isSingle && !aligned.movedTo && hides('a') && hides('b')) return withoutHidden(aligned.children, isHidden, caller);
    const children = withoutHidden(aligned.children, isHidden, aligned);
    const isSame = aligned.kind === 'inside' && children.every(({ kind }) => kind === 'same');
    return [{ ...aligned, children: isSame ? [] : children, kind: isSame ? 'same' : aligned.kind }];
  });
