import assert from 'node:assert/strict';
import type { irq_affinity } from '../../../src/kernel/include/interrupt';
import { irq_calc_affinity_vectors, irq_create_affinity_masks } from '../../../src/kernel/irq/affinity';
import { cpumask } from '../../../src/kernel/lib/cpumask';
import { run, setUp, type Setup } from '../run';

const affd = (pre = 0, post = 0): irq_affinity => ({ pre_vectors: pre, post_vectors: post, nr_sets: 0, set_size: [] });

function spread(setup: Setup, nvecs: number, wish = affd()): string[] | null {
  setUp(setup);
  return run(irq_create_affinity_masks(nvecs, wish))?.map(({ mask, is_managed }) => `${mask.toString()}${is_managed ? '' : ' unmanaged'}`) ?? null;
}

describe('spreading vectors over CPUs', () => {
  it('gives each CPU its own where there are enough', () => assert.deepEqual(spread({ cpus: 4 }, 4), ['0', '1', '2', '3']));
  it('keeps the order of equal nodes that the sort makes with a node that has no CPU', () => {
    // a machine of 4 nodes with 2 CPUs each and a node of memory only: the node without CPUs sorts first
    assert.deepEqual(spread({ cpus: 8, node: cpu => cpu >> 1, memoryNodes: [0, 1, 2, 3, 4] }, 6), ['4-5', '6-7', '2', '3', '0', '1']);
  });
  it('gives the first vectors one CPU more', () => {
    assert.deepEqual(spread({ cpus: 8 }, 3), ['0-2', '3-5', '6-7']);
    assert.deepEqual(spread({ cpus: 8 }, 5), ['0-1', '2-3', '4-5', '6', '7']);
  });
  it('leaves pre and post vectors at the default affinity, unmanaged', () => {
    assert.deepEqual(spread({ cpus: 4 }, 6, affd(1, 1)), ['0-3 unmanaged', '0', '1', '2', '3', '0-3 unmanaged']);
  });
  it('makes no masks when pre and post vectors are all there are', () => assert.equal(spread({ cpus: 4 }, 2, affd(1, 1)), null));

  it('serves the second of two equal nodes first: the kernel sorts by an unstable heap sort', () => {
    // capture 5.10.0-32-g-8cpu-numa2: the first queue's vector is reserved on CPU 4
    assert.deepEqual(spread({ cpus: 8, node: (cpu) => (cpu < 4 ? 0 : 1) }, 8), ['4', '5', '6', '7', '0', '1', '2', '3']);
  });
  it('serves the smaller node first, in proportion to its CPUs', () => {
    assert.deepEqual(spread({ cpus: 8, node: (cpu) => (cpu < 6 ? 0 : 1) }, 4), ['6-7', '0-1', '2-3', '4-5']);
  });
  it('gives whole nodes to fewer vectors than nodes', () => {
    assert.deepEqual(spread({ cpus: 4, node: (cpu) => cpu }, 2), ['0,2', '1,3']);
  });
  it('gives whole nodes without what may be plugged in, since 5.10.223', () => {
    const setup = { cpus: 4, node: (cpu: number) => cpu % 2, present: [0, 1] };
    assert.deepEqual(spread(setup, 2), ['0,2', '1,3']);
    assert.deepEqual(spread({ ...setup, kernel: 'v5.10.223' }, 1), ['0-3']);
  });
  it('keeps SMT siblings together', () => {
    const { kernel } = setUp({ cpus: 4 });
    kernel.cpu_sibling_map = [0, 1, 2, 3].map((cpu) => cpumask.of(4, cpu & 1, (cpu & 1) + 2));
    assert.deepEqual(run(irq_create_affinity_masks(2, affd()))!.map(({ mask }) => mask.toString()), ['0,2', '1,3']);
  });
  it('counts CPUs that are present but offline, then those that may be plugged in', () => {
    assert.deepEqual(spread({ cpus: 4, present: [0, 1], online: [0] }, 2), ['0,2', '1,3']);
    assert.deepEqual(spread({ cpus: 4, present: [0, 1], online: [0] }, 4), ['0', '1', '2', '3']);
  });
  it('fills each set of a driver by itself', () => {
    const wish: irq_affinity = { ...affd(), *calc_sets(a, n) { a.nr_sets = 2; a.set_size = [n - 2, 2]; } };
    assert.deepEqual(spread({ cpus: 4 }, 6, wish), ['0', '1', '2', '3', '0-1', '2-3']);
  });
});

describe('how many vectors make sense', () => {
  const calc = (min: number, max: number, wish: irq_affinity): number => (setUp({ cpus: 4, online: [0] }), run(irq_calc_affinity_vectors(min, max, wish)));

  it('is one for each possible CPU, and the unspread ones', () => assert.equal(calc(2, 33, affd(1)), 5));
  it('is what the driver can use, if less', () => assert.equal(calc(1, 3, affd(1)), 3));
  it('is none when the unspread ones alone are more than the minimum', () => assert.equal(calc(1, 8, affd(1, 1)), 0));
  it('is all where the driver makes the sets', () => assert.equal(calc(1, 33, { ...affd(1), *calc_sets() { /* never asked here */ } }), 33));
});
