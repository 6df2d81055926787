import { linesOf, type Parsed, type Unread } from './files';

/** One line of ftrace's text. `line` is its 1-based number in the file. */
export interface TraceLine {
  readonly line: number;
  /** "init-1", "<idle>-0", "kworker/u8:3-61" */
  readonly task: string;
  readonly cpu: number;
  /** hard interrupt: 'h', or 'H' when it hit a soft interrupt */
  readonly hardirq: boolean;
  /** soft interrupt: 's', behind a hard interrupt or in ksoftirqd */
  readonly softirq: boolean;
  /** as printed, in seconds: equal texts are equal times */
  readonly time: string;
  readonly event: string;
  /** what stands behind "event: " */
  readonly text: string;
}

/** Steps of the script that made the capture, written into the trace. */
export const MARKS = ['STEP', 'DONE', 'TRY', 'WRITE', 'CMD', 'RES', 'BOOT', 'FINAL', 'fg-end'] as const;
export type MarkKind = (typeof MARKS)[number];

export interface Mark {
  readonly kind: MarkKind;
  /** what stands behind the kind */
  readonly text: string;
}

const LINE = /^(.+)-(\d+)\s+\[(\d+)\]\s+(\S{4,5})\s+(\d+\.\d+): (\w+): ?(.*)$/;

/** Reads ftrace text (`tracing/trace`). Comment lines are skipped. */
export function parseTrace(text: string, file = 'trace-vectors.txt'): Parsed<TraceLine[]> {
  const value: TraceLine[] = [];
  const unread: Unread[] = [];
  linesOf(text).forEach((source, i) => {
    if (source.startsWith('#') || source.trim() === '') return;
    const match = LINE.exec(source.trimStart());
    if (!match) return void unread.push({ file, line: i + 1, text: source });
    const [, name, pid, cpu, flags, time, event, rest] = match;
    value.push({
      line: i + 1,
      task: `${name.trim()}-${pid}`,
      cpu: Number(cpu),
      hardirq: /[hH]/.test(flags[2]),
      softirq: flags[2] === 's',
      time: time,
      event: event,
      text: rest.trimEnd(),
    });
  });
  return { value, unread };
}

/** The script's mark in a trace line; undefined for an event, null for a mark of an unknown kind. */
export function markOf(line: TraceLine): Mark | null | undefined {
  if (line.event !== 'tracing_mark_write') return undefined;
  const match = /^ORACLE: ([\w-]+)\s*(.*)$/.exec(line.text);
  const kind = MARKS.find(k => k === match?.[1]);
  return kind && match ? { kind, text: match[2] } : null;
}

/** Events that are compared: everything of the two trace systems. */
export const isVectorEvent = (event: string): boolean => event.startsWith('irq_matrix_') || event.startsWith('vector_');

/** "entries-in-buffer/entries-written: 1008/1008" of the header. @returns the number of events that were overwritten before they were read */
export function lostEvents(text: string): number {
  const match = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/m.exec(text);
  return match ? Number(match[2]) - Number(match[1]) : 0;
}

/** Whether a line is of no task: an interrupt, or what ran behind it. */
export const isOfInterrupt = (line: TraceLine | undefined): boolean => line !== undefined && (line.hardirq || line.softirq);

/** The interrupt that an event names. */
export function irqOf({ text }: Pick<TraceLine, 'text'>): number | undefined {
  const irq = /^irq=(\d+)/.exec(text)?.[1];
  return irq === undefined ? undefined : Number(irq);
}

/** Who a line is of; the CPUs' idle tasks have all the same name. */
export const taskOf = ({ task, cpu }: Pick<TraceLine, 'task' | 'cpu'>): string => (task === '<idle>-0' ? `<idle>/${cpu}` : task);
