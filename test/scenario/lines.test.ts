import assert from 'node:assert/strict';
import { RTE } from '../../src/hardware/io-apic';
import { irqd_irq_disabled, irqd_irq_masked } from '../../src/kernel/include/irq';
import { IRQS } from '../../src/kernel/include/irqdesc';
import { EBUSY } from '../../src/kernel/lib/errno';
import { drain } from '../../src/scenario/drain';
import { play } from './play';

// 00:04.0 and 00:08.0 are wired to the same pin, 00:05.0 to the next one.
const MACHINE = 'machine: { cpus: 4, devices: [{ name: a, kind: custom, address: 00:04.0 }, { name: b, kind: custom, address: 00:08.0 }, { name: c, kind: custom, address: 00:05.0 }] }';
const alloc = (...names: string[]): string[] => names.map(name => `alloc: { device: ${name}, min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }`);
const shared = (name: string, more = ''): string => `request: { device: ${name}, flags: [IRQF_SHARED]${more} }`;
const IRQ = 20;

describe('a shared line', () => {
  it('asks everybody, and is the one\'s whose device drives it', async () => {
    const run = await play(MACHINE, [...alloc('a', 'b'), shared('a'), shared('b'), 'assert: a', 'assert: b']);
    assert.deepEqual([run.desc(IRQ).tot_count, run.desc(IRQ).irqs_unhandled], [2, 0]);
  });

  it('is refused to who will not share', async () => {
    const run = await play(MACHINE, [...alloc('a', 'b'), shared('a'), 'request: { device: b }']);
    assert.equal(run.results.at(-1), -EBUSY);
    assert.equal(run.log.at(-1), `genirq: Flags mismatch irq ${IRQ}. 00000000 (b) vs. 00000080 (a)`);
  });

  it('stays open for the other one when one is freed', async () => {
    const run = await play(MACHINE, [...alloc('a', 'b'), shared('a'), shared('b'), 'free: { device: a }', 'assert: b']);
    assert.deepEqual([run.desc(IRQ).tot_count, run.desc(IRQ).action?.name], [1, 'b']);
  });

  it('interrupts again for a device that is not served, until nobody is asked any more', async () => {
    const run = await play(MACHINE, [...alloc('a', 'b'), shared('a', ', handler: IRQ_NONE')]);
    const desc = run.desc(IRQ);
    // Of 100000 interrupts these have been.
    Object.assign(desc, { irq_count: 99_990, irqs_unhandled: 99_990 });
    const { world } = run.guest;
    drain(run.guest, 0, function* () {
      world.kernel.pci_devices.find(d => d.name === '0000:00:04.0')!.hw.assertIntx();
      yield { wait: 'window' };
    });
    assert.deepEqual(world.kernel.log.slice(-4).map(({ text }) => text), [
      `irq ${IRQ}: nobody cared (try booting with the "irqpoll" option)`,
      'handlers:',
      '[<(ptrval)>] deaf_handler',
      `Disabling IRQ #${IRQ}`,
    ]);
    // the last 10, and the one that finds it disabled and masks it
    assert.deepEqual([desc.tot_count, desc.depth, (desc.istate & IRQS.SPURIOUS_DISABLED) !== 0, irqd_irq_masked(desc.irq_data)], [10, 1, true, true]);
  });

  it('is looked for elsewhere with irqfixup', async () => {
    const run = await play(`cmdline: irqfixup\n${MACHINE}`, [...alloc('a', 'c'), shared('a', ', handler: IRQ_NONE'), shared('c')]);
    const { machine } = run.guest.world;
    const [a, c] = ['0000:00:04.0', '0000:00:05.0'].map(address => machine.pci.find(f => f.config.address === address)!);
    // c's pin is broken: it never interrupts
    machine.ioapics[0].rte[21] = RTE.with(machine.ioapics[0].rte[21], { mask: 1 });
    Object.assign(run.desc(IRQ), { irq_count: 99_999, irqs_unhandled: 99_999 });
    drain(run.guest, 0, function* () {
      c.assertIntx();
      a.assertIntx();
      yield { wait: 'window' };
    });
    assert.deepEqual([c.intxDriven, run.desc(21).tot_count], [false, 0]);
  });
});

describe('a line that is disabled', () => {
  it('as often as it was enabled, keeps its interrupt and delivers it then', async () => {
    const steps = [...alloc('a'), shared('a'), 'disable: { device: a }', 'disable: { device: a }', 'assert: a', 'enable: { device: a }'];
    const still = await play(MACHINE, steps);
    assert.deepEqual([still.desc(IRQ).depth, still.desc(IRQ).tot_count, irqd_irq_disabled(still.desc(IRQ).irq_data), irqd_irq_masked(still.desc(IRQ).irq_data)], [1, 0, true, true]);
    const open = await play(MACHINE, [...steps, 'enable: { device: a }']);
    assert.deepEqual([open.desc(IRQ).depth, open.desc(IRQ).tot_count], [0, 1]);
  });

  it('more often than it was disabled is warned about', async () => {
    const run = await play(MACHINE, [...alloc('a'), shared('a'), 'enable: { device: a }']);
    const at = run.log.indexOf('------------[ cut here ]------------');
    assert.deepEqual(run.log.slice(at, at + 6), [
      '------------[ cut here ]------------',
      `Unbalanced enable for IRQ ${IRQ}`,
      'WARNING: CPU: 0 at kernel/irq/manage.c __enable_irq',
      'RIP: 0010:__enable_irq',
      'Call Trace:',
      ' enable_irq',
    ]);
  });
});

describe('an interrupt thread', () => {
  it('keeps a one-shot line masked until it has served the device', async () => {
    const run = await play(MACHINE, [...alloc('c'), 'request: { device: c, flags: [IRQF_ONESHOT], handler: IRQ_WAKE_THREAD }', 'assert: c', 'assert: c']);
    const desc = run.desc(21);
    assert.equal(desc.action!.thread, 'irq/21-c');
    assert.deepEqual([desc.tot_count, desc.threads_handled, desc.threads_oneshot, irqd_irq_masked(desc.irq_data)], [2, 2, 0, false]);
  });

  it('of every handler with threadirqs', async () => {
    const run = await play(`cmdline: threadirqs\n${MACHINE}`, [...alloc('a'), shared('a'), 'assert: a']);
    assert.deepEqual([run.desc(IRQ).action!.thread, run.desc(IRQ).threads_handled], [`irq/${IRQ}-a`, 1]);
  });
});

describe('a level line that moves', () => {
  it('does so between two interrupts, its remote IRR being clear', async () => {
    const run = await play(MACHINE, [...alloc('a'), shared('a'), 'affinity: { device: a, cpus: 3 }', 'assert: a', 'assert: a']);
    assert.equal(run.place(IRQ).split(':')[0], '3');
    assert.deepEqual([run.desc(IRQ).tot_count, run.desc(IRQ).kstat_irqs.get(3)], [2, 1]);
  });
});

describe('the line of a device behind a bridge', () => {
  it('is turned by the slot of the device, and again by that of the bridge', async () => {
    const machine = 'machine: { devices: [{ name: r, kind: bridge, address: 00:1c.1, secondary: 1 }, { name: d, kind: custom, address: 01:02.0 }] }';
    const run = await play(machine, [...alloc('d'), shared('d'), 'assert: d']);
    // 0x1c and 2 are 30, and four pins there are
    assert.deepEqual([run.desc(22).action?.name, run.desc(22).tot_count], ['d', 1]);
  });
});
