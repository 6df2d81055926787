import assert from 'node:assert/strict';
import { Stepper } from '../../src/stepper/stepper';
import type { Op } from '../../src/stepper/op';
import { CALLS, go, guestOf, load, main, names, runTo, scope, stepperOf, task, variables, where, world } from './model';

describe('stepping', () => {
  it('starts with the step of the script, whose frame stays below the model\'s', async () => {
    const { stepper } = main(CALLS);
    assert.equal(stepper.step, 0);
    assert.equal((await stepper.run({ kind: 'toStep', step: 1 })).reason, 'entry');
    assert.deepEqual(names(stepper), ['step 1:1']);
    await go(stepper, 'stepIn');
    assert.deepEqual(names(stepper), ['main:11', 'step 1:1']);
  });

  it('goes in, over and out', async () => {
    const { stepper, path } = main(CALLS);
    await runTo(stepper, path, 6);
    await go(stepper, 'stepIn');
    assert.deepEqual(names(stepper), ['leaf:2', 'middle:6', 'main:11', 'step 1:1']);
    await go(stepper, 'stepOut');
    assert.deepEqual(names(stepper), ['middle:7', 'main:11', 'step 1:1']);
    await go(stepper, 'next');
    assert.deepEqual(names(stepper), ['middle:8', 'main:11', 'step 1:1']);
    assert.deepEqual(variables(stepper), { n: 1, a: 2, b: 4 });
  });

  it('does not mistake a second call at the same depth for the frame that the step began in', async () => {
    const { stepper, path } = main(CALLS);
    await runTo(stepper, path, 8);
    await go(stepper, 'next');
    assert.deepEqual(names(stepper), ['main:12', 'step 1:1']);
    assert.deepEqual(variables(stepper), { r: 12 });
  });

  it('shows a caller\'s variables as they were at the call', async () => {
    const { stepper, path } = main(CALLS);
    await runTo(stepper, path, 2);
    const [, middle] = stepper.frames(1);
    assert.deepEqual([middle.names, middle.values], [['n'], [1]]);
  });

  it('keeps the stack right under callers that are not instrumented', async () => {
    const { model } = load(`function* inner() { return 1 }
export function* a() { try { return yield* inner() } finally { yield* inner() } }
export function* b() { if (yield* inner()) return; yield* inner() }
export function* c() { try { yield* fail() } catch {} }
function* fail() { throw 1 }
export function* last() { world().log.push('last') }`, scope);
    const stepper = stepperOf(function* () {
      for (const name of ['a', 'b', 'c', 'last']) yield* model[name]();
    });
    const depths: number[] = [];
    for (let stop = await go(stepper, 'stepIn'); stop.reason !== 'end'; stop = await go(stepper, 'stepIn')) depths.push(stepper.frames(1).length);
    assert.deepEqual(depths, [1, 2, 3, 2, 3, 2, 3, 2, 2, 3, 2]);
  });

  it('steps over and out of calls that throw', async () => {
    const source = `function* thrower() { throw new Error('BUG') }
function* caller() {
  yield* thrower();
}
export function* main() {
  try {
    yield* caller();
  } catch {
    world().log.push('caught');
  }
  yield* caller2();
}
function* caller2() { yield }`;
    const { stepper, path } = main(source);
    await runTo(stepper, path, 7);
    await go(stepper, 'next');
    assert.deepEqual(names(stepper), ['main:9', 'step 1:1']);
    await stepper.run({ kind: 'toStep', step: 1 });
    await runTo(stepper, path, 1);
    await go(stepper, 'stepOut');
    assert.deepEqual(names(stepper), ['main:9', 'step 1:1']);
    await go(stepper, 'next');
    await go(stepper, 'stepIn');
    assert.deepEqual(names(stepper), ['caller2:13', 'main:11', 'step 1:1']);
  });

  it('goes from a task\'s last statement to the script\'s next step, and from the last to the end', async () => {
    const { model } = load('export function* main() { return 1 }');
    const stepper = new Stepper(guestOf([() => task('a', () => model.main()), () => task('b', () => model.main(), 1)]));
    await go(stepper, 'stepIn');
    await go(stepper, 'stepIn');
    assert.equal((await go(stepper, 'next')).thread, 2);
    assert.deepEqual(names(stepper, 2), ['step 2:2']);
    assert.deepEqual(stepper.threads().map(t => t.id), [2]);
    assert.equal((await go(stepper, 'stepOut', 2)).reason, 'end');
    assert.equal(stepper.outcome, 'ended');
  });
});

describe('CPUs, entries and sleep', () => {
  const ENTRIES = `function* handler(n) {
  world().log.push(n);
  if (n < 2) world().entries[0].push({ name: 'vector 33', run: () => handler(n + 1) });
  yield { wait: 'window' };
  return n;
}
export function* main() {
  world().entries[0].push({ name: 'vector 32', run: () => handler(1) });
  yield { wait: 'window' };
  world().log.push('after');
}`;

  it('puts an entry\'s frames on the frames that it interrupts', async () => {
    const { stepper, path } = main(ENTRIES);
    await runTo(stepper, path, 9);
    await go(stepper, 'stepIn');
    assert.deepEqual(names(stepper), ['handler:2', 'main:9', 'step 1:1']);
    assert.deepEqual(stepper.frames(1).map(f => f.context), ['vector 32', 'task', 'task']);
    for (let i = 0; i < 3; i++) await go(stepper, 'next');
    await go(stepper, 'stepIn');
    assert.deepEqual(names(stepper), ['handler:2', 'handler:4', 'main:9', 'step 1:1']);
    assert.equal(stepper.threads()[0].name, 'task > vector 32 > vector 33');
    await go(stepper, 'stepOut');
    assert.deepEqual(names(stepper), ['handler:5', 'main:9', 'step 1:1']);
    await go(stepper, 'next');
    assert.deepEqual(names(stepper), ['main:10', 'step 1:1']);
  });

  it('steps over an entry', async () => {
    const { stepper, path } = main(ENTRIES);
    await runTo(stepper, path, 9);
    await go(stepper, 'next');
    assert.deepEqual(names(stepper), ['main:10', 'step 1:1']);
    assert.deepEqual(world.log, [1, 2]);
  });

  it('runs entries of an idle CPU on a stack of that CPU, the lowest CPU first, and masked ones not at all', async () => {
    const { stepper, path } = main(
      `function* handler(n) { world().log.push([n, world().cpu]) }
export function* main() {
  for (const n of [2, 1]) world().entries[n].push({ name: 'ipi', run: () => handler(n) });
  world().masked = true;
  yield { wait: 'window' };
  world().log.push('masked');
  world().masked = false;
  yield { wait: 'window' };
}`,
      3,
    );
    const stop = await runTo(stepper, path, 1);
    assert.equal(stop.thread, 2);
    assert.deepEqual(stepper.threads().map(t => [t.id, t.name, t.kind]), [[1, 'task', 'cpu'], [2, 'swapper/1 > ipi', 'cpu']]);
    assert.deepEqual(names(stepper, 2), ['handler:1']);
    assert.deepEqual(names(stepper, 1), ['main:8', 'step 1:1']);
    await stepper.run({ kind: 'continue' });
    assert.deepEqual(world.log, ['masked', [1, 1], [2, 2]]);
  });

  const SLEEP = `export function* main() {
  world().host.spawn({ name: 'irq/27-nvme0', cpu: 0, run: waker });
  const got = yield* wait();
  world().log.push(got);
}
function* wait() {
  yield sleep('completion', () => world().done);
  return 'woken';
}
function* waker() {
  world().log.push('waker');
  world().done = true;
}`;

  it('steps over a call that sleeps, though another task runs on the CPU meanwhile', async () => {
    const { stepper, path } = main(SLEEP);
    await runTo(stepper, path, 3);
    await go(stepper, 'next');
    assert.deepEqual(names(stepper), ['main:4', 'step 1:1']);
    assert.deepEqual([variables(stepper), world.log], [{ got: 'woken' }, ['waker']]);
  });

  it('lists a sleeping task as a thread with its frames, and steps it', async () => {
    const { stepper, path } = main(SLEEP);
    await runTo(stepper, path, 11);
    const [cpu, sleeper] = stepper.threads();
    assert.deepEqual([cpu.id, cpu.name, cpu.kind], [1, 'irq/27-nvme0', 'cpu']);
    assert.deepEqual([sleeper.name, sleeper.cpu, sleeper.kind], ['task', 0, 'sleeping']);
    assert.deepEqual(names(stepper, sleeper.id), ['wait:7', 'main:3', 'step 1:1']);
    await go(stepper, 'next', sleeper.id);
    assert.deepEqual(names(stepper), ['wait:8', 'main:3', 'step 1:1']);
  });

  it('keeps the one who ran running, and wakes who waits longest first', async () => {
    const { stepper } = main(`export function* main() {
  for (const name of ['a', 'b', 'c']) world().host.spawn({ name, cpu: name === 'c' ? 1 : 0, run: () => worker(name) });
  yield { wait: 'window' };
  world().log.push('main');
  yield sleep('go', () => world().log.length >= 4);
  world().log.push('main again');
}
function* worker(name) {
  world().log.push(name);
  if (name === 'a') yield sleep('main again', () => world().log.includes('main again'));
  world().log.push(name + ' end');
}`);
    await stepper.run({ kind: 'continue' });
    assert.deepEqual(world.log, ['main', 'a', 'b', 'b end', 'c', 'c end', 'main again', 'a end']);
  });

  it('reports a deadlock by names, but not the sleep of a daemon', async () => {
    const { stepper } = main(`export function* main() {
  world().host.spawn({ name: 'kworker/0:1', cpu: 0, run: forever, daemon: true });
  yield sleep('irq_domain_mutex', () => false);
}
function* forever() { yield sleep('work', () => false) }`);
    const stop = await stepper.run({ kind: 'continue' });
    assert.equal(stop.reason, 'deadlock');
    assert.match(stop.error!.message, /: task on CPU 0 waits for irq_domain_mutex$/);
    assert.equal(stepper.outcome, 'failed');
    assert.deepEqual(names(stepper, stop.thread), ['main:3', 'step 1:1']);
    assert.equal((await stepper.run({ kind: 'continue' })).reason, 'end');

    const daemon = main('export function* main() { world().host.spawn({ name: "d", cpu: 0, daemon: true, run: forever }) }\nfunction* forever() { yield sleep("work", () => false) }');
    assert.equal((await daemon.stepper.run({ kind: 'continue' })).reason, 'end');
  });
});

describe('breakpoints', () => {
  it('asks the client at marked statements, with frames and variables', async () => {
    const { stepper, path } = main('export function* main() {\n  for (let i = 0; i < 5; i++) {\n    world().log.push(i);\n  }\n}');
    const asked: unknown[] = [];
    stepper.onProbe = hit => {
      const [{ values, depth }] = hit.frames();
      assert.deepEqual([hit.values, hit.depth], [values, depth]);
      asked.push(values[0]);
      return values[0] === 3;
    };
    stepper.setMarks(stepper.probesAt(path, 3).map(p => p.id));
    assert.equal((await stepper.run({ kind: 'continue' })).reason, 'breakpoint');
    assert.deepEqual([asked, variables(stepper)], [[0, 1, 2, 3], { i: 3 }]);
    assert.equal((await stepper.run({ kind: 'continue' })).reason, 'end');
  });

  it('stops a step at a mark on the way', async () => {
    const { stepper, path } = main(CALLS);
    await runTo(stepper, path, 6);
    stepper.setMarks(stepper.probesAt(path, 3).map(p => p.id));
    assert.deepEqual([(await go(stepper, 'next')).reason, where(stepper)], ['breakpoint', '3:3']);
  });

  it('finds the statement at or after a line, a function by its name, and a step of the script', async () => {
    const { stepper, path } = main(CALLS);
    assert.deepEqual(stepper.probesAt(path, 4).map(p => p.line), [6]);
    assert.deepEqual(stepper.probesAt(path, 99), []);
    assert.deepEqual(stepper.probesAt('nowhere.ts', 1), []);
    assert.equal(stepper.probesBetween(path, 1, 99).find(p => p.entry && p.fn!.name === 'middle')!.line, 6);
    const [step] = stepper.probesAt('script.yaml', 1);
    stepper.setMarks([step.id]);
    const stop = await stepper.run({ kind: 'continue' });
    assert.deepEqual([stop.reason, stop.probe, names(stepper)], ['breakpoint', step.id, ['step 1:1']]);
  });

  it('takes marks that are set while it runs', async () => {
    const { stepper, path } = main('export function* main() {\n  let n = 0;\n  for (;;)\n    n++;\n}');
    const stopped = stepper.run({ kind: 'continue' });
    setImmediate(() => stepper.setMarks(stepper.probesAt(path, 4).map(p => p.id)));
    assert.equal((await stopped).reason, 'breakpoint');
    assert.equal(where(stepper), '4:5');
  });

  it('hands the client\'s own error to the client, and can go on', async () => {
    const { stepper, path } = main(CALLS);
    stepper.onProbe = () => {
      throw new Error('bad condition');
    };
    stepper.setMarks(stepper.probesAt(path, 6).map(p => p.id));
    await assert.rejects(stepper.run({ kind: 'continue' }), /bad condition/);
    stepper.setMarks([]);
    assert.equal((await stepper.run({ kind: 'continue' })).reason, 'end');
    assert.deepEqual(world.log, [12]);
  });
});

describe('pause and errors', () => {
  it('pauses a loop without an end, also one without a call or a statement', async () => {
    const { stepper } = main('export function* main() {\n  let n = 0;\n  for (;;) ;\n}');
    const stopped = stepper.run({ kind: 'continue' });
    assert.equal(stepper.outcome, 'running');
    await assert.rejects(stepper.run({ kind: 'continue' }), /under way/);
    setImmediate(() => stepper.pause());
    assert.equal((await stopped).reason, 'pause');
    assert.equal(where(stepper), '3:12');
    assert.deepEqual(variables(stepper), { n: 0 });
  });

  it('pauses tasks that only let each other run', async () => {
    const { model } = load('export function* main() { }');
    const pingpong = function* (): Op { for (;;) yield { wait: 'window' }; };
    const stepper = new Stepper(guestOf([() => task('a', pingpong), () => task('b', () => model.main())]));
    const stopped = stepper.run({ kind: 'continue' });
    setImmediate(() => stepper.pause());
    assert.deepEqual(await stopped, { reason: 'pause', thread: 1 });
  });

  it('shows the statement that threw, and its variables', async () => {
    const { stepper } = main(`function* deref(desc) {
  const d = desc;
  return d.irq_data;
}
export function* main() {
  try { yield* deref(null) } catch (e) { const why = e; throw why }
}`);
    const stop = await stepper.run({ kind: 'continue' });
    assert.equal(stop.reason, 'exception');
    assert.match(stop.error!.message, /irq_data/);
    assert.equal(stepper.outcome, 'failed');
    assert.deepEqual(names(stepper, stop.thread), ['main:6', 'step 1:1']);
    await go(stepper, 'back');
    await stepper.run({ kind: 'backInto' });
    assert.deepEqual(names(stepper), ['deref:3', 'main:6', 'step 1:1']);
    assert.deepEqual([variables(stepper), stepper.outcome], [{ desc: null, d: null }, 'stopped']);
    assert.equal((await stepper.run({ kind: 'continue' })).reason, 'exception');
    assert.equal((await stepper.run({ kind: 'continue' })).reason, 'end');
  });

  it('can be paused while it goes back to the statement that threw, and gets there again', async () => {
    const { stepper } = main('export function* main() {\n  for (let i = 0; i < 3000000; i++) ;\n  throw new Error("late");\n}');
    await stepper.run({ kind: 'toStep', step: 3_000_000 });
    const stopped = stepper.run({ kind: 'continue' });
    stepper.pause();
    assert.equal((await stopped).reason, 'pause');
    assert.equal(stepper.outcome, 'stopped');
    const { reason } = await stepper.run({ kind: 'continue' });
    assert.deepEqual([reason, where(stepper)], ['exception', '3:3']);
  });
});

describe('what comes before the first step', () => {
  const starting = (startUp: (probes: number) => boolean): Stepper => {
    const make = guestOf([() => task('task', load('export function* main() {}').model.main)]);
    return new Stepper(host => Object.assign(make(host), { startUp }));
  };

  it('is no step, and a pause is heard in it', async () => {
    let parts = 0;
    const stepper = starting(() => ++parts === 3);
    const paused = starting(() => (paused.pause(), false));
    assert.equal((await paused.run({ kind: 'continue' })).reason, 'pause');
    assert.equal((await stepper.run({ kind: 'toStep', step: 1 })).reason, 'entry');
    assert.equal(stepper.step, 1);
  });

  it('is done again to go back', async () => {
    let runs = 0;
    const stepper = starting(() => ++runs > 0);
    await stepper.run({ kind: 'continue' });
    await stepper.run({ kind: 'toStep', step: 1 });
    assert.deepEqual([runs, stepper.step], [2, 1]);
  });

  it('fails as the model does, with no thread to show', async () => {
    const stop = await starting(() => {
      throw new Error('no timer');
    }).run({ kind: 'toStep', step: 1 });
    assert.deepEqual([stop.reason, stop.thread, stop.error?.message], ['exception', 0, 'no timer']);
  });
});

describe('threads of a large machine', () => {
  it('are as many as it has CPUs, and sleeping tasks are none of these', async () => {
    const source = `export function* main() {
  world().entries[1500].push({ name: 'ipi', run: handler });
  yield sleep('ipi', () => world().done);
}
function* handler() {
  world().done = true;
}`;
    const { stepper, path } = main(source, 2000);
    const { thread } = await runTo(stepper, path, 6);
    assert.deepEqual([thread, names(stepper, thread)], [1501, ['handler:6']]);
    const [cpu, sleeper] = stepper.threads();
    assert.deepEqual([cpu.cpu, sleeper.kind, names(stepper, sleeper.id)], [1500, 'sleeping', ['main:3', 'step 1:1']]);
  });
});
