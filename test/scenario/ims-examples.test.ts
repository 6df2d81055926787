// examples/ims: what the comments of each say to watch, on the kernel that it names and on the others that it names.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { HardwareEvent } from '../../src/hardware/events';
import { IMS_CTRL, type ImsStore } from '../../src/hardware/ims-store';
import { intel_ir_data } from '../../src/kernel/drivers/iommu/intel/irte';
import { irqd_irq_masked } from '../../src/kernel/include/irq';
import type { msi_domain_info } from '../../src/kernel/include/msi';
import { EBUSY, EINVAL, ENODEV, ENOSPC } from '../../src/kernel/lib/errno';
import { limit_text } from '../../src/kernel/lib/limit';
import { loadScenario } from '../../src/scenario/load';
import { playFile, type Played } from './play';

const V2 = 'v5.10+device-msi';
const REPOST = 'v5.10+ims-repost';

const example = (name: string, kernel?: string): Promise<Played> => playFile(`examples/ims/${name}.irq.yaml`, undefined, kernel);
const events = ({ guest }: Played): readonly HardwareEvent[] => guest.world.machine.events;
const kinds = (played: Played): string[] => events(played).map(({ kind }) => kind);
const storeOf = ({ guest }: Played): ImsStore => guest.world.machine.pci.find(({ ims }) => ims)!.ims!;
const known = ({ guest }: Played): string[] => guest.findings.violations.map(({ violation }) => violation.message);
const ended = (played: Played): Played => {
  assert.equal(played.stop.reason, 'end', played.stop.error?.message);
  return played;
};

describe('examples/ims', () => {
  it('each says what it is: a title, a source, what to watch, and that it is not in today\'s mainline', () => {
    for (const name of readdirSync('examples/ims').filter(file => file.endsWith('.irq.yaml'))) {
      const loaded = loadScenario(`examples/ims/${name}`);
      assert.ok(loaded.ok, name);
      assert.match(loaded.scenario.title, /posted in 2020, not in today's mainline$/, name);
      assert.equal(loaded.scenario.file.about?.platform, 'device-msi', name);
      assert.match(readFileSync(`examples/ims/${name}`, 'utf8'), /^# (What to watch|Where to stop|The life of one interrupt)/m, name);
    }
  });

  it('array (18): 2 slots of 4 for each part, a move in the entry, an interrupt that waits for its request', async () => {
    const played = ended(await example('array'));
    assert.ok(played.results.every(result => result === 0));
    assert.deepEqual(kinds(played).filter(kind => kind === 'message' || kind === 'held back'), ['message', 'message', 'held back', 'message']);
    assert.deepEqual(events(played).flatMap(event => (event.kind === 'taken' ? [`${event.cpu}:${event.vector}`] : [])), ['3:34', '3:32', '2:35', '1:35'], '32: the vector that it left is cleaned up');
  });

  it('exhaustion (19): -ENOSPC by the name of the limit, and everything is given back', async () => {
    const played = ended(await example('exhaustion'));
    assert.deepEqual(played.results, [0, -ENOSPC, 0, -ENOSPC, 0, 0]);
    assert.deepEqual(played.guest.world.kernel.limits.map(limit_text), ['limit: slots of 0000:00:05.0-11: 0 of 4 in use, 5 needed', 'limit: slots of 0000:00:05.0-11: 4 of 4 in use']);
  });

  it('exhaustion (19) on V2: the second message of four is one too many, though there are slots', async () => {
    const text = readFileSync('examples/ims/exhaustion.irq.yaml', 'utf8').replace('slots: 4', 'slots: 4, bit0: unmasks').replace('vectors: 4 }', 'vectors: 4 }\n    expect: -ENOSPC');
    const played = await playFile('x.irq.yaml', text, V2);
    assert.deepEqual(played.results.slice(0, 3), [0, -ENOSPC, -ENOSPC]);
    assert.equal(played.desc(24).irq_data.hwirq, 0);
    assert.equal(played.guest.world.kernel.irq_desc_tree.has(25), false);
  });

  it('v2-intel (20): BUG in prepare_irte(), until the re-post', async () => {
    assert.match((await example('v2-intel')).stop.error!.message, /^kernel BUG at drivers\/iommu\/intel\/irq_remapping\.c/);
    const mended = ended(await example('v2-intel', `${V2}+repost-vtd-dev-msi`));
    assert.ok(kinds(mended).includes('remapped') && kinds(mended).includes('eoi'));
  });

  for (const kernel of [V2, REPOST]) {
    it(`v2-amd (20): a warning in get_devid(), -EINVAL, reported as -ENOSPC, on ${kernel}`, async () => {
      const played = ended(await example('v2-amd', kernel));
      assert.deepEqual(played.results, [0, -ENOSPC]);
      assert.ok(played.log.some(text => text.startsWith('WARNING: ') && text.endsWith('get_devid()')));
    });
  }

  it('polarity (21): silence while it is enabled, an interrupt while it is masked; the re-post has it right', async () => {
    const wrong = ended(await example('polarity'));
    assert.deepEqual(kinds(wrong).filter(kind => /held back|message|memory write/.test(kind)), ['held back', 'message', 'memory write']);
    assert.match(known(wrong).join(), /IRQ_MASKED is 0; expected 1/);
    const right = ended(await example('polarity', REPOST));
    assert.deepEqual(kinds(right).filter(kind => /held back|message|memory write/.test(kind)), ['message', 'held back']);
    assert.deepEqual(known(right), []);
  });

  it('reset-open (6.1): a slot that is reset to 0 is open, until the re-post masks it', async () => {
    const open = ended(await example('reset-open'));
    assert.deepEqual(kinds(open).filter(kind => /memory write|open slot/.test(kind)), ['memory write', 'open slot rewritten', 'open slot rewritten']);
    assert.deepEqual(kinds(ended(await example('reset-open', REPOST))).filter(kind => /memory write|open slot/.test(kind)), []);
  });

  it('torn-write (22): the new CPU gets the old vector: nobody has it, or somebody else', async () => {
    const played = ended(await example('torn-write'));
    assert.ok(played.log.includes('common_interrupt: 0.36 No irq handler for vector'));
    const [nobodys, somebodys] = events(played).flatMap(event => (event.kind === 'accepted' ? [event] : []));
    assert.deepEqual([nobodys.cpu, nobodys.vector, somebodys.cpu, somebodys.vector], [0, 36, 2, 35]);
    assert.equal(played.place(28), '2:35', 'that of the next message');
    assert.deepEqual([played.place(31), played.place(27)], ['0:34', '2:36'], 'where they were meant to go');
  });

  it('torn-write (22) below Intel remapping: the slot does not change', async () => {
    const text = readFileSync('examples/ims/torn-write.irq.yaml', 'utf8').replace('cpus: 4', 'cpus: 4\n  remap: intel');
    const played = ended(await playFile('x.irq.yaml', text));
    assert.ok(!kinds(played).includes('open slot rewritten'));
    assert.ok(!played.log.some(line => line.includes('No irq handler')));
  });

  it('pasid-race (23): the driver opens a slot that the kernel has masked; irq_set_auxdata() does not', async () => {
    const played = ended(await example('pasid-race'));
    const [direct, locked] = [0, 1].map(slot => IMS_CTRL.decode(storeOf(played).message(slot).ctrl));
    assert.deepEqual([direct, locked], [{ bit0: 0, pasid_enable: 1, pasid: 5 }, { bit0: 1, pasid_enable: 1, pasid: 6 }]);
    assert.deepEqual([24, 25].map(irq => irqd_irq_masked(played.desc(irq).irq_data)), [true, true]);
    assert.deepEqual(played.results.slice(-2), [-EINVAL, -EINVAL]);
  });

  it('queue (24): a lost command that an affinity write makes up for, and a move that the device is not told', async () => {
    const played = ended(await example('queue'));
    assert.deepEqual(events(played).flatMap(event => (event.kind === 'taken' ? [event.cpu] : [])), [2, 3, 3]);
    assert.deepEqual(events(played).flatMap(event => (event.kind === 'queue command' && !event.taken ? [event.slot] : [])), [1]);
    assert.ok(played.log.includes('ims 0000:00:05.0: queue 0: command for message 1 timed out'));
  });

  it('queue (24) as posted: the first allocation dereferences NULL in ims_queue_lock()', async () => {
    const text = readFileSync('examples/ims/queue.irq.yaml', 'utf8').replace(/\n +with: .*/, '');
    const { error } = (await playFile('x.irq.yaml', text)).stop;
    assert.equal(error?.message, 'BUG: kernel NULL pointer dereference, address: 0000000000000050');
  });

  it('partial-failure (25): two interrupts point to descriptors that are gone, three slots are lost, the domain goes with interrupts in it', async () => {
    const played = ended(await example('partial-failure'));
    assert.deepEqual(known(played).filter(text => text.includes('freed')), ['irq 24 points to a msi_desc of mdev0 that was freed', 'irq 25 points to a msi_desc of mdev0 that was freed']);
    assert.equal(known(played).filter(text => text.includes('is taken')).length, 3);
    assert.ok(played.log.some(text => text.startsWith('WARNING: ') && text.includes('irq_domain_remove')));
  });

  it('allocated-twice (5.3): the interrupt of the first time points to the descriptor of the second', async () => {
    const played = ended(await example('allocated-twice'));
    assert.ok(known(played).includes('irq 24 points to the msi_desc of irq 25'));
    assert.ok(known(played).includes('slot 0 of 0000:00:05.0 is taken, and no message has it'));
  });

  it('guest (26): the message goes to the host; the re-post has no domain there', async () => {
    const played = ended(await example('guest'));
    assert.deepEqual(kinds(played).filter(kind => /host|message|accepted/.test(kind)), ['sent on the host']);
    assert.equal(played.desc(24).tot_count, 0);
    assert.equal((await example('guest', REPOST)).results[0], -ENODEV);
  });

  it('reservation (29): MSI-X reserves eight vectors and takes one; IMS takes eight', async () => {
    const played = ended(await example('reservation'));
    const irqsOf = (name: string): number[] => [...played.guest.world.kernel.irq_desc_tree].flatMap(([irq, { irq_common_data }]) => (irq_common_data.msi_desc?.dev.name === name ? [irq] : []));
    const taken = (name: string): number => irqsOf(name).filter(irq => played.place(irq) !== '-').length;
    assert.deepEqual([irqsOf('0000:00:04.0').length, taken('0000:00:04.0')], [8, 1]);
    assert.deepEqual([irqsOf('mdev0').length, taken('mdev0')], [8, 8]);
  });

  it('platform-msi (4): one message in the whole domain: -EBUSY for a second helping, -ENOSPC for another part, the first of two is forgotten', async () => {
    const played = ended(await example('platform-msi'));
    assert.deepEqual(played.results, [0, 0, -EBUSY, -ENOSPC, 0, 0, 0, 0, -ENOSPC]);
    assert.deepEqual(kinds(played).filter(kind => kind === 'message' || kind === 'eoi'), ['message', 'eoi']);
    assert.deepEqual(known(played), ['irq 24 points to a msi_desc of dev1 that was freed']);
    const data = played.desc(24).irq_data;
    assert.deepEqual([data.domain!.name, data.chip.name, data.parent_data!.domain!.name], ['0000:00:05.0-4', 'IMS-pMSI', 'VECTOR']);
  });

  it('platform-msi (4, I10) on v5.10: irq_ack has no default, and is called', async () => {
    assert.match((await example('platform-msi', 'v5.10')).stop.error!.message, /^BUG: kernel NULL pointer dereference, address: 0000000000000000/);
  });

  it('platform-msi (4) on v5.9: without GENERIC_MSI_DOMAIN_OPS set_desc has not even a default, and is called', async () => {
    const { stop, guest } = await example('platform-msi', 'v5.9');
    assert.equal(stop.error?.message, 'BUG: kernel NULL pointer dereference, address: 0000000000000000');
    const { ops } = guest.world.kernel.ims_devices[0].domain.host_data as msi_domain_info;
    assert.deepEqual([ops.set_desc, ops.get_hwirq], [undefined, undefined]);
  });

  for (const [remap, outcome] of [['intel', /^kernel BUG at drivers\/iommu\/intel\/irq_remapping\.c/], ['amd', /^WARNING: .*get_devid/]] as const) {
    it(`platform-msi (4) below remapping asks with no type at all: ${remap}`, async () => {
      const text = readFileSync('examples/ims/platform-msi.irq.yaml', 'utf8').replace('cpus: 4', `cpus: 4\n  remap: ${remap}`).replaceAll(/\n +expect: .*/g, '');
      const { stop, log } = await playFile('x.irq.yaml', text);
      assert.ok([stop.error?.message ?? '', ...log].some(line => outcome.test(line)));
    });
  }

  it('array: each step of the life (6.4) leaves nothing behind at its end', async () => {
    const { guest } = ended(await example('array'));
    const [mdev0] = guest.world.kernel.ims_devices[0].subdevices;
    assert.deepEqual(mdev0.msi_list, []);
    const entries = [...guest.world.kernel.irq_desc_tree.values()].filter(desc => desc.irq_common_data.msi_desc && desc.irq_data.parent_data?.chip_data instanceof intel_ir_data);
    assert.equal(entries.length, 2, "mdev1's");
    assert.ok([0, 1].every(slot => storeOf({ guest } as Played).masked(slot)));
  });
});
