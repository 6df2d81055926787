// npm run bench
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installDependencies, main, exitStatus, root, UserError } from './project.mjs';

const ENTRY = 'test/bench/main.ts';

await main(async () => {
  if (!existsSync(join(root, ENTRY))) throw new UserError(`there is no ${ENTRY}`);
  await installDependencies();
  const { buildScript } = await import('./bundle.mjs');
  await buildScript(ENTRY, 'dist/bench.js');
  return exitStatus(process.execPath, ['--enable-source-maps', 'dist/bench.js', ...process.argv.slice(2)]);
});
