// Device MSI and message stores (IMS): what was posted in 2020 and 2021 does, with its defects. Numbers such as I3 and 5.4 are those of the list of facts that each test asserts.
import assert from 'node:assert/strict';
import { IMS_CTRL, type ImsStore } from '../../src/hardware/ims-store';
import { IRTE_HIGH } from '../../src/hardware/irte';
import { ims_slot } from '../../src/kernel/drivers/irqchip/irq-ims-queue';
import { intel_ir_data } from '../../src/kernel/drivers/iommu/intel/irte';
import type { subdevice } from '../../src/kernel/include/device';
import { IRQCHIP_ONESHOT_SAFE, type irq_data } from '../../src/kernel/include/irq';
import { DOMAIN_BUS } from '../../src/kernel/include/irqdomain';
import { MSI_FLAG, msi_desc, type msi_domain_info } from '../../src/kernel/include/msi';
import { EINVAL, ENODEV, ENOSPC, ENOSYS } from '../../src/kernel/lib/errno';
import { formatDiagnostic } from '../../src/scenario/diagnostic';
import { loadScenario } from '../../src/scenario/load';
import { play, type Played } from './play';

const REPOST = 'v5.10+ims-repost';
const V2 = 'v5.10+device-msi';

const head = (ims = 'slots: 4', remap = 'none', more = ''): string =>
  `machine: { cpus: 4, remap: ${remap}${more}, devices: [{ name: accel, kind: ims, address: 00:05.0, ims: { subdevices: [mdev0, mdev1], ${ims} } }] }`;
const PROBE = 'probe: accel';
const alloc = (vectors: number, device = 'mdev0'): string => `msiAlloc: { device: ${device}, vectors: ${vectors} }`;
const tooMany = (vectors: number): string => `${alloc(vectors)}\n    expect: -ENOSPC`;
const request = (vector: number, device = 'mdev0'): string => `request: { device: ${device}, vector: ${vector}, name: wq${vector} }`;
const raise = (entry: number, at?: string): string => `raise: { device: mdev0, entry: ${entry}${at === undefined ? '' : `, at: ${at}`} }`;

const storeOf = ({ guest }: Played): ImsStore => guest.world.kernel.pci_devices.find(dev => dev.hw.ims)!.hw.ims!;
const partOf = ({ guest }: Played, name = 'mdev0'): subdevice => guest.world.kernel.ims_devices[0].subdevices.find(sub => sub.name === name)!;
const chain = (data: irq_data | null): string[] => (data ? [`${data.domain!.name} ${data.chip.name}`, ...chain(data.parent_data)] : []);
const kinds = ({ guest }: Played): string[] => guest.world.machine.events.map(({ kind }) => kind);
const irqOf = (played: Played, vector = 0): number => partOf(played).msi_list[vector].irq;
const last = ({ results }: Played): number => results.at(-1)!;

describe('device MSI', () => {
  for (const [remap, levels] of [
    ['none', ['0000:00:05.0-11 IMS', 'VECTOR APIC']],
    ['intel', ['0000:00:05.0-11 IMS', 'INTEL-IR-0 INTEL-IR', 'VECTOR APIC']],
  ] as const) {
    it(`has its domain beside the device's own, named after it and the token 11, on the same parent (5.2; remap: ${remap})`, async () => {
      const played = await play(head('slots: 4', remap), [PROBE, alloc(2)], { kernel: REPOST });
      assert.equal(partOf(played).msi_domain!.bus_token, DOMAIN_BUS.DEVICE_MSI);
      assert.deepEqual(chain(played.desc(irqOf(played)).irq_data), levels);
    });
  }

  it('activates early, may reactivate, and its chip is safe for ONESHOT (V2 43)', async () => {
    const { flags, chip } = partOf(await play(head(), [PROBE], { kernel: REPOST })).msi_domain!.host_data as msi_domain_info;
    const wanted = MSI_FLAG.ACTIVATE_EARLY | MSI_FLAG.MUST_REACTIVATE;
    assert.equal(flags & wanted, wanted);
    assert.ok(chip.flags & IRQCHIP_ONESHOT_SAFE);
  });

  it('takes a vector for each interrupt at allocation, requested or not: DEVICE_MSI does not reserve (5.3)', async () => {
    const played = await play(head(), [PROBE, alloc(3)], { kernel: REPOST });
    assert.ok([0, 1, 2].every(vector => played.place(irqOf(played, vector)) !== '-'));
    const reserved = ({ guest }: Played): number => guest.world.kernel.vector_matrix.global_reserved;
    assert.equal(reserved(played), reserved(await play(head(), [PROBE], { kernel: REPOST })));
  });

  it('is not there in v5.10, nor before v2-46: the driver gets no domain', async () => {
    for (const kernel of ['v5.10', 'series:45']) assert.deepEqual((await play(head(), [PROBE], { kernel })).results, [-ENODEV], kernel);
  });

  it('is refused in a guest by the re-post, and not by V2 (I9)', async () => {
    const guest = head('slots: 4', 'none', ', hypervisor: kvm');
    assert.deepEqual((await play(guest, [PROBE], { kernel: REPOST })).results, [-ENODEV]);
    assert.deepEqual((await play(guest, [PROBE], { kernel: V2 })).results, [0]);
  });

  it('loses what an allocation had before it failed: descriptors are freed, interrupts and slots are not (I11)', async () => {
    const played = await play(head('slots: 8, bit0: unmasks'), [PROBE, alloc(2)], { kernel: V2 });
    assert.equal(last(played), -ENOSPC);
    assert.equal(partOf(played).msi_list.length, 0);
    const domain = partOf(played).msi_domain!;
    assert.equal(domain.mapcount, 1);
    assert.deepEqual((await play(head('slots: 8'), [PROBE, alloc(3), 'msiFree: mdev0', alloc(1)], { kernel: REPOST })).results, [0, 0, 0, 0]);
  });
});

/** msiFree leaves the slot open (V2 clears bit 0); then it is filled again, and emptied once more. */
const TORN = [PROBE, alloc(1), 'msiFree: mdev0', alloc(1), raise(0, 'address_lo'), 'msiFree: mdev0'];

describe('the IMS array', () => {
  it('takes slots from the first free one on, and masks them; free gives them back, empty and masked (6.2)', async () => {
    const played = await play(head(), [PROBE, alloc(2), alloc(1, 'mdev1'), 'msiFree: mdev0'], { kernel: REPOST });
    const store = storeOf(played);
    assert.equal(partOf(played, 'mdev1').msi_list[0].device_msi!.hwirq, 2);
    assert.deepEqual([0, 1, 2].map(slot => store.message(slot).lo !== 0), [false, false, true]);
    assert.ok([0, 1, 2, 3].every(slot => store.masked(slot)));
  });

  it('has no slot for one more than there are: -ENOSPC, and all of the device\'s go back (I1)', async () => {
    const played = await play(head(), [PROBE, tooMany(5), alloc(4)], { kernel: REPOST });
    assert.deepEqual(played.results, [0, -ENOSPC, 0]);
  });

  it('V2 has hwirq 0 for every message: the second, of whatever part, is -EEXIST, reported as -ENOSPC (I2)', async () => {
    const played = await play(head('slots: 4, bit0: unmasks'), [PROBE, alloc(1), alloc(1, 'mdev1')], { kernel: V2 });
    assert.deepEqual(played.results, [0, 0, -ENOSPC]);
  });

  it('V2 meets a BUG below VT-d, which does not know DEV_MSI (I3)', async () => {
    const { stop } = await play(head('slots: 4', 'intel'), [PROBE, alloc(1)], { kernel: V2 });
    assert.match(stop.error!.message, /kernel BUG at drivers\/iommu\/intel\/irq_remapping\.c/);
  });

  for (const kernel of [V2, REPOST]) {
    it(`is refused by the AMD driver, with a warning: -EINVAL, reported as -ENOSPC (I4; ${kernel})`, async () => {
      const played = await play(head('slots: 4, bit0: unmasks', 'amd'), [PROBE, alloc(1)], { kernel });
      assert.equal(last(played), -ENOSPC);
      assert.ok(played.log.some(text => text.includes('get_devid()')));
    });
  }

  it('has the requester id of the function in the entry of its part (5.4)', async () => {
    const played = await play(head('slots: 4', 'intel'), [PROBE, alloc(1)], { kernel: REPOST });
    const data = played.desc(irqOf(played)).irq_data.parent_data!.chip_data;
    assert.ok(data instanceof intel_ir_data);
    assert.equal(IRTE_HIGH.get(data.irte_entry.high, 'sid'), 0x28);
  });

  it('moves below VT-d by the entry alone: the slot is not written (11.4)', async () => {
    const steps = [PROBE, alloc(1), request(0)];
    const before = storeOf(await play(head('slots: 4', 'intel'), steps, { kernel: REPOST })).message(0);
    const played = await play(head('slots: 4', 'intel'), [...steps, 'affinity: { device: mdev0, vector: 0, cpus: 1 }', raise(0)], { kernel: REPOST });
    assert.deepEqual(storeOf(played).message(0), before);
    assert.equal(played.desc(irqOf(played)).kstat_irqs.get(1), 1);
  });

  it('moves without remapping in its next interrupt, masked, by three stores (11.4)', async () => {
    const played = await play(head(), [PROBE, alloc(1), request(0), 'affinity: { device: mdev0, vector: 0, cpus: 1 }', raise(0), raise(0)], { kernel: REPOST });
    assert.equal(played.desc(irqOf(played)).kstat_irqs.get(1), 1);
    assert.equal(kinds(played).filter(kind => kind === 'open slot rewritten').length, 0);
  });

  it('the wrong bit: an interrupt that is requested is held back, one that is not is sent (I5)', async () => {
    const ims = 'slots: 4, bit0: masks';
    assert.ok(kinds(await play(head(ims), [PROBE, alloc(1), request(0), raise(0)], { kernel: V2 })).includes('held back'));
    const spurious = await play(head(ims), [PROBE, alloc(1), request(0), 'free: { device: mdev0 }', raise(0)], { kernel: V2, check: false });
    assert.ok(!kinds(spurious).includes('held back'));
  });

  it('a torn message: a slot that is open while it is written sends the new address with the old data (I6)', async () => {
    // With the wrong bit the slot is open as long as the kernel thinks that it is masked.
    const played = await play(head('slots: 4, bit0: masks'), TORN, { kernel: V2, check: false });
    const torn = played.guest.world.machine.events.flatMap(event => (event.kind === 'open slot rewritten' ? [event] : []));
    const rewritten = torn.find(({ word, addressLo, data }) => word === 'address_lo' && addressLo === 0 && data !== 0);
    assert.ok(rewritten, 'address cleared, data not yet');
    const sent = played.guest.world.machine.events.find(event => event.kind === 'memory write');
    assert.equal(sent?.kind === 'memory write' && sent.data, rewritten.data);
  });

  it('PASID: irq_set_auxdata() leaves the mask bit alone, and refuses it; V2 has no such call (5.7, 6.2)', async () => {
    const pasid = 'auxdata: { device: mdev0, pasid: 5 }';
    const played = await play(head(), [PROBE, alloc(1), pasid], { kernel: REPOST });
    assert.deepEqual(IMS_CTRL.decode(storeOf(played).message(0).ctrl), { bit0: 1, pasid_enable: 1, pasid: 5 });
    assert.equal(last(await play(head('slots: 4, bit0: unmasks'), [PROBE, alloc(1), pasid], { kernel: V2 })), -ENOSYS);
    assert.equal(last(await play(head(), [PROBE, pasid], { kernel: REPOST })), -EINVAL);
  });

  it('PASID past the kernel: an interrupt between read and write masks the slot, and the driver unmasks it again (I8)', async () => {
    const steps = [PROBE, alloc(1), request(0), 'disable: { device: mdev0 }', raise(0, 'ctrl'), 'auxdata: { device: mdev0, pasid: 5, direct: true }'];
    const played = await play(head(), steps, { kernel: REPOST, check: false });
    assert.equal(storeOf(played).masked(0), false);
    assert.ok(played.guest.world.kernel.irq_desc_tree.get(irqOf(played))!.irq_common_data.state_use_accessors & (1 << 17), 'the kernel thinks that it is masked');
  });

  it('without the default ack of v2-41 the first interrupt calls NULL (I10)', async () => {
    const { stop } = await play(head(), [PROBE, alloc(1), request(0), raise(0)], { kernel: `${REPOST}-v2-41`, check: false });
    assert.equal(stop.error?.message, 'BUG: kernel NULL pointer dereference, address: 0000000000000000');
  });
});

describe('the IMS queue', () => {
  const queue = (more = ''): string => head(`store: queue, slots: 2, bit0: unmasks${more}`);
  const USABLE = `${V2}+ims-queue-usable`;

  it('as posted dereferences NULL in its first allocation: the bus lock comes before the descriptor', async () => {
    const { stop } = await play(queue(), [PROBE, alloc(1)], { kernel: V2 });
    assert.equal(stop.error?.message, 'BUG: kernel NULL pointer dereference, address: 0000000000000050');
  });

  it('numbers messages with 16 bits: two queues collide (I7)', async () => {
    assert.deepEqual((await play(queue(), [PROBE, alloc(2), alloc(1, 'mdev1')], { kernel: USABLE })).results, [0, 0, -ENOSPC]);
  });

  it('has no shadow for more messages than the queue has: -ENOSPC', async () => {
    assert.equal(last(await play(queue(), [PROBE, tooMany(3)], { kernel: USABLE })), -ENOSPC);
  });

  it('changes the shadow only, until the bus lock is given back', async () => {
    const shadow = ({ device_msi }: msi_desc): ims_slot => device_msi!.priv as ims_slot;
    const allocated = await play(queue(), [PROBE, alloc(1)], { kernel: USABLE });
    assert.notEqual(shadow(partOf(allocated).msi_list[0]).data, 0);
    assert.equal(storeOf(allocated).message(0).data, 0);
    const requested = await play(queue(), [PROBE, alloc(1), request(0)], { kernel: USABLE });
    assert.equal(storeOf(requested).message(0).data, shadow(partOf(requested).msi_list[0]).data);
  });

  it('a lost command: request_irq() says 0, and the device has nothing', async () => {
    const played = await play(queue(', loses: [1]'), [PROBE, alloc(1), request(0), raise(0)], { kernel: USABLE });
    assert.deepEqual(played.results, [0, 0, 0, 0]);
    assert.ok(played.log.includes('ims 0000:00:05.0: queue 0: command for message 0 timed out'));
    assert.ok(kinds(played).includes('held back'));
  });

  it('an affinity write takes the bus lock with v2-42 only (5.6)', async () => {
    const steps = [PROBE, alloc(1), request(0), 'affinity: { device: mdev0, cpus: 1 }', raise(0)];
    const handled = async (kernel: string): Promise<number> => {
      const played = await play(queue(', loses: [1]'), steps, { kernel });
      return played.desc(irqOf(played)).tot_count;
    };
    assert.equal(await handled(USABLE), 1);
    assert.equal(await handled(`${USABLE}-v2-42`), 0);
  });

  it('is not in the re-post', async () => {
    assert.deepEqual((await play(queue(), [PROBE], { kernel: REPOST })).results, [-ENODEV]);
  });
});

describe('what a scenario says of message stores that cannot be', () => {
  const problems = (machine: string, step: string, kernel: string | undefined = V2): string[] => {
    const text = `machine:\n  devices:\n    - ${machine}\n    - { name: nic0, kind: nic, address: 00:06.0 }\nsteps:\n  - ${step}\n`;
    const loaded = loadScenario('x.irq.yaml', text, kernel === '' ? {} : { kernel });
    return loaded.ok ? [] : loaded.diagnostics.map(formatDiagnostic);
  };
  const ACCEL = '{ name: accel, kind: ims, address: 00:05.0, ims: { slots: 4, subdevices: [mdev0] } }';

  it('is told with its place', () => {
    assert.deepEqual(problems('{ name: accel, kind: ims, address: 00:05.0 }', PROBE).map(withoutSource), ['x.irq.yaml:3:28: error: accel has no store; expected ims: { slots: ..., subdevices: [...] }']);
    assert.deepEqual(problems(ACCEL.replace('kind: ims', 'kind: nvme'), PROBE).map(withoutSource), ['x.irq.yaml:3:52: error: a nvme has no store of messages; expected kind: ims']);
    assert.deepEqual(problems(ACCEL.replace('[mdev0]', '[nic0]'), PROBE).map(withoutSource), ['x.irq.yaml:3:81: error: there is a device nic0 already; expected another name']);
    assert.deepEqual(problems(ACCEL, 'probe: mdev0').map(withoutSource), ['x.irq.yaml:6:5: error: mdev0 is a part of a device; expected one of msiAlloc, msiFree, auxdata, request, free, disable, enable, affinity or raise']);
    assert.deepEqual(problems(ACCEL, 'msiFree: nic0').map(withoutSource), ['x.irq.yaml:6:14: error: nic0 is no part of a device; expected a part of a device of kind ims']);
    assert.deepEqual(problems(ACCEL, 'msiFree: mdev1').map(withoutSource), ['x.irq.yaml:6:14: error: unknown device mdev1; did you mean mdev0?']);
    assert.deepEqual(problems(ACCEL.replace('slots: 4', 'slots: 0'), PROBE).map(withoutSource), ['x.irq.yaml:3:65: error: slots: found 0; expected a whole number from 1 to 2048']);
    assert.deepEqual(problems(ACCEL.replace('slots: 4', 'slots: 4, msi: platform, store: queue'), PROBE).map(withoutSource), ['x.irq.yaml:3:68: error: platform MSI cannot wait for commands; expected store: array']);
    assert.deepEqual(problems(ACCEL, alloc(2)).map(withoutSource), ['x.irq.yaml:6:5: error: mdev0 is a device when the driver of accel has made it one; expected a step before this one: "- probe: accel"']);
    assert.deepEqual(problems(ACCEL, `${PROBE}\n  - ${alloc(5)}`).map(withoutSource), ['x.irq.yaml:7:41: error: accel has 4 slots; expected 1 to 4 vectors, or expect: -ENOSPC']);
    assert.deepEqual(problems(ACCEL, `${PROBE}\n  - ${raise(4)}`).map(withoutSource), ['x.irq.yaml:7:36: error: accel has 4 slots; expected an entry of 0 to 3, or expect: -EINVAL']);
    assert.deepEqual(problems(ACCEL, 'auxdata: { device: mdev0 }').map(withoutSource), ['x.irq.yaml:6:5: error: what shall it be?; expected either pasid or value']);
  });
});

describe('a message store on a kernel that has no use for it', () => {
  const on = (kernel: string, ims: string, expect = ''): string[] => {
    const text = `kernel: ${kernel}\n${head(ims)}\nsteps:\n  - probe: accel${expect}\n`;
    const loaded = loadScenario('x.irq.yaml', text);
    return loaded.ok ? [] : loaded.diagnostics.map(formatDiagnostic);
  };

  it('is told with its place, and where there is one', () => {
    const none = 'x.irq.yaml:4:12: error: kernel v5.10 has no driver for message stores; expected v5.10+device-msi (as posted in August 2020) or v5.10+ims-repost (as posted again until February 2021), or a kernel with pci-ims, or expect: -ENODEV';
    assert.deepEqual(on('v5.10', 'slots: 4').map(withoutSource), [none]);
    assert.match(on('{ series: 45 }', 'slots: 4').join(), /4:12: error: kernel series:45 has no driver/);
    assert.match(on(REPOST, 'slots: 4, store: queue').join(), /4:12: error: kernel v5\.10\+ims-repost has no queue store, which was not posted again; expected v5\.10\+device-msi\+ims-queue-usable/);
    assert.deepEqual(on(REPOST, 'slots: 4'), []);
  });

  it('is what the scenario may want to show', () => assert.deepEqual(on('v5.10', 'slots: 4', '\n    expect: -ENODEV'), []));
});

const withoutSource = (text: string): string => text.split('\n')[0];
