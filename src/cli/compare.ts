import { type Arguments, UsageError } from './arguments';
import { checkCapture, isFolder } from './capture-folder';
import type { Command, ExitStatus, Output } from './command';
import { compareCaptures } from './compare-captures';
import { compareKernels } from './compare-kernels';
import { compareWithRun } from './compare-with-run';
import { type Comparison, comparisonText, isSame, jsonText } from './comparison';
import { operands } from './load';

export const compareCommand: Command = {
  name: 'compare',
  summary: 'show what differs between two kernels: runs of a scenario, captures, a capture and a run',
  options: { kernels: { type: 'text' }, json: { type: 'flag' } },
  help: `usage: irqstep compare FILE --kernels A,B [--json]
       irqstep compare CAPTURE CAPTURE [--json]
       irqstep compare CAPTURE FILE [--kernels K] [--json]

Runs a scenario (*.irq.yaml) on two kernels, or takes captures of real ones (folders, as irqstep verify takes them), aligns
their call trees by names and nesting, and prints the first difference, then both trees side by side where they differ
(equal parts are counted):
  <  only the first has it    >  only the second    |  other arguments, fields or name    ~  moved
A line alone with < or > above others is a wrapper: on the other side its calls are made one level higher.
Then the differences of the state at the end: /proc/interrupts, the debugfs files of domains and interrupts, the
remapping tables; of captures the snapshots with most interrupts and at the end.

Captures differ in what another boot would change, too. An interrupt is the same one on both sides when it is the same
entry of the same device; of the sums in an event, what the event changes them by is compared; the first difference is one
of calls or events where there is one, of figures otherwise. A run is compared with the steps of the capture that it is like.

  --kernels A,B   two kernels, as irqstep run --kernel takes them: v5.9,v5.10 or series:18,series:19;
                  beside a capture one: that of the run (default: the scenario's)
  --json          print one JSON value instead: { title?, kernels, notes, same, first?, lines, steps, state }

exit status: 0 when nothing differs; 1 when something does; 2 when a scenario, a capture or the command line is wrong

examples:
  irqstep compare examples/nvme-intel-ir.irq.yaml --kernels v5.9,v5.10
  irqstep compare test/captures/5.9.2-oracle-n-4cpu-1nvme-min test/captures/5.10.0-32-n-4cpu-1nvme-min
  irqstep compare test/captures/5.10.0-32-n-4cpu-1nvme-min examples/nvme-msix.irq.yaml --kernels v5.10.223
`,
  run: compare,
};

/** Of an output that is no terminal. */
const WIDTH = 160;

async function compare(args: Arguments, output: Output): Promise<ExitStatus> {
  const found = await comparisonOf(args, output);
  if (!found) return 2;
  output.out(args.flags.has('json') ? jsonText(found) : comparisonText(found, process.stdout.isTTY ? process.stdout.columns : WIDTH));
  return isSame(found) ? 0 : 1;
}

/** @returns undefined where a scenario cannot run: that is said already */
async function comparisonOf(args: Arguments, output: Output): Promise<Comparison | undefined> {
  const [first] = operands(args, ['FILE'], ['OTHER']);
  const second = args.positionals.at(1);
  const captures = args.positionals.filter(isFolder);
  captures.forEach(checkCapture);
  const kernels = args.texts.get('kernels');
  if (second === undefined) {
    if (captures.length > 0) throw new UsageError(`${first} is a capture; expected another capture or a scenario behind it to compare it with`);
    return compareKernels(first, two(kernels), output);
  }
  if (captures.length === 2) {
    if (kernels !== undefined) throw new UsageError(`--kernels ${kernels}: captures have the kernels that they were made on; expected none`);
    return compareCaptures(first, second);
  }
  if (captures.length === 0) throw new UsageError(`neither ${first} nor ${second} is a folder with a capture; expected one, or one scenario with --kernels A,B`);
  return compareWithRun(captures[0], captures[0] === first ? second : first, one(kernels), output);
}

function two(text: string | undefined): readonly [string, string] {
  if (text === undefined) throw new UsageError('--kernels is missing: the two to compare, such as --kernels v5.9,v5.10');
  const [a, b, ...more] = text.split(',');
  if (!a || !b || more.length > 0) throw new UsageError(`--kernels: found ${text}; expected two, such as v5.9,v5.10`);
  return [a, b];
}

function one(text: string | undefined): string | undefined {
  if (text === '' || text?.includes(',')) throw new UsageError(`--kernels: found ${text}; expected one, that of the run: the capture has its own`);
  return text;
}
