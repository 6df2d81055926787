// Where two runs of a scenario stand for one another, statement by statement: the alignment of their call trees.
import type { Aligned } from '../../src/compare/align';
import { compareTrees } from '../../src/compare/compare';
import type { Indexed, TreeNode } from '../../src/compare/tree';
import type { Journal } from '../../src/recording/journal';

/** A run that was recorded. */
export interface Recorded {
  readonly trees: readonly TreeNode[];
  readonly journal: Journal;
  /** which call a node is, by its index in the journal */
  readonly callOf: (node: TreeNode) => number | undefined;
}

/** What became of a call on the other side. `wrapper`: it is only here, though what it calls is on both sides. */
export type Fate = 'same' | 'differs' | 'renamed' | 'moved' | 'only';

export interface Counterpart {
  /** of the other run; one more than it has: its end */
  readonly step: number;
  /** false: the other run has no such statement, and this is the next one that both have */
  readonly exact: boolean;
}

export class Alignment {
  /** the other run's call, by this run's; -1 for none */
  private readonly partners: Int32Array;
  private readonly fates: (Fate | undefined)[] = [];
  private readonly own: StatementIndex;
  private readonly others: StatementIndex;

  constructor(
    private readonly run: Recorded,
    private readonly other: Recorded,
  ) {
    this.partners = new Int32Array(run.journal.calls.length).fill(-1);
    for (const aligned of compareTrees(run.trees, other.trees)) this.note(aligned);
    this.own = new StatementIndex(run.journal);
    this.others = new StatementIndex(other.journal);
  }

  /** Where the other run stands when this one stands before the statement of `step`. */
  counterpart(step: number): Counterpart {
    for (let at = step; at <= this.run.journal.steps; at++) {
      const there = this.sameStatement(at);
      if (there !== undefined) return { step: there, exact: at === step };
    }
    return { step: this.other.journal.steps + 1, exact: step > this.run.journal.steps };
  }

  /** The fates of the calls on the stack at a step, the innermost first, and the other run's names of those renamed. */
  stackAt(step: number): readonly { readonly fate: Fate; readonly other: string | undefined }[] {
    const { owners, callers } = this.run.journal;
    const stack: { fate: Fate; other: string | undefined }[] = [];
    for (let call = owners.at(step) ?? -1; call >= 0; call = callers[call]) stack.push({ fate: this.fates[call] ?? 'only', other: this.other.journal.calls.at(this.partners[call] < 0 ? NaN : this.partners[call])?.name });
    return stack;
  }

  /** The same statement of the call that stands for this one, as often as it has run in it. */
  private sameStatement(step: number): number | undefined {
    const { owners, probes } = this.run.journal;
    const call = owners[step];
    if (call < 0 || this.partners[call] < 0) return undefined;
    const partner = this.partners[call];
    const before = this.own.stepsOf(call);
    const nth = before.filter(at => at < step && probes[at] === probes[step]).length;
    const there = this.others.stepsOf(partner);
    // Of two functions only the beginning is the same place.
    if (this.fates[call] === 'renamed') return before[0] === step ? there[0] : undefined;
    return there.filter(at => this.other.journal.probes[at] === probes[step]).at(nth);
  }

  private note({ kind, a, b, children, movedTo }: Aligned): void {
    if (movedTo) return;
    if (a && b) this.pair(a, b, kind === 'moved' ? 'moved' : kind === 'renamed' ? 'renamed' : kind === 'changed' ? 'differs' : 'same');
    if (a && b && children.length === 0) this.pairBelow(a, b, kind === 'moved' ? 'moved' : 'same');
    children.forEach(child => this.note(child));
  }

  private pair(a: Indexed, b: Indexed, fate: Fate): void {
    const [call, partner] = [this.run.callOf(a.node), this.other.callOf(b.node)];
    if (call === undefined || partner === undefined) return;
    this.partners[call] = partner;
    this.fates[call] = fate;
  }

  /** Equal trees are equal node by node. */
  private pairBelow(a: Indexed, b: Indexed, fate: Fate): void {
    if (a.id !== b.id) return;
    a.children.forEach((child, i) => {
      this.pair(child, b.children[i], fate);
      this.pairBelow(child, b.children[i], fate);
    });
  }
}

/** The steps of each call's own statements. */
class StatementIndex {
  private readonly starts: Int32Array;
  private readonly steps: Int32Array;

  constructor({ owners, steps, calls }: Journal) {
    this.starts = new Int32Array(calls.length + 1);
    for (let step = 0; step <= steps; step++) if (owners[step] >= 0) this.starts[owners[step] + 1]++;
    for (let call = 0; call < calls.length; call++) this.starts[call + 1] += this.starts[call];
    const next = this.starts.slice();
    this.steps = new Int32Array(this.starts[calls.length]);
    for (let step = 0; step <= steps; step++) if (owners[step] >= 0) this.steps[next[owners[step]]++] = step;
  }

  stepsOf(call: number): Int32Array {
    return this.steps.subarray(this.starts[call], this.starts[call + 1]);
  }
}
