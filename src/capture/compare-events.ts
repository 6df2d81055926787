import type { TraceEvent } from '../kernel/trace/trace';
import type { ScriptAction } from './script';
import { stackNow } from './stack';
import type { TraceLine } from './trace';

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

/** Collects the model's events while a command runs, and compares each with the captured one as it is made: then the call stack is still there. */
export class EventComparison {
  private expected: TraceLine[];
  private made = 0;
  matched = 0;
  difference: Difference | undefined;
  private lastStack: readonly string[] = [];

  /** @param task who performs the command: all events outside of interrupts are its own */
  constructor(
    private readonly action: ScriptAction,
    private readonly task: string,
  ) {
    this.expected = [...action.events];
  }

  event(event: TraceEvent): void {
    const at = this.made++;
    this.lastStack = stackNow();
    if (this.difference) return;
    if (!this.matches(at, event) && this.swapped(at, event)) this.swap(at);
    if (this.matches(at, event)) this.matched++;
    else this.differ(this.expected.at(at), modelLine(event));
  }

  /** Captured events that the model has not made yet. */
  get left(): readonly TraceLine[] {
    return this.expected.slice(this.made);
  }

  /** The command has ended: what is left was not made. */
  end(): void {
    if (this.left.length > 0 && !this.difference) this.differ(this.left[0], null);
  }

  private matches(at: number, event: TraceEvent): boolean {
    const line = this.expected.at(at);
    if (!line || (!line.hardirq && line.task !== this.task)) return false;
    return line.event === event.event && line.cpu === event.cpu && line.hardirq === event.hardirq && line.text === event.text;
  }

  /** Two events of different CPUs with one time stamp may stand in either order. */
  private swapped(at: number, event: TraceEvent): boolean {
    const [a, b] = [this.expected.at(at), this.expected.at(at + 1)];
    return a !== undefined && b !== undefined && a.time === b.time && a.cpu !== b.cpu && this.matches(at + 1, event);
  }

  private swap(at: number): void {
    const [a, b] = [this.expected[at], this.expected[at + 1]];
    this.expected[at] = b;
    this.expected[at + 1] = a;
  }

  private differ(line: TraceLine | undefined, model: string | null): void {
    this.difference = {
      where: `trace-vectors.txt:${(line ?? this.action.start).line}`,
      captured: line ? capturedLine(line) : null,
      model,
      stack: this.lastStack,
    };
  }
}

const place = ({ cpu, hardirq }: { cpu: number; hardirq: boolean }): string => `[${String(cpu).padStart(3, '0')}] ${hardirq ? 'h' : '.'}`;
const capturedLine = (line: TraceLine): string => `${place(line)} ${line.event}: ${line.text}`;
const modelLine = (event: TraceEvent): string => `${place(event)} ${event.event}: ${event.text}`;

/** The kernel's trace buffer that tells somebody of every event. */
export class ObservedTrace extends Array<TraceEvent> {
  observer: ((event: TraceEvent) => void) | undefined;

  override push(...events: TraceEvent[]): number {
    for (const event of events) this.observer?.(event);
    return super.push(...events);
  }
}
