import { version } from '../../package.json';
import { list, suggestion } from '../scenario/nearest';
import { readArguments, UsageError } from './arguments';
import type { Command, ExitStatus, Output } from './command';
import { compareCommand } from './compare';
import { runCommand } from './run';
import { seriesCommand } from './series';
import { showCommand } from './show';
import { verifyCommand } from './verify';

const COMMANDS: readonly Command[] = [runCommand, showCommand, verifyCommand, compareCommand, seriesCommand];

const HELP = `irqstep steps through Linux interrupt allocation.

usage: irqstep COMMAND ...

${COMMANDS.map(c => `  ${c.name.padEnd(8)}${c.summary}`).join('\n')}

irqstep COMMAND --help says more about a command.

examples:
  irqstep run examples/nvme-msix.irq.yaml
  irqstep show examples/nvme-msix.irq.yaml /proc/interrupts
`;

const TEXTS = new Map([['--help', HELP], ['-h', HELP], ['help', HELP], ['--version', `irqstep ${version}\n`]]);

async function main(args: readonly string[], output: Output): Promise<ExitStatus> {
  const name = args.at(0);
  if (name === undefined) throw new UsageError(`no command given; expected ${list(COMMANDS.map(c => c.name), 'or')} (irqstep --help says more)`);
  if (name === 'help' && args.length > 1) return main([args[1], '--help'], output);
  const text = TEXTS.get(name);
  if (text !== undefined) {
    output.out(text);
    return 0;
  }
  const command = COMMANDS.find(c => c.name === name);
  if (!command) throw new UsageError(`unknown command ${name}${suggestion(name, COMMANDS.map(c => c.name))}`);
  try {
    const parsed = readArguments(args.slice(1), command.options);
    if (!parsed.flags.has('help')) return await command.run(parsed, output);
    output.out(command.help);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${error.message} (irqstep ${command.name} --help says more)`);
    throw error;
  }
}

// A reader that has seen enough (head, less) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

const output: Output = {
  out: text => process.stdout.write(text),
  err: text => process.stderr.write(text),
};

main(process.argv.slice(2), output).then(
  status => {
    process.exitCode = status;
  },
  (error: unknown) => {
    if (!(error instanceof UsageError)) throw error;
    output.err(`irqstep: ${error.message}\n`);
    process.exitCode = 2;
  },
);
