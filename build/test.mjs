// npm test: types, lint, build, the tests in Node and those in VS Code.
// `npm run test:unit` and `npm run test:vscode` run one half of the tests only,
// `... -- test/stepper` those below a path, with the programs as they were last built.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ci, exitStatus, installDependencies, main, root, UserError } from './project.mjs';

const MOCHA = join('node_modules', 'mocha', 'bin', 'mocha.js');
const REPORTER = join(root, 'build', 'mocha-reporter.cjs');
const TOTALS = join(root, 'dist', 'test-totals.json');
const SUITE = join(root, 'dist', 'test', 'vscode', 'suite', 'index.js');

/** @typedef {{ name: string, passed: number, failed: number, skipped: number, seconds: number, why?: string }} Outcome */

const NOTHING = { passed: 0, failed: 0, skipped: 0, seconds: 0 };

/** @type {Outcome[]} */
const outcomes = [];

/** Tests in test/vscode/suite run inside the extension host; those in test/vscode/ui drive the workbench from outside. @param {string} file */
const inVsCode = file => file.startsWith(join('dist', 'test', 'vscode'));

/** Runs of minutes: in a process that has not seen every shape of every other test they take less than half of the time. @param {string} file */
const isLong = file => file.startsWith(join('dist', 'test', 'property'));

/** @param {readonly string[]} below */
async function build(below) {
  const { buildProducts, buildTests } = await import('./bundle.mjs');
  // The suite runs what lies in its folder: also a test that is no more.
  rmSync(join(root, 'dist', 'test', 'vscode'), { recursive: true, force: true });
  if (below.length === 0) await buildProducts();
  return buildTests(below);
}

/** The browser's VS Code; where that cannot be had, the desktop's (IRQSTEP_VSCODE=electron: at once). @param {string[]} tests */
async function vsCode(tests) {
  const { runInBrowser, runOnDesktop } = await import('../test/vscode/run-suite.mjs');
  const driven = tests.filter(file => file.startsWith(join('dist', 'test', 'vscode', 'ui')));
  const why = [];
  try {
    if (process.env.IRQSTEP_VSCODE !== 'electron') {
      await suite('inside VS Code (browser)', runInBrowser);
      await mocha('VS Code as a person drives it', driven);
      return;
    }
  } catch (error) {
    why.push(reason(error));
  }
  try {
    await suite('inside VS Code (desktop)', runOnDesktop);
  } catch (error) {
    why.push(reason(error));
    outcomes.push({ name: 'inside VS Code', ...NOTHING, skipped: 1, why: why.join('; ') });
  }
  if (driven.length > 0) outcomes.push({ name: 'VS Code as a person drives it', ...NOTHING, skipped: driven.length, why: why[0] ?? 'it needs the browser' });
}

/** What this machine lacks; any other error goes on. @param {unknown} error */
function reason(error) {
  if (error instanceof UserError) return error.message;
  throw error;
}

/** @param {string} name @param {typeof import('../test/vscode/run-suite.mjs').runInBrowser} runSuite */
const suite = (name, runSuite) => counted(name, () => runSuite({ entry: SUITE, env: { IRQSTEP_TEST_REPORTER: REPORTER, IRQSTEP_TEST_TOTALS: TOTALS } }));

/** @param {string} name @param {string[]} files */
async function mocha(name, files) {
  if (files.length === 0) return;
  const flags = ['--reporter', REPORTER, '--reporter-option', `totals=${TOTALS}`, '--timeout', '120000'];
  await counted(name, () => exitStatus(process.execPath, ['--enable-source-maps', MOCHA, ...flags, ...files]));
}

/**
 * A run of mocha, whose reporter leaves the totals in a file.
 * @param {string} name
 * @param {() => Promise<number>} runTests
 */
async function counted(name, runTests) {
  title(name);
  mkdirSync(join(root, 'dist'), { recursive: true });
  rmSync(TOTALS, { force: true });
  const start = Date.now();
  const status = await runTests().catch(unexpected);
  const totals = readTotals();
  // A run that ended badly without a failed test did not get to its tests, or to their end.
  const failed = status !== 0 && totals.failed === 0 ? 1 : totals.failed;
  outcomes.push({ name, ...totals, failed, seconds: seconds(start) });
}

/** A harness that breaks is a failed run, not the end of the others. @param {unknown} error */
function unexpected(error) {
  if (error instanceof UserError) throw error;
  console.error(error);
  return 1;
}

/** @returns {{ passed: number, failed: number, skipped: number }} */
function readTotals() {
  try {
    return JSON.parse(readFileSync(TOTALS, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** A check that is no test: it counts only when it fails. @param {string} name @param {...string} args */
async function script(name, ...args) {
  title(name);
  const start = Date.now();
  const status = await exitStatus(process.execPath, args);
  outcomes.push({ name, passed: 0, failed: status === 0 ? 0 : 1, skipped: 0, seconds: seconds(start) });
}

function summary() {
  title('summary');
  for (const { name, passed, failed, skipped, seconds: time, why } of outcomes) {
    const counts = passed + failed + skipped === 0 ? 'ok' : `${passed} passed, ${failed} failed, ${skipped} skipped`;
    console.log(`${name}: ${counts} (${time} s)${why ? `: skipped, ${why}` : ''}`);
  }
  const sum = (/** @type {'passed' | 'failed' | 'skipped'} */ key) => outcomes.reduce((total, outcome) => total + outcome[key], 0);
  const failed = sum('failed') + (ci ? sum('skipped') : 0);
  if (ci && sum('skipped') > 0) console.log('CI=true: what is skipped has failed');
  console.log(`${sum('passed')} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

/** @param {string} name */
const title = name => console.log(`\n== ${name}`);

/** @param {number} start */
const seconds = start => Math.round((Date.now() - start) / 1000);

await main(async () => {
  const halves = process.argv.slice(2).filter(arg => arg.startsWith('--'));
  const below = process.argv.slice(2).filter(arg => !arg.startsWith('--'));
  const wanted = (/** @type {string} */ half) => halves.length === 0 || halves.includes(half);
  await installDependencies();
  if (halves.length === 0) {
    await script('types', 'build/check.mjs');
    await script('lint', 'node_modules/eslint/bin/eslint.js', '.');
  }
  const tests = await build(below);
  if (wanted('--unit')) {
    const unit = tests.filter(file => !inVsCode(file));
    await mocha('tests', unit.filter(file => !isLong(file)));
    await mocha('random operations and faults', unit.filter(isLong));
  }
  if (wanted('--vscode')) await vsCode(tests);
  return summary();
});
