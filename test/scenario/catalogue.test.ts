import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { loadScenario } from '../../src/scenario/load';

const examples = readdirSync('examples', { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.irq.yaml')).map(name => name.replaceAll('\\', '/')).sort();

describe('the examples', () => {
  it('say where they stand in the catalogue: a title, a platform, a question and a source', () => {
    const silent = examples.filter(name => {
      const loaded = loadScenario(`examples/${name}`);
      assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.diagnostics));
      const { title, about } = loaded.scenario.file;
      return title === undefined || !about?.question.endsWith('?');
    });
    assert.deepEqual(silent, []);
  });

  it('ask each its own question', () => {
    const questions = examples.map(name => /^ {2}question: (.*)$/m.exec(readFileSync(`examples/${name}`, 'utf8'))?.[1]);
    assert.equal(new Set(questions).size, examples.length);
  });

  it('are listed, each of them, in the README of their folder', () => {
    const missing = examples.filter(name => {
      const [file, ...folders] = name.split('/').reverse();
      return !readFileSync(['examples', ...folders.reverse(), 'README.md'].join('/'), 'utf8').includes(`\`${file.replace('.irq.yaml', '')}`);
    });
    assert.deepEqual(missing, []);
  });
});
