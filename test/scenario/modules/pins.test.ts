// examples/own-domain/pins.irq.yaml: a domain that stands alone, what it needs of the kernel (kernel/irq/irqdomain.c), and what its author is told.
import assert from 'node:assert/strict';
import { irq_domain_is_hierarchy } from '../../../src/kernel/include/irqdomain';
import { ENODEV } from '../../../src/kernel/lib/errno';
import { readFileSync } from 'node:fs';
import { readTextFile } from '../../../src/text/files';
import { type Played, playFile } from '../play';

const EXAMPLE = 'examples/own-domain/pins.irq.yaml';
const text = readFileSync(EXAMPLE, 'utf8');
const kinds = ({ guest }: Played): string[] => guest.world.machine.events.map(({ kind }) => kind);

describe('examples/own-domain/pins', () => {
  it('ends well, also on the other kernels and below remapping', async () => {
    for (const remap of ['none', 'intel', 'amd']) {
      for (const kernel of ['v5.9', 'v5.10', 'v5.10.223']) {
        const { stop, results } = await playFile(EXAMPLE, text.replace('cpus: 4', `cpus: 4\n  remap: ${remap}`).replaceAll(/ +expect: \d+\n/g, ''), kernel);
        assert.deepEqual([stop.error?.message, results.filter(result => result < 0)], [undefined, [-ENODEV]], `${remap} ${kernel}`);
      }
    }
  });

  it('takes one message for the edges of two pins; the device\'s own interrupt is counted nowhere, the pins\' are', async () => {
    const played = await playFile(EXAMPLE, text.slice(0, text.indexOf('  # There is no pin 8')));
    assert.equal(kinds(played).filter(kind => kind === 'message').length, 1);
    assert.deepEqual([24, 25, 26].map(irq => played.desc(irq).tot_count), [0, 1, 1]);
    const interrupts = readTextFile(played.guest.world, '/proc/interrupts');
    assert.match(interrupts, /^ 25: .* PINS +2 +pin2$/m);
    assert.doesNotMatch(interrupts, /^ 24:/m);
    const { irq_data } = played.desc(25);
    assert.deepEqual([irq_data.domain!.name, irq_data.parent_data, irq_domain_is_hierarchy(irq_data.domain!)], ['PINS', null, false]);
    const domain = irq_data.domain!;
    assert.deepEqual([domain.mapcount, [...domain.linear_revmap]], [2, [[2, 25], [5, 26]]]);
  });

  it('refuses a pin behind the last, in the kernel\'s words, and leaves nothing behind', async () => {
    const { guest, log } = await playFile(EXAMPLE);
    assert.ok(log.includes('error: hwirq 0x8 is too large for PINS'));
    assert.deepEqual([24, 25, 26, 27].filter(irq => guest.world.kernel.irq_desc_tree.has(irq)), []);
    assert.ok(!guest.world.kernel.irq_domain_list.some(({ name }) => name === 'PINS'));
  });
});
