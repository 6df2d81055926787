import { neverMerged } from '../kernel/changes';
import { kernel_death } from '../kernel/lib/printk';
import type { Scenario } from '../scenario/load';
import { isOfModule, placed } from '../scenario/modules/thrown';
import { readTextFile } from '../text/files';
import type { Arguments } from './arguments';
import { brief } from '../recording/brief';
import { failEveryAllocation } from './fail-nth';
import { type Call, recordCalls, type Recording } from '../recording/call-tree';
import type { Command, ExitStatus, Output } from './command';
import { loadFor, operands, SCENARIO_OPTIONS, SCENARIO_OPTIONS_HELP } from './load';
import { withProgress } from './progress';
import { hardwareText, limitsOf, stepText } from '../recording/tree-text';

export const runCommand: Command = {
  name: 'run',
  summary: 'run a scenario and print its call tree',
  options: { ...SCENARIO_OPTIONS, json: { type: 'flag' } },
  help: `usage: irqstep run FILE [--json] [--kernel K] [--expect no] [--check] [--fail-nth N|all]

Runs a scenario (*.irq.yaml). For each step: the functions called with the arguments that matter, and in their places
  *  trace events    !  lines of the kernel's log    ~  what the hardware did    =  what the step returned
  #  the limit that was reached, where that was found and once more behind the result
then /proc/interrupts as it is at the end.

${SCENARIO_OPTIONS_HELP}
  --fail-nth all  run it once for each allocation, and print a table instead: which one failed, where, what the step returned,
                  and what is still in use after everything was removed
  --json          print one JSON value instead: { title, kernel, steps, error?, interrupts }; each step and call has
                  { name, path, line, cpu, args, items }, an item is one of call, trace, log, limit, hardware; a step has its result and limits

exit status: 0; 1 when a step returned something else than it expects, or the kernel broke; 2 when the scenario or the command line is wrong

examples:
  irqstep run examples/nvme-msix.irq.yaml
  irqstep run examples/nvme-intel-ir.irq.yaml --kernel v5.10.223 --json
  irqstep run examples/nvme-msix.irq.yaml --fail-nth all
`,
  run,
};

async function run(args: Arguments, output: Output): Promise<ExitStatus> {
  const [path] = operands(args, ['FILE']);
  if (args.texts.get('fail-nth') === 'all') return failEveryAllocation(path, args, output);
  const loaded = loadFor(path, args, output);
  if (!loaded) return 2;
  const recording = await withProgress(`running ${path}`, output, () => recordCalls(loaded.make, brief));
  const ended: Ended = { scenario: loaded.scenario, recording, interrupts: readTextFile(recording.guest.world, '/proc/interrupts') };
  output.out(args.flags.has('json') ? jsonText(ended) : treeText(ended));
  if (!recording.stop.error) return 0;
  output.err(failureText(recording));
  return 1;
}

interface Ended {
  readonly scenario: Scenario;
  readonly recording: Recording;
  readonly interrupts: string;
}

function treeText({ scenario, recording, interrupts }: Ended): string {
  const never = neverMerged(recording.guest.world.changes);
  const head = `${scenario.title} (kernel ${scenario.kernel}${never === undefined ? '' : `, ${never}`})\n\n`;
  const steps = recording.steps.map(({ call, result }) => `${stepText(call, result)}\n`);
  return `${head}${steps.join('')}/proc/interrupts:\n${interrupts}${knownBugs(recording)}`;
}

/** Invariants that the modelled kernel's own bugs have broken. */
function knownBugs({ guest }: Recording): string {
  const lines = guest.findings.violations.map(({ step, violation: { invariant, message, known } }) => `  after ${step}: ${invariant}: ${message}\n    ${known!}\n`);
  return lines.length === 0 ? '' : `\nbugs of this kernel that the run has met:\n${lines.join('')}`;
}

function jsonText({ scenario, recording, interrupts }: Ended): string {
  const error = recording.stop.error && { message: recording.stop.error.message, report: reportOf(recording.stop.error), stack: recording.failedAt.map(({ fn, path, line }) => ({ function: fn.name, path, line })) };
  const steps = recording.steps.map(({ call, result }) => ({ ...jsonCall(call), result, limits: limitsOf(call) }));
  return `${JSON.stringify({ title: scenario.title, kernel: scenario.kernel, steps, error, violations: recording.guest.findings.violations, interrupts }, null, 1)}\n`;
}

/** A call as JSON: { name, path, line, cpu, context?, args, items }; the items have one key: call, trace, log, limit or hardware. */
function jsonCall(call: Call): object {
  const args = Object.fromEntries(call.args.map(({ name, value }) => [name, value]));
  const items = call.items.map(item => ('call' in item ? { call: jsonCall(item.call) } : 'hardware' in item ? { hardware: hardwareText(item.hardware) } : item));
  return { ...call, args, items };
}

/** The error, what the kernel prints about it, and the model's stack where it happened. */
function failureText({ stop, failedAt }: Recording): string {
  const frames = failedAt.map(({ fn, path, line, column }) => `    at ${fn.name} (${path}:${line}:${column})\n`);
  const report = reportOf(stop.error).map(line => `  ! ${line}\n`);
  return `irqstep: the run failed: ${said(stop.error!)}\n${report.join('')}${frames.join('')}`;
}

/** What is nothing in the model is a NULL pointer in the kernel. */
const said = (error: Error): string => (error instanceof TypeError && !isOfModule(error) ? `NULL dereference: ${error.message}` : placed(error).message);

const reportOf = (error: Error | undefined): readonly string[] => (error instanceof kernel_death ? error.report : []);
