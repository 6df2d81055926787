import { errnoName } from '../kernel/lib/errno';
import { type FaultRun, faultRuns } from '../scenario/fault-injection';
import { type Arguments, UsageError } from './arguments';
import type { ExitStatus, Output } from './command';
import { loadFor } from './load';

const HEAD = ['n', 'allocation', 'step', 'returned', 'still in use after removal'];

/** irqstep run FILE --fail-nth all. @returns 1 when something leaks that no known bug of the kernel explains */
export function failEveryAllocation(path: string, args: Arguments, output: Output): ExitStatus {
  if (args.flags.has('json')) throw new UsageError('--fail-nth all prints a table; expected no --json');
  const loaded = loadFor(path, args, output, { expect: false });
  if (!loaded) return 2;
  const runs = [...faultRuns(loaded.scenario, loaded.make)];
  const bugs = [...new Set(runs.flatMap(({ known }) => known ?? []))];
  output.out(table([HEAD, ...runs.map(run => row(run, bugs))]));
  if (bugs.length > 0) output.out(`\nbugs of this kernel:\n${bugs.map((bug, i) => `  [${i + 1}] ${bug}\n`).join('')}`);
  const unknown = runs.filter(({ leaks, known }) => leaks.length > 0 && known === undefined);
  output.out(`\n${runs.length} allocations; ${runs.filter(({ died }) => died !== undefined).length} times the kernel gave up, ${runs.filter(({ leaks }) => leaks.length > 0).length} times something leaked, ${unknown.length} times by no known bug\n`);
  return unknown.length > 0 ? 1 : 0;
}

function row({ nth, fault: { site, step, value }, died, leaks, known }: FaultRun, bugs: readonly string[]): string[] {
  const returned = value === undefined ? 'did not end' : (errnoName(value) ?? String(value));
  const bug = known === undefined ? '' : ` [${bugs.indexOf(known) + 1}]`;
  return [String(nth), site, step, returned, died ?? `${[...new Set(leaks)].join('; ')}${bug}`];
}

/** Columns as wide as what is in them; the last one has no end. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, column) => (column === HEAD.length - 1 ? 0 : Math.max(...rows.map(cells => cells[column].length))));
  return rows.map(cells => `${cells.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd()}\n`).join('');
}
