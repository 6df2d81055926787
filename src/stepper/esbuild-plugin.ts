// Builds the model so that it can be stepped.
import { readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Plugin } from 'esbuild';
import { erase } from './erase';
import { instrument } from './instrument';

export interface InstrumentPluginOptions {
  /** The project's folder. Default: the working directory. */
  readonly root?: string;
  /** What is put in: nothing, stops, stops and frames; or generators taken out. Default: frames. */
  readonly mode?: 'none' | 'probes' | 'frames' | 'erase';
  /** The model's folder, from the root; sources are listed by their path in it. Default: src/kernel. */
  readonly model?: string;
}

/** Instruments the model's files; those of its lib/ (containers, locks) are not stepped into. */
export function instrumentPlugin({ root = process.cwd(), mode = 'frames', model = 'src/kernel' }: InstrumentPluginOptions = {}): Plugin {
  const folder = join(root, model) + sep;
  const runtime = join(root, 'src', 'stepper', 'runtime.ts');

  return {
    name: 'instrument',
    setup(build) {
      if (mode === 'none') return;
      build.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
        if (!file.startsWith(folder)) return undefined;
        const path = relative(folder, file).split(sep).join('/');
        const source = await readFile(file, 'utf8');
        if (mode === 'erase') return withMap(erase(source, path));
        if (path.startsWith('lib/')) return undefined;
        return withMap(instrument(source, path, { frames: mode === 'frames', runtime }));
      });
    },
  };
}

/** esbuild takes a map only from a comment in the code. */
function withMap({ code, map }: { readonly code: string; readonly map: string }): { contents: string; loader: 'ts' } {
  const url = `data:application/json;base64,${Buffer.from(map).toString('base64')}`;
  return { contents: `${code}\n//# sourceMappingURL=${url}\n`, loader: 'ts' };
}
