// Device MSI: facts 5.1, 5.3 and 5.4 of what was posted in 2020 (V2 39 to 45) and in 2021, function by function.
import assert from 'node:assert/strict';
import { x86_msi_prepare } from '../../../src/kernel/arch/x86/apic/msi';
import { irq_alloc_info } from '../../../src/kernel/arch/x86/hw_irq';
import { type ChangeId, KERNELS } from '../../../src/kernel/changes';
import { device_msi_create_irq_domain } from '../../../src/kernel/drivers/base/device-msi';
import { make_kernel } from '../../../src/kernel/globals';
import { device, subdevice } from '../../../src/kernel/include/device';
import { IRQCHIP_ONESHOT_SAFE } from '../../../src/kernel/include/irq';
import { irq_alloc_type_name, MSI_FLAG, type msi_domain_info, X86_IRQ_ALLOC_TYPE } from '../../../src/kernel/include/msi';
import { irq_chip_ack_parent, irq_chip_eoi_parent, irq_chip_mask_parent, irq_chip_unmask_parent } from '../../../src/kernel/irq/chip';
import { irq_domain_alloc_irqs, irq_domain_alloc_named_fwnode } from '../../../src/kernel/irq/irqdomain';
import { msi_domain_alloc_irqs, msi_domain_free_irqs, msi_domain_set_affinity } from '../../../src/kernel/irq/msi';
import { EINVAL, ENOMEM } from '../../../src/kernel/lib/errno';
import { write_fail_nth } from '../../../src/kernel/lib/slab';
import { enterWorld, World } from '../../../src/kernel/world';
import { run, setUp } from '../run';
import { fakeDomains } from './fake';
import * as booted from '../x86/machines';

const V2: readonly ChangeId[] = ['v2-39', 'v2-40', 'v2-41', 'v2-42', 'v2-43', 'v2-44', 'v2-45', 'v2-46'];

/** v5.10 with more, without a boot; or another kernel. */
function enter(more: readonly ChangeId[], base: keyof typeof KERNELS = 'v5.10'): World {
  const { machine } = setUp();
  const changes = new Set<ChangeId>([...KERNELS[base], ...more]);
  const world = new World(make_kernel(4, { config: new Set(), cmdline: [] }, changes), machine, changes);
  enterWorld(world, 0);
  world.kernel.cpu_online_mask.setAll();
  world.kernel.irq_default_affinity.setAll();
  world.kernel.gsi_top = 24;
  return world;
}

const nothing = function* (): Generator<never, void> {};
const zero = function* (): Generator<never, number> { return 0; };
const soc = new (class extends device { readonly name = 'soc'; })(-1);
const part = (): subdevice => new subdevice('mdev0', soc, 0);

describe('enum irq_alloc_type (5.1)', () => {
  const numbers = (): number[] => [X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT, X86_IRQ_ALLOC_TYPE.HPET_GET_PARENT];

  it('ends in IOAPIC_GET_PARENT 7 and HPET_GET_PARENT 8; with v2-39 DEV_MSI is 7, and they are 8 and 9', () => {
    const { IOAPIC, HPET, PCI_MSI, PCI_MSIX, DMAR, UV, DEV_MSI } = X86_IRQ_ALLOC_TYPE;
    assert.deepEqual([IOAPIC, HPET, PCI_MSI, PCI_MSIX, DMAR, UV, DEV_MSI], [1, 2, 3, 4, 5, 6, 7]);
    enter([]);
    assert.deepEqual(numbers(), [7, 8]);
    enter(['v2-39']);
    assert.deepEqual(numbers(), [8, 9]);
  });

  it('has a name for each number that the kernel knows', () => {
    const names = (): unknown[] => [7, 8, 9].map(irq_alloc_type_name);
    enter([]);
    assert.deepEqual(names(), ['IOAPIC_GET_PARENT', 'HPET_GET_PARENT', undefined]);
    enter(['v2-39']);
    assert.deepEqual(names(), ['DEV_MSI', 'IOAPIC_GET_PARENT', 'HPET_GET_PARENT']);
  });
});

describe('x86_msi_prepare() (5.1)', () => {
  it('begins with an info that is empty, and asks for DEV_MSI for what is no PCI device; returns 0', () => {
    enter(V2);
    const { root } = fakeDomains();
    const arg = Object.assign(new irq_alloc_info(), { hwirq: 5, flags: 1, data: 'old' });
    assert.equal(run(x86_msi_prepare(root, part(), 1, arg)), 0);
    assert.deepEqual(arg, Object.assign(new irq_alloc_info(), { type: X86_IRQ_ALLOC_TYPE.DEV_MSI }));
  });
});

describe('device_msi_create_irq_domain() (5.1)', () => {
  const made = (flags: number, own: Partial<msi_domain_info> = {}): msi_domain_info => {
    enter(V2);
    const info: msi_domain_info = { flags, ops: {}, chip: { name: 'parts', flags: 0, irq_mask: nothing, irq_unmask: nothing }, ...own };
    run(device_msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('parts')), info, fakeDomains().root));
    return info;
  };

  it('with USE_DEF_CHIP_OPS: mask and unmask are the driver\'s, ack, eoi and affinity the defaults of platform MSI (5.5)', () => {
    const { chip } = made(MSI_FLAG.USE_DEF_CHIP_OPS);
    assert.deepEqual([chip.irq_mask, chip.irq_unmask], [nothing, nothing]);
    assert.deepEqual([chip.irq_ack, chip.irq_eoi, chip.irq_set_affinity], [irq_chip_ack_parent, irq_chip_eoi_parent, msi_domain_set_affinity]);
    const { chip: bare } = made(MSI_FLAG.USE_DEF_CHIP_OPS, { chip: { name: 'bare', flags: 0 } });
    assert.deepEqual([bare.irq_mask, bare.irq_unmask], [irq_chip_mask_parent, irq_chip_unmask_parent], 'and for want of them the parent\'s');
  });

  it('with USE_DEF_DOM_OPS: allocating, freeing and arch_msi_prepare, which is x86_msi_prepare, where they are NULL', () => {
    const { ops } = made(MSI_FLAG.USE_DEF_DOM_OPS);
    assert.deepEqual([ops.domain_alloc_irqs!.name, ops.domain_free_irqs!.name, ops.msi_prepare], ['device_msi_alloc_irqs', 'device_msi_free_irqs', x86_msi_prepare]);
    const own = { domain_alloc_irqs: zero, domain_free_irqs: nothing, msi_prepare: zero };
    const { ops: kept } = made(MSI_FLAG.USE_DEF_DOM_OPS, { ops: { ...own } });
    assert.deepEqual([kept.domain_alloc_irqs, kept.domain_free_irqs, kept.msi_prepare], [own.domain_alloc_irqs, own.domain_free_irqs, own.msi_prepare]);
  });

  it('without the flags it fills in neither, but activates early, may reactivate, and is safe for ONESHOT all the same (V2 43)', () => {
    const { chip, ops, flags } = made(0);
    assert.deepEqual([chip.irq_ack, chip.irq_eoi, ops.msi_prepare], [undefined, undefined, undefined]);
    assert.equal(ops.domain_alloc_irqs!.name, '__msi_domain_alloc_irqs', 'which all MSI domains have');
    assert.deepEqual([flags, chip.flags], [MSI_FLAG.ACTIVATE_EARLY | MSI_FLAG.MUST_REACTIVATE, IRQCHIP_ONESHOT_SAFE]);
  });
});

describe('device_msi_alloc_irqs() (5.3)', () => {
  it('frees the descriptors that it has when there is no memory for the next: -ENOMEM, and nothing was asked of the domain', () => {
    enter(V2);
    const fake = fakeDomains();
    const info: msi_domain_info = { flags: MSI_FLAG.USE_DEF_DOM_OPS, ops: {}, chip: { name: 'parts', flags: 0 } };
    const domain = run(device_msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('parts')), info, fake.root));
    const dev = part();
    write_fail_nth(3);
    assert.equal(run(msi_domain_alloc_irqs(domain, dev, 3)), -ENOMEM);
    assert.deepEqual([dev.msi_list.length, fake.calls], [0, []]);
  });

  it('returns what the store says as it is, before any interrupt; it is freed behind the interrupts (V2 45)', () => {
    enter(V2);
    const fake = fakeDomains();
    const done: string[] = [];
    let answer = -EINVAL;
    const info: msi_domain_info = {
      flags: MSI_FLAG.USE_DEF_DOM_OPS,
      ops: {
        *msi_alloc_store(_domain, dev, nvec) { done.push(`store of ${nvec}, ${dev.msi_list.length} descriptors`); return answer; },
        *msi_free_store(_domain, dev) { done.push(`store goes, ${dev.msi_list.length} descriptors, ${fake.calls.at(-1)}`); },
      },
      chip: { name: 'parts', flags: 0, irq_write_msi_msg: nothing },
    };
    fake.rootChip.irq_compose_msi_msg = nothing;
    const domain = run(device_msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('parts')), info, fake.root));
    const dev = part();
    assert.equal(run(msi_domain_alloc_irqs(domain, dev, 1)), -EINVAL);
    assert.deepEqual([done.splice(0), dev.msi_list.length, fake.calls], [['store of 1, 1 descriptors'], 0, []]);
    answer = 0;
    assert.equal(run(msi_domain_alloc_irqs(domain, dev, 1)), 0);
    const [{ irq }] = dev.msi_list;
    run(msi_domain_free_irqs(domain, dev));
    assert.deepEqual(done, ['store of 1, 1 descriptors', `store goes, 1 descriptors, root.free ${irq}`]);
    assert.equal(dev.msi_list.length, 0);
  });
});

describe('several messages at once below VT-d (5.4)', () => {
  /** What INTEL-IR says to two interrupts of a part. */
  function two(more: readonly ChangeId[]): number {
    const plain = booted.boot(booted.remapped(), { kernel: 'v5.10' });
    const world = new World(plain.kernel, plain.machine, new Set<ChangeId>([...plain.changes, ...V2, ...more]));
    const [pdev] = world.kernel.pci_devices;
    return booted.run(world, 0, function* () {
      const desc = Object.assign(Object.create(null) as object, { dev: new subdevice('mdev0', pdev, 0) });
      const info = Object.assign(new irq_alloc_info(), { type: X86_IRQ_ALLOC_TYPE.DEV_MSI, desc });
      const unit = world.kernel.irq_domain_list.find(({ name }) => name === 'INTEL-IR-0')!;
      return yield* irq_domain_alloc_irqs(unit, 2, -1, info);
    });
  }

  it('are refused by V2 (-EINVAL), which knows several of PCI only, and let by the re-post', () => {
    assert.equal(two([]), -EINVAL);
    assert.ok(two(['repost-vtd-dev-msi']) > 0);
  });
});
