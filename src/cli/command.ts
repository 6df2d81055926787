import type { Arguments, OptionSpec } from './arguments';

/** Where a command writes; tests and the process differ. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** 0: all is well; 1: something differs or failed; 2: the input is bad. */
export type ExitStatus = 0 | 1 | 2;

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What --help prints. */
  readonly help: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly run: (args: Arguments, output: Output) => Promise<ExitStatus>;
}
