import { alignLists } from './align';
import { TreeIndex, type TreeNode } from './tree';

/** Texts of files by their paths. */
export type Texts = ReadonlyMap<string, string>;

/** What differs in a file; a side without text has no such line. */
export interface FileDifference {
  readonly path: string;
  /** the side that has the file, where only one has it */
  readonly only?: 'a' | 'b';
  readonly lines: readonly { readonly a: string | undefined; readonly b: string | undefined }[];
}

/** Files that are not the same on both sides, by path, in the order of `a`, then what only `b` has. */
export function compareTexts(a: Texts, b: Texts): FileDifference[] {
  const paths = [...a.keys(), ...[...b.keys()].filter(path => !a.has(path))];
  return paths.filter(path => a.get(path) !== b.get(path)).map(path => difference(path, a.get(path), b.get(path)));
}

function difference(path: string, a: string | undefined, b: string | undefined): FileDifference {
  const lines = compareLines(a ?? '', b ?? '');
  return { path, lines, ...(a === undefined ? { only: 'b' } : b === undefined ? { only: 'a' } : {}) };
}

/** Lines that differ: those that begin with the same word are one that has changed. */
function compareLines(a: string, b: string): FileDifference['lines'] {
  const index = new TreeIndex();
  const nodes = (text: string) => text.split('\n').map(line => index.add(lineNode(line)));
  return alignLists(nodes(a), nodes(b))
    .filter(({ kind }) => kind !== 'same')
    .map(({ a, b }) => ({ a: a?.node.text, b: b?.node.text }));
}

const lineNode = (text: string): TreeNode => ({ key: /^\s*\S*/.exec(text)![0].trimStart(), text, children: [] });
