import assert from 'node:assert/strict';
import type { MachineConfig } from '../../src/hardware/machine-config';
import { validateMachineConfig } from '../../src/hardware/validate-machine';
import { Machine } from '../../src/hardware/machine';
import { MSIX_FLAGS, MSIX_LOCATION, PCI_CAP_ID_MSIX, PCI_CAPABILITY_LIST, PCI_COMMAND, STATUS } from '../../src/hardware/pci-registers';
import { machineConfig, msi4, nvme, unit } from './machines';

/** A configuration space with nothing but MSI-X, its table in `bir`. */
function msixSpace(entries: number, bir: number, table: number, pending: number): string {
  const words = new Array<number>(64).fill(0);
  words[PCI_COMMAND >> 2] = STATUS.encode({ cap_list: 1 }) << 16;
  words[PCI_CAPABILITY_LIST >> 2] = 0x40;
  words.splice(0x10, 3, (MSIX_FLAGS.encode({ qsize: entries - 1 }) << 16) | PCI_CAP_ID_MSIX, MSIX_LOCATION.encode({ bir, offset: table / 8 }), MSIX_LOCATION.encode({ bir, offset: pending / 8 }));
  return words.map(word => (word >>> 0).toString(16).padStart(8, '0')).join(' ');
}

describe('validateMachineConfig', () => {
  const cases: [string, Partial<MachineConfig>, string, RegExp][] = [
    ['no CPU', { cpus: [] }, 'machine.cpus', /at least one CPU/],
    ['an APIC id twice', { cpus: [{ apicId: 1, node: 0 }, { apicId: 1, node: 0 }] }, 'machine.cpus[1].apicId', /cpus\[0\] already/],
    ['an APIC id of 255 without x2APIC', { cpus: [{ apicId: 255, node: 0 }] }, 'machine.cpus[0].apicId', /0 to 254 \(more needs x2apic\)/],
    ['a GSI beyond the IOAPIC', { pci: [{ ...nvme, gsi: 24 }] }, 'machine.pci[0].gsi', /GSI 24; there are 0 to 23/],
    ['an override to a pin that is not there', { isaOverrides: [{ irq: 9, gsi: 30 }] }, 'machine.isaOverrides[0].gsi', /GSI 30/],
    ['overlapping IOAPICs', { ioapics: [{ id: 0, address: 0xfec00000, pins: 24, gsiBase: 0, version: 32 }, { id: 1, address: 0xfec01000, pins: 24, gsiBase: 23, version: 32 }] }, 'machine.ioapics[1].gsiBase', /overlap/],
    ['a PCI address twice', { pci: [nvme, { ...msi4, address: nvme.address }] }, 'machine.pci[1].address', /pci\[0\] already/],
    ['no PCI address', { pci: [{ ...nvme, address: '00:04' }] }, 'machine.pci[0].address', /expected one as 0000:00:04.0/],
    ['MSI vectors that are no power of two', { pci: [{ ...msi4, msi: { vectors: 3, maskable: false, addr64: true } }] }, 'machine.pci[0].msi.vectors', /power of two/],
    ['an MSI-X table that lies over its pending bits', { pci: [{ ...nvme, config: msixSpace(64, 0, 0, 0x200) }] }, 'machine.pci[0].config', /1024 bytes from 0x0 of BAR 0 on, and the pending bits begin at 0x200/],
    ['an MSI-X table without a BAR', { pci: [{ ...nvme, config: msixSpace(64, 6, 0, 0x1000) }] }, 'machine.pci[0].config', /in BAR 6; expected 0 to 5/],
    ['two units that own a function', { intelRemap: { units: [{ ...unit, includeAll: false, ioapics: [], devices: [nvme.address] }, { ...unit, devices: [nvme.address] }] } }, 'machine.intelRemap.units[1].devices[0]', /units\[0\] already/],
    ['two units that cover a segment', { intelRemap: { units: [unit, { ...unit, ioapics: [] }] } }, 'machine.intelRemap.units[1].includeAll', /covers all/],
    ['a unit with an IOAPIC that is not there', { intelRemap: { units: [{ ...unit, ioapics: [{ id: 7, requesterId: 0 }] }] } }, 'machine.intelRemap.units[0].ioapics[0].id', /no IOAPIC with id 7/],
  ];
  for (const [what, change, path, message] of cases) {
    it(`names the place of ${what}`, () => {
      const problems = validateMachineConfig(machineConfig(change));
      assert.deepEqual(problems.map(p => p.path), [path]);
      assert.match(problems[0].message, message);
    });
  }

  it('finds nothing wrong with a machine that can be built', () => {
    assert.deepEqual(validateMachineConfig(machineConfig({ intelRemap: { units: [unit] } })), []);
  });

  it('tells a Machine everything at once', () => {
    assert.throws(() => new Machine(machineConfig({ cpus: [], pci: [{ ...nvme, intxPin: 5 }] })), /machine\.cpus: .*\nmachine\.pci\[0\]\.intxPin: 5 is no pin/);
  });
});
