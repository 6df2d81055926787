// One scenario on two kernels.
import { compareTrees } from '../compare/compare';
import { compareTexts, type Texts } from '../compare/texts';
import type { World } from '../kernel/world';
import { textFiles } from '../text/files';
import { brief } from '../recording/brief';
import { recordCalls, type Recording } from '../recording/call-tree';
import type { Output } from './command';
import { nodesOf } from '../recording/nodes';
import type { Comparison } from './comparison';
import { loadFor } from './load';
import { withProgress } from './progress';

export async function compareKernels(path: string, kernels: readonly [string, string], output: Output): Promise<Comparison | undefined> {
  const a = await recordOn(kernels[0], path, output);
  const b = a && (await recordOn(kernels[1], path, output));
  if (!a || !b) return undefined;
  const [before, after] = [stateOf(a.recording.guest.world), stateOf(b.recording.guest.world)];
  return {
    title: a.title,
    a: kernels[0],
    b: kernels[1],
    trees: compareTrees(nodesOf(a.recording), nodesOf(b.recording)),
    files: before.size,
    state: compareTexts(before, after),
    figuresVary: false,
    notes: [],
  };
}

/** A step that does not return what it expects is a difference, no failure. @param kernel undefined: the scenario's @returns undefined where the scenario cannot run: that is said already */
export async function recordOn(kernel: string | undefined, path: string, output: Output): Promise<{ readonly title: string; readonly kernel: string; readonly recording: Recording } | undefined> {
  const texts = new Map(kernel === undefined ? [] : [['kernel', kernel]]);
  const loaded = loadFor(path, { positionals: [path], flags: new Set(), texts }, output, { expect: false });
  if (!loaded) return undefined;
  const { title, kernel: name } = loaded.scenario;
  const recording = await withProgress(`running ${path} on ${name}`, output, () => recordCalls(loaded.make, brief));
  return { title, kernel: name, recording };
}

/** Files that say what has become of interrupts, domains and remapping tables. */
const STATE = /^\/proc\/interrupts$|^\/sys\/kernel\/debug\/(irq|iommu)\//;

const stateOf = (world: World): Texts => new Map(textFiles(world).filter(({ path }) => STATE.test(path)).map(file => [file.path, file.read()]));
