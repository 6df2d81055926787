// Messages of devices that are not PCI: facts of platform-msi.c (v5.10), and of the patches of 2020 that touch it.
import assert from 'node:assert/strict';
import type { ChangeId } from '../../../src/kernel/changes';
import {
  __platform_msi_create_device_domain, MAX_DEV_MSIS, platform_msi_create_irq_domain, platform_msi_domain_alloc, platform_msi_domain_alloc_irqs, platform_msi_domain_free,
  platform_msi_domain_free_irqs, platform_msi_get_host_data,
} from '../../../src/kernel/drivers/base/platform-msi';
import { device, subdevice } from '../../../src/kernel/include/device';
import { IRQCHIP_SUPPORTS_LEVEL_MSI } from '../../../src/kernel/include/irq';
import { DOMAIN_BUS, type irq_domain, type irq_domain_ops } from '../../../src/kernel/include/irqdomain';
import { MSI_FLAG, type msi_desc, type msi_domain_info, type msi_msg } from '../../../src/kernel/include/msi';
import { irq_chip_ack_parent, irq_chip_eoi_parent, irq_chip_mask_parent, irq_chip_unmask_parent } from '../../../src/kernel/irq/chip';
import { __irq_domain_alloc_irqs, irq_domain_alloc_named_fwnode, irq_domain_free_irqs, irq_domain_set_hwirq_and_chip, irq_find_mapping } from '../../../src/kernel/irq/irqdomain';
import { msi_domain_set_affinity } from '../../../src/kernel/irq/msi';
import { EBUSY, EINVAL, ENOMEM, ENOSPC } from '../../../src/kernel/lib/errno';
import { write_fail_nth } from '../../../src/kernel/lib/slab';
import { enterWorld, World } from '../../../src/kernel/world';
import { make_kernel } from '../../../src/kernel/globals';
import { run, setUp, warnings } from '../run';
import { type Fake, fakeDomains } from './fake';

const nothing = function* (): Generator<never, void> {};
const zero = function* (): Generator<never, number> { return 0; };

interface Bench {
  readonly world: World;
  readonly domain: irq_domain;
  readonly fake: Fake;
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
  return { world, domain, fake, info, written, device: on_soc, *write_msg(desc, msg) { written.push(`${desc.platform!.msi_index}: ${msg.data}`); } };
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

  it('leaves what the chip and the domain say themselves (platform_msi_update_chip_ops, platform_msi_update_dom_ops)', () => {
    const { domain } = bench();
    const own = { irq_mask: nothing, irq_unmask: nothing, irq_eoi: nothing, irq_ack: nothing, irq_write_msi_msg: nothing, *irq_set_affinity() { return 0; } };
    const ops = { set_desc: nothing, msi_init: zero };
    const info: msi_domain_info = { flags: MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS, ops: { ...ops }, chip: { name: 'own', flags: 0, ...own } };
    run(platform_msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('own')), info, domain));
    assert.deepEqual({ ...info.chip }, { name: 'own', flags: 0, ...own });
    assert.deepEqual([info.ops.set_desc, info.ops.msi_init], [ops.set_desc, ops.msi_init]);
  });

  it('fills in nothing where the flags do not ask for it', () => {
    const { domain } = bench();
    const info: msi_domain_info = { flags: 0, ops: {}, chip: { name: 'bare', flags: 0 } };
    run(platform_msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('bare')), info, domain));
    assert.deepEqual([info.chip, info.ops.set_desc, info.ops.msi_init], [{ name: 'bare', flags: 0 }, undefined, undefined]);
  });

  it('lets a chip have level interrupts that can end them (IRQCHIP_SUPPORTS_LEVEL_MSI)', () => {
    const { domain, world } = bench();
    const info: msi_domain_info = { flags: MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.LEVEL_CAPABLE, ops: {}, chip: { name: 'level', flags: IRQCHIP_SUPPORTS_LEVEL_MSI } };
    run(platform_msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('level')), info, domain));
    assert.ok(info.flags & MSI_FLAG.LEVEL_CAPABLE);
    assert.deepEqual(warnings(world), []);
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

  it('gives each device the lowest number that is free, and no message of its own before all descriptors are there', () => {
    const { domain, write_msg, device, world } = bench();
    const [a, b, c] = ['a', 'b', 'c'].map(device);
    for (const dev of [a, b]) assert.equal(run(platform_msi_domain_alloc_irqs(dev, 2, write_msg)), 0);
    run(platform_msi_domain_free_irqs(a));
    assert.equal(run(platform_msi_domain_alloc_irqs(c, 2, write_msg)), 0);
    assert.deepEqual([b, c].map(dev => dev.msi_list.map(({ platform }) => [platform!.msi_priv_data.devid, platform!.msi_index])), [[[1, 0], [1, 1]], [[0, 0], [0, 1]]]);
    assert.deepEqual([...world.kernel.platform_msi_devid_ida.taken], [1, 0]);
    assert.equal(run(irq_find_mapping(domain, (1 << 11) | 1)), b.msi_list[1].irq);
  });

  it('has device numbers of 21 bits: what ida_simple_get() says goes on, and the highest hwirq has 32', () => {
    const { write_msg, device, domain, world } = bench();
    const ids = world.kernel.platform_msi_devid_ida.taken;
    const has = ids.has.bind(ids);
    ids.has = id => id < (1 << 21) - 1 || has(id);
    const last = device('last');
    assert.equal(run(platform_msi_domain_alloc_irqs(last, 2048, write_msg)), 0);
    assert.equal(run(irq_find_mapping(domain, 0xffffffff)), last.msi_list[2047].irq);
    const more = device('more');
    assert.equal(run(platform_msi_domain_alloc_irqs(more, 1, write_msg)), -ENOSPC);
    assert.equal(more.msi_list.length, 0);
  });

  it('says -ENOMEM without memory for what its messages share, or for one of them, and keeps nothing', () => {
    for (const nth of [1, 2, 4]) {
      const { write_msg, device, domain, world } = bench();
      const dev = device('a');
      write_fail_nth(nth);
      assert.equal(run(platform_msi_domain_alloc_irqs(dev, 3, write_msg)), -ENOMEM, `allocation ${nth}`);
      assert.match(world.kernel.fail_nth.failed!, nth === 1 ? /struct platform_msi_priv_data$/ : /struct msi_desc$/);
      assert.deepEqual([dev.msi_list.length, world.kernel.platform_msi_devid_ida.taken.size, domain.mapcount], [0, 0, 0]);
    }
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

  it('is asked for on its parent: msi_check and msi_prepare with the device and the count, into the info that all its interrupts share', () => {
    const { info, domain, device, write_msg } = bench();
    const asked: string[] = [];
    info.ops.msi_check = function* (on, _info, dev) { asked.push(`check ${on.name} ${dev.name}`); return 0; };
    info.ops.msi_prepare = function* (on, dev, nvec, arg) { asked.push(`prepare ${on.name} ${dev.name} ${nvec}`); arg.hwirq = 77; return 0; };
    const wires = run(__platform_msi_create_device_domain(device('bridge'), 8, true, write_msg, ops, null))!;
    assert.deepEqual(asked, [`check ${domain.name} bridge`, `prepare ${domain.name} bridge 8`]);
    assert.deepEqual([wires.revmap_size, (wires.host_data as { arg: { hwirq: number } }).arg.hwirq], [0, 77]);
  });

  it('is taken back, and its device number too, where the parent cannot do it', () => {
    const { info, device, write_msg, world } = bench();
    info.ops.msi_prepare = function* () { return -ENOSPC; };
    const domains = world.kernel.irq_domain_list.length;
    assert.equal(run(__platform_msi_create_device_domain(device('bridge'), 8, false, write_msg, ops, null)), null);
    assert.deepEqual([world.kernel.irq_domain_list.length, world.kernel.platform_msi_devid_ida.taken.size], [domains, 0]);
  });

  it('forgets the descriptors of wires whose messages fail, and those only', () => {
    const { fake, domain, device, write_msg } = bench();
    const dev = device('bridge');
    const wires = run(__platform_msi_create_device_domain(dev, 8, false, write_msg, ops, null))!;
    const first = run(__irq_domain_alloc_irqs(wires, -1, 1, -1, null, false, null));
    fake.fail.set('root.alloc', -ENOSPC);
    assert.equal(run(__irq_domain_alloc_irqs(wires, -1, 1, -1, null, false, null)), -ENOSPC);
    assert.deepEqual([dev.msi_list.map(({ irq }) => irq), domain.mapcount], [[first], 1]);
  });

  it('refuses a device whose messages are taken already (-EBUSY), and one with more than 2048 wires (-EINVAL): no domain', () => {
    const { device, write_msg, world } = bench();
    const dev = device('bridge');
    run(platform_msi_domain_alloc_irqs(dev, 1, write_msg));
    assert.equal(run(__platform_msi_create_device_domain(dev, 8, false, write_msg, ops, null)), null);
    assert.equal(run(__platform_msi_create_device_domain(device('wide'), 2049, false, write_msg, ops, null)), null);
    assert.equal(world.kernel.platform_msi_devid_ida.taken.size, 1);
  });

  it('is not made where the device has no domain for it', () => {
    const { device, write_msg } = bench();
    assert.equal(run(__platform_msi_create_device_domain(Object.assign(device('a'), { msi_domain: null }), 8, false, write_msg, ops, null)), null);
  });
});
