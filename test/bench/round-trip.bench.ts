// What a client waits for after a stop: the stack, the scopes of its top frame and their first variables, over TCP.
import type { AddressInfo } from 'node:net';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import { loadScenario } from '../../src/scenario/load';
import { serveTcp } from '../../debug-adapter/protocol/server';
import type { Load } from '../../debug-adapter/launch';

const SCENARIO = 'examples/nvme-msix.irq.yaml';
const STOPS = 200;

const load: Load = (path, options) => {
  const loaded = loadScenario(path, undefined, options);
  return loaded.ok ? { ok: true, kernel: loaded.scenario.kernel, make: loaded.make } : loaded;
};

export async function reportRoundTrip(): Promise<void> {
  const server = await serveTcp(0, { load, listing: 'src/kernel' });
  const client = new DebugClient('node', '', 'irqstep');
  await client.start((server.address() as AddressInfo).port);
  await Promise.all([client.waitForEvent('initialized'), client.initializeRequest().then(() => client.launchRequest({ program: SCENARIO } as object))]);
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'x86_vector_alloc_irqs' }] });
  await Promise.all([client.waitForEvent('stopped'), client.configurationDoneRequest()]);

  const empty: number[] = [];
  const stops: number[] = [];
  for (let i = 0; i < STOPS; i++) {
    const { body } = (await Promise.all([client.waitForEvent('stopped'), client.stepInRequest({ threadId: 1 })]))[0] as { body: { threadId: number } };
    stops.push(await timed(() => look(client, body.threadId)));
    empty.push(await timed(() => client.customRequest('cancel', {})));
  }
  await client.stop();
  server.close();
  const [stop, one] = [median(stops), median(empty)];
  console.log(`${SCENARIO}, median of ${STOPS} stops, over TCP:`);
  console.log(`  an empty request     ${one.toFixed(2).padStart(8)} ms   1.00`);
  console.log(`  stack, scopes, locals${stop.toFixed(2).padStart(8)} ms  ${(stop / one).toFixed(2).padStart(5)}  (three requests)`);
}

async function look(client: DebugClient, threadId: number): Promise<void> {
  const { stackFrames } = (await client.stackTraceRequest({ threadId })).body;
  const { scopes } = (await client.scopesRequest({ frameId: stackFrames[0].id })).body;
  await client.variablesRequest({ variablesReference: scopes[0].variablesReference });
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1];
