// npm run soak
import { exitStatus, installDependencies, main } from './project.mjs';

await main(async () => {
  await installDependencies();
  const { buildScript } = await import('./bundle.mjs');
  await buildScript('test/property/soak.ts', 'dist/soak.js');
  return exitStatus(process.execPath, ['--enable-source-maps', 'dist/soak.js', ...process.argv.slice(2)]);
});
