// The nasty syntax, each with the statements that a run passes.

export interface Case {
  name: string;
  /** Lines of the module; `main` is run. */
  source: string;
  /** Statements in the order they are passed: `line:column {variables}`. */
  passes: [at: string, variables: Record<string, unknown>][];
}

export const CASES: readonly Case[] = [
  {
    name: 'blocks that shadow: before the inner declaration the name has no value at all',
    source: `export function* main() {
  let x = 1;
  {
    log('in');
    const x = 2;
    log(x);
  }
  return x;
}`,
    passes: [['2:3', {}], ['4:5', {}], ['5:5', {}], ['6:5', { x: 2 }], ['8:3', { x: 1 }]],
  },
  {
    name: 'arms and loops without braces',
    source: `export function* main() {
  for (let i = 0; i < 2; i++) if (i) log(i);
    else log('zero');
  let n = 0
  while (n < 1) n++
  do n--; while (n > 0)
  return n;
}`,
    passes: [
      ['2:3', {}],
      ['2:31', { i: 0 }], ['3:10', { i: 0 }],
      ['2:31', { i: 1 }], ['2:38', { i: 1 }],
      ['4:3', {}], ['5:3', { n: 0 }], ['5:17', { n: 0 }], ['6:3', { n: 1 }], ['6:6', { n: 1 }], ['7:3', { n: 0 }],
    ],
  },
  {
    name: 'else if: its test is a statement of its own',
    source: `export function* main() {
  const a = 2;
  if (a === 1) log(1);
  else if (a === 2) log(2);
  else log(3);
}`,
    passes: [['2:3', {}], ['3:3', { a: 2 }], ['4:8', { a: 2 }], ['4:21', { a: 2 }]],
  },
  {
    name: 'switch: a clause sees its own declarations, not those of the clauses that it jumped over',
    source: `function* pick(v) {
  const before = v;
  switch (v) {
    case 1:
      const a = 'a';
      log(a);
    case 2:
      let b = 'b';
      log(b);
      break;
    default:
      log('none');
  }
}
export function* main() { yield* pick(1); yield* pick(2); yield* pick(3) }`,
    passes: [
      ['15:27', {}], ['2:3', { v: 1 }], ['3:3', { v: 1, before: 1 }], ['5:7', { v: 1, before: 1 }], ['6:7', { v: 1, before: 1, a: 'a' }],
      ['8:7', { v: 1, before: 1 }], ['9:7', { v: 1, before: 1, b: 'b' }], ['10:7', { v: 1, before: 1, b: 'b' }],
      ['15:43', {}], ['2:3', { v: 2 }], ['3:3', { v: 2, before: 2 }], ['8:7', { v: 2, before: 2 }], ['9:7', { v: 2, before: 2, b: 'b' }], ['10:7', { v: 2, before: 2, b: 'b' }],
      ['15:59', {}], ['2:3', { v: 3 }], ['3:3', { v: 3, before: 3 }], ['12:7', { v: 3, before: 3 }],
    ],
  },
  {
    name: 'switch: a clause\'s test with a call stands where the switch hides an outer variable',
    source: `function* id(v) { return v }
export function* main() {
  const q = 1;
  switch (q) {
    case yield* id(1):
      let q = 2;
      log(q);
  }
}`,
    passes: [['3:3', {}], ['4:3', { q: 1 }], ['1:19', { v: 1 }], ['6:7', {}], ['7:7', { q: 2 }]],
  },
  {
    name: 'try, catch with a pattern, finally',
    source: `function* fail() { throw { code: -22, message: 'EINVAL' } }
export function* main() {
  try {
    yield* fail();
  } catch ({ code }) {
    log(code);
  } finally {
    log('finally');
  }
  try { log(1) } catch { log(2) }
}`,
    passes: [['4:5', {}], ['1:20', {}], ['6:5', { code: -22 }], ['8:5', {}], ['10:9', {}]],
  },
  {
    name: 'early return, through finally',
    source: `export function* main() {
  try {
    for (const x of [1, 2]) {
      if (x === 1) return x;
    }
  } finally { log('out') }
  log('never');
}`,
    passes: [['3:5', {}], ['4:7', { x: 1 }], ['4:20', { x: 1 }], ['6:15', {}]],
  },
  {
    name: 'destructured parameters and declarations with defaults, also ones that call',
    source: `const two = () => 2;
function* f({ a, b: { c } = { c: 3 }, ...others }, [d, , e = two()] = [4], n = two() + d, ...rest) {
  const { x = c, ...more } = others, [y] = [x];
  return [a, c, d, e, n, rest, more, y];
}
export function* main() { return yield* f({ a: 1, z: 26 }) }`,
    passes: [
      ['6:27', {}],
      ['3:3', { a: 1, c: 3, others: { z: 26 }, d: 4, e: 2, n: 6, rest: [] }],
      ['4:3', { a: 1, c: 3, others: { z: 26 }, d: 4, e: 2, n: 6, rest: [], x: 3, more: { z: 26 }, y: 3 }],
    ],
  },
  {
    name: 'closures keep their variables; arrow functions are not stepped into',
    source: `export function* main() {
  const all = [];
  for (let i = 0; i < 2; i++) all.push(() => i);
  const sum = all.map(f => { const v = f(); return v * 10; });
  return sum;
}`,
    passes: [['2:3', {}], ['3:3', { all: [] }], ['3:31', { all: [], i: 0 }], ['3:31', { all: ['function '], i: 1 }], ['4:3', { all: ['function ', 'function '] }], ['5:3', { all: ['function ', 'function '], sum: [0, 10] }]],
  },
  {
    name: 'recursion',
    source: `function* fact(n: number): Op<number> {
  if (n < 2) return 1;
  return n * (yield* fact(n - 1));
}
export function* main() { return yield* fact(3) }`,
    passes: [['5:27', {}], ['2:3', { n: 3 }], ['3:3', { n: 3 }], ['2:3', { n: 2 }], ['3:3', { n: 2 }], ['2:3', { n: 1 }], ['2:14', { n: 1 }]],
  },
  {
    name: 'an exception through frames',
    source: `function* inner() { const why = 'BUG'; throw new Error(why) }
function* outer(a) { yield* inner(); log('never') }
export function* main() {
  try { yield* outer(1) } catch (e) { log(e.message) }
  yield* outer(2);
}`,
    passes: [['4:9', {}], ['2:22', { a: 1 }], ['1:21', {}], ['1:40', { why: 'BUG' }], ['4:39', { e: {} }], ['5:3', {}], ['2:22', { a: 2 }], ['1:21', {}], ['1:40', { why: 'BUG' }]],
  },
  {
    name: 'generator methods of classes and object literals',
    source: `class Domain { #n = 1; constructor(private readonly k = 2) {}
  *alloc(v) { return v + this.#n + this.k }
  static *make() { return new Domain() }
}
const ops = { *alloc(d, v) { return yield* d.alloc(v) }, ['x' + 1]: function* () { return 7 } };
export function* main() {
  const d = yield* Domain.make();
  return [yield* ops.alloc(d, 1), yield* ops.x1()];
}`,
    passes: [['7:3', {}], ['3:20', { this: 'function Domain' }], ['8:3', { d: { k: 2 } }], ['5:30', { this: { alloc: 'function alloc', x1: 'function x1' }, d: { k: 2 }, v: 1 }], ['2:15', { this: { k: 2 }, v: 1 }], ['5:84', {}]],
  },
  {
    name: 'nested generator functions: a hoisted one must not look at what has no value yet',
    source: `export function* main() {
  const p = 1;
  {
    yield* early();
    const late = 2;
    const expression = function* () { log(late) };
    function* early() { log(p) }
    yield* expression();
  }
}`,
    passes: [['2:3', {}], ['4:5', { p: 1 }], ['7:25', { p: 1 }], ['5:5', { p: 1 }], ['6:5', { p: 1, late: 2 }], ['8:5', { p: 1, late: 2, expression: 'function expression' }], ['6:39', { p: 1, late: 2 }]],
  },
  {
    name: 'labels',
    source: `export function* main() {
  outer: for (const a of [1, 2]) {
    for (const b of [1, 2]) {
      if (b === 2) continue outer;
      if (a === 2) break outer;
    }
  }
  block: { log(1); break block; }
}`,
    passes: [
      ['2:3', {}],
      ['3:5', { a: 1 }], ['4:7', { a: 1, b: 1 }], ['5:7', { a: 1, b: 1 }], ['4:7', { a: 1, b: 2 }], ['4:20', { a: 1, b: 2 }],
      ['3:5', { a: 2 }], ['4:7', { a: 2, b: 1 }], ['5:7', { a: 2, b: 1 }], ['5:20', { a: 2, b: 1 }],
      ['8:12', {}], ['8:20', {}],
    ],
  },
  {
    name: 'heads of loops that call: a for-of head hides the outer variable that has its name',
    source: `function* list(v) { return v }
export function* main() {
  const x = [1];
  for (const x of yield* list([5])) log(x);
  for (const k in yield* list({ key: 1 })) log(k);
  for (let i = yield* list(0), n = yield* list(1); i < (yield* list(n)); i += yield* list(1)) ;
  while (yield* list(false)) ;
}`,
    passes: [
      ['3:3', {}], ['4:3', { x: [1] }], ['1:21', { v: [5] }], ['4:37', { x: 5 }],
      ['5:3', { x: [1] }], ['1:21', { v: { key: 1 } }], ['5:44', { x: [1], k: 'key' }],
      ['6:3', { x: [1] }], ['1:21', { v: 0 }], ['1:21', { v: 1 }], ['1:21', { v: 1 }], ['6:95', { x: [1], i: 0, n: 1 }], ['1:21', { v: 1 }], ['1:21', { v: 1 }],
      ['7:3', { x: [1] }], ['1:21', { v: false }],
    ],
  },
  {
    name: 'lines that end without a semicolon',
    source: `function* two() { return [2] }
export function* main() {
  'use strict'
  let a = 1
  ;[a] = yield* two()
  log(a)
  do a--; while (a > 1) log('same line')
  const f = () => a
  ;(function () { log('called') })()
  return yield* two()
}`,
    passes: [['4:3', {}], ['5:4', { a: 1 }], ['1:19', {}], ['6:3', { a: 2 }], ['7:3', { a: 2 }], ['7:6', { a: 2 }], ['7:25', { a: 1 }], ['8:3', { a: 1 }], ['9:4', { a: 1, f: 'function f' }], ['10:3', { a: 1, f: 'function f' }], ['1:19', {}]],
  },
  {
    name: 'var belongs to the function, from its declaration on',
    source: `export function* main() {
  if (true) { var v = 1; }
  log(v);
  {
    log(v);
    for (var i = 0; i < 1; i++) log(i);
  }
  return i;
}`,
    passes: [['2:3', {}], ['2:15', {}], ['3:3', { v: 1 }], ['5:5', { v: 1 }], ['6:5', { v: 1 }], ['6:33', { v: 1, i: 0 }], ['8:3', { v: 1, i: 1 }]],
  },
  {
    name: 'calls in arguments of calls, conditions and templates; comments and strings that look like code',
    source: `function* add(a, b) { return a + b } // }
export function* main() {
  /* yield* */ const s = \`\${yield* add(yield* add(1, 2), 3)} yield* add()\`; // {
  return (yield* add(s, '{')) ? !(yield* add(0, 0)) : 'yield* x';
}`,
    passes: [['3:16', {}], ['1:23', { a: 1, b: 2 }], ['1:23', { a: 3, b: 3 }], ['4:3', { s: '6 yield* add()' }], ['1:23', { a: '6 yield* add()', b: '{' }], ['1:23', { a: 0, b: 0 }]],
  },
  {
    name: 'functions without a statement can be stopped in',
    source: `function* nothing(a) {}
function* hidden() { function* inner() {} }
export function* main() { yield* nothing(1); yield* hidden() }`,
    passes: [['3:27', {}], ['1:22', { a: 1 }], ['3:46', {}], ['2:20', {}]],
  },
  {
    name: 'functions whose first statement need not run can be stopped in as they begin',
    source: `function* empty(a) { try {} catch { log('never') } finally { log(a) } }
function* block() { {} ; log('block') }
function* inside() { try { { log('first') } } catch { log('never') } }
export function* main() { yield* empty(1); yield* block(); yield* inside() }`,
    passes: [['4:27', {}], ['1:20', { a: 1 }], ['1:62', { a: 1 }], ['4:44', {}], ['2:19', {}], ['2:26', {}], ['4:60', {}], ['3:30', {}]],
  },
  {
    name: 'returns of all kinds',
    source: `function* f(n) {
  if (n === 0) return
  if (n === 1) return (1, n)
  if (n === 2) return log('two'), n;
  try { return (yield* f(0)) ?? 3 } finally { log('finally') }
}
export function* main() {
  const all = [];
  for (const n of [0, 1, 2, 3]) all.push(yield* f(n));
  return all // no semicolon
}`,
    passes: [
      ['8:3', {}], ['9:3', { all: [] }],
      ['9:33', { all: [], n: 0 }], ['2:3', { n: 0 }], ['2:16', { n: 0 }],
      ['9:33', { all: ['undefined'], n: 1 }], ['2:3', { n: 1 }], ['3:3', { n: 1 }], ['3:16', { n: 1 }],
      ['9:33', { all: ['undefined', 1], n: 2 }], ['2:3', { n: 2 }], ['3:3', { n: 2 }], ['4:3', { n: 2 }], ['4:16', { n: 2 }],
      ['9:33', { all: ['undefined', 1, 2], n: 3 }], ['2:3', { n: 3 }], ['3:3', { n: 3 }], ['4:3', { n: 3 }], ['5:9', { n: 3 }], ['2:3', { n: 0 }], ['2:16', { n: 0 }], ['5:47', { n: 3 }],
      ['10:3', { all: ['undefined', 1, 2, 3] }],
    ],
  },
  {
    name: 'names of functions and classes hide variables and are none',
    source: `export function* main() {
  const f = 1, C = 2;
  {
    yield* (function* f() { log(typeof f) })();
    log(typeof f);
    class C {}
  }
  log(C);
}`,
    passes: [['2:3', {}], ['4:5', { f: 1 }], ['4:29', {}], ['5:5', { f: 1 }], ['6:5', { f: 1 }], ['8:3', { f: 1, C: 2 }]],
  },
  {
    name: 'types are nothing to step: overloads, interfaces, casts, enums',
    source: `interface Wide { a: number }
export function* main<T extends Wide>(this: void): Op<number> {
  type Local = { b: string };
  let late: number;
  enum E { A = 3 }
  late = E.A as number satisfies number;
  return late!;
}`,
    passes: [['4:3', {}], ['5:3', { late: 'undefined' }], ['6:3', { late: 'undefined' }], ['7:3', { late: 3 }]],
  },
];
