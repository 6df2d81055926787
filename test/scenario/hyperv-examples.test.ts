// examples/hyperv: what the comments of each say to watch, on the kernel that it names and on the others that it names.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import type { HardwareEvent } from '../../src/hardware/events';
import { RTE } from '../../src/hardware/io-apic';
import { faultRuns } from '../../src/scenario/fault-injection';
import { loadScenario } from '../../src/scenario/load';
import { playFile, type Played } from './play';

const example = (name: string, kernel?: string, check = true): Promise<Played> => playFile(`examples/hyperv/${name}.irq.yaml`, undefined, kernel, check);
const events = <K extends HardwareEvent['kind']>(p: Played, kind: K): Extract<HardwareEvent, { kind: K }>[] => p.guest.world.machine.events.filter((e): e is Extract<HardwareEvent, { kind: K }> => e.kind === kind);
const ended = (p: Played): void => assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));
const said = (p: Played, text: string): string[] => p.log.filter(line => line.includes(text));
/** The kernel that they name does not keep the invariants. */
const BROKEN = ['compose-order', 'multi-msi'];
const HDEV = 'hv_pci f8615163-0001-1000-2000-6045bd2e0a8f: ';

describe('examples/hyperv', () => {
  it('all end, on both sides of the series', async () => {
    for (const file of readdirSync('examples/hyperv').filter(name => name.endsWith('.irq.yaml'))) {
      const name = file.replace('.irq.yaml', '');
      for (const kernel of [undefined, 'v5.9', 'v5.10']) ended(await example(name, kernel, kernel !== undefined || !BROKEN.includes(name)));
    }
  });

  it('virtual-function: loses nothing, whatever allocation fails, but a bus waits for ever for a list that was dropped', () => {
    const loaded = loadScenario('examples/hyperv/virtual-function.irq.yaml', undefined, { expect: false });
    assert.ok(loaded.ok);
    const runs = [...faultRuns(loaded.scenario, loaded.make, 2)];
    assert.ok(runs.length > 20);
    for (const { fault, died, leaks } of runs) {
      assert.deepEqual(leaks, [], fault.site);
      if (died !== undefined) assert.match(`${fault.site}: ${died}`, /^hv_pci_start_relations_work: .* waits for survey_event|^__add_pin_to_irq_node: /);
    }
  }).timeout(120_000);

  // catalogue 14
  it('virtual-function: each message is created twice and deleted twice, and retargeted when it is unmasked', async () => {
    for (const kernel of ['v5.9', 'v5.10']) {
      const p = await example('virtual-function', kernel);
      assert.deepEqual(events(p, 'host entries').filter(({ made }) => made).map(({ vector }) => vector === 239), [true, true, true, false, false, false]);
      assert.equal(events(p, 'host entries').filter(({ made }) => !made).length, 6);
      assert.deepEqual(events(p, 'retarget').map(({ status }) => status), [0, 0, 0]);
      assert.equal(events(p, 'redirected').length, 1);
      assert.equal(p.guest.world.machine.hyperv!.irt.entries.size, 0);
    }
  });

  // catalogue 15
  it('affinity: the message is the same all the time; a refused move is printed, and the interrupt arrives where it was', async () => {
    const p = await example('affinity');
    assert.equal(new Set(events(p, 'message').map(({ addressLo, data }) => `${addressLo} ${data}`)).size, 1);
    assert.deepEqual(events(p, 'redirected').map(({ vp }) => vp).slice(1), [1, 1, 1]);
    assert.deepEqual(said(p, 'hv_irq_unmask'), [`${HDEV}hv_irq_unmask() failed: 0x8`]);
    assert.match(p.place(24), /^2:/);
  });

  // catalogue 16
  it('eject: the message is zero on v5.10, and good on v5.10.223', async () => {
    assert.deepEqual(said(await example('eject'), 'eject'), [`${HDEV}the device is being ejected`]);
    assert.deepEqual(said(await example('eject', 'v5.10.223'), 'eject'), []);
  });

  // catalogue 17, H6
  it('ioapic: CPU 3 cannot be had, nor any mask with it', async () => {
    const p = await example('ioapic');
    const rte = p.guest.world.machine.ioapics[0].rte[20];
    assert.deepEqual([RTE.get(rte, 'dest'), p.desc(20).tot_count], [1, 4]);
    assert.ok(p.log.includes('IRQ20: set affinity failed(-22).'));
  });

  // catalogue 27, H1
  it('compose-order: the host does not know the message, unless the order is the right one', async () => {
    const wrong = await example('compose-order', undefined, false);
    assert.deepEqual([events(wrong, 'unknown message').length, events(wrong, 'host entries').length], [1, 0]);
    assert.deepEqual(events(wrong, 'retarget').map(({ status }) => status), [5]);
    for (const kernel of ['v5.9', 'series:4', 'series:5', 'v5.10']) assert.equal(events(await example('compose-order', kernel), 'redirected').length, 1, kernel);
  });

  // H4
  it('hibernate: a failed hypercall is not printed; all is composed anew, but not on v5.10.223', async () => {
    const p = await example('hibernate');
    assert.deepEqual([events(p, 'retarget').at(-1)!.status, said(p, 'hv_irq_unmask')], [5, []]);
    assert.deepEqual([p.desc(24).tot_count, events(p, 'unknown message').length], [2, 1]);
    const later = await example('hibernate', 'v5.10.223', false);
    assert.deepEqual([later.desc(24).tot_count, events(later, 'unknown message').length], [1, 2]);
  });

  // H2
  it('multi-msi: one vector on v5.10, four on v5.10.223, and what comes between', async () => {
    const p = await example('multi-msi', undefined, false);
    assert.deepEqual([events(p, 'redirected').length, events(p, 'unknown message').length], [1, 3]);
    assert.deepEqual([24, 25, 26, 27].map(irq => p.desc(irq).tot_count), [0, 0, 0, 1]);
    const mended = await example('multi-msi', 'v5.10.223');
    assert.deepEqual([24, 25, 26, 27].map(irq => mended.desc(irq).tot_count), [1, 1, 1, 1]);
  });

  it('rescind: nothing is deleted and nothing given back; who waits for an answer hears that the device is gone', async () => {
    const p = await example('rescind');
    assert.deepEqual(p.guest.world.machine.hyperv!.irt.entries.size, 0);
    assert.deepEqual(said(p, 'gone'), ['hv_pci f8615163-0002-1000-2000-6045bd2e0a8f: The device is gone.']);
  });

  // facts 3.3 step 1, 3.4: child gone, only the memory is freed
  it('unlisted: the second message is zero, and of the first one nothing is said when it is freed', async () => {
    const p = await example('unlisted');
    assert.deepEqual(events(p, 'host entries').map(({ made }) => made), [true, true, false, true, false, false]);
    assert.deepEqual(events(p, 'retarget').map(({ status, address }) => [status, address !== 0]), [[0, true], [5, false]]);
    assert.deepEqual(said(p, 'hv_irq_unmask'), [`${HDEV}hv_irq_unmask() failed: 0x5`]);
  });
});
