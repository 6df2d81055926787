/** A text that does not parse: `message` ends with the column, counted from 1. */
export class SyntaxProblem extends Error {
  constructor(
    readonly problem: string,
    readonly column: number,
  ) {
    super(`column ${column}: ${problem}`);
  }
}

export interface Token {
  readonly kind: 'number' | 'string' | 'name' | 'operator';
  readonly text: string;
  /** Of a number or string. */
  readonly value?: number | bigint | string;
  /** From 1. */
  readonly column: number;
}

const SPACE = /\s*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+/y;
const NUMBER_END = /[uUlLn]*(?![\w.])/y;
const NAME = /[A-Za-z_$][\w$]*/y;
const STRING = /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'/y;
const OPERATOR = /->|&&|\|\||==|!=|<=|>=|<<|>>|[-+*/%!~<>=&|^?:().,[\]]/y;

export function tokens(source: string): Token[] {
  const found: Token[] = [];
  let at = match(SPACE, source, 0)!.length;
  while (at < source.length) {
    const token = tokenAt(source, at);
    found.push(token);
    at += token.text.length;
    at += match(SPACE, source, at)!.length;
  }
  return found;
}

function tokenAt(source: string, at: number): Token {
  const column = at + 1;
  const digits = match(NUMBER, source, at);
  if (digits !== undefined) return numberAt(source, at, digits);
  const name = match(NAME, source, at);
  if (name !== undefined) return { kind: 'name', text: name, column };
  const text = match(STRING, source, at);
  if (text !== undefined) return { kind: 'string', text, value: text.slice(1, -1).replace(/\\(.)/g, '$1'), column };
  if (source[at] === '"' || source[at] === "'") throw new SyntaxProblem('this string has no end', column);
  const operator = match(OPERATOR, source, at);
  if (operator === '=') throw new SyntaxProblem("'=' would assign, and nothing can be changed from here: '==' compares", column);
  if (operator !== undefined) return { kind: 'operator', text: operator, column };
  throw new SyntaxProblem(`'${String.fromCodePoint(source.codePointAt(at)!)}' means nothing here`, column);
}

function numberAt(source: string, at: number, digits: string): Token {
  const end = match(NUMBER_END, source, at + digits.length);
  if (end === undefined) throw new SyntaxProblem(`a number was expected, found '${/^[\w.]+/.exec(source.slice(at))![0]}'`, at + 1);
  const exact = BigInt(digits);
  return { kind: 'number', text: digits + end, value: exact > BigInt(Number.MAX_SAFE_INTEGER) ? exact : Number(exact), column: at + 1 };
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}
