// What every script needs: the project's folder, running a command, installing what package-lock.json asks for.
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** npm runs every script in the package's folder; bundled tests are run there too, so this also holds inside a bundle. */
export const root = process.cwd();
if (!existsSync(join(root, 'build', 'project.mjs'))) throw new Error(`run this through npm, in the project's folder, not in ${root}`);

/** On a build server nothing may be skipped. */
export const ci = process.env.CI === 'true';

/** An expected failure whose message is all that the user needs: no stack is printed. */
export class UserError extends Error {}

/**
 * Runs a command with this process's terminal.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} exit status; 128 when a signal ended it
 */
export function exitStatus(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    child.on('error', reject);
    child.on('exit', code => resolve(code ?? 128));
  });
}

/**
 * The same, where failing ends the script.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export async function run(command, args, options) {
  const status = await exitStatus(command, args, options);
  if (status !== 0) throw new UserError(`${command} ${args.join(' ')}: exit status ${status}`);
}

/**
 * The same, saying nothing unless it fails.
 * @param {string} command
 * @param {readonly string[]} args
 */
export async function runQuietly(command, args) {
  try {
    await promisify(execFile)(command, args, { cwd: root });
  } catch (error) {
    const { stdout, stderr } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
    throw new UserError(`${command} ${args.join(' ')} failed\n${stdout ?? ''}${stderr ?? ''}`);
  }
}

/**
 * npm is a script on Windows, which only a shell starts.
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export const npm = (args, options) => run('npm', args, { shell: process.platform === 'win32', ...options });

/** `npm ci`, unless node_modules already holds what package-lock.json asks for. */
export async function installDependencies() {
  if (dependenciesAreInstalled()) return;
  console.log('installing the packages of package-lock.json ...');
  await npm(['ci', '--no-fund', '--no-audit', '--loglevel=error']);
}

function dependenciesAreInstalled() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(installed);
  // Optional packages are those of other platforms.
  return Object.entries(wanted).every(([path, p]) => path === '' || p?.optional || present[path]?.version === p?.version);
}

/**
 * @param {string} lockfile
 * @returns {Partial<Record<string, { version: string, optional?: boolean }>>} by folder
 */
function packagesOf(lockfile) {
  return /** @type {{ packages: ReturnType<typeof packagesOf> }} */ (JSON.parse(readFileSync(lockfile, 'utf8'))).packages;
}

/**
 * Runs a script's main function; an error becomes exit status 1.
 * @param {() => Promise<number | void> | number | void} body
 */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    console.error(error instanceof UserError ? error.message : error);
    process.exitCode = 1;
  }
}
