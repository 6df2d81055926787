// A guest of Xen's under the adapter: its chips' callbacks, its domain in the panel, its interrupts and messages.
import assert from 'node:assert/strict';
import type { Load } from '../../debug-adapter/launch';
import type { PanelRequests } from '../../debug-adapter/panel-protocol';
import { loadScenario } from '../../src/scenario/load';
import { suiteHooks, TestClient, type Stopped } from './client';

const HVM = 'examples/xen/hvm.irq.yaml';
const DOM0 = 'examples/xen/dom0.irq.yaml';

const load: Load = (path, options) => {
  const loaded = loadScenario(path, undefined, options);
  return loaded.ok ? { ok: true, kernel: loaded.scenario.kernel, make: loaded.make } : loaded;
};

async function at(program: string, name: string, args: object = {}): Promise<{ client: TestClient; stopped: Stopped }> {
  const client = await TestClient.launched(program, args);
  const [breakpoint] = await client.breakOn(name);
  assert.equal(breakpoint.verified, true, breakpoint.message);
  await client.ask('configurationDone');
  return { client, stopped: await client.stops('function breakpoint') };
}

const functions = async (client: TestClient, threadId: number | undefined, count: number): Promise<string[]> =>
  (await client.stack(threadId)).slice(0, count).map(frame => frame.replace(/:\d+$/, ''));

const snapshot = (client: TestClient, args: PanelRequests['irqstep/snapshot']['arguments']): Promise<PanelRequests['irqstep/snapshot']['body']> => client.ask('irqstep/snapshot', args);

describe('debug adapter: a guest of Xen', () => {
  suiteHooks(load);

  it('stops in the callbacks of xen-pirq: in its start, and in its acknowledgement below the upcall', async () => {
    const start = await at(HVM, 'xen-pirq:irq_startup');
    assert.deepEqual(await functions(start.client, start.stopped.threadId, 3), ['startup_pirq', '__irq_startup', 'irq_startup']);

    const { client, stopped } = await at(DOM0, 'handle_edge_irq');
    await client.breakOn('xen-pirq:irq_ack');
    const ack = await client.go('continue', 'function breakpoint', stopped.threadId);
    assert.deepEqual(await functions(client, ack.threadId, 2), ['eoi_pirq', 'handle_edge_irq']);
    assert.ok((await functions(client, ack.threadId, 20)).includes('xen_evtchn_do_upcall'));
    assert.equal(await client.evaluate('data->chip->name'), '"xen-pirq"');
    assert.equal(await client.evaluate('data->domain'), 'NULL');
  });

  it('shows the device below XEN-MSI, a domain without a parent in which no interrupt is', async () => {
    const { client } = await at(HVM, 'xen-pirq:irq_startup');
    const { domains } = await snapshot(client, { sections: ['domains'] });
    const xen = domains!.find(({ name }) => name === 'XEN-MSI')!;
    assert.deepEqual([xen.parent, xen.mapped, xen.busToken, xen.devices.map(({ name, kind }) => [name, kind])], [null, 0, 'ANY', [['0000:00:05.0', 'MSI-X']]]);
    assert.ok(!domains!.some(({ name }) => name.startsWith('PCI-MSI')));
  });

  it('shows an interrupt with one level, which is in no domain, and its irq_info', async () => {
    const { client } = await at(HVM, 'xen-pirq:irq_startup');
    const { chain } = await snapshot(client, { sections: ['chain'] });
    assert.deepEqual(chain!.levels.map(({ domain, chip, chipData }) => [domain, chip, chipData?.type]), [[null, 'xen-pirq', 'irq_info']]);
    const fields = Object.fromEntries(chain!.levels[0].chipData!.fields.map(field => [field.name, field]));
    assert.equal(fields['type'].value, 'IRQT_PIRQ (0x1)');
    // The card's first entry has the last of the guest's 80 pirqs; no pin leads to it.
    const pirq = fields['u'].fields!.find(({ name }) => name === 'pirq')!.fields!;
    assert.deepEqual(pirq.slice(0, 4).map(({ name, value }) => [name, value]), [['pirq', '79'], ['gsi', '0'], ['vector', '0'], ['flags', '0']]);
  });

  it('has the members of the chosen kernel: no late end of events in v5.9, no device MSI in v5.10', async () => {
    const membersOn = async (kernel: string): Promise<string[]> => {
      const { client } = await at(HVM, 'xen-pirq:irq_startup', { kernel });
      const { chain, current } = await snapshot(client, { sections: ['chain', 'current'] });
      return [...chain!.levels[0].chipData!.fields, ...current!.msiDesc!.fields].map(({ name }) => name).filter(name => ['spurious_cnt', 'eoi_time', 'eoi_cpu', 'platform', 'device_msi', 'data'].includes(name));
    };
    assert.deepEqual(await membersOn('v5.9'), ['platform']);
    assert.deepEqual(await membersOn('v5.10'), ['spurious_cnt', 'eoi_time', 'eoi_cpu', 'platform']);
    assert.deepEqual(await membersOn('v5.10+device-msi'), ['spurious_cnt', 'eoi_time', 'eoi_cpu', 'platform', 'device_msi']);
  });

  it('reads the message of an HVM guest as the number of a pirq', async () => {
    const { client } = await at(HVM, 'xen_bind_pirq_msi_to_irq');
    const { current } = await snapshot(client, { sections: ['current'] });
    assert.equal(current!.message!.format, 'Xen: the number of a pirq');
    const fields = Object.fromEntries(current!.message!.fields.map(({ name, value }) => [name, value]));
    assert.deepEqual([fields['pirq_0_7'], fields['vector'], fields['delivery_mode']], ['0x4f', '0x0', '0x3']);
  });
});
