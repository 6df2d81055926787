// What Xen's code is made of: operations of each kind of guest, chips, numbers, errors. What is asserted is what v5.9's and v5.10's xen.c and events_base.c say, and Xen's public headers.
import assert from 'node:assert/strict';
import { EVTCHN_FIFO, EVTCHN_FIFO_MAX_QUEUES, EVTCHN_FIFO_PRIORITY_DEFAULT, EVTCHNOP, MAP_PIRQ_TYPE, PHYSDEVOP, XENFEAT } from '../../src/hardware/xen/interface';
import { HYPERVISOR_CALLBACK_VECTOR } from '../../src/kernel/arch/x86/hw_irq';
import { pci_xen_init } from '../../src/kernel/arch/x86/pci/xen';
import { xen_setup_pci_msi } from '../../src/kernel/arch/x86/pci/xen_msi';
import { pci_dev_has_special_msi_domain } from '../../src/kernel/drivers/pci/msi_irqdomain';
import { xen_hvm_evtchn_do_upcall } from '../../src/kernel/drivers/xen/events/events_base';
import { info_for_irq, IRQT, PIRQ_MSI_GROUP, PIRQ_NEEDS_EOI, PIRQ_SHAREABLE, type irq_info } from '../../src/kernel/drivers/xen/events/irq_info';
import { subdevice } from '../../src/kernel/include/device';
import type { irq_chip } from '../../src/kernel/include/irq';
import { PCI_CAP_ID_MSIX } from '../../src/hardware/pci-registers';
import type { PciDev } from '../../src/kernel/include/pci';
import { xen_hvm_domain, xen_initial_domain, xen_pv_domain } from '../../src/kernel/include/xen';
import { cpumask } from '../../src/kernel/lib/cpumask';
import { kernel_death } from '../../src/kernel/lib/printk';
import { enterWorld } from '../../src/kernel/world';
import type { Op } from '../../src/stepper/op';
import { procInterrupts } from '../../src/text/proc-interrupts';
import { play, type Played } from './play';

const [EINVAL, ENODEV, ENOSPC, ENOSYS, EPERM] = [-22, -19, -28, -38, -1];
const [BEFORE, AFTER] = ['v5.9', 'v5.10.223'];

const head = (xen: string, more = '', card = 'msix: 4, msi: { vectors: 4, maskable: true }'): string => `machine:
  cpus: 2
  hypervisor: { ${xen} }
${more}  devices:
    - { name: card, kind: custom, address: 00:05.0, ${card} }`;
const ALLOC = 'alloc: { device: card, min: 2, max: 2, flags: [PCI_IRQ_MSIX] }';
const MSI = 'alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSI] }';
const LINE = ['alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }', 'request: { device: card }'];

const run = async (xen: string, steps: readonly string[] = ['boot'], kernel = AFTER, more = '', card?: string): Promise<Played> => {
  const p = await play(head(xen, more, card), steps, { kernel });
  assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));
  return p;
};
const kernelOf = (p: Played) => p.guest.world.kernel;
const dev = (p: Played): PciDev => kernelOf(p).pci_devices.find(d => d.hw.config.name === 'card')!;
const hypercalls = (p: Played, op: string) => p.guest.world.machine.events.flatMap(e => (e.kind === 'hypercall' && e.op === op ? [e] : []));

/** As a driver of the model would call it, of what waits for nothing. */
function result<T>(p: Played, make: () => Op<T>): T {
  enterWorld(p.guest.world, 0);
  const op = make();
  for (;;) {
    const { done, value } = op.next();
    if (done) return value;
  }
}
function infoOf(p: Played, irq: number): irq_info {
  enterWorld(p.guest.world, 0);
  return info_for_irq(irq)!;
}

describe('a guest of Xen', () => {
  it('is PV or HVM, and beside that dom0 or not; PVH counts as HVM (1.1)', async () => {
    const is = async (xen: string): Promise<boolean[]> => {
      const p = await run(`xen: ${xen}`);
      enterWorld(p.guest.world, 0);
      return [xen_pv_domain(), xen_hvm_domain(), xen_initial_domain()];
    };
    assert.deepEqual([await is('pv-domu'), await is('pv-dom0'), await is('hvm'), await is('pvh-dom0')], [[true, false, false], [true, false, true], [false, true, false], [false, true, true]]);
  });

  // fact 1.2
  it('has its hooks: arch_init of a domU alone, who registers lines, who unregisters them', async () => {
    const hooks = async (xen: string): Promise<unknown[]> => {
      const { x86_init, __acpi_register_gsi, __acpi_unregister_gsi, x86_platform } = kernelOf(await run(`xen: ${xen}`));
      return [x86_init.pci_arch_init?.name, __acpi_register_gsi.name, __acpi_unregister_gsi?.name, x86_platform.apic_post_init?.name];
    };
    assert.deepEqual((await hooks('pv-domu'))[0], 'pci_xen_init');
    assert.deepEqual(await hooks('pv-dom0'), [undefined, 'acpi_register_gsi_xen', undefined, undefined]);
    assert.deepEqual(await hooks('hvm'), [undefined, 'acpi_register_gsi_xen_hvm', undefined, 'xen_hvm_msi_init']);
    assert.deepEqual(await hooks('hvm, without: [hvm_pirqs]'), [undefined, 'acpi_register_gsi_ioapic', 'acpi_unregister_gsi_ioapic', undefined]);
    assert.deepEqual(await hooks('pvh-dom0'), await hooks('hvm, without: [hvm_pirqs]'));
  });

  it('is set up by pci_xen_init() as a PV domU only: -ENODEV for others (1.2)', async () => {
    for (const [xen, value] of [['pv-domu', 0], ['pv-dom0', ENODEV], ['hvm', ENODEV], ['pvh-dom0', ENODEV]] as const) assert.equal(result(await run(`xen: ${xen}`), () => pci_xen_init()), value);
    const { pcibios_enable_irq, pcibios_disable_irq } = kernelOf(await run('xen: pv-domu'));
    assert.deepEqual([pcibios_enable_irq.name, pcibios_disable_irq], ['xen_pcifront_enable_irq', null]);
  });

  it('has no x2APIC or APIC virtualisation looked for without a local APIC: pirqs (1.2, disable_apic)', async () => {
    const p = await play(`cmdline: nolapic\n${head('xen: hvm, with: [apic_access_virt]')}`, ['boot'], { kernel: 'v5.10' });
    assert.equal(kernelOf(p).disable_apic, true);
    const called = kernelOf(p).x86_platform.apic_post_init!;
    result(p, () => called());
    assert.equal(kernelOf(p).xen_msi_ops.setup_msi_irqs!.name, 'xen_hvm_setup_msi_irqs');
    const q = await run('xen: hvm, with: [apic_access_virt]');
    assert.equal(kernelOf(q).xen_msi_ops.setup_msi_irqs, undefined);
  });

  // fact 1.3: both tables
  it('has the MSI operations of its kind, before the series in x86_msi, after it in xen_msi_ops', async () => {
    const before = async (xen: string): Promise<unknown[]> => {
      const { x86_msi, pci_msi_ignore_mask } = kernelOf(await run(xen, ['boot'], BEFORE));
      return [x86_msi.setup_msi_irqs!.name, x86_msi.teardown_msi_irq!.name, x86_msi.teardown_msi_irqs!.name, x86_msi.restore_msi_irqs.name, pci_msi_ignore_mask];
    };
    assert.deepEqual(await before('xen: pv-domu'), ['xen_setup_msi_irqs', 'xen_teardown_msi_irq', 'xen_teardown_msi_irqs', 'default_restore_msi_irqs', true]);
    assert.deepEqual(await before('xen: pv-dom0'), ['xen_initdom_setup_msi_irqs', 'xen_teardown_msi_irq', 'default_teardown_msi_irqs', 'xen_initdom_restore_msi_irqs', true]);
    assert.deepEqual(await before('xen: hvm'), ['xen_hvm_setup_msi_irqs', 'xen_teardown_msi_irq', 'default_teardown_msi_irqs', 'default_restore_msi_irqs', false]);
    assert.deepEqual(await before('xen: pvh-dom0'), ['native_setup_msi_irqs', 'native_teardown_msi_irq', 'default_teardown_msi_irqs', 'default_restore_msi_irqs', false]);

    const after = async (xen: string, kernel = 'v5.10'): Promise<unknown[]> => {
      const { x86_msi, xen_msi_ops, pci_msi_ignore_mask, x86_init } = kernelOf(await run(xen, ['boot'], kernel));
      return [xen_msi_ops.setup_msi_irqs?.name, xen_msi_ops.teardown_msi_irqs?.name, x86_msi.restore_msi_irqs.name, pci_msi_ignore_mask, x86_init.create_pci_msi_domain.name];
    };
    assert.deepEqual(await after('xen: pv-domu'), ['xen_setup_msi_irqs', 'xen_pv_teardown_msi_irqs', 'default_restore_msi_irqs', true, 'xen_create_pci_msi_domain']);
    assert.deepEqual(await after('xen: pv-dom0'), ['xen_initdom_setup_msi_irqs', 'xen_pv_teardown_msi_irqs', 'xen_initdom_restore_msi_irqs', true, 'xen_create_pci_msi_domain']);
    assert.deepEqual(await after('xen: hvm'), ['xen_hvm_setup_msi_irqs', 'xen_teardown_msi_irqs', 'default_restore_msi_irqs', false, 'xen_create_pci_msi_domain']);
    // review of V1 24: PVH dom0 gets nothing that is PV's
    assert.deepEqual(await after('xen: pvh-dom0'), [undefined, undefined, 'default_restore_msi_irqs', false, 'native_create_pci_msi_domain']);
    // a later change, which the stable releases have
    assert.equal((await after('xen: hvm', AFTER))[3], true);
  });

  it('of no kind gets a warning and no operations from xen_setup_pci_msi() (1.3)', async () => {
    const p = await run('xen: pvh-dom0', ['boot'], 'v5.10');
    kernelOf(p).xen_domain_type = 'XEN_NATIVE';
    result(p, () => xen_setup_pci_msi());
    assert.equal(kernelOf(p).xen_msi_ops.setup_msi_irqs, undefined);
    assert.ok(kernelOf(p).log.some(({ text }) => text === 'WARNING: CPU: 0 at arch/x86/pci/xen.c xen_setup_pci_msi'));
  });

  it('is warned by xen_teardown_msi_irq() from V2 27 on: nobody is to call it (1.3)', async () => {
    for (const [series, warned] of [[26, false], [27, true]] as const) {
      const p = await run('xen: hvm', [ALLOC], `series:${series}`);
      result(p, () => kernelOf(p).x86_msi.teardown_msi_irq!(dev(p).msi_list[1].irq));
      assert.equal(kernelOf(p).log.some(({ text }) => text === 'WARNING: CPU: 0 at arch/x86/pci/xen.c xen_teardown_msi_irq'), warned);
      assert.equal(kernelOf(p).irq_desc_tree.has(dev(p).msi_list[1].irq), warned);
    }
  });
});

describe('the domain XEN-MSI (1.4)', () => {
  it('refuses what is no PCI device: -EINVAL, and a warning once; at freeing a warning', async () => {
    const p = await run('xen: hvm', [ALLOC]);
    const domain = dev(p).msi_domain!;
    const { domain_alloc_irqs, domain_free_irqs } = kernelOf(p).xen_pci_msi_domain_info.ops;
    const part = new subdevice('part0', dev(p), 0);
    assert.deepEqual([result(p, () => domain_alloc_irqs!(domain, part, 1)), result(p, () => domain_alloc_irqs!(domain, part, 1))], [EINVAL, EINVAL]);
    result(p, () => domain_free_irqs!(domain, part));
    for (const name of ['xen_msi_domain_alloc_irqs', 'xen_msi_domain_free_irqs']) assert.equal(kernelOf(p).log.filter(({ text }) => text === `WARNING: CPU: 0 at arch/x86/pci/xen.c ${name}`).length, 1);
  });

  it('is special: a remapping driver leaves a device that has it alone', async () => {
    for (const [xen, special] of [['hvm', true], ['pv-dom0', true], ['pvh-dom0', false]] as const) {
      const p = await run(`xen: ${xen}`, [ALLOC]);
      assert.equal(result(p, () => pci_dev_has_special_msi_domain(dev(p))), special);
    }
  });

  it('goes past __msi_domain_alloc_irqs(): nothing is activated, nothing is reserved', async () => {
    const p = await run('xen: hvm', [ALLOC]);
    assert.deepEqual(dev(p).msi_list.map(({ irq }) => [p.desc(irq).irq_data.domain, p.desc(irq).irq_data.parent_data]), [[null, null], [null, null]]);
    assert.equal(kernelOf(p).vector_matrix.global_reserved, kernelOf(await run('xen: hvm')).vector_matrix.global_reserved);
  });

  it('is no domain to allocate an interrupt from: get_hwirq is NULL', async () => {
    const p = await run('xen: hvm', [ALLOC]);
    const domain = dev(p).msi_domain!;
    assert.throws(() => result(p, () => domain.ops.alloc!(domain, 100, 1, null)), kernel_death);
  });
});

describe('what a guest of Xen keeps of an irq (1.5)', () => {
  it('has no reference count, and flags of its pirq', async () => {
    assert.deepEqual([PIRQ_NEEDS_EOI, PIRQ_SHAREABLE, PIRQ_MSI_GROUP], [1, 2, 4]);
    const p = await run('xen: pv-dom0', LINE);
    const { refcnt, type, u } = infoOf(p, dev(p).irq);
    assert.deepEqual([refcnt, type, u.pirq.gsi, u.pirq.flags & PIRQ_SHAREABLE], [-1, IRQT.PIRQ, 21, PIRQ_SHAREABLE]);
    assert.equal(infoOf(p, 1).u.pirq.flags & PIRQ_SHAREABLE, 0);
  });

  it('has ISA irqs in a table of their own where there is an 8259 pair, else in chip_data', async () => {
    const hvm = await run('xen: hvm');
    assert.equal(kernelOf(hvm).legacy_info_ptrs[1]!.u.pirq.gsi, 1);
    const dom0 = await run('xen: pv-dom0');
    assert.deepEqual([kernelOf(dom0).legacy_info_ptrs[1], (dom0.desc(1).irq_data.chip_data as irq_info).u.pirq.gsi], [null, 1]);
  });

  it('has -1 for a port that is nobody\'s; no port is 0', async () => {
    const p = await run('xen: hvm');
    const { evtchn_to_irq, xen_irq_list_head } = kernelOf(p);
    assert.equal(evtchn_to_irq[0]![1000], -1);
    assert.ok(xen_irq_list_head.every(({ type, evtchn }) => type === IRQT.PIRQ || evtchn > 0));
  });

  it('is not taken away while events are handled: evtchn_rwlock in v5.10, which v5.9 has not', async () => {
    for (const [kernel, readers] of [['v5.9', 0], ['v5.10', 1]] as const) {
      const p = await run('xen: hvm', [ALLOC, 'request: { device: card }'], kernel);
      const { evtchn_rwlock, xen_pirq_chip, cpus } = kernelOf(p);
      const seen: number[] = [];
      const { irq_ack } = xen_pirq_chip;
      xen_pirq_chip.irq_ack = function* (data) {
        seen.push(evtchn_rwlock.readers);
        yield* irq_ack!(data);
      };
      dev(p).hw.raise(0);
      cpus[0].irqs_enabled = false;
      result(p, () => xen_hvm_evtchn_do_upcall());
      assert.deepEqual([seen, evtchn_rwlock.readers], [[readers], 0]);
    }
  });
});

describe('the chips of Xen (1.6)', () => {
  const CALLBACKS = ['irq_startup', 'irq_shutdown', 'irq_enable', 'irq_disable', 'irq_mask', 'irq_unmask', 'irq_ack', 'irq_eoi', 'irq_mask_ack', 'irq_set_affinity', 'irq_retrigger'] as const;
  const of = (chip: irq_chip): (string | undefined)[] => CALLBACKS.map(name => (chip[name] as { name: string } | undefined)?.name);

  it('have the callbacks of events_base.c', async () => {
    const { xen_pirq_chip, xen_dynamic_chip, xen_percpu_chip, xen_lateeoi_chip } = kernelOf(await run('xen: hvm'));
    const dynamic = [undefined, undefined, undefined, 'disable_dynirq', 'disable_dynirq', 'enable_dynirq'];
    assert.deepEqual([xen_pirq_chip.name, ...of(xen_pirq_chip)], ['xen-pirq', 'startup_pirq', 'shutdown_pirq', 'enable_pirq', 'disable_pirq', 'disable_dynirq', 'enable_dynirq', 'eoi_pirq', 'eoi_pirq', 'mask_ack_pirq', 'set_affinity_irq', 'retrigger_dynirq']);
    assert.deepEqual([xen_dynamic_chip.name, ...of(xen_dynamic_chip)], ['xen-dyn', ...dynamic, 'ack_dynirq', undefined, 'mask_ack_dynirq', 'set_affinity_irq', 'retrigger_dynirq']);
    assert.deepEqual([xen_lateeoi_chip.name, ...of(xen_lateeoi_chip)], ['xen-dyn-lateeoi', ...dynamic, 'mask_ack_dynirq', undefined, 'mask_ack_dynirq', 'set_affinity_irq', 'retrigger_dynirq']);
    assert.deepEqual([xen_percpu_chip.name, ...of(xen_percpu_chip)], ['xen-percpu', ...dynamic, 'ack_dynirq', undefined, undefined, undefined, undefined]);
  });

  it('raise an interrupt again: 1, the event is pending; 0 without a channel (retrigger_dynirq)', async () => {
    for (const [steps, value] of [[[ALLOC], 0], [[ALLOC, 'request: { device: card }'], 1]] as const) {
      const p = await run('xen: hvm', steps);
      const { irq } = dev(p).msi_list[0];
      kernelOf(p).cpus[0].irqs_enabled = false;
      assert.equal(result(p, () => kernelOf(p).xen_pirq_chip.irq_retrigger!(p.desc(irq).irq_data)), value);
      assert.equal(value === 1 && p.guest.world.machine.xen!.channels.abi.isPending(infoOf(p, irq).evtchn), value === 1);
    }
  });

  it('move nothing without a channel, or without a vector callback: -1 (set_affinity_irq)', async () => {
    const p = await run('xen: hvm', [ALLOC]);
    const move = (q: Played, irq: number): number => result(q, () => kernelOf(q).xen_pirq_chip.irq_set_affinity!(q.desc(irq).irq_data, cpumask.of(2, 1), false));
    assert.equal(move(p, dev(p).msi_list[0].irq), EPERM);
    const q = await run('xen: hvm', [ALLOC, 'request: { device: card }']);
    kernelOf(q).xen_have_vector_callback = false;
    assert.equal(move(q, dev(q).msi_list[0].irq), EPERM);
  });
});

describe('how a guest talks to Xen (1.7, 1.11)', () => {
  it('is by the numbers of Xen\'s headers', () => {
    assert.deepEqual(PHYSDEVOP, { irq_status_query: 5, alloc_irq_vector: 10, eoi: 12, map_pirq: 13, unmap_pirq: 14, restore_msi: 19, setup_gsi: 21, get_free_pirq: 23, restore_msi_ext: 27, pirq_eoi_gmfn_v2: 28, prepare_msix: 30, release_msix: 31 });
    assert.deepEqual(EVTCHNOP, { bind_interdomain: 0, bind_virq: 1, bind_pirq: 2, close: 3, send: 4, alloc_unbound: 6, bind_ipi: 7, bind_vcpu: 8, unmask: 9, init_control: 11, expand_array: 12, set_priority: 13 });
    assert.deepEqual(MAP_PIRQ_TYPE, { MSI: 0, GSI: 1, UNKNOWN: 2, MSI_SEG: 3, MULTI_MSI: 4 });
    assert.deepEqual([XENFEAT.hvm_pirqs, HYPERVISOR_CALLBACK_VECTOR], [10, 0xf3]);
    assert.deepEqual([EVTCHN_FIFO.PENDING, EVTCHN_FIFO.MASKED, EVTCHN_FIFO.LINKED, EVTCHN_FIFO.BUSY, EVTCHN_FIFO.LINK_MASK, EVTCHN_FIFO_MAX_QUEUES, EVTCHN_FIFO_PRIORITY_DEFAULT], [31, 30, 29, 28, 0x1ffff, 16, 7]);
  });

  it('says which line is shared: BIND_PIRQ__WILL_SHARE for level triggered ones', async () => {
    const p = await run('xen: pv-dom0', [...LINE, MSI, 'request: { device: card }']);
    const binds = hypercalls(p, 'EVTCHNOP_bind_pirq');
    assert.deepEqual(binds.filter(({ arg }) => arg['pirq'] === 21 || arg['pirq'] === 1).map(({ arg }) => [arg['pirq'], arg['flags']]), [[1, 0], [21, 1]]);
  });

  it('lets the events of a port wait on another CPU: EVTCHNOP_unmask; also on the own, in an HVM guest', async () => {
    for (const xen of ['xen: hvm', 'xen: hvm, without: [fifo]', 'xen: pv-dom0']) {
      const p = await run(xen, [ALLOC, 'request: { device: card }', 'disable: { device: card }', 'raise: card', 'enable: { device: card }']);
      assert.equal(p.desc(dev(p).msi_list[0].irq).kstat_irqs.get(0), 1);
      const { evtchn } = infoOf(p, dev(p).msi_list[0].irq);
      assert.equal(hypercalls(p, 'EVTCHNOP_unmask').filter(({ arg }) => arg['port'] === evtchn).length, 1, xen);
    }
    const near = await run('xen: pv-dom0, without: [fifo]', [ALLOC, 'request: { device: card }', 'disable: { device: card }', 'raise: card', 'enable: { device: card }']);
    const { evtchn } = infoOf(near, dev(near).msi_list[0].irq);
    assert.deepEqual(hypercalls(near, 'EVTCHNOP_unmask').filter(({ arg }) => arg['port'] === evtchn), []);
    assert.equal(near.desc(dev(near).msi_list[0].irq).kstat_irqs.get(0), 1);
  });
});

/** Events for these irqs of CPU 0, by the names of their handlers, in this order. @returns the order in which they are handled */
function handled(p: Played, names: readonly string[]): string[] {
  const { kernel, machine } = p.guest.world;
  const seen: string[] = [];
  for (const chip of [kernel.xen_pirq_chip, kernel.xen_dynamic_chip, kernel.xen_percpu_chip]) {
    const { irq_ack } = chip;
    chip.irq_ack = function* (data) {
      seen.push(p.desc(data.irq).action!.name);
      yield* irq_ack!(data);
    };
  }
  for (const name of names) {
    const desc = [...kernel.irq_desc_tree.values()].find(({ action }) => action?.name === name)!;
    const channel = machine.xen!.channels.channels.get(infoOf(p, desc.irq_data.irq).evtchn)!;
    machine.xen!.channels.abi.setPending(channel);
  }
  kernel.cpus[0].irqs_enabled = false;
  result(p, () => xen_hvm_evtchn_do_upcall());
  return seen;
}

describe('the order of events (1.11)', () => {
  const CARD = [ALLOC, 'request: { device: card, vector: 0, name: a }', 'request: { device: card, vector: 1, name: b }'];

  it('is the timer first, then by ports from where it ended the last time, with the 2-level ABI', async () => {
    for (const kernel of [BEFORE, AFTER]) {
      const p = await run('xen: hvm, without: [fifo]', CARD, kernel);
      // xenstore's port is 1, the timer's is higher, those of the card are the highest
      assert.deepEqual(handled(p, ['b', 'a', 'xenbus', 'timer0']), ['timer0', 'xenbus', 'a', 'b']);
      const q = await run('xen: hvm, without: [fifo]', CARD, kernel);
      assert.deepEqual(handled(q, ['a']), ['a']);
      assert.deepEqual(handled(q, ['a', 'xenbus', 'b']), ['b', 'xenbus', 'a']);
    }
  });

  it('is by priority, and in a priority as they came, with the FIFO ABI: the timer has the highest (EVTCHNOP_set_priority)', async () => {
    for (const kernel of [BEFORE, AFTER]) {
      const p = await run('xen: hvm', CARD, kernel);
      assert.deepEqual(handled(p, ['b', 'xenbus', 'timer0', 'a']), ['timer0', 'b', 'xenbus', 'a']);
      assert.deepEqual(hypercalls(p, 'EVTCHNOP_set_priority').map(({ arg, result }) => [arg['priority'], result]), [[0, 0], [0, 0]]);
      const q = await run('xen: hvm, without: [fifo]', ['boot'], kernel);
      assert.deepEqual(hypercalls(q, 'EVTCHNOP_set_priority').map(({ result }) => result), [ENOSYS, ENOSYS]);
    }
  });
});

describe('allocations that fail in a guest of Xen (1.9, 11.3)', () => {
  it('is -ENOSYS in a domU whose pcifront is not there: "has not registered MSI/MSI-X support!"', async () => {
    for (const kernel of [BEFORE, AFTER]) {
      const p = await run('xen: pv-domu', [ALLOC, 'freeVectors: card'], kernel);
      kernelOf(p).xen_pci_frontend = null;
      const setup = (kernelOf(p).xen_msi_ops.setup_msi_irqs ?? kernelOf(p).x86_msi.setup_msi_irqs)!;
      assert.equal(result(p, () => setup(dev(p), 2, PCI_CAP_ID_MSIX)), ENOSYS);
      assert.ok(kernelOf(p).log.some(({ text }) => text.endsWith('0000:00:05.0: Xen PCI frontend has not registered MSI/MSI-X support!')));
    }
  });

  it('is what pciback says, in a domU: "Xen PCI frontend error"', async () => {
    // 32 pirqs for messages are not enough
    const p = await run('xen: pv-domu, pirqs: 26', ['alloc: { device: card, min: 3, max: 3, flags: [PCI_IRQ_MSIX] }']);
    assert.deepEqual(p.results, [ENOSPC]);
    assert.ok(p.log.includes('pci 0000:00:05.0: enable msix get err ffffffe4'));
    assert.ok(p.log.some(text => text.endsWith('0000:00:05.0: Xen PCI frontend error: -28!')));
  });

  it('is -EINVAL for more entries than pcifront has room for: "Increase SH_INFO_MAX_VEC"', async () => {
    const p = await run('xen: pv-domu, pirqs: 400', ['alloc: { device: card, min: 129, max: 129, flags: [PCI_IRQ_MSIX] }'], AFTER, '', 'msix: 200');
    assert.deepEqual(p.results, [EINVAL]);
    assert.ok(p.log.includes('pci 0000:00:05.0: too many vectors (0x81) for PCI frontend: Increase SH_INFO_MAX_VEC'));
  });

  it('is -ENOSPC for a line of dom0 that Xen gives no vector: PHYSDEVOP_alloc_irq_vector', async () => {
    for (const kernel of [BEFORE, AFTER]) {
      const p = await run('xen: pv-dom0, deny: [PHYSDEVOP_alloc_irq_vector]', [...LINE], kernel);
      assert.equal(p.results[0], ENOSPC);
      assert.equal(hypercalls(p, 'PHYSDEVOP_alloc_irq_vector').at(-1)!.result, EPERM);
      assert.equal(kernelOf(p).xen_irq_list_head.filter(({ type }) => type === IRQT.PIRQ).length, 0);
    }
  });

  it('is -EINVAL in dom0 for MSI-X whose table has no place: no hypercall', async () => {
    const p = await run('xen: pv-dom0', [ALLOC]);
    const calls = (): number => hypercalls(p, 'PHYSDEVOP_map_pirq').length;
    const before = calls();
    Object.assign(dev(p), { is_virtfn: true, resource: [] }); // whose BARs are told, and were not
    const value = result(p, () => kernelOf(p).xen_msi_ops.setup_msi_irqs!(dev(p), 2, PCI_CAP_ID_MSIX));
    assert.deepEqual([value, calls()], [EINVAL, before]);
  });

  it('is Xen\'s own error in dom0, without another try for a segment: "xen map irq failed"', async () => {
    const p = await run('xen: pv-dom0, pirqs: 25', [ALLOC]);
    assert.deepEqual(p.results, [ENOSPC]);
    assert.ok(p.log.some(text => /0000:00:05\.0: xen map irq failed -28 for 32752 domain$/.test(text)));
    assert.deepEqual(hypercalls(p, 'PHYSDEVOP_map_pirq').filter(({ arg }) => arg['type'] !== 1).map(({ result }) => result), [0, -28]);
    const q = await play(`machine:\n  cpus: 2\n  hypervisor: { xen: pv-dom0, without: [msi_seg] }\n  devices:\n    - { name: card, kind: custom, address: 0001:00:05.0, msix: 2 }`, [ALLOC], { kernel: AFTER });
    assert.deepEqual([q.results, kernelOf(q).pci_seg_supported], [[EINVAL], true]);
    assert.deepEqual(hypercalls(q, 'PHYSDEVOP_map_pirq').filter(({ arg }) => arg['type'] !== 1).map(({ arg }) => [arg['type'], arg['bus']]), [[3, 0x10000]]);
  });

  it('is none, and a line, where dom0 has no IOAPIC: chip xen-pirq, "xt-pic"', async () => {
    const p = await run('xen: pv-dom0', ['boot'], AFTER, '  ioapics: []\n');
    assert.equal(kernelOf(p).ioapics.length, 0);
    // without an 8259 pair, as in every PV guest, nr_legacy_irqs() is 0: the loop has nothing to do
    assert.equal(procInterrupts(p.guest.world).includes('xt-pic'), false);
  });
});

describe('the message of an HVM guest (1.8, 11.2)', () => {
  it('loses the upper bits of the pirq in a device with 32 bits: Xen takes another pirq, or none', async () => {
    const p = await run('xen: hvm, pirqs: 312', [MSI, 'request: { device: card }', 'raise: card'], AFTER, '', 'msi: { vectors: 1, addr64: false }');
    const { irq } = dev(p).msi_list[0];
    assert.equal(infoOf(p, irq).u.pirq.pirq, 0x137);
    assert.ok(p.guest.world.machine.events.some(e => e.kind === 'dropped' && e.why === 'there is no pirq 55 for messages'));
    assert.equal(p.desc(irq).kstat_irqs.size, 0);
  });
});
