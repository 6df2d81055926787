// irqstep-debug-adapter: a server of the Debug Adapter Protocol.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { load } from './load';
import { serveStdio, serveTcp } from './protocol/server';

const HELP = `irqstep-debug-adapter: debugs irqstep scenarios for any client of the Debug Adapter Protocol

  irqstep-debug-adapter                 speaks on stdin and stdout
  irqstep-debug-adapter --server PORT   listens on 127.0.0.1, a session for each connection; port 0 is any that is free

Launch arguments: program (a .irq.yaml), stopOnEntry, kernel (instead of the scenario's), cwd, noDebug,
allowModules (the scenario's own TypeScript may run, here in this process; default: no),
modelUris (frames name the model's files by irqstep-model: URIs).
`;

const options = { load, listing: join(__dirname, 'model') };

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { server: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help) return void process.stdout.write(HELP);
  if (values.server === undefined) { serveStdio(options); return; }
  const port = Number(values.server);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--server: a port from 0 to 65535 was expected, found ${values.server}`);
  const server = await serveTcp(port, options);
  const address = server.address();
  process.stderr.write(`irqstep-debug-adapter: listening on 127.0.0.1:${typeof address === 'object' && address ? address.port : port}\n`);
}

// A fault of the adapter's own ends no session, least of all those of others.
process.on('uncaughtException', error => process.stderr.write(`irqstep-debug-adapter: ${error.stack ?? error.message}\n`));

main().catch((error: unknown) => {
  process.stderr.write(`irqstep-debug-adapter: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
});
