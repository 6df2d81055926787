// Guests of Xen's. No capture has one: what is asserted is what v5.9's and v5.10's xen.c, events_base.c and the code around them say.
import assert from 'node:assert/strict';
import { IRQT, PIRQ_MSI_GROUP, info_for_irq, type irq_info } from '../../src/kernel/drivers/xen/events/irq_info';
import { IRQ_DOMAIN_FLAG } from '../../src/kernel/include/irqdomain';
import type { PciDev } from '../../src/kernel/include/pci';
import { enterWorld } from '../../src/kernel/world';
import { procInterrupts } from '../../src/text/proc-interrupts';
import { play, type Played } from './play';

const [ENODEV, ENOSPC, ENOTSUPP] = [-19, -28, -524];
const BEFORE = { kernel: 'v5.9' };
const AFTER = { kernel: 'v5.10.223' };
const BOTH = [BEFORE, AFTER];

/** @param xen what stands in machine.hypervisor */
const head = (xen: string, more = ''): string => `machine:
  cpus: 2
  hypervisor: { ${xen} }
${more}  devices:
    - { name: card, kind: custom, address: 00:05.0, msix: 4, msi: { vectors: 4, maskable: true } }
    - { name: edu, kind: edu, address: 00:06.0 }`;

const ALLOC = 'alloc: { device: card, min: 2, max: 2, flags: [PCI_IRQ_MSIX] }';
const REQUEST = 'request: { device: card, vector: 0 }';
const MULTI = 'alloc: { device: card, min: 1, max: 4, flags: [PCI_IRQ_MSI] }';

const ended = (p: Played): Played => {
  assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));
  return p;
};
const run = async (xen: string, steps: readonly string[], kernel: { kernel: string }, more = ''): Promise<Played> => ended(await play(head(xen, more), steps, kernel));
const kernelOf = (p: Played) => p.guest.world.kernel;
const dev = (p: Played, name = 'card'): PciDev => kernelOf(p).pci_devices.find(d => d.hw.config.name === name)!;
const irqs = (p: Played, name = 'card'): number[] => dev(p, name).msi_list.map(({ irq }) => irq);
function infos(p: Played, name = 'card'): irq_info[] {
  enterWorld(p.guest.world, 0);
  return irqs(p, name).map(irq => info_for_irq(irq)!);
}
/** Hypercalls of the devices' own, as "op result". */
const calls = (p: Played, pattern = /./): string[] => p.guest.world.machine.events.flatMap(e => (e.kind === 'hypercall' && pattern.test(e.op) ? [`${e.op} ${e.result}`] : []));
const args = (p: Played, op: string) => p.guest.world.machine.events.flatMap(e => (e.kind === 'hypercall' && e.op === op ? [e.arg] : []));
const row = (p: Played, name: string): string => procInterrupts(p.guest.world).split('\n').find(line => line.endsWith(` ${name}`))!;
const counted = (p: Played, irq: number): number[] => [0, 1].map(cpu => p.desc(irq).kstat_irqs.get(cpu) ?? 0);

describe('an HVM guest of Xen with pirqs', () => {
  // fact 1.1, 1.3, 1.4: which functions, and the domain that is around them from 2e4386eba0c0 on
  it('gets MSI-X through x86_msi before the series, through the domain XEN-MSI after it', async () => {
    const before = await run('xen: hvm', [ALLOC], BEFORE);
    assert.equal(dev(before).msi_domain, null);
    assert.equal(kernelOf(before).x86_msi.setup_msi_irqs!.name, 'xen_hvm_setup_msi_irqs');
    assert.equal(kernelOf(before).x86_msi.teardown_msi_irqs!.name, 'default_teardown_msi_irqs');
    assert.equal(kernelOf(before).x86_msi.teardown_msi_irq!.name, 'xen_teardown_msi_irq');

    const after = await run('xen: hvm', [ALLOC], AFTER);
    const domain = dev(after).msi_domain!;
    assert.deepEqual([domain.name, domain.parent, domain.bus_token, domain.mapcount], ['XEN-MSI', null, 0, 0]);
    assert.equal(domain.flags & (IRQ_DOMAIN_FLAG.HIERARCHY | IRQ_DOMAIN_FLAG.MSI), IRQ_DOMAIN_FLAG.HIERARCHY | IRQ_DOMAIN_FLAG.MSI);
    assert.deepEqual(Object.keys(kernelOf(after).xen_pci_msi_domain_info.ops).sort(), ['domain_alloc_irqs', 'domain_free_irqs']);
    assert.equal(kernelOf(after).xen_msi_ops.setup_msi_irqs!.name, 'xen_hvm_setup_msi_irqs');
    assert.equal(kernelOf(after).xen_msi_ops.teardown_msi_irqs!.name, 'xen_teardown_msi_irqs');
    assert.equal(kernelOf(after).x86_msi.setup_msi_irqs, undefined);
  });

  it('has irqs without a domain, a hwirq or a vector, which no chip activates (1.4, 1.9)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: hvm', [ALLOC], kernel);
      for (const irq of irqs(p)) {
        const { irq_data, name } = p.desc(irq);
        assert.deepEqual([irq_data.domain, irq_data.hwirq, irq_data.parent_data, irq_data.chip.name, name], [null, 0, null, 'xen-pirq', 'msi-x']);
        assert.equal(p.desc(irq).handle_irq.name, 'handle_edge_irq');
      }
      assert.deepEqual(infos(p).map(({ type, evtchn, u }) => [type, evtchn, u.pirq.gsi, u.pirq.flags]), [[IRQT.PIRQ, 0, 0, 0], [IRQT.PIRQ, 0, 0, 0]]);
      assert.deepEqual(calls(p, /PHYSDEVOP_get/), ['PHYSDEVOP_get_free_pirq 0', 'PHYSDEVOP_get_free_pirq 0']);
    }
  });

  // fact 1.8: address_lo 0xfee00000 and the low 8 bits at 12, address_hi the others, data 0x4300
  it('writes the pirq into the message: 0x137 is 0xfee37000, 0x100, 0x4300', async () => {
    const p = await run('xen: hvm, pirqs: 312', [ALLOC], AFTER);
    assert.deepEqual(infos(p).map(({ u }) => u.pirq.pirq), [0x137, 0x136]);
    assert.deepEqual(dev(p).hw.msix!.message(0), { lo: 0xfee37000, hi: 0x100, data: 0x4300 });
    const { address_lo, address_hi, data } = dev(p).msi_list[0].msg;
    assert.deepEqual([address_lo, address_hi, data], [0xfee37000, 0x100, 0x4300]);
  });

  it('gets an event channel when it is requested, on CPU 0, and its interrupts by the callback vector (1.10, 1.11)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: hvm', [ALLOC, REQUEST, 'raise: card'], kernel);
      const [info] = infos(p);
      assert.ok(info.evtchn > 0);
      assert.equal(kernelOf(p).evtchn_to_irq[0]![info.evtchn], info.irq);
      assert.deepEqual(calls(p, /bind_pirq|irq_status/).slice(-2), ['EVTCHNOP_bind_pirq 0', 'PHYSDEVOP_irq_status_query 0']);
      assert.deepEqual(counted(p, info.irq), [1, 0]);
      assert.equal(kernelOf(p).irq_stat[0].irq_hv_callback_count, 1);
      // handle_edge_irq acknowledges before the handler: eoi_pirq() clears the event, and tells Xen
      assert.equal(args(p, 'PHYSDEVOP_eoi').at(-1)!.irq, info.u.pirq.pirq);
      assert.match(procInterrupts(p.guest.world), /^HYP: +1 +0 {3}Hypervisor callback interrupts$/m);
    }
  });

  it('is moved in its next interrupt, and only its event channel is: EVTCHNOP_bind_vcpu (1.12)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: hvm', [ALLOC, REQUEST, 'affinity: { device: card, vector: 0, cpus: 1 }', 'raise: card', 'raise: card'], kernel);
      const [info] = infos(p);
      assert.deepEqual(counted(p, info.irq), [1, 1]);
      assert.deepEqual(args(p, 'EVTCHNOP_bind_vcpu').at(-1), { port: info.evtchn, vcpu: 1 });
      assert.equal(dev(p).hw.msix!.message(0).data, 0x4300);
      assert.equal(info.cpu, 1);
    }
  });

  it('gives its event channel back when it is freed, and its pirq never (1.13)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: hvm', [ALLOC, REQUEST, 'free: { device: card }', 'raise: card', 'freeVectors: card'], kernel);
      assert.deepEqual(calls(p, /unmap/), []);
      assert.equal(args(p, 'EVTCHNOP_close').at(-1)!.port, args(p, 'EVTCHNOP_bind_pirq').at(-1)!.port);
      assert.ok(p.guest.world.machine.events.some(e => e.kind === 'dropped' && e.why === 'it is bound to no event channel'));
      assert.deepEqual(p.guest.findings.violations.map(({ violation }) => violation.message), ['pirq 79, of kind emulated msi, is no irq\'s', 'pirq 78, of kind reserved, is no irq\'s']);
    }
  });

  it('runs out of pirqs for that reason: -ENODEV (11.3)', async () => {
    const p = await run('xen: hvm, pirqs: 52', [ALLOC, 'freeVectors: card', ALLOC, 'freeVectors: card', ALLOC], AFTER);
    assert.deepEqual(p.results, [2, 0, 2, 0, ENODEV]);
    assert.ok(p.log.includes('pci 0000:00:05.0: Failed to create MSI-X! ret=-19!'));
  });

  it('X4: gives a driver that asks for several MSIs one', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: hvm', [MULTI], kernel);
      assert.deepEqual(p.results, [1]);
      assert.deepEqual([p.desc(irqs(p)[0]).name, kernelOf(p).limits.at(-1)!.name], ['msi', 'vectors of one MSI in an HVM guest']);
    }
  });

  it('X9: warns once and gets -ENODEV of a Xen without get_free_pirq', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: hvm, without: [get_free_pirq]', [ALLOC, ALLOC], kernel);
      assert.deepEqual(p.results, [ENODEV, ENODEV]);
      assert.equal(p.log.filter(text => text === 'hypervisor does not support the PHYSDEVOP_get_free_pirq interface').length, 1);
      assert.ok(p.log.includes('WARNING: CPU: 0 at drivers/xen/events/events_base.c xen_allocate_pirq_msi'));
    }
  });

  it('X3: requests an interrupt that gets no event channel, and never comes', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: hvm, deny: [EVTCHNOP_bind_pirq]', [ALLOC, REQUEST, 'raise: card'], kernel);
      assert.deepEqual(p.results, [2, 0, 0]);
      const [irq] = irqs(p);
      assert.ok(p.log.includes(`xen:events: Failed to obtain physical IRQ ${irq}`));
      assert.deepEqual([counted(p, irq), infos(p)[0].evtchn], [[0, 0], 0]);
    }
  });

  it('lists lines that Xen has taken over with the pin as hwirq, others without a hwirq (0.7)', async () => {
    const p = await run('xen: hvm', [ALLOC, REQUEST], AFTER);
    assert.equal(row(p, 'i8042'), '  1:          0          0  xen-pirq   1-ioapic-edge  i8042');
    assert.equal(row(p, 'acpi'), '  9:          0          0  xen-pirq   9-ioapic-level  acpi');
    assert.equal(row(p, 'timer'), '  0:          0          0   IO-APIC   2-edge      timer');
    assert.equal(row(p, 'timer0'), ' 48:          0          0  xen-percpu    -virq      timer0');
    assert.equal(row(p, 'xenbus'), ' 58:          0          0   xen-dyn    -event     xenbus');
    assert.equal(row(p, 'card'), ' 59:          0          0  xen-pirq    -msi-x     card');
  });

  it('has a row debugN before v5.10, and then only with the 2-level ABI', async () => {
    const has = async (xen: string, kernel: { kernel: string }): Promise<boolean> => procInterrupts((await run(xen, ['boot'], kernel)).guest.world).includes(' debug0\n');
    assert.deepEqual([await has('xen: hvm', BEFORE), await has('xen: hvm', AFTER), await has('xen: hvm, without: [fifo]', AFTER)], [true, false, true]);
  });
});

describe('an HVM guest of Xen that needs no pirqs', () => {
  const native = async (xen: string, kernel: { kernel: string }, more = ''): Promise<string> => {
    const p = await run(xen, [ALLOC, REQUEST, 'raise: card'], kernel, more);
    const [irq] = irqs(p);
    assert.deepEqual(counted(p, irq).reduce((a, b) => a + b), 1);
    return `${p.desc(irq).irq_data.domain?.name ?? 'none'}, ${dev(p).msi_domain?.name ?? 'none'}`;
  };

  // fact 1.2: pci_xen_hvm_init() and xen_hvm_msi_init() return early
  it('has PCI-MSI without XENFEAT_hvm_pirqs, and without a vector callback', async () => {
    for (const without of ['hvm_pirqs', 'hvm_callback_vector']) {
      assert.equal(await native(`xen: hvm, without: [${without}]`, AFTER), 'PCI-MSI-3, PCI-MSI-3');
      assert.equal(await native(`xen: hvm, without: [${without}]`, BEFORE), 'PCI-MSI-3, none');
    }
  });

  it('has PCI-MSI where the CPUs virtualise its local APICs; x2APIC virtualisation counts in x2APIC mode only', async () => {
    assert.equal(await native('xen: hvm, with: [apic_access_virt]', AFTER), 'PCI-MSI-3, PCI-MSI-3');
    assert.equal(await native('xen: hvm, with: [x2apic_virt]', AFTER, '  x2apic: true\n'), 'PCI-MSI-3, PCI-MSI-3');
    assert.equal(await native('xen: hvm, with: [x2apic_virt]', AFTER), 'none, XEN-MSI');
  });

  it('has PCI-MSI as PVH dom0: the hook is never set (1.1)', async () => {
    assert.equal(await native('xen: pvh-dom0', AFTER), 'PCI-MSI-3, PCI-MSI-3');
    assert.equal(await native('xen: pvh-dom0', BEFORE), 'PCI-MSI-3, none');
  });
});

describe('dom0 of Xen', () => {
  it('asks Xen for each MSI-X entry, and never writes a message (1.9)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-dom0', [ALLOC, REQUEST, 'raise: card', 'affinity: { device: card, vector: 0, cpus: 1 }', 'raise: card', 'raise: card'], kernel);
      const maps = args(p, 'PHYSDEVOP_map_pirq').filter(({ type }) => type !== 1);
      assert.deepEqual(maps.map(({ type, bus, devfn, entry_nr }) => [type, bus, devfn, entry_nr]), [[3, 0, 0x28, 0], [3, 0, 0x28, 1]]);
      assert.deepEqual(maps.map(({ pirq }) => pirq), infos(p).map(({ u }) => u.pirq.pirq));
      // the message is Xen's own: a vector of the first physical CPU
      assert.equal(dev(p).hw.msix!.message(0).lo, 0xfee00000);
      assert.equal(dev(p).msi_list[0].msg.data, 0);
      assert.equal(p.desc(irqs(p)[0]).name, 'msi-x');
      assert.deepEqual(counted(p, irqs(p)[0]), [2, 1]);
    }
  });

  it('has its own functions before and after: teardown is default_teardown_msi_irqs(), then xen_pv_teardown_msi_irqs() (1.3)', async () => {
    const before = kernelOf(await run('xen: pv-dom0', ['boot'], BEFORE));
    assert.deepEqual([before.x86_msi.setup_msi_irqs!.name, before.x86_msi.teardown_msi_irqs!.name], ['xen_initdom_setup_msi_irqs', 'default_teardown_msi_irqs']);
    const after = kernelOf(await run('xen: pv-dom0', ['boot'], AFTER));
    assert.deepEqual([after.xen_msi_ops.setup_msi_irqs!.name, after.xen_msi_ops.teardown_msi_irqs!.name], ['xen_initdom_setup_msi_irqs', 'xen_pv_teardown_msi_irqs']);
    assert.deepEqual([before.pci_msi_ignore_mask, after.pci_msi_ignore_mask], [true, true]);
  });

  it('gives the pirq back when the message goes: PHYSDEVOP_unmap_pirq (1.13)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-dom0', [ALLOC, REQUEST, 'free: { device: card }', 'freeVectors: card'], kernel);
      assert.deepEqual(calls(p, /close|unmap/).slice(-3), ['EVTCHNOP_close 0', 'PHYSDEVOP_unmap_pirq 0', 'PHYSDEVOP_unmap_pirq 0']);
      assert.deepEqual(p.guest.findings.violations, []);
    }
  });

  it('gets a block of MSIs with one call, and gives it back with one: PIRQ_MSI_GROUP', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-dom0', [MULTI, 'request: { device: card, vector: 2 }', 'raise: { device: card, entry: 2 }'], kernel);
      assert.deepEqual(p.results, [4, 0, 0]);
      const { type, entry_nr } = args(p, 'PHYSDEVOP_map_pirq').at(-1)!;
      assert.deepEqual([type, entry_nr], [4, 4]);
      const [irq] = irqs(p);
      const flags = [0, 1, 2, 3].map(i => (p.desc(irq + i).irq_data.chip_data as irq_info).u.pirq);
      assert.deepEqual(flags.map(f => f.flags & PIRQ_MSI_GROUP), [0, PIRQ_MSI_GROUP, PIRQ_MSI_GROUP, PIRQ_MSI_GROUP]);
      assert.deepEqual(flags.map(f => f.pirq - flags[0].pirq), [0, 1, 2, 3]);
      assert.deepEqual(counted(p, irq + 2), [1, 0]);
      const q = await run('xen: pv-dom0', [MULTI, 'freeVectors: card'], kernel);
      assert.deepEqual(calls(q, /unmap/), ['PHYSDEVOP_unmap_pirq 0']);
      assert.deepEqual(q.guest.findings.violations, []);
    }
  });

  it('tries with one where Xen cannot map a block', async () => {
    const p = await run('xen: pv-dom0, without: [multi_msi]', [MULTI], AFTER);
    assert.deepEqual([p.results, calls(p, /map_pirq/).at(-2)], [[1], 'PHYSDEVOP_map_pirq -22']);
  });

  it('X5: falls back to MAP_PIRQ_TYPE_MSI with an old Xen, once and for all', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-dom0, without: [msi_seg]', [ALLOC], kernel);
      const maps = args(p, 'PHYSDEVOP_map_pirq').filter(({ type }) => type !== 1);
      assert.deepEqual(maps.map(({ type }) => type), [3, 0, 0]);
      assert.deepEqual([p.results, kernelOf(p).pci_seg_supported], [[2], false]);
    }
  });

  it('X6: keeps the irq where Xen refuses to take the pirq back', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-dom0, deny: [PHYSDEVOP_unmap_pirq]', [ALLOC, 'freeVectors: card'], kernel);
      assert.deepEqual(p.results, [2, 0]);
      assert.equal(p.log.filter(text => text === 'xen:events: unmap irq failed -1').length, 2);
      assert.equal(kernelOf(p).xen_irq_list_head.filter(({ type, u }) => type === IRQT.PIRQ && u.pirq.gsi === 0).length, 2);
    }
  });

  it('X7: writes no mask bit of a device, and reserves no vector', async () => {
    const p = await run('xen: pv-dom0', ['alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSI] }', 'request: { device: card }', 'disable: { device: card }', 'raise: card'], AFTER);
    assert.equal(dev(p).msi_list[0].masked, 0);
    assert.equal(kernelOf(p).vector_matrix.global_reserved, 0);
    // it is masked as an event: Xen has noted it, and tells nobody
    const [{ evtchn, irq }] = infos(p);
    assert.deepEqual([p.guest.world.machine.xen!.channels.abi.isPending(evtchn), counted(p, irq)], [true, [0, 0]]);
  });

  it('has the lines of ISA as pirqs of their own number, and tells Xen of others: setup_gsi (1.2)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-dom0', ['alloc: { device: edu, min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }', 'request: { device: edu }', 'assert: edu'], kernel);
      assert.equal(row(p, 'i8042'), '  1:          0          0  xen-pirq    -ioapic-edge  i8042');
      const irq = dev(p, 'edu').irq;
      const { handle_irq, name } = p.desc(irq);
      assert.deepEqual([irq, handle_irq.name, name], [22, 'handle_fasteoi_irq', 'ioapic-level']);
      assert.deepEqual(args(p, 'PHYSDEVOP_setup_gsi').at(-1), { gsi: 22, triggering: 1, polarity: 1 });
      assert.deepEqual(counted(p, irq), [1, 0]);
      assert.ok(calls(p, /alloc_irq_vector/).length > 0);
    }
  });

  it('ends level interrupts only, where Xen has a page for the bits: PHYSDEVOP_pirq_eoi_gmfn_v2 (1.5)', async () => {
    const raised = [ALLOC, REQUEST, 'raise: card'];
    const eois = async (xen: string): Promise<number> => {
      const p = await run(xen, raised, AFTER);
      return args(p, 'PHYSDEVOP_eoi').filter(({ irq }) => irq === infos(p)[0].u.pirq.pirq).length;
    };
    assert.equal(await eois('xen: pv-dom0'), 0);
    // at its start, and for the one that came
    assert.equal(await eois('xen: pv-dom0, without: [pirq_eoi_gmfn_v2]'), 2);
  });
});

describe('a PV guest of Xen with pcifront', () => {
  // fact 9.2: 70245f86c109
  it('X1: gets the native PCI-MSI domain in v5.10, and no vector: -ENOSPC', async () => {
    const p = await run('xen: pv-domu', [ALLOC], { kernel: 'v5.10' });
    assert.deepEqual([p.results, dev(p).msi_domain!.name], [[ENOSPC], 'PCI-MSI-3']);
    assert.equal(kernelOf(p).x86_init.create_pci_msi_domain.name, 'xen_create_pci_msi_domain');
    assert.ok(!kernelOf(p).irq_domain_list.some(({ name }) => name === 'XEN-MSI'));
    const fixed = await run('xen: pv-domu', [ALLOC], { kernel: 'v5.10+pci-msi-domain-after-arch-init' });
    assert.deepEqual([fixed.results, dev(fixed).msi_domain!.name], [[2], 'XEN-MSI']);
  });

  it('asks pciback for pirqs, which it finds in the answer (1.9)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-domu', [ALLOC, REQUEST, 'raise: card', 'affinity: { device: card, vector: 0, cpus: 1 }', 'raise: card', 'raise: card'], kernel);
      const { cmd, value, msix_entries } = kernelOf(p).pcifront_dev!.sh_info.op;
      assert.deepEqual([cmd, value, msix_entries.map(({ vector }) => vector)], [4, 0, infos(p).map(({ u }) => u.pirq.pirq)]);
      assert.equal(row(p, 'card'), ` ${irqs(p)[0]}:          2          1  xen-pirq    -pcifront-msi-x  card`);
      assert.deepEqual(calls(p, /map_pirq|get_free/), []);
    }
  });

  it('tells pciback before the irqs go, and unmaps nothing itself (1.3, 1.13)', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-domu', [ALLOC, REQUEST, 'free: { device: card }', 'freeVectors: card'], kernel);
      assert.equal(kernelOf(p).pcifront_dev!.sh_info.op.cmd, 5);
      assert.deepEqual(calls(p, /unmap/), []);
      assert.deepEqual(p.guest.findings.violations, []);
    }
  });

  it('X4: gives a driver that asks for several MSIs one', async () => {
    for (const kernel of BOTH) {
      const p = await run('xen: pv-domu', [MULTI], kernel);
      assert.deepEqual([p.results, p.desc(irqs(p)[0]).name], [[1], 'pcifront-msi']);
    }
  });

  it('has no ACPI, no IOAPIC and no 8259 pair: its first interrupt is its timer, irq 0', async () => {
    const p = await run('xen: pv-domu', ['boot'], AFTER);
    assert.equal(row(p, 'timer0'), '  0:          0          0  xen-percpu    -virq      timer0');
    assert.equal(row(p, 'pcifront'), ' 13:          0          0   xen-dyn    -event     pcifront');
    assert.ok(!p.log.some(text => text.startsWith('ACPI')));
  });

  it('has lines by the number in the register, which is the pirq (1.2)', async () => {
    const p = await run('xen: pv-domu', ['alloc: { device: edu, min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }', 'request: { device: edu }', 'assert: edu'], AFTER);
    const { irq } = dev(p, 'edu');
    assert.deepEqual([p.desc(irq).name, p.desc(irq).handle_irq.name, counted(p, irq)], ['pcifront', 'handle_fasteoi_irq', [1, 0]]);
    assert.ok(p.log.includes(`pci 0000:00:06.0: Xen PCI mapped GSI22 to IRQ${irq}`));
  });
});

describe('Xen between v5.9 and v5.10', () => {
  const opsAt = async (xen: string, series: number): Promise<string[]> => {
    const { x86_msi, xen_msi_ops } = kernelOf(await run(xen, ['boot'], { kernel: `series:${series}` }));
    const ops = series >= 36 ? xen_msi_ops : x86_msi;
    return [ops.setup_msi_irqs!.name, ops.teardown_msi_irqs!.name];
  };

  // fact 1.3: V2 27 and 28
  it('tears down in one function from 27 on, dom0 as a domU from 28 on', async () => {
    assert.deepEqual([await opsAt('xen: pv-dom0', 26), await opsAt('xen: pv-dom0', 27), await opsAt('xen: pv-dom0', 28)].map(([, teardown]) => teardown), ['default_teardown_msi_irqs', 'xen_teardown_msi_irqs', 'xen_pv_teardown_msi_irqs']);
    assert.deepEqual([await opsAt('xen: hvm', 26), await opsAt('xen: hvm', 27), await opsAt('xen: hvm', 36)].map(([, teardown]) => teardown), ['default_teardown_msi_irqs', 'xen_teardown_msi_irqs', 'xen_teardown_msi_irqs']);
    assert.deepEqual([await opsAt('xen: pv-domu', 26), await opsAt('xen: pv-domu', 27)].map(([, teardown]) => teardown), ['xen_teardown_msi_irqs', 'xen_pv_teardown_msi_irqs']);
  });

  it('works at each of these patches', async () => {
    for (const xen of ['xen: hvm', 'xen: pv-dom0', 'xen: pv-domu']) {
      for (const series of [19, 20, 22, 26, 27, 28, 29, 30, 32, 35, 36]) {
        // from 33 on a domU has the native domain (X1)
        if (xen === 'xen: pv-domu' && series >= 33) continue;
        const p = await run(xen, [ALLOC, REQUEST, 'raise: card', 'free: { device: card }', 'freeVectors: card'], { kernel: `series:${series}` });
        assert.deepEqual(p.results, [2, 0, 0, 0, 0], `${xen}, series:${series}`);
      }
    }
  });

  // fact 1.2: v2-20
  it('calls the hook of an HVM guest in apic_intr_mode_init() from 20 on: also with nosmp', async () => {
    const setup = async (series: number): Promise<string> => {
      const p = ended(await play(`cmdline: nosmp\n${head('xen: hvm')}`, ['boot'], { kernel: `series:${series}` }));
      return kernelOf(p).x86_msi.setup_msi_irqs!.name;
    };
    assert.deepEqual([await setup(19), await setup(20)], ['native_setup_msi_irqs', 'xen_hvm_setup_msi_irqs']);
  });

  // fact X2: 99f3d2797657 and 0a3a58de3195
  it('X2: refuses MSI-X where the flag is checked, -ENOTSUPP, and takes MSI; the flag mends it', async () => {
    const steps = [ALLOC, 'alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSIX, PCI_IRQ_MSI] }'];
    const early = 'v5.10.223+msix-early-reject';
    for (const xen of ['xen: hvm', 'xen: pv-dom0', 'xen: pv-domu']) {
      const p = await run(xen, steps, { kernel: early });
      assert.deepEqual([p.results, dev(p).msi_enabled], [[ENOTSUPP, 1], true]);
      assert.deepEqual((await run(xen, [ALLOC], { kernel: `${early}+xen-msix-flag` })).results, [2]);
    }
  });
});

describe('CPUs of a Xen guest', () => {
  for (const guest of ['hvm', 'pv-dom0', 'pv-domu', 'pvh-dom0']) {
    it(`come and go: ${guest}`, async () => {
      for (const kernel of BOTH) {
        const p = await run(`xen: ${guest}`, [ALLOC, REQUEST, 'affinity: { device: card, vector: 0, cpus: 1 }', 'raise: card', 'raise: card', 'offline: 1', 'raise: card', 'online: 1', 'raise: card'], kernel);
        assert.deepEqual(p.results, [2, 0, 0, 0, 0, 0, 0, 0, 0]);
        const [on0, on1] = counted(p, irqs(p)[0]);
        assert.deepEqual([on0 + on1, on1 >= 1, on0 >= 2], [4, true, true]);
        assert.ok(row(p, 'timer1'));
      }
    });
  }
});
