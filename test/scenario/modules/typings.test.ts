// What a module's author reads about irqstep/model: its typings, its page, and what its functions are said to take.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { modelParameters } from '../../../build/model-parameters.mjs';
import { modelTypings } from '../../../build/model-typings.mjs';
import { modelNames, modelValues } from '../../../src/scenario/modules/model-names';

describe('irqstep/model', function () {
  this.timeout(60_000);

  it('says in src/scenario/modules/parameters.json what its functions take: what build/schema.mjs makes of their types', () => {
    assert.equal(readFileSync('src/scenario/modules/parameters.json', 'utf8'), modelParameters(), 'run: node build/schema.mjs');
  });

  it('has a word about each of its names, types too', () => {
    const lines = modelTypings().text.split('\n');
    const exported = lines.slice(lines.indexOf('  export {') + 1).flatMap(line => /^ {4}(\w+),$/.exec(line)?.[1] ?? []);
    assert.ok(exported.length > 150);
    const silent = exported.filter(name => {
      const at = lines.findIndex(line => new RegExp(`^  (abstract )?(class|function|const|type|interface) ${name}\\b`).test(line));
      return !lines[at - 1].endsWith('*/');
    });
    assert.deepEqual(silent, []);
  });

  it('lists each value on the page of the example, and nothing that is not there', () => {
    const page = readFileSync('examples/own-domain/README.md', 'utf8');
    const listed = [...page.slice(page.indexOf('## What irqstep/model has')).matchAll(/^\| [^|]+ \| (`.*) \|$/gm)].flatMap(([, names]) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    assert.deepEqual([...listed].sort(), [...modelNames].sort());
  });

  it('hands out each function under its own name', () => {
    for (const name of modelNames) {
      const value = modelValues[name];
      if (typeof value === 'function') assert.equal(value.name, name);
    }
  });
});
