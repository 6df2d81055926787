// Runs the suite inside VS Code's extension host: in the browser, or in the desktop VS Code.
import { join } from 'node:path';
import { format } from 'node:util';
import { root, UserError } from '../../build/project.mjs';

const TIMEOUT_MS = 300_000;

/** What the workbench says about its own services, which are not there. */
const NOISE =
  /^(Ignoring fetching additional|\[(AgentHost|ChatModel|AccountPolicy|reconnection|RemoteAgentHost|Service Worker)|Creation of workbench|Creating a socket|Resolv(ing|ed) connection|Updating additional builtin|ChatSessionStore|Overwriting extension)|Could not locate the bindings file/;

/**
 * @typedef {object} Suite
 * @property {string} entry the bundle that exports `run`
 * @property {string} [extension] the extension's folder; default: this project
 * @property {Record<string, string>} env environment of the extension host
 */

/**
 * @param {Suite} suite
 * @returns {Promise<number>} 0 when every test passed
 */
export async function runInBrowser({ entry, extension, env }) {
  const { openWorkbench } = await import('./workbench.mjs');
  /** @type {(status: number) => void} */
  let finish = () => undefined;
  /** @type {Promise<number>} */
  const finished = new Promise(resolve => (finish = resolve));
  const workbench = await openWorkbench({
    suite: entry,
    env,
    ...(extension === undefined ? {} : { extension }),
    prepare: async context => {
      // The workbench calls these two: the exit status of run(), and each line of the extension host's console and its own log.
      await context.exposeFunction('codeAutomationExit', (/** @type {number} */ status) => finish(status));
      await context.exposeFunction('codeAutomationLog', (/** @type {string} */ type, /** @type {unknown[]} */ args) => print(type, format(...args)));
    },
  });
  const timer = setTimeout(() => finish(-1), TIMEOUT_MS);
  try {
    const status = await finished;
    if (status !== -1) return status;
    console.error(`the suite did not end in ${TIMEOUT_MS / 1000} s; screenshot: ${await workbench.screenshot('suite-timeout')}\n${workbench.serverLog().slice(-3000)}`);
    return 1;
  } finally {
    clearTimeout(timer);
    await workbench.close();
  }
}

/** @param {string} type @param {string} line */
function print(type, line) {
  if (NOISE.test(line)) return;
  console.log(type === 'info' || type === 'log' ? line : `[${type}] ${line.split('\n')[0]}`);
}

/**
 * Downloads a desktop VS Code when there is none of that version yet.
 * @param {Suite} suite
 * @returns {Promise<number>} 0 when every test passed
 */
export async function runOnDesktop({ entry, extension = root, env }) {
  if (process.platform === 'linux' && !process.env.DISPLAY) throw new UserError('the desktop VS Code needs a display (DISPLAY is not set)');
  const { downloadAndUnzipVSCode, runTests } = await import('@vscode/test-electron');
  const vscodeExecutablePath = await downloadAndUnzipVSCode().catch((/** @type {unknown} */ error) => {
    throw new UserError(`the desktop VS Code cannot be downloaded: ${String(error)}`);
  });
  return runTests({
    vscodeExecutablePath,
    extensionDevelopmentPath: extension,
    extensionTestsPath: entry,
    extensionTestsEnv: env,
    launchArgs: [join(root, 'examples'), '--disable-extensions', '--disable-workspace-trust'],
  });
}
