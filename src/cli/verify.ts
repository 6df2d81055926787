import { verify } from '../capture/verify';
import { type Arguments, UsageError } from './arguments';
import { checkCapture } from './capture-folder';
import { KERNEL_OPTION, kernelIn } from './load';
import type { Command, ExitStatus, Output } from './command';

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'compare the model with what a real kernel did',
  options: { kernel: KERNEL_OPTION },
  help: `usage: irqstep verify [--kernel K] DIR...

Builds the machine of a capture, performs on it what the capture's kernel did, from power-on, and compares every trace
event, every interrupt after each step, the call trees and the log with the kernel's. The last line of each capture is

  CAPTURE: events M/N, state M/N, calls M/N, log M/N, inputs K, resumed 0, unread U

A capture of a kernel behind those of the model is compared with the model changed as that kernel was: each change is
named, with what it explains, and then how much is unexplained.

options:
  --kernel K      let this kernel do it instead of the capture's: what differs is what a change does (v5.10.223-v2-04)

exit status: 0 when all is the same; 1 when something differs; 2 when there is no such capture

examples:
  irqstep verify test/captures/5.10.0-32-n-4cpu-1nvme-min
  irqstep verify test/captures/*
`,
  run: verifyAll,
};

// eslint-disable-next-line @typescript-eslint/require-await -- a command is asynchronous; this one has nothing to wait for
async function verifyAll({ positionals, texts }: Arguments, { out }: Output): Promise<ExitStatus> {
  if (positionals.length === 0) throw new UsageError('DIR is missing: a folder with a capture');
  positionals.forEach(checkCapture);
  const kernel = kernelIn(texts);
  const verdicts = positionals.map(folder => verify(folder, line => out(`${line}\n`), kernel));
  return verdicts.every(verdict => verdict.ok) ? 0 : 1;
}
