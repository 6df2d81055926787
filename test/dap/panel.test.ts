import assert from 'node:assert/strict';
import type { PanelRequests } from '../../debug-adapter/panel-protocol';
import { suiteHooks, TestClient } from './client';

type Answer<C extends keyof PanelRequests> = PanelRequests[C]['body'];

const snapshot = (client: TestClient, args: PanelRequests['irqstep/snapshot']['arguments']): Promise<Answer<'irqstep/snapshot'>> =>
  client.ask('irqstep/snapshot', args);

describe('debug adapter: the panel', () => {
  suiteHooks();

  it('gets the sections that it asks for, and no others', async () => {
    const client = await TestClient.at('ack');
    const { step, kernel, irq, ...sections } = await snapshot(client, { sections: ['domains', 'chain'] });
    assert.deepEqual([step > 0, kernel, irq, Object.keys(sections)], [true, 'v5.10', 24, ['domains', 'outside', 'chain']]);
    assert.match(await client.malformed('irqstep/snapshot', { sections: ['everything'] }), /no section everything; there are domains, chain/);
  });

  it('gets the domains, parents first', async () => {
    const client = await TestClient.at('ack');
    const { domains } = await snapshot(client, { sections: ['domains'] });
    assert.deepEqual(domains!.map(d => [d.id, d.name, d.parent, d.busToken, d.mapped]), [[0, 'VECTOR', null, 'ANY', 1], [1, 'INTEL-IR-0', 0, 'ANY', 1]]);
  });

  it('gets the levels of the interrupt of the frame, or of the one it asks for', async () => {
    const client = await TestClient.at('ack');
    const { chain } = await snapshot(client, { sections: ['chain'] });
    assert.deepEqual(chain!.levels.map(l => [l.domain, l.chip, l.hwirq.value]), [['INTEL-IR-0', 'OUTER', '0x10000'], ['VECTOR', 'APIC', '0x18']]);
    assert.equal(chain!.state.value, 'IRQ_TYPE_EDGE_RISING | IRQD_ACTIVATED (0x201)');
    assert.equal((await snapshot(client, { sections: ['chain'], irq: 99 })).chain, null);
  });

  it('sees marked what changed since the last stop, with what it was', async () => {
    const client = await TestClient.at('ack');
    assert.equal((await snapshot(client, { sections: ['chain'] })).chain!.state.changed, undefined, 'nothing to compare with');
    await client.go('stepOut', 'end');
    const { state, affinity } = (await snapshot(client, { sections: ['chain'], irq: 24 })).chain!;
    assert.deepEqual([state.changed, state.was], [true, 'IRQ_TYPE_EDGE_RISING | IRQD_ACTIVATED (0x201)']);
    assert.match(state.value, /IRQD_IRQ_INPROGRESS/);
    assert.equal(affinity.changed, undefined);
  });

  it('sees the allocation info travel, field by field', async () => {
    const client = await TestClient.at('outer');
    await snapshot(client, { sections: ['current'] });
    await client.go('next', 'step');
    const { allocInfo } = (await snapshot(client, { sections: ['current'] })).current!;
    assert.equal(allocInfo!.type, 'irq_alloc_info');
    assert.deepEqual(allocInfo!.fields.filter(f => f.changed).map(f => [f.name, f.was, f.value]), [['hwirq', '0x0', '0x100']]);
  });

  it('gets the matrix as lists of vectors, and says which CPU there is none of', async () => {
    const client = await TestClient.at('ack');
    const { matrix } = await snapshot(client, { sections: ['matrix'] });
    assert.deepEqual([matrix!.allocStart, matrix!.allocEnd, matrix!.cpus.length, matrix!.cpus[0].allocMap], [32, 236, 2, '']);
    assert.deepEqual(await client.ask('irqstep/vectors', { cpu: 1 }), { cpu: 1, vectors: [] });
    assert.match(await client.refused('irqstep/vectors', { cpu: 7 }), /there is no CPU 7; there are CPUs 0 to 1/);
  });

  it('is refused while the run is under way', async () => {
    const client = await TestClient.launched('spin');
    await client.ask('configurationDone');
    assert.equal(await client.refused('irqstep/snapshot', { sections: [] }), 'notStopped');
    await client.ask('disconnect', {});
    client.forget('output');
  });
});
