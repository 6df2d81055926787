// How interrupts behind an Intel VMD get lost, wait, or cost others: by the ids of the failure modes, and a sleep of the machine.
// No capture has one: what is asserted is what v5.9 and v5.10's vmd.c say, what was posted in 2020, and v6.2's vmd.c.
import assert from 'node:assert/strict';
import { vmd_dev } from '../../src/kernel/drivers/pci/controller/vmd_types';
import type { PciDev } from '../../src/kernel/include/pci';
import { chainOf } from '../../src/scenario/invariants/owners';
import { play, playFile, type Played } from './play';

const [ENODEV, ENOSPC, ERANGE] = [-19, -28, -34];
const kernelOf = (p: Played) => p.guest.world.kernel;
const dev = (p: Played, name: string): PciDev => kernelOf(p).pci_devices.find(d => d.hw.config.name === name)!;
const irqsOf = (p: Played, name: string): number[] => dev(p, name).msi_list.map(({ irq }) => irq);
const vmdOf = (p: Played): vmd_dev => dev(p, 'vmd0').drvdata as vmd_dev;
const ended = (p: Played): void => assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));
const kinds = (p: Played): string[] => p.guest.world.machine.events.map(({ kind }) => kind);
const handlersRun = (p: Played, irq: number): number => (p.desc(irq).action!.dev_id as { completions: number }).completions;
const example = (name: string, kernel?: string): Promise<Played> => playFile(`examples/${name}.irq.yaml`, undefined, kernel);

// V1: the vectors of v5.9's parent, which nothing ever uses
describe('a VMD whose domain is above VECTOR', () => {
  const machine = `machine:
  cpus: 1
  devices:
    - { name: vmd0, kind: vmd, address: 00:0e.0, msix: 39 }
${[1, 2, 3, 4].map(n => `    - { name: ssd${n}, kind: custom, address: 00:0${n}.0, behind: vmd0, class: 0x010802, msix: 39 }\n`).join('')}    - { name: eth0, kind: custom, address: 00:04.0, class: 0x020000, msix: 4 }
drivers:
  drive: { match: { class: 0x010802 }, alloc: { min: 39, max: 39, flags: [PCI_IRQ_MSIX] } }
  net: { match: { class: 0x020000 }, alloc: { min: 4, max: 4, flags: [PCI_IRQ_MSIX] } }`;
  const steps = ['vmd0', 'ssd1', 'ssd2', 'ssd3', 'ssd4', 'eth0'].map(name => `probe: ${name}`);

  it('drains the vectors of the CPU in v5.9, so that others get -ENOSPC (V1); in v5.10 it takes none', async () => {
    const [before, after] = [await play(machine, steps, { kernel: 'v5.9' }), await play(machine, steps, { kernel: 'v5.10' })];
    assert.deepEqual([before.results, after.results], [[0, 0, 0, 0, 0, ENOSPC], [0, 0, 0, 0, 0, 0]]);
    assert.equal(before.guest.world.machine.events.some(({ kind }) => kind === 'accepted'), false, 'nothing has come by any of them');
    assert.deepEqual([kernelOf(before).vector_matrix.global_available, kernelOf(after).vector_matrix.global_available > 100], [0, true]);
  });
});

// facts 0.6, 11.2, catalogue 27: V2 03, 04 and 05
describe('who composes the message of a device behind a VMD', () => {
  const machine = `machine:
  cpus: 2
  devices:
    - { name: vmd0, kind: vmd, address: 00:0e.0, msix: 3 }
    - { name: ssd0, kind: nvme, address: 00:02.0, behind: vmd0 }`;
  const steps = ['probe: vmd0', 'probe: ssd0', 'raise: { device: ssd0, entry: 0 }'];
  const messageOf = (p: Played): number[] => Object.values(dev(p, 'ssd0').hw.msix!.message(0));

  it("is VECTOR, the last chip that can, with 05 and with neither 03 nor 04: the VMD takes the CPU's number for one of its own vectors", async () => {
    const p = await play(machine, steps, { kernel: 'v5.10-v2-03-v2-04', check: false });
    ended(p);
    const [irq] = irqsOf(p, 'ssd0');
    assert.deepEqual(chainOf(p.desc(irq)).map(({ chip }) => chip.name), ['VMD-MSI', 'APIC']);
    const vector = Number(p.place(irq).split(':')[1]);
    assert.equal(messageOf(p)[2], 0x4000 | vector);
    const collected = p.guest.world.machine.events.find(event => event.kind === 'collected')!;
    // logical mode: CPU 0 or 1 is bit 0 or 1
    assert.ok([1, 2].includes(collected.index));
    const expected = vmdOf(p).irqs[collected.index].irq_list.size;
    assert.equal(p.guest.world.machine.events.at(-1)!.kind, 'eoi', `handlers of ${expected} interrupts were called`);
  });

  it('is VMD-MSI in each kernel of the series, alone or as the first', async () => {
    for (const kernel of ['v5.9', 'series:3', 'series:4', 'series:5', 'v5.10', 'v5.10-v2-03', 'v5.10-v2-04']) {
      const p = await play(machine, steps, { kernel });
      ended(p);
      assert.deepEqual(messageOf(p), [0xfee01000, 0, 0], kernel);
      assert.equal(handlersRun(p, irqsOf(p, 'ssd0')[0]), 1, kernel);
    }
  });
});

describe('vector 0 of a client VMD (V4)', () => {
  const addressOf = (p: Played): number => dev(p, 'sata').hw.firstMessage!.lo;
  const last = (p: Played) => p.guest.world.machine.events.at(-1)!;

  it('is where a disk controller sends 0xfee00000 to, and no interrupt comes', async () => {
    for (const kernel of ['v5.9', 'v5.10', 'v5.10.223']) {
      const p = await example('vmd-ahci', kernel);
      ended(p);
      assert.equal(addressOf(p), 0xfee00000);
      assert.deepEqual(last(p), { kind: 'held back', requesterId: 0x70, entry: 0, why: 'it is for software alone' });
      assert.deepEqual(irqsOf(p, 'vmd0').map(irq => p.desc(irq).tot_count), [0, 0, 0, 0, 0]);
    }
  });

  it('is left alone with vmd-ahci-fast-list, as posted: the controller shares the vectors of the drives, and the VMD wants two', async () => {
    const p = await example('vmd-ahci', 'v5.10+vmd-ahci-fast-list');
    assert.equal(addressOf(p), 0xfee01000);
    assert.deepEqual(irqsOf(p, 'vmd0').map(irq => p.desc(irq).tot_count), [0, 1, 0, 0, 0]);
    const one = (kernel: string): Promise<Played> => play('machine: { devices: [{ name: vmd0, kind: vmd, address: 00:0e.0, msix: 1 }] }', ['probe: vmd0'], { kernel });
    assert.deepEqual([(await one('v5.10')).results, (await one('v5.10+vmd-ahci-fast-list')).results], [[0], [ERANGE]]);
  });

  it('is left alone with vmd-first-vector, as merged: others are on 1, drives from 2 on; a VMD of a server is not concerned', async () => {
    const p = await example('vmd-ahci', 'v5.10+vmd-first-vector');
    assert.equal(addressOf(p), 0xfee01000);
    assert.deepEqual(irqsOf(p, 'vmd0').map(irq => p.desc(irq).tot_count), [0, 1, 0, 0, 0]);
    const drives = async (device: string): Promise<number[]> => {
      const machine = `machine: { cpus: 2, devices: [{ name: vmd0, kind: vmd, address: 00:0e.0, device: ${device}, msix: 4 }, { name: ssd0, kind: nvme, address: 00:02.0, behind: vmd0 }] }`;
      const q = await play(machine, ['probe: vmd0', 'probe: ssd0'], { kernel: 'v5.10+vmd-first-vector' });
      return vmdOf(q).irqs.map(({ irq_list }) => irq_list.size);
    };
    assert.deepEqual([await drives('0x9a0b'), await drives('0x201d')], [[0, 0, 2, 1], [0, 1, 1, 1]]);
  });
});

const SHARED = `machine:
  cpus: 2
  devices:
    - { name: vmd0, kind: vmd, address: 00:0e.0, msix: 2 }
    - { name: ssd0, kind: nvme, address: 00:01.0, behind: vmd0 }
    - { name: ssd1, kind: nvme, address: 00:02.0, behind: vmd0 }
    - { name: deaf, kind: custom, address: 00:03.0, behind: vmd0, class: 0x010802, msix: 1 }`;
const probed = ['probe: vmd0', 'probe: ssd0', 'probe: ssd1'];

describe('a VMD that sleeps', () => {
  // V6, fact 2.7
  it('keeps back in silence what comes from below: its vectors are freed and masked, theirs are not', async () => {
    const p = await play(SHARED, [...probed, 'suspend: vmd0', 'raise: { device: ssd0, entry: 0 }'], { kernel: 'v5.10' });
    ended(p);
    const [own0, own1] = irqsOf(p, 'vmd0');
    assert.deepEqual([own0, own1].map(irq => p.desc(irq).action), [null, null]);
    assert.deepEqual([0, 1].map(entry => dev(p, 'vmd0').hw.msix!.masked(entry)), [true, true]);
    assert.equal(vmdOf(p).irqs[1].irq_list.size, 4, 'all are still on the list');
    assert.deepEqual(kinds(p).slice(-2), ['collected', 'held back']);
    assert.deepEqual(irqsOf(p, 'ssd0').map(irq => handlersRun(p, irq)), [0, 0]);
    assert.deepEqual(p.log.slice(-1), (await play(SHARED, probed, { kernel: 'v5.10' })).log.slice(-1), 'nobody says so');
  });

  it('requests its vectors again, and sends what waited: once', async () => {
    const steps = [...probed, 'suspend: vmd0', 'raise: { device: ssd0, entry: 0 }', 'raise: { device: ssd0, entry: 0 }', 'resume: vmd0'];
    for (const kernel of ['v5.9', 'v5.10']) {
      const p = await play(SHARED, steps, { kernel });
      ended(p);
      assert.equal(p.desc(irqsOf(p, 'vmd0')[1]).tot_count, 1);
      assert.equal(handlersRun(p, irqsOf(p, 'ssd0')[0]), 1);
      assert.deepEqual(irqsOf(p, 'vmd0').map(irq => p.desc(irq).action!.name), ['vmd', 'vmd']);
      const q = await play(SHARED, [...steps, 'remove: vmd0'], { kernel });
      assert.equal(kernelOf(q).irq_desc_tree.size, kernelOf(await play(SHARED, ['boot'], { kernel })).irq_desc_tree.size, 'devm_free_irq() has taken the resource, too');
    }
  });

  it('finds zeros in its table when the PCI code restores it, and its own messages when it has requested them', async () => {
    const messages = async (steps: readonly string[]): Promise<number[]> => {
      const p = await play(SHARED, [...probed, ...steps], { kernel: 'v5.10' });
      return [0, 1].map(entry => dev(p, 'vmd0').hw.msix!.message(entry).data);
    };
    const before = await messages([]);
    assert.deepEqual([await messages(['suspend: vmd0']), await messages(['suspend: vmd0', 'resume: vmd0'])], [[0, 0], before]);
  });

  it('can only do so with a driver', async () => {
    assert.deepEqual((await play(SHARED, ['suspend: vmd0', 'resume: vmd0'], { kernel: 'v5.10' })).results, [ENODEV, ENODEV]);
  });

  it('is examples/vmd-suspend.irq.yaml', async () => {
    for (const kernel of ['v5.9', 'v5.10', 'v5.10.223']) {
      const p = await example('vmd-suspend', kernel);
      ended(p);
      assert.equal(p.desc(irqsOf(p, 'vmd0')[1]).tot_count, 3, kernel);
    }
  });
});

describe('a storm on a vector of a VMD (V7)', () => {
  const deaf = ['alloc: { device: deaf, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'request: { device: deaf, handler: IRQ_NONE }'];
  const storm = (n: number): string[] => Array.from({ length: n }, () => 'raise: { device: deaf, entry: 0 }');

  it('has the handlers of all siblings run each time', async () => {
    const p = await play(SHARED, [...probed, ...deaf, ...storm(20)], { kernel: 'v5.10' });
    ended(p);
    const siblings = [...irqsOf(p, 'ssd0'), ...irqsOf(p, 'ssd1')];
    assert.deepEqual(siblings.map(irq => handlersRun(p, irq)), siblings.map(() => 20));
    assert.equal(p.desc(irqsOf(p, 'vmd0')[1]).tot_count, 20);
  });

  // facts 2.3, 2.6: handle_untracked_irq() counts nothing, vmd_irq() says IRQ_HANDLED whoever did what
  it('is not taken for one: nobody is counted as unhandled, though the handler that it is for says IRQ_NONE', async () => {
    const p = await play(SHARED, [...probed, ...deaf, ...storm(20)], { kernel: 'v5.10' });
    const [irq] = irqsOf(p, 'deaf');
    assert.deepEqual([p.desc(irq).tot_count, p.desc(irq).irqs_unhandled, p.desc(irq).irq_count], [0, 0, 0]);
    const own = p.desc(irqsOf(p, 'vmd0')[1]);
    assert.deepEqual([own.irqs_unhandled, own.irq_count], [0, 20]);
  });
});

describe('a sleep in a scenario', () => {
  it('is one of a VMD or of a virtual PCI bus', async () => {
    const { loadScenario } = await import('../../src/scenario/load');
    const problems = (step: string): string[] => {
      const loaded = loadScenario('x.irq.yaml', `${SHARED}\nsteps:\n  - ${step}\n`);
      return loaded.ok ? [] : loaded.diagnostics.map(({ line, column, message }) => `${line}:${column}: ${message}`);
    };
    assert.deepEqual(problems('suspend: vmd0'), []);
    assert.deepEqual(problems('suspend: ssd0'), ['9:14: ssd0 is a device without a sleep of its own; expected a VMD, or a virtual PCI bus']);
    assert.deepEqual(problems('resume: vmd1'), ['9:13: unknown bus or VMD vmd1; did you mean vmd0?']);
  });
});
