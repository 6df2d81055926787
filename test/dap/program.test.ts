// The program as it is installed.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { DebugClient } from '@vscode/debugadapter-testsupport';

const PROGRAM = 'dist/debug-adapter.js';
const SCENARIO = `${process.cwd()}/examples/nvme-msix.irq.yaml`;

async function debug(client: DebugClient): Promise<void> {
  const [stopped] = await Promise.all([
    client.waitForEvent('stopped', 15_000),
    client.waitForEvent('initialized', 15_000).then(() => client.configurationDoneRequest()),
    client.launch({ program: SCENARIO, stopOnEntry: true }),
  ]);
  assert.deepEqual((stopped as { body?: { reason?: string } }).body?.reason, 'entry');
}

describe('irqstep-debug-adapter', () => {
  it('speaks on stdin and stdout, and ends with them', async () => {
    const client = new DebugClient('node', PROGRAM, 'irqstep');
    await client.start();
    await debug(client);
    await client.stop();
    const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'ignore', 'inherit'] });
    child.stdin.end();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('listens on loopback, a session a connection', async () => {
    const child = spawn(process.execPath, [PROGRAM, '--server', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      const [text] = (await once(child.stderr, 'data')) as [Buffer];
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(String(text))![1]);
      const clients = [new DebugClient('node', '', 'irqstep'), new DebugClient('node', '', 'irqstep')];
      for (const client of clients) await client.start(port);
      await Promise.all(clients.map(debug));
      await Promise.all(clients.map(client => client.stop()));
    } finally {
      child.kill();
    }
  });

  it('says how it is called, and what is wrong with how it was', () => {
    assert.match(spawnSync(process.execPath, [PROGRAM, '--help'], { encoding: 'utf8' }).stdout, /--server PORT/);
    const wrong = spawnSync(process.execPath, [PROGRAM, '--server', 'x'], { encoding: 'utf8' });
    assert.deepEqual([wrong.status, wrong.stderr], [2, 'irqstep-debug-adapter: --server: a port from 0 to 65535 was expected, found x\n']);
  });
});
