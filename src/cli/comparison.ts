import type { Aligned } from '../compare/align';
import { countLines, firstDifference } from '../compare/compare';
import type { FileDifference } from '../compare/texts';
import { columns, isWrapper, type Row, sideBySide } from './side-by-side';

export interface Comparison {
  /** of the scenario that runs on both sides, or on one */
  readonly title?: string;
  /** name of the kernel, or of the capture */
  readonly a: string;
  readonly b: string;
  readonly trees: readonly Aligned[];
  /** how many files, or parts of the state, were compared */
  readonly files: number;
  readonly state: readonly FileDifference[];
  /** vectors, CPUs and the like differ from one boot to the next: that they do is no first difference where there is another */
  readonly figuresVary: boolean;
  /** what the comparison leaves out, one sentence each */
  readonly notes: readonly string[];
}

export const isSame = ({ trees, state }: Comparison): boolean => state.length === 0 && firstDifference(trees) === undefined;

/** For people. @param width of a line */
export function comparisonText(found: Comparison, width: number): string {
  const { title, a, b, trees, state, notes, files: compared } = found;
  const head = [`${title === undefined ? '' : `${title}: `}${a} and ${b}\n`, ...notes.map(note => `${note}\n`)].join('');
  const { same, changed, renamed, removed, added, moved } = countLines(trees);
  if (isSame(found)) return `${head}nothing differs: ${same} lines, ${compared} files\n`;

  const heading: Row = { left: a, mark: ' ', right: b };
  const first = firstText(found);
  const tree = first === undefined ? ['all calls and events are the same\n'] : [first, `${columns([heading], width)}${sideBySide(trees, width)}`];
  const counts = `${same} lines the same, ${changed} changed, ${renamed} renamed, ${removed} removed, ${added} added, ${moved} moved\n`;
  const files = state.length === 0 ? `the state at the end is the same: ${compared} files\n` : `the state at the end differs:\n${stateText(found)}`;
  return [head, ...tree, counts, files].join('\n');
}

/** Where the trees part, what stands there on both sides, and who called it, the caller first. */
function firstText(comparison: Comparison): string | undefined {
  const { a, b } = comparison;
  const found = firstOf(comparison);
  if (!found) return undefined;
  const { at, above } = found;
  const side = (name: string, text: string | undefined, where: string | undefined): string => `  ${name}: ${text ?? 'nothing'}${where === undefined ? '' : ` (${where})`}\n`;
  const [left, right] = [at.a?.node, at.b?.node];
  const moved = at.movedTo ? `  it has moved to ${at.movedTo.slice(-1).join()}\n` : '';
  const wrapper = !moved && isWrapper(at) ? `  the calls in it are made by ${(above.at(-1)?.b ?? above.at(-1)?.a)?.node.key ?? 'the step'} itself\n` : '';
  const stack = above.map(caller => (caller.b ?? caller.a)!.node.key).reverse();
  return `the first difference:\n${side(a, left?.text, left?.place)}${side(b, right?.text, right?.place)}${moved}${wrapper}${stack.map(name => `    in ${name}\n`).join('')}`;
}

const firstOf = ({ trees, figuresVary }: Comparison): ReturnType<typeof firstDifference> =>
  (figuresVary ? firstDifference(trees, ({ kind }) => kind !== 'changed') : undefined) ?? firstDifference(trees);

/** As diff prints it: - for the first, + for the second; files that differ alike together. */
function stateText({ a, b, state }: Comparison): string {
  const alike = new Map<string, string[]>();
  for (const { path, only, lines } of state) {
    const texts = lines.flatMap(line => [...(line.a === undefined ? [] : [`- ${line.a}\n`]), ...(line.b === undefined ? [] : [`+ ${line.b}\n`])]);
    const text = only ? `only ${only === 'a' ? a : b} has it\n` : texts.join('');
    alike.set(text, [...(alike.get(text) ?? []), path]);
  }
  return [...alike].map(([text, paths]) => `\n${paths.map(path => `${path}\n`).join('')}${text}`).join('');
}

/** For programs: { title?, kernels, notes, same, first?, lines, steps, state }; of what is equal, only how many lines it has. */
export function jsonText(found: Comparison): string {
  const { title, a, b, trees, state, notes } = found;
  const first = firstOf(found);
  const json = {
    title,
    kernels: [a, b],
    notes,
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
