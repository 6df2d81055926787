// A real VS Code from npm packages alone: the server inside code-server, run by a Node that is new enough for it.
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npm, root, UserError } from '../project.mjs';

const CODE_SERVER = '4.139.1';
const NODE = '24.21.0';
const folder = join(root, '.vscode-test', `code-server-${CODE_SERVER}`);

/** @typedef {{ node: string, main: string }} VsCodeServer the Node binary and the script that it runs */

/**
 * Installs the server when it is not there yet (about a minute, 800 MB).
 * @returns {Promise<VsCodeServer>}
 */
export async function installVsCodeServer() {
  if (process.platform === 'win32') throw new UserError('the VS Code server does not run on Windows: install the desktop VS Code and put `code` on PATH');
  const nodePackage = `node-${process.platform}-${process.arch}`;
  const vscode = join(folder, 'node_modules', 'code-server', 'lib', 'vscode');
  const server = { node: join(folder, 'node_modules', nodePackage, 'bin', 'node'), main: join(vscode, 'out', 'server-main.js') };
  const done = join(folder, 'installed');
  if (existsSync(done)) return server;

  console.log(`installing VS Code (code-server ${CODE_SERVER}) and Node ${NODE} from npm into ${folder} ...`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  await install(folder, `code-server@${CODE_SERVER}`, `${nodePackage}@${NODE}`);
  // What the package's own install script does, without what that compiles and downloads: none of it is needed here.
  await install(vscode);
  await install(join(vscode, 'extensions'));
  symlinkSync('node_modules', join(vscode, 'node_modules.asar'));
  // The extensions that talk to services are of no use here and are the slowest to load.
  rmSync(join(vscode, 'extensions', 'copilot'), { recursive: true, force: true });
  writeFileSync(done, '');
  return server;
}

/** @param {string} cwd @param {string[]} packages */
const install = (cwd, ...packages) =>
  npm(['install', '--omit=dev', '--ignore-scripts', '--no-fund', '--no-audit', '--loglevel=error', ...packages], { cwd });
