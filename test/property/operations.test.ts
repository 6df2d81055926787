import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { bitmap } from '../../src/kernel/lib/bitmap';
import { loadScenario } from '../../src/scenario/load';
import type { ScenarioFile } from '../../src/scenario/scenario-file';
import { InvariantError } from '../../src/scenario/script';
import { toEnd } from '../../src/scenario/to-end';
import { campaign } from './campaign';

describe('random operations on random machines', () => {
  it('break no invariant in 100,000 steps', () => {
    const { operations, failure } = campaign({ seed: 20, operations: 100_000, folder: 'dist/failures' });
    assert.equal(failure, undefined, failure && `${failure.message}: npx irqstep run ${failure.path} --check`);
    assert.ok(operations >= 100_000);
  }).timeout(900_000);

  describe('where a bug is planted', () => {
    const folder = mkdtempSync(join(tmpdir(), 'irqstep-'));
    const original = Object.getOwnPropertyDescriptor(bitmap.prototype, 'clear')!.value as (this: bitmap, bit: number) => void;
    afterEach(() => {
      bitmap.prototype.clear = original;
      rmSync(folder, { recursive: true, force: true });
    });

    it('end in a scenario of a few steps that shows it', () => {
      // A vector is not given back where many are in use.
      const faulty = function (this: bitmap, bit: number): void {
        if (this.nbits !== 256 || bit !== 38) original.call(this, bit);
      };
      bitmap.prototype.clear = faulty;
      const { failure } = campaign({ seed: 1, operations: 100_000, folder });
      assert.ok(failure);
      assert.match(failure.message, /I2: CPU \d+: allocated is \d+; expected \d+/);

      const text = readFileSync(failure.path, 'utf8');
      assert.ok((parse(text) as ScenarioFile).steps.length <= 4, text);
      assert.equal((parse(text) as ScenarioFile).machine!.devices!.length, 1, text);
      const ending = (): Error | undefined => {
        const loaded = loadScenario(failure.path, undefined, { check: true });
        assert.ok(loaded.ok);
        return toEnd(loaded.make).error;
      };
      assert.ok(ending() instanceof InvariantError);
      bitmap.prototype.clear = original;
      assert.equal(ending(), undefined);
    }).timeout(120_000);
  });
});
