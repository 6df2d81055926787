// Where a message store can be, and where not: parents of its domain (5.2), guests (5.7), queues and CPUs that go (5.6).
import assert from 'node:assert/strict';
import { ims_slot } from '../../src/kernel/drivers/irqchip/irq-ims-queue';
import { ENODEV } from '../../src/kernel/lib/errno';
import { play, type Played } from './play';

const REPOST = 'v5.10+ims-repost';
const V2 = 'v5.10+device-msi';
const accel = (ims = 'slots: 4', more = ''): string => `{ name: accel, kind: ims, address: 00:05.0, ims: { subdevices: [mdev0, mdev1], ${ims} }${more} }`;
const machine = (...parts: string[]): string => `machine: { cpus: 4, ${parts.join(', ')} }`;
const devices = (...list: string[]): string => `devices: [${list.join(', ')}]`;
const ALLOC = ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 1 }'];
const partDomain = ({ guest }: Played) => guest.world.kernel.ims_devices[0].domain;

describe('the parent of a domain for message stores (5.2)', () => {
  for (const [remap, parent] of [['none', 'VECTOR'], ['intel', 'INTEL-IR-0'], ['amd', 'AMD-IR-0']]) {
    it(`is that of the device's own domain: ${parent} (remap: ${remap})`, async () => {
      const played = await play(machine(`remap: ${remap}`, devices(accel())), ['probe: accel'], { kernel: REPOST });
      assert.equal(partDomain(played).parent?.name, parent);
    });
  }

  it('is none behind a VMD: nobody composes a message, and the activation is a BUG', async () => {
    const head = machine(devices('{ name: vmd0, kind: vmd, address: 00:0e.0 }', accel('slots: 4', ', behind: vmd0')));
    const played = await play(head, ['probe: vmd0', ...ALLOC], { kernel: REPOST, check: false });
    assert.equal(partDomain(played).parent, null);
    assert.match(played.stop.error!.message, /^kernel BUG at kernel\/irq\/msi\.c/);
  });

  it('is VECTOR on a virtual bus of Hyper-V: the host, which asks nobody for a slot\'s message, does not know it (H5)', async () => {
    const head = machine('hypervisor: { hyperv: { buses: [{ name: vpci0 }] } }', devices(accel('slots: 4, bit0: unmasks', ', behind: vpci0')));
    const played = await play(head, ['probe: vpci0', ...ALLOC, 'request: { device: mdev0 }', 'raise: mdev0'], { kernel: V2, check: false });
    assert.deepEqual([played.stop.reason, played.results], ['end', [0, 0, 0, 0, 0]]);
    const own = played.guest.world.kernel.pci_devices.find(dev => dev.hw.ims)!.msi_domain!;
    assert.match(own.name, /^[0-9A-F]{8}-.*-3$/);
    assert.deepEqual([partDomain(played).parent?.name, own.parent?.name], ['VECTOR', 'VECTOR']);
    const { irq, device_msi } = played.guest.world.kernel.ims_devices[0].subdevices[0].msi_list[0];
    const events = played.guest.world.machine.events;
    assert.ok(events.some(({ kind }) => kind === 'unknown message' || kind === 'sent on the host'), events.slice(-5).map(({ kind }) => kind).join());
    assert.deepEqual([played.desc(irq).tot_count, device_msi!.hwirq], [0, 0]);
  });

  it('cannot be where the device has no domain of its own: the driver gets none', async () => {
    const played = await play(`cmdline: nolapic\n${machine(devices(accel()))}`, ['probe: accel'], { kernel: REPOST, check: false });
    assert.deepEqual(played.results, [-ENODEV]);
  });
});

/** As the patch lists them. */
const MAKERS = ['QEMU', 'Bochs', 'KVM', 'Xen', 'VMware', 'VMW', 'VMware Inc.', 'innotek GmbH', 'Oracle Corporation', 'Parallels', 'BHYVE'];
const BARE_METAL = 'System running on bare metal, report to bugzilla.kernel.org if not the case.';

describe('arch_support_pci_device_ims() (5.7)', () => {
  const SIGNS: Record<string, string> = {
    'the hypervisor bit of the CPUs': 'hypervisor: kvm',
    'the virtual machine bit of the BIOS': 'smbios: { virtualMachine: true }',
    'a unit of Intel in caching mode': 'remap: { type: intel, cachingMode: true }',
    'a unit of AMD with NpCache': 'remap: { type: amd, npCache: true }',
    ...Object.fromEntries(MAKERS.map(maker => [`a system made by ${maker}`, `smbios: { vendor: '${maker}' }`])),
  };
  for (const [sign, written] of Object.entries(SIGNS)) {
    it(`takes for a guest's: ${sign}`, async () => {
      const head = machine(written, devices(accel('slots: 4, bit0: unmasks')));
      const { results, log } = await play(head, ['probe: accel'], { kernel: REPOST });
      assert.deepEqual([results, log.includes(BARE_METAL)], [[-ENODEV], false]);
      assert.deepEqual((await play(head, ['probe: accel'], { kernel: V2 })).results, [0], 'V2 asks nobody');
    });
  }

  for (const remap of ['none', '{ type: intel, cachingMode: false }', '{ type: amd, npCache: false }']) {
    it(`takes nothing else for a guest's, and says so (remap: ${remap})`, async () => {
      const head = machine("smbios: { vendor: 'Oracle' }", `remap: ${remap}`, devices(accel()));
      const { results, log } = await play(head, ['probe: accel'], { kernel: REPOST });
      assert.deepEqual([results, log.filter(text => text === BARE_METAL).length], [[0], 1]);
    });
  }
});

describe('a queue store and what has no bus lock (5.6, 6.3)', () => {
  const kernel = `${V2}+ims-queue-usable`;
  const head = machine(devices(accel('store: queue, slots: 2, bit0: unmasks')));
  const shadowOf = ({ guest }: Played): ims_slot => guest.world.kernel.ims_devices[0].subdevices[0].msi_list[0].device_msi!.priv as ims_slot;
  const toldOf = ({ guest }: Played) => guest.world.machine.pci.find(({ ims }) => ims)!.ims!.message(0);

  it('the interrupts of a CPU that goes offline move in the shadow only: the device goes on sending there', async () => {
    const started = await play(head, [...ALLOC, 'request: { device: mdev0 }'], { kernel });
    const [cpu] = started.place(started.guest.world.kernel.ims_devices[0].subdevices[0].msi_list[0].irq).split(':');
    const played = await play(head, [...ALLOC, 'request: { device: mdev0 }', `offline: ${cpu}`, 'raise: mdev0'], { kernel });
    assert.notEqual(shadowOf(played).address_lo, toldOf(played).lo);
    const irq = played.guest.world.kernel.ims_devices[0].subdevices[0].msi_list[0].irq;
    assert.equal(played.desc(irq).tot_count, 0, 'the message goes to a CPU that is not there');
  });

  it('free_irq() masks and clears in the shadow, and the device is told when the lock is given back', async () => {
    const played = await play(head, [...ALLOC, 'request: { device: mdev0 }', 'free: { device: mdev0 }'], { kernel });
    assert.deepEqual(shadowOf(played), new ims_slot());
    assert.deepEqual(toldOf(played), { lo: 0, hi: 0, data: 0, ctrl: 0 });
  });

  it('disable_irq() changes the shadow at once: the chip has irq_disable and irq_enable', async () => {
    const played = await play(head, [...ALLOC, 'request: { device: mdev0 }', 'disable: { device: mdev0 }'], { kernel });
    assert.deepEqual([shadowOf(played).ctrl, toldOf(played).ctrl], [0, 0]);
    const again = await play(head, [...ALLOC, 'request: { device: mdev0 }', 'disable: { device: mdev0 }', 'enable: { device: mdev0 }'], { kernel });
    assert.deepEqual([shadowOf(again).ctrl, toldOf(again).ctrl], [1, 1]);
  });

  it('msiFree clears the shadow and forgets it (ims_queue_free_msi_store)', async () => {
    const played = await play(head, [...ALLOC, 'msiFree: mdev0'], { kernel });
    assert.deepEqual(toldOf(played), { lo: 0, hi: 0, data: 0, ctrl: 0 });
    assert.deepEqual(played.guest.world.kernel.ims_devices[0].subdevices[0].msi_list, []);
  });
});
