import type { Called, Calls } from './call-recorder';
import { isCompared } from './counted-functions';
import { INTERRUPT_ROOTS, type CalledFunction, type CallTree } from '../reading/graph';
import { isTorn } from '../reading/torn-trees';
import { taskOf } from '../reading/trace';

/** What a task, or the interrupts of a CPU, called: all its trees, one line a function. */
export interface CallStream {
  /** undefined: interrupts of `cpu` */
  readonly task: string | undefined;
  readonly cpu: number;
  readonly trees: readonly StreamTree[];
}

interface StreamTree {
  /** its beginning is lost: how deep its outermost lines are is not known */
  readonly torn: boolean;
  readonly lines: readonly CallLine[];
}

interface CallLine {
  /** indented by the callers that count, as far as they are in the tree */
  readonly text: string;
  readonly line: number;
  /** as the tracer printed it */
  readonly indent: number;
}

/** How two streams compare. */
export interface CallResult {
  readonly matched: number;
  /** calls of either side */
  readonly total: number;
  /** calls of the model that stand where a tree has lost its beginning */
  readonly lost: number;
  /** the first place where they part */
  readonly difference: CallDifference | undefined;
}

interface CallDifference {
  readonly line: number | undefined;
  readonly captured: string | null;
  readonly model: string | null;
}

/** Below these nothing counts: an exception. */
const FOREIGN = 'native_smp_send_reschedule';

/** The captured streams, by who called; interrupts that hit a task are their CPU's. */
export function capturedStreams(trees: readonly CallTree[]): CallStream[] {
  const streams = new Map<string, CallStream & { trees: StreamTree[] }>();
  const add = (task: string | undefined, cpu: number, torn: boolean, calls: readonly CalledFunction[]): void => {
    const key = task ?? `interrupts of CPU ${cpu}`;
    const lines = linesOf(calls);
    if (lines.length === 0) return;
    const stream = streams.get(key) ?? { task, cpu, trees: [] };
    streams.set(key, stream);
    stream.trees.push({ torn, lines });
  };
  for (const tree of trees) {
    const { task, cpu, calls } = tree;
    const interrupts = interruptsOf(calls);
    for (const interrupt of interrupts) add(undefined, cpu, false, interrupt);
    const hit = new Set(interrupts.flat());
    add(taskOf({ task, cpu }), cpu, isTorn(tree), calls.filter(call => !hit.has(call)));
  }
  return [...streams.values()];
}

/** The parts of a tree that are interrupts, each with what is below it. */
function interruptsOf(calls: readonly CalledFunction[]): CalledFunction[][] {
  const found: CalledFunction[][] = [];
  let inside: CalledFunction | undefined;
  for (const call of calls) {
    if (inside && call.indent <= inside.indent) inside = undefined;
    if (!inside && INTERRUPT_ROOTS.includes(call.name)) {
      inside = call;
      found.push([]);
    }
    if (inside) found.at(-1)!.push(call);
  }
  return found;
}

function linesOf(calls: readonly CalledFunction[]): CallLine[] {
  const callers: CalledFunction[] = [];
  return calls.flatMap(call => {
    while (callers.length > 0 && callers.at(-1)!.indent >= call.indent) callers.pop();
    // The part of a function that has been split off, called by the rest of it: one call.
    if (call.isPart && callers.at(-1)?.name === call.name) return [];
    const depth = callers.filter(({ name }) => isCompared(name)).length;
    callers.push(call);
    const { name, line, indent } = call;
    return isCompared(name) && !callers.some(caller => caller.name === FOREIGN) ? [{ text: indented(name, depth), line, indent }] : [];
  });
}

const indented = (name: string, depth: number): string => `${'  '.repeat(depth)}${name}`;

/**
 * Compares a captured stream with the model's, tree by tree. Of interrupts those that do nothing but acknowledge may come anywhere: they are as many on both sides.
 */
export function compareCalls(captured: CallStream | undefined, model: Calls): CallResult {
  const isInterrupt = captured === undefined || captured.task === undefined;
  const order = <T>(trees: readonly T[], size: (tree: T) => number): readonly T[] =>
    isInterrupt ? [...trees.filter(tree => size(tree) > 1), ...trees.filter(tree => size(tree) === 1)] : trees;
  const expected = order(captured?.trees ?? [], ({ lines }) => lines.length);
  const made = order(model.filter(tree => tree.length > 0), tree => tree.length);
  const results = Array.from({ length: Math.max(expected.length, made.length) }, (_, i) => compareTree(expected.at(i), made.at(i) ?? []));
  const sum = (of: (result: CallResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  return {
    matched: sum(({ matched }) => matched),
    total: sum(({ total }) => total),
    lost: sum(({ lost }) => lost),
    difference: results.find(({ difference }) => difference)?.difference,
  };
}

function compareTree(captured: StreamTree | undefined, model: readonly Called[]): CallResult {
  const lines = captured?.lines ?? [];
  const expected = lines.map(({ text }) => text);
  const lost = captured?.torn ? lostBefore(lines, model) : 0;
  const made = modelLines(model.slice(lost), expected);
  const first = Array.from({ length: Math.max(expected.length, made.length) }, (_, i) => i).find(i => expected.at(i) !== made.at(i));
  if (first === undefined) return { matched: expected.length, total: expected.length, lost, difference: undefined };
  const matched = common(expected, made);
  const difference = { line: (lines.at(first) ?? lines.at(-1))?.line, captured: expected.at(first) ?? null, model: made.at(first) ?? null };
  return { matched, total: expected.length + made.length - matched, lost, difference };
}

/** How many of the model's calls come before what is left of a tree: as many as leave one line each. */
function lostBefore(lines: readonly CallLine[], model: readonly Called[]): number {
  const expected = lines.map(({ text }) => text);
  const same = Array.from(model, (_, i) => i).find(i => {
    const made = modelLines(model.slice(i), expected);
    return made.length === expected.length && made.every((text, at) => text === expected[at]) && isAsDeep(lines, model.slice(i));
  });
  return same ?? Math.max(0, model.length - lines.length);
}

/** Lines whose callers are lost: those that the tracer printed equally deep are equally deep in the model, and those that it printed less deep are not deeper. */
function isAsDeep(lines: readonly CallLine[], model: readonly Called[]): boolean {
  const outer = (_: unknown, i: number): boolean => !lines[i].text.startsWith(' ');
  const printed = lines.filter(outer).map(({ indent }) => indent);
  const depths = outermost(model);
  return printed.slice(1).every((indent, i) => (indent === printed[i] ? depths[i + 1] === depths[i] : depths[i + 1] <= depths[i]));
}

/** Depths of the calls whose callers are not among these. */
function outermost(model: readonly Called[]): number[] {
  return model.reduce<number[]>((depths, { depth }) => (depths.length === 0 || depth <= depths.at(-1)! ? [...depths, depth] : depths), []);
}

/** The model's calls as lines. A split function shows only where the capture shows it: what its caller has of it may do. */
function modelLines(calls: readonly Called[], expected: readonly string[]): string[] {
  const left: number[] = [];
  const callers: number[] = [];
  const lines: string[] = [];
  for (const { name, depth, isSplit } of calls) {
    while (left.length > 0 && left.at(-1)! >= depth) left.pop();
    while (callers.length > 0 && callers.at(-1)! >= depth) callers.pop();
    const text = indented(name, callers.length - left.length);
    callers.push(depth);
    if (isSplit && expected.at(lines.length) !== text) left.push(depth);
    else lines.push(text);
  }
  return lines;
}

/** Length of the longest common subsequence. */
function common(a: readonly string[], b: readonly string[]): number {
  let above = new Array<number>(b.length + 1).fill(0);
  for (const line of a) {
    const row = [0];
    b.forEach((other, j) => row.push(line === other ? above[j] + 1 : Math.max(above[j + 1], row[j])));
    above = row;
  }
  return above.at(-1) ?? 0;
}
