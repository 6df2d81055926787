import type { Call } from './call-tree';

const FIRST_SIZE = 1 << 14;
const MAX_STEPS = 1 << 22;

/** Which statement of which call ran at each step of a run: enough to find a place in it again. */
export class Journal {
  /** in the order in which they began */
  readonly calls: Call[] = [];
  /** index of the call below each on its stack; -1 at the bottom */
  readonly callers: number[] = [];
  /** by step: the statement's probe, and the index of its call; -1 where none is noted */
  probes: Int32Array = new Int32Array(FIRST_SIZE).fill(-1);
  owners: Int32Array = new Int32Array(FIRST_SIZE).fill(-1);
  /** the last one noted */
  steps = 0;
  private readonly indices = new Map<Call, number>();

  /** The run is too long. */
  get isFull(): boolean {
    return this.steps >= MAX_STEPS;
  }

  /** A statement is about to run. @param caller of the call that owns it, where it has just begun */
  note(step: number, probe: number, call: Call, caller: Call | undefined): void {
    if (step >= this.probes.length) this.grow(step);
    this.probes[step] = probe;
    this.owners[step] = this.indices.get(call) ?? this.add(call, caller);
    this.steps = Math.max(this.steps, step);
  }

  /** undefined for what is no call of this run */
  indexOf(call: Call): number | undefined {
    return this.indices.get(call);
  }

  private add(call: Call, caller: Call | undefined): number {
    const index = this.calls.push(call) - 1;
    this.callers.push(caller ? (this.indices.get(caller) ?? -1) : -1);
    this.indices.set(call, index);
    return index;
  }

  private grow(step: number): void {
    const larger = (old: Int32Array): Int32Array => {
      const array = new Int32Array(Math.max(step + 1, 2 * old.length)).fill(-1);
      array.set(old);
      return array;
    };
    this.probes = larger(this.probes);
    this.owners = larger(this.owners);
  }
}
