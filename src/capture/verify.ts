import { validateMachineConfig } from '../hardware/validate-machine';
import { KERNELS } from '../kernel/changes';
import { list } from '../scenario/nearest';
import { readCapture, type Capture } from './capture';
import { isBuildKnown } from './model-and-capture/compiled';
import { EXCEPTIONS } from './model-and-capture/counted-functions';
import type { Difference } from './model-and-capture/compare-events';
import { explanationsOf, explanationText, type Explanation } from './later-kernels/explain';
import type { Section, Unread } from './reading/files';
import { planOf, type Plan, type PlannedItem } from './replay/plan';
import { otherWay, Replay, type Count } from './replay/replay';

export type { Count } from './replay/replay';

/** What a comparison came to. */
export interface Verdict {
  readonly name: string;
  readonly events: Count;
  readonly state: Count;
  /** of the steps under the function graph tracer */
  readonly calls: Count;
  /** lines of the kernel's log that count */
  readonly log: Count;
  /** taken from the capture, one sentence each */
  readonly inputs: readonly string[];
  /** how often state was loaded from the capture */
  readonly resumed: 0;
  /** lines that were not understood */
  readonly unread: number;
  /** the first one has made the others, or some of them */
  readonly differences: readonly Difference[];
  /** of a kernel behind the last one of the model: the changes that make it another one */
  readonly explanations: readonly Explanation[];
  /** everything was there, was understood and is the same; never of a kernel behind the last one of the model */
  readonly ok: boolean;
}

/**
 * Performs a capture on the model, from power-on, and compares what the model does with what the kernel did.
 * @param kernel runs this one instead of the capture's; as parseKernel() reads it
 * @param print gets the report, line by line; the last one is `CAPTURE: events M/N, state M/N, calls M/N, log M/N, inputs K, resumed 0, unread U`
 */
export function verify(folder: string, print: (line: string) => void, kernel?: string): Verdict {
  const captured = readCapture(folder);
  const capture = kernel === undefined ? captured : { ...captured, kernel, later: undefined };
  const plan = planOf(capture);
  const refused = refusals(capture, plan);
  const problems = [...capture.problems, ...plan.problems, ...refused];
  for (const problem of problems) print(`${capture.name}: ${problem}`);

  const replay = capture.kernel === undefined || refused.length > 0 ? undefined : replayOf(capture, plan, print);
  replay?.compareLog();
  const unread = [...(replay?.unread ?? []), ...unreadOf(capture, plan)];
  const verdict = verdictOf(capture, replay, unread.length, problems.length === 0, replay ? explanationsOf(capture, plan, replay) : []);
  printUnread(capture.name, unread, print);
  if (verdict.differences.length > 0) printDifference(verdict.differences[0], print);
  if (capture.later && replay) printExplanations(capture, verdict, print);
  if (verdict.calls.total > 0) printCalls(capture, replay?.calls.lost ?? 0, print);
  for (const [reason, lines] of replay?.logMasks ?? []) print(`log: not compared in ${lines} ${lines === 1 ? 'line' : 'lines'}: ${reason}`);
  const part = (name: 'events' | 'state' | 'calls' | 'log'): string => `${name} ${verdict[name].matched}/${verdict[name].total}`;
  print(`${capture.name}: ${part('events')}, ${part('state')}, ${part('calls')}, ${part('log')}, inputs ${verdict.inputs.length}, resumed 0, unread ${verdict.unread}`);
  return verdict;
}

function refusals({ kernel, uname, machine }: Capture, { items }: Plan): string[] {
  if (kernel === undefined) return uname === '' ? [] : [`the model has no kernel "${uname}", only ${list(Object.keys(KERNELS), 'and')}: nothing is checked`];
  if (items.length === 0) return ['there is nothing in it that can be performed: nothing is checked'];
  return validateMachineConfig(machine).map(({ path, message }) => `${path}: ${message}: nothing is checked`);
}

/** More ways than that are not tried to avoid a difference. */
const ATTEMPTS = 32;

interface Way {
  readonly replay: Replay;
  readonly lines: readonly string[];
}

/**
 * Where the capture does not tell how tasks that ran at once did so, each way is tried until one makes no difference.
 * Where all of a step's ways make one, the way that came farthest is taken.
 */
export function replayOf(capture: Capture, plan: Plan, print: (line: string) => void): Replay {
  let settled: readonly number[] = [];
  for (;;) {
    const way = bestWay(capture, plan, settled);
    if (way.replay.contested === undefined) {
      for (const line of way.lines) print(line);
      return way.replay;
    }
    settled = way.replay.choices.slice(0, way.replay.contested).map(({ taken }) => taken);
  }
}

/** @param settled the first choices, which stay as they are */
function bestWay(capture: Capture, plan: Plan, settled: readonly number[]): Way {
  let best: Way | undefined;
  let taken: readonly number[] | undefined = settled;
  for (let attempt = 0; taken && attempt < ATTEMPTS; attempt++) {
    const way = tryWay(capture, plan, taken, settled.length);
    if (way.replay.contested === undefined) return way;
    if (!best || came(way) > came(best)) best = way;
    taken = otherWay(way.replay.choices.slice(0, way.replay.contested), settled.length, way.replay.step);
  }
  return best!;
}

const came = ({ replay }: Way): number => replay.matchedEvents.matched + replay.state.matched + replay.calls.matched;

function tryWay(capture: Capture, plan: Plan, taken: readonly number[], settled: number): Way {
  const lines: string[] = [];
  const replay = new Replay(capture, plan, taken, settled);
  for (const step of new Set(plan.items.map(item => item.step))) report(replay, step, plan.items.filter(item => item.step === step), line => lines.push(line));
  return { replay, lines };
}

/** Performs a step and prints what of it is the same. */
function report(replay: Replay, step: string, items: readonly PlannedItem[], print: (line: string) => void): void {
  const events = replay.matchedEvents.matched;
  const state = replay.state.matched;
  const inputs = replay.inputs.length;
  for (const item of items) replay.perform(item);
  print(`${step}: events ${replay.matchedEvents.matched - events}, state ${replay.state.matched - state}/${replay.lines(items)}`);
  for (const input of replay.inputs.slice(inputs)) print(`  input: ${input}`);
}

/** The first ones: where they stand. */
function printUnread(name: string, unread: readonly Unread[], print: (line: string) => void): void {
  for (const { file, line, text } of unread.slice(0, 3)) print(`${name}: ${file}:${line} is not understood: ${text.slice(0, 100)}`);
}

/** What differs from the last kernel of the model, by change, and what no change explains. */
function printExplanations({ name, later }: Capture, { explanations, ...verdict }: Verdict, print: (line: string) => void): void {
  print(`${name}: the model has not this kernel; ${later!.base} with these changes and in these words does what it did`);
  for (const explanation of explanations) print(`  ${explanationText(explanation)}`);
  print(`${name}: unexplained ${unexplained(verdict)}`);
}

/** Events, lines of state, calls and lines of the log that are not the same. */
export const unexplained = ({ events, state, calls, log }: Pick<Verdict, 'events' | 'state' | 'calls' | 'log'>): number =>
  [events, state, calls, log].reduce((sum, { matched, total }) => sum + total - matched, 0);

/** What the comparison of calls rests on. */
function printCalls({ uname }: Capture, lost: number, print: (line: string) => void): void {
  print(`calls: ${Object.keys(EXCEPTIONS).length} functions are left out (${Object.keys(EXCEPTIONS).join(', ')})`);
  if (!isBuildKnown(uname)) print('calls: this build of the kernel is not known: functions that no tree shows count as put into their callers');
  if (lost > 0) print(`calls: ${lost} calls of the model are not checked: trees are lost there, or their beginnings`);
}

function printDifference({ where, captured, model, stack }: Difference, print: (line: string) => void): void {
  print(`first difference: ${where}`);
  print(`  capture: ${captured ?? '(nothing)'}`);
  print(`  model:   ${model ?? '(nothing)'}`);
  for (const frame of stack) print(`    at ${frame}`);
}

function verdictOf(capture: Capture, replay: Replay | undefined, unread: number, complete: boolean, explanations: readonly Explanation[]): Verdict {
  const none: Count = { matched: 0, total: 0 };
  const events = replay?.matchedEvents ?? none;
  const state = replay?.state ?? none;
  const calls = replay ? { matched: replay.calls.matched, total: replay.calls.total } : none;
  const log = replay?.log ?? none;
  const all = ({ matched, total }: Count): boolean => total > 0 && matched === total;
  const differences = replay?.differences ?? [];
  const ok = complete && !capture.later && differences.length === 0 && unread === 0 && all(events) && all(state) && calls.matched === calls.total && log.matched === log.total;
  return { name: capture.name, events, state, calls, log, inputs: replay?.inputs ?? [], resumed: 0, unread, differences, explanations, ok };
}

/** Lines of the trace, of the call trees and of the snapshots that are compared. */
function unreadOf({ unread, snapshots, interrupts, sysIrqs }: Capture, { items }: Plan): Unread[] {
  const labels = new Set(items.flatMap(({ kind, text }) => (kind === 'snapshot' ? [text] : [])));
  const sections: Record<string, readonly Section[]> = { 'irqlens.txt': snapshots, 'proc-interrupts.txt': interrupts, 'sys-kernel-irq.txt': sysIrqs };
  const shown = (file: string, line: number): boolean =>
    (sections[file] ?? []).some(({ label, firstLine, lines }) => labels.has(label) && line >= firstLine && line < firstLine + lines.length);
  return unread.filter(({ file, line }) => file === 'trace-vectors.txt' || file === 'graph-tree.txt' || shown(file, line));
}
