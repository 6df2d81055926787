import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { faultRuns, type FaultRun } from '../../src/scenario/fault-injection';
import { KNOWN } from '../../src/scenario/invariants/report';
import { loadScenario } from '../../src/scenario/load';
import { type Ended, toEnd } from '../../src/scenario/to-end';

function runsOf(path: string, text?: string, kernel?: string, every?: number): FaultRun[] {
  const loaded = loadScenario(path, text, { expect: false, ...(kernel !== undefined && { kernel }) });
  assert.ok(loaded.ok, path);
  return [...faultRuns(loaded.scenario, loaded.make, every)];
}

/** The kernel has no other way out there than to panic; or waits for what nobody will do. */
const PANICS: Record<string, string> = {
  'hv_pci_start_relations_work: struct hv_dr_work': 'nothing can run, and the script has no step left: sh on CPU 0 waits for survey_event',
  '__add_pin_to_irq_node: struct irq_pin_list': 'Kernel panic - not syncing: IO-APIC: failed to add irq-pin. Can not proceed',
};

/** Thousands of allocations, over and over the same few: so many go by between two that fail here; `irqstep run --fail-nth all` lets each fail. */
const LONG: Record<string, number | undefined> = {
  'exhaustion.irq.yaml': 31,
  'cases/amd-512-entries.irq.yaml': 331,
  'cases/narrow-pool.irq.yaml': 331,
  'cases/offline-no-retry.irq.yaml': 331,
  'cases/suspend-vector-budget.irq.yaml': 331,
};

const all = readdirSync('examples', { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.irq.yaml')).map(name => name.replaceAll('\\', '/')).sort();
const examples = all.filter(name => !name.includes('/'));
/** Each has its own kernel. Where that one dies of itself, it may die with an allocation that fails, too. */
const nested = all.filter(name => name.includes('/'));

describe('an allocation that fails', () => {
  for (const kernel of ['v5.10', 'v5.10.223']) {
    for (const name of examples) {
      it(`loses nothing that no known bug of ${kernel} explains, wherever it is in ${name}`, () => {
        const runs = runsOf(`examples/${name}`, undefined, kernel, LONG[name]);
        assert.ok(runs.length > 0);
        for (const { nth, fault, died, leaks, known } of runs) {
          assert.ok(leaks.length === 0 || known !== undefined, `allocation ${nth}, ${fault.site}: ${leaks.join('; ')}`);
          assert.equal(died, PANICS[fault.site], `allocation ${nth}, ${fault.site}`);
        }
      }).timeout(120_000);
    }
  }

  for (const name of nested) {
    it(`loses nothing that no known bug of its kernel explains, wherever it is in ${name}`, () => {
      for (const { nth, fault, leaks, known } of runsOf(`examples/${name}`, undefined, undefined, LONG[name])) {
        assert.ok(leaks.length === 0 || known !== undefined, `allocation ${nth}, ${fault.site}: ${leaks.join('; ')}`);
      }
    }).timeout(120_000);
  }

  it('leaves MSI-X on behind populate_msi_sysfs(), until a later kernel mended that', () => {
    const leaking = (kernel: string): string[] => runsOf('examples/nvme-msix.irq.yaml', undefined, kernel).filter(({ leaks }) => leaks.length > 0).map(({ fault }) => fault.site.split(':')[0]);
    assert.deepEqual([...new Set(leaking('v5.10'))], ['populate_msi_sysfs']);
    assert.deepEqual(leaking('v5.10.223'), []);
  }).timeout(120_000);

  it('is named by the invariants, too, as a bug of the kernel, when it leaves MSI-X on', () => {
    const machine = 'machine: { devices: [{ name: card, kind: custom, address: 00:04.0, msix: 4 }] }';
    const after = (nth: number): Ended => {
      const loaded = loadScenario('x.irq.yaml', `${machine}\nsteps: [{ alloc: { device: card, min: 2, max: 2, flags: [PCI_IRQ_MSIX] }, failNth: ${nth} }]`, { kernel: 'v5.10', check: true });
      assert.ok(loaded.ok);
      return toEnd(loaded.make);
    };
    const { guest, error } = Array.from({ length: 40 }, (_, i) => after(i + 1)).find(run => run.guest.findings.faults.at(0)?.site.startsWith('populate_msi_sysfs:'))!;
    assert.equal(error, undefined);
    assert.deepEqual(guest.findings.violations.map(({ violation }) => violation.known), [KNOWN.MSIX_LEFT_ON]);
  });

  it('is one of a step, where the step says so', () => {
    const text = `
machine: { devices: [{ name: card, kind: custom, address: 00:04.0, msix: 4 }] }
steps:
  - { alloc: { device: card, min: 2, max: 2, flags: [PCI_IRQ_MSIX] }, failNth: 20, expect: -ENOSPC }
  - { alloc: { device: card, min: 1, max: 2, flags: [PCI_IRQ_MSIX] }, failNth: 12, expect: 1 }
  - { request: { device: card }, failNth: 1, expect: -ENOMEM }
  - { request: { device: card }, expect: 0 }
  - { affinity: { device: card, cpus: 1 }, failNth: 1, expect: -ENOMEM }
`;
    const SITES = ['alloc_desc: kstat_irqs', 'alloc_masks: affinity', 'request_threaded_irq: struct irqaction', 'write_irq_affinity: new_value'];
    const loaded = loadScenario('x.irq.yaml', text, { check: true });
    assert.ok(loaded.ok);
    const { guest, error } = toEnd(loaded.make);
    assert.deepEqual([error?.message, guest.findings.faults.map(({ site }) => site)], [undefined, SITES]);
  });

  it('makes fewer vectors do where the driver can live with fewer', () => {
    const runs = runsOf('x.irq.yaml', `
machine: { devices: [{ name: card, kind: custom, address: 00:04.0, msix: 4 }] }
steps: [{ alloc: { device: card, min: 1, max: 3, flags: [PCI_IRQ_MSIX] } }]
`);
    const descs = runs.filter(({ fault }) => fault.site === 'alloc_desc: struct irq_desc').map(({ fault }) => fault.value);
    // the line's, then those of the three vectors: with none of them there is no vector, with two there are two
    assert.deepEqual(descs, [-12, -28, 1, 2]);
  });
});
