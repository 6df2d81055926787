// The bundles: what is run (dist/) and what tests it (dist/test/).
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { root, UserError } from './project.mjs';
import { writeTypings } from './typings.mjs';

const PLUGIN = 'src/stepper/esbuild-plugin.ts';

/** @type {esbuild.BuildOptions} */
const common = { absWorkingDir: root, bundle: true, sourcemap: true, logLevel: 'warning', target: 'es2022' };

/** @type {esbuild.BuildOptions} */
const node = {
  ...common,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode'],
  // The debugger shows the names of functions and classes, and finds callbacks by them.
  keepNames: true,
};

/** What runs the model at full speed: nobody steps through it. */
const PLAIN = 'test/property/';

/** @type {esbuild.BuildOptions} */
const UNWATCHED = { keepNames: false };

/** @type {esbuild.BuildOptions} */
const program = { ...node, banner: { js: '#!/usr/bin/env node' } };

/** @type {readonly { entry: string, outfile: string, options: esbuild.BuildOptions }[]} */
const PRODUCTS = [
  { entry: 'src/extension/extension.ts', outfile: 'dist/extension.js', options: node },
  { entry: 'debug-adapter/main.ts', outfile: 'dist/debug-adapter.js', options: program },
  { entry: 'src/cli/main.ts', outfile: 'dist/cli.js', options: program },
  { entry: 'webview/panel.ts', outfile: 'dist/webview/panel.js', options: { ...common, platform: 'browser', format: 'iife' } },
];

/** Bundles what runs. */
export async function buildProducts() {
  await writeTypings();
  const plugins = await instrumenting();
  await Promise.all(
    PRODUCTS.map(async ({ entry, outfile, options }) => {
      if (!existsSync(join(root, entry))) {
        console.log(`build: no ${entry} yet, ${outfile} is left out`);
        return;
      }
      await bundle({ ...options, entryPoints: [entry], outfile, plugins });
      if (options === program) chmodSync(join(root, outfile), 0o755);
    }),
  );
  copyListing();
}

/** The model's source is what the debugger shows: it is shipped beside the bundles that run it. */
function copyListing() {
  rmSync(join(root, 'dist', 'model'), { recursive: true, force: true });
  cpSync(join(root, 'src', 'kernel'), join(root, 'dist', 'model'), { recursive: true });
}

/**
 * Bundles every test (one bundle a file) into dist/test.
 * @param {readonly string[]} below only the tests whose paths begin with one of these; none: all
 * @returns {Promise<string[]>} the bundles, by their paths in the project
 */
export async function buildTests(below) {
  const isWanted = (/** @type {string} */ file) => below.length === 0 || below.some(path => file.startsWith(path));
  const tests = filesBelow('test').filter(file => file.endsWith('.test.ts') && isWanted(file));
  const isPlain = (/** @type {string} */ file) => file.startsWith(PLAIN);
  /** @type {esbuild.BuildOptions} */
  const options = { ...node, outbase: 'test', outdir: 'dist/test', packages: 'external', sourcemap: 'inline' };
  await bundle({ ...options, entryPoints: [...tests.filter(file => !isPlain(file)), 'test/vscode/suite/index.ts'], plugins: await instrumenting() });
  await bundle({ ...options, ...UNWATCHED, entryPoints: tests.filter(isPlain) });
  return tests.map(file => join('dist', file.replace(/\.ts$/, '.js')));
}

/**
 * Bundles one more script that runs on Node, such as a benchmark, the way the tests are bundled.
 * @param {string} entry
 * @param {string} outfile
 */
export async function buildScript(entry, outfile) {
  const how = entry.startsWith(PLAIN) ? UNWATCHED : { plugins: await instrumenting() };
  await bundle({ ...node, ...how, entryPoints: [entry], outfile, packages: 'external' });
}

/** esbuild has already printed what is wrong, with file and line. @param {esbuild.BuildOptions} options */
async function bundle(options) {
  await esbuild.build(options).catch(() => {
    throw new UserError('the build failed');
  });
}

/** The plugin that instruments the model is TypeScript of the project: it is bundled first, then used. */
async function instrumenting() {
  if (!existsSync(join(root, PLUGIN))) return [];
  const outfile = join(root, 'dist', 'build', 'esbuild-plugin.mjs');
  await bundle({ ...node, format: 'esm', entryPoints: [PLUGIN], outfile, packages: 'external' });
  const bundled = /** @type {{ instrumentPlugin: () => esbuild.Plugin }} */ (await import(pathToFileURL(outfile).href));
  return [bundled.instrumentPlugin()];
}

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}
