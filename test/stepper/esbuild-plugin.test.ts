import assert from 'node:assert/strict';
import { SourceMap, type SourceMapPayload } from 'node:module';
import * as esbuild from 'esbuild';
import { instrumentPlugin, type InstrumentPluginOptions } from '../../src/stepper/esbuild-plugin';

const FIXTURE = 'test/stepper/fixture/model';

async function build(mode: InstrumentPluginOptions['mode']): Promise<{ code: string; map: SourceMap }> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [`${FIXTURE}/caller.ts`],
    bundle: true,
    write: false,
    sourcemap: 'external',
    format: 'esm',
    outdir: 'out',
    plugins: [instrumentPlugin({ mode, model: FIXTURE })],
  });
  const [map, code] = outputFiles.map(file => file.text);
  return { code, map: new SourceMap(JSON.parse(map) as SourceMapPayload) };
}

describe('the esbuild plugin', () => {
  it('lists modules by their path in the model, and leaves its lib/ alone', async () => {
    const { code } = await build('frames');
    assert.deepEqual([...code.matchAll(/"?path"?: "(.*?)"/g)].map(m => m[1]), ['caller.ts']);
    assert.match(code, /function\* leaf\(n\) \{\n {2}return n \* 2;/);
  });

  it('maps to the lines and columns of the source', async () => {
    const { code, map } = await build('frames');
    const lines = code.split('\n');
    const line = lines.findIndex(text => text.includes('throw new Error("too much")'));
    const entry = map.findEntry(line, lines[line].indexOf('throw new'));
    assert.ok('originalLine' in entry);
    assert.deepEqual([entry.originalLine, entry.originalColumn], [5, 19]);
    assert.match(entry.originalSource, /fixture\/model\/caller\.ts$/);
  });

  it('builds without frames, without probes, and without generators', async () => {
    assert.doesNotMatch((await build('probes')).code, /\$\.enter\(|\$\.c\(/);
    assert.match((await build('probes')).code, /\$\.at\(/);
    assert.doesNotMatch((await build('none')).code, /\$\.at\(/);
    assert.doesNotMatch((await build('erase')).code, /function\*|yield/);
  });
});
