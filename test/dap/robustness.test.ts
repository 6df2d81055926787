import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { scenario, suiteHooks, TestClient } from './client';

describe('debug adapter: what no client should send', () => {
  suiteHooks();

  it('is answered: unknown commands, missing and wrong arguments', async () => {
    const client = await TestClient.at('outer');
    assert.match(await client.malformed('explode'), /unknown command "explode"/);
    assert.match(await client.malformed('__proto__'), /unknown command/);
    assert.match(await client.malformed('stackTrace'), /stackTrace: arguments\.threadId: a number was expected, found nothing/);
    assert.match(await client.malformed('setBreakpoints', { source: {}, breakpoints: [{ line: 'x' }] }), /arguments\.breakpoints\[0\]\.line: a number was expected, found "x"/);
    assert.match(await client.malformed('evaluate', { expression: 3 }), /arguments\.expression: a string was expected, found 3/);
    assert.match(await client.refused('scopes', { frameId: 4711 }), /there is no frame 4711/);
    assert.match(await client.refused('variables', { variablesReference: -1 }), /there is no variablesReference -1/);
    assert.match(await client.refused('source', { sourceReference: 99_999 }), /there is no source 99999/);
    assert.match(await client.refused('source', { sourceReference: 1.5 }), /there is no source 1\.5/);
    assert.match(await client.refused('setExceptionBreakpoints', { filters: ['all'] }), /there is no filter all/);
    assert.match(await client.refused('exceptionInfo', { threadId: 1 }), /has not stopped at an exception/);
    assert.match(await client.refused('next', { threadId: 77 }), /there is no thread 77; there is 1/);
    assert.deepEqual(await client.ask('stackTrace', { threadId: 77 }), { stackFrames: [], totalFrames: 0 });
  });

  it('does not take a breakpoint in a URI that names no file here', async () => {
    const client = await TestClient.at('outer');
    for (const path of ['', 'file:///%zz', 'file://elsewhere/x.ts', 'irqstep-model:/nothing.ts']) {
      const { breakpoints } = await client.ask<{ breakpoints: DebugProtocol.Breakpoint[] }>('setBreakpoints', { source: { path }, breakpoints: [{ line: 1 }] });
      assert.match(breakpoints[0].message!, /neither the scenario nor a part|has no file/, path);
    }
  });

  it('is refused in the wrong state', async () => {
    const client = await TestClient.open();
    for (const command of ['next', 'continue', 'stackTrace', 'reverseContinue']) assert.match(await client.refused(command, { threadId: 1 }), /nothing has been launched/);
    assert.match(await client.refused('configurationDone'), /nothing has been launched/);
    assert.match(await client.refused('restart', {}), /nothing has been launched/);
    assert.match(await client.refused('launch', {}), /arguments\.program: a string was expected/);
    assert.match(await client.refused('launch', { program: '/nowhere/x.irq.yaml' }), /./);
    await client.initialize();
    await client.ask('launch', { program: scenario('alloc') });
    await client.next('initialized');
    assert.match(await client.refused('next', { threadId: 1 }), /the run has not begun: configurationDone starts it/);
    await client.ask('configurationDone');
    await client.stops('end');
    assert.match(await client.refused('configurationDone'), /done already/);
  });

  it('does not end the session: bad JSON, no JSON, huge numbers, a message in pieces', async () => {
    const client = await TestClient.launched('alloc');
    const raw = (body: string): void => void client.socket.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    raw('{"seq": 1, "type": "requ');
    await client.next('output');
    raw('null');
    await client.next('output');
    raw('"hello"');
    raw('{"type":"response","request_seq":1e300,"success":true,"command":"x"}');
    client.socket.write('Content-Length: nonsense\r\n\r\n');
    client.socket.write('X-Nothing: 1\r\n\r\n');
    const piecewise = JSON.stringify({ seq: 9_007_199_254_740_991, type: 'request', command: 'threads' });
    const framed = `Content-Length: ${piecewise.length}\r\n\r\n${piecewise}`;
    for (const character of framed) client.socket.write(character);
    const deadline = Date.now() + 5000;
    const answer = (): DebugProtocol.Response | undefined => client.arrived.find(m => (m as DebugProtocol.Response).request_seq === 9_007_199_254_740_991) as DebugProtocol.Response | undefined;
    while (!answer() && Date.now() < deadline) await new Promise(resolve => setImmediate(resolve));
    assert.equal(answer()?.success, true);
    client.forgive(/waits for none/);
    await client.ask('configurationDone');
    await client.stops('end');
  });

  it('leaves the server to others when a client goes away in the middle of a run', async () => {
    const gone = await TestClient.launched('spin');
    await gone.ask('configurationDone');
    gone.close();
    const client = await TestClient.at('outer');
    assert.equal(await client.evaluate('virq'), '24');
  });

  it('is cancelled while it waits for its turn', async () => {
    const client = await TestClient.at('outer');
    client.socket.cork();
    const answers = [client.ask('threads'), client.refused('evaluate', { expression: 'virq' }), client.ask('cancel', { requestId: client.lastSeq })];
    client.socket.uncork();
    assert.equal((await Promise.all(answers))[1], 'cancelled');
  });
});
