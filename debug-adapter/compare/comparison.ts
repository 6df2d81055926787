// The same scenario on another kernel, run in the background: what this session's run is compared with.
import { brief } from '../../src/recording/brief';
import { recordCalls } from '../../src/recording/call-tree';
import { Journal } from '../../src/recording/journal';
import { nodesOf } from '../../src/recording/nodes';
import type { TreeNode } from '../../src/compare/tree';
import type { FrameInfo, Host, Stepper } from '../../src/stepper/stepper';
import type { KernelGuest } from '../run';
import { Alignment, type Counterpart, type Fate, type Recorded } from './alignment';

/** Builds a scenario's guest on one kernel. */
export interface Subject {
  readonly kernel: string;
  readonly make: (host: Host) => KernelGuest;
}

/** A mark of a frame that is not the same on both kernels. */
export interface Mark {
  readonly fate: Exclude<Fate, 'same'>;
  /** "only on v5.9", "x86_vector_msi_compose_msg on v5.10" */
  readonly text: string;
  /** the same in a few letters, for a list that is narrow: "\u2260 v5.10" */
  readonly sign: string;
}

export class Comparison {
  private alignment: Alignment | undefined;
  private recording: Stepper | undefined;
  private isOver = false;

  constructor(
    private readonly own: Subject,
    readonly other: Subject,
  ) {}

  get isReady(): boolean {
    return this.alignment !== undefined;
  }

  /** Runs both to their ends, in slices. @returns false when it was ended before that */
  async prepare(): Promise<boolean> {
    const a = await this.record(this.own);
    const b = a && (await this.record(this.other));
    if (a && b) this.alignment = new Alignment(a, b);
    return this.alignment !== undefined;
  }

  /** It is of no interest any more. */
  end(): void {
    this.isOver = true;
    this.recording?.pause();
  }

  counterpart(step: number): Counterpart {
    return this.alignment!.counterpart(step);
  }

  /** The marks of the frames that run at a step, top first; undefined for a frame that is the same. */
  marks(step: number, frames: readonly FrameInfo[]): (Mark | undefined)[] {
    const stack = this.alignment?.stackAt(step) ?? [];
    return frames.map((_, i) => (stack.at(i) ? this.markOf(stack[i]) : undefined));
  }

  private markOf({ fate, other }: { readonly fate: Fate; readonly other: string | undefined }): Mark | undefined {
    const there = this.other.kernel;
    switch (fate) {
      case 'same':
        return undefined;
      case 'only':
        return { fate, text: `only on ${this.own.kernel}`, sign: `only ${this.own.kernel}` };
      case 'differs':
        return { fate, text: `other arguments on ${there}`, sign: `\u2260 ${there}` };
      case 'renamed':
        return { fate, text: `${other ?? 'another function'} on ${there}`, sign: `\u2248 ${other ?? there}` };
      case 'moved':
        return { fate, text: `called elsewhere on ${there}`, sign: `\u21C5 ${there}` };
    }
  }

  private async record({ kernel, make }: Subject): Promise<Recorded | undefined> {
    if (this.isOver) return undefined;
    const journal = new Journal();
    const recording = await recordCalls(make, brief, { journal, started: stepper => (this.recording = stepper) });
    if (recording.stop.reason === 'pause') return undefined;
    if (journal.isFull) throw new Error(`the run on ${kernel} is too long: its first ${journal.steps} statements are not all of it`);
    const calls = new Map<TreeNode, number | undefined>();
    const trees = nodesOf(recording, (node, call) => calls.set(node, journal.indexOf(call)));
    return { trees, journal, callOf: node => calls.get(node) };
  }
}
