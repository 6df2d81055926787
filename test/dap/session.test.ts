import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { scenario, suiteHooks, TestClient, MODEL } from './client';
import { line } from './fixture/guest';

describe('debug adapter: from launch to end', () => {
  suiteHooks();

  it('announces what it has handlers for, and nothing of what it has not', async () => {
    const client = await TestClient.open();
    const capabilities = await client.initialize();
    assert.equal(capabilities.supportsStepBack, true);
    assert.equal(capabilities.supportsFunctionBreakpoints, true);
    assert.equal(capabilities.supportsSetVariable, undefined);
    assert.deepEqual(capabilities.exceptionBreakpointFilters?.map(f => f.filter), ['failures', 'warnings', 'errnos']);
  });

  it('asks for breakpoints after the response to launch, so that they are verified at once', async () => {
    const client = await TestClient.launched('alloc');
    const launch = client.arrived.findIndex(m => (m as DebugProtocol.Response).command === 'launch');
    const initialized = client.arrived.findIndex(m => (m as DebugProtocol.Event).event === 'initialized');
    assert.ok(launch >= 0 && launch < initialized);
    const [breakpoint] = await client.breakAt(['outer']);
    assert.deepEqual([breakpoint.verified, breakpoint.line], [true, line('outer')]);
  });

  it('stops on entry at the first step of the scenario, in the file of the scenario', async () => {
    const client = await TestClient.launched('alloc', { stopOnEntry: true });
    await client.ask('configurationDone');
    await client.stops('entry');
    const { stackFrames } = await client.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: 1 });
    assert.deepEqual(stackFrames.map(f => [f.name, f.source?.path, f.line]), [['alloc', scenario('alloc'), 2]]);
    assert.deepEqual((await client.ask<{ threads: DebugProtocol.Thread[] }>('threads')).threads, [{ id: 1, name: 'CPU 0: sh/alloc' }]);
  });

  it('stays at the end, where stepping back still works, and ends the session when asked to go on', async () => {
    const client = await TestClient.launched('alloc');
    await client.ask('configurationDone');
    const end = await client.stops('end');
    assert.deepEqual(await client.stack(end.threadId), ['end of the scenario:3']);
    assert.deepEqual((await client.ask<{ threads: DebugProtocol.Thread[] }>('threads')).threads.map(t => t.id), [end.threadId]);
    await client.go('stepBack', 'step', end.threadId);
    assert.deepEqual(await client.stack(), ['ack:3']);
    await client.go('continue', 'end');
    await client.ask('continue', { threadId: end.threadId });
    await client.next('terminated');
  });

  it('runs without stopping when told not to debug', async () => {
    const client = await TestClient.launched('bug', { noDebug: true, stopOnEntry: true });
    await client.breakAt(['outer']);
    await client.ask('configurationDone');
    await client.breakAt(['outer', 'bug']);
    const outputs = [];
    for (let i = 0; i < 3; i++) outputs.push(await client.next<DebugProtocol.OutputEvent['body']>('output'));
    assert.deepEqual(outputs.map(({ category, output }) => [category, output.split('\n')[0]]), [
      ['stdout', 'setting up'],
      ['stderr', 'about to fail'],
      ['stderr', 'kernel BUG: kernel BUG at kernel/irq/fixture.c fail()!'],
    ]);
    await client.next('terminated');
  });

  it('refuses a broken scenario with file, line, column and what was expected; nothing starts', async () => {
    const client = await TestClient.open();
    await client.initialize();
    const message = await client.refused('launch', { program: scenario('broken') });
    assert.match(message, /broken\.irq\.yaml:3:3: unknown step explode; expected alloc/);
    const output = await client.next<DebugProtocol.OutputEvent['body']>('output');
    assert.deepEqual([output.category, output.source?.path, output.line, output.column], ['stderr', scenario('broken'), 3, 3]);
    assert.match(await client.refused('configurationDone'), /nothing has been launched/);
    await client.ask('launch', { program: scenario('alloc') });
    await client.next('initialized');
  });

  it('prints the kernel log with the statement that printed, each line once however often the run goes back', async () => {
    const client = await TestClient.launched('alloc');
    await client.breakAt(['call-alloc']);
    await client.ask('configurationDone');
    const output = await client.next<DebugProtocol.OutputEvent['body']>('output');
    assert.deepEqual([output.category, output.output, output.source?.path, output.line], ['stdout', 'setting up\n', MODEL.path, line('print')]);
    await client.next('stopped');
    await client.ask('stepBack', { threadId: 1 });
    await client.next('stopped');
    await client.ask('next', { threadId: 1 });
    await client.next('stopped');
  });

  it('restarts in place: the breakpoints stay, their hits count from the start', async () => {
    const client = await TestClient.launched('alloc');
    await client.ask('setBreakpoints', { source: MODEL, breakpoints: [{ line: line('loop'), hitCondition: '3' }] });
    await client.ask('configurationDone');
    await client.stops('breakpoint');
    assert.equal(await client.evaluate('i'), '2');
    await client.ask('restart', {});
    await client.stops('breakpoint');
    assert.equal(await client.evaluate('i'), '2');
  });

  it('answers disconnect, and then closes', async () => {
    const client = await TestClient.at('outer');
    const closed = new Promise(resolve => client.socket.once('close', resolve));
    await client.ask('disconnect', {});
    await closed;
  });

  it('terminates once, and refuses to go on afterwards', async () => {
    const client = await TestClient.at('outer');
    await client.ask('terminate', {});
    await client.next('terminated');
    await client.ask('terminate', {});
    assert.match(await client.refused('next', { threadId: 1 }), /the run has ended/);
  });
});

describe('debug adapter: failures of the modelled kernel', () => {
  suiteHooks();

  it('stops at the frame that ran into a BUG, with its name and text', async () => {
    const client = await TestClient.launched('bug');
    await client.ask('configurationDone');
    const stopped = await client.stops('exception');
    assert.equal(stopped.description, 'Paused on kernel BUG');
    assert.deepEqual((await client.stack())[0], `fail:${line('bug')}`);
    const info = await client.ask<DebugProtocol.ExceptionInfoResponse['body']>('exceptionInfo', { threadId: 1 });
    assert.deepEqual([info.exceptionId, info.description], ['kernel BUG', 'kernel BUG at kernel/irq/fixture.c fail()!']);
    assert.deepEqual(info.details!.stackTrace!.split('\n').slice(0, 4), ['------------[ cut here ]------------', 'kernel BUG at kernel/irq/fixture.c fail()!', 'invalid opcode: 0000 [#1] SMP', 'CPU: 0']);
  });

  it('stops at a call through NULL, with the variables of the statement', async () => {
    const client = await TestClient.launched('null');
    await client.ask('configurationDone');
    const stopped = await client.stops('exception');
    assert.equal(stopped.description, 'Paused on NULL dereference');
    assert.deepEqual((await client.stack())[0], `follow_null:${line('null')}`);
    assert.equal(await client.evaluate('depth'), '1');
    assert.equal(await client.evaluate('data->parent_data->parent_data'), 'NULL');
    assert.equal((await client.go('stepBack', 'step')).reason, 'step');
  });

  it('stops before the statement that warns, goes on from there, and stops at the next one', async () => {
    const client = await TestClient.launched('warn');
    await client.ask('setExceptionBreakpoints', { filters: ['warnings'] });
    await client.ask('configurationDone');
    const stopped = await client.stops('exception');
    assert.equal(stopped.description, 'Paused on warning');
    assert.deepEqual((await client.stack())[0], `warns:${line('warn')}`);
    const info = await client.ask<DebugProtocol.ExceptionInfoResponse['body']>('exceptionInfo', { threadId: stopped.threadId });
    assert.deepEqual([info.exceptionId, info.description, info.breakMode], ['warning', 'WARNING at kernel/irq/fixture.c warns', 'always']);
    assert.equal((await client.go('next', 'step', stopped.threadId)).reason, 'step');
    assert.deepEqual((await client.stack())[0], `warns:${line('errno')}`);
    await client.go('continue', 'exception');
    assert.deepEqual((await client.stack())[0], `warns:${line('warn')}`);
    await client.go('continue', 'end');
  });

  it('passes warnings over when they are not asked for, and back at one stops there again', async () => {
    const client = await TestClient.launched('warn');
    await client.ask('setExceptionBreakpoints', { filters: ['failures'] });
    await client.ask('configurationDone');
    await client.stops('end');
    await client.ask('setExceptionBreakpoints', { filters: ['warnings'] });
    await client.go('reverseContinue', 'entry');
    await client.go('continue', 'exception');
    assert.deepEqual((await client.stack())[0], `warns:${line('warn')}`);
  });

  it('stops where an errno is made, and says which', async () => {
    const client = await TestClient.launched('warn');
    await client.ask('setExceptionBreakpoints', { filters: ['errnos'] });
    await client.ask('configurationDone');
    const stopped = await client.stops('exception');
    assert.deepEqual([stopped.description, stopped.text], ['Paused on errno', '-EINVAL is made here']);
    assert.deepEqual((await client.stack())[0], `warns:${line('errno')}`);
    await client.go('continue', 'exception');
    await client.go('continue', 'end');
  });

  it('goes to the end when failures are not to stop it', async () => {
    const client = await TestClient.launched('bug');
    await client.ask('setExceptionBreakpoints', { filters: [] });
    await client.ask('configurationDone');
    await client.stops('end');
  });
});
