import assert from 'node:assert/strict';
import { Stepper, type Goal } from '../../src/stepper/stepper';
import { CALLS, go, guestOf, load, main, names, runTo, scope, stepperOf, task, variables, where, world } from './model';

/** Entries, sleep, exceptions, loops and recursion at once. */
const MIXED = `function* fib(n) {
  if (n < 2) {
    if (n === 0) throw new Error('zero');
    return n;
  }
  let sum = yield* fib(n - 1);
  try { sum += yield* fib(n - 2) } catch { sum += 0 }
  return sum;
}
function* handler(n) {
  world().log.push(['irq', n]);
  const x = yield* fib(2);
  world().log.push(x);
}
function* waker() {
  world().log.push('waker');
  yield { wait: 'window' };
  world().awake = true;
}
export function* main() {
  for (let i = 0; i < 2; i++) {
    world().entries[i].push({ name: 'irq' + i, run: () => handler(i) });
    yield { wait: 'window' };
    world().log.push(yield* fib(3));
  }
  world().host.spawn({ name: 'waker', cpu: 0, run: waker });
  yield sleep('waker', () => world().awake);
  world().log.push('end');
}`;

describe('time travel', () => {
  /** Where everything stands. */
  const picture = (stepper: Stepper): unknown => ({
    step: stepper.step,
    hash: stepper.guest.hash(),
    threads: stepper.threads().map(t => [t, stepper.frames(t.id).map(f => [f.fn.name, f.line, f.column, f.names, JSON.stringify(f.values)])]),
  });

  it('is at every step what it was there before: going on, back by single steps, and by jumps', async () => {
    const { stepper } = main(MIXED);
    const there: unknown[] = [];
    for (;;) {
      const stop = await stepper.run({ kind: 'toStep', step: stepper.step + 1 });
      if (stop.reason === 'end') break;
      there[stepper.step] = picture(stepper);
    }
    const last = stepper.step;
    assert.ok(last > 60);
    for (let step = last; step >= 1; step--) {
      assert.equal((await stepper.run({ kind: 'backInto' })).reason, 'step');
      assert.deepEqual(picture(stepper), there[step]);
    }
    assert.equal((await stepper.run({ kind: 'backInto' })).reason, 'start');
    for (const step of [last, 7, 40, 3, last - 1]) {
      await stepper.run({ kind: 'toStep', step });
      assert.deepEqual(picture(stepper), there[step]);
    }
  });

  for (const kind of ['next', 'stepIn'] as const) {
    it(`undoes a sequence of ${kind} exactly`, async () => {
      const { stepper, path } = main(MIXED);
      await runTo(stepper, path, 21);
      const undo: Goal = kind === 'next' ? { kind: 'back', thread: 1 } : { kind: 'backInto' };
      const pictures: unknown[] = [];
      for (let i = 0; i < 9; i++) {
        pictures.push(picture(stepper));
        await go(stepper, kind);
      }
      for (const before of pictures.reverse()) {
        await stepper.run(undo);
        assert.deepEqual(picture(stepper), before);
      }
    });
  }

  it('goes back over calls, and from a function\'s first statement to its caller', async () => {
    const { stepper, path } = main(CALLS);
    await runTo(stepper, path, 8);
    const lines: string[] = [];
    for (let i = 0; i < 4; i++) {
      await go(stepper, 'back');
      lines.push(names(stepper)[0]);
    }
    assert.deepEqual(lines, ['middle:7', 'middle:6', 'main:11', 'step 1:1']);
    assert.equal((await go(stepper, 'back')).reason, 'start');
  });

  it('goes back further than it looks first', async () => {
    const { stepper, path } = main(`function* long() { for (let i = 0; i < 20000; i++) ; }
export function* main() {
  yield* long();
  world().log.push(1);
}`);
    await runTo(stepper, path, 4);
    await go(stepper, 'back');
    assert.equal(where(stepper), '3:3');
  });

  it('reverses to the last accepted mark, then the one before, then the start', async () => {
    const { stepper, path } = main('export function* main() {\n  for (let i = 0; i < 6; i++)\n    world().log.push(i);\n}');
    stepper.setMarks(stepper.probesAt(path, 3).map(p => p.id));
    const replays = new Set<boolean>();
    stepper.onProbe = hit => {
      replays.add(hit.replay);
      return (hit.frames()[0].values[0] as number) % 2 === 1;
    };
    for (let i = 0; i < 4; i++) await stepper.run({ kind: 'continue' });
    assert.equal(stepper.outcome, 'ended');
    const found: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      const stop = await stepper.run({ kind: 'reverseContinue' });
      found.push([stop.reason, variables(stepper).i]);
    }
    assert.deepEqual(found, [['breakpoint', 5], ['breakpoint', 3], ['breakpoint', 1], ['start', undefined]]);
    assert.deepEqual([...replays], [false, true]);
    assert.equal(stepper.step, 1);
  });

  it('keeps two runs in one process apart', async () => {
    const { model } = load(MIXED, scope);
    const make = (): Stepper => stepperOf(() => model.main());
    const alone = make();
    await alone.run({ kind: 'continue' });
    const a = make();
    const b = make();
    for (let i = 0; i < 200 && a.outcome !== 'ended'; i++) {
      await a.run({ kind: 'toStep', step: a.step + 2 });
      await b.run({ kind: 'toStep', step: b.step + 1 });
    }
    await Promise.all([a.run({ kind: 'backInto' }), b.run({ kind: 'continue' })]);
    await a.run({ kind: 'continue' });
    assert.deepEqual([a.step, a.guest.hash(), b.step, b.guest.hash()], [alone.step, alone.guest.hash(), alone.step, alone.guest.hash()]);
  });

  it('lets two long runs take turns', async () => {
    const { model } = load('export function* main(w) { let n = 0; for (let i = 0; i < 300000; i++) n += i; world().log.push(n) }', scope);
    const steppers = [stepperOf(() => model.main()), stepperOf(() => model.main())];
    await Promise.all(steppers.map(s => s.run({ kind: 'continue' })));
    assert.equal(steppers[0].guest.hash(), steppers[1].guest.hash());
    assert.deepEqual(steppers.map(s => s.step), [300004, 300004]);
  });

  describe('from between two stacks', () => {
    const IRQ = `function* deep(n) { world().log.push(n) }
export function* step(n) {
  yield* deep(n);
}
export function* raise() {
  world().entries[1].push({ name: 'irq', run: () => handler() });
  yield { wait: 'window' };
  world().log.push('raised');
}
function* handler() {
  yield* deep('irq');
}`;

    it('goes back over a whole step of the script, as next had gone over it, also from the end', async () => {
      const { model } = load(IRQ, scope);
      const stepper = new Stepper(guestOf([1, 2].map(n => () => task('sh', () => model.step(n)))));
      await stepper.run({ kind: 'toStep', step: 1 });
      await go(stepper, 'next');
      assert.deepEqual(names(stepper), ['step 2:2']);
      await go(stepper, 'back');
      assert.deepEqual(names(stepper), ['step 1:1']);
      const { thread } = await stepper.run({ kind: 'continue' });
      await go(stepper, 'back', thread);
      assert.deepEqual(names(stepper), ['step 2:2']);
      assert.deepEqual(world.log, [1]);
    });

    it('goes from the first statement of an interrupt on an idle CPU to the statement before it, wherever that is', async () => {
      const { model, path } = load(IRQ, scope);
      const stepper = stepperOf(() => model.raise());
      await runTo(stepper, path, 11);
      assert.deepEqual(names(stepper, 2), ['handler:11']);
      const { thread } = await go(stepper, 'back', 2);
      assert.deepEqual([thread, names(stepper)], [1, ['raise:7', 'step 1:1']]);
    });

    it('looks as far back as the step is long', async () => {
      const { model } = load('export function* long() { for (let i = 0; i < 9000; i++) ; }\nexport function* short() { }');
      const stepper = new Stepper(guestOf([() => task('sh', () => model.long()), () => task('sh', () => model.short())]));
      await stepper.run({ kind: 'toStep', step: 1 });
      await go(stepper, 'next');
      await go(stepper, 'back');
      assert.equal(stepper.step, 1);
    });
  });

  it('undoes every next of a run, one after the other, with interrupts and sleep on the way', async () => {
    const { stepper } = main(MIXED);
    await stepper.run({ kind: 'toStep', step: 2 });
    const pictures: unknown[] = [];
    for (let reason = ''; reason !== 'end'; ({ reason } = await go(stepper, 'next'))) pictures.push(picture(stepper));
    await go(stepper, 'next');
    for (const before of pictures.reverse()) {
      await go(stepper, 'back');
      assert.deepEqual(picture(stepper), before);
    }
  });
});
