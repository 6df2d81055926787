import assert from 'node:assert/strict';
import { validateMachineConfig } from '../../src/hardware/validate-machine';
import { loadScenario, type ScenarioGuest } from '../../src/scenario/load';
import { machineConfig } from '../../src/scenario/machine';
import { Stepper } from '../../src/stepper/stepper';

async function run(text?: string): Promise<ScenarioGuest> {
  const loaded = loadScenario('examples/nvme-amd-ir.irq.yaml', text, { check: true });
  assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.diagnostics));
  let guest!: ScenarioGuest;
  const stepper = new Stepper(host => (guest = loaded.make(host)));
  stepper.setMarks([]);
  assert.equal((await stepper.run({ kind: 'continue' })).reason, 'end');
  return guest;
}

const problems = (text: string): string[] => {
  const loaded = loadScenario('x.irq.yaml', text);
  return loaded.ok ? [] : loaded.diagnostics.map(d => d.message);
};

describe('examples/nvme-amd-ir.irq.yaml', () => {
  it('remaps by table and index, and refuses the entry that nobody activated', async () => {
    const { machine, kernel } = (await run()).world;
    assert.deepEqual(machine.events.flatMap(e => (e.kind === 'remapped' ? [[e.index, e.high & 0xffn]] : [])), [[0, 35n], [0, 36n], [3, 35n]]);
    assert.deepEqual(machine.events.flatMap(e => (e.kind === 'fault' ? [[e.sourceId, e.index, e.recorded]] : [])), [[0x28, 2, true]]);
    assert.equal(kernel.log.filter(({ text }) => /IO_PAGE_FAULT/.test(text)).length, 1);
    assert.equal(kernel.irq_desc_tree.get(24)!.tot_count, 1);
  });
});

describe('machine.remap of AMD', () => {
  const machine = (remap: string, device = '00:04.0'): string => `machine:\n  remap: ${remap}\n  devices:\n    - { name: nvme0, kind: nvme, address: ${device} }\nsteps:\n  - probe: nvme0\n`;

  it('is one unit for all devices, with entries of 128 bits unless it says otherwise', () => {
    const [unit] = machineConfig({ remap: 'amd' }).amdRemap!.units;
    assert.deepEqual([unit.ga, unit.guest, unit.includeAll, unit.ioapics], [true, false, true, [{ id: 0, requesterId: 0xa0 }]]);
    assert.equal(machineConfig({ remap: { type: 'amd', ga: false } }).amdRemap!.units[0].ga, false);
    assert.deepEqual(validateMachineConfig(machineConfig({ remap: 'amd' })), []);
  });

  it('runs with entries of 32 bits', async () => {
    const { kernel } = (await run(machine('{ type: amd, ga: false }'))).world;
    assert.equal(kernel.irq_desc_tree.get(25)!.irq_data.domain!.name, 'AMD-IR-MSI-0-3');
  });

  it('says what cannot be', () => {
    assert.deepEqual(problems(machine('{ type: amd, ga: false, guest: true }')), ['entries for guests have 128 bits; expected ga']);
    assert.deepEqual(problems(machine('amd', '00:00.2')), ['00:00.2 is the AMD IOMMU itself; expected another address']);
    assert.match(problems(machine('amdd')).join('\n'), /amd/);
  });
});
