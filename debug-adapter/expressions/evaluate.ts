// Hover, watch and repl: expressions, and a few commands that the protocol has no request for.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { gone, RequestError } from '../protocol/errors';
import { compile, type Expression, type Names } from './expression';
import { SyntaxProblem } from './expression-tokens';
import { HELPER_NAMES, namesOf } from './names';
import { request } from '../protocol/registry';
import { childrenOf, type Item } from '../variables/children';

export const evaluateRequests = [
  request(
    'evaluate',
    { args: { expression: 'string', 'frameId?': 'number', 'context?': 'string', 'format?': { 'hex?': 'boolean' } }, capability: 'supportsEvaluateForHovers', stopped: true },
    ({ expression, frameId, context, format }, { run }): DebugProtocol.EvaluateResponse['body'] => {
      const frames = frameId === undefined ? run!.stepper.frames(run!.thread) : run!.framesFrom(frameId);
      if (!frames) throw gone(`frame ${frameId!}`);
      const compiled = parse(expression);
      const names = namesOf(frames[0], run!.world);
      const value = valueOf(compiled, names);
      // A function below the pointer is its name, and nothing to show over it.
      if (context === 'hover' && typeof value === 'function') throw new RequestError(`${expression} is a function`);
      const { value: result, ...rest } = run!.variables.present(memberOf(compiled, names) ?? { name: lastName(expression), value }, asOperand(expression), format?.hex);
      return { result, ...rest };
    },
  ),
];

function parse(source: string): Expression {
  try {
    return compile(source, HELPER_NAMES);
  } catch (error) {
    if (error instanceof SyntaxProblem) throw new RequestError(error.message);
    throw error;
  }
}

function valueOf(expression: Expression, names: Parameters<Expression['evaluate']>[0]): unknown {
  try {
    return expression.evaluate(names);
  } catch (error) {
    throw new RequestError((error as Error).message);
  }
}

/** A member reads as it does among the members of its structure: flags by name, registers by bits. */
function memberOf({ member }: Expression, names: Names): Item | undefined {
  const owner = member?.of(names);
  if (typeof owner !== 'object' || owner === null) return undefined;
  return childrenOf(owner).named().find(item => item.name === member!.name);
}

/** `data->hwirq` reads as a hwirq does. */
const lastName = (expression: string): string => /\w+$/.exec(expression.trim())?.[0] ?? '';

/** What a member can be taken of. */
const asOperand = (expression: string): string => (/^[\w.>[\]()"-]+$/.test(expression) ? expression : `(${expression})`);
