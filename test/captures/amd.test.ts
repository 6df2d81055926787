import assert from 'node:assert/strict';
import { readCapture } from '../../src/capture/capture';
import { parseSnapshots } from '../../src/capture/reading/snapshot';
import { verify } from '../../src/capture/verify';

const FOLDER = 'test/captures/5.10.0-32-e-4cpu-amdir';

describe('a capture of an AMD machine', () => {
  it('tells of its IOMMU: registers by its capability, features by the log, the IOAPIC by the entries of the pins', () => {
    const { machine, unread } = readCapture(FOLDER);
    const [unit] = machine.amdRemap!.units;
    assert.deepEqual({ ...unit, devices: unit.devices.length }, {
      address: 0xfed80000, function: '0000:00:01.0', capability: 0x40, ga: true, guest: false, x2apic: false, includeAll: false, devices: 14, ioapics: [{ id: 0, requesterId: 0xa0 }],
    });
    assert.equal(machine.intelRemap, undefined);
    assert.deepEqual(unread, []);
  });

  it('shows as much of an entry as the module prints', () => {
    const [{ irqs }] = parseSnapshots('##### SNAPSHOT x\nirq 25\n  [0] domain AMD-IR-0 chip AMD-IR hwirq 0x680000 devid 0x68 index 3 irte32 0x00000841 entry_lo 0x0000000000000841\n').value;
    assert.deepEqual(irqs[0].chain[0].amdIrte, { devid: 0x68, index: 3, irte32: 0x841, entry_lo: 0x841n });
  });

  it('has no event that the model has not, from power-on', () => {
    const lines: string[] = [];
    const { events } = verify(FOLDER, line => lines.push(line));
    assert.ok(events.total > 1700);
    assert.equal(events.matched, events.total, lines.join('\n'));
  });
});
