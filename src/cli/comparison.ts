import type { Aligned } from '../compare/align';
import { countLines, firstDifference } from '../compare/compare';
import type { FileDifference, Texts } from '../compare/texts';
import type { TreeNode } from '../compare/tree';
import { columns, isWrapper, type Row, sideBySide } from './side-by-side';

/** One side of a comparison. */
export interface Side {
  /** of the kernel, or the capture */
  readonly name: string;
  readonly title: string;
  readonly trees: readonly TreeNode[];
  readonly texts: Texts;
}

export interface Comparison {
  readonly a: Side;
  readonly b: Side;
  readonly trees: readonly Aligned[];
  readonly state: readonly FileDifference[];
}

export const isSame = ({ trees, state }: Comparison): boolean => state.length === 0 && firstDifference(trees) === undefined;

/** For people. @param width of a line */
export function comparisonText(found: Comparison, width: number): string {
  const { a, b, trees, state } = found;
  const head = `${a.title}: ${a.name} and ${b.name}\n`;
  const { same, changed, renamed, removed, added, moved } = countLines(trees);
  if (isSame(found)) return `${head}nothing differs: ${same} lines, ${a.texts.size} files\n`;

  const heading: Row = { left: a.name, mark: ' ', right: b.name };
  const first = firstText(found);
  const tree = first === undefined ? ['all calls and events are the same\n'] : [first, `${columns([heading], width)}${sideBySide(trees, width)}`];
  const counts = `${same} lines the same, ${changed} changed, ${renamed} renamed, ${removed} removed, ${added} added, ${moved} moved\n`;
  const files = state.length === 0 ? `the state at the end is the same: ${a.texts.size} files\n` : `the state at the end differs:\n${stateText(found)}`;
  return [head, ...tree, counts, files].join('\n');
}

/** Where the trees part, what stands there on both sides, and who called it, the caller first. */
function firstText({ a, b, trees }: Comparison): string | undefined {
  const found = firstDifference(trees);
  if (!found) return undefined;
  const { at, above } = found;
  const side = (name: string, text: string | undefined, where: string | undefined): string => `  ${name}: ${text ?? 'nothing'}${where === undefined ? '' : ` (${where})`}\n`;
  const [left, right] = [at.a?.node, at.b?.node];
  const moved = at.movedTo ? `  it has moved to ${at.movedTo.slice(-1).join()}\n` : '';
  const wrapper = !moved && isWrapper(at) ? `  the calls in it are made by ${(above.at(-1)?.b ?? above.at(-1)?.a)?.node.key ?? 'the step'} itself\n` : '';
  const stack = above.map(caller => (caller.b ?? caller.a)!.node.key).reverse();
  return `the first difference:\n${side(a.name, left?.text, left?.place)}${side(b.name, right?.text, right?.place)}${moved}${wrapper}${stack.map(name => `    in ${name}\n`).join('')}`;
}

/** As diff prints it: - for the first, + for the second; files that differ alike together. */
function stateText({ a, b, state }: Comparison): string {
  const alike = new Map<string, string[]>();
  for (const { path, only, lines } of state) {
    const texts = lines.flatMap(line => [...(line.a === undefined ? [] : [`- ${line.a}\n`]), ...(line.b === undefined ? [] : [`+ ${line.b}\n`])]);
    const text = only ? `only ${(only === 'a' ? a : b).name} has it\n` : texts.join('');
    alike.set(text, [...(alike.get(text) ?? []), path]);
  }
  return [...alike].map(([text, paths]) => `\n${paths.map(path => `${path}\n`).join('')}${text}`).join('');
}

/** For programs: { title, kernels, same, first?, lines, steps, state }; of what is equal, only how many lines it has. */
export function jsonText(found: Comparison): string {
  const { a, b, trees, state } = found;
  const first = firstDifference(trees);
  const json = {
    title: a.title,
    kernels: [a.name, b.name],
    same: isSame(found),
    first: first && { ...sides(first.at), in: first.above.map(caller => (caller.b ?? caller.a)!.node.key) },
    lines: countLines(trees),
    steps: trees.map(jsonNode),
    state,
  };
  return `${JSON.stringify(json, null, 1)}\n`;
}

const sides = ({ kind, a, b, movedTo, movedFrom }: Aligned): object => ({ kind, a: a?.node.text, b: b?.node.text, movedTo, movedFrom });

function jsonNode(aligned: Aligned): object {
  const { kind, b, children } = aligned;
  if (kind === 'same') return { kind, text: b!.node.text, lines: b!.size };
  return { ...sides(aligned), children: children.map(jsonNode) };
}
