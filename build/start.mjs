// npm start: VS Code on examples/, with the default example's debug session started. `-- --terminal`: the same run as text.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { exitStatus, installDependencies, main, root, runQuietly } from './project.mjs';
import { onPath } from './vscode/chromium.mjs';
import { installVsCodeServer } from './vscode/install.mjs';
import { startServer } from './vscode/server.mjs';

const EXAMPLES = join(root, 'examples');
const DEFAULT_EXAMPLE = join(EXAMPLES, 'nvme-msix.irq.yaml');

/** The extension reads this when it activates, and debugs the file. */
const env = { IRQSTEP_AUTOSTART: DEFAULT_EXAMPLE };

await main(async () => {
  await installDependencies();
  const { buildProducts } = await import('./bundle.mjs');
  await buildProducts();
  if (process.argv.includes('--terminal')) return exitStatus(process.execPath, ['--enable-source-maps', 'dist/cli.js', 'run', DEFAULT_EXAMPLE]);
  const code = process.argv.includes('--browser') ? undefined : onPath('code');
  if (code) return desktop(code);
  return browser();
});

/** @param {string} code the desktop VS Code's command */
function desktop(code) {
  console.log(`opening ${EXAMPLES} in VS Code (${code})`);
  const args = [`--extensionDevelopmentPath=${root}`, '--new-window', EXAMPLES];
  return exitStatus(code, args, { env: { ...process.env, ...env }, shell: process.platform === 'win32' });
}

/** Serves VS Code until the user ends it. */
async function browser() {
  const vscode = await installVsCodeServer();
  const data = join(root, '.vscode-test', 'start');
  const extension = join(root, '.vscode-test', 'irqstep.vsix');
  mkdirSync(data, { recursive: true });
  console.log('packaging and installing the extension ...');
  await runQuietly(process.execPath, ['node_modules/@vscode/vsce/vsce', 'package', '--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links', '--out', extension]);
  await runQuietly(vscode.node, [vscode.main, '--server-data-dir', data, '--install-extension', extension, '--force']);
  // This VS Code does not ask whether a folder is trusted: the examples are.
  const server = await startServer(vscode, data, { ...env, IRQSTEP_TRUSTED_FOLDER: EXAMPLES });
  const url = server.url(EXAMPLES);
  console.log(`\nVS Code: ${url}\nend it with Ctrl-C`);
  openInBrowser(url);
  await new Promise(resolve => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await server.stop();
}

/** @param {string} url */
function openInBrowser(url) {
  const opener = onPath(process.platform === 'darwin' ? 'open' : 'xdg-open');
  if (!opener) return;
  const child = spawn(opener, [url], { stdio: 'ignore', detached: true });
  child.on('error', () => console.log('no browser could be opened: open the address above'));
  child.unref();
}
