import assert from 'node:assert/strict';
import { formatDiagnostic } from '../../src/scenario/diagnostic';
import { loadScenario } from '../../src/scenario/load';
import type { irq_data } from '../../src/kernel/include/irq';
import { ENODEV } from '../../src/kernel/lib/errno';
import { kernel_death } from '../../src/kernel/lib/printk';
import type { StopEvent } from '../../src/stepper/stepper';
import { play, type Played } from './play';
import { see } from './seen';

const head = (remap: string): string => `machine: { cpus: 4, x2apic: true, remap: ${remap}, devices: [{ name: nvme0, kind: nvme, address: 00:04.0, msix: 5 }, { name: nic0, kind: nic, address: 00:05.0 }] }`;
const STEPS = ['probe: nvme0', 'probe: nic0', 'raise: { device: nvme0, entry: 1 }', 'affinity: { device: nic0, cpus: 2 }', 'raise: nic0', 'remove: nvme0'];

/** Has no vector level. */
const CASCADE = 2;

/** What a kernel makes of the same machine and steps: everything that hardware or a user sees. */
function outcome(played: Played): unknown {
  const { guest, results } = played;
  const { kernel, machine } = guest.world;
  return {
    results,
    events: machine.events,
    irqs: [...kernel.irq_desc_tree.keys()].map(irq => [irq, irq === CASCADE ? '' : played.place(irq), chain(kernel.irq_desc_tree.get(irq)!.irq_data)]),
    trace: kernel.trace.slice(-200),
  };
}

const chain = (data: irq_data | null): string[] => (data ? [`${data.domain?.name ?? '-'} ${data.chip.name} ${data.hwirq}`, ...chain(data.parent_data)] : []);

const reportOf = ({ error }: StopEvent): readonly string[] => (error instanceof kernel_death ? error.report : []);
const NULL = (address: string): string => `BUG: kernel NULL pointer dereference, address: ${address.padStart(16, '0')}`;

describe('any point of the series', () => {
  for (const remap of ['none', 'intel', 'amd']) {
    it(`does to hardware what v5.10 does, with remap: ${remap}`, async () => {
      // The oopses between are the series' own.
      const repair = '+dmar-hpet-msi-flags';
      const oopses = remap === 'none' ? [] : Array.from({ length: 15 }, (_, i) => 18 + i);
      const last = outcome(await play(head(remap), STEPS, { kernel: 'v5.10' }));
      for (const patches of [0, 5, 8, 9, 11, 18, 19, 33, 35].filter(n => !oopses.includes(n))) {
        const kernel = `series:${patches}${repair}+vector-search-order+free-mapped-irqs-only+trim-hierarchy+retrigger-hierarchy+log-empty-continuation+vmm-communication-vector`;
        assert.deepEqual(outcome(await play(head(remap), STEPS, { kernel })), last, kernel);
      }
    });
  }
});

describe('frames of a kernel', () => {
  const SPLIT_LATER = ['__msi_domain_alloc_irqs', '__msi_domain_free_irqs', 'vmd_alloc_irqs', 'vmd_create_irq_domain', 'vmd_remove_irq_domain'];

  it('are those of its functions: what v5.10 has split off is done by the caller in v5.9', async () => {
    for (const [kernel, functions] of [['v5.9', []], ['v5.10', SPLIT_LATER]] as const) {
      const seen = await see('examples/vmd.irq.yaml', kernel);
      assert.deepEqual(seen.which(...SPLIT_LATER), functions);
      assert.deepEqual(seen.callersOf('vmd_set_desc', 1), [kernel === 'v5.9' ? 'msi_domain_alloc_irqs' : '__msi_domain_alloc_irqs']);
    }
  });
});

describe('the traps of the series', () => {
  it('05 without 04: remapped interrupts get the plain message, which the unit blocks', async () => {
    const { guest } = await play(head('intel'), ['probe: nvme0', 'raise: { device: nvme0, entry: 1 }'], { kernel: 'v5.10-v2-04', check: false });
    const faults = guest.world.machine.events.flatMap(e => (e.kind === 'fault' ? [e.reason] : []));
    assert.ok(faults.length > 0 && faults.every(reason => reason === 0x25));
    assert.deepEqual(guest.world.machine.events.filter(e => e.kind === 'remapped'), []);
  });

  for (const [remap, where, caller] of [['intel', 'msi_desc_to_pci_dev', 'intel_get_irq_domain'], ['amd', 'get_devid', 'get_irq_domain']]) {
    it(`18 before 33: the getter looks for the device of no descriptor, ${caller}() in ${where}()`, async () => {
      for (const kernel of ['series:18', 'series:32+dmar-hpet-msi-flags']) {
        const { stop } = await play(head(remap), ['probe: nvme0'], { kernel });
        assert.equal(stop.error?.message, NULL('18'));
        const report = reportOf(stop);
        const at = report.indexOf('Call Trace:');
        assert.deepEqual(report.slice(0, at + 2), [
          NULL('18'), '#PF: supervisor read access in kernel mode', '#PF: error_code(0x0000) - not-present page',
          'Oops: 0000 [#1] SMP', 'CPU: 0', `RIP: 0010:${where}`, 'Call Trace:', ` ${caller}`,
        ]);
        assert.ok(report.includes(' native_setup_msi_irqs') && !report.includes(' probe nvme0'));
      }
      assert.equal((await play(head(remap), ['probe: nvme0'], { kernel: 'series:17' })).stop.reason, 'end');
    });
  }

  it("19 without its repair: the remapping unit's own interrupt calls a get_hwirq that is NULL, while the kernel boots", async () => {
    const { stop, log } = await play(head('intel'), ['probe: nvme0'], { kernel: 'series:19' });
    assert.equal(stop.error?.message, NULL('0'));
    assert.deepEqual(reportOf(stop).slice(1, 9), [
      '#PF: supervisor instruction fetch in kernel mode', '#PF: error_code(0x0010) - not-present page', 'Oops: 0010 [#1] SMP', 'CPU: 0', 'RIP: 0010:0x0',
      'Call Trace:', ' msi_domain_alloc', ' irq_domain_alloc_irqs_hierarchy',
    ]);
    assert.ok(log.includes('DMAR-IR: Enabled IRQ remapping in x2apic mode'));
  });

  it('33 without 31: devices keep the domain that does not remap', async () => {
    const { guest } = await play(head('intel'), ['probe: nvme0', 'raise: { device: nvme0, entry: 1 }'], { kernel: 'v5.10-v2-31', check: false });
    assert.ok(guest.world.machine.events.some(e => e.kind === 'fault' && e.reason === 0x25));
  });

  it('35 without 33: a device without a domain gets no MSI', async () => {
    const { log, results } = await play(head('none'), ['alloc: { device: nvme0, min: 1, max: 4, flags: [PCI_IRQ_MSIX] }'], { kernel: 'v5.10-v2-33' });
    assert.deepEqual(results, [-ENODEV]);
    assert.ok(log.includes('WARNING: CPU: 0 at include/linux/msi.h pci_msi_setup_msi_irqs'));
  });
});

describe('a kernel of a scenario', () => {
  const errorsOf = (kernel: string): string[] => {
    const loaded = loadScenario('x', `${kernel}\nsteps: [boot]`);
    return loaded.ok ? [] : loaded.diagnostics.map(d => formatDiagnostic(d).replace('x:', '').replace(' error:', ''));
  };

  it('is refused at the word that is wrong', () => {
    assert.deepEqual(errorsOf('kernel:\n  base: v5.10\n  without: [v2-04, v2-18]'), ['3:20: v2-19 needs v2-18: take v2-19 away too']);
    assert.deepEqual(errorsOf('kernel: { series: 19, with: [dmar-hpet-msi-flag] }'), ['1:30: there is no change dmar-hpet-msi-flag; did you mean dmar-hpet-msi-flags?']);
    assert.deepEqual(errorsOf('kernel: { base: v5.10, series: 1 }'), ['1:32: the series starts from v5.9; expected either base or series']);
    assert.deepEqual(errorsOf('kernel: { with: [v2-04] }'), ['1:9: which kernel? expected either base or series']);
    assert.deepEqual(errorsOf('kernel: { series: 19 }'), []);
  });
});
