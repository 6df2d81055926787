// The examples of Xen, and the one without a local APIC: what each says, on both sides of the series.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { PciDev } from '../../src/kernel/include/pci';
import { procInterrupts } from '../../src/text/proc-interrupts';
import { playFile, type Played } from './play';

const fileOf = (name: string): string => `examples/${name}.irq.yaml`;
const run = (name: string, kernel?: string): Promise<Played> => playFile(fileOf(name), undefined, kernel);
const changed = (name: string, from: string | RegExp, to: string, kernel?: string): Promise<Played> => {
  const text = readFileSync(fileOf(name), 'utf8');
  assert.ok(text.search(from) >= 0);
  return playFile(fileOf(name), text.replace(from, to), kernel);
};
const ended = (p: Played): Played => {
  assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));
  return p;
};
const dev = (p: Played, name: string): PciDev => p.guest.world.kernel.pci_devices.find(d => d.hw.config.name === name)!;
const hypercalls = (p: Played, op: string) => p.guest.world.machine.events.flatMap(e => (e.kind === 'hypercall' && e.op === op ? [e] : []));
const dropped = (p: Played): string[] => p.guest.world.machine.events.flatMap(e => (e.kind === 'dropped' ? [e.why] : []));

describe('examples/xen/hvm.irq.yaml (catalogue 11)', () => {
  it('gives the card pirqs from 79 down, and never takes one back, before the series as after it', async () => {
    for (const kernel of ['v5.9', 'v5.10']) {
      const p = ended(await run('xen/hvm', kernel));
      assert.deepEqual(hypercalls(p, 'PHYSDEVOP_get_free_pirq').map(({ arg }) => arg['pirq']), [79, 78, 77, 76, 75, 74]);
      assert.deepEqual(hypercalls(p, 'EVTCHNOP_bind_vcpu').map(({ arg }) => arg['vcpu']).filter(vcpu => vcpu === 1).length, 1);
      assert.equal(dev(p, 'eth0').msi_domain?.name, kernel === 'v5.10' ? 'XEN-MSI' : undefined);
      // a card that has been removed sends nothing: its MSI-X is off
      assert.deepEqual(dropped(p), []);
    }
  });
});

describe('examples/xen/dom0.irq.yaml (catalogue 9)', () => {
  it('maps a pirq for each entry of the drive and one block for the card, and gives all back', async () => {
    for (const kernel of ['v5.9', 'v5.10']) {
      const p = ended(await run('xen/dom0', kernel));
      const maps = hypercalls(p, 'PHYSDEVOP_map_pirq').filter(({ arg }) => arg['type'] !== 1);
      assert.deepEqual(maps.map(({ arg }) => [arg['type'], arg['entry_nr']]), [...[0, 0, 1, 2, 3, 4].map(entry => [3, entry]), [4, 4]]);
      assert.equal(hypercalls(p, 'PHYSDEVOP_unmap_pirq').length, 7);
      assert.ok(hypercalls(p, 'EVTCHNOP_unmask').length > 0);
      assert.match(procInterrupts(p.guest.world), /^ {2}8: +0 +0 +0 +0 {2}xen-pirq {4}-ioapic-edge {2}rtc0$/m);
    }
  });
});

describe('examples/xen/dom0-old-xen.irq.yaml (catalogue 10)', () => {
  it('asks three times for two entries, and remembers', async () => {
    for (const kernel of ['v5.9', 'v5.10']) {
      const p = ended(await run('xen/dom0-old-xen', kernel));
      const maps = hypercalls(p, 'PHYSDEVOP_map_pirq').filter(({ arg }) => arg['type'] !== 1);
      // the last one: a single MSI, in the old way
      assert.deepEqual(maps.map(({ arg, result }) => [arg['type'], result]), [[3, -22], [0, 0], [0, 0], [0, 0]]);
      assert.equal(p.guest.world.kernel.pci_seg_supported, false);
    }
  });
});

describe('examples/xen/domu.irq.yaml (catalogue 8)', () => {
  it('works before the series and with the repair, and gets no vector in v5.10', async () => {
    ended(await run('xen/domu'));
    ended(await run('xen/domu', 'v5.9'));
    const p = await run('xen/domu', 'v5.10');
    assert.equal(p.stop.reason, 'exception');
    assert.equal(p.results.at(-1), -28);
    assert.ok(p.log.includes('Interrupt reservation exceeds available resources'));
    assert.equal(dev(p, 'eth0').msi_domain!.name, 'PCI-MSI-3');
  });
});

describe('examples/xen/hvm-x2apic.irq.yaml (catalogue 12)', () => {
  it('is native where the CPUs virtualise the x2APIC, and goes through pirqs without x2APIC mode', async () => {
    for (const kernel of ['v5.9', 'v5.10']) {
      const p = ended(await run('xen/hvm-x2apic', kernel));
      assert.deepEqual(hypercalls(p, 'PHYSDEVOP_get_free_pirq'), []);
      const q = ended(await changed('xen/hvm-x2apic', 'x2apic: true', 'x2apic: false', kernel));
      assert.equal(hypercalls(q, 'PHYSDEVOP_get_free_pirq').length, 3);
    }
  });
});

describe('examples/xen/msix-flag.irq.yaml (catalogue 13)', () => {
  it('is refused MSI-X until the domain has the flag', async () => {
    const p = ended(await run('xen/msix-flag'));
    assert.deepEqual([dev(p, 'eth0').msix_enabled, dev(p, 'eth0').msi_enabled], [false, true]);
    const q = await run('xen/msix-flag', 'v5.10.223+msix-early-reject+xen-msix-flag');
    assert.deepEqual(q.results, [3]);
    assert.deepEqual((await run('xen/msix-flag', 'v5.9')).results, [3]);
  });
});

describe('examples/xen/vmd-bypass.irq.yaml (X10)', () => {
  it('loses the message of the drive until the VMD takes it itself', async () => {
    const p = ended(await run('xen/vmd-bypass'));
    assert.deepEqual(dropped(p), ['Xen knows no device that has it, and has no vector for it']);
    const fixed = ended(await run('xen/vmd-bypass', 'v5.10+vmd-bypass-msi-remap+vmd-domain-before-enumeration+vmd-no-bypass-under-xen'));
    assert.deepEqual(dropped(fixed), []);
    assert.ok(fixed.guest.world.machine.events.some(({ kind }) => kind === 'collected'));
  });
});

describe('examples/xen/ims.irq.yaml (X8)', () => {
  it('makes a domain without a parent, in which activating is a BUG', async () => {
    const p = await run('xen/ims');
    assert.equal(p.stop.reason === 'exception' ? p.stop.error!.message.split('\n')[0] : '', 'kernel BUG at kernel/irq/msi.c msi_domain_activate!');
    assert.equal(p.guest.world.kernel.irq_domain_list.find(({ name }) => name === '0000:00:05.0-11')!.parent, null);
  });
});

describe('examples/xen/hvm-restore.irq.yaml', () => {
  it('has the line back, and the message lost, before the series as after it', async () => {
    for (const kernel of ['v5.9', 'v5.10']) {
      const p = ended(await run('xen/hvm-restore', kernel));
      assert.deepEqual(dropped(p), ['there is no pirq 79 for messages']);
      // at its request, and when it is restored
      const [{ arg }] = hypercalls(p, 'PHYSDEVOP_map_pirq').filter(({ arg }) => arg['index'] === 22);
      assert.equal(hypercalls(p, 'EVTCHNOP_bind_pirq').filter(bind => bind.arg['pirq'] === arg['pirq']).length, 2);
      assert.match(procInterrupts(p.guest.world), /^ *\d+: +1 +0 {2}xen-pirq +-msi-x +card$/m);
    }
  });
});

describe('examples/xen/pciback.irq.yaml', () => {
  it('maps two pirqs for the other guest, and finds them gone with it, before the series as after it', async () => {
    for (const kernel of ['v5.9', 'v5.10']) {
      const p = ended(await run('xen/pciback', kernel));
      assert.deepEqual(hypercalls(p, 'PHYSDEVOP_map_pirq').flatMap(({ arg }) => (arg['type'] === 1 ? [] : [[arg['domid'], arg['pirq']]])), [[3, 55], [3, 54]]);
      assert.deepEqual(hypercalls(p, 'PHYSDEVOP_unmap_pirq').map(({ arg, result }) => [arg['domid'], result]), [[3, -3], [3, -3]]);
      assert.deepEqual(dropped(p), []);
    }
  });
});

describe('examples/no-apic.irq.yaml (catalogue 28)', () => {
  it('warns and says -ENODEV, before the series -ENOSYS; the driver takes the pin', async () => {
    const p = ended(await run('no-apic'));
    assert.deepEqual(p.results, [-19, 0]);
    assert.equal(p.log.filter(text => text === 'WARNING: CPU: 0 at include/linux/msi.h pci_msi_setup_msi_irqs').length, 1);
    assert.match(procInterrupts(p.guest.world), /^ 11: +0 {4}XT-PIC {6}eth0$/m);
    const q = await changed('no-apic', 'expect: -ENODEV', 'expect: -ENOSYS', 'v5.9');
    assert.deepEqual(ended(q).results, [-38, 0]);
  });

  it('says -ENOTSUPP without a warning from v6.13 on (a60b990798eb)', async () => {
    const later = 'v5.10+multi-msi-early-reject+msix-early-reject+msi-needs-domain';
    const p = ended(await changed('no-apic', 'expect: -ENODEV', 'expect: -ENOTSUPP', later));
    assert.deepEqual(p.results, [-524, 0]);
    assert.deepEqual(p.log.filter(text => text.startsWith('WARNING')), []);
  });
});

describe('a Xen guest in a scenario that cannot be', () => {
  const wrong = async (machine: string, steps = '[boot]'): Promise<string[]> => {
    const { loadScenario } = await import('../../src/scenario/load');
    const loaded = loadScenario('x.irq.yaml', `machine:\n${machine}\nsteps: ${steps}\n`);
    assert.ok(!loaded.ok);
    return loaded.diagnostics.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  };

  it('says where, and what was expected', async () => {
    assert.deepEqual(await wrong('  remap: intel\n  hypervisor: { xen: hvm }'), ['2:3: Xen keeps the remapping unit for itself: a guest has none; expected no remap']);
    assert.deepEqual(await wrong('  hypervisor: { xen: hvm, deny: [PHYSDEVOP_unmap_irq] }'), ['2:34: there is no hypercall PHYSDEVOP_unmap_irq here; did you mean PHYSDEVOP_unmap_pirq?']);
    assert.deepEqual(await wrong('  hypervisor: { xen: pv-domu }\n  devices: [{ name: p, kind: bridge, address: 00:01.0, secondary: 1 }]'), ['3:30: pciback shows a guest no bridges: p cannot be there; expected another kind']);
    const saved = (machine: string, text: string): Promise<string[]> => wrong(machine, `[${text}]`);
    assert.deepEqual(await saved('  hypervisor: { xen: pv-dom0 }', 'suspend: xen'), ['3:18: Xen does not save dom0; expected machine.hypervisor: { xen: hvm }']);
    assert.deepEqual(await saved('  hypervisor: { xen: pv-domu }', 'suspend: xen'), ['3:18: Xen does not save a guest with devices of the machine; expected machine.hypervisor: { xen: hvm }']);
    assert.deepEqual(await saved('  cpus: 2', 'suspend: xen'), ["3:18: the machine is no guest of Xen's; expected machine.hypervisor: { xen: hvm }"]);
    assert.deepEqual(await saved('  hypervisor: { xen: hvm }', 'resume: xen'), ['3:17: a guest that Xen saves is there again when suspend returns; expected suspend alone']);
    const given = '  hypervisor: { xen: pv-dom0 }\n  devices: [{ name: card, kind: custom, address: 00:05.0, msix: 4, guest: 3 }, { name: own, kind: custom, address: 00:06.0, msix: 4 }]';
    assert.deepEqual(await wrong(given.replace('pv-dom0', 'hvm')), ['3:68: only dom0 of Xen gives a device to another guest; expected machine.hypervisor: { xen: pv-dom0 }']);
    assert.deepEqual(await wrong(given.replace('  hypervisor: { xen: pv-dom0 }\n', '')), ['2:68: only dom0 of Xen gives a device to another guest; expected machine.hypervisor: { xen: pv-dom0 }']);
    assert.deepEqual(await wrong(given.replace('kind: custom', 'kind: bridge, secondary: 1')), ['3:33: card is given to no guest as a whole; expected another kind']);
    const step = (text: string): Promise<string[]> => wrong(given, `[${text}]`);
    assert.deepEqual(await step('guest: { domain: 4, does: start }'), ['4:26: no device is given to domain 4; expected 3']);
    assert.deepEqual(await step('guest: { domain: 3, does: enable_msi }'), ['4:9: enable_msi of which device?; expected device']);
    assert.deepEqual(await step('guest: { domain: 3, does: enable_msi, device: own }'), ['4:55: own is not given to domain 3; expected a device with guest: 3']);
    assert.deepEqual(await step('guest: { domain: 3, does: end, device: card }'), ['4:40: end is of no device; expected none']);
    assert.deepEqual(await step('guest: { domain: 3, does: enable_msi, device: card, vectors: 2 }'), ['4:61: vectors are counted with enable_msix only']);
    assert.deepEqual(await step('probe: { device: own, driver: pciback }'), ["4:39: pciback takes what is another guest's; expected own to have guest, its DOMID"]);
  });
});
