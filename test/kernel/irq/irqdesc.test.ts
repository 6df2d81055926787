import assert from 'node:assert/strict';
import { irq_affinity_desc } from '../../../src/kernel/include/interrupt';
import { IRQD } from '../../../src/kernel/include/irq';
import { __irq_alloc_descs, generic_handle_irq, IRQ_BITMAP_BITS, irq_free_descs, irq_to_desc, NR_IRQS } from '../../../src/kernel/irq/irqdesc';
import { cpumask } from '../../../src/kernel/lib/cpumask';
import { EEXIST, EINVAL, ENOMEM, EPERM } from '../../../src/kernel/lib/errno';
import { run, setUp, warnings } from '../run';

const alloc = (irq: number, cnt: number, from = Math.max(irq, 0)): number => run(__irq_alloc_descs(irq, from, cnt, -1, null));

describe('interrupt numbers', () => {
  it('begin above the GSIs, and fill the first gap that is wide enough', () => {
    setUp({ gsiTop: 24 });
    assert.equal(alloc(-1, 4), 24);
    assert.equal(alloc(-1, 1), 28);
    run(irq_free_descs(25, 2));
    assert.equal(alloc(-1, 3), 29);
    assert.equal(alloc(-1, 2), 25);
  });
  it('are taken where asked for, once', () => {
    setUp();
    assert.equal(alloc(9, 1), 9);
    assert.equal(alloc(9, 1), -EEXIST);
    assert.equal(alloc(8, 1, 9), -EINVAL);
    assert.equal(alloc(-1, 0), -EINVAL);
  });
  it('grow nr_irqs as needed, up to the end of the bitmap', () => {
    const { kernel } = setUp();
    kernel.nr_irqs = 30;
    assert.equal(alloc(-1, 10), 24);
    assert.equal(kernel.nr_irqs, 34);
    const last = IRQ_BITMAP_BITS(kernel.config) - 1;
    assert.equal(alloc(last, 1), last);
    assert.equal(alloc(-1, last + 1), -ENOMEM);
  });
});

it('there are as many interrupt numbers as CONFIG_NR_CPUS makes, and IOAPICs need', () => {
  const numbers = (...config: string[]): number => NR_IRQS({ config: new Set(config), cmdline: [] });
  assert.deepEqual([numbers(), numbers('NR_CPUS=512'), numbers('NR_CPUS=8')], [524544, 33024, 4352]);
});

describe('a fresh descriptor', () => {
  it('is disabled, masked, and may go anywhere', () => {
    setUp({ cpus: 4 });
    const desc = irq_to_desc(alloc(-1, 1))!;
    assert.equal(desc.irq_common_data.state_use_accessors, IRQD.IRQ_DISABLED | IRQD.IRQ_MASKED);
    assert.equal(desc.irq_common_data.affinity.toString(), '0-3');
    assert.equal(desc.irq_common_data.effective_affinity.toString(), '');
    assert.deepEqual([desc.depth, desc.irq_data.chip.name, desc.handle_irq.name, desc.status_use_accessors], [1, 'none', 'handle_bad_irq', 0]);
  });
  it('with a managed affinity is shut down, in the node of its first CPU', () => {
    setUp({ cpus: 4, node: (cpu) => cpu >> 1 });
    const masks = [new irq_affinity_desc(cpumask.of(4, 2, 3), true), new irq_affinity_desc(cpumask.of(4, 0), false)];
    const first = run(__irq_alloc_descs(-1, 1, 2, 0, masks));
    const [managed, other] = [irq_to_desc(first)!.irq_common_data, irq_to_desc(first + 1)!.irq_common_data];
    assert.equal(managed.state_use_accessors & (IRQD.AFFINITY_MANAGED | IRQD.MANAGED_SHUTDOWN), IRQD.AFFINITY_MANAGED | IRQD.MANAGED_SHUTDOWN);
    assert.equal(other.state_use_accessors & (IRQD.AFFINITY_MANAGED | IRQD.MANAGED_SHUTDOWN), 0);
    assert.deepEqual([managed.node, other.node, managed.affinity.toString()], [1, 0, '2-3']);
  });
  it('is refused an empty affinity, and no number is used up', () => {
    const { kernel } = setUp({ cpus: 4 });
    assert.equal(run(__irq_alloc_descs(-1, 1, 1, 0, [new irq_affinity_desc(new cpumask(4), true)])), -EINVAL);
    assert.equal(kernel.allocated_irqs.weight, 0);
  });
});

it('an interrupt whose chip needs interrupt context is not handled outside of it', () => {
  const world = setUp();
  const irq = alloc(-1, 1);
  irq_to_desc(irq)!.irq_common_data.state_use_accessors |= IRQD.HANDLE_ENFORCE_IRQCTX;
  assert.equal(run(generic_handle_irq(irq)), -EPERM);
  assert.equal(warnings(world).length, 1);
  assert.equal(run(generic_handle_irq(irq + 1)), -EINVAL);
});
