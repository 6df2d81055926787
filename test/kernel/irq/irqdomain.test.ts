import assert from 'node:assert/strict';
import { IRQD, irqd_is_activated } from '../../../src/kernel/include/irq';
import { DOMAIN_BUS, IRQ_DOMAIN_FLAG } from '../../../src/kernel/include/irqdomain';
import { irq_get_irq_data, irq_to_desc } from '../../../src/kernel/irq/irqdesc';
import {
  __irq_domain_alloc_irqs, irq_domain_activate_irq, irq_domain_alloc_irqs, irq_domain_alloc_named_fwnode, irq_domain_alloc_named_id_fwnode,
  irq_domain_create_linear, irq_domain_create_tree, irq_domain_deactivate_irq, irq_domain_disconnect_hierarchy, irq_domain_free_irqs,
  irq_domain_get_irq_data, irq_domain_remove, irq_domain_update_bus_token, irq_find_mapping, irq_set_default_host,
} from '../../../src/kernel/irq/irqdomain';
import { EINVAL, ENOSPC, ENOSYS } from '../../../src/kernel/lib/errno';
import { run, setUp, warnings } from '../run';
import { fakeDomains } from './fake';

describe('the name of a domain', () => {
  const named = (name: string, id?: number) => run(irq_domain_create_tree(run(id === undefined ? irq_domain_alloc_named_fwnode(name) : irq_domain_alloc_named_id_fwnode(name, id)), {}, null));

  it('is its node\'s, with the id after a dash', () => {
    setUp();
    assert.equal(named('VECTOR').name, 'VECTOR');
    assert.equal(named('IO-APIC', 0).name, 'IO-APIC-0');
  });
  it('grows by each new bus token', () => {
    setUp();
    const domain = named('VMD-MSI', 0);
    run(irq_domain_update_bus_token(domain, DOMAIN_BUS.PCI_MSI));
    run(irq_domain_update_bus_token(domain, DOMAIN_BUS.PCI_MSI));
    run(irq_domain_update_bus_token(domain, DOMAIN_BUS.VMD_MSI));
    assert.equal(domain.name, 'VMD-MSI-0-3-10');
  });
  it('is counted where there is no node', () => {
    setUp();
    run(irq_domain_create_tree(null, {}, null));
    assert.equal(run(irq_domain_create_tree(null, {}, null)).name, 'unknown-2');
  });
});

describe('a domain', () => {
  it('is hierarchical when it can allocate, and has a limit when it is linear', () => {
    setUp();
    const { bus } = fakeDomains();
    assert.equal(bus.flags, IRQ_DOMAIN_FLAG.HIERARCHY | IRQ_DOMAIN_FLAG.NAME_ALLOCATED);
    assert.equal(bus.hwirq_max, 0xffffffffffffffffn);
    const pins = run(irq_domain_create_linear(run(irq_domain_alloc_named_fwnode('PINS')), 24, {}, null));
    assert.deepEqual([pins.flags, pins.hwirq_max], [IRQ_DOMAIN_FLAG.NAME_ALLOCATED, 24n]);
  });
  it('that is the default and goes leaves no default', () => {
    const { kernel } = setUp();
    const { bus } = fakeDomains();
    run(irq_set_default_host(bus));
    run(irq_domain_remove(bus));
    assert.equal(kernel.irq_default_domain, null);
    assert.deepEqual(kernel.irq_domain_list.map(({ name }) => name), ['ROOT']);
  });
  it('missing altogether is an error with a warning', () => {
    const world = setUp();
    assert.equal(run(irq_domain_alloc_irqs(null, 1, -1, null)), -EINVAL);
    assert.equal(warnings(world)[0], 'domain is NULL; cannot allocate IRQ');
  });
});

for (const kernel of ['v5.10', 'v5.10.223'] as const) {
  describe(`allocating through the hierarchy, ${kernel}`, () => {
    it('makes one irq_data a level and maps each', () => {
      setUp({ kernel });
      const { root, bus, calls } = fakeDomains();
      const virq = run(irq_domain_alloc_irqs(bus, 2, -1, null));
      assert.equal(virq, 24);
      assert.deepEqual(calls, ['bus.alloc', 'root.alloc']);
      assert.equal(run(irq_find_mapping(bus, 125)), 25);
      assert.equal(run(irq_find_mapping(root, 25)), 25);
      assert.deepEqual([root.mapcount, bus.mapcount], [2, 2]);
      assert.equal(run(irq_domain_get_irq_data(root, 24)), irq_get_irq_data(24)!.parent_data);
      assert.equal(irq_get_irq_data(24)!.parent_data!.parent_data, null);
    });
    it('leaves nothing behind when a level refuses', () => {
      const world = setUp({ kernel });
      const { root, bus, fail } = fakeDomains();
      fail.set('root.alloc', -ENOSPC);
      assert.equal(run(irq_domain_alloc_irqs(bus, 2, -1, null)), -ENOSPC);
      assert.equal(irq_to_desc(24), null);
      assert.equal(world.kernel.irq_domain_mutex.owner, null);
      assert.deepEqual([root.mapcount, bus.mapcount, world.kernel.allocated_irqs.weight], [0, 0, 0]);
    });
    it('takes a descriptor over that is there', () => {
      setUp({ kernel });
      const { bus } = fakeDomains();
      const virq = run(irq_domain_alloc_irqs(bus, 1, -1, null));
      run(irq_domain_free_irqs(virq, 1));
      assert.equal(run(__irq_domain_alloc_irqs(bus, 7, 1, -1, null, false, null)), 7);
      const desc = irq_to_desc(7);
      assert.equal(run(__irq_domain_alloc_irqs(bus, 7, 1, -1, null, true, null)), 7);
      assert.equal(irq_to_desc(7), desc);
    });
    it('frees one interrupt after the other, outermost level first', () => {
      setUp({ kernel });
      const { root, bus, calls } = fakeDomains();
      run(irq_domain_alloc_irqs(bus, 2, -1, null));
      calls.length = 0;
      run(irq_domain_free_irqs(24, 2));
      assert.deepEqual(calls, ['bus.free 24', 'root.free 24', 'bus.free 25', 'root.free 25']);
      assert.deepEqual([root.mapcount, bus.mapcount, irq_to_desc(24)], [0, 0, null]);
      assert.equal(run(irq_find_mapping(bus, 124)), 0);
    });
    it('cannot allocate in a domain without alloc', () => {
      setUp({ kernel });
      const domain = run(irq_domain_create_tree(null, {}, null));
      assert.equal(run(irq_domain_alloc_irqs(domain, 1, -1, null)), -ENOSYS);
    });
    it('cuts off the levels that an alloc disconnects, and insists on chips before', () => {
      const world = setUp({ kernel });
      const { root, bus, calls } = fakeDomains();
      const { alloc } = bus.ops;
      bus.ops.alloc = function* (domain, virq, nr, arg) {
        const ret = yield* alloc!(domain, virq, nr, arg);
        return ret || (yield* irq_domain_disconnect_hierarchy(root, virq));
      };
      assert.equal(run(irq_domain_alloc_irqs(bus, 1, -1, null)), 24);
      assert.equal(irq_get_irq_data(24)!.parent_data, null);
      assert.equal(world.kernel.log.at(-1)!.text, 'irq: IRQ24: trimming hierarchy from ROOT');
      run(irq_domain_free_irqs(24, 1));
      assert.ok(!calls.includes('root.free 24'));

      root.ops.alloc = function* () { return 0; };
      bus.ops.alloc = alloc!;
      assert.equal(run(irq_domain_alloc_irqs(bus, 1, -1, null)), -EINVAL);
    });
  });
}

it('a hwirq that two interrupts of a domain share finds the first', () => {
  setUp();
  const { bus } = fakeDomains();
  run(irq_domain_alloc_irqs(bus, 1, -1, null));
  bus.revmap_tree.set(125, irq_get_irq_data(24)!);
  run(irq_domain_alloc_irqs(bus, 1, -1, null));
  assert.equal(run(irq_find_mapping(bus, 125)), 24);
});

describe('activation', () => {
  function allocated() {
    setUp();
    const fake = fakeDomains();
    run(irq_domain_alloc_irqs(fake.bus, 1, -1, null));
    fake.calls.length = 0;
    return { ...fake, data: irq_get_irq_data(24)! };
  }

  it('goes parent first, deactivation child first, and each only once', () => {
    const { calls, data } = allocated();
    assert.equal(run(irq_domain_activate_irq(data, true)), 0);
    assert.equal(run(irq_domain_activate_irq(data, false)), 0);
    assert.deepEqual(calls.splice(0), ['root.activate reserve', 'bus.activate reserve']);
    run(irq_domain_deactivate_irq(data));
    run(irq_domain_deactivate_irq(data));
    assert.deepEqual(calls, ['bus.deactivate', 'root.deactivate']);
  });
  it('that fails above undoes the parents, not the level that failed', () => {
    const { calls, data, fail } = allocated();
    fail.set('bus.activate', -ENOSPC);
    assert.equal(run(irq_domain_activate_irq(data, false)), -ENOSPC);
    assert.deepEqual(calls, ['root.activate', 'bus.activate', 'root.deactivate']);
    assert.equal(irqd_is_activated(data), false);
    assert.equal(data.common.state_use_accessors & IRQD.ACTIVATED, 0);
  });
  it('that fails at the root goes no further', () => {
    const { calls, data, fail } = allocated();
    fail.set('root.activate', -ENOSPC);
    assert.equal(run(irq_domain_activate_irq(data, false)), -ENOSPC);
    assert.deepEqual(calls, ['root.activate']);
  });
});
