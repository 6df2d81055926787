// Cases that people have met, as examples: what each says, and what its comments say of other kernels.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { limit_text } from '../../src/kernel/lib/limit';
import { playFile, type Played } from './play';
import { see } from './seen';

const fileOf = (name: string): string => `examples/cases/${name}.irq.yaml`;
const run = (name: string, kernel?: string): Promise<Played> => playFile(fileOf(name), undefined, kernel);
/** The same with words of the file changed. */
const changed = (name: string, from: string | RegExp, to: string, kernel?: string): Promise<Played> => {
  const text = readFileSync(fileOf(name), 'utf8');
  assert.ok(text.search(from) >= 0);
  return playFile(fileOf(name), text.replace(from, to), kernel);
};

const irqOf = ({ guest }: Played, action: string): number => [...guest.world.kernel.irq_desc_tree].find(([, desc]) => desc.action?.name === action)![0];
const cpuOf = (played: Played, irq: number): number => Number(played.place(irq).split(':')[0]);
const irqsOf = ({ guest }: Played, action: RegExp): number[] => [...guest.world.kernel.irq_desc_tree].flatMap(([irq, desc]) => (action.test(desc.action?.name ?? '') ? [irq] : []));
const [EIO, ENOSPC] = [-5, -28];

describe('a pool of two CPUs', () => {
  it('overflows onto isolated CPUs with a warning only, and nobody comes back when there is room again', async () => {
    const played = await run('narrow-pool');
    assert.equal(played.stop.reason, 'end');
    assert.deepEqual(new Set(played.results), new Set([0]));
    const broken = played.log.filter(text => text.endsWith('Affinity broken due to vector space exhaustion.'));
    const astray = irqsOf(played, /^ice-/).filter(irq => cpuOf(played, irq) > 1);
    // 402 vectors of two CPUs; the machine's own interrupts hold some
    assert.ok(astray.length > 0);
    assert.equal(broken.length, astray.length);
    assert.deepEqual([...new Set(played.guest.world.kernel.limits.map(limit_text))], ['limit: vectors of CPUs 0-1: 402 of 402 in use']);
    assert.equal(played.guest.world.kernel.vector_matrix.maps[0].available + played.guest.world.kernel.vector_matrix.maps[1].available, 64);
  });
});

describe('an exhaustion that is none', () => {
  const answers = ({ guest }: Played): string[] => guest.world.kernel.trace.filter(({ event, text }) => event === 'vector_alloc' && text.startsWith('irq=25 ')).map(({ text }) => text).slice(-3);
  const warning = 'irq 25: Affinity broken due to vector space exhaustion.';

  it('is an empty mask, as in the trace of the report: -22, then a CPU of the node', async () => {
    const played = await run('exhaustion-that-is-not');
    assert.equal(played.log.at(-1), warning);
    const [empty, onNode, moved] = answers(played);
    assert.equal(empty, 'irq=25 vector=0 reserved=1 ret=-22');
    assert.match(onNode, /^irq=25 vector=\d+ reserved=1 ret=0$/);
    assert.match(moved, /^irq=25 vector=\d+ reserved=0 ret=0$/);
    assert.equal(cpuOf(played, 25), 4);
  });

  it('does not happen where the affinity is searched first', async () => {
    const played = await run('exhaustion-that-is-not', 'v5.10');
    assert.ok(!played.log.includes(warning));
    assert.equal(cpuOf(played, 25), 4);
  });
});

describe('a machine that is to sleep', () => {
  it('keeps its last CPU if the interrupts of both have no room on one', async () => {
    const played = await run('suspend-vector-budget');
    assert.equal(played.stop.reason, 'end');
    assert.deepEqual(played.results.slice(-4), [0, ENOSPC, 0, 0]);
    const text = played.log.find(line => line.endsWith('Cannot disable CPU'))!;
    const [, tomove, available] = /^CPU 7 has (\d+) vectors, (\d+) available\. Cannot disable CPU$/.exec(text)!.map(Number);
    assert.ok(available < tomove);
    // each interrupt that has a handler has a vector on one of them; 44 went with the fifth card
    assert.equal(tomove + (201 - available), irqsOf(played, /./).length + 44);
  });
});

describe('a CPU that goes, and one that is full', () => {
  const failures = ({ log }: Played): number => log.filter(text => /^IRQ\d+: set affinity failed\(-28\)\.$/.test(text)).length;

  it('loses interrupts in v5.10, with two CPUs nearly empty', async () => {
    const played = await run('offline-no-retry');
    const { maps } = played.guest.world.kernel.vector_matrix;
    assert.deepEqual([maps[2].available, played.results.at(-1)], [0, 0]);
    assert.ok(maps[0].available + maps[1].available > 380);
    assert.ok(failures(played) >= 99);
    assert.equal(irqsOf(played, /^net-/).filter(irq => cpuOf(played, irq) === 3).length, failures(played));
  });

  it('loses none where the kernel tries all CPUs that are online', async () => {
    const played = await run('offline-no-retry', 'v5.10.223+offline-retries-online');
    assert.equal(failures(played), 0);
    assert.deepEqual(irqsOf(played, /^net-/).filter(irq => cpuOf(played, irq) === 3), []);
    assert.ok(played.log.some(text => /^IRQ \d+: no longer affine to CPU3$/.test(text)));
  });
});

describe('16 vectors of one MSI', () => {
  it('are one where nothing remaps', async () => assert.deepEqual((await run('multi-msi-needs-remapping')).results, [ENOSPC, 1]));

  it('are refused before anything is set up from v6.2 on (d2a463b29741)', async () => {
    for (const [kernel, tried] of [['v5.10.223', 3], ['v5.10.223+multi-msi-early-reject', 1]] as const) {
      const seen = await see('examples/cases/multi-msi-needs-remapping.irq.yaml', kernel);
      assert.deepEqual(seen.results, [ENOSPC, 1]);
      assert.equal(seen.calls.filter(({ name }) => name === 'msi_setup_entry').length, tried);
    }
  });

  for (const remap of ['intel', 'amd']) {
    it(`are 16 with ${remap} remapping`, async () => {
      const played = await changed('multi-msi-needs-remapping', /remap: none[^]*/, `remap: ${remap}
  devices:
    - { name: ath12k, kind: custom, address: 00:01.0, msi: { vectors: 16, maskable: true } }
steps:
  - alloc: { device: ath12k, min: 16, max: 16, flags: [PCI_IRQ_MSI] }
`);
      assert.deepEqual(played.results, [16]);
    });
  }
});

describe('an interrupt in the middle of a message', () => {
  const handled = (played: Played): number => played.desc(irqOf(played, 'usb')).tot_count;

  it('is lost without the fix, on the CPU that the new address names, with the old vector', async () => {
    const played = await run('nonmaskable-msi-race');
    assert.equal(played.log.at(-1), 'common_interrupt: 3.36 No irq handler for vector');
    assert.equal(handled(played), 1);
  });

  for (const word of ['address_lo', 'address_hi', 'data']) {
    it(`behind ${word} is not lost with it`, async () => {
      const played = await changed('nonmaskable-msi-race', 'at: address_lo', `at: ${word}`, 'v5.10');
      assert.equal(handled(played), 2);
      assert.ok(!played.log.some(text => text.includes('No irq handler')));
    });
  }
});

describe('three remapping units', () => {
  it('are told by the domains of the interrupts, and an index is one of its unit only', async () => {
    const played = await run('which-unit');
    const domainOf = (action: string): string => played.desc(irqOf(played, action)).irq_data.parent_data!.domain!.name;
    assert.deepEqual(['eth0-rx-0', 'nvme0q1', 'timer'].map(domainOf), ['INTEL-IR-0', 'INTEL-IR-1', 'INTEL-IR-2']);
    assert.equal(played.log.at(-1), 'DMAR: [INTR-REMAP] Request device [01:00.0] fault index 5 [fault reason 34] Present field in the IRTE entry is clear');
  });
});

describe('an AMD table of 512 entries', () => {
  const counts = (played: Played): number[] => [255, 256].map(n => played.desc(irqOf(played, `card-${n}`)).tot_count);

  it('is 256 entries for an IOMMU that nobody told', async () => {
    const played = await run('amd-512-entries');
    assert.deepEqual(counts(played), [1, 0]);
    assert.match(played.log.at(-1)!, /^card 0000:00:01\.0: AMD-Vi: Event logged \[IO_PAGE_FAULT /);
  });

  it('delivers all in v5.10, and v5.9 has none of them', async () => {
    assert.deepEqual(counts(await run('amd-512-entries', 'v5.10')), [1, 1]);
    assert.equal(irqsOf(await run('amd-512-entries', 'v5.9'), /^card-/).length, 256);
  });
});

describe('isolcpus=managed_irq', () => {
  it('puts a queue of 4-7 on CPU 4, with its affinity as it was, and nobody may move it', async () => {
    const played = await changed('isolcpus-managed', /\n {2}# Only isolated[^]*/, '\n');
    const queues = irqsOf(played, /^virtio0-request$/).map(irq => [played.desc(irq).irq_common_data.affinity.toString(), cpuOf(played, irq)]);
    assert.deepEqual(queues, [['0-3', 0], ['4-7', 4]]);
    assert.equal(played.results.at(-1), EIO);
  });

  it('has no effect where only isolated CPUs are left', async () => {
    const played = await run('isolcpus-managed');
    const [, second] = irqsOf(played, /^virtio0-request$/);
    assert.ok([5, 6, 7].includes(cpuOf(played, second)));
    assert.equal(played.desc(second).irq_common_data.affinity.toString(), '4-7');
  });

  it('is CPU 6 where 4, 5 and 7 are avoided', async () => {
    const played = await changed('isolcpus-managed', /managed_irq,1-3,5-7/, 'managed_irq,1-5,7');
    // 4-7 without 6 again at the end: CPU 4 is not where it was
    assert.equal(cpuOf(played, irqsOf(played, /^virtio0-request$/)[1]), 6);
  });
});
