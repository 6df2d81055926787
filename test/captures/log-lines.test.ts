import assert from 'node:assert/strict';
import { linesThatCount } from '../../src/capture/model-and-capture/log-lines';

const counted = (...lines: string[]): string[] => linesThatCount(lines).map(({ text }) => text);

describe('the lines of a log that are compared', () => {
  it('are those with the prefixes of manage.c, irqdomain.c and smpboot.c', () => {
    const lines = ['genirq: Flags mismatch irq 8. 00000000 (b) vs. 00000080 (a)', 'irq: IRQ24: trimming hierarchy from IO-APIC-0', 'smpboot: SMP disabled'];
    assert.deepEqual(counted(...lines), lines);
  });

  it("are those of drivers/pci/msi.c and of the remapping units' interrupts", () => {
    const lines = [
      "nvme 0000:00:03.0: can't enable MSI-X (MSI IRQ already assigned)",
      'DMAR: No free IRQ vectors',
      'AMD-Vi: [Firmware Bug]: : IOAPIC[0] not in IVRS table',
      'AMD-Vi: Disabling interrupt remapping',
    ];
    assert.deepEqual(counted(...lines, 'nvme nvme0: 4/0/0 default/read/poll queues', 'AMD-Vi: Lazy IO/TLB flushing enabled'), lines);
  });
});
