// The C-like expressions of conditions, log points, hover and watch: parsed once, compiled to closures, never eval'd.
import { nearest } from '../../src/scenario/nearest';
import { type Token, SyntaxProblem, tokens } from './expression-tokens';
import { access, binary, index, truth, unary } from './expression-values';

/** What names mean where an expression is evaluated: variables of a frame, kernel globals, constants. */
export interface Names {
  /** `undefined`: there is no such name. */
  lookup(name: string): { readonly value: unknown } | undefined;
  /** All names there are, for a hint when one is not. */
  all(): readonly string[];
  /** One of the helpers that the expression was compiled with. */
  call(helper: string, args: readonly unknown[]): unknown;
}

type Evaluate = (names: Names) => unknown;

export interface Expression {
  /** @throws Error for what has no value: a member of NULL, a name that is not there */
  readonly evaluate: Evaluate;
  /** Where the whole expression is a member of a structure: the structure, and the member's name. */
  readonly member?: { readonly of: Evaluate; readonly name: string };
  /** The names that it looks up, with their columns. */
  readonly free: readonly { readonly name: string; readonly column: number }[];
}

/** Nested as deep as such a text can be, it still fits on the stack. */
const LONGEST = 1000;

/** Higher binds tighter; C's own order. */
const PRECEDENCE: Readonly<Record<string, number | undefined>> = {
  '||': 1, '&&': 2, '|': 3, '^': 4, '&': 5, '==': 6, '!=': 6, '<': 7, '>': 7, '<=': 7, '>=': 7, '<<': 8, '>>': 8, '+': 9, '-': 9, '*': 10, '/': 10, '%': 10,
};

const WORDS: Readonly<Record<string, unknown>> = { NULL: null, null: null, true: true, false: false };

/**
 * @param helpers the functions that may be called
 * @throws SyntaxProblem with the column of what was not understood
 */
export function compile(source: string, helpers: readonly string[]): Expression {
  if (source.length > LONGEST) throw new SyntaxProblem(`an expression has up to ${LONGEST} characters, this one has ${source.length}`, LONGEST + 1);
  const parser = new Parser(source, helpers);
  const evaluate = parser.whole();
  const { last } = parser;
  return { evaluate, free: parser.free, ...(last?.value === evaluate ? { member: last } : {}) };
}

class Parser {
  private readonly tokens: Token[];
  private at = 0;
  readonly free: { name: string; column: number }[] = [];
  /** The member taken last. */
  last: { readonly value: Evaluate; readonly of: Evaluate; readonly name: string } | undefined;

  constructor(
    private readonly source: string,
    private readonly helpers: readonly string[],
  ) {
    this.tokens = tokens(source);
  }

  whole(): Evaluate {
    const result = this.conditional();
    if (this.next) throw this.unexpected('an operator or the end');
    return result;
  }

  private conditional(): Evaluate {
    const test = this.operators(1);
    if (!this.take('?')) return test;
    const yes = this.conditional();
    this.expect(':');
    const no = this.conditional();
    return names => (truth(test(names)) ? yes(names) : no(names));
  }

  private operators(least: number): Evaluate {
    let left = this.prefixed();
    for (;;) {
      const operator = this.next?.kind === 'operator' ? this.next.text : '';
      const strength = PRECEDENCE[operator];
      if (strength === undefined || strength < least) return left;
      this.at++;
      left = combine(operator, left, this.operators(strength + 1));
    }
  }

  private prefixed(): Evaluate {
    const operator = ['!', '-', '~', '+'].find(o => this.take(o));
    if (operator === undefined) return this.postfixed();
    const operand = this.prefixed();
    return names => unary(operator, operand(names));
  }

  private postfixed(): Evaluate {
    let value = this.primary();
    for (;;) {
      const object = value;
      const operator = this.next?.text;
      if (this.take('.') || this.take('->')) {
        const member = this.name(`a member's name behind ${operator!}`);
        value = names => access(object(names), member);
        this.last = { value, of: object, name: member };
      } else if (this.take('[')) {
        const key = this.conditional();
        this.expect(']');
        value = names => index(object(names), key(names));
      } else return value;
    }
  }

  private primary(): Evaluate {
    const token = this.next;
    if (!token) throw this.unexpected('a value');
    if (token.kind === 'number' || token.kind === 'string') {
      this.at++;
      return () => token.value;
    }
    if (token.kind === 'name') return this.nameOrCall();
    if (!this.take('(')) throw this.unexpected('a value');
    const inner = this.conditional();
    this.expect(')');
    return inner;
  }

  private nameOrCall(): Evaluate {
    const { column } = this.next!;
    const name = this.name('a name');
    if (this.take('(')) return this.call(name, column);
    if (Object.hasOwn(WORDS, name)) return () => WORDS[name];
    this.free.push({ name, column });
    return names => {
      const found = names.lookup(name);
      if (!found) throw new Error(noSuchName(name, names.all()));
      return found.value;
    };
  }

  private call(name: string, column: number): Evaluate {
    if (!this.helpers.includes(name)) throw new SyntaxProblem(`${name}() cannot be called here: only ${this.helpers.map(h => `${h}()`).join(', ')} can`, column);
    const args: Evaluate[] = [];
    while (!this.take(')')) {
      if (args.length > 0) this.expect(',');
      args.push(this.conditional());
    }
    return names => names.call(name, args.map(arg => arg(names)));
  }

  private get next(): Token | undefined {
    return this.tokens[this.at];
  }

  private take(text: string): boolean {
    if (this.next?.kind !== 'operator' || this.next.text !== text) return false;
    this.at++;
    return true;
  }

  private expect(text: string): void {
    if (!this.take(text)) throw this.unexpected(`'${text}'`);
  }

  private name(expected: string): string {
    if (this.next?.kind !== 'name') throw this.unexpected(expected);
    return this.tokens[this.at++].text;
  }

  private unexpected(expected: string): SyntaxProblem {
    const found = this.next;
    return new SyntaxProblem(`${expected} was expected, found ${found ? `'${found.text}'` : 'the end'}`, found?.column ?? this.source.length + 1);
  }
}

function combine(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  if (operator === '&&') return names => truth(left(names)) && truth(right(names));
  if (operator === '||') return names => truth(left(names)) || truth(right(names));
  return names => binary(operator, left(names), right(names));
}

export function noSuchName(name: string, names: readonly string[] = []): string {
  const near = nearest(name, names);
  return `there is no ${name} here: neither a variable of the frame nor a global of the kernel${near === undefined ? '' : `; did you mean ${near}?`}`;
}
