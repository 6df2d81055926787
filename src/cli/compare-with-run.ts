// A capture of a real kernel and a run of the model: the steps that are alike, and the snapshot that has the same interrupts.
import { readCapture, type Capture } from '../capture/capture';
import { stateAt, stateTexts } from '../capture/two-captures/captured-state';
import { type StepParts, stepParts } from '../capture/two-captures/step-parts';
import { lensFormatOf, lensLines } from '../capture/model-and-capture/lens-text';
import { parseProcInterrupts } from '../capture/reading/interrupts';
import { parseSnapshots } from '../capture/reading/snapshot';
import { compareTrees } from '../compare/compare';
import { withoutHidden } from '../compare/hide';
import { mostAlike } from '../compare/similar';
import { compareTexts, type Texts } from '../compare/texts';
import type { TreeNode } from '../compare/tree';
import type { World } from '../kernel/world';
import { list } from '../scenario/nearest';
import { procInterrupts } from '../text/proc-interrupts';
import type { Output } from './command';
import { HiddenCalls, problemsOf } from './compare-captures';
import { recordOn } from './compare-kernels';
import type { Comparison } from './comparison';
import { type RunStep, runSteps } from './run-nodes';

/** @param kernel of the run; undefined: the scenario's @returns undefined where the scenario cannot run: that is said already */
export async function compareWithRun(folder: string, path: string, kernel: string | undefined, output: Output): Promise<Comparison | undefined> {
  const run = await recordOn(kernel, path, output);
  if (!run) return undefined;
  const capture = readCapture(folder);
  const { pairs, notes } = pairsOf(stepParts(capture), runSteps(run.recording, capture));
  const hidden = new HiddenCalls(undefined, capture);
  const aligned = compareTrees(pairs.map(({ a }) => a), pairs.map(({ b }) => b));
  const trees = withoutHidden(aligned, ({ node }, side, caller) => hidden.is(node.key, side, caller));
  const state = stateBeside(capture, run.recording.guest.world);
  return {
    title: run.title,
    a: capture.name,
    b: `the model with ${run.kernel}`,
    trees,
    files: state.a.size,
    state: compareTexts(state.a, state.b).map(difference => ({ ...difference, path: `${difference.path} (${state.label})` })),
    figuresVary: true,
    notes: [...problemsOf(capture), ...notes, ...hidden.notes()],
  };
}

/** Steps of a run with those of the capture that they are like: of those with call trees, if there is one. */
function pairsOf(captured: readonly StepParts[], steps: readonly RunStep[]): { readonly pairs: readonly { readonly a: TreeNode; readonly b: TreeNode }[]; readonly notes: readonly string[] } {
  const traced = mostAlike(steps.map(({ calls }) => ({ nodes: calls })), captured, (_, i) => captured[i].traced);
  const untraced = mostAlike(steps.map(({ events }) => ({ nodes: events })), captured, (step, i) => traced[step] === undefined && !captured[i].traced);
  const pairs = steps.flatMap(({ name, place, calls, events }, i) => {
    const at = traced[i] ?? untraced[i];
    if (at === undefined) return [];
    const other = captured[at];
    const node = (text: string, where: string, children: readonly TreeNode[]): TreeNode => ({ key: name, text, identity: name, place: where, children });
    return [{ a: node(other.name, other.place, other.nodes), b: node(name, place, other.traced ? calls : events) }];
  });
  const alone = steps.filter((_, i) => traced[i] === undefined && untraced[i] === undefined).map(({ name }) => name);
  return { pairs, notes: alone.length === 0 ? [] : [`the capture has no step like: ${list(alone, 'and')}`] };
}

/** The state of the run at its end, and of the capture where most interrupts are the same. */
function stateBeside(capture: Capture, world: World): { readonly label: string; readonly a: Texts; readonly b: Texts } {
  const b = stateOfRun(world, capture);
  const common = (texts: Texts): number => [...texts.keys()].reduce((sum, key) => sum + (b.has(key) ? 1 : -1), 0);
  const all = capture.snapshots.map(({ label }) => ({ label, a: stateAt(capture, label) })).sort((one, other) => common(other.a) - common(one.a));
  return { label: '', a: new Map(), ...all.at(0), b };
}

function stateOfRun(world: World, { snapshots }: Capture): Texts {
  const under = (lines: readonly string[]): string => ['##### SNAPSHOT run', ...lines].join('\n');
  const format = lensFormatOf(snapshots.flatMap(({ lines }) => lines));
  const [snapshot] = parseSnapshots(under(lensLines(world, format))).value;
  return stateTexts(snapshot, parseProcInterrupts(under(procInterrupts(world).trimEnd().split('\n'))).value.at(0));
}
