import { linesOf, type Parsed, type Unread } from './files';
import { mended } from './torn-trees';
import type { TraceLine } from './trace';

/** Lines of the call trees are numbered behind those of the trace. */
export const GRAPH_LINES = 1_000_000;

/** A function that was called. */
export interface CalledFunction {
  readonly name: string;
  /** the compiler has split it: only a part of it shows */
  readonly isPart: boolean;
  /** of its indentation: callers have less */
  readonly indent: number;
  readonly line: number;
}

/** An event that was made in a function. */
export interface EventInTree {
  readonly event: string;
  readonly text: string;
  readonly indent: number;
  readonly line: number;
}

/** What function_graph printed of one outermost call. One that begins deeper has lost its beginning. */
export interface CallTree {
  readonly task: string;
  readonly cpu: number;
  readonly line: number;
  readonly calls: readonly CalledFunction[];
  readonly events: readonly EventInTree[];
}

export interface Graph {
  /** marks and events in the form of the trace; an event's time is not known */
  readonly lines: readonly TraceLine[];
  readonly trees: readonly CallTree[];
}

/** Outermost functions of interrupts: what is below them ran in a hard interrupt. */
export const INTERRUPT_ROOTS: readonly string[] = ['apic_ack_irq', 'apic_ack_edge', 'irq_move_masked_irq', 'smp_irq_move_cleanup_interrupt', '__sysvec_irq_move_cleanup'];

const HEADER = /^\[cpu (\d+) (.+?)\](?: \* (\w+): ?(.*))?$/;
const EVENT = /^(\s*)\* (\w+): ?(.*)$/;
const CALL = /^(\s+)([\w.]+)(?: \[\w+\])?$/;

/** Reads graph-tree.txt: the call trees of the steps that were made under the function graph tracer. */
export function parseGraph(text: string, file = 'graph-tree.txt'): Parsed<Graph> {
  const lines: TraceLine[] = [];
  const trees: (CallTree & { calls: CalledFunction[]; events: EventInTree[] })[] = [];
  const unread: Unread[] = [];
  const note = (at: { task: string; cpu: number }, line: number, hardirq: boolean, event: string, rest: string): void =>
    void lines.push({ line, task: at.task, cpu: at.cpu, hardirq, softirq: false, time: String(line), event, text: rest.trimEnd() });
  linesOf(text).forEach((source, i) => {
    const line = GRAPH_LINES + i + 1;
    if (source.startsWith('## ')) {
      note({ task: 'init-1', cpu: 0 }, line, false, 'tracing_mark_write', source.slice(3));
      return;
    }
    const header = HEADER.exec(source);
    if (header) {
      const at = { cpu: Number(header[1]), task: header[2] };
      if (header.at(3) === undefined) trees.push({ ...at, line, calls: [], events: [] });
      else note(at, line, false, header[3], header[4]);
      return;
    }
    const tree = trees.at(-1);
    const event = EVENT.exec(source);
    const call = CALL.exec(source);
    if (event && tree) {
      note(tree, line, isInterrupt(tree.calls, event[1].length, event[2]), event[2], event[3]);
      tree.events.push({ event: event[2], text: event[3].trimEnd(), indent: event[1].length, line });
    } else if (call && tree) tree.calls.push({ name: call[2].replace(/\.(isra|constprop|part|cold)\b.*$/, ''), isPart: /\.part\b/.test(call[2]), indent: call[1].length, line });
    else unread.push({ file, line: i + 1, text: source });
  });
  return { value: { lines, trees: mended(trees) }, unread };
}

/** The functions that make these events, as far as they have code of their own. */
const MAKERS: Record<string, string> = {
  vector_activate: 'x86_vector_activate',
  vector_clear: 'clear_irq_vector',
  vector_config: 'apic_update_irq_cfg',
  vector_deactivate: 'x86_vector_deactivate',
  vector_free_moved: 'free_moved_vector',
  vector_teardown: 'x86_vector_free_irqs',
  vector_update: 'apic_update_vector',
};

const makerOf = (event: string): string | undefined => (event.startsWith('irq_matrix_') ? event : MAKERS[event]);

/**
 * Whether an event at this indentation is of an interrupt: the functions around it say so, or the innermost one is another than the one that makes it.
 * Of an interrupt that hits a task within a tree the tracer shows events only.
 */
function isInterrupt(calls: readonly CalledFunction[], indent: number, event: string): boolean {
  const around: string[] = [];
  let inner = indent;
  for (let i = calls.length - 1; i >= 0; i--) {
    if (calls[i].indent >= inner) continue;
    inner = calls[i].indent;
    around.push(calls[i].name);
  }
  const maker = makerOf(event);
  return around.some(name => INTERRUPT_ROOTS.includes(name)) || (around.length > 0 && maker !== undefined && around[0] !== maker);
}
