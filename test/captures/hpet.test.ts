import assert from 'node:assert/strict';
import { readCapture } from '../../src/capture/capture';
import { verify } from '../../src/capture/verify';

const FOLDER = 'test/captures/5.10.0-32-f-4cpu-hpetmsi';

describe('a capture of a machine whose CPUs tick by messages of the HPET', function () {
  this.timeout(60_000);

  it('tells of the HPET by the log: how many timers, and that they send messages', () => {
    const { machine, config } = readCapture(FOLDER);
    assert.equal(machine.arat, false);
    assert.deepEqual(machine.hpet, { id: 0, address: 0xfed00000, legacy: true, timers: Array.from({ length: 8 }, () => ({ fsb: true })) });
    assert.ok(config.includes('HPET') && config.includes('HPET_EMULATE_RTC'));
  });

  it('is the same in every event and every line of state, and takes few of the ticks from the capture', () => {
    const lines: string[] = [];
    const { events, state, unread, inputs } = verify(FOLDER, line => lines.push(line));
    assert.deepEqual([events.matched, events.total], [1660, 1660], lines.join('\n'));
    assert.equal(state.matched, state.total, lines.join('\n'));
    assert.ok(state.total > 18000);
    assert.equal(unread, 0);
    // Thousands came. These left a trace: a vector freed, a line in the log, a row of /proc/interrupts.
    const ticks = inputs.filter(input => /^irq 2[4-7] came by itself/.test(input));
    assert.deepEqual(ticks.map(input => input.replace(/ \(line \d+\)/, '')).sort(), [
      'irq 24 came by itself',
      'irq 25 came by itself',
      'irq 25 came by itself',
      'irq 25 came by itself on CPU 3 before it was freed',
      'irq 26 came by itself',
      'irq 27 came by itself',
      'irq 27 came by itself',
      'irq 27 came by itself',
      'irq 27 came by itself on CPU 1 before it was freed',
      'irq 27 came by itself on CPU 2 before it was freed',
    ]);
  });
});
