// Messages of devices that are not PCI: facts of platform-msi.c (v5.10), and of the patches of 2020 that touch it.
import assert from 'node:assert/strict';
import type { ChangeId } from '../../../src/kernel/changes';
import {
  __platform_msi_create_device_domain, MAX_DEV_MSIS, platform_msi_create_irq_domain, platform_msi_domain_alloc, platform_msi_domain_alloc_irqs, platform_msi_domain_free,
  platform_msi_domain_free_irqs, platform_msi_get_host_data,
} from '../../../src/kernel/drivers/base/platform-msi';
import { device, subdevice } from '../../../src/kernel/include/device';
import { DOMAIN_BUS, type irq_domain, type irq_domain_ops } from '../../../src/kernel/include/irqdomain';
import { MSI_FLAG, type msi_desc, type msi_domain_info, type msi_msg } from '../../../src/kernel/include/msi';
import { irq_chip_ack_parent, irq_chip_eoi_parent, irq_chip_mask_parent, irq_chip_unmask_parent } from '../../../src/kernel/irq/chip';
import { __irq_domain_alloc_irqs, irq_domain_alloc_named_fwnode, irq_domain_free_irqs, irq_domain_set_hwirq_and_chip, irq_find_mapping } from '../../../src/kernel/irq/irqdomain';
import { msi_domain_set_affinity } from '../../../src/kernel/irq/msi';
import { EBUSY, EINVAL, ENOSPC } from '../../../src/kernel/lib/errno';
import { enterWorld, World } from '../../../src/kernel/world';
import { make_kernel } from '../../../src/kernel/globals';
import { run, setUp, warnings } from '../run';
import { fakeDomains } from './fake';

interface Bench {
  readonly world: World;
  readonly domain: irq_domain;
  readonly info: msi_domain_info;
  readonly written: string[];
  readonly write_msg: (desc: msi_desc, msg: msi_msg) => Generator<never, void>;
  readonly device: (name: string) => device;
}

/** @param generic the architecture uses asm-generic/msi.h @param changes on top of v5.10 */
function bench({ generic = true, changes = [] as ChangeId[], flags = 0 } = {}): Bench {
  const plain = setUp();
  const all = new Set([...plain.changes, ...changes]);
  const world = new World(make_kernel(4, { config: new Set(generic ? ['GENERIC_MSI_DOMAIN_OPS'] : []), cmdline: [] }, all), plain.machine, all);
  enterWorld(world, 0);
  world.kernel.cpu_possible_mask.setAll();
  world.kernel.cpu_online_mask.setAll();
  world.kernel.irq_default_affinity.setAll();
  world.kernel.gsi_top = 24;

  const fake = fakeDomains();
  fake.rootChip.irq_compose_msi_msg = function* (data, msg) { msg.data = data.irq; };
  const info: msi_domain_info = { flags: flags | MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.ACTIVATE_EARLY, ops: {}, chip: { name: 'pMSI', flags: 0 } };
  const domain = run(platform_msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('ITS')), info, fake.root));
  const written: string[] = [];
  const soc = new (class extends device { readonly name = 'soc'; })(-1);
  const on_soc = (name: string): device => Object.assign(new subdevice(name, soc, 0), { msi_domain: domain });
  return { world, domain, info, written, device: on_soc, *write_msg(desc, msg) { written.push(`${desc.platform!.msi_index}: ${msg.data}`); } };
}

describe('platform MSI', () => {
  it('makes a domain of token PLATFORM_MSI whose name ends in it', () => {
    const { domain } = bench();
    assert.equal(domain.bus_token, DOMAIN_BUS.PLATFORM_MSI);
    assert.equal(domain.name, 'ITS-4');
  });

  it('has the chip do by its parent what it does not itself: mask, unmask, eoi; ack only with v2-41', () => {
    const { chip } = bench().info;
    assert.deepEqual([chip.irq_mask, chip.irq_unmask, chip.irq_eoi, chip.irq_ack], [irq_chip_mask_parent, irq_chip_unmask_parent, irq_chip_eoi_parent, undefined]);
    assert.equal(chip.irq_set_affinity, msi_domain_set_affinity);
    assert.equal(bench({ changes: ['v2-41'] }).info.chip.irq_ack, irq_chip_ack_parent);
  });

  it('warns of level interrupts without a chip that can end them, and goes without', () => {
    const { info, world } = bench({ flags: MSI_FLAG.LEVEL_CAPABLE });
    assert.equal(info.flags & MSI_FLAG.LEVEL_CAPABLE, 0);
    assert.ok(warnings(world).some(text => text.includes('platform_msi_update_chip_ops')));
  });

  it('numbers messages by device, from bit 11 on, and index, and writes each by the driver', () => {
    const { domain, written, write_msg, device } = bench();
    const [a, b] = [device('a'), device('b')];
    assert.equal(run(platform_msi_domain_alloc_irqs(a, 2, write_msg)), 0);
    assert.equal(run(platform_msi_domain_alloc_irqs(b, 1, write_msg)), 0);
    assert.equal(run(irq_find_mapping(domain, 1)), a.msi_list[1].irq);
    assert.equal(run(irq_find_mapping(domain, 1 << 11)), b.msi_list[0].irq);
    assert.deepEqual(written, ['0: 24', '1: 25', '0: 26']);
  });

  it('refuses: no domain, no callback, 0 or more than 2048 messages: -EINVAL; a second helping: -EBUSY', () => {
    const { write_msg, device } = bench();
    const dev = device('a');
    assert.equal(MAX_DEV_MSIS, 2048);
    assert.equal(run(platform_msi_domain_alloc_irqs(Object.assign(device('b'), { msi_domain: null }), 1, write_msg)), -EINVAL);
    assert.equal(run(platform_msi_domain_alloc_irqs(dev, 1, null)), -EINVAL);
    assert.equal(run(platform_msi_domain_alloc_irqs(dev, 0, write_msg)), -EINVAL);
    assert.equal(run(platform_msi_domain_alloc_irqs(dev, 2049, write_msg)), -EINVAL);
    assert.equal(run(platform_msi_domain_alloc_irqs(dev, 1, write_msg)), 0);
    assert.equal(run(platform_msi_domain_alloc_irqs(dev, 1, write_msg)), -EBUSY);
  });

  it('refuses a domain of another kind, and says so', () => {
    const { write_msg, device, domain, world } = bench();
    domain.bus_token = DOMAIN_BUS.PCI_MSI;
    assert.equal(run(platform_msi_domain_alloc_irqs(device('a'), 1, write_msg)), -EINVAL);
    assert.deepEqual(warnings(world).slice(-1), ['platform a: Incompatible msi_domain, giving up']);
  });

  it('gives numbers and descriptors back, and the device\'s own number to the next', () => {
    const { write_msg, device, domain, world } = bench();
    const dev = device('a');
    run(platform_msi_domain_alloc_irqs(dev, 3, write_msg));
    run(platform_msi_domain_free_irqs(dev));
    assert.deepEqual([dev.msi_list.length, world.kernel.platform_msi_devid_ida.taken.size, domain.mapcount], [0, 0, 0]);
  });

  it('is of no use on x86: all messages have hwirq 0, the second fails with -ENOSPC, and the first stays without descriptor', () => {
    const { write_msg, device, domain, world } = bench({ generic: false });
    const dev = device('a');
    assert.equal(run(platform_msi_domain_alloc_irqs(dev, 1, write_msg)), 0);
    run(platform_msi_domain_free_irqs(dev));
    assert.equal(run(platform_msi_domain_alloc_irqs(dev, 2, write_msg)), -ENOSPC);
    assert.deepEqual([dev.msi_list.length, domain.mapcount, world.kernel.platform_msi_devid_ida.taken.size], [0, 1, 0]);
  });
});

describe('a device domain below platform MSI', () => {
  const ops: irq_domain_ops = {
    *alloc(domain, virq, nr_irqs) {
      const err = yield* platform_msi_domain_alloc(domain, virq, nr_irqs);
      return err || (yield* irq_domain_set_hwirq_and_chip(domain, virq, 5, { name: 'wires', flags: 0 }, null));
    },
    free: (domain, virq, nr_irqs) => platform_msi_domain_free(domain, virq, nr_irqs),
  };

  it('makes a message for each of its interrupts, as they come, and takes it away with them', () => {
    const { domain, device, write_msg } = bench();
    const dev = device('bridge');
    const wires = run(__platform_msi_create_device_domain(dev, 8, false, write_msg, ops, 'mine'))!;
    assert.deepEqual([wires.parent, wires.revmap_size, platform_msi_get_host_data(wires)], [domain, 8, 'mine']);
    assert.equal(dev.msi_list.length, 0);
    const virq = run(__irq_domain_alloc_irqs(wires, -1, 1, -1, null, false, null));
    assert.deepEqual(dev.msi_list.map(({ irq, platform }) => [irq, platform!.msi_index]), [[virq, 0]]);
    run(irq_domain_free_irqs(virq, 1));
    assert.deepEqual([dev.msi_list.length, wires.mapcount, domain.mapcount], [0, 0, 0]);
  });

  it('is not made where the device has no domain for it', () => {
    const { device, write_msg } = bench();
    assert.equal(run(__platform_msi_create_device_domain(Object.assign(device('a'), { msi_domain: null }), 8, false, write_msg, ops, null)), null);
  });
});
