// What an expression may go on with.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { gone } from '../protocol/errors';
import { compile, type Names } from './expression';
import { getters } from './expression-values';
import { HELPER_NAMES, namesOf } from './names';
import { request } from '../protocol/registry';
import type { Run } from '../run';
import { CONSTANTS } from '../variables/flags';

const MOST = 200;
/** Nobody completes a longer line. */
const LONGEST = 1000;

export const TRIGGERS = ['.', '>'];

export const completionRequests = [
  request(
    'completions',
    { args: { text: 'string', column: 'number', 'line?': 'number', 'frameId?': 'number' }, capability: 'supportsCompletionsRequest', stopped: true },
    ({ text, column, line = 1, frameId }, { run, client }) => {
      const frames = frameId === undefined ? run!.stepper.frames(run!.thread) : run!.framesFrom(frameId);
      if (!frames) throw gone(`frame ${frameId!}`);
      const before = (text.split('\n').at(line - 1) ?? '').slice(0, client.fromColumn(column) - 1);
      if (before.length > LONGEST) return { targets: [] };
      const start = /\w*$/.exec(before)![0];
      const operand = operandOf(before.slice(0, before.length - start.length));
      const names = namesOf(frames.at(0), run!.world);
      const offered = operand !== undefined ? membersOf(operand, names) : namesAt(frames.at(0)?.names ?? [], run!);
      const fitting = offered.filter(item => item.label.startsWith(start)).slice(0, MOST);
      return { targets: fitting.map(item => ({ ...item, start: client.column(before.length - start.length + 1), length: start.length })) };
    },
  ),
];

/** What a text that ends in `->` or `.` takes a member of; undefined for another text. */
function operandOf(text: string): string | undefined {
  const end = text.length - (/(->|\.)$/.exec(text)?.[0].length ?? 0);
  if (end === text.length) return undefined;
  let begin = end;
  for (let operator: string | undefined = ''; operator !== undefined; operator = /(->|\.)$/.exec(text.slice(0, begin))?.[0]) {
    begin -= operator.length;
    begin -= /(\w+(\([^()]*\))?(\[\w+\])*)?$/.exec(text.slice(0, begin))![0].length;
  }
  return text.slice(begin, end);
}

function membersOf(operand: string, names: Names): DebugProtocol.CompletionItem[] {
  try {
    const value = compile(operand, HELPER_NAMES).evaluate(names);
    if (typeof value !== 'object' || value === null) return [];
    return [...Object.keys(value), ...getters(value)].map(label => ({ label, type: 'field' }));
  } catch {
    // Half an expression has no value: there is nothing to offer.
    return [];
  }
}

function namesAt(variables: readonly string[], run: Run): DebugProtocol.CompletionItem[] {
  return [
    ...[...new Set(variables)].map(label => ({ label, type: 'variable' as const })),
    ...HELPER_NAMES.map(label => ({ label, text: `${label}(`, type: 'function' as const })),
    ...Object.keys(run.world.kernel).map(label => ({ label, type: 'variable' as const })),
    ...Object.keys(CONSTANTS).map(label => ({ label, type: 'enum' as const })),
  ];
}
