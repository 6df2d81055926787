import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { errnoName } from '../../src/kernel/lib/errno';
import { loadScenario, type ScenarioGuest } from '../../src/scenario/load';
import { Stepper } from '../../src/stepper/stepper';

/** What the steps of a document's scenario returned: errnos by name. */
async function resultsOf(document: string): Promise<(string | number)[]> {
  const text = /^```yaml\n(.*?)^```/ms.exec(readFileSync(document, 'utf8'))![1];
  const loaded = loadScenario(document, text);
  assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.diagnostics));
  let guest: ScenarioGuest | undefined;
  const stop = await new Stepper(host => (guest = loaded.make(host))).run({ kind: 'continue' });
  assert.equal(stop.error, undefined);
  return guest!.results.map(({ value }) => errnoName(value) ?? value);
}

describe('the scenario that a document shows', () => {
  it('does what README.md says of it', async () => assert.deepEqual(await resultsOf('README.md'), [0, 0, 0, 0, '-EIO']));

  it('does what examples/README.md says of it', async () => assert.deepEqual(await resultsOf('examples/README.md'), [0, 0, 0, 0, 0, '-ENOSPC']));
});
