// What stepping costs: the same model code built in four ways.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as esbuild from 'esbuild';
import { instrumentPlugin } from '../../src/stepper/esbuild-plugin';
import type { Op } from '../../src/stepper/op';

const MODES = ['none', 'probes', 'frames', 'erase'] as const;
type Mode = (typeof MODES)[number];

const TITLES: Record<Mode, string> = { none: 'generators', probes: '+ probes', frames: '+ probes + frames', erase: 'plain functions' };
const ROUNDS = 7;

/** A module that exports a generator `main`, and the folder that is instrumented. */
export interface Workload {
  readonly module: string;
  readonly model: string;
}

interface Build {
  readonly main: () => Op<unknown>;
  readonly $: { readonly n: number };
}

/** Best time of each build, in ms; the builds take turns. */
export async function measure({ module, model }: Workload): Promise<Record<Mode, { ms: number; probes: number }>> {
  const builds = await Promise.all(MODES.map(async mode => ({ mode, build: await load(module, model, mode) })));
  const best = Object.fromEntries(MODES.map(mode => [mode, { ms: Infinity, probes: 0 }])) as Record<Mode, { ms: number; probes: number }>;
  const results = new Set<unknown>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { mode, build } of builds) {
      const before = build.$.n;
      const start = performance.now();
      results.add(mode === 'erase' ? build.main() : finish(build.main()));
      const ms = performance.now() - start;
      best[mode] = { ms: Math.min(best[mode].ms, ms), probes: build.$.n - before };
    }
  }
  if (results.size !== 1) throw new Error(`the builds of ${module} disagree: ${[...results].join(', ')}`);
  return best;
}

export async function report(workload: Workload): Promise<void> {
  const best = await measure(workload);
  console.log(`${workload.module}, best of ${ROUNDS}:`);
  for (const mode of ['erase', 'none', 'probes', 'frames'] as const) {
    const { ms, probes } = best[mode];
    const rate = probes > 0 ? `  ${(probes / ms / 1000).toFixed(1)} million probes/s` : '';
    console.log(`  ${TITLES[mode].padEnd(20)} ${ms.toFixed(1).padStart(8)} ms  ${(ms / best.none.ms).toFixed(2).padStart(5)}${rate}`);
  }
}

async function load(module: string, model: string, mode: Mode): Promise<Build> {
  const root = process.cwd();
  const outfile = join(root, 'dist', 'bench', `${mode}.cjs`);
  const contents = `export { main } from './${module}'; export { $ } from './src/stepper/runtime';`;
  const plugins = [model, dirname(module)].map(folder => instrumentPlugin({ root, mode, model: folder }));
  await esbuild.build({ stdin: { contents, resolveDir: root }, outfile, plugins, bundle: true, platform: 'node', format: 'cjs', target: 'node20', keepNames: true, logLevel: 'warning' });
  return createRequire(outfile)(outfile) as Build;
}

/** Runs to the end; waits wait for nothing. */
function finish(op: Op<unknown>): unknown {
  for (;;) {
    const { done, value } = op.next();
    if (done) return value;
  }
}
