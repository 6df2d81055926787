// Domains that stand alone: irq_create_mapping() and what it calls. Source: kernel/irq/irqdomain.c of v5.10
import assert from 'node:assert/strict';
import { IRQ_NOREQUEST } from '../../../src/kernel/include/irq';
import type { irq_domain_ops } from '../../../src/kernel/include/irqdomain';
import { handle_edge_irq, irq_set_chip_and_handler_name } from '../../../src/kernel/irq/chip';
import { __irq_alloc_descs } from '../../../src/kernel/irq/irqdesc';
import { irq_domain_alloc_irqs, irq_domain_alloc_named_fwnode, irq_domain_create_linear, irq_find_mapping, irq_set_default_host } from '../../../src/kernel/irq/irqdomain';
import { irq_create_mapping, irq_dispose_mapping, irq_domain_associate } from '../../../src/kernel/irq/irqdomain_map';
import { EINVAL, EPERM } from '../../../src/kernel/lib/errno';
import type { World } from '../../../src/kernel/world';
import { run, setUp, warnings } from '../run';
import { fakeDomains } from './fake';

describe('irq_create_mapping()', () => {
  let world: World;
  const calls: string[] = [];
  let answer = 0;
  const ops: irq_domain_ops = {
    *map(domain, virq, hwirq) {
      calls.push(`map ${virq} ${hwirq}`);
      yield* irq_set_chip_and_handler_name(virq, { name: 'PINS', flags: 0 }, handle_edge_irq, null);
      return answer;
    },
    *unmap(domain, virq) { calls.push(`unmap ${virq}`); },
  };
  const domain = (size = 8) => run(irq_domain_create_linear(run(irq_domain_alloc_named_fwnode('PINS')), size, ops, null));
  const desc = (virq: number) => world.kernel.irq_desc_tree.get(virq);

  beforeEach(() => {
    world = setUp();
    calls.length = 0;
    answer = 0;
  });

  it('maps a hwirq once: the second time it is the same interrupt, which can be requested', () => {
    const pins = domain();
    const virq = run(irq_create_mapping(pins, 5));
    assert.equal(run(irq_create_mapping(pins, 5)), virq);
    assert.deepEqual([calls, pins.mapcount, run(irq_find_mapping(pins, 5))], [[`map ${virq} 5`], 1, virq]);
    assert.equal(desc(virq)!.status_use_accessors & IRQ_NOREQUEST, 0);
  });

  it('is undone by irq_dispose_mapping(): chip and handler first, then unmap, then the number', () => {
    const pins = domain();
    const virq = run(irq_create_mapping(pins, 5));
    run(irq_dispose_mapping(virq));
    assert.deepEqual([calls.at(-1), pins.mapcount, run(irq_find_mapping(pins, 5)), desc(virq)], [`unmap ${virq}`, 0, 0, undefined]);
  });

  it('gives 0 where map() fails, and says so; of -EPERM nobody need know', () => {
    const pins = domain();
    const said = (): string[] => world.kernel.log.map(({ text }) => text).filter(text => text.includes("didn't like"));
    answer = -EINVAL;
    assert.equal(run(irq_create_mapping(pins, 5)), 0);
    assert.deepEqual(said(), ["irq: PINS didn't like hwirq-0x5 to VIRQ24 mapping (rc=-22)"]);
    answer = -EPERM;
    assert.equal(run(irq_create_mapping(pins, 5)), 0);
    assert.deepEqual([said().length, pins.mapcount, desc(24)], [1, 0, undefined]);
  });

  it('means the default domain by NULL, and warns where there is none', () => {
    assert.equal(run(irq_create_mapping(null, 5)), 0);
    assert.ok(warnings(world).includes('irq_create_mapping_affinity(, 5) called with NULL domain'));
    const pins = domain();
    run(irq_set_default_host(pins));
    assert.ok(run(irq_create_mapping(null, 5)) > 0);
    assert.equal(pins.mapcount, 1);
  });

  it('irq_domain_associate() refuses with a warning: a hwirq beyond the domain, a number without a descriptor, one that has a domain', () => {
    const pins = domain();
    const virq = run(irq_create_mapping(pins, 5));
    const free = run(__irq_alloc_descs(-1, 1, 1, -1, null));
    for (const [irq, hwirq, text] of [[free, 8, 'error: hwirq 0x8 is too large for PINS'], [free + 1, 1, `error: virq${free + 1} is not allocated`], [virq, 1, `error: virq${virq} is already associated`]] as const) {
      assert.equal(run(irq_domain_associate(pins, irq, hwirq)), -EINVAL);
      assert.ok(warnings(world).includes(text), text);
    }
  });

  it('irq_dispose_mapping() of a hierarchy frees all levels', () => {
    const { bus, calls: asked } = fakeDomains();
    const irq = run(irq_domain_alloc_irqs(bus, 1, -1, null));
    run(irq_dispose_mapping(irq));
    assert.deepEqual(asked.slice(-2), [`bus.free ${irq}`, `root.free ${irq}`]);
  });
});
