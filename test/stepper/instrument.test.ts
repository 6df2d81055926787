import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { instrument } from '../../src/stepper/instrument';
import { erase } from '../../src/stepper/erase';
import { transformSync } from 'esbuild';
import { CASES } from './cases';
import { finish, load, loadPlain, stepperOf, variables, type Model } from './model';

interface Passed {
  /** `line:column` of the statement. */
  at: string;
  variables: Record<string, unknown>;
}

/** Runs `main` statement by statement. */
async function passed(source: string, scope: object = {}): Promise<Passed[]> {
  const { model, path } = load(source, scope);
  const stepper = stepperOf(() => model.main());
  const list: Passed[] = [];
  for (;;) {
    const stop = await stepper.run({ kind: 'stepIn', thread: 1 });
    if (stop.reason === 'end' || stop.reason === 'exception') return list;
    const [top] = stepper.frames(1);
    if (top.path === path) list.push({ at: `${top.line}:${top.column}`, variables: structuredCloneOr(variables(stepper)) });
  }
}

/** Values as they are now: functions are told by their names. */
const structuredCloneOr = (values: Record<string, unknown>): Record<string, unknown> =>
  JSON.parse(JSON.stringify(values, (_, v: unknown) => (typeof v === 'function' ? `function ${v.name}` : v === undefined ? 'undefined' : v))) as Record<string, unknown>;

/** What a run leaves: its result or error, and what it logged. */
function outcome(model: Model, log: unknown[]): unknown {
  try {
    return { result: finish(model.main()), log };
  } catch (error) {
    return { error: (error as Error).message, log };
  }
}

/** The same result and the same log without and with instrumentation, of either kind. */
function assertSame(source: string): void {
  const run = (make: (scope: object) => Model): unknown => {
    const log: unknown[] = [];
    return outcome(make({ log: (x: unknown) => void log.push(x) }), log);
  };
  const plain = run(scope => loadPlain(source, scope));
  assert.deepEqual(run(scope => load(source, scope).model), plain);
  assert.deepEqual(run(scope => load(source, scope, undefined, false).model), plain);
}

describe('instrument', () => {
  for (const { name, source, passes } of CASES) {
    describe(name, () => {
      it('runs as it did', () => assertSame(source));
      it('stops where its statements are, with the variables that have values', async () => {
        const got = await passed(source, { log: () => undefined });
        assert.deepEqual(got.map(p => [p.at, p.variables]), passes);
      });
    });
  }

  it('says where a compound statement\'s head ends', () => {
    const { table } = instrument('function* f(a) {\n  if (a)\n    a++;\n  while (a--) { a; }\n}', 'x.ts', { frames: true, runtime: 'r' });
    assert.deepEqual(table.probes.map(p => p.slice(1, 5)), [[2, 3, 2, 9], [3, 5, 3, 9], [4, 3, 4, 14], [4, 17, 4, 19]]);
  });

  it('begins a function with the probe that every activation passes first', () => {
    const source = 'function* a() { try {} catch { log(1) } log(2) }\nfunction* b() { try { log(1) } finally { log(2) } }';
    const { table } = instrument(source, 'x.ts', { frames: true, runtime: 'r' });
    assert.deepEqual(table.probes.filter(p => p[7] === 1).map(p => [p[1], p[2]]), [[1, 15], [2, 23]]);
  });

  it('names functions after what holds them', () => {
    const source = `const ops = Object.freeze({ *alloc() {}, free: function* () {}, inner: { *get() {} } });
      class D { *m() {} static *s() {} *#p() {} }
      const e = function* () {}; export default function* () {}`;
    const { table } = instrument(source, 'x.ts', { frames: true, runtime: 'r' });
    assert.deepEqual(table.functions.map(f => f[0]).sort(), ['D.#p', 'D.m', 'D.s', 'anonymous', 'e', 'ops.alloc', 'ops.free', 'ops.inner.get'].sort());
  });

  it('is a pure function of the source, which it embeds with its sha256', () => {
    const once = instrument('export const a = 1;', 'a.ts', { frames: true, runtime: 'r' });
    const { code, map, table } = instrument('export const a = 1;', 'a.ts', { frames: true, runtime: 'r' });
    assert.deepEqual([code, map, table], [once.code, once.map, once.table]);
    assert.equal(once.table.source, 'export const a = 1;');
    assert.equal(once.table.hash, createHash('sha256').update('export const a = 1;').digest('hex'));
  });

  it('says where source is wrong', () => {
    assert.throws(() => load('let a = ;', {}, 'bad.ts'), /bad\.ts:1:9: /);
    assert.throws(() => load('function* f($d) {}', {}, 'bad.ts'), /bad\.ts: the name \$d is taken/);
  });

  it('ends a loop of a plain function that does not end, and names it', () => {
    const { model } = load('export function* main() { const f = () => {\n  for (;;) ;\n}; f() }', {}, 'spin.ts');
    assert.throws(() => finish(model.main()), /^BudgetError: spin\.ts:2:12: /);
  });

  it('keeps the stack traces\' lines: inserted text adds none', () => {
    const source = 'export function* main() {\n  if (1)\n    throw new Error("x");\n}';
    const { made } = load(source);
    assert.equal(made.code.split('\n').length, source.split('\n').length);
  });
});

describe('erase', () => {
  it('leaves plain functions with the same results', () => {
    const source = `const ops = { *['al' + 'loc'](a: number): Op<number> { return a } };
      class C { static *make() { return yield* ops.alloc(3) } }
      function* f(n: number): Op<number> { yield { wait: 'window' }; return n ? n * (yield* f(n - 1)) : yield* C.make() }
      export const main = function* () { return yield* (f(3)) }`;
    const erased = loadPlain(erase(source, 'x.ts').code) as unknown as { main: () => number };
    assert.equal(erased.main(), finish(loadPlain(source).main()));
    assert.doesNotMatch(transformSync(erase(source, 'x.ts').code, { loader: 'ts' }).code, /function\*|yield/);
  });
});
