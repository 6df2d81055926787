// The limits that bind, by name: what the kernel only calls -ENOSPC.
import assert from 'node:assert/strict';
import { limit_text } from '../../src/kernel/lib/limit';
import { play, playFile, type Played } from './play';

const limits = ({ guest }: Played): string[] => guest.world.kernel.limits.map(limit_text);
const [EINVAL, ENOSPC] = [-22, -28];

const machine = (rest: string, devices: readonly string[]): string => `machine: { ${rest}, devices: [${devices.join(', ')}] }`;
const msi = (vectors: number): string => `{ name: card, kind: custom, address: 00:04.0, msi: { vectors: ${vectors}, maskable: true } }`;
const alloc = (min: number, max: number, flag: 'PCI_IRQ_MSI' | 'PCI_IRQ_MSIX' = 'PCI_IRQ_MSI'): string => `alloc: { device: card, min: ${min}, max: ${max}, flags: [${flag}] }`;

describe('examples/exhaustion.irq.yaml', () => {
  it('reaches one limit after the other, each under its own name and with its errno', async () => {
    const played = await playFile('examples/exhaustion.irq.yaml');
    assert.equal(played.stop.reason, 'end');
    assert.deepEqual(played.results, [0, ENOSPC, 8, ENOSPC, ENOSPC, ENOSPC, 0, 0]);
    assert.deepEqual([...new Set(limits(played))], [
      'limit: vectors that can be reserved: 396 of 396 in use',
      'limit: MSI-X table of 0000:00:05.0: 9 needed, 8 there',
      'limit: vectors of CPUs 0-1: 402 of 402 in use',
      'limit: free vectors of the other CPUs: 201 needed, 0 there',
    ]);
    const { log } = played;
    assert.equal(log.filter(text => text === 'Interrupt reservation exceeds available resources').length, 1);
    assert.ok(log.includes('CPU 1 has 201 vectors, 0 available. Cannot disable CPU'));
  });
});

describe('limits of MSI', () => {
  it('is one vector where nothing remaps: more are refused, fewer will do', async () => {
    const played = await play(machine('cpus: 2', [msi(8)]), [alloc(8, 8), alloc(1, 8)]);
    assert.deepEqual(played.results, [ENOSPC, 1]);
    const bound = 'limit: vectors of one MSI in domain PCI-MSI-3, which does not remap: 8 needed, 1 there';
    assert.deepEqual(limits(played), [bound, bound]);
  });

  it('is what the capability says', async () => {
    const played = await play(machine('cpus: 2, remap: intel', [msi(4)]), [alloc(8, 8), alloc(4, 8)]);
    assert.deepEqual(played.results, [ENOSPC, 4]);
    assert.deepEqual(limits(played), ['limit: MSI capability of 0000:00:04.0: 8 needed, 4 there']);
  });

  it('is the table of an AMD device: 512 entries, however many MSI-X has', async () => {
    const card = '{ name: card, kind: custom, address: 00:04.0, msix: 600 }';
    const played = await play(machine('cpus: 2, remap: amd', [card]), [alloc(600, 600, 'PCI_IRQ_MSIX'), alloc(1, 600, 'PCI_IRQ_MSIX')]);
    // The range loop tries again with as many as it got before.
    assert.deepEqual(played.results, [ENOSPC, 512]);
    const bound = 'limit: interrupt table of 00:04.0: 512 of 512 in use';
    assert.deepEqual([...new Set(limits(played))].filter(text => text.includes('table')), [bound]);
    assert.equal(played.log.filter(text => text === 'AMD-Vi: Failed to allocate IRTE').length, 2);
  });

  it('is none where the question was wrong', async () => {
    const played = await play(machine('cpus: 2', [msi(4)]), [alloc(1, 1, 'PCI_IRQ_MSIX')]);
    assert.deepEqual(played.results, [EINVAL]);
    assert.deepEqual(limits(played), []);
  });
});

describe('limits of CPUs', () => {
  it('is the CPUs of the affinity, though another has room', async () => {
    // The boot CPU is always among them.
    const head = `${machine('cpus: 3', ['{ name: card, kind: custom, address: 00:04.0, msix: 420 }'])}
cmdline: irqaffinity=2
drivers: { card: { alloc: { min: 410, max: 410, flags: [PCI_IRQ_MSIX] }, request: ["card-%d"] } }`;
    const played = await play(head, ['probe: { device: card, driver: card }']);
    assert.deepEqual(played.results, [0]);
    assert.deepEqual([...new Set(limits(played))], ['limit: vectors of CPUs 0,2: 402 of 402 in use']);
    assert.ok(played.log.some(text => text.endsWith('Affinity broken due to vector space exhaustion.')));
  });
});

describe('a kernel without SMP', () => {
  // 5.10.0-32-u3-2cpu-nosmp: dmesg.txt
  it('has a place for the CPU that boots only: ACPI offers the others in vain (nosmp)', async () => {
    const played = await play(`cmdline: nosmp\n${machine('cpus: 3', [msi(1)])}`, [alloc(1, 1), 'request: { device: card }']);
    assert.deepEqual(played.results, [1, 0]);
    const { kernel } = played.guest.world;
    assert.deepEqual([kernel.nr_cpu_ids, kernel.cpu_possible_mask.toString(), kernel.cpu_online_mask.toString()], [1, '0', '0']);
    assert.deepEqual(played.log.filter(text => /Processor/.test(text)), [
      'smpboot: 3 Processors exceeds max_cpus limit of 0',
      'APIC: NR_CPUS/possible_cpus limit of 1 reached. Processor 1/0x1 ignored.',
      'APIC: NR_CPUS/possible_cpus limit of 1 reached. Processor 2/0x2 ignored.',
    ]);
  });
});

describe('limits of the whole machine', function () {
  this.timeout(240_000);
  const FUNCTIONS = 8;
  const address = (i: number): string => `00:${(4 + Math.floor(i / FUNCTIONS)).toString(16).padStart(2, '0')}.${i % FUNCTIONS}`;
  const cards = (count: number): string[] => Array.from({ length: count }, (_, i) => `{ name: card${i}, kind: custom, address: "${address(i)}", msix: 2048 }`);
  const all = (i: number): string => `alloc: { device: card${i}, min: 2048, max: 2048, flags: [PCI_IRQ_MSIX] }`;
  const each = (count: number): string[] => Array.from({ length: count }, (_, i) => all(i));
  const got = (count: number): number[] => new Array<number>(count).fill(2048);

  // NR_IRQS of a small kernel is 4352; IRQ_BITMAP_BITS is that and 8196. Numbers of GSIs that nobody uses stay free.
  it('is the numbers of interrupts, of which a kernel has more than it says: the seventh card gets none', async () => {
    const played = await play(`config: ["NR_CPUS=4"]\n${machine('cpus: 2', cards(7))}`, [...each(7), 'freeVectors: card0', all(6)], { check: false });
    assert.deepEqual(played.results, [...got(6), ENOSPC, 0, 2048]);
    assert.deepEqual(limits(played).filter(text => !text.includes('reserved')), ['limit: interrupt numbers: 12541 of 12548 in use']);
  });

  it('is the remapping table of a VT-d unit: 65536 entries, some of them of the IOAPIC', async () => {
    const played = await play(machine('cpus: 2, remap: intel', cards(32)), [...each(32), 'freeVectors: card0', all(31)], { check: false });
    assert.deepEqual(played.results, [...got(31), ENOSPC, 0, 2048]);
    assert.deepEqual(limits(played).filter(text => !text.includes('reserved')), ['limit: remapping entries of dmar0: 65536 of 65536 in use']);
    assert.equal(played.log.filter(text => text === "DMAR-IR: IR0: can't allocate an IRTE").length, 1);
  });
});
