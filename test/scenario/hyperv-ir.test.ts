// The IOAPIC of a guest of Hyper-V. No capture has one: what is asserted is what v5.9 and v5.10's hyperv-iommu.c and the code around it say.
import assert from 'node:assert/strict';
import { RTE } from '../../src/hardware/io-apic';
import { chainOf } from '../../src/scenario/invariants/owners';
import { debugfsDomain } from '../../src/text/debugfs-irq';
import { drain } from '../../src/scenario/drain';
import { cpumask } from '../../src/kernel/lib/cpumask';
import { play, type Played } from './play';

const EINVAL = -22;
const kernels = ['v5.9', 'v5.10'] as const;
const kernelOf = (p: Played) => p.guest.world.kernel;

/** CPUs 2 and 3 have APIC ids that an IOAPIC cannot name; a card has an INTx line alone. */
const head = (x2apic = true): string => `machine:
  cpus: ${x2apic ? '[{ apicId: 0 }, { apicId: 1 }, { apicId: 300 }, { apicId: 301 }]' : '4'}
  x2apic: ${x2apic}
  hypervisor: { hyperv: {} }
  devices:
    - { name: card, kind: custom, address: 00:04.0, gsi: 20 }
drivers:
  mycard:
    match: { address: 00:04.0 }
    alloc: { min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }`;
const IRQ = 20;
const rteOf = (p: Played): bigint => p.guest.world.machine.ioapics[0].rte[IRQ];
const target = (p: Played): number[] => [RTE.get(rteOf(p), 'dest'), RTE.get(rteOf(p), 'vector')].map(Number);
const programmed = (p: Played): number[] => {
  const [cpu, vector] = p.place(IRQ).split(':').map(Number);
  return [kernelOf(p).x86_cpu_to_apicid[cpu], vector];
};

describe('HYPERV-IR', () => {
  // facts 0.7, 3.5, 11.1
  it('is a domain of 24 entries below VECTOR and under the IOAPIC: IR-IO-APIC > HYPERV-IR > APIC', async () => {
    for (const kernel of kernels) {
      const p = await play(head(), ['probe: card', 'assert: card'], { kernel });
      const { ioapic_ir_domain: domain, ioapics, x86_vector_domain } = kernelOf(p);
      assert.deepEqual([domain!.name, domain!.parent, domain!.revmap_size], ['HYPERV-IR-0', x86_vector_domain, 24]);
      assert.deepEqual([ioapics[0].irqdomain!.name, ioapics[0].irqdomain!.parent], ['IO-APIC-IR-0', domain]);
      assert.deepEqual(chainOf(p.desc(IRQ)).map(({ chip }) => chip.name), ['IR-IO-APIC', 'HYPERV-IR', 'APIC']);
      assert.equal(p.desc(IRQ).tot_count, 1);
      assert.match(debugfsDomain(p.guest.world, domain!), /^name: {3}HYPERV-IR-0\n size: {3}24\n/);
    }
  });

  // fact 3.5: the getter before and after
  it('is found by get_ir_irq_domain before the series, by get_irq_domain after it', async () => {
    const ops = async (kernel: string): Promise<string[]> => Object.keys(kernelOf(await play(head(), ['boot'], { kernel })).remap_ops!);
    assert.deepEqual(await ops('v5.9'), ['prepare', 'enable', 'get_ir_irq_domain']);
    assert.deepEqual(await ops('v5.10'), ['prepare', 'enable', 'get_irq_domain']);
    for (const patches of [7, 8, 9, 10, 11, 12]) assert.equal(kernelOf(await play(head(), ['boot'], { kernel: `series:${patches}` })).ioapics[0].irqdomain!.parent!.name, 'HYPERV-IR-0', `series:${patches}`);
  });

  // fact 3.5: requires x2apic_supported()
  it('is not there without x2APIC mode, which it is for', async () => {
    const [without, with_] = [await play(head(false), ['boot']), await play(head(), ['boot'])];
    assert.deepEqual([kernelOf(without).ioapic_ir_domain, kernelOf(without).ioapics[0].irqdomain!.parent!.name], [null, 'VECTOR']);
    assert.deepEqual([kernelOf(without).apic.name, kernelOf(with_).apic.name], ['flat', 'physical x2apic']);
    assert.ok(with_.log.includes('Hypervisor detected: Microsoft Hyper-V'));
  });

  it('is not there with intremap=off, and then there is no x2APIC mode', async () => {
    const p = await play(`cmdline: intremap=off\n${head().replace(/300/, '2').replace(/301/, '3')}`, ['boot']);
    assert.deepEqual([kernelOf(p).ioapic_ir_domain, kernelOf(p).x2apic_mode], [null, false]);
    assert.ok(p.log.includes("x2apic: IRQ remapping doesn't support X2APIC mode"));
  });

  // fact 3.5, last line
  it('remaps no messages: remapping is not enabled, and no PCI device has another domain', async () => {
    const p = await play(head(), ['probe: card']);
    assert.equal(kernelOf(p).irq_remapping_enabled, false);
    assert.deepEqual(kernelOf(p).pci_devices.map(({ msi_domain }) => msi_domain?.name), ['PCI-MSI-3']);
  });

  // fact 3.5: activate and set_affinity write the entry
  it('writes vector and destination into the entry of the IOAPIC itself', async () => {
    const steps = ['probe: card', 'affinity: { irq: 20, cpus: 0 }', 'assert: card', 'affinity: { irq: 20, cpus: 1 }', 'assert: card', 'assert: card'];
    for (const kernel of kernels) {
      for (const n of [1, 3, 5, 6]) {
        const p = await play(head(), steps.slice(0, n), { kernel });
        assert.deepEqual(target(p), programmed(p), `${kernel}, ${n} steps`);
      }
      const p = await play(head(), steps, { kernel });
      assert.deepEqual([target(p)[0], p.desc(IRQ).tot_count], [1, 3]);
    }
  });

  // facts H6, 11.3, catalogue 17
  it('refuses a CPU whose APIC id has more than 8 bits: -EINVAL (hyperv_ir_set_affinity)', async () => {
    const p = await play(head(), ['probe: card']);
    const { hyperv_ir_chip, ioapic_max_cpumask, nr_cpu_ids } = kernelOf(p);
    assert.equal(ioapic_max_cpumask.toString(), '0-1');
    const results: number[] = [];
    drain(p.guest, 0, function* () {
      for (const cpus of [[2], [0, 2], [1]]) results.push(yield* hyperv_ir_chip.irq_set_affinity!(p.desc(IRQ).irq_data.parent_data!, cpumask.of(nr_cpu_ids, ...cpus), false));
    });
    assert.deepEqual(results, [EINVAL, EINVAL, 0]);
  });

  // The interrupt may not be moved in process context (no IRQ_MOVE_PCNTXT), so who wrote is not told.
  it('does so in the next interrupt, when nobody is there to hear it: the write has succeeded, and the interrupt stays', async () => {
    const steps = ['probe: card', 'affinity: { irq: 20, cpus: 0 }', 'assert: card', 'affinity: { irq: 20, cpus: 2 }'];
    const [asked, came] = [await play(head(), steps), await play(head(), [...steps, 'assert: card'])];
    assert.deepEqual(asked.results, [0, 0, 0, 0]);
    assert.equal(asked.desc(IRQ).pending_mask.toString(), '2');
    assert.equal(came.desc(IRQ).pending_mask.toString(), '');
    assert.deepEqual([came.place(IRQ), target(came)], [asked.place(IRQ), target(asked)]);
  });

  it('has an interrupt left behind on a CPU that goes offline: no mask of all CPUs will do', async () => {
    const p = await play(head(), ['probe: card', 'affinity: { irq: 20, cpus: 1 }', 'assert: card', 'offline: 1', 'assert: card'], { kernel: 'v5.10' });
    assert.ok(p.log.includes(`IRQ20: set affinity failed(${EINVAL}).`));
    assert.equal(p.desc(IRQ).tot_count, 1);
    assert.ok(p.guest.world.machine.events.some(({ kind }) => kind === 'lost'));
  });
});
