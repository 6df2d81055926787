// What `irqstep run` prints behind each step.
import assert from 'node:assert/strict';
import { brief } from '../../src/recording/brief';
import { recordCalls } from '../../src/recording/call-tree';
import { loadScenario } from '../../src/scenario/load';

describe('the results of a recorded run', () => {
  const text = `machine: { devices: [{ name: eth0, kind: nic, address: 00:03.0 }] }
steps:
  - boot
  - probe: eth0
  - affinity: { irq: 99, cpus: 0 }
    expect: -ENOENT
  - remove: eth0
  - remove: eth0
`;
  for (const check of [false, true]) {
    it(`stand at their steps${check ? ', also with the invariants looked at behind each' : ''}`, async () => {
      const loaded = loadScenario('x.irq.yaml', text, { check });
      assert.ok(loaded.ok);
      const { steps } = await recordCalls(loaded.make, brief);
      const lines = steps.filter(({ call }) => call.line > 3).map(({ call, result }) => [call.line, call.name, result]);
      assert.deepEqual(lines, [[4, 'probe eth0', 0], [5, 'affinity of irq 99: 0', -2], [6, 'expect -ENOENT', undefined], [7, 'remove eth0', 0], [8, 'remove eth0', -19]]);
    });
  }
});
