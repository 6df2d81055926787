import type { World } from '../../kernel/world';
import type { Probes } from '../../scenario/drain';
import { CallRecorder, type Calls } from './call-recorder';
import type { Capture } from '../capture';
import { capturedStreams, compareCalls, type CallStream } from './compare-calls';
import type { Difference } from './compare-events';
import { countsAreMasked } from './compare-state';
import { compiledOf } from './compiled';
import { type Conductor, LOST } from '../replay/conductor';
import { GRAPH_LINES } from '../reading/graph';
import { placeOf } from '../reading/script';
import { movingIrq, quietIrq } from '../replay/unscripted';

/** What a replay lends. */
interface Run {
  readonly capture: Capture;
  readonly world: World;
  readonly conductor: Conductor;
  /** gets what was taken from the capture */
  readonly note: (input: string) => void;
  readonly differ: (difference: Difference) => void;
}

/** Compares the calls of the steps that were made under the function graph tracer with their call trees. */
export class CallCheck {
  matched = 0;
  /** calls of either side */
  total = 0;
  /** calls of the model that stand where a tree has lost its beginning, or where one is lost */
  lost = 0;
  private recorder: CallRecorder | undefined;
  /** the first line of the trees that are not compared yet */
  private from = GRAPH_LINES;

  constructor(private readonly run: Run) {}

  /** From here on calls are noted. */
  start(): void {
    const { capture, conductor } = this.run;
    this.recorder ??= new CallRecorder(() => conductor.who, () => conductor.hit, compiledOf(capture.uname, capture.trees));
  }

  get watchers(): readonly Probes[] {
    return this.recorder ? [this.recorder] : [];
  }

  /** Before what stands up to this line: what it takes away can no longer interrupt behind it. */
  begin(until: number): void {
    if (this.recorder) this.acknowledgements(this.streamsUpTo(until));
  }

  /** What was called up to this line, by task and by CPU. */
  end(until: number): void {
    if (!this.recorder) return;
    const { calls } = this.recorder;
    this.lost += calls.get(LOST)?.flat().length ?? 0;
    calls.delete(LOST);
    const streams = this.streamsUpTo(until);
    this.from = until;
    this.moves(streams);
    this.acknowledgements(streams);
    const tasks = [...calls.keys()].filter(key => typeof key !== 'string');
    const bound = new Set(tasks.map(({ captured }) => captured));
    const unbound = tasks.filter(({ captured }) => captured === undefined);
    const own = new Map(streams.map(stream => {
      const { task, cpu } = stream;
      const key = task === undefined ? interruptsOf(cpu) : (tasks.find(({ captured }) => captured === task) ?? (bound.has(task) ? undefined : unbound.shift()));
      return [stream, key];
    }));
    const seen = new Set(own.values());
    for (const [stream, key] of own) this.compare(stream, (key !== undefined && calls.get(key)) || []);
    for (const [key, made] of calls) if (!seen.has(key)) this.compare(undefined, made);
    calls.clear();
  }

  private streamsUpTo(until: number): CallStream[] {
    return capturedStreams(this.run.capture.trees.filter(({ line }) => line >= this.from && line < until));
  }

  private compare(stream: CallStream | undefined, made: Calls): void {
    const { matched, total, lost, difference } = compareCalls(stream, made);
    this.matched += matched;
    this.total += total;
    this.lost += lost;
    if (!difference) return;
    const where = difference.line === undefined ? 'graph-tree.txt' : `graph-tree.txt:${placeOf(difference.line).line}`;
    this.run.differ({ where, captured: difference.captured, model: difference.model, stack: [] });
  }

  /** Interrupts that found a move to make which changed no vector: no event shows when they came. */
  private moves(streams: readonly CallStream[]): void {
    this.raiseMissing(streams, size => size > 1, cpu => movingIrq(this.run.world, cpu));
  }

  /** Interrupts that did nothing but acknowledge: as many of them on each CPU of whatever irq is there. */
  private acknowledgements(streams: readonly CallStream[]): void {
    const { world } = this.run;
    this.raiseMissing(streams, size => size === 1, cpu => quietIrq(world, cpu, irq => countsAreMasked(world, String(irq))));
  }

  /** Interrupts of which the capture has trees of this size that the model lacks. */
  private raiseMissing(streams: readonly CallStream[], isOf: (size: number) => boolean, irqOn: (cpu: number) => number | undefined): void {
    const { conductor, note } = this.run;
    for (const { task, cpu, trees } of streams) {
      if (task !== undefined) continue;
      const made = this.recorder!.calls.get(interruptsOf(cpu)) ?? [];
      const missing = trees.filter(({ lines }) => isOf(lines.length)).length - made.filter(tree => isOf(tree.length)).length;
      for (let i = 0; i < missing; i++) {
        const irq = irqOn(cpu);
        if (irq === undefined || !conductor.comes(irq)) break;
        note(`irq ${irq} came by itself on CPU ${cpu}`);
      }
    }
  }
}

const interruptsOf = (cpu: number): string => `interrupts of CPU ${cpu}`;
