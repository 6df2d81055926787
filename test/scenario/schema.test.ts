import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { scenarioSchema } from '../../build/scenario-schema.mjs';
import schema from '../../schemas/irq-scenario.schema.json';
import { KERNELS } from '../../src/kernel/changes';

describe('schemas/irq-scenario.schema.json', () => {
  it('is what build/schema.mjs makes of the types', function () {
    this.timeout(30_000);
    assert.equal(readFileSync('schemas/irq-scenario.schema.json', 'utf8'), scenarioSchema(), 'run: node build/schema.mjs');
  });

  it('knows the kernels that the model knows', () => assert.deepEqual(schema.definitions.KernelName.enum, Object.keys(KERNELS)));
});
