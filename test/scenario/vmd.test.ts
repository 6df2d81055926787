// Devices behind an Intel VMD. No capture has one: what is asserted is what v5.9 and v5.10's vmd.c and the code around it say.
import assert from 'node:assert/strict';
import { ChangeTracker } from '../../debug-adapter/panel/changes';
import { domainsOf } from '../../debug-adapter/panel/panel-domains';
import { VMD_MSI_ADDRESS_LO } from '../../src/hardware/vmd';
import { index_from_irqs, vmd_dev, vmd_irq_entry } from '../../src/kernel/drivers/pci/controller/vmd_types';
import { apic_chip_data_of } from '../../src/kernel/arch/x86/apic/apic_chip_data';
import { irqd_is_setaffinity_pending } from '../../src/kernel/include/irq';
import type { irq_domain } from '../../src/kernel/include/irqdomain';
import type { PciDev } from '../../src/kernel/include/pci';
import { limit_text } from '../../src/kernel/lib/limit';
import { loadScenario } from '../../src/scenario/load';
import { play, playFile, type Played } from './play';

const [ENOMEM, ENODEV, ENOSPC] = [-12, -19, -28];
const v5_10 = { kernel: 'v5.10' };
const v5_9 = { kernel: 'v5.9' };

/** A VMD with some vectors, two drives behind root ports, and a device that is no drive. */
const head = (vectors: number, more = ''): string => `machine:
  cpus: 4
${more}  devices:
    - { name: vmd0, kind: vmd, address: 00:0e.0, msix: ${vectors} }
    - { name: port0, kind: bridge, address: 00:00.0, behind: vmd0, secondary: 1 }
    - { name: ssd0, kind: nvme, address: 01:00.0, behind: vmd0 }
    - { name: ssd1, kind: nvme, address: 00:02.0, behind: vmd0 }
    - { name: card, kind: custom, address: 00:03.0, behind: vmd0, msix: 8, msi: { vectors: 4, maskable: true } }`;

const probed = ['probe: vmd0'];
const kernelOf = (p: Played) => p.guest.world.kernel;
const dev = (p: Played, name: string): PciDev => kernelOf(p).pci_devices.find(d => d.hw.config.name === name)!;
const irqsOf = (p: Played, name: string): number[] => dev(p, name).msi_list.map(({ irq }) => irq);
const domain = (p: Played): irq_domain => kernelOf(p).irq_domain_list.find(({ name }) => name.startsWith('VMD-MSI'))!;
const vmdOf = (p: Played): vmd_dev => dev(p, 'vmd0').drvdata as vmd_dev;
const counts = (p: Played): number[] => vmdOf(p).irqs.map(({ count }) => count);
const listed = (p: Played): number[][] => vmdOf(p).irqs.map(({ irq_list }) => [...irq_list].map(({ virq }) => virq));
const indexOf = (p: Played, irq: number): number => index_from_irqs(vmdOf(p), (p.desc(irq).irq_data.chip_data as vmd_irq_entry).irq);
const handlersRun = (p: Played, irq: number): number => (p.desc(irq).action!.dev_id as { completions: number }).completions;
const ended = (p: Played): void => assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));

describe('the domain of a VMD', () => {
  // fact 2.3, 0.7: name, token, parent; domain numbers behind all that _SEG can name
  it('is VMD-MSI-65536-3-10 without a parent in v5.10, VMD-MSI-65536-3 above VECTOR in v5.9', async () => {
    const [after, before] = [await play(head(5), probed, v5_10), await play(head(5), probed, v5_9)];
    assert.deepEqual([domain(after).name, domain(after).parent, domain(after).bus_token], ['VMD-MSI-65536-3-10', null, 10]);
    assert.deepEqual([domain(before).name, domain(before).parent?.name, domain(before).bus_token], ['VMD-MSI-65536-3', 'VECTOR', 3]);
    assert.ok(after.log.includes('vmd 0000:00:0e.0: Bound to PCI domain 10000'));
  });

  it('is the domain of all devices behind, through the bus and through a bridge, and stays that below remapping units', async () => {
    for (const remap of ['none', 'intel', 'amd']) {
      const p = await play(head(5, `  remap: ${remap}\n`), probed, v5_10);
      for (const name of ['port0', 'ssd0', 'ssd1', 'card']) assert.equal(dev(p, name).msi_domain, domain(p), `${name}, ${remap}`);
      assert.equal(dev(p, 'vmd0').msi_domain!.name, { none: 'PCI-MSI-3', intel: 'INTEL-IR-MSI-0-3', amd: 'AMD-IR-MSI-0-3' }[remap]);
    }
  });

  it('gives a second VMD the next number', async () => {
    const p = await play(`${head(5)}\n    - { name: vmd1, kind: vmd, address: 00:0f.0, msix: 2 }\n    - { name: other, kind: nvme, address: 00:02.0, behind: vmd1 }`, ['probe: vmd1', 'probe: vmd0', 'probe: other'], v5_10);
    ended(p);
    assert.deepEqual(p.log.filter(text => text.includes('Bound')), ['vmd 0000:00:0f.0: Bound to PCI domain 10000', 'vmd 0000:00:0e.0: Bound to PCI domain 10001']);
    assert.equal(dev(p, 'other').name, '10000:00:02.0');
    assert.equal(dev(p, 'ssd1').name, '10001:00:02.0');
  });

  it('stands in the panel with the devices behind, and not with the VMD', async () => {
    for (const [kernel, parent] of [['v5.10', undefined], ['v5.9', 'VECTOR']] as const) {
      const { domains } = domainsOf((await play(head(5, '  remap: intel\n'), probed, { kernel })).guest.world, new ChangeTracker());
      const vmd = domains.find(({ name }) => name.startsWith('VMD-MSI-65536-3'))!;
      assert.equal(vmd.parent === null ? undefined : domains[vmd.parent].name, parent);
      assert.deepEqual(vmd.devices.map(({ name, driver }) => [name, driver]), [['10000:00:00.0', 'pcieport'], ['10000:00:02.0', null], ['10000:00:03.0', null], ['10000:01:00.0', null]]);
    }
  });

  // fact 2.3: errors
  it('is not made without memory: -ENODEV, and the interrupts of the VMD are given back', async () => {
    const before = await play(head(2), ['boot'], v5_10);
    const results = new Map<number, string>();
    for (let nth = 1; nth <= 200; nth++) {
      const p = await play(head(2), [`{ probe: vmd0, failNth: ${nth} }`], v5_10);
      if (p.stop.reason !== 'end') continue; // an IOAPIC pin that cannot be noted is a panic
      const fault = p.guest.findings.faults.at(0);
      if (!fault) break;
      if (p.results[0] === 0) continue;
      results.set(p.results[0], [results.get(p.results[0]), fault.site].filter(Boolean).join(', '));
      assert.equal(kernelOf(p).irq_desc_tree.size, kernelOf(before).irq_desc_tree.size, fault.site);
      assert.equal(domain(p), undefined, fault.site);
    }
    assert.equal(results.get(ENODEV), '__irq_domain_alloc_fwnode: struct irqchip_fwid, __irq_domain_add: struct irq_domain, pci_create_root_bus: struct pci_bus');
    assert.match(results.get(ENOMEM)!, /^vmd_probe: struct vmd_dev, .*vmd_alloc_irqs: struct vmd_irq_list/);
  });

  it('needs a VMD with MSI-X', async () => {
    const p = await play(head(2).replace('msix: 2 }', 'msix: false }'), probed, v5_10);
    assert.deepEqual(p.results, [ENODEV]);
  });
});

describe('the vectors of a VMD', () => {
  // fact 2.3, vmd_next_irq
  it('go to drives from 1 on, the one with fewest first; all others share 0, which is not counted', async () => {
    const p = await play(head(4), [...probed, 'probe: ssd0', 'probe: ssd1', 'alloc: { device: card, min: 2, max: 2, flags: [PCI_IRQ_MSIX] }'], v5_10);
    ended(p);
    // 5 wanted, 4 there
    assert.deepEqual(irqsOf(p, 'ssd0').map(irq => indexOf(p, irq)), [1, 2, 3, 1]);
    assert.deepEqual(irqsOf(p, 'ssd1').map(irq => indexOf(p, irq)), [2, 3, 1, 2]);
    assert.deepEqual(irqsOf(p, 'card').map(irq => indexOf(p, irq)), [0, 0]);
    assert.deepEqual(irqsOf(p, 'port0').map(irq => indexOf(p, irq)), [0]);
    assert.deepEqual(counts(p), [0, 3, 3, 2]);
  });

  it('are one for all where there is only one', async () => {
    const p = await play(head(1), [...probed, 'probe: ssd0'], v5_10);
    assert.deepEqual(irqsOf(p, 'ssd0').map(irq => indexOf(p, irq)), [0]);
  });

  // fact 2.3: hwirq = Linux irq of the chosen vector; 2.5: compose
  it('are named by hwirq and message: 0xfee00000 and the number from bit 12 on, data 0', async () => {
    const p = await play(head(4), [...probed, 'probe: ssd0'], v5_10);
    const own = irqsOf(p, 'vmd0');
    for (const [i, irq] of irqsOf(p, 'ssd0').entries()) {
      const index = indexOf(p, irq);
      assert.equal(p.desc(irq).irq_data.hwirq, own[index]);
      const { lo, hi, data } = dev(p, 'ssd0').hw.msix!.message(i);
      assert.deepEqual([lo, hi, data], [0xfee00000 + index * 0x1000, 0, 0]);
      assert.equal(VMD_MSI_ADDRESS_LO.get(lo, 'index'), index);
    }
  });

  // fact 2.3: msi_prepare; failure mode V5
  it('are all that a device can have; -ENOSPC names them when it must have more', async () => {
    const alloc = (min: number): string => `{ alloc: { device: card, min: ${min}, max: 8, flags: [PCI_IRQ_MSIX] } }`;
    const p = await play(head(4), [...probed, alloc(1), 'freeVectors: card', alloc(5)], v5_10);
    assert.deepEqual(p.results, [0, 4, 0, ENOSPC]);
    assert.ok(kernelOf(p).limits.map(limit_text).includes('limit: vectors of VMD 0000:00:0e.0: 8 needed, 4 there'));
  });

  // fact 2.5, 4: no MULTI_PCI_MSI
  it('serve one vector of an MSI capability', async () => {
    const p = await play(head(4), [...probed, 'alloc: { device: card, min: 1, max: 4, flags: [PCI_IRQ_MSI] }', 'freeVectors: card', 'alloc: { device: card, min: 2, max: 4, flags: [PCI_IRQ_MSI] }'], v5_10);
    assert.deepEqual(p.results, [0, 1, 0, ENOSPC]);
  });

  // failure mode V1
  it('cost a CPU vector for each interrupt behind in v5.9, none in v5.10', async () => {
    const steps = [...probed, 'probe: ssd0', 'probe: ssd1'];
    const used = async (kernel: string, to: readonly string[]): Promise<number> => kernelOf(await play(head(5), to, { kernel })).vector_matrix.total_allocated;
    assert.equal((await used('v5.10', steps)) - (await used('v5.10', probed)), 0);
    // 5 interrupts a drive
    assert.equal((await used('v5.9', steps)) - (await used('v5.9', probed)), 10);
    const p = await play(head(5), steps, v5_9);
    const [irq] = irqsOf(p, 'ssd0');
    assert.deepEqual([p.desc(irq).irq_data.chip.name, p.desc(irq).irq_data.parent_data?.chip.name], ['VMD-MSI', 'APIC']);
    assert.ok(apic_chip_data_of(p.desc(irq).irq_data)!.vector > 0);
    // its message is the VMD's all the same
    assert.equal(dev(p, 'ssd0').hw.msix!.message(0).lo, 0xfee01000);
  });
});

describe('an interrupt behind a VMD', () => {
  // fact 2.6
  it('runs the handlers of all who share the vector; only the VMD counts it', async () => {
    const p = await play(head(2), [...probed, 'probe: ssd0', 'probe: ssd1', 'raise: { device: ssd1, entry: 0 }'], v5_10);
    ended(p);
    const [own0, own1] = irqsOf(p, 'vmd0');
    const children = [...irqsOf(p, 'ssd0'), ...irqsOf(p, 'ssd1')];
    assert.deepEqual(children.map(irq => handlersRun(p, irq)), [1, 1, 1, 1]);
    assert.deepEqual(children.map(irq => p.desc(irq).tot_count), [0, 0, 0, 0]);
    assert.deepEqual([own0, own1].map(irq => p.desc(irq).tot_count), [0, 1]);
  });

  it('is sent through the remapping unit as the VMD itself', async () => {
    const p = await play(head(2, '  remap: intel\n'), [...probed, 'probe: ssd0', 'raise: { device: ssd0, entry: 0 }'], v5_10);
    const hardware = p.guest.world.machine.events.filter(({ kind }) => ['collected', 'message', 'remapped', 'fault'].includes(kind)).map(event => [event.kind, 'requesterId' in event ? event.requesterId : '']);
    assert.deepEqual(hardware, [['collected', 0x100], ['message', 0x70], ['remapped', '']]);
    assert.equal(handlersRun(p, irqsOf(p, 'ssd0')[0]), 1);
  });

  // fact 2.3, irq_enable and irq_disable
  it('is on the list of its vector while it is enabled', async () => {
    const steps = [...probed, 'alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'request: { device: card }'];
    const off = [...steps, 'disable: { device: card }'];
    const port = irqsOf(await play(head(2), probed, v5_10), 'port0');
    const on = await play(head(2), steps, v5_10);
    assert.deepEqual(listed(on)[0], [...port, ...irqsOf(on, 'card')]);
    const masked = await play(head(2), [...off, 'raise: card'], v5_10);
    assert.deepEqual(listed(masked)[0], port);
    assert.equal(masked.guest.world.machine.events.at(-1)!.kind, 'held back');
    assert.deepEqual(listed(await play(head(2), [...off, 'enable: { device: card }'], v5_10))[0], listed(on)[0]);
  });

  // failure mode V6
  it('is lost in silence while the vector of the VMD is masked', async () => {
    const p = await play(head(2), [...probed, 'probe: ssd0', 'raise: { device: ssd0, entry: 0 }'], v5_10);
    const hw = dev(p, 'vmd0').hw;
    hw.msix!.table[1 * 4 + 3] = 1;
    dev(p, 'ssd0').hw.raise(0);
    assert.deepEqual(p.guest.world.machine.events.slice(-2).map(({ kind }) => kind), ['collected', 'held back']);
    assert.ok(hw.msix!.isPending(1));
  });

  // fact 2.7: -EINVAL whoever asks the chip; but a write to /proc asks nobody, since the interrupt cannot move in process context
  it('cannot be moved: a write to /proc stays pending for good, and an offline CPU gets -EINVAL', async () => {
    const moved = [...probed, 'probe: ssd0', 'affinity: { device: ssd0, vector: 0, cpus: 2 }', 'raise: { device: ssd0, entry: 0 }'];
    const waiting = await play(head(2), moved, v5_10);
    assert.deepEqual(waiting.results, [0, 0, 0, 0]);
    const { irq_data } = waiting.desc(irqsOf(waiting, 'ssd0')[0]);
    assert.equal(irqd_is_setaffinity_pending(irq_data), true);
    assert.equal(irq_data.common.affinity.toString(), '0-3');
    const p = await play(head(2), [...moved, 'offline: 3'], v5_10);
    ended(p);
    assert.ok(p.log.includes(`IRQ${irqsOf(p, 'ssd0')[0]}: set affinity failed(-22).`));
  });

  // fact 2.8
  it('is uncounted when it is freed, also where it was not counted: vector 0 wraps', async () => {
    const p = await play(head(3), [...probed, 'probe: ssd0', 'alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'freeVectors: card', 'remove: ssd0'], v5_10);
    ended(p);
    assert.deepEqual(counts(p), [0xffffffff, 0, 0]);
  });
});

describe('the removal of a VMD', () => {
  it('unbinds what is behind, then removes the domain, then frees its own interrupts', async () => {
    const p = await play(head(3, '  remap: intel\n'), [...probed, 'probe: ssd0', 'remove: vmd0', 'probe: ssd0', 'probe: vmd0', 'probe: ssd0', 'raise: { device: ssd0, entry: 0 }'], v5_10);
    ended(p);
    assert.deepEqual(p.results, [0, 0, 0, ENODEV, 0, 0, 0]);
    assert.deepEqual(p.log.filter(text => text.includes('WARNING')), []);
    assert.equal(p.log.filter(text => text.endsWith('Bound to PCI domain 10000')).length, 2);
    assert.equal(handlersRun(p, irqsOf(p, 'ssd0')[0]), 1);
  });

  it('leaves nothing', async () => {
    const booted = await play(head(3), ['boot'], v5_10);
    const p = await play(head(3), [...probed, 'probe: ssd0', 'probe: ssd1', 'remove: vmd0'], v5_10);
    const state = (q: Played) => [kernelOf(q).irq_desc_tree.size, kernelOf(q).vector_matrix.total_allocated, kernelOf(q).pci_devices.length, kernelOf(q).irq_domain_list.length, dev(q, 'vmd0').enable_cnt];
    assert.deepEqual(state(p), state(booted));
  });

  // but not where another one had the same hwirq, as on vector 0: what is freed first takes the entry of both along
  it('warns when a message behind it is left allocated', async () => {
    const p = await play(head(3), [...probed, 'alloc: { device: ssd1, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'remove: vmd0'], v5_10);
    assert.ok(p.log.some(text => text.startsWith('WARNING') && text.endsWith('kernel/irq/irqdomain.c irq_domain_remove')));
  });
});

describe('a VMD whose domain looks like a plain one', () => {
  const without = (remap: string, steps: readonly string[], more = ''): Promise<Played> => play(`${head(3, `  remap: ${remap}\n`)}${more}`, [...probed, ...steps], { kernel: 'v5.10-v2-24', check: false });

  // failure mode V2: the device's message is for the IOMMU, but the VMD reads it
  it('loses its devices to an AMD IOMMU: the VMD takes the address of their messages for its vector 0, and the IOMMU refuses the VMD', async () => {
    const p = await without('amd', ['probe: ssd1', 'raise: { device: ssd1, entry: 1 }']);
    ended(p);
    assert.equal(dev(p, 'ssd1').msi_domain!.name, 'AMD-IR-MSI-0-3');
    const [first, second] = irqsOf(p, 'ssd1');
    assert.deepEqual([dev(p, 'ssd1').hw.msix!.message(1).lo, handlersRun(p, first), handlersRun(p, second)], [0xfee00000, 0, 0]);
    const events = p.guest.world.machine.events;
    const at = events.findIndex(({ kind }) => kind === 'collected');
    const seen = events.slice(at).flatMap(event => (event.kind === 'collected' ? [`collected for ${event.index}`] : event.kind === 'fault' ? [`fault ${event.reason} of ${event.sourceId}`] : []));
    assert.deepEqual(seen, ['collected for 0', `fault 2 of 112`]);
  });

  it('has its own table of the IOMMU replaced by that of a device behind it, which has none itself', async () => {
    const p = await without('amd', ['probe: ssd1']);
    // said once: of the port
    assert.ok(p.log.includes('AMD-Vi: get_irq_table: no table for devid 0'));
    const { irq_lookup_table: tables } = kernelOf(p);
    assert.equal(tables.get(0x10), undefined);
    assert.notEqual(tables.get(0x70)!.table, kernelOf(await play(head(3, '  remap: amd\n'), probed, v5_10)).irq_lookup_table.get(0x70)!.table);
  });

  // 11.3: hwirqs of MSI have room for 5 bits of a domain's number, so that 10000 counts as 0
  it('has its devices in one domain with others, of the same hwirq where the address is the same: -EEXIST, for the driver -ENOSPC', async () => {
    const p = await without('amd', ['alloc: { device: twin, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'alloc: { device: ssd1, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }'], '\n    - { name: twin, kind: custom, address: 00:02.0, msix: 1 }');
    assert.deepEqual([p.results, p.desc(irqsOf(p, 'twin')[0]).irq_data.hwirq], [[0, 1, ENOSPC], 0x8000]);
    const alone = await without('amd', ['alloc: { device: ssd1, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }']);
    assert.deepEqual([alone.results, alone.desc(irqsOf(alone, 'ssd1')[0]).irq_data.hwirq], [[0, 1], 0x8000]);
  });

  it('loses none to a VT-d unit, which looks at no domain beyond 0xffff', async () => {
    const p = await without('intel', ['probe: ssd1', 'raise: { device: ssd1, entry: 0 }']);
    ended(p);
    assert.equal(dev(p, 'ssd1').msi_domain, domain(p));
    assert.equal(handlersRun(p, irqsOf(p, 'ssd1')[0]), 1);
  });
});

describe('a VMD in a scenario', () => {
  const problems = (device: string): string[] => {
    const loaded = loadScenario('x.irq.yaml', `${head(3)}\n    - ${device}\nsteps:\n  - probe: vmd0\n`);
    return loaded.ok ? [] : loaded.diagnostics.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  };

  it('hides devices whose addresses others may have too', () => {
    assert.deepEqual(problems('{ name: x, kind: nvme, address: 00:02.0 }'), []);
    assert.deepEqual(problems('{ name: x, kind: nvme, address: 00:02.0, behind: vmd0 }'), ['9:39: the address 00:02.0 is there twice: ssd1 has it']);
  });

  it('says what cannot be behind it', () => {
    assert.deepEqual(problems('{ name: x, kind: nvme, address: 00:05.0, behind: vmd1 }'), ['9:56: unknown device vmd1; did you mean vmd0?']);
    assert.deepEqual(problems('{ name: x, kind: nvme, address: 00:05.0, behind: ssd0 }'), ['9:56: ssd0 is no VMD; expected a device with kind: vmd']);
    assert.deepEqual(problems('{ name: x, kind: vmd, address: 00:05.0, behind: vmd0 }'), ['9:47: a VMD hides no VMD; expected another kind']);
    assert.deepEqual(problems('{ name: x, kind: nvme, address: 00:05.0, behind: vmd0, gsi: 20 }'), ['9:62: the INTx line of x ends at the VMD; expected no gsi']);
    assert.deepEqual(problems('{ name: x, kind: nvme, address: 00:05.0, behind: vmd0, node: 0 }'), ['9:62: x is on the node of vmd0; expected no node']);
    assert.deepEqual(problems('{ name: x, kind: nvme, address: 03:00.0, behind: vmd0 }'), ['9:39: no bridge leads to bus 03; expected { kind: bridge, secondary: 3, ... } among the devices']);
    assert.deepEqual(problems('{ name: x, kind: nvme, address: 01:00.0 }'), ['9:39: no bridge leads to bus 01; expected { kind: bridge, secondary: 1, ... } among the devices']);
    assert.deepEqual(problems('{ name: x, kind: nvme, address: "0001:00:05.0", behind: vmd0 }'), ['9:39: the segment of x is given by the kernel; expected bus:device.function alone']);
  });
});

describe('examples/vmd.irq.yaml', () => {
  it('does as its comments say, on v5.9 too', async () => {
    for (const kernel of ['v5.9', 'v5.10', 'v5.10.223']) {
      const p = await playFile('examples/vmd.irq.yaml', undefined, kernel);
      ended(p);
      assert.deepEqual(p.results, [...new Array<number>(16).fill(0), ENODEV], kernel);
    }
  });

  it('has three of the drives\' interrupts on vector 1, and all of them run', async () => {
    const steps = ['vmd0', 'ssd0', 'ssd1', 'sata'].map(name => `probe: ${name}`);
    const text = await import('node:fs').then(fs => fs.readFileSync('examples/vmd.irq.yaml', 'utf8'));
    const p = await play(text.slice(text.indexOf('machine:'), text.indexOf('steps:')), [...steps, 'raise: { device: ssd0, entry: 0 }'], v5_10);
    assert.deepEqual(listed(p)[1].map(irq => [p.desc(irq).action!.name, handlersRun(p, irq)]), [['nvme0q0', 1], ['nvme0q4', 1], ['nvme1q3', 1]]);
    assert.deepEqual(counts(p).slice(1), [3, 3, 2, 2]);
  });
});

// failure mode V3 and fact 9.2
describe('a VMD that passes messages on', () => {
  const device = (name: string): string => head(3, '  remap: intel\n').replace('kind: vmd,', `kind: vmd, device: ${name},`);
  const steps = [...probed, 'probe: ssd0', 'raise: { device: ssd0, entry: 1 }'];
  const with28c0 = (changes: string): Promise<Played> => play(device('0x28c0'), steps, { kernel: `v5.10${changes}` });
  const handled = (p: Played): number => handlersRun(p, irqsOf(p, 'ssd0')[1]);

  it('leaves its drives in the plain domain: the unit blocks them, as the VMD', async () => {
    const p = await with28c0('+vmd-bypass-msi-remap');
    ended(p);
    assert.equal(dev(p, 'ssd0').msi_domain!.name, 'PCI-MSI-3');
    assert.equal(domain(p), undefined);
    assert.equal(handled(p), 0);
    assert.ok(p.log.some(text => /Request device \[00:0e\.0\] fault index .* \[fault reason (0x25|37)\] Blocked a compatibility format interrupt request/.test(text)), p.log.join('\n'));
  });

  it('gives them its own domain when that is set before they are found', async () => {
    const p = await with28c0('+vmd-bypass-msi-remap+vmd-domain-before-enumeration');
    ended(p);
    assert.equal(dev(p, 'ssd0').msi_domain!.name, 'INTEL-IR-MSI-0-3');
    assert.equal(handled(p), 1);
    assert.equal(p.desc(irqsOf(p, 'ssd0')[1]).tot_count, 1);
  });

  it('takes the messages itself where remapping is on and that is asked for, and always if it can do nothing else', async () => {
    for (const p of [await with28c0('+vmd-bypass-msi-remap+vmd-remaps-with-iommu'), await play(device('0x201d'), steps, { kernel: 'v5.10+vmd-bypass-msi-remap' }), await with28c0('')]) {
      assert.equal(dev(p, 'ssd0').msi_domain, domain(p));
      assert.equal(handled(p), 1);
    }
  });

  it('is examples/vmd-bypass.irq.yaml', async () => {
    const p = await playFile('examples/vmd-bypass.irq.yaml');
    ended(p);
    assert.deepEqual(p.results, [0, 0, 0]);
    assert.deepEqual(p.guest.world.machine.events.filter(({ kind }) => kind === 'fault').map(event => 'reason' in event && event.reason), [0x25]);
  });
});
