// Memory that runs out in a guest of Xen's: each allocation of the examples fails once.
import assert from 'node:assert/strict';
import { faultRuns, type FaultRun } from '../../src/scenario/fault-injection';
import { loadScenario } from '../../src/scenario/load';

function runsOf(name: string, kernel: string): FaultRun[] {
  const loaded = loadScenario(`examples/xen/${name}.irq.yaml`, undefined, { expect: false, kernel });
  assert.ok(loaded.ok, name);
  return [...faultRuns(loaded.scenario, loaded.make)];
}

/** There is no way out of xen_irq_init(); and xen_allocate_irq_gsi() does not look whether there is an irq. */
const DEATH = /^(Kernel panic - not syncing: Unable to allocate metadata for IRQ\d+|BUG: kernel NULL pointer dereference, address: 0000000000000000)$/;

describe('an allocation that fails in a guest of Xen', () => {
  for (const kernel of ['v5.9', 'v5.10.223']) {
    for (const name of ['hvm', 'dom0', 'domu', 'pciback', 'hvm-restore', 'hvm-x2apic']) {
      it(`loses nothing that no known bug of ${kernel} explains, or is the end: ${name}.irq.yaml`, () => {
        const runs = runsOf(name, kernel);
        assert.ok(runs.length > 0);
        for (const { nth, fault, died, leaks, known } of runs) {
          assert.ok(leaks.length === 0 || known !== undefined, `allocation ${nth}, ${fault.site}: ${leaks.join('; ')}`);
          if (died !== undefined) assert.match(died, DEATH, `allocation ${nth}, ${fault.site}`);
        }
      }).timeout(240_000);
    }
  }
});
