import type { Aligned } from '../compare/align';
import type { Indexed } from '../compare/tree';
import { Repeated } from './repeated';

/** A line of two columns. */
export interface Row {
  readonly left: string;
  readonly mark: ' ' | '|' | '<' | '>' | '~';
  readonly right: string;
  /** stands behind both, also where they are cut off */
  readonly suffix?: string;
}

const MARKS = { same: ' ', inside: ' ', changed: '|', renamed: '|', removed: '<', added: '>', moved: '~' } as const;

/** Of a subtree that only one side has, so many lines are shown. */
const MAX_SINGLE = 24;

/** How deep a line stands in either tree. */
interface Depth {
  readonly a: number;
  readonly b: number;
}

/**
 * Two aligned trees in columns: what differs, the calls above it, and a neighbour on either side. What is equal is counted, and so is what differs as something
 * above does but for the figures. @param width of both columns
 */
export const sideBySide = (trees: readonly Aligned[], width: number): string => columns(new Rows().list(trees, { a: 0, b: 0 }), width);

export function columns(rows: readonly Row[], width: number): string {
  const column = Math.floor((width - 3) / 2);
  return rows.map(row => print(row, column)).join('');
}

class Rows {
  private readonly repeated = new Repeated();

  list(list: readonly Aligned[], depth: Depth): Row[] {
    const rows: Row[] = [];
    const isQuiet = quietOnes(list);
    for (let i = 0; i < list.length; i++) {
      if (!isQuiet[i]) {
        rows.push(...this.differing(list[i], depth));
        continue;
      }
      const from = i;
      while (isQuiet[i + 1]) i++;
      rows.push(...fold(list.slice(from, i + 1), depth, from > 0, i + 1 < list.length));
    }
    return rows;
  }

  private differing(aligned: Aligned, depth: Depth): Row[] {
    const { kind, a, b, children, movedFrom, movedTo } = aligned;
    const below: Depth = { a: depth.a + 1, b: depth.b + 1 };
    if (movedTo) return [row(`${a!.node.text}${more(a!.size - 1)}`, '~', `moved to ${place(movedTo)}`, depth)];
    if (movedFrom) return [row(`moved from ${place(movedFrom)}`, '~', `${b!.node.text}${children.length > 0 ? '' : more(b!.size - 1)}`, depth), ...this.list(children, below)];
    if (kind !== 'removed' && kind !== 'added') return children.length > 0 && this.repeated.seen(aligned) ? [both(aligned, depth, AS_ABOVE)] : [both(aligned, depth), ...this.list(children, below)];
    if (!isWrapper(aligned)) return single(aligned, kind, depth);
    // A wrapper: on the other side, what it contains stands one level less deep.
    if (kind === 'removed') return [row(a!.node.text, '<', '', depth), ...this.list(children, { a: below.a, b: depth.b })];
    return [row('', '>', b!.node.text, depth), ...this.list(children, { a: depth.a, b: below.b })];
  }
}

const AS_ABOVE = ' ... differs as above';

/** A line that only one side has is shown so often in one function. */
const SHOWN_OFTEN = 2;

/** Which of a list need not be shown: equal ones, and a line of one side that has been shown. */
function quietOnes(list: readonly Aligned[]): boolean[] {
  const shown = new Map<number, number>();
  return list.map(one => {
    const { kind, a, b, movedTo } = one;
    if (kind === 'same') return true;
    if (movedTo || (kind !== 'removed' && kind !== 'added') || isWrapper(one)) return false;
    const { id } = (a ?? b)!;
    const times = (shown.get(id) ?? 0) + 1;
    shown.set(id, times);
    return times > SHOWN_OFTEN;
  });
}

/** Those that need not be shown: next to a difference by name, the others by number. */
function fold(list: readonly Aligned[], depth: Depth, after: boolean, before: boolean): Row[] {
  const isNamed = (i: number): boolean => list[i].kind === 'same' && ((after && i === 0) || (before && i === list.length - 1));
  const named = (one: Aligned): Row[] => (one.kind === 'same' ? [both(one, depth, more(one.b!.size - 1))] : []);
  const hidden = list.filter((_, i) => !isNamed(i));
  if (hidden.length === 1 && hidden[0].kind === 'same') return list.flatMap(named);
  const [first, last] = [isNamed(0), list.length > 1 && isNamed(list.length - 1)];
  return [...(first ? named(list[0]) : []), ...(hidden.length > 0 ? [note(hidden, depth)] : []), ...(last ? named(list.at(-1)!) : [])];
}

function note(hidden: readonly Aligned[], depth: Depth): Row {
  const count = (kind: Aligned['kind'], side: 'a' | 'b'): number => hidden.reduce((sum, one) => sum + (one.kind === kind ? (one[side]?.size ?? 0) : 0), 0);
  const same = count('same', 'b');
  const text = (n: number): string => (n === 0 ? `${lines(same)} the same` : same === 0 ? `${lines(n)} as above` : `${lines(same)} the same, ${n} more as above`);
  const [left, right] = [count('removed', 'a'), count('added', 'b')];
  const mark = left > 0 && right > 0 ? '|' : left > 0 ? '<' : right > 0 ? '>' : ' ';
  return row(same > 0 || left > 0 ? text(left) : '', mark, same > 0 || right > 0 ? text(right) : '', depth);
}

const lines = (n: number): string => `... ${n} ${n === 1 ? 'line' : 'lines'}`;
const more = (n: number): string => (n > 0 ? ` ... +${n}` : '');

const row = (left: string, mark: Row['mark'], right: string, { a, b }: Depth): Row => ({ left: left && ' '.repeat(a) + left, mark, right: right && ' '.repeat(b) + right });

const both = ({ kind, a, b }: Aligned, depth: Depth, suffix = ''): Row => ({ ...row(a!.node.text, MARKS[kind], b!.node.text, depth), suffix });

const place = (path: readonly string[]): string => path.slice(-2).join(' > ') || 'the top';

/** A node of one side, with something below that is on the other side too. */
export const isWrapper = ({ kind, children }: Aligned): boolean =>
  (kind === 'removed' || kind === 'added') && children.some(child => child.kind !== kind || child.movedTo !== undefined || isWrapper(child));

function single({ a, b }: Aligned, kind: 'removed' | 'added', depth: Depth): Row[] {
  const all: Row[] = [];
  const add = ({ node, children }: Indexed, at: Depth): void => {
    all.push(kind === 'removed' ? row(node.text, '<', '', at) : row('', '>', node.text, at));
    for (const child of children) add(child, { a: at.a + 1, b: at.b + 1 });
  };
  add((a ?? b)!, depth);
  if (all.length <= MAX_SINGLE) return all;
  const rest = `${lines(all.length - MAX_SINGLE)} more`;
  return [...all.slice(0, MAX_SINGLE), kind === 'removed' ? row(rest, '<', '', depth) : row('', '>', rest, depth)];
}

/** What is the same on both sides is cut off at the column's end; what differs goes on in the next line. */
function print({ left, mark, right, suffix = '' }: Row, column: number): string {
  const fit = (text: string): string[] => (mark === ' ' ? [cut(text, column - suffix.length) + suffix] : wrap(text + suffix, column));
  const [a, b] = [fit(left), fit(right)];
  const height = Math.max(a.length, b.length);
  return Array.from({ length: height }, (_, i) => `${`${(a.at(i) ?? '').padEnd(column)} ${mark} ${b.at(i) ?? ''}`.trimEnd()}\n`).join('');
}

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);

/** Breaks at blanks where there are any; what follows is indented further. */
function wrap(text: string, width: number): string[] {
  const further = Math.min(/ */.exec(text)![0].length + 4, width >> 1);
  const parts: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width);
    const end = blank > further ? blank : width;
    parts.push(rest.slice(0, end));
    rest = ' '.repeat(further) + rest.slice(end).trimStart();
  }
  return [...parts, rest];
}
