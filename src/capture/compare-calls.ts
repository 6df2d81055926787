import type { Called, Calls } from './call-recorder';
import { counts } from './counted-functions';
import { INTERRUPT_ROOTS, type CalledFunction, type CallTree } from './graph';
import { taskOf } from './trace';

/** Functions that count but are left out on both sides, with the reason. */
export const EXCEPTIONS: Record<string, string> = {
  irq_to_desc: 'an accessor: in the model an expression',
  irq_get_irq_data: 'an accessor: in the model an expression',
  irq_domain_get_irq_data: 'an accessor',
  irqd_cfg: 'an accessor; the compiler has put it into some of its callers',
  msi_desc_to_pci_dev: 'an accessor: in the model an expression',
  free_msi_entry: 'gives memory back',
};

/** What a task, or the interrupts of a CPU, called: all its trees, one line a function. */
export interface CallStream {
  /** undefined: interrupts of `cpu` */
  readonly task: string | undefined;
  readonly cpu: number;
  readonly trees: readonly StreamTree[];
}

interface StreamTree {
  /** its beginning was lost when the task went to another CPU: nobody knows how deep it is */
  readonly torn: boolean;
  readonly lines: readonly CallLine[];
}

interface CallLine {
  /** indented by the callers that count */
  readonly text: string;
  readonly line: number;
}

/** How two streams compare. */
export interface CallResult {
  readonly matched: number;
  readonly total: number;
  /** the first place where they part */
  readonly difference: { readonly line: number | undefined; readonly captured: string | null; readonly model: string | null } | undefined;
}

const isCompared = (name: string): boolean => counts.has(name) && !(name in EXCEPTIONS);

/** What the compiler has made of the functions, as far as the trees show it. */
export interface Compiled {
  /** seen whole */
  readonly traced: ReadonlySet<string>;
  /** split: only a part shows, and the tracer does not start there */
  readonly split: ReadonlySet<string>;
}

export function compiledFunctions(trees: readonly CallTree[]): Compiled {
  const calls = trees.flatMap(tree => tree.calls);
  const split = new Set(calls.flatMap(({ name, isPart }) => (isPart ? [name] : [])));
  return { split, traced: new Set(calls.flatMap(({ name }) => (split.has(name) ? [] : [name]))) };
}

/** Of an outermost function. */
const TOP_INDENT = 2;

/** The captured streams, by who called; interrupts that hit a task are their CPU's. */
export function capturedStreams(trees: readonly CallTree[], traced: ReadonlySet<string>): CallStream[] {
  const streams = new Map<string, CallStream & { trees: StreamTree[] }>();
  const add = (task: string | undefined, cpu: number, calls: readonly CalledFunction[]): void => {
    const key = task ?? `interrupts of CPU ${cpu}`;
    const lines = linesOf(calls, traced);
    if (lines.length === 0) return;
    const stream = streams.get(key) ?? { task, cpu, trees: [] };
    streams.set(key, stream);
    stream.trees.push({ torn: calls[0].indent > TOP_INDENT && task !== undefined, lines });
  };
  for (const { task, cpu, calls } of trees) {
    const interrupts = interruptsOf(calls);
    for (const interrupt of interrupts) add(undefined, cpu, interrupt);
    const hit = new Set(interrupts.flat());
    add(taskOf({ task, cpu }), cpu, calls.filter(call => !hit.has(call)));
  }
  return [...streams.values()];
}

/** The scheduler's: what is below it is none of the interrupt code's doing. */
const FOREIGN = ['native_smp_send_reschedule'];

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

function linesOf(calls: readonly CalledFunction[], traced: ReadonlySet<string>): CallLine[] {
  const shows = ({ name }: CalledFunction): boolean => isCompared(name) && traced.has(name);
  const callers: CalledFunction[] = [];
  return calls.flatMap(call => {
    while (callers.length > 0 && callers.at(-1)!.indent >= call.indent) callers.pop();
    const depth = callers.filter(shows).length;
    callers.push(call);
    return shows(call) && !callers.some(({ name }) => FOREIGN.includes(name)) ? [{ text: indented(call.name, depth), line: call.line }] : [];
  });
}

const indented = (name: string, depth: number): string => `${'  '.repeat(depth)}${name}`;

/** A tree of the model, without the functions that are left out and those that the tracer never saw: the compiler has put them into their callers. */
function modelLines(tree: readonly Called[], traced: ReadonlySet<string>): string[] {
  const left: number[] = [];
  return tree.flatMap(({ name, depth }) => {
    while (left.length > 0 && left.at(-1)! >= depth) left.pop();
    if (isCompared(name) && traced.has(name)) return [indented(name, depth - left.length)];
    left.push(depth);
    return [];
  });
}

/** How many of the model's trees are interrupts that do nothing but acknowledge. */
export const acknowledged = (model: Calls, traced: ReadonlySet<string>): number => model.filter(tree => modelLines(tree, traced).length === 1).length;

/**
 * Compares a captured stream with the model's, tree by tree. Of interrupts those that do nothing but acknowledge may come anywhere: they are as many on both sides.
 * @param traced every function that the tracer saw
 */
export function compareCalls(captured: CallStream | undefined, model: Calls, traced: ReadonlySet<string>): CallResult {
  const isInterrupt = captured === undefined || captured.task === undefined;
  const order = <T>(trees: readonly T[], size: (tree: T) => number): readonly T[] =>
    isInterrupt ? [...trees.filter(tree => size(tree) > 1), ...trees.filter(tree => size(tree) === 1)] : trees;
  const expected = order(captured?.trees ?? [], ({ lines }) => lines.length);
  const made = order(model.map(tree => modelLines(tree, traced)).filter(tree => tree.length > 0), tree => tree.length);
  const results = Array.from({ length: Math.max(expected.length, made.length) }, (_, i) => compareTree(expected.at(i), made.at(i) ?? []));
  return {
    matched: results.reduce((sum, { matched }) => sum + matched, 0),
    total: results.reduce((sum, { total }) => sum + total, 0),
    difference: results.find(({ difference }) => difference)?.difference,
  };
}

function compareTree(captured: StreamTree | undefined, whole: readonly string[]): CallResult {
  const lines = captured?.lines ?? [];
  const plain = (text: string): string => (captured?.torn ? text.trim() : text);
  const expected = lines.map(({ text }) => plain(text));
  const model = captured?.torn ? whole.slice(-expected.length).map(plain) : whole;
  const first = Array.from({ length: Math.max(expected.length, model.length) }, (_, i) => i).find(i => expected.at(i) !== model.at(i));
  return {
    matched: first === undefined ? expected.length : common(expected, model),
    total: expected.length,
    difference: first === undefined ? undefined : { line: (lines.at(first) ?? lines.at(-1))?.line, captured: expected.at(first) ?? null, model: model.at(first) ?? null },
  };
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
