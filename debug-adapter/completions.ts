// What an expression may go on with.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RequestError } from './errors';
import { compile, type Names } from './expression';
import { getters } from './expression-values';
import { HELPER_NAMES, namesOf } from './names';
import { request } from './registry';
import type { Run } from './run';
import { CONSTANTS } from './variables/flags';

/** An operand that ends in a member operator, if there is one, and the part of a name before the cursor. */
const BEFORE_CURSOR = /((?:\w+(?:\([^()]*\))?(?:\[\w+\]|->|\.)*)+?(?=->\w*$|\.\w*$)(->|\.))?(\w*)$/;
const MOST = 200;

export const TRIGGERS = ['.', '>'];

export const completionRequests = [
  request(
    'completions',
    { args: { text: 'string', column: 'number', 'line?': 'number', 'frameId?': 'number' }, capability: 'supportsCompletionsRequest', stopped: true },
    ({ text, column, line = 1, frameId }, { run, client }) => {
      const frames = frameId === undefined ? run!.stepper.frames(run!.thread) : run!.framesFrom(frameId);
      if (!frames) throw new RequestError(`completions: there is no frame ${frameId!}: frames end when the run goes on`);
      const before = (text.split('\n').at(line - 1) ?? '').slice(0, client.fromColumn(column) - 1);
      const [, operand, operator = '', start] = BEFORE_CURSOR.exec(before)!;
      const names = namesOf(frames.at(0), run!.world);
      const offered = operand ? membersOf(operand.slice(0, -operator.length), names) : namesAt(frames.at(0)?.names ?? [], run!);
      const fitting = offered.filter(item => item.label.startsWith(start)).slice(0, MOST);
      return { targets: fitting.map(item => ({ ...item, start: before.length - start.length, length: start.length })) };
    },
  ),
];

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
