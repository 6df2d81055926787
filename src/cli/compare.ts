import { compareTrees } from '../compare/compare';
import { compareTexts, type Texts } from '../compare/texts';
import { textFiles } from '../text/files';
import type { World } from '../kernel/world';
import { type Arguments, UsageError } from './arguments';
import { brief } from './brief';
import { recordCalls } from './call-tree';
import type { Command, ExitStatus, Output } from './command';
import { nodesOf } from './compare-nodes';
import { type Comparison, comparisonText, isSame, jsonText, type Side } from './comparison';
import { loadFor, operands } from './load';
import { withProgress } from './progress';

export const compareCommand: Command = {
  name: 'compare',
  summary: 'run a scenario on two kernels and show what differs',
  options: { kernels: { type: 'text' }, json: { type: 'flag' } },
  help: `usage: irqstep compare FILE --kernels A,B [--json]

Runs a scenario (*.irq.yaml) on two kernels, aligns their call trees by names and nesting, and prints the first
difference, then both trees side by side where they differ (equal parts are counted):
  <  only the first has it    >  only the second    |  other arguments, fields or name    ~  moved
A line alone with < or > above others is a wrapper: on the other side its calls are made one level higher.
Then the differences of the state at the end: /proc/interrupts, the debugfs files of domains and interrupts, the
remapping tables.

  --kernels A,B   two kernels, as irqstep run --kernel takes them: v5.9,v5.10 or series:18,series:19
  --json          print one JSON value instead: { title, kernels, same, first?, lines, steps, state }

exit status: 0 when nothing differs; 1 when something does; 2 when the scenario or the command line is wrong

examples:
  irqstep compare examples/nvme-intel-ir.irq.yaml --kernels v5.9,v5.10
  irqstep compare examples/nvme-msix.irq.yaml --kernels v5.10,v5.10.223
`,
  run: compare,
};

/** Of an output that is no terminal. */
const WIDTH = 160;

async function compare(args: Arguments, output: Output): Promise<ExitStatus> {
  const [path] = operands(args, ['FILE']);
  const sides: Side[] = [];
  for (const kernel of kernelsOf(args)) {
    const side = await runOn(kernel, path, args, output);
    if (!side) return 2;
    sides.push(side);
  }
  const [a, b] = sides;
  const found: Comparison = { a, b, trees: compareTrees(a.trees, b.trees), state: compareTexts(a.texts, b.texts) };
  output.out(args.flags.has('json') ? jsonText(found) : comparisonText(found, process.stdout.isTTY ? process.stdout.columns : WIDTH));
  return isSame(found) ? 0 : 1;
}

function kernelsOf({ texts }: Arguments): readonly string[] {
  const text = texts.get('kernels');
  if (text === undefined) throw new UsageError('--kernels is missing: the two to compare, such as --kernels v5.9,v5.10');
  const kernels = text.split(',');
  if (kernels.length !== 2 || kernels.includes('')) throw new UsageError(`--kernels: found ${text}; expected two, such as v5.9,v5.10`);
  return kernels;
}

/** A step that does not return what it expects is a difference, no failure. */
async function runOn(kernel: string, path: string, args: Arguments, output: Output): Promise<Side | undefined> {
  const loaded = loadFor(path, { ...args, texts: new Map([['kernel', kernel]]) }, output, { expect: false });
  if (!loaded) return undefined;
  const recording = await withProgress(`running ${path} on ${kernel}`, output, () => recordCalls(loaded.make, brief));
  return { name: kernel, title: loaded.scenario.title, trees: nodesOf(recording), texts: stateOf(recording.guest.world) };
}

/** Files that say what has become of interrupts, domains and remapping tables. */
const STATE = /^\/proc\/interrupts$|^\/sys\/kernel\/debug\/(irq|iommu)\//;

const stateOf = (world: World): Texts => new Map(textFiles(world).filter(({ path }) => STATE.test(path)).map(file => [file.path, file.read()]));
