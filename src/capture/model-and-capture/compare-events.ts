import type { TraceEvent } from '../../kernel/trace/trace';
import { GRAPH_LINES } from '../reading/graph';
import { kprobeText } from '../replay/kprobes';
import { placeOf } from '../reading/script';
import { stackNow } from '../replay/stack';
import type { TraceLine } from '../reading/trace';

/** The first thing in which model and capture differ. */
export interface Difference {
  /** `trace-vectors.txt:733` or `irqlens.txt, snapshot msix4-req` */
  readonly where: string;
  /** null: there is nothing on that side */
  readonly captured: string | null;
  readonly model: string | null;
  /** the model's call stack, innermost function first */
  readonly stack: readonly string[];
}

/** Compares each event with the captured one as the model makes it: then the call stack is still there. */
export class EventComparison {
  private readonly expected: TraceLine[];
  private at = 0;
  /** the model is on another way than the kernel was, until the next item */
  private lost = false;
  private lastStack: readonly string[] = [];
  matched = 0;
  /** @param differs is told of each difference */
  constructor(
    events: readonly TraceLine[],
    private readonly differs: (difference: Difference) => void,
  ) {
    this.expected = inOrderOfCause(events);
  }

  /** Events of the trace. Those of the call trees say who ran when; some of them are lost, so that they are no proof. */
  get total(): number {
    return this.expected.filter(isOfTrace).length;
  }

  /** What the kernel did next; undefined when that is not known. */
  get next(): TraceLine | undefined {
    return this.lost ? undefined : this.expected.at(this.at);
  }

  /** The captured events that the model has not made, the next one first. */
  *left(): IterableIterator<TraceLine> {
    if (!this.lost) for (let i = this.at; i < this.expected.length; i++) yield this.expected[i];
  }

  /** @param isOf whether a captured line is of the task that makes the event */
  event(event: TraceEvent, isOf: (line: TraceLine) => boolean): void {
    this.lastStack = stackNow();
    if (this.lost) return;
    const matches = (line: TraceLine | undefined): boolean => line !== undefined && sameEvent(line, event) && isOf(line);
    if (!matches(this.expected.at(this.at)) && this.swappable() && matches(this.expected.at(this.at + 1))) this.swap();
    const line = this.expected.at(this.at);
    if (matches(line)) {
      this.at++;
      if (isOfTrace(line!)) this.matched++;
    } else this.differ(line, modelLine(event));
  }

  /** An item has ended: what is left of it up to line `until` was not made. */
  end(until: number): void {
    const line = this.next;
    if (line && line.line < until) this.differ(line, null);
    while (this.at < this.expected.length && this.expected[this.at].line < until) this.at++;
    this.lost = false;
  }

  /** Two events of different CPUs with one time stamp may stand in either order. */
  private swappable(): boolean {
    const [a, b] = [this.expected.at(this.at), this.expected.at(this.at + 1)];
    return a !== undefined && b !== undefined && a.time === b.time && a.cpu !== b.cpu;
  }

  private swap(): void {
    const [a, b] = [this.expected[this.at], this.expected[this.at + 1]];
    this.expected[this.at] = b;
    this.expected[this.at + 1] = a;
  }

  private differ(line: TraceLine | undefined, model: string | null): void {
    this.lost = true;
    if (line && !isOfTrace(line)) return;
    this.differs({
      where: line ? placeText(line.line) : 'trace-vectors.txt, behind its end',
      captured: line ? capturedLine(line) : null,
      model,
      stack: this.lastStack,
    });
  }
}

/** Events of several CPUs with one time stamp may stand in any order: an old vector is freed behind the move that left it. */
function inOrderOfCause(events: readonly TraceLine[]): TraceLine[] {
  const ordered = [...events];
  for (let at = 0; at < ordered.length; at++) {
    const { event, text, time, cpu, task } = ordered[at];
    const freed = event === 'vector_free_moved' ? /^(irq=\d+ )cpu=\d+ vector=(\d+) /.exec(text) : null;
    if (!freed) continue;
    const end = indexWhere(ordered, at, line => line.time !== time);
    const own = indexWhere(ordered, at, line => line.cpu !== cpu || line.task !== task);
    const cause = ordered.slice(own, end).some(line => line.event === 'vector_update' && line.text.startsWith(freed[1]) && line.text.endsWith(` prev_vector=${freed[2]} prev_cpu=${cpu}`));
    if (cause) ordered.splice(at, end - at, ...ordered.slice(own, end), ...ordered.slice(at, own));
  }
  return ordered;
}

function indexWhere<T>(list: readonly T[], from: number, is: (element: T) => boolean): number {
  let at = from;
  while (at < list.length && !is(list[at])) at++;
  return at;
}

const isOfTrace = ({ line }: TraceLine): boolean => line < GRAPH_LINES;

const textOf = (line: TraceLine): string => (line.event.startsWith('kp_') ? kprobeText(line.text) : line.text);

function sameEvent(line: TraceLine, event: TraceEvent): boolean {
  return line.event === event.event && line.cpu === event.cpu && line.hardirq === event.hardirq && textOf(line) === event.text;
}

/** `trace-vectors.txt:733` */
const placeText = (number: number): string => {
  const { file, line } = placeOf(number);
  return `${file}:${line}`;
};

const place = ({ cpu, hardirq }: { cpu: number; hardirq: boolean }): string => `[${String(cpu).padStart(3, '0')}] ${hardirq ? 'h' : '.'}`;
const capturedLine = (line: TraceLine): string => `${place(line)} ${line.event}: ${textOf(line)}`;
const modelLine = (event: TraceEvent): string => `${place(event)} ${event.event}: ${event.text}`;

/** The kernel's trace buffer that tells somebody of every event. */
export class ObservedTrace extends Array<TraceEvent> {
  observer: ((event: TraceEvent) => void) | undefined;

  override push(...events: TraceEvent[]): number {
    for (const event of events) this.observer?.(event);
    return super.push(...events);
  }
}
