// Starts the VS Code server: the workbench for a browser, with a Node extension host.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const SETTINGS = {
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'window.confirmBeforeClose': 'never',
  'chat.disableAIFeatures': true,
  'git.openRepositoryInParentFolders': 'never',
};
const START_TIMEOUT_MS = 60_000;

/**
 * @typedef {object} RunningServer
 * @property {(folder: string, payload?: Record<string, string>) => string} url
 *   the workbench's address on a folder; `payload` as VS Code's web workbench takes it, paths by {@link RunningServer.uri}
 * @property {(path: string) => string} uri a path of this machine as the workbench writes it
 * @property {() => string} log what the server printed
 * @property {() => Promise<void>} stop
 */

/**
 * @param {import('./install.mjs').VsCodeServer} server
 * @param {string} data the folder for its state
 * @param {Record<string, string>} env for the extension host
 * @param {readonly string[]} [flags]
 * @returns {Promise<RunningServer>}
 */
export async function startServer(server, data, env, flags = []) {
  writeSettings(data);
  const token = randomBytes(16).toString('hex');
  const tokenFile = join(data, 'token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const args = ['--host', '127.0.0.1', '--port', '0', '--connection-token-file', tokenFile, '--server-data-dir', data];
  const child = spawn(server.node, [server.main, ...args, '--accept-server-license-terms', '--telemetry-level', 'off', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Without a gallery nothing asks the network for extensions.
    env: { ...process.env, EXTENSIONS_GALLERY: '{"serviceUrl":""}', ...env },
  });
  const kill = () => child.kill();
  process.on('exit', kill);

  let log = '';
  const port = await new Promise((resolve, reject) => {
    const read = (/** @type {Buffer} */ chunk) => {
      log += chunk.toString();
      const listening = /agent listening on (\d+)/.exec(log);
      if (listening) resolve(listening[1]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', reject);
    child.on('exit', status => reject(new Error(`the VS Code server ended with status ${status}\n${log}`)));
    setTimeout(() => reject(new Error(`the VS Code server did not start\n${log}`)), START_TIMEOUT_MS).unref();
  });

  const authority = `127.0.0.1:${port}`;
  return {
    uri: path => `vscode-remote://${authority}${path}`,
    url: (folder, payload = {}) => {
      const query = new URLSearchParams({ tkn: token, folder });
      if (Object.keys(payload).length > 0) query.set('payload', JSON.stringify(Object.entries(payload)));
      return `http://${authority}/?${query.toString()}`;
    },
    log: () => log,
    stop: () =>
      new Promise(resolve => {
        process.off('exit', kill);
        child.on('exit', () => resolve());
        if (!child.kill()) resolve();
      }),
  };
}

/** The first time only: later ones may be the user's. @param {string} data */
function writeSettings(data) {
  const file = join(data, 'data', 'User', 'settings.json');
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(SETTINGS, null, 2));
}
