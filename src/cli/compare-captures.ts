// Two captures of real kernels as the sides of a comparison.
import { readCapture, type Capture } from '../capture/capture';
import { labelsToCompare, stateAt } from '../capture/two-captures/captured-state';
import { capturedTrees } from '../capture/two-captures/captured-trees';
import { compiledOf } from '../capture/model-and-capture/compiled';
import { names } from '../capture/model-and-capture/counted-functions';
import { hasFunction } from '../capture/model-and-capture/lacking';
import { compareTrees } from '../compare/compare';
import { withoutHidden } from '../compare/hide';
import { compareTexts, type FileDifference } from '../compare/texts';
import type { Comparison } from './comparison';

export function compareCaptures(folderA: string, folderB: string): Comparison {
  const [a, b] = [readCapture(folderA), readCapture(folderB)];
  const hidden = new HiddenCalls(b, a);
  const trees = withoutHidden(compareTrees(capturedTrees(a), capturedTrees(b)), ({ node }, side, caller) => hidden.is(node.key, side, caller));
  const labels = labelsToCompare(a, b);
  return {
    a: a.name,
    b: b.name,
    trees,
    files: labels.reduce((sum, label) => sum + stateAt(a, label).size, 0),
    state: labels.flatMap(label => differencesAt(label, a, b)),
    figuresVary: true,
    notes: [...[a, b].flatMap(problemsOf), ...hidden.notes()],
  };
}

export const problemsOf = ({ name, problems }: Capture): string[] => problems.map(problem => `${name}: ${problem}`);

const differencesAt = (label: string, a: Capture, b: Capture): FileDifference[] =>
  compareTexts(stateAt(a, label), stateAt(b, label)).map(difference => ({ ...difference, path: `${difference.path} (${label})` }));

/** Calls that one side shows, and that the other one's compiler has put into their callers. */
export class HiddenCalls {
  private readonly found = new Set<string>();
  private readonly compiled;

  /** @param a what would have to show side a's calls; undefined for a run, which shows all @param b likewise */
  constructor(
    private readonly a: Capture | undefined,
    private readonly b: Capture | undefined,
  ) {
    this.compiled = { a: a && compiledOf(a.uname, a.trees), b: b && compiledOf(b.uname, b.trees) };
  }

  is(name: string, side: 'a' | 'b', caller: string | undefined): boolean {
    const compiled = this.compiled[side];
    if (!compiled || !names.has(name) || hasFunction(this[side]?.kernel, name) !== true) return false;
    if (compiled.shows(name, caller === undefined ? undefined : { name: caller, file: '' })) return false;
    this.found.add(name);
    return true;
  }

  notes(): string[] {
    const sorted = [...this.found].sort((one, other) => one.localeCompare(other));
    return sorted.length === 0 ? [] : [`not shown: ${sorted.join(', ')}: both kernels have them, and one of the builds does not show them, as when the compiler puts them into their callers`];
  }
}
