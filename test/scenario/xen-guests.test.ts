// dom0 of Xen and other guests: who has a device, pciback, the late end of events. What is asserted is what v5.9's and v5.10's xen.c, events_base.c and xen-pciback say.
import assert from 'node:assert/strict';
import { xen_find_device_domain_owner, xen_register_device_domain_owner, xen_unregister_device_domain_owner } from '../../src/kernel/arch/x86/pci/xen_initdom';
import { IRQT, type irq_info } from '../../src/kernel/drivers/xen/events/irq_info';
import type { PciDev } from '../../src/kernel/include/pci';
import { enterWorld } from '../../src/kernel/world';
import type { Op } from '../../src/stepper/op';
import { procInterrupts } from '../../src/text/proc-interrupts';
import { play, playFile, type Played } from './play';
import { see } from './seen';

const [ENXIO, EEXIST, ENODEV, EINVAL, EALREADY, ESRCH] = [-6, -17, -19, -22, -114, -3];
const [BEFORE, AFTER] = ['v5.9', 'v5.10.223'];
const PCIBACK = 'examples/xen/pciback.irq.yaml';

const head = (xen = 'xen: pv-dom0', card = 'msix: 4, msi: { vectors: 4, maskable: true }, guest: 3'): string => `machine:
  cpus: 2
  hypervisor: { ${xen} }
  devices:
    - { name: card, kind: custom, address: 00:05.0, ${card} }`;
const START = ['probe: card', 'guest: { domain: 3, does: start }'];
const asks = (does: string, vectors?: number): string => `guest: { domain: 3, does: ${does}, device: card${vectors === undefined ? '' : `, vectors: ${vectors}`} }`;
const END = 'guest: { domain: 3, does: end }';

const run = async (steps: readonly string[], kernel = AFTER, xen?: string): Promise<Played> => {
  const p = await play(head(xen), [...START, ...steps], { kernel });
  assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));
  return p;
};
const kernelOf = (p: Played) => p.guest.world.kernel;
const card = (p: Played): PciDev => kernelOf(p).pci_devices.find(d => d.hw.config.name === 'card')!;
const hypercalls = (p: Played, op: string) => p.guest.world.machine.events.flatMap(e => (e.kind === 'hypercall' && e.op === op ? [e] : []));
const foreign = (p: Played): irq_info[] => kernelOf(p).xen_irq_list_head.filter(({ type, u }) => type === IRQT.PIRQ && u.pirq.domid === 3);
const guest = (p: Played) => p.guest.world.machine.xen!.others.get(3)!;

describe('a device that dom0 of Xen has given to another guest', () => {
  it('has its pirqs in the name of that guest: domid of PHYSDEVOP_map_pirq (1.9)', async () => {
    for (const kernel of [BEFORE, AFTER]) {
      const p = await run([asks('enable_msix', 2)], kernel);
      assert.deepEqual(hypercalls(p, 'PHYSDEVOP_map_pirq').filter(({ arg }) => arg['type'] === 3).map(({ arg, result }) => [arg['domid'], arg['entry_nr'], result]), [[3, 0, 0], [3, 1, 0]]);
      // the guest is told Xen's numbers, not dom0's
      assert.deepEqual(guest(p).page.op.msix_entries.map(({ vector }) => vector), foreign(p).map(({ u }) => u.pirq.pirq));
      // dom0 has irqs for them that nobody requests: no event channel
      assert.deepEqual(foreign(p).map(({ irq, evtchn }) => [kernelOf(p).irq_desc_tree.get(irq)!.action, evtchn]), [[null, 0], [null, 0]]);
    }
  });

  it('sends its interrupts there: dom0 has none', async () => {
    const p = await run([asks('enable_msix', 2), 'raise: { device: card, entry: 1 }']);
    assert.deepEqual(p.guest.world.machine.events.filter(({ kind }) => kind === 'event elsewhere'), [{ kind: 'event elsewhere', domid: 3, pirq: foreign(p)[1].u.pirq.pirq }]);
  });

  it('gives the pirqs back in that name: PHYSDEVOP_unmap_pirq (1.13)', async () => {
    for (const kernel of [BEFORE, AFTER]) {
      const p = await run([asks('enable_msix', 2), asks('disable_msix')], kernel);
      assert.deepEqual(hypercalls(p, 'PHYSDEVOP_unmap_pirq').map(({ arg, result }) => [arg['domid'], result]), [[3, 0], [3, 0]]);
      assert.deepEqual([foreign(p), guest(p).pirqs.pirqs.size], [[], 0]);
    }
  });

  it('of a guest that is gone: -ESRCH is information only, the irqs are freed (xen_destroy_irq, 1.13)', async () => {
    for (const kernel of [BEFORE, AFTER]) {
      const p = await run([asks('enable_msix', 2), END], kernel);
      assert.deepEqual(hypercalls(p, 'PHYSDEVOP_unmap_pirq').map(({ result }) => result), [ESRCH, ESRCH]);
      const said = kernelOf(p).log.filter(({ text }) => /does not have|unmap irq failed/.test(text)).map(({ level, text }) => [level, text]);
      assert.deepEqual(said, [['info', 'xen:events: domain 3 does not have 55 anymore'], ['info', 'xen:events: domain 3 does not have 54 anymore']]);
      assert.deepEqual([foreign(p), kernelOf(p).dev_domain_list, card(p).msix_enabled], [[], [], false]);
      assert.deepEqual(p.guest.findings.violations, []);
    }
  });

  it('keeps the irq where Xen refuses for another reason: "unmap irq failed" (X6)', async () => {
    const p = await run([asks('enable_msix', 1), asks('disable_msix')], AFTER, 'xen: pv-dom0, deny: [PHYSDEVOP_unmap_pirq]');
    assert.ok(p.log.includes('xen:events: unmap irq failed -1'));
    assert.equal(foreign(p).length, 1);
  });

  it('is refused by a Xen that does not know the guest: "xen map irq failed -3 for 3 domain"', async () => {
    const p = await run([asks('enable_msix', 1)]);
    p.guest.world.machine.xen!.destroy(guest(p));
    const q = await run([]);
    q.guest.world.machine.xen!.destroy(guest(q));
    enterWorld(q.guest.world, 0);
    const dev = card(q);
    dev.msi_list = [card(p).msi_list[0]];
    assert.equal(result(kernelOf(q).xen_msi_ops.setup_msi_irqs!(dev, 1, 0x11)), ESRCH);
    assert.ok(kernelOf(q).log.some(({ text }) => text === 'pciback 0000:00:05.0: xen map irq failed -3 for 3 domain'));
  });

  it('has one owner: -EEXIST for a second, -ENODEV for none (xen_register_device_domain_owner and its like)', async () => {
    const p = await run([]);
    enterWorld(p.guest.world, 0);
    const dev = card(p);
    assert.deepEqual([result(xen_find_device_domain_owner(dev)), result(xen_register_device_domain_owner(dev, 4))], [3, EEXIST]);
    assert.deepEqual([result(xen_unregister_device_domain_owner(dev)), result(xen_unregister_device_domain_owner(dev)), result(xen_find_device_domain_owner(dev))], [0, ENODEV, ENODEV]);
  });
});

/** Of what waits for nothing. */
function result<T>(op: Op<T>): T {
  for (;;) {
    const { done, value } = op.next();
    if (done) return value;
  }
}

describe('pciback', () => {
  it('says what it does: "seizing device", "registering for 3"', async () => {
    const p = await run([]);
    const texts = ['pciback 0000:00:05.0: xen_pciback: seizing device', 'pciback 0000:00:05.0: registering for 3'];
    assert.deepEqual(p.log.filter(text => text.startsWith('pciback ')), texts);
    assert.deepEqual(hypercalls(p, 'PHYSDEVOP_prepare_msix').map(({ arg }) => [arg['seg'], arg['bus'], arg['devfn']]), [[0, 0, 0x28]]);
  });

  it('enables MSI once: XEN_PCI_ERR_op_failed and a text for more; MSI-X beside it is -ENXIO', async () => {
    const p = await run([asks('enable_msi'), asks('enable_msi'), asks('enable_msix', 2), asks('disable_msi'), asks('enable_msix', 2), asks('enable_msix', 2), asks('enable_msi')]);
    assert.deepEqual(p.results.slice(2), [0, -5, ENXIO, 0, 0, EALREADY, -5]);
    assert.deepEqual(p.log.filter(text => text.includes('error enabling')), [-114, -6].map(err => `pciback 0000:00:05.0: xen_pciback: error enabling MSI for guest 3: err ${err}`));
  });

  it('gives no more entries than stand in the page, SH_INFO_MAX_VEC: -EINVAL; and no fewer than are wanted: -ENOSPC', async () => {
    const p = await run([asks('enable_msix', 129), asks('enable_msix', 5)]);
    assert.deepEqual(p.results.slice(2), [EINVAL, -28]);
    assert.ok(p.log.includes('pciback 0000:00:05.0: xen_pciback: error enabling MSI-X for guest 3: err -28!'));
  });

  it('finds no device that it has not seized: -EINVAL', async () => {
    const p = await play(head(), ['guest: { domain: 3, does: start }'], { kernel: AFTER });
    assert.deepEqual(p.results, [EINVAL]);
    assert.ok(p.log.includes("xen-pciback pci-3-0: 22 Couldn't locate PCI device (0000:00:05.0)! perhaps already in-use?"));
    // nor is the event channel bound where Xen forbids it
    const q = await play(head('xen: pv-dom0, deny: [EVTCHNOP_bind_interdomain]'), START, { kernel: AFTER });
    assert.deepEqual(q.results, [0, -1]);
    assert.ok(q.log.includes('xen-pciback pci-3-0: 1 Error binding event channel to IRQ'));
  });

  it('lets go of a device that a guest has, with a warning', async () => {
    const p = await run([asks('enable_msix', 1), 'remove: card']);
    assert.ok(p.log.includes('pciback 0000:00:05.0: xen_pciback: ****** removing device 0000:00:05.0 while still in-use by domain 3! ******'));
    assert.deepEqual([foreign(p), kernelOf(p).pcistub_devices, hypercalls(p, 'PHYSDEVOP_release_msix').length], [[], [], 1]);
  });
});

describe('an event of another guest', () => {
  // fact 1.5, 1.6: new in v5.10
  it('is that of chip xen-dyn-lateeoi in v5.10, masked until pciback has done; of xen-dyn before', async () => {
    for (const [kernel, chip, ends] of [['v5.9', 'xen-dyn', []], ['v5.10', 'xen-dyn-lateeoi', ['xen_pcibk_do_op']]] as const) {
      const p = await run([asks('enable_msix', 1)], kernel);
      assert.match(procInterrupts(p.guest.world), new RegExp(`^ 3[79]: +1 +0 +${chip} +-event +xen-pciback$`, 'm'));
      const seen = await see(PCIBACK, kernel);
      assert.deepEqual(seen.callersIfCalled('xen_irq_lateeoi', 2).slice(1), ends);
      assert.equal(seen.called('mask_ack_dynirq'), ends.length > 0);
      assert.equal(seen.called('xen_pcibk_do_one_op'), ends.length > 0);
    }
  });

  it('comes again after each operation: it is unmasked late, but it is', async () => {
    const p = await run([asks('enable_msi'), asks('disable_msi'), asks('enable_msix', 1)]);
    assert.match(procInterrupts(p.guest.world), /^ 37: +3 +0 /m);
    assert.equal(p.guest.world.machine.xen!.channels.abi.isMasked(guest(p).local!), false);
  });

  it('for nothing waits from the second one on, for a worker (XEN_EOI_FLAG_SPURIOUS)', async () => {
    const notify = 'guest: { domain: 3, does: notify }';
    const spurious = async (times: number): Promise<irq_info> => {
      const p = await run(Array<string>(times).fill(notify));
      return kernelOf(p).xen_irq_list_head.at(-1)!;
    };
    assert.deepEqual([(await spurious(1)).spurious_cnt, (await spurious(2)).spurious_cnt, (await spurious(3)).spurious_cnt], [1, 0, 1]);
    const text = (n: number): string => `${head()}\nsteps:\n${[...START, ...Array<string>(n).fill(notify)].map(step => `  - ${step}\n`).join('')}`;
    const counts = await Promise.all([1, 2].map(async n => procInterrupts((await playFile('x.irq.yaml', text(n), AFTER)).guest.world)));
    assert.match(counts[0], /^ 37: +1 +0 /m);
    assert.match(counts[1], /^ 37: +2 +0 /m);
  });
});

describe('the messages of a device that dom0 restores (1.14)', () => {
  // pciback restores the state that the device had, PCI/MSI and all, when a guest is done with it
  const restored = async (xen: string): Promise<Played> => run([asks('enable_msix', 1), END], AFTER, xen);
  const calls = (p: Played): string[] => p.guest.world.machine.events.flatMap(e => (e.kind === 'hypercall' && e.op.startsWith('PHYSDEVOP_restore') ? [`${e.op.slice('PHYSDEVOP_'.length)} ${e.result}`] : []));

  it('are written by Xen: restore_msi_ext', async () => {
    const p = await restored('xen: pv-dom0');
    assert.deepEqual([calls(p), kernelOf(p).pci_seg_supported], [['restore_msi_ext 0'], true]);
  });

  it('are asked for in the old way where that is -ENOSYS, for good: pci_seg_supported', async () => {
    const p = await restored('xen: pv-dom0, without: [restore_msi_ext]');
    assert.deepEqual([calls(p), kernelOf(p).pci_seg_supported], [['restore_msi_ext -38', 'restore_msi 0'], false]);
    assert.ok(!p.log.some(text => text.startsWith('WARNING')));
  });

  it('are asked for in the old way at once where Xen knows no segments', async () => {
    const p = await restored('xen: pv-dom0, without: [msi_seg, restore_msi_ext]');
    assert.deepEqual(calls(p), ['restore_msi 0']);
  });

  it('are missing with a warning where Xen refuses: "restore_msi_ext -> -1"', async () => {
    const p = await restored('xen: pv-dom0, deny: [PHYSDEVOP_restore_msi_ext]');
    assert.deepEqual([calls(p), kernelOf(p).pci_seg_supported], [['restore_msi_ext -1'], true]);
    assert.ok(p.log.includes('restore_msi_ext -> -1'));
    const q = await restored('xen: pv-dom0, without: [restore_msi_ext], deny: [PHYSDEVOP_restore_msi]');
    assert.ok(q.log.includes('restore_msi -> -1'));
  });
});
