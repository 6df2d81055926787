// When a breakpoint that is hit stops: its condition, its count of hits, and what it logs instead.
import { compile, noSuchName, type Expression, type Names } from '../expressions/expression';
import { SyntaxProblem } from '../expressions/expression-tokens';
import { truth } from '../expressions/expression-values';
import { HELPER_NAMES } from '../expressions/names';
import { describe } from '../variables/describe';

/** A condition that cannot be: shown on its breakpoint. */
export class ConditionError extends Error {}

/** Does a name mean something where the breakpoint stands? */
export type Knows = (name: string) => boolean;

/** @throws ConditionError with the column */
export function parseCondition(source: string, knows: Knows): (names: Names) => boolean {
  const { evaluate } = checked(source, 0, 'condition', knows);
  return names => truth(evaluate(names));
}

const HIT_CONDITION = /^\s*(>=|<=|>|<|={1,3}|%)?\s*(\d+)\s*$/;

/**
 * `3`, `== 3`, `> 3`, `>= 3`, `< 3`, `<= 3` or `% 3`, of the number of hits up to now.
 * @throws ConditionError
 */
export function parseHitCondition(source: string): (hits: number) => boolean {
  const found = HIT_CONDITION.exec(source);
  if (!found) throw new ConditionError(`hit condition: a number was expected, with ==, >, >=, <, <= or % before it if wanted, found ${JSON.stringify(source)}`);
  const count = Number(found[2]);
  switch (found[1]) {
    case '>':
      return hits => hits > count;
    case '>=':
      return hits => hits >= count;
    case '<':
      return hits => hits < count;
    case '<=':
      return hits => hits <= count;
    case '%':
      if (count === 0) throw new ConditionError('hit condition: % 0 is never reached');
      return hits => hits % count === 0;
    default:
      return hits => hits === count;
  }
}

/**
 * Text with expressions in braces.
 * @throws ConditionError with the column
 */
export function parseLogMessage(source: string, knows: Knows): (names: Names) => string {
  const parts = source.split(/(\{[^{}]*\})/);
  let column = 0;
  const prints = parts.map(part => {
    const start = column;
    column += part.length;
    if (!/^\{.*\}$/s.test(part)) return () => part;
    const { evaluate } = checked(part.slice(1, -1), start + 1, 'log message', knows);
    return (names: Names) => print(evaluate, names);
  });
  return names => prints.map(one => one(names)).join('');
}

function print(evaluate: Expression['evaluate'], names: Names): string {
  try {
    const value = evaluate(names);
    return typeof value === 'string' ? value : describe(value, { name: '' }).text;
  } catch (error) {
    return `<${(error as Error).message}>`;
  }
}

/** @param offset of the expression in the text that the user wrote */
function checked(source: string, offset: number, what: string, knows: Knows): Expression {
  try {
    const expression = compile(source, HELPER_NAMES);
    const unknown = expression.free.find(({ name }) => !knows(name));
    if (unknown) throw new SyntaxProblem(noSuchName(unknown.name), unknown.column);
    return expression;
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    throw new ConditionError(`${what}, column ${error.column + offset}: ${error.problem}`);
  }
}

/** Hits by their step: a run that went back counts as it counted before. */
export class HitCounter {
  private readonly steps: number[] = [];

  /** @returns which hit this is, from 1 */
  hit(step: number): number {
    if (step > (this.steps.at(-1) ?? -1)) return this.steps.push(step);
    let low = 0;
    let high = this.steps.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle] < step) low = middle + 1;
      else high = middle;
    }
    if (this.steps[low] !== step) this.steps.splice(low, 0, step);
    return low + 1;
  }
}
