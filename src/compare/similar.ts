import { type Indexed, likeness, TreeIndex, type TreeNode } from './tree';

/** Lists less alike than this are not taken for the same. */
const ALIKE = 0.6;

/** A list of trees that can be told from others. */
export interface Candidate {
  readonly nodes: readonly TreeNode[];
}

/** For each of the wanted lists the index of the candidate that is most like it, each taken once; undefined where none is alike. */
export function mostAlike(wanted: readonly Candidate[], candidates: readonly Candidate[], mayBe: (wanted: number, candidate: number) => boolean): (number | undefined)[] {
  const index = new TreeIndex();
  const whole = ({ nodes }: Candidate): Indexed => index.add({ key: '', text: '', children: nodes });
  const known = candidates.map(whole);
  const taken = new Set<number>();
  return wanted.map((one, at) => {
    const tree = whole(one);
    const free = known.map((other, i) => ({ i, alike: taken.has(i) || !mayBe(at, i) ? 0 : likeness(tree, other) })).sort((a, b) => b.alike - a.alike);
    if (free.length === 0 || free[0].alike < ALIKE || tree.size === 1) return undefined;
    taken.add(free[0].i);
    return free[0].i;
  });
}
