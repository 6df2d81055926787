// A Chromium for the tests: one on PATH, or as root on Debian the distribution's.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, UserError } from '../project.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];

/** @returns {Promise<string>} the browser's path */
export async function findChromium() {
  const found = process.env.IRQSTEP_CHROMIUM ?? onPath(...NAMES);
  if (found) return found;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    throw new UserError(`no Chromium: none of ${NAMES.join(', ')} is on PATH (IRQSTEP_CHROMIUM names another); only root on Debian gets one by apt-get`);
  }
  console.log('installing chromium with apt-get ...');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['-qq', 'update'], { env });
  await run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', 'chromium'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  return onPath('chromium') ?? 'chromium';
}

/**
 * @param {string[]} names
 * @returns {string | undefined} the first of them that can be executed
 */
export function onPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const extensions = process.platform === 'win32' ? ['.cmd', '.exe'] : [''];
  for (const name of names) {
    for (const folder of folders) {
      for (const extension of extensions) {
        const file = join(folder, name + extension);
        if (isExecutable(file)) return file;
      }
    }
  }
  return undefined;
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
