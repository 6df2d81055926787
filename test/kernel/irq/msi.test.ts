import assert from 'node:assert/strict';
import { irq_alloc_info } from '../../../src/kernel/arch/x86/hw_irq';
import { irq_affinity_desc } from '../../../src/kernel/include/interrupt';
import { irq_data_get_msi_desc, IRQD, IRQ_SET_MASK_OK_DONE, type irq_chip } from '../../../src/kernel/include/irq';
import { DOMAIN_BUS, IRQ_DOMAIN_FLAG, type irq_domain } from '../../../src/kernel/include/irqdomain';
import { MSI_FLAG, type msi_desc, type msi_domain_info } from '../../../src/kernel/include/msi';
import type { PciDev } from '../../../src/kernel/include/pci';
import { handle_edge_irq } from '../../../src/kernel/irq/chip';
import { irq_get_irq_data, irq_to_desc } from '../../../src/kernel/irq/irqdesc';
import { irq_domain_alloc_irqs, irq_domain_alloc_named_fwnode, irq_domain_update_bus_token, irq_find_mapping } from '../../../src/kernel/irq/irqdomain';
import { alloc_msi_entry, msi_create_irq_domain, msi_domain_alloc_irqs, msi_domain_free_irqs, msi_domain_set_affinity } from '../../../src/kernel/irq/msi';
import { cpumask } from '../../../src/kernel/lib/cpumask';
import { kernel_oops } from '../../../src/kernel/lib/fault';
import { EEXIST, EINVAL, ENOSPC } from '../../../src/kernel/lib/errno';
import { run, setUp, type Setup } from '../run';
import { fakeDomains, type Fake } from './fake';

interface Bench extends Fake {
  readonly domain: irq_domain;
  readonly info: msi_domain_info;
  readonly dev: PciDev;
}

const NO_DEFAULTS = 0;

/** A domain "MSI-3" on top of ROOT, and a device. Messages written are noted as "write 24 0x18": irq and data. */
function bench(flags: number, setup: Setup = {}, domainFlags = 0): Bench {
  setUp(setup);
  const fake = fakeDomains();
  const { calls } = fake;
  fake.rootChip.irq_compose_msi_msg = function* (data, msg) { msg.data = data.irq; };
  const chip: irq_chip = {
    name: 'MSI', flags: 0,
    *irq_ack() { /* as good as none */ },
    *irq_mask() { calls.push('mask'); },
    *irq_unmask() { calls.push('unmask'); },
    *irq_write_msi_msg(data, msg) { calls.push(`write ${data.irq} 0x${msg.data.toString(16)}`); },
  };
  const info: msi_domain_info = { flags, ops: {}, chip, handler: handle_edge_irq, handler_name: 'edge' };
  const domain = run(msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('MSI')), info, fake.root));
  run(irq_domain_update_bus_token(domain, DOMAIN_BUS.PCI_MSI));
  domain.flags |= domainFlags;
  const dev = { msi_list: [] as msi_desc[], numa_node: -1 } as unknown as PciDev;
  return { ...fake, domain, info, dev };
}

/** Gives the device its messages: each of so many vectors, with hwirqs from 1000 on. */
function messages({ dev, info }: Bench, ...nvecs: number[]): void {
  let next = 1000;
  for (const nvec of nvecs) {
    const desc = run(alloc_msi_entry(dev, nvec, null))!;
    desc.msi_attrib.is_msix = nvec === 1;
    desc.msi_attrib.entry_nr = next;
    dev.msi_list.push(desc);
    next += nvec;
  }
  info.ops.set_desc = function* (arg, desc) {
    arg.desc = desc;
    arg.hwirq = desc.msi_attrib.entry_nr;
  };
}

const DEFAULTS = MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS;
const EARLY = DEFAULTS | MSI_FLAG.ACTIVATE_EARLY;
const PCI = EARLY | MSI_FLAG.MUST_REACTIVATE;
const activated = (irq: number): boolean => (irq_to_desc(irq)!.irq_common_data.state_use_accessors & IRQD.ACTIVATED) !== 0;

describe('making an MSI domain', () => {
  it('fills all ops where defaults are asked for', () => {
    const { info, domain } = bench(DEFAULTS);
    assert.deepEqual(Object.values(info.ops).map((op: { name: string }) => op.name).sort(), [
      '__msi_domain_alloc_irqs', '__msi_domain_free_irqs', 'msi_domain_ops_check', 'msi_domain_ops_get_hwirq', 'msi_domain_ops_init', 'msi_domain_ops_prepare', 'msi_domain_ops_set_desc',
    ]);
    assert.equal(info.chip.irq_set_affinity, msi_domain_set_affinity);
    assert.equal(domain.name, 'MSI-3');
    assert.equal(domain.flags, IRQ_DOMAIN_FLAG.HIERARCHY | IRQ_DOMAIN_FLAG.NAME_ALLOCATED | IRQ_DOMAIN_FLAG.MSI);
  });
  it('fills allocation and freeing in any case: without get_hwirq, allocating calls NULL', () => {
    const { info, domain } = bench(NO_DEFAULTS);
    assert.deepEqual(Object.keys(info.ops).sort(), ['domain_alloc_irqs', 'domain_free_irqs']);
    assert.equal(info.chip.irq_set_affinity, undefined);
    assert.throws(() => run(irq_domain_alloc_irqs(domain, 1, -1, new irq_alloc_info())), kernel_oops);
  });
  it('leaves what the domain brings', () => {
    setUp();
    const { root } = fakeDomains();
    function* mine() { return 7; }
    const info: msi_domain_info = { flags: MSI_FLAG.USE_DEF_DOM_OPS, ops: { get_hwirq: mine }, chip: { name: 'MSI', flags: 0 } };
    run(msi_create_irq_domain(null, info, root));
    assert.equal(info.ops.get_hwirq, mine);
  });
  it('with default chip ops insists on mask and unmask', () => {
    setUp();
    assert.throws(() => run(msi_create_irq_domain(null, { flags: MSI_FLAG.USE_DEF_CHIP_OPS, ops: {}, chip: { name: 'MSI', flags: 0 } }, null)), /kernel BUG/);
  });
});

describe('allocating a device\'s messages', () => {
  it('gives each its interrupts, level by level, without activating', () => {
    const b = bench(DEFAULTS);
    messages(b, 1, 2);
    assert.equal(run(msi_domain_alloc_irqs(b.domain, b.dev, 3)), 0);
    assert.deepEqual(b.dev.msi_list.map(({ irq }) => irq), [24, 25]);
    assert.equal(irq_data_get_msi_desc(irq_get_irq_data(26)!), b.dev.msi_list[1]);
    assert.equal(run(irq_find_mapping(b.domain, 1002)), 26);
    assert.deepEqual([irq_to_desc(24)!.name, irq_to_desc(24)!.handle_irq], ['edge', handle_edge_irq]);
    assert.deepEqual(b.calls, ['root.alloc', 'root.alloc']);
  });
  it('refuses a hwirq that is mapped', () => {
    const b = bench(DEFAULTS);
    const arg = Object.assign(new irq_alloc_info(), { hwirq: 5 });
    assert.equal(run(irq_domain_alloc_irqs(b.domain, 1, -1, arg)), 24);
    assert.equal(run(irq_domain_alloc_irqs(b.domain, 1, -1, arg)), -EEXIST);
  });
  it('turns every errno into -ENOSPC, and lets the domain turn that into a smaller number', () => {
    const b = bench(DEFAULTS);
    messages(b, 2);
    b.fail.set('root.alloc', -EINVAL);
    assert.equal(run(msi_domain_alloc_irqs(b.domain, b.dev, 2)), -ENOSPC);
    b.info.ops.handle_error = function* () { return 1; };
    assert.equal(run(msi_domain_alloc_irqs(b.domain, b.dev, 2)), 1);
  });
  it('keeps what was allocated before one failed: the caller frees', () => {
    const b = bench(DEFAULTS);
    messages(b, 1, 1);
    const { set_desc } = b.info.ops;
    b.info.ops.set_desc = function* (arg, desc) {
      yield* set_desc!(arg, desc);
      if (desc === b.dev.msi_list[1]) b.fail.set('root.alloc', -ENOSPC);
    };
    assert.equal(run(msi_domain_alloc_irqs(b.domain, b.dev, 2)), -ENOSPC);
    assert.deepEqual(b.dev.msi_list.map(({ irq }) => irq), [24, 0]);
    run(msi_domain_free_irqs(b.domain, b.dev));
    assert.deepEqual([b.dev.msi_list[0].irq, irq_to_desc(24)], [0, null]);
  });
});

describe('early activation', () => {
  it('only reserves for MSI-X, writes a message, and forgets that it did', () => {
    const b = bench(PCI);
    messages(b, 1);
    run(msi_domain_alloc_irqs(b.domain, b.dev, 1));
    assert.deepEqual(b.calls, ['root.alloc', 'root.activate reserve', 'write 24 0x18']);
    assert.equal(activated(24), false);
  });
  it('takes a vector for MSI that cannot be masked, and marks it where the domain has the quirk', () => {
    const b = bench(PCI, {}, IRQ_DOMAIN_FLAG.MSI_NOMASK_QUIRK);
    messages(b, 1);
    b.dev.msi_list[0].msi_attrib.is_msix = false;
    run(msi_domain_alloc_irqs(b.domain, b.dev, 1));
    assert.ok(b.calls.includes('root.activate'));
    assert.equal(activated(24), true);
    assert.ok(irq_to_desc(24)!.irq_common_data.state_use_accessors & IRQD.MSI_NOMASK_QUIRK);
  });
  it('is of the first vector of a block only in v5.10, of all in v5.10.223', () => {
    for (const [kernel, reserved] of [['v5.10', 1], ['v5.10.223', 3]] as const) {
      const b = bench(PCI, { kernel });
      messages(b, 3);
      b.dev.msi_list[0].msi_attrib.maskbit = true;
      run(msi_domain_alloc_irqs(b.domain, b.dev, 3));
      assert.equal(b.calls.filter((call) => call === 'root.activate reserve').length, reserved, kernel);
    }
  });
  for (const kernel of ['v5.10', 'v5.10.223'] as const) {
    it(`that fails deactivates those before and frees all, ${kernel}`, () => {
      const b = bench(EARLY, { kernel });
      messages(b, 1, 1);
      const activate = b.root.ops.activate!;
      b.root.ops.activate = function* (domain, data, reserve) { return data.irq === 25 ? -ENOSPC : yield* activate(domain, data, reserve); };
      assert.equal(run(msi_domain_alloc_irqs(b.domain, b.dev, 2)), -ENOSPC);
      assert.equal(b.calls.filter((call) => call === 'root.deactivate').length, 1);
      assert.deepEqual([irq_to_desc(24), irq_to_desc(25), b.domain.mapcount], [null, null, 0]);
    });
  }
});

it('freeing deactivates what is still active in v5.10.223, not in v5.10', () => {
  for (const [kernel, deactivated] of [['v5.10', 0], ['v5.10.223', 1]] as const) {
    const b = bench(EARLY, { kernel });
    messages(b, 1);
    run(msi_domain_alloc_irqs(b.domain, b.dev, 1));
    run(msi_domain_free_irqs(b.domain, b.dev));
    assert.equal(b.calls.filter((call) => call === 'root.deactivate').length, deactivated, kernel);
    assert.equal(b.dev.msi_list[0].irq, 0);
  }
});

describe('moving a message', () => {
  function moved(answer: number): readonly string[] {
    const b = bench(DEFAULTS);
    messages(b, 1);
    run(msi_domain_alloc_irqs(b.domain, b.dev, 1));
    b.rootChip.irq_set_affinity = function* () { return answer; };
    b.calls.length = 0;
    assert.equal(run(msi_domain_set_affinity(irq_get_irq_data(24)!, cpumask.of(4, 2), false)), answer);
    return b.calls;
  }

  it('writes a new one', () => assert.deepEqual(moved(0), ['write 24 0x18']));
  it('leaves it where the parent says so, or fails', () => assert.deepEqual([moved(IRQ_SET_MASK_OK_DONE), moved(-ENOSPC)], [[], []]));
});

it('an entry\'s affinity is its own copy', () => {
  const b = bench(DEFAULTS);
  const mask = cpumask.of(4, 1);
  const entry = run(alloc_msi_entry(b.dev, 1, [new irq_affinity_desc(mask, true)]))!;
  mask.set(2);
  assert.equal(entry.affinity![0].mask.toString(), '1');
});
