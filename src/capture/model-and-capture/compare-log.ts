import type { LogLine } from '../../kernel/lib/printk';
import { linesOf } from '../reading/files';
import type { Words } from '../later-kernels/rewordings';
import { linesThatCount, type LoggedLine } from './log-lines';

export interface LogResult {
  readonly matched: number;
  /** lines of the capture, and those that only the model has */
  readonly total: number;
  readonly difference: { readonly step: string; readonly captured: string | null; readonly model: string | null } | undefined;
  /** why something of a line is not compared, and in how many lines */
  readonly masked: ReadonlyMap<string, number>;
}

/** Where a step begins in the model's log. */
export interface LogMark {
  readonly step: string;
  readonly from: number;
}

/** What was logged in a step. */
interface Section {
  readonly step: string;
  readonly lines: readonly string[];
}

/** Compares the lines that count of a kernel's log with the model's: in each step the same lines in the same order. */
export function compareLog(dmesg: string, log: readonly LogLine[], marks: readonly LogMark[], words: Words): LogResult {
  const captured = capturedSections(dmesg);
  const model = modelSections(log, marks.filter(({ step }) => captured.some(other => other.step === step)), words);
  const masked = new Map<string, number>();
  let matched = 0;
  let total = 0;
  let difference: LogResult['difference'];
  for (let i = 0; i < Math.max(captured.length, model.length); i++) {
    const step = (captured.at(i) ?? model[i]).step;
    const theirs = linesThatCount(captured.at(i)?.lines ?? []);
    const ours = linesThatCount(model.at(i)?.lines ?? []);
    for (const reason of theirs.flatMap(({ masks }) => masks)) masked.set(reason, (masked.get(reason) ?? 0) + 1);
    const same = inOrder(theirs, ours);
    matched += same;
    total += theirs.length + ours.length - same;
    difference ??= firstDifference(step, theirs, ours);
  }
  return { matched, total, difference, masked };
}

/** The rig says in the log, too, which step begins. */
function capturedSections(dmesg: string): Section[] {
  const sections: { step: string; lines: string[] }[] = [{ step: 'boot', lines: [] }];
  for (const line of linesOf(dmesg)) {
    const text = line.replace(/^\[\s*\d+\.\d+\]\s?/, '');
    const step = /^oracle: STEP (\S+)/.exec(text)?.[1];
    if (step === undefined) sections.at(-1)!.lines.push(text);
    else sections.push({ step, lines: [] });
  }
  return sections;
}

const modelSections = (log: readonly LogLine[], marks: readonly LogMark[], words: Words): Section[] =>
  marks.map(({ step, from }, i) => ({ step, lines: words.logLines(log.slice(from, marks.at(i + 1)?.from).map(({ text }) => text), step === 'boot') }));

/** The longest common subsequence: so many lines match. */
function inOrder(captured: readonly LoggedLine[], model: readonly LoggedLine[]): number {
  const best = Array.from({ length: captured.length + 1 }, () => new Uint32Array(model.length + 1));
  for (let i = captured.length - 1; i >= 0; i--) {
    for (let j = model.length - 1; j >= 0; j--) {
      best[i][j] = captured[i].text === model[j].text ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    }
  }
  return best[0][0];
}

/** The first line that is another one, or on one side only. */
function firstDifference(step: string, captured: readonly LoggedLine[], model: readonly LoggedLine[]): LogResult['difference'] {
  for (let i = 0; i < Math.max(captured.length, model.length); i++) {
    const theirs = captured.at(i)?.text;
    const ours = model.at(i)?.text;
    if (theirs !== ours) return { step, captured: theirs ?? null, model: ours ?? null };
  }
  return undefined;
}
