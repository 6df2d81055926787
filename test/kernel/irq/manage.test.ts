import assert from 'node:assert/strict';
import { IRQ_HANDLED, IRQ_NONE, IRQF_NOBALANCING, IRQF_ONESHOT, IRQF_SHARED, IRQ_NOTCONNECTED, irq_affinity_desc } from '../../../src/kernel/include/interrupt';
import { IRQ_MOVE_PCNTXT, IRQ_NOAUTOEN, IRQ_NOREQUEST, IRQD, IRQCHIP_AFFINITY_PRE_STARTUP, IRQCHIP_ONESHOT_SAFE } from '../../../src/kernel/include/irq';
import { IRQS, type irq_desc } from '../../../src/kernel/include/irqdesc';
import { irq_set_status_flags } from '../../../src/kernel/irq/chip';
import { irq_affinity_online_cpu, irq_migrate_all_off_this_cpu } from '../../../src/kernel/irq/cpuhotplug';
import { __irq_alloc_descs, generic_handle_irq, irq_to_desc } from '../../../src/kernel/irq/irqdesc';
import { __irq_domain_alloc_irqs } from '../../../src/kernel/irq/irqdomain';
import { disable_irq, enable_irq, free_irq, irq_set_affinity, request_irq, request_threaded_irq } from '../../../src/kernel/irq/manage';
import { handle_level_irq, handle_percpu_irq, handle_simple_irq } from '../../../src/kernel/irq/flow';
import { irq_move_irq } from '../../../src/kernel/irq/migration';
import { AFFINITY, AFFINITY_LIST, init_irq_proc, write_irq_affinity } from '../../../src/kernel/irq/proc';
import { cpumask } from '../../../src/kernel/lib/cpumask';
import { EBUSY, EINVAL, EIO, ENOSPC, ENOSYS, ENOTCONN, EOVERFLOW, ERANGE } from '../../../src/kernel/lib/errno';
import { HK_FLAG } from '../../../src/kernel/sched/isolation';
import type { World } from '../../../src/kernel/world';
import { run, setUp, warnings, type Setup } from '../run';
import { fakeDomains, type Fake } from './fake';

const IRQ = 24;
const state = (desc: irq_desc): number => desc.irq_common_data.state_use_accessors;

interface Line extends Fake {
  readonly world: World;
  readonly desc: irq_desc;
}

/** One interrupt, 24, of the two fake domains. @param managed its CPUs */
function line(setup: Setup = {}, managed?: readonly number[]): Line {
  const world = setUp(setup);
  const fake = fakeDomains();
  const affinity = managed ? [new irq_affinity_desc(cpumask.of(world.kernel.nr_cpu_ids, ...managed), true)] : null;
  assert.equal(run(__irq_domain_alloc_irqs(fake.bus, -1, 1, -1, null, false, affinity)), IRQ);
  fake.calls.length = 0;
  return { ...fake, world, desc: irq_to_desc(IRQ)! };
}

function* handled(): Generator<never, number, void> { return IRQ_HANDLED; }
function* none(): Generator<never, number, void> { return IRQ_NONE; }
const request = (flags = 0, name = 'dev', dev: unknown = 'dev', handler = handled): number => run(request_irq(IRQ, handler, flags, name, dev));

describe('requesting an interrupt', () => {
  it('activates, unmasks, then sets the affinity', () => {
    const { calls, desc } = line();
    assert.equal(request(), 0);
    assert.deepEqual(calls, ['root.activate', 'bus.activate', 'bus.unmask', 'bus.set_affinity 0-3']);
    assert.equal(state(desc), IRQD.ACTIVATED | IRQD.IRQ_STARTED);
    assert.equal(desc.depth, 0);
  });
  it('sets the affinity first in kernels and for chips that ask for it', () => {
    const { calls, busChip } = line({ kernel: 'v5.10.223' });
    busChip.flags |= IRQCHIP_AFFINITY_PRE_STARTUP;
    request();
    assert.deepEqual(calls.slice(-2), ['bus.set_affinity 0-3', 'bus.unmask']);
  });
  it('narrows the affinity to the device\'s node', () => {
    const { desc } = line({ cpus: 4, node: (cpu) => cpu >> 1 });
    desc.irq_common_data.node = 1;
    request();
    assert.equal(desc.irq_common_data.affinity.toString(), '2-3');
  });
  it('returns what activation says, and nothing stays', () => {
    const { desc, fail } = line();
    fail.set('root.activate', -ENOSPC);
    assert.equal(request(), -ENOSPC);
    assert.deepEqual([desc.action, desc.lock.owner, desc.request_mutex.owner, state(desc)], [null, null, null, IRQD.IRQ_DISABLED | IRQD.IRQ_MASKED]);
  });
  it('only installs the handler where it is not to start by itself', () => {
    const { calls, desc } = line();
    run(irq_set_status_flags(IRQ, IRQ_NOAUTOEN));
    assert.equal(request(), 0);
    assert.deepEqual(calls, ['root.activate', 'bus.activate']);
    assert.equal(desc.depth, 1);
    run(enable_irq(IRQ));
    assert.equal(calls.at(-1), 'bus.set_affinity 0-3');
  });
  it('is refused for what cannot be', () => {
    line();
    assert.equal(run(request_irq(IRQ_NOTCONNECTED, handled, 0, 'dev', null)), -ENOTCONN);
    assert.equal(run(request_irq(99, handled, 0, 'dev', null)), -EINVAL);
    assert.equal(run(request_irq(IRQ, null, 0, 'dev', null)), -EINVAL);
    assert.equal(run(request_irq(IRQ, handled, IRQF_SHARED, 'dev', null)), -EINVAL);
    run(irq_set_status_flags(IRQ, IRQ_NOREQUEST));
    assert.equal(request(), -EINVAL);
  });
  it('with a thread and no handler needs one-shot, or the line would be open before the thread ran', () => {
    const { desc } = line();
    assert.equal(run(request_threaded_irq(IRQ, null, handled, 0, 'dev', 'me')), -EINVAL);
    assert.equal(run(request_threaded_irq(IRQ, null, handled, IRQF_ONESHOT, 'a-long-name-indeed', 'me')), 0);
    // as long as a task's name may be
    assert.deepEqual([desc.action!.thread, desc.action!.thread_mask], [`irq/${IRQ}-a-long-name-indeed`.slice(0, 15), 1]);
  });
  it('without a chip is -ENOSYS', () => {
    setUp();
    assert.equal(run(__irq_alloc_descs(IRQ, IRQ, 1, -1, null)), IRQ);
    assert.equal(request(), -ENOSYS);
  });
  it('drops one-shot where the chip is safe without', () => {
    const { desc, busChip } = line();
    busChip.flags |= IRQCHIP_ONESHOT_SAFE;
    request(IRQF_ONESHOT | IRQF_NOBALANCING);
    assert.equal(desc.istate & IRQS.ONESHOT, 0);
    assert.equal(desc.action!.flags, IRQF_NOBALANCING);
    assert.ok(state(desc) & IRQD.NO_BALANCING);
  });
});

describe('a shared line', () => {
  it('takes those that share and agree, in their order', () => {
    const { desc, calls } = line();
    assert.equal(request(IRQF_SHARED, 'a', 1), 0);
    calls.length = 0;
    assert.equal(request(IRQF_SHARED, 'b', 2), 0);
    assert.deepEqual([desc.action!.name, desc.action!.next!.name, calls.length], ['a', 'b', 0]);
  });
  it('refuses the others, and says with which flags', () => {
    const { world } = line();
    request(IRQF_SHARED, 'a', 1);
    assert.equal(request(0, 'b', 2), -EBUSY);
    assert.equal(request(IRQF_SHARED | IRQF_ONESHOT, 'c', 3), -EBUSY);
    assert.equal(request(IRQF_SHARED | 8, 'd', 4), -EBUSY);
    assert.equal(warnings(world)[0], 'genirq: Flags mismatch irq 24. 00000000 (b) vs. 00000080 (a)');
  });
  it('is shut down with the last of them only', () => {
    const { calls } = line();
    request(IRQF_SHARED, 'a', 1);
    request(IRQF_SHARED, 'b', 2);
    calls.length = 0;
    assert.equal(run(free_irq(IRQ, 1)), 'a');
    assert.deepEqual(calls, []);
    assert.equal(run(free_irq(IRQ, 2)), 'b');
    assert.deepEqual(calls, ['bus.mask', 'bus.deactivate', 'root.deactivate']);
  });
});

it('freeing what nobody requested is a warning', () => {
  const { world } = line();
  assert.equal(run(free_irq(IRQ, 'dev')), null);
  assert.equal(warnings(world)[0], 'Trying to free already-free IRQ 24');
});

describe('disabling', () => {
  it('leaves the hardware open until an interrupt comes', () => {
    const { calls, desc, world } = line();
    request();
    calls.length = 0;
    run(disable_irq(IRQ));
    assert.deepEqual(calls, []);
    world.kernel.cpus[0].irqs_enabled = false;
    run(generic_handle_irq(IRQ));
    assert.deepEqual(calls, ['bus.mask', 'bus.ack']);
    assert.ok(desc.istate & IRQS.PENDING);
  });
  it('nests, and one enable too many is a warning', () => {
    const { desc, world } = line();
    request();
    run(disable_irq(IRQ));
    run(disable_irq(IRQ));
    run(enable_irq(IRQ));
    assert.equal(desc.depth, 1);
    run(enable_irq(IRQ));
    run(enable_irq(IRQ));
    assert.equal(warnings(world)[0], 'Unbalanced enable for IRQ 24');
  });
});

describe('an edge interrupt', () => {
  it('is acknowledged, then handled, once more for one that came meanwhile', () => {
    const { calls, desc, world } = line();
    const times: number[] = [];
    request(0, 'dev', 'dev', function* () {
      times.push(desc.tot_count);
      if (times.length === 1) desc.istate |= IRQS.PENDING;
      return IRQ_HANDLED;
    });
    calls.length = 0;
    world.kernel.cpus[0].irqs_enabled = false;
    run(generic_handle_irq(IRQ));
    assert.deepEqual([calls, times, desc.kstat_irqs.get(0)], [['bus.ack'], [1, 1], 1]);
  });
  it('that nobody cares for is shut after 100000', () => {
    const { desc, world } = line();
    request(0, 'dev', 'dev', none);
    world.kernel.cpus[0].irqs_enabled = false;
    for (let i = 0; i < 99999; i++) run(generic_handle_irq(IRQ));
    assert.equal(desc.istate & IRQS.SPURIOUS_DISABLED, 0);
    run(generic_handle_irq(IRQ));
    assert.ok(desc.istate & IRQS.SPURIOUS_DISABLED);
    assert.equal(desc.depth, 1);
    assert.deepEqual(warnings(world), ['irq 24: nobody cared (try booting with the "irqpoll" option)', 'handlers:', '[<(ptrval)>] none', 'Disabling IRQ #24']);
  });
});

describe('the affinity of an interrupt', () => {
  it('that may move in any context is set at once', () => {
    const { calls, desc } = line();
    run(irq_set_status_flags(IRQ, IRQ_MOVE_PCNTXT));
    request();
    calls.length = 0;
    assert.equal(run(irq_set_affinity(IRQ, cpumask.of(4, 2))), 0);
    assert.deepEqual(calls, ['bus.set_affinity 2']);
    assert.equal(desc.irq_common_data.affinity.toString(), '2');
  });
  it('is left to the next interrupt while a move is under way', () => {
    const { desc, fail } = line();
    run(irq_set_status_flags(IRQ, IRQ_MOVE_PCNTXT));
    request();
    fail.set('bus.set_affinity', -EBUSY);
    assert.equal(run(irq_set_affinity(IRQ, cpumask.of(4, 2))), 0);
    assert.ok(state(desc) & IRQD.SETAFFINITY_PENDING);
    assert.equal(desc.pending_mask.toString(), '2');
    assert.equal(desc.irq_common_data.affinity.toString(), '0-3');
  });
  it('that may not is changed by the next interrupt, masked meanwhile; -EBUSY leaves it pending', () => {
    const { calls, desc, fail } = line();
    request();
    calls.length = 0;
    run(irq_set_affinity(IRQ, cpumask.of(4, 2)));
    assert.deepEqual(calls, []);
    fail.set('bus.set_affinity', -EBUSY);
    run(irq_move_irq(desc.irq_data));
    assert.ok(state(desc) & IRQD.SETAFFINITY_PENDING);
    fail.clear();
    run(irq_move_irq(desc.irq_data.parent_data!));
    assert.deepEqual(calls.slice(3), ['bus.mask', 'bus.set_affinity 2', 'bus.unmask']);
    assert.equal(state(desc) & IRQD.SETAFFINITY_PENDING, 0);
    assert.equal(desc.pending_mask.toString(), '');
  });
  it('is only noted as long as there is no vector', () => {
    const { calls, desc } = line();
    desc.irq_common_data.state_use_accessors |= IRQD.AFFINITY_ON_ACTIVATE;
    assert.equal(run(irq_set_affinity(IRQ, cpumask.of(4, 3))), 0);
    assert.equal(calls.length, 0);
    assert.deepEqual([desc.irq_common_data.affinity.toString(), desc.irq_common_data.effective_affinity.toString()], ['3', '3']);
    request();
    assert.equal(calls.at(-1), 'bus.set_affinity 3');
  });

  it('is written as a list or as a mask', () => {
    const { desc } = line({ cpus: 4 });
    run(irq_set_status_flags(IRQ, IRQ_MOVE_PCNTXT));
    request();
    const write = (type: number, text: string): number => run(write_irq_affinity(type, IRQ, text));
    assert.equal(write(AFFINITY_LIST, '1-2\n'), 4);
    assert.equal(desc.irq_common_data.affinity.toString(), '1-2');
    assert.equal(write(AFFINITY_LIST, '0-3:1/2'), 7);
    assert.equal(desc.irq_common_data.affinity.toString(), '0,2');
    assert.equal(write(AFFINITY, '00000008'), 8);
    assert.equal(desc.irq_common_data.affinity.toString(), '3');
    assert.deepEqual(['7', '2-1', 'x', ''].map((text) => write(AFFINITY_LIST, text)), [-ERANGE, -EINVAL, -EINVAL, -EINVAL]);
    assert.deepEqual(['10', '1,00000001', 'g'].map((text) => write(AFFINITY, text)), [-EOVERFLOW, -EOVERFLOW, -EINVAL]);
  });
  it('is not for users to set where it is managed, or without an online CPU', () => {
    line({}, [1]);
    assert.equal(run(write_irq_affinity(AFFINITY_LIST, IRQ, '2')), -EIO);
    line({ online: [0, 1] });
    assert.equal(run(write_irq_affinity(AFFINITY_LIST, IRQ, '2')), -EINVAL);
  });
});

describe('a managed interrupt', () => {
  it('is activated at startup, on its CPUs', () => {
    const { calls, desc } = line({}, [1, 2]);
    request();
    assert.deepEqual(calls, ['root.activate', 'bus.activate', 'bus.set_affinity 1-2', 'bus.unmask']);
    assert.equal(state(desc) & IRQD.MANAGED_SHUTDOWN, 0);
  });
  it('without an online CPU is requested and stays down until one comes', () => {
    const { calls, desc, world } = line({ cpus: 4, online: [0, 1] }, [2]);
    assert.equal(request(), 0);
    assert.deepEqual(calls, []);
    assert.equal(state(desc) & (IRQD.MANAGED_SHUTDOWN | IRQD.IRQ_STARTED), IRQD.MANAGED_SHUTDOWN);

    world.kernel.cpu_online_mask.set(2);
    run(irq_affinity_online_cpu(2));
    assert.deepEqual(calls, ['root.activate', 'bus.activate', 'bus.set_affinity 2', 'bus.unmask']);
  });
  it('keeps off isolated CPUs as long as it can, without forgetting them', () => {
    const { calls, desc, world } = line({}, [1, 2]);
    Object.assign(world.kernel, { housekeeping_mask: cpumask.of(4, 0, 1), housekeeping_flags: HK_FLAG.MANAGED_IRQ });
    request();
    assert.ok(calls.includes('bus.set_affinity 1'));
    assert.equal(desc.irq_common_data.affinity.toString(), '1-2');
  });
  it('goes down with its last CPU; another one breaks its affinity', () => {
    const managed = line({ cpus: 2 }, [0]);
    request();
    managed.calls.length = 0;
    managed.world.kernel.cpu_online_mask.clear(0);
    run(irq_migrate_all_off_this_cpu());
    // masked for the move, then again by the shutdown: the first does not tell the descriptor
    assert.deepEqual(managed.calls, ['bus.mask', 'bus.mask', 'bus.deactivate', 'root.deactivate']);
    assert.ok(state(managed.desc) & IRQD.MANAGED_SHUTDOWN);

    const other = line({ cpus: 2 });
    run(irq_set_status_flags(IRQ, IRQ_MOVE_PCNTXT));
    request();
    run(irq_set_affinity(IRQ, cpumask.of(2, 0)));
    other.calls.length = 0;
    other.world.kernel.cpu_online_mask.clear(0);
    run(irq_migrate_all_off_this_cpu());
    assert.deepEqual(other.calls, ['bus.set_affinity 1']);
    assert.deepEqual(warnings(other.world), ['IRQ 24: no longer affine to CPU0']);
  });
});

it('/proc/irq has a directory for each line with a chip, and one in it for each handler name', () => {
  const { world } = line();
  run(init_irq_proc());
  request(IRQF_SHARED, 'a', 1);
  request(IRQF_SHARED, 'a', 2);
  request(IRQF_SHARED, 'b', 3);
  assert.deepEqual([...world.kernel.root_irq_dir!.get(IRQ)!], ['a', 'b']);
  run(free_irq(IRQ, 2));
  run(free_irq(IRQ, 3));
  assert.deepEqual([...world.kernel.root_irq_dir!.get(IRQ)!], ['a']);
});

describe('flow handlers', () => {
  const come = (): number => run(generic_handle_irq(IRQ));

  it('simple: touches the chip neither before nor behind the handler', () => {
    const { desc, calls } = line();
    request();
    desc.handle_irq = handle_simple_irq;
    calls.length = 0;
    come();
    assert.deepEqual([desc.tot_count, calls], [1, []]);
  });

  it('percpu: acknowledges, and counts without the line\'s total, which no lock would guard', () => {
    const { desc, calls } = line();
    request();
    desc.handle_irq = handle_percpu_irq;
    calls.length = 0;
    come();
    assert.deepEqual([desc.tot_count, desc.kstat_irqs.get(0), calls], [0, 1, ['bus.ack']]);
  });

  it('level: masked and acknowledged while it is handled, opened behind', () => {
    const { desc, calls } = line();
    request();
    desc.handle_irq = handle_level_irq;
    calls.length = 0;
    come();
    assert.deepEqual([desc.tot_count, calls], [1, ['bus.mask', 'bus.ack', 'bus.unmask']]);
  });

  it('level, disabled: stays masked and keeps the interrupt as pending', () => {
    const { desc, calls } = line();
    request();
    desc.handle_irq = handle_level_irq;
    run(disable_irq(IRQ));
    calls.length = 0;
    come();
    assert.deepEqual([desc.tot_count, (desc.istate & IRQS.PENDING) !== 0, calls], [0, true, ['bus.mask', 'bus.ack']]);
  });
});
