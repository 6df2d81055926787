// Each example on each kernel, before the series, within it and behind it: what a kernel has not is answered with an errno,
// and a kernel that gives up does so for a reason that has a name.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { type ChangeId, firstPatches, KERNELS } from '../../src/kernel/changes';
import { kernelOf, parseKernel } from '../../src/kernel/kernel_choice';
import { ENODEV } from '../../src/kernel/lib/errno';
import { kernel_death } from '../../src/kernel/lib/printk';
import { loadScenario, type LoadOptions, type ScenarioGuest } from '../../src/scenario/load';
import { toEnd } from '../../src/scenario/to-end';

const examples = readdirSync('examples', { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.irq.yaml'))
  .map(name => name.replaceAll('\\', '/').replace('.irq.yaml', ''))
  .sort();

type Has = (change: ChangeId) => boolean;

/** A way in which a kernel gives up: where it can be met, and the function that does it with those that called. */
interface Death {
  readonly where: (has: Has) => boolean;
  readonly calls: readonly RegExp[];
}

const DEATHS = {
  'the DMAR and HPET domains have no get_hwirq (9.2)': { where: has => has('v2-19') && !has('dmar-hpet-msi-flags'), calls: [/^0x0$/, /^msi_domain_alloc$/] },
  'the lookup below a remapping unit has no descriptor': { where: has => has('v2-18') && !has('v2-33'), calls: [/^(msi_desc_to_pci_dev|get_devid)$/, /^(intel_)?get_irq_domain$/] },
  'x86 has no default msi_prepare (0.3)': { where: has => !has('v2-19'), calls: [/^0x0$/, /^msi_domain_prepare_irqs$/] },
  'no level composes a message (0.5)': { where: has => has('v2-44') || !has('v2-33'), calls: [/^msi_domain_activate$/, /^__irq_domain_activate_irq$/] },
  'a platform MSI chip has no irq_ack (5.5)': { where: has => !has('v2-41'), calls: [/^0x0$/, /^handle_edge_irq$/] },
  'VT-d does not know DEV_MSI (I3)': { where: has => has('v2-46') && !has('repost-vtd-dev-msi'), calls: [/^intel_irq_remapping_prepare_irte$/, /^intel_irq_remapping_alloc$/] },
  'the bus lock of an IMS queue reads an interrupt without a descriptor (6.3)': { where: has => has('v2-46') && !has('ims-queue-usable'), calls: [/^ims_queue_lock$/, /^chip_bus_lock$/] },
} satisfies Record<string, Death>;
type DeathName = keyof typeof DEATHS;

const hasOf = (kernel: string): Has => {
  const choice = kernelOf(parseKernel(kernel));
  assert.ok(choice.ok, kernel);
  return change => choice.changes.has(change);
};

interface Outcome {
  readonly guest: ScenarioGuest;
  /** undefined: all steps were done */
  readonly death: DeathName | undefined;
}

/** @throws what is no kernel's, and a kernel's end that has no name */
function outcomeOf(name: string, options: LoadOptions): Outcome {
  const loaded = loadScenario(`examples/${name}.irq.yaml`, undefined, options);
  assert.ok(loaded.ok, loaded.ok ? '' : `${name}: ${JSON.stringify(loaded.diagnostics)}`);
  const { guest, error } = toEnd(loaded.make);
  if (!error) return { guest, death: undefined };
  if (!(error instanceof kernel_death)) throw new Error(`${name} on ${loaded.scenario.kernel}: ${error.message}`, { cause: error });
  return { guest, death: nameOf(error, hasOf(loaded.scenario.kernel), name) };
}

function nameOf({ report }: kernel_death, has: Has, example: string): DeathName {
  const trace = report.indexOf('Call Trace:');
  const calls = [report[trace - 1].replace('RIP: 0010:', ''), ...report.slice(trace + 1).map(line => line.trim())];
  const found = Object.entries<Death>(DEATHS).filter(([, death]) => death.calls.every((call, i) => call.test(calls[i])));
  assert.equal(found.length, 1, `${example}: ${report.join('\n')}`);
  const [name, { where }] = found[0];
  assert.ok(where(has), `${example}: ${name}, on a kernel that cannot do that`);
  return name as DeathName;
}

/** Those that a user can name, and all that gives up there. */
const RELEASES: Record<string, Record<string, DeathName>> = {
  'v5.9': { 'ims/platform-msi': 'x86 has no default msi_prepare (0.3)' },
  'v5.10': { 'ims/platform-msi': 'a platform MSI chip has no irq_ack (5.5)' },
  'v5.10.223': { 'ims/platform-msi': 'a platform MSI chip has no irq_ack (5.5)' },
  'v5.10+device-msi': {
    'ims/array': 'VT-d does not know DEV_MSI (I3)',
    'ims/v2-intel': 'VT-d does not know DEV_MSI (I3)',
    'ims/queue': 'the bus lock of an IMS queue reads an interrupt without a descriptor (6.3)',
    'series/42-bus-lock': 'the bus lock of an IMS queue reads an interrupt without a descriptor (6.3)',
    'later/ims': 'VT-d does not know DEV_MSI (I3)',
    'later/ims-queue': 'VT-d does not know DEV_MSI (I3)',
    'xen/ims': 'no level composes a message (0.5)',
  },
  'v5.10+ims-repost': {},
};

const REPAIR = '+dmar-hpet-msi-flags';
/** Behind the new allocation info, the first MSI lookup that oopses, the domain at PCI init time, the overrides, the devices' own domains, the last that was merged. */
const BETWEEN = ['series:12', 'series:18', `series:22${REPAIR}`, `series:29${REPAIR}`, 'series:33', `series:38${REPAIR}`];

/** Of the first and the last, after each step: the tests of each platform do it where the examples stand. */
const WITH_INVARIANTS = ['v5.9', 'v5.10.223'];

describe('every example', function () {
  this.timeout(60_000);
  const met = new Set<DeathName>();

  for (const [kernel, expected] of Object.entries(RELEASES)) {
    it(`ends on ${kernel}, or the kernel gives up where it is known to`, () => {
      const died: Record<string, DeathName> = {};
      for (const name of examples) {
        const { death } = outcomeOf(name, { kernel, expect: false, check: WITH_INVARIANTS.includes(kernel) });
        if (death !== undefined) died[name] = death;
      }
      assert.deepEqual(died, expected);
      for (const death of Object.values(died)) met.add(death);
    });
  }

  for (const kernel of BETWEEN) {
    it(`ends on ${kernel}, or the kernel gives up for a reason that has a name`, () => {
      for (const name of examples) {
        const { death } = outcomeOf(name, { kernel, expect: false });
        if (death !== undefined) met.add(death);
      }
    });
  }

  it('ends as it says on the kernel that it names', () => {
    for (const name of examples) outcomeOf(name, {});
  });

  it('meets each of these deaths somewhere', () => {
    assert.deepEqual([...met].sort(), Object.keys(DEATHS).sort());
  });

  it('runs before the series on what v5.9 is: no patch of it', () => assert.deepEqual(KERNELS['v5.9'], firstPatches(0)));
});

describe('a driver that needs device MSI', () => {
  for (const kernel of ['v5.9', 'v5.10']) {
    it(`does not get it of ${kernel}: -ENODEV for the device, and for each message`, () => {
      const refused = examples.flatMap(name => {
        const loaded = loadScenario(`examples/${name}.irq.yaml`);
        assert.ok(loaded.ok);
        const { steps, machine } = loaded.scenario.file;
        const devices = machine?.devices?.filter(({ ims }) => ims && ims.msi !== 'platform').map(device => device.name) ?? [];
        const needs = steps.map(step => typeof step !== 'string' && (step.msiAlloc !== undefined || (typeof step.probe === 'string' && devices.includes(step.probe))));
        if (devices.length === 0 || !needs.includes(true)) return [];

        const { guest } = outcomeOf(name, { kernel, expect: false });
        return guest.results.flatMap(({ value }, i) => (needs[i] ? [`${name}: ${value}`] : []));
      });
      assert.ok(refused.length > 40);
      assert.deepEqual(refused.filter(text => !text.endsWith(`: ${-ENODEV}`)), []);
    });
  }
});
