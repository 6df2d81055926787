import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile, type Names } from '../../debug-adapter/expressions/expression';
import { SyntaxProblem } from '../../debug-adapter/expressions/expression-tokens';

const VALUES: Record<string, unknown> = { a: 5, b: { c: 7, list: [1, 2, 3], map: new Map([[24, 'x']]) }, big: 0xfee01004, wide: 1n << 40n, nothing: null, text: 'VECTOR' };
const names: Names = { lookup: name => (Object.hasOwn(VALUES, name) ? { value: VALUES[name] } : undefined), all: () => Object.keys(VALUES), call: (helper, args) => [helper, ...args].join(' ') };
const value = (source: string): unknown => compile(source, ['irq']).evaluate(names);

describe('expressions', () => {
  it('say which name or member is near one that is not there', () => {
    assert.throws(() => value('wid'), /there is no wid here.*did you mean wide\?/);
    assert.throws(() => value('b.lits'), /has no member lits; did you mean list\?/);
  });

  for (const [source, expected] of [
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 4 - 3', 3],
    ['a & 4 == 4', 1],
    ['1 | 2 ^ 3 & 1', 3],
    ['1 << 4 | 0x0f', 31],
    ['big & 0xfff00000', 0xfee00000],
    ['big >> 12 & 0xff', 1],
    ['~0', -1],
    ['-7 / 2', -3],
    ['-7 % 3', -1],
    ['wide >> 38', 4],
    ['wide == 0x10000000000', true],
    ['!nothing && a', true],
    ['a > 4 ? 10 : nothing->x', 10],
    ['a < 4 && nothing->x', false],
    ['b->c == b.c', true],
    ['b.list[1 + 1]', 3],
    ['b->map[24]', 'x'],
    ['text == "VECTOR"', true],
    ["text == 'APIC'", false],
    ['nothing == NULL', true],
    ['nothing == 0', true],
    ['a == 5u', true],
    ['10UL', 10],
    ['irq(20 + 4)', 'irq 24'],
    ['010', 10],
  ] as const) {
    it(`${source} is ${String(expected)}`, () => assert.equal(value(source), expected));
  }

  it('binds as C does: & weaker than ==, so that the classic slip is seen', () => assert.equal(value('4 & 5 == 5'), 0));

  for (const [source, column, problem] of [
    ['', 1, /a value was expected/],
    ['a b', 3, /an operator or the end was expected, found 'b'/],
    ['(a', 3, /'\)' was expected/],
    ['a->', 4, /a member's name behind ->/],
    ['a @ b', 3, /'@' means nothing here/],
    ['a == 💥', 6, /'💥' means nothing here/],
    ['"open', 1, /has no end/],
    ['1.5', 1, /found '1\.5'/],
    ['a == 12x', 6, /found '12x'/],
    ['('.repeat(1000), 1001, /a value was expected/],
    ['('.repeat(1001), 1001, /up to 1000 characters/],
    ['sizeof(a)', 1, /only irq\(\) can/],
  ] as const) {
    it(`says where ${JSON.stringify(source.slice(0, 20))} goes wrong`, () => {
      assert.throws(() => value(source), (error: unknown) => error instanceof SyntaxProblem && error.column === column && problem.test(error.message));
    });
  }

  it('answers any text with a value or an error, and never runs it as JavaScript', () => {
    const piece = fc.constantFrom('a', 'b', '->', '.', '[', ']', '(', ')', '"', "'", '0x', '12', '+', '&&', '?', ':', 'irq', 'constructor', '__proto__', ' ', '\\', '=', '!', '~');
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(piece).map(parts => parts.join(' '))), source => {
        try {
          assert.notEqual(typeof value(source), 'function');
        } catch (error) {
          assert.ok(error instanceof Error);
          assert.ok(!(error instanceof TypeError) && !(error instanceof ReferenceError), String(error));
        }
      }),
    );
  });
});
