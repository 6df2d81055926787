import assert from 'node:assert/strict';
import { IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD, IRQF_SHARED } from '../../../src/kernel/include/interrupt';
import { IRQ_NESTED_THREAD } from '../../../src/kernel/include/irq';
import { IRQS, type irq_desc } from '../../../src/kernel/include/irqdesc';
import { handle_nested_irq, handle_untracked_irq, irq_set_status_flags } from '../../../src/kernel/irq/chip';
import { generic_handle_irq, irq_to_desc } from '../../../src/kernel/irq/irqdesc';
import { __irq_domain_alloc_irqs } from '../../../src/kernel/irq/irqdomain';
import { disable_irq, free_irq, request_irq, request_threaded_irq } from '../../../src/kernel/irq/manage';
import { note_interrupt } from '../../../src/kernel/irq/spurious';
import { EINVAL } from '../../../src/kernel/lib/errno';
import type { KernelTask, World } from '../../../src/kernel/world';
import { run, setUp, warnings } from '../run';
import { fakeDomains } from './fake';

const IRQ = 24;

/** Interrupt 24, and the tasks that it starts. */
function line(): { world: World; desc: irq_desc; tasks: KernelTask[] } {
  const world = setUp();
  assert.equal(run(__irq_domain_alloc_irqs(fakeDomains().bus, -1, 1, -1, null, false, null)), IRQ);
  const tasks: KernelTask[] = [];
  world.spawn = task => void tasks.push(task);
  return { world, desc: irq_to_desc(IRQ)!, tasks };
}

function* handled(): Generator<never, number, void> { return IRQ_HANDLED; }
function* none(): Generator<never, number, void> { return IRQ_NONE; }
function* wake(): Generator<never, number, void> { return IRQ_WAKE_THREAD; }

/** The interrupt, in interrupt context. */
function arrive({ kernel }: World): void {
  kernel.cpus[0].hardirq_count++;
  run(generic_handle_irq(IRQ));
  kernel.cpus[0].hardirq_count--;
}

describe('an interrupt thread', () => {
  it('runs once for what comes before it has its turn, and is waited for when it is freed', () => {
    const { world, desc, tasks } = line();
    assert.equal(run(request_threaded_irq(IRQ, wake, handled, 0, 'dev', 'me')), 0);
    arrive(world);
    arrive(world);
    assert.deepEqual(tasks.map(({ name }) => name), ['irq/24-dev']);
    assert.throws(() => run(free_irq(IRQ, 'me')), /waits for ever on irq\/24-dev/);
    run(tasks[0].run());
    assert.deepEqual([desc.threads_handled, desc.threads_active], [1, 0]);
  });

  it('that handles nothing makes its interrupts spurious, one interrupt later', () => {
    const { desc } = line();
    run(request_threaded_irq(IRQ, wake, none, 0, 'dev', 'me'));
    for (let i = 0; i < 3; i++) run(note_interrupt(desc, IRQ_WAKE_THREAD));
    // The first is not yet known; each later one is judged by what was handled since.
    assert.deepEqual([desc.irq_count, desc.irqs_unhandled], [2, 2]);
  });
});

describe('a nested interrupt', () => {
  it('needs a function for the thread that it nests in', () => {
    line();
    run(irq_set_status_flags(IRQ, IRQ_NESTED_THREAD));
    assert.equal(run(request_irq(IRQ, handled, 0, 'dev', 'me')), -EINVAL);
  });

  it('calls that function, and nothing else', () => {
    const { world, desc, tasks } = line();
    run(irq_set_status_flags(IRQ, IRQ_NESTED_THREAD));
    assert.equal(run(request_threaded_irq(IRQ, none, handled, 0, 'dev', 'me')), 0);
    run(handle_nested_irq(IRQ));
    assert.deepEqual([desc.tot_count, desc.irqs_unhandled, tasks.length, desc.action!.thread], [1, 0, 0, null]);

    arrive(world);
    assert.ok(warnings(world).includes(`Primary handler called for nested irq ${IRQ}`));
  });

  it('is kept while it is disabled', () => {
    const { desc } = line();
    run(irq_set_status_flags(IRQ, IRQ_NESTED_THREAD));
    run(request_threaded_irq(IRQ, none, handled, 0, 'dev', 'me'));
    run(disable_irq(IRQ));
    run(handle_nested_irq(IRQ));
    assert.deepEqual([desc.tot_count, (desc.istate & IRQS.PENDING) !== 0], [0, true]);
  });
});

describe('an untracked interrupt', () => {
  it('is handled and not counted', () => {
    const { desc } = line();
    run(request_irq(IRQ, none, IRQF_SHARED, 'dev', 'me'));
    run(handle_untracked_irq(desc));
    assert.deepEqual([desc.tot_count, desc.irq_count, desc.irqs_unhandled], [0, 0, 0]);
  });
});
