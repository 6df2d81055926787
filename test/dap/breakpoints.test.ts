import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { MODEL, scenario, suiteHooks, TestClient } from './client';
import { line, MODEL_FILE } from './fixture/guest';

type Breakpoints = { breakpoints: DebugProtocol.Breakpoint[] };

describe('debug adapter: breakpoints in files', () => {
  suiteHooks();

  it('snap to the next statement, and say where that is', async () => {
    const client = await TestClient.launched('alloc');
    const { breakpoints } = await client.ask<Breakpoints>('setBreakpoints', { source: MODEL, breakpoints: [{ line: line('outer') - 1 }] });
    assert.deepEqual([breakpoints[0].verified, breakpoints[0].line, breakpoints[0].column], [true, line('outer'), 3]);
    await client.ask('configurationDone');
    const stopped = await client.stops('breakpoint');
    assert.deepEqual(stopped.hitBreakpointIds, [breakpoints[0].id]);
    assert.deepEqual(await client.stack(), [`outer_alloc:${line('outer')}`, `setup_irq:${line('call-alloc')}`, 'alloc:2']);
  });

  it('bind to steps of the scenario', async () => {
    const client = await TestClient.launched('alloc');
    const { breakpoints } = await client.ask<Breakpoints>('setBreakpoints', { source: { path: scenario('alloc') }, breakpoints: [{ line: 3 }, { line: 9 }] });
    assert.deepEqual(breakpoints.map(b => [b.verified, b.line]), [[true, 3], [false, undefined]]);
    assert.match(breakpoints[1].message!, /no statement is at or after line 9/);
    await client.ask('configurationDone');
    await client.stops('breakpoint');
    assert.deepEqual(await client.stack(), ['ack:3']);
    await client.go('stepIn', 'step');
    assert.match((await client.stack())[0], /^ack_parent:/);
  });

  it('are refused in other files, with the reason, and in a listing that is not the code that runs', async () => {
    const client = await TestClient.launched('alloc');
    const other = await client.ask<Breakpoints>('setBreakpoints', { source: { path: '/etc/hosts' }, breakpoints: [{ line: 1 }] });
    assert.deepEqual([other.breakpoints[0].verified, other.breakpoints[0].reason], [false, 'failed']);
    assert.match(other.breakpoints[0].message!, /neither the scenario nor a part of the kernel model/);
    const stale = await client.ask<Breakpoints>('setBreakpoints', { source: { path: `/nowhere/irq/fixture.ts` }, breakpoints: [{ line: 1 }] });
    assert.match(stale.breakpoints[0].message!, /not the irq\/fixture\.ts that runs/);
  });

  it('keep their ids while their text stays, so that other changes to a file do not count their hits anew', async () => {
    const client = await TestClient.launched('alloc');
    const [first] = await client.breakAt(['outer']);
    const again = await client.breakAt(['mapped', 'outer']);
    assert.equal(again[1].id, first.id);
    assert.notEqual(again[0].id, first.id);
  });

  it('may be set before a launch: they bind then', async () => {
    const client = await TestClient.open();
    await client.initialize();
    const [early] = await client.breakAt(['outer']);
    assert.deepEqual([early.verified, early.reason], [false, 'pending']);
    await client.ask('launch', { program: scenario('alloc') });
    const changed = await client.next<{ reason: string; breakpoint: DebugProtocol.Breakpoint }>('breakpoint');
    assert.deepEqual([changed.reason, changed.breakpoint.id, changed.breakpoint.verified], ['changed', early.id, true]);
    await client.next('initialized');
  });

  it('list where they can be', async () => {
    const client = await TestClient.launched('alloc');
    const { breakpoints } = await client.ask<{ breakpoints: DebugProtocol.BreakpointLocation[] }>('breakpointLocations', { source: MODEL, line: line('return') - 1 });
    assert.deepEqual(breakpoints.map(b => b.column), [3, 16], 'the if and its return');
  });
});

describe('debug adapter: conditions', () => {
  suiteHooks();

  it('stop where they hold, on variables, members and globals', async () => {
    const client = await TestClient.at('loop', 'alloc', 'i == 3 && arg->hwirq == 0x100 && irq(24)->irq_data->hwirq >> 16 == 1 && numbers[3] == 9');
    assert.equal(await client.evaluate('i'), '3');
  });

  for (const [condition, message] of [
    ['i ==', /condition, column 5: a value was expected, found the end/],
    ['i = 3', /column 3: '=' would assign.*'==' compares/],
    ['j == 3', /column 1: there is no j here/],
    ['free(24) == 3', /column 1: free\(\) cannot be called here: only irq\(\), cpu\(\), domain\(\) can/],
    ['i == 0x', /column 6: a number was expected, found '0x'/],
  ] as const) {
    it(`that cannot be are reported on the breakpoint: ${condition}`, async () => {
      const client = await TestClient.launched('alloc');
      const [breakpoint] = await client.breakAt(['loop'], condition);
      assert.equal(breakpoint.verified, false);
      assert.match(breakpoint.message!, message);
      await client.ask('configurationDone');
      await client.stops('end');
    });
  }

  it('that fail when evaluated say so once, and do not stop', async () => {
    const client = await TestClient.launched('alloc');
    await client.breakAt(['loop'], 'arg->desc->irq == 24');
    await client.ask('configurationDone');
    await client.next('output');
    const complaint = await client.next<{ output: string; line: number }>('output');
    assert.match(complaint.output, /condition of breakpoint 1: NULL\.irq: the value before it is NULL/);
    assert.equal(complaint.line, line('loop'));
    await client.next('stopped');
  });

  it('count hits: the third, every second', async () => {
    const client = await TestClient.launched('alloc');
    await client.ask('setBreakpoints', { source: MODEL, breakpoints: [{ line: line('loop'), hitCondition: '% 2' }] });
    await client.ask('configurationDone');
    await client.stops('breakpoint');
    assert.equal(await client.evaluate('i'), '1');
    await client.go('continue', 'breakpoint');
    assert.equal(await client.evaluate('i'), '3');
    await client.go('reverseContinue', 'breakpoint');
    assert.equal(await client.evaluate('i'), '1', 'a hit that is replayed counts as it counted');
    const { breakpoints } = await client.ask<Breakpoints>('setBreakpoints', { source: MODEL, breakpoints: [{ line: line('loop'), hitCondition: 'often' }] });
    assert.match(breakpoints[0].message!, /hit condition: a number was expected.*"often"/);
  });

  it('log instead of stopping, once a hit however often it is replayed', async () => {
    const client = await TestClient.launched('alloc');
    await client.ask('setBreakpoints', { source: MODEL, breakpoints: [{ line: line('loop'), logMessage: 'i={i} found={found + 1}', condition: 'i > 2' }] });
    await client.ask('configurationDone');
    await client.next('output');
    assert.equal((await client.next<{ output: string }>('output')).output, 'i=3 found=4\ni=4 found=7\n');
    const { threadId } = await client.next<{ threadId: number }>('stopped');
    await client.ask('reverseContinue', { threadId });
    await client.next('stopped');
  });
});

describe('debug adapter: breakpoints on functions', () => {
  suiteHooks();

  it('stop where the function begins, by its name or a pattern', async () => {
    const client = await TestClient.launched('alloc');
    const [, pattern] = await client.breakOn('outer_alloc', 'root_*');
    assert.equal(pattern.verified, true);
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    assert.deepEqual((await client.stack())[0], `outer_alloc:${line('outer')}`);
    const stopped = await client.go('continue', 'function breakpoint');
    assert.deepEqual(stopped.hitBreakpointIds, [pattern.id]);
    assert.match((await client.stack())[0], /^root_alloc:/);
  });

  it('that the model does not have stay unverified, with the nearest names', async () => {
    const client = await TestClient.launched('alloc');
    const [typo, part, none] = await client.breakOn('outer_aloc', 'er_alloc', 'quux_zzzz_qq');
    assert.match(typo.message!, /no function outer_aloc; did you mean outer_alloc\?/);
    assert.match(part.message!, /did you mean .*outer_alloc/);
    assert.deepEqual([none.verified, none.reason], [false, 'failed']);
    assert.match(none.message!, /take a function's name, DOMAIN:op or CHIP:callback/);
  });

  it('on a domain operation stop for this domain only', async () => {
    const client = await TestClient.launched('alloc');
    const [breakpoint] = await client.breakOn('VECTOR:alloc');
    assert.deepEqual([breakpoint.verified, breakpoint.message], [true, undefined], 'its one function, not those of other domains');
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    assert.match((await client.stack())[0], /^root_alloc:/);
    await client.go('continue', 'end');
  });

  it('on an operation of any domain stop for each', async () => {
    const client = await TestClient.launched('alloc');
    await client.breakOn('*:alloc');
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    assert.match((await client.stack())[0], /^outer_alloc:/);
    await client.go('continue', 'function breakpoint');
    assert.match((await client.stack())[0], /^root_alloc:/);
  });

  it('on a callback stop for the chip whose table has the function, not for its caller', async () => {
    const client = await TestClient.launched('alloc');
    await client.breakOn('APIC:irq_ack');
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    assert.match((await client.stack())[0], /^ack_edge:/);
    await client.go('continue', 'end');
  });

  it('on a callback find a function that no source names beside it', async () => {
    const client = await TestClient.launched('alloc');
    const [breakpoint] = await client.breakOn('APIC:irq_eoi');
    assert.deepEqual([breakpoint.verified, breakpoint.line], [true, line('eoi')]);
  });

  it('on what no domain or chip has say what there is', async () => {
    const client = await TestClient.launched('alloc');
    const [op, domain, form] = await client.breakOn('VECTOR:aloc', 'INTEL-IR-9:alloc', 'VECTOR:');
    assert.match(op.message!, /aloc is neither an operation of irq_domain_ops nor a callback of irq_chip; did you mean alloc\?/);
    assert.match(domain.message!, /no domain matches INTEL-IR-9 yet; did you mean INTEL-IR-0\?/);
    assert.equal(domain.reason, 'pending');
    assert.match(form.message!, /expected DOMAIN:op or CHIP:callback/);
  });

  it('take conditions on the parameters', async () => {
    const client = await TestClient.launched('alloc');
    await client.breakOn({ name: '*:alloc', condition: 'domain->parent == NULL && virq == 24' });
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    assert.match((await client.stack())[0], /^root_alloc:/);
  });
});

describe('debug adapter: sources', () => {
  suiteHooks();

  it('names the model by its URI to VS Code, and lists what runs', async () => {
    const client = await TestClient.at('outer');
    const { sources } = await client.ask<{ sources: DebugProtocol.Source[] }>('loadedSources');
    const model = sources.find(source => source.path === MODEL.path)!;
    assert.match(model.checksums![0].checksum, /^[0-9a-f]{64}$/);
    const { content } = await client.ask<{ content: string }>('source', { sourceReference: 0, source: MODEL });
    assert.match(content, /export function\* outer_alloc/);
  });

  it('gives other clients a reference where the listing is not installed, and takes breakpoints there', async () => {
    const client = await TestClient.open();
    await client.initialize({ clientID: 'nvim' });
    await client.ask('launch', { program: scenario('alloc') });
    await client.next('initialized');
    await client.breakOn('outer_alloc');
    await client.ask('configurationDone');
    await client.stops('function breakpoint');
    const { stackFrames } = await client.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: 1 });
    const source = stackFrames[0].source!;
    assert.equal(source.path, undefined);
    assert.match((await client.ask<{ content: string }>('source', { sourceReference: source.sourceReference, source })).content, /#outer/);
    const { breakpoints } = await client.ask<Breakpoints>('setBreakpoints', { source, breakpoints: [{ line: line('mapped') }] });
    assert.equal(breakpoints[0].verified, true);
  });

  it('counts lines and columns from 0 for a client that does', async () => {
    const client = await TestClient.open();
    await client.initialize({ linesStartAt1: false, columnsStartAt1: false });
    await client.ask('launch', { program: scenario('alloc') });
    await client.next('initialized');
    const { breakpoints } = await client.ask<Breakpoints>('setBreakpoints', { source: MODEL, breakpoints: [{ line: line('outer') - 1 }] });
    assert.deepEqual([breakpoints[0].line, breakpoints[0].column], [line('outer') - 1, 2]);
  });

  it('takes a copy of the listing for it only while the texts are the same', async () => {
    const client = await TestClient.launched('alloc');
    const { breakpoints } = await client.ask<Breakpoints>('setBreakpoints', { source: { path: `${process.cwd()}/${MODEL_FILE}` }, breakpoints: [{ line: line('outer') }] });
    assert.equal(breakpoints[0].verified, false, 'another path than the listing has');
  });
});
