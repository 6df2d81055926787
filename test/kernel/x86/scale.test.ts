import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { checkInvariants } from '../../../src/scenario/invariants';
import { booted, probeDrive } from '../../bench/workload/drives';

const CPUS = 1024;
const DRIVES = 98;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Without what other tests have left behind. */
function heapInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe('1024 CPUs and 100,000 interrupts', function () {
  this.timeout(300_000);

  it('boot, are all activated, keep the books, and stay under 2 GiB', () => {
    const before = heapInUse();
    const world = booted(CPUS, DRIVES);
    for (let i = 0; i < DRIVES; i++) assert.equal(probeDrive(i), 0);
    const used = heapInUse() - before;
    const { irq_desc_tree, vector_matrix, cpu_online_mask } = world.kernel;
    assert.equal(cpu_online_mask.weight, CPUS);
    assert.ok(irq_desc_tree.size > 100_000);
    // Each drive's queues take one managed vector of each CPU; its admin queue an ordinary one.
    assert.ok(vector_matrix.maps.every(({ managed, managed_allocated }) => managed === DRIVES && managed_allocated === DRIVES));
    assert.deepEqual(checkInvariants(world), []);
    assert.ok(used < 2 ** 31, `${used} bytes in use`);
  });
});
