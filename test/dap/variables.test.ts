import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { scenario, suiteHooks, TestClient } from './client';

const shown = (variables: DebugProtocol.Variable[]): Record<string, string> => Object.fromEntries(variables.map(v => [v.name, v.value]));
const named = (variables: DebugProtocol.Variable[], name: string): DebugProtocol.Variable => {
  const found = variables.find(v => v.name === name);
  assert.ok(found, `${name} is among ${variables.map(v => v.name).join(', ')}`);
  return found;
};

describe('debug adapter: variables', () => {
  suiteHooks();

  it('shows the frame, its interrupt and the machine, in this order', async () => {
    const client = await TestClient.at('outer');
    const { stackFrames } = await client.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: 1 });
    const { scopes } = await client.ask<{ scopes: DebugProtocol.Scope[] }>('scopes', { frameId: stackFrames[0].id });
    assert.deepEqual(scopes.map(s => [s.name, s.expensive]), [['Locals', false], ['Interrupt', false], ['Machine', true]]);
  });

  it('names structures by their kernel type, and says in a line what matters', async () => {
    const client = await TestClient.at('outer');
    const locals = await client.scope('Locals');
    assert.deepEqual(shown(locals), { domain: 'INTEL-IR-0', virq: '24', nr_irqs: '1', arg: 'irq_alloc_info {type: 0, flags: 0, devid: 0x0, hwirq: 0x0}' });
    assert.deepEqual(locals.map(v => v.type), ['irq_domain', undefined, undefined, 'irq_alloc_info']);
  });

  it('decodes words of flags by the names of the kernel', async () => {
    const client = await TestClient.at('ack');
    assert.equal(await client.evaluate('data->common->state_use_accessors'), 'IRQ_TYPE_EDGE_RISING | IRQD_ACTIVATED (0x201)');
    const common = await client.ask<DebugProtocol.EvaluateResponse['body']>('evaluate', { expression: 'data->common' });
    assert.equal(shown(await client.children(common))['state_use_accessors'], 'IRQ_TYPE_EDGE_RISING | IRQD_ACTIVATED (0x201)');
    assert.equal(shown(await client.children(common))['affinity'], '0-1');
  });

  it('shows the interrupt of the frame on all its levels, by domain', async () => {
    const client = await TestClient.at('ack');
    const interrupt = await client.scope('Interrupt');
    assert.deepEqual([shown(interrupt)['irq'], shown(interrupt)['irq_desc'], shown(interrupt)['chain']], ['24', 'irq 24', 'INTEL-IR-0 > VECTOR']);
    const chain = await client.children(named(interrupt, 'chain'));
    assert.deepEqual(shown(chain), { 'INTEL-IR-0': 'irq 24: INTEL-IR-0 > OUTER > 0x10000', VECTOR: 'irq 24: VECTOR > APIC > 0x18' });
    assert.equal(chain[1].evaluateName, 'irq(24)->irq_data->parent_data');
    assert.equal(shown(await client.children(chain[1]))['hwirq'], '0x18');
  });

  it('finds the interrupt through the frames that called', async () => {
    const client = await TestClient.at('root-mapped');
    const interrupt = await client.scope('Interrupt');
    assert.equal(shown(interrupt)['irq_alloc_info'], 'irq_alloc_info {type: 0, flags: X86_IRQ_ALLOC_CONTIGUOUS_VECTORS (0x1), devid: 0x0, hwirq: 0x100}');
  });

  it('gives every value an expression that evaluates to it', async () => {
    const client = await TestClient.at('ack');
    let variables = await client.scope('Locals');
    for (const name of ['data', 'domain', 'ops', 'alloc']) {
      const variable = named(variables, name);
      assert.equal(await client.evaluate(variable.evaluateName!), variable.value, variable.evaluateName);
      if (variable.variablesReference > 0) variables = await client.children(variable);
    }
  });

  it('pages long lists, and answers beyond the end with nothing', async () => {
    const client = await TestClient.at('outer');
    const list = await client.ask<DebugProtocol.EvaluateResponse['body']>('evaluate', { expression: 'numbers' });
    assert.deepEqual([list.result, list.indexedVariables], ['[250]', 250]);
    const page = await client.children(list, { filter: 'indexed', start: 100, count: 2 });
    assert.deepEqual(page.map(v => [v.name, v.value, v.evaluateName]), [['[100]', '10000', 'numbers[100]'], ['[101]', '10201', 'numbers[101]']]);
    assert.equal((await client.children(list, { filter: 'indexed', start: 249, count: 10 })).length, 1);
    assert.deepEqual(await client.children(list, { filter: 'indexed', start: 250, count: 10 }), []);
    assert.deepEqual(await client.children(list, { filter: 'named' }), []);
  });

  it('groups them for a client that does not page', async () => {
    const client = await TestClient.open();
    await client.initialize({ supportsVariablePaging: false });
    await client.ask('launch', { program: scenario('alloc'), stopOnEntry: true });
    await client.next('initialized');
    await client.ask('configurationDone');
    await client.stops('entry');
    const list = await client.ask<DebugProtocol.EvaluateResponse['body']>('evaluate', { expression: 'numbers' });
    assert.equal(list.indexedVariables, undefined);
    const groups = await client.children(list);
    assert.deepEqual(groups.map(g => g.name), ['[0..99]', '[100..199]', '[200..249]']);
    const last = await client.children(groups[2]);
    assert.deepEqual([last.length, last[49].name, last[49].evaluateName], [50, '[249]', 'numbers[249]']);
  });

  it('writes hexadecimal where it is asked to', async () => {
    const client = await TestClient.at('outer');
    assert.equal(await client.evaluate('virq', { format: { hex: true } }), '0x18');
  });

  it('ends references when the run goes on', async () => {
    const client = await TestClient.at('outer');
    const domain = named(await client.scope('Locals'), 'domain');
    await client.go('next', 'step');
    assert.match(await client.refused('variables', { variablesReference: domain.variablesReference }), /it ended when the run went on/);
  });

  it('looks without changing anything: the machine opened to its depths', async () => {
    const client = await TestClient.at('outer');
    const seen = new Set<string>();
    const open = async (variables: DebugProtocol.Variable[], depth: number): Promise<void> => {
      for (const variable of variables) {
        seen.add(variable.name);
        if (variable.variablesReference > 0 && depth > 0) await open(await client.children(variable), depth - 1);
      }
    };
    await open(await client.scope('Machine'), 3);
    assert.ok(seen.has('local APIC') && seen.has('vector_matrix') && seen.has('irr'));
    await client.go('next', 'step');
    await client.go('stepBack', 'step');
  });
});

describe('debug adapter: evaluate', () => {
  suiteHooks();

  it('knows variables before globals, globals before constants, and no JavaScript', async () => {
    const client = await TestClient.at('outer');
    assert.equal(await client.evaluate('nr_irqs + nr_cpu_ids * 10'), '21');
    assert.equal(await client.evaluate('IRQD_ACTIVATED'), '512');
    assert.equal(await client.evaluate('domain->ops->alloc'), 'outer_alloc');
    for (const expression of ['domain.constructor', 'domain.__proto__', '__proto__', 'constructor', 'toString', 'process', 'globalThis', 'domain.toString']) assert.match(await client.refused('evaluate', { expression }), /has no member|there is no/, expression);
  });

  it('says what is wrong with an expression, and where', async () => {
    const client = await TestClient.at('outer');
    assert.match(await client.refused('evaluate', { expression: 'virq +' }), /column 7: a value was expected, found the end/);
    assert.match(await client.refused('evaluate', { expression: 'domain->parent->parent->name' }), /NULL\.name: the value before it is NULL/);
    assert.match(await client.refused('evaluate', { expression: 'domain + 1' }), /\+ works on whole numbers, and irq_domain is none/);
    assert.match(await client.refused('evaluate', { expression: '1 / 0' }), /division by zero/);
  });

  it('evaluates in the frame that it is asked for', async () => {
    const client = await TestClient.at('root-mapped');
    const { stackFrames } = await client.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: 1 });
    assert.equal(await client.evaluate('domain', { frameId: stackFrames[0].id }), 'VECTOR');
    assert.equal(await client.evaluate('domain', { frameId: stackFrames[1].id }), 'INTEL-IR-0');
  });
});

describe('debug adapter: completions', () => {
  suiteHooks();

  const labels = async (client: TestClient, text: string): Promise<string[]> =>
    (await client.ask<{ targets: DebugProtocol.CompletionItem[] }>('completions', { text, column: text.length + 1 })).targets.map(t => t.label);

  it('offer variables first, then globals and constants', async () => {
    const client = await TestClient.at('outer');
    assert.deepEqual((await labels(client, '')).slice(0, 4), ['domain', 'virq', 'nr_irqs', 'arg']);
    assert.deepEqual(await labels(client, 'virq == 24 && vector_m'), ['vector_matrix']);
    assert.deepEqual(await labels(client, 'IRQD_ACT'), ['IRQD_ACTIVATED']);
  });

  it('offer the members of a structure', async () => {
    const client = await TestClient.at('outer');
    assert.deepEqual(await labels(client, 'domain->par'), ['parent']);
    assert.deepEqual(await labels(client, 'domain->parent->map'), ['mapcount']);
    assert.deepEqual(await labels(client, 'x + irq(24)->irq_data.hw'), ['hwirq']);
    assert.deepEqual(await labels(client, 'irq_domain_list[0].na'), ['name']);
    assert.deepEqual(await labels(client, 'nothing->'), []);
    assert.deepEqual(await labels(client, `${'a'.repeat(50_000)}->`), []);
    const { targets } = await client.ask<{ targets: DebugProtocol.CompletionItem[] }>('completions', { text: 'domain->par', column: 12 });
    assert.deepEqual([targets[0].start, targets[0].length], [9, 3]);
  });
});
