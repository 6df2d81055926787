import assert from 'node:assert/strict';
import { Actor } from '../../src/capture/replay/actor';
import { turnOf } from '../../src/capture/replay/turns';

describe('whose turn it is among tasks that take and free numbers of interrupts', () => {
  /** A task that is about to do something, and the irq of the next event that it is known to make. */
  interface Task {
    readonly takes?: number;
    readonly frees?: { readonly from: number; readonly count: number };
    readonly irq?: number;
    /** it has shown in the capture */
    readonly known?: boolean;
  }

  /** The tasks by their turns. @param free the lowest number that is free @param wanted who makes the next event */
  function turns(tasks: Record<string, Task>, free: number, wanted?: string): string[] {
    const actors = Object.entries(tasks).map(([name, { takes, frees, known = true }]) =>
      Object.assign(new Actor(name, 0, false, function* () { return; }), { takes, frees, captured: known ? name : undefined }));
    const situation = { actors, wanted: actors.find(({ name }) => name === wanted), irqOf: ({ name }: Actor) => tasks[name].irq, free: () => free };
    return [...actors].sort((a, b) => turnOf(a, situation) - turnOf(b, situation)).map(({ name }) => name);
  }

  it('takes its number now that it is the lowest free one, though another makes the next event', () => {
    assert.deepEqual(turns({ a: { takes: 1, irq: 31 }, b: { takes: 1, irq: 30 } }, 30, 'a'), ['b', 'a']);
  });

  it('waits with its number until those below are taken', () => {
    assert.deepEqual(turns({ a: { takes: 1, irq: 29 }, b: {} }, 27, 'a'), ['b', 'a']);
  });

  it('frees what somebody waits for, before anybody else goes on', () => {
    assert.deepEqual(turns({ a: { takes: 1, irq: 27 }, c: {}, b: { frees: { from: 26, count: 2 } } }, 28), ['b', 'c', 'a']);
  });

  it('keeps what nobody is known to wait for: others may take higher numbers first', () => {
    assert.deepEqual(turns({ b: { frees: { from: 27, count: 1 } }, a: { takes: 1, irq: 28 }, c: {} }, 28), ['a', 'c', 'b']);
    // Its own next event is the next of all: it has freed them by then.
    assert.deepEqual(turns({ c: {}, b: { frees: { from: 27, count: 1 } } }, 28, 'b'), ['c', 'b']);
  });

  it('waits if it is not known who it is, and goes on if none of its events tells of the number', () => {
    assert.deepEqual(turns({ a: { takes: 1, known: false }, b: {} }, 27), ['b', 'a']);
    assert.deepEqual(turns({ b: { frees: { from: 27, count: 1 } }, a: { takes: 1 } }, 27), ['a', 'b']);
  });
});
