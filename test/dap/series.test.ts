// The traps of the series and their frames, as a client on a real socket sees them.
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Load } from '../../debug-adapter/launch';
import { loadScenario } from '../../src/scenario/load';
import { type Stopped, suiteHooks, TestClient } from './client';

const load: Load = (path, options) => {
  const loaded = loadScenario(path, undefined, options);
  return loaded.ok ? { ok: true, kernel: loaded.scenario.kernel, make: loaded.make } : loaded;
};

const example = (name: string): string => `examples/series/${name}.irq.yaml`;
const NULL = (address: string): string => `BUG: kernel NULL pointer dereference, address: ${address.padStart(16, '0')}`;

type Info = DebugProtocol.ExceptionInfoResponse['body'];

/** Where the run of an example fails, and what the client is told of it. */
async function failure(name: string, filters: readonly string[] = ['failures']): Promise<{ client: TestClient; stopped: Stopped; info: Info; report: string[] }> {
  const client = await TestClient.launched(example(name));
  await client.ask('setExceptionBreakpoints', { filters });
  await client.ask('configurationDone');
  const stopped = await client.stops('exception');
  const info = await client.ask<Info>('exceptionInfo', { threadId: stopped.threadId });
  return { client, stopped, info, report: info.details!.stackTrace!.split('\n') };
}

const functions = async (client: TestClient, threadId: number | undefined, count: number): Promise<string[]> =>
  (await client.stack(threadId)).slice(0, count).map(frame => frame.replace(/:\d+$/, ''));

describe('debug adapter: the traps of the series', () => {
  suiteHooks(load);

  it('18: stops in the getter, where the descriptor is NULL; the oops is that of the kernel', async () => {
    const { client, stopped, info, report } = await failure('18-msi-info');
    assert.deepEqual([stopped.description, stopped.text, info.exceptionId, info.description], ['Paused on NULL dereference', NULL('18'), 'NULL dereference', NULL('18')]);
    assert.deepEqual(await functions(client, stopped.threadId, 3), ['intel_get_irq_domain', 'irq_remapping_get_irq_domain', 'native_setup_msi_irqs']);
    assert.equal(await client.evaluate('info->desc'), 'NULL');
    assert.deepEqual(report.slice(0, 8), [
      NULL('18'),
      '#PF: supervisor read access in kernel mode',
      '#PF: error_code(0x0000) - not-present page',
      'Oops: 0000 [#1] SMP',
      'CPU: 0',
      'RIP: 0010:msi_desc_to_pci_dev',
      'Call Trace:',
      ' intel_get_irq_domain',
    ]);
    assert.equal(report.at(-1), 'CR2: 0000000000000018');
  });

  it('19 without its fix-up: stops in the boot, where get_hwirq is NULL', async () => {
    const { client, stopped, report } = await failure('dmar-hpet-msi-flags');
    assert.deepEqual(await functions(client, stopped.threadId, 1), ['msi_domain_alloc']);
    assert.equal(await client.evaluate('info->flags'), '0');
    assert.ok(report.includes('#PF: supervisor instruction fetch in kernel mode') && report.includes('RIP: 0010:0x0') && report.includes(' dmar_alloc_hwirq'));
  });

  it('35: stops at the warning, when warnings are asked for, and goes on to the next', async () => {
    const { client, stopped, info, report } = await failure('35-no-fallback', ['warnings']);
    assert.deepEqual([info.exceptionId, info.breakMode], ['warning', 'always']);
    assert.deepEqual(await functions(client, stopped.threadId, 1), ['pci_msi_setup_msi_irqs']);
    assert.deepEqual(report.slice(0, 5), [
      '------------[ cut here ]------------',
      'WARNING: CPU: 0 at include/linux/msi.h pci_msi_setup_msi_irqs',
      'RIP: 0010:pci_msi_setup_msi_irqs',
      'Call Trace:',
      ' msix_setup',
    ]);
    await client.go('continue', 'exception', stopped.threadId);
    assert.deepEqual(await functions(client, stopped.threadId, 1), ['pci_msi_teardown_msi_irqs']);
    await client.go('continue', 'end', stopped.threadId);
  });

  it('41: stops in the flow handler, on the CPU that took the interrupt', async () => {
    const { client, stopped, report } = await failure('41-default-ack');
    assert.deepEqual(await functions(client, stopped.threadId, 1), ['handle_edge_irq']);
    assert.equal(report.find(line => line.startsWith('CPU: ')), `CPU: ${stopped.threadId! - 1}`);
  });
});

describe('debug adapter: frames of the chosen kernel', () => {
  suiteHooks(load);

  it('29: a body that has no name of its own before is in the frame of its function', async () => {
    const frames: Record<string, string[]> = {};
    for (const kernel of ['series:28', 'series:29']) {
      const client = await TestClient.launched(example('29-alloc-override'), { kernel });
      await client.breakOn('msi_domain_prepare_irqs');
      await client.ask('configurationDone');
      await client.stops('function breakpoint');
      frames[kernel] = await functions(client, 1, 3);
      // Out of the body, and out of the wrapper where there is one.
      await client.go('stepOut', 'step');
      assert.deepEqual(await functions(client, 1, 1), frames[kernel].slice(1, 2));
      assert.equal(await client.evaluate('nvec'), '1');
    }
    assert.deepEqual(frames, {
      'series:28': ['msi_domain_prepare_irqs', 'msi_domain_alloc_irqs', 'native_setup_msi_irqs'],
      'series:29': ['msi_domain_prepare_irqs', '__msi_domain_alloc_irqs', 'msi_domain_alloc_irqs'],
    });
  });
});
