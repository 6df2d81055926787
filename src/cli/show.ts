import { textFiles, readTextFile } from '../text/files';
import { Stepper } from '../stepper/stepper';
import type { Arguments } from './arguments';
import type { Command, ExitStatus, Output } from './command';
import { loadFor, operands, SCENARIO_OPTIONS, SCENARIO_OPTIONS_HELP } from './load';
import { withProgress } from './progress';
import type { ScenarioGuest } from '../scenario/load';
import { placed } from '../scenario/modules/thrown';

export const showCommand: Command = {
  name: 'show',
  summary: 'run a scenario and print a file as its kernel would',
  options: SCENARIO_OPTIONS,
  help: `usage: irqstep show FILE [PATH] [--kernel K] [--expect no] [--check]

Runs a scenario (*.irq.yaml) to its end and prints one of the kernel's text files. Without PATH: the paths there are.

${SCENARIO_OPTIONS_HELP}

exit status: 0; 1 when a step returned something else than it expects, or the kernel broke; 2 when the scenario, the path or the command line is wrong

examples:
  irqstep show examples/nvme-msix.irq.yaml
  irqstep show examples/nvme-msix.irq.yaml /proc/interrupts
  irqstep show examples/nvme-msix.irq.yaml /sys/kernel/debug/irq/domains/VECTOR
  irqstep show examples/nvme-msix.irq.yaml trace
  irqstep show examples/nvme-msix.irq.yaml dmesg
`,
  run: show,
};

async function show(args: Arguments, output: Output): Promise<ExitStatus> {
  const [scenario] = operands(args, ['FILE'], ['PATH']);
  const path = args.positionals.at(1);
  const loaded = loadFor(scenario, args, output);
  if (!loaded) return 2;
  let guest: ScenarioGuest | undefined;
  const stepper = new Stepper(host => (guest = loaded.make(host)));
  const stop = await withProgress(`running ${scenario}`, output, () => stepper.run({ kind: 'continue' }));
  const { world } = guest!;
  const text = path === undefined ? textFiles(world).map(file => `${file.path}\n`).join('') : fileText(world, path, output);
  if (text === undefined) return 2;
  output.out(text);
  if (!stop.error) return 0;
  output.err(`irqstep: the run failed: ${placed(stop.error).message}\n`);
  return 1;
}

function fileText(world: ScenarioGuest['world'], path: string, { err }: Output): string | undefined {
  try {
    return readTextFile(world, path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    err(`irqstep: ${error.message} (irqstep show FILE lists all)\n`);
    return undefined;
  }
}
