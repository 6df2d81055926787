import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { scenario, suiteHooks, TestClient } from './client';
import { line } from './fixture/guest';

describe('debug adapter: stepping', () => {
  suiteHooks();

  it('goes over, into and out of calls', async () => {
    const client = await TestClient.at('call-alloc');
    await client.go('stepIn', 'step');
    assert.deepEqual((await client.stack())[0], `outer_alloc:${line('outer')}`);
    await client.go('next', 'step');
    await client.go('next', 'step');
    assert.deepEqual((await client.stack())[0], `outer_alloc:${line('mapped')}`);
    await client.go('stepOut', 'step');
    assert.deepEqual((await client.stack())[0], `setup_irq:${line('return') - 1}`);
  });

  it('steps back over what next went over, with the world as it was', async () => {
    const client = await TestClient.at('mapped');
    assert.equal(await client.evaluate('domain->parent->mapcount'), '1');
    await client.go('stepBack', 'step');
    assert.deepEqual((await client.stack())[0], `outer_alloc:${line('mapped') - 1}`);
    assert.equal(await client.evaluate('domain->parent->mapcount'), '0');
    await client.go('next', 'breakpoint');
    assert.equal(await client.evaluate('domain->parent->mapcount'), '1');
  });

  it('by an instruction, steps back into what was called', async () => {
    const client = await TestClient.at('mapped');
    await client.ask('stepBack', { threadId: 1, granularity: 'instruction' });
    await client.stops('step');
    assert.match((await client.stack())[0], /^root_alloc:/);
  });

  it('runs backwards to the breakpoint before, and stops at the start where there is none', async () => {
    const client = await TestClient.launched('alloc');
    const [first] = await client.breakAt(['outer', 'ack']);
    await client.ask('configurationDone');
    await client.stops('breakpoint');
    await client.go('continue', 'breakpoint');
    assert.deepEqual((await client.stack())[0], `ack_edge:${line('ack')}`);
    const stopped = await client.go('reverseContinue', 'breakpoint');
    assert.deepEqual(stopped.hitBreakpointIds, [first.id]);
    assert.deepEqual((await client.stack())[0], `outer_alloc:${line('outer')}`);
    const start = await client.go('reverseContinue', 'entry');
    assert.equal(start.description, 'Start of the scenario');
    assert.deepEqual(await client.stack(), ['alloc:2']);
  });

  it('pages the stack', async () => {
    const client = await TestClient.at('loop');
    const page = await client.ask<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId: 1, startFrame: 1, levels: 2 });
    assert.deepEqual([page.stackFrames.map(f => f.name), page.totalFrames], [['outer_alloc', 'setup_irq'], 4]);
  });

  it('pauses a long run, and goes on', async () => {
    const client = await TestClient.launched('spin');
    await client.ask('configurationDone');
    await client.ask('pause', { threadId: 1 });
    await client.stops('pause');
    assert.match((await client.stack())[0], /^spin:/);
    const before = Number(await client.evaluate('i'));
    await client.ask('continue', { threadId: 1 });
    await client.ask('pause', { threadId: 1 });
    await client.stops('pause');
    assert.ok(Number(await client.evaluate('i')) >= before);
  });

  it('takes breakpoints while it runs, and restarts a run that is under way with them', async () => {
    const client = await TestClient.launched('spin');
    await client.ask('configurationDone');
    const [breakpoint] = await client.breakAt(['spin'], 'i > 1000');
    assert.equal(breakpoint.verified, true);
    await client.stops('breakpoint');
    assert.ok(Number(await client.evaluate('i')) > 1000);
    await client.breakAt([]);
    await client.ask('continue', { threadId: 1 });
    await client.breakAt(['outer']);
    await client.ask('restart', {});
    await client.stops('breakpoint');
    assert.match((await client.stack())[0], /^outer_alloc:/);
  });

  it('undoes each next, also over the steps of the scenario and from its end', async () => {
    const client = await TestClient.launched('alloc', { stopOnEntry: true });
    await client.ask('configurationDone');
    await client.stops('entry');
    await client.go('next', 'step');
    assert.deepEqual(await client.stack(), ['ack:3']);
    const { threadId } = await client.go('next', 'end');
    await client.go('stepBack', 'step', threadId);
    assert.deepEqual(await client.stack(), ['ack:3']);
    await client.go('stepBack', 'step');
    assert.deepEqual(await client.stack(), ['alloc:2']);
  });

  it('refuses everything that needs a stop while it runs, and hears terminate', async () => {
    const client = await TestClient.launched('spin');
    await client.ask('configurationDone');
    for (const command of ['next', 'stepBack', 'continue', 'stackTrace']) assert.equal(await client.refused(command, { threadId: 1 }), 'notStopped', command);
    assert.equal(await client.refused('evaluate', { expression: '1' }), 'notStopped');
    assert.equal((await client.ask<{ threads: unknown[] }>('threads')).threads.length, 1);
    await client.ask('terminate', {});
    await client.next('output');
    await client.next('terminated');
  });

  it('runs two sessions side by side that know nothing of each other', async () => {
    const [a, b] = [await TestClient.at('outer'), await TestClient.at('root-mapped')];
    const [first, second] = await Promise.all([a.evaluate('domain'), b.evaluate('domain')]);
    assert.deepEqual([first, second], ['INTEL-IR-0', 'VECTOR']);
    await Promise.all([a.go('next', 'step'), b.go('stepBack', 'step')]);
    assert.deepEqual([(await a.stack())[0], (await b.stack())[0]], [`outer_alloc:${line('outer') + 1}`, `root_alloc:${line('root-mapped') - 1}`]);
    assert.equal(await a.evaluate('domain->mapcount'), '0');
    assert.match(await a.refused('launch', { program: scenario('alloc') }), /running in this session already/);
  });
});
