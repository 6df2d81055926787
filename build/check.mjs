// npm run check: the type checker over each of the project's configurations.
import { join } from 'node:path';
import { exitStatus, main, root } from './project.mjs';
import { writeTypings } from './typings.mjs';

const PROJECTS = ['tsconfig.json', 'webview/tsconfig.json', 'test/tsconfig.json', 'examples/own-domain/tsconfig.json'];
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

await main(async () => {
  await writeTypings();
  let failed = 0;
  for (const project of PROJECTS) {
    const status = await exitStatus(process.execPath, [tsc, '-p', project, '--pretty']);
    if (status !== 0) failed++;
  }
  return failed > 0 ? 1 : 0;
});
