// What the IMS driver reads and writes in a slot, access by access: facts 6.1, 6.2, and 6.3 for the queue, of each posting.
import assert from 'node:assert/strict';
import { IMS_QUEUE, IMS_SLOT, IMS_SLOT_SIZE, ImsStore } from '../../src/hardware/ims-store';
import { IMS_CONTROL_WORD_IRQMASK, ims_ctrl_pasid_aux } from '../../src/kernel/drivers/irqchip/irq-ims-msi';
import { IRQCHIP_ONESHOT_SAFE, IRQCHIP_SKIP_SET_WAKE } from '../../src/kernel/include/irq';
import { MSI_FLAG, type msi_domain_info } from '../../src/kernel/include/msi';
import { handle_edge_irq, irq_chip_retrigger_hierarchy } from '../../src/kernel/irq/chip';
import { irq_set_auxdata } from '../../src/kernel/irq/auxdata';
import { EINVAL, ENODEV, ENOSPC } from '../../src/kernel/lib/errno';
import { enterWorld } from '../../src/kernel/world';
import { callsNow } from '../../src/stepper/frames';
import { run } from '../kernel/run';
import { play, type Played } from './play';

const V2 = 'v5.10+device-msi';
const V3 = 'v5.10+device-msi+repost-mask-bit';
const REPOST = 'v5.10+ims-repost';
const head = (ims = ''): string => `machine: { cpus: 4, devices: [{ name: accel, kind: ims, address: 00:05.0, ims: { slots: 4, subdevices: [mdev0, mdev1]${ims} } }] }`;
const PROBE = 'probe: accel';
const alloc = (vectors: number, device = 'mdev0'): string => `msiAlloc: { device: ${device}, vectors: ${vectors} }`;

/** Accesses of a run, by the function that makes them: "r3 w3=1", a word's number in its slot behind r and w. */
async function accesses(kernel: string, steps: readonly string[], ims = ''): Promise<{ played: Played; by: (fn: string) => string[] }> {
  const lines: { fn: string; text: string }[] = [];
  // eslint-disable-next-line @typescript-eslint/unbound-method -- they are called on a store
  const { read32, write32 } = ImsStore.prototype;
  const note = (offset: number, text: string): void => {
    const fn = callsNow()[0].name;
    const access = `${text[0]}${(offset % IMS_SLOT_SIZE) / 4}${text.slice(1)}`;
    const last = lines.at(-1);
    if (last?.fn === fn) last.text += ` ${access}`;
    else lines.push({ fn, text: access });
  };
  ImsStore.prototype.read32 = function (offset) {
    note(offset, 'r');
    return read32.call(this, offset);
  };
  ImsStore.prototype.write32 = function (offset, value) {
    note(offset, `w=${value > 0xff ? '*' : value}`);
    write32.call(this, offset, value);
  };
  try {
    const played = await play(head(ims), [PROBE, ...steps], { kernel, check: false });
    return { played, by: fn => [...new Set(lines.flatMap(line => (line.fn === fn ? [line.text] : [])))] };
  } finally {
    Object.assign(ImsStore.prototype, { read32, write32 });
  }
}

const LIFE = [alloc(1), 'request: { device: mdev0 }', 'free: { device: mdev0 }', 'msiFree: mdev0'];
const infoOf = ({ guest }: Played): msi_domain_info => guest.world.kernel.ims_devices[0].domain.host_data as msi_domain_info;

describe('a slot of the IMS array, access by access (6.1, 6.2)', () => {
  it('has 16 bytes: address_lo, address_hi, data, ctrl', () => {
    assert.equal(IMS_SLOT_SIZE, 16);
    assert.deepEqual(IMS_SLOT, { address_lo: 0x0, address_hi: 0x4, data: 0x8, ctrl: 0xc });
  });

  it('V2: bit 0 of ctrl unmasks; three stores for a message; nothing is read back; given back it is all 0, which masks', async () => {
    const { by } = await accesses(V2, LIFE, ', bit0: unmasks');
    assert.deepEqual(by('ims_array_unmask_irq'), ['r3 w3=1']);
    assert.deepEqual(by('ims_array_mask_irq'), ['r3 w3=0']);
    assert.deepEqual(by('ims_array_write_msi_msg'), ['w0=* w1=0 w2=*', 'w0=0 w1=0 w2=0']);
    assert.deepEqual(by('ims_array_reset_slot'), ['w0=0 w1=0 w2=0 w3=0']);
  });

  it('September 2020: bit 0 masks, and writes are flushed, a message by its first word; but a slot is still reset to 0, which opens it', async () => {
    const { by } = await accesses(V3, LIFE);
    assert.deepEqual(by('ims_array_unmask_irq'), ['r3 w3=0 r3']);
    assert.deepEqual(by('ims_array_mask_irq'), ['r3 w3=1 r3']);
    assert.deepEqual(by('ims_array_write_msi_msg'), ['w0=* w1=0 w2=* r0', 'w0=0 w1=0 w2=0 r0']);
    assert.deepEqual(by('ims_array_reset_slot'), ['w0=0 w1=0 w2=0 w3=0']);
  });

  it('February 2021: each write that ends something is flushed by its own word; a slot is reset masked, also when it is taken', async () => {
    const { by, played } = await accesses(REPOST, [...LIFE.slice(0, 3), 'auxdata: { device: mdev0, pasid: 5 }', ...LIFE.slice(3)]);
    assert.deepEqual(by('ims_array_unmask_irq'), ['r3 w3=0 r3']);
    assert.deepEqual(by('ims_array_mask_irq'), ['r3 w3=1 r3']);
    assert.deepEqual(by('ims_array_write_msi_msg'), ['w0=* w1=0 w2=* r2', 'w0=0 w1=0 w2=0 r2']);
    assert.deepEqual(by('ims_array_set_auxdata'), ['r3 w3=* r3']);
    assert.deepEqual(by('ims_array_reset_slot'), ['w0=0 w1=0 w2=0 w3=1 r3']);
    assert.deepEqual(played.results, [0, 0, 0, 0, 0, 0]);
  });
});

describe('irq_set_auxdata() of the IMS array (6.2)', () => {
  const said = async (auxdata: string): Promise<number> => (await play(head(), [PROBE, alloc(1), `auxdata: { device: mdev0, ${auxdata} }`], { kernel: REPOST })).results.at(-1)!;

  it('takes bits 3 to 31: each of the three lowest, and what is above 32 bits, is -EINVAL', async () => {
    assert.equal(IMS_CONTROL_WORD_IRQMASK, 0b111);
    for (const value of [1, 2, 4, 7]) assert.equal(await said(`value: ${value}`), -EINVAL, String(value));
    for (const value of [0, 8, 0xfffffff8]) assert.equal(await said(`value: ${value}`), 0, String(value));
    const { guest } = await play(head(), [PROBE, alloc(1)], { kernel: REPOST });
    enterWorld(guest.world, 0);
    assert.equal(run(irq_set_auxdata(guest.world.kernel.ims_devices[0].subdevices[0].msi_list[0].irq, 0, 2 ** 32)), -EINVAL, 'it is a u64');
  });

  it('knows one word, number 0: any other is -EINVAL', async () => {
    assert.deepEqual([await said('pasid: 1, which: 0'), await said('pasid: 1, which: 1')], [0, -EINVAL]);
  });

  it('has the PASID from bit 12 on, and bit 3 says that it counts (ims_ctrl_pasid_aux)', () => {
    assert.deepEqual([ims_ctrl_pasid_aux(0xfffff, true), ims_ctrl_pasid_aux(5, false)], [0xfffff008, 0x5000]);
  });

  it('is asked for a message that there is: msi_irq_vector() warns of any other, once, and says -EINVAL (5.7)', async () => {
    const beyond = 'auxdata: { device: mdev0, vector: 1, pasid: 5 }';
    const { results, log } = await play(head(), [PROBE, alloc(1), beyond, beyond], { kernel: REPOST });
    assert.deepEqual(results.slice(-2), [-EINVAL, -EINVAL]);
    assert.equal(log.filter(text => text.startsWith('WARNING: ') && text.includes('msi_irq_vector')).length, 1);
  });
});

describe('the domain of the IMS array (6.2)', () => {
  it('fills in its template: an edge handler, the default callbacks, a chip that resends through its parents and has no wake', async () => {
    const { chip, ops, flags, handler, handler_name } = infoOf(await play(head(), [PROBE], { kernel: REPOST }));
    assert.deepEqual([chip.name, chip.irq_retrigger, chip.flags], ['IMS', irq_chip_retrigger_hierarchy, IRQCHIP_SKIP_SET_WAKE | IRQCHIP_ONESHOT_SAFE]);
    assert.deepEqual([handler, handler_name, flags & (MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS)], [handle_edge_irq, 'edge', MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS]);
    assert.deepEqual([ops.msi_alloc_store?.name, ops.msi_free_store?.name, ops.set_desc?.name], ['ims_array_alloc_msi_store', 'ims_array_free_msi_store', 'ims_set_desc']);
    const posted = infoOf(await play(head(', bit0: unmasks'), [PROBE], { kernel: V2 }));
    assert.deepEqual([posted.ops.set_desc?.name, posted.chip.irq_set_auxdata], ['msi_domain_ops_set_desc', undefined]);
  });

  it('has a chip of its own for each device, which the core completes', async () => {
    const two = 'machine: { devices: [{ name: a, kind: ims, address: 00:05.0, ims: { slots: 1, subdevices: [a0] } }, { name: b, kind: ims, address: 00:06.0, ims: { slots: 1, subdevices: [b0] } }] }';
    const { guest } = await play(two, ['probe: a', 'probe: b'], { kernel: REPOST });
    const [a, b] = guest.world.kernel.ims_devices.map(({ domain }) => domain.host_data as msi_domain_info);
    assert.ok(a.chip !== b.chip && a.ops !== b.ops);
  });

  it('is none when memory is short, whichever of its three allocations fails: the driver has -ENODEV, and no domain is left', async () => {
    // nine before them are of the device's line
    for (const nth of [10, 11, 12]) {
      const { results, guest } = await play(head(), [`${PROBE}\n    failNth: ${nth}\n    expect: -ENODEV`], { kernel: REPOST });
      assert.deepEqual([results, guest.world.kernel.irq_domain_list.some(({ name }) => name.endsWith('-11'))], [[-ENODEV], false]);
    }
    assert.deepEqual((await play(head(), [`${PROBE}\n    failNth: 13`], { kernel: REPOST })).results, [0]);
  });

  it('gives every slot of the device back when one is missing, also to other parts (I1)', async () => {
    const { results, guest } = await play(head(), [PROBE, alloc(2, 'mdev1'), `${alloc(3)}\n    expect: -ENOSPC`, alloc(2)], { kernel: REPOST });
    assert.deepEqual(results, [0, 0, -ENOSPC, 0]);
    assert.deepEqual(guest.world.kernel.ims_devices[0].subdevices.map(({ msi_list }) => msi_list.map(({ device_msi }) => device_msi!.hwirq)), [[2, 3], [0, 1]]);
  });
});

describe('the IMS queue, access by access (6.3)', () => {
  const QUEUE = ', store: queue, bit0: unmasks';
  const kernel = `${V2}+ims-queue-usable`;

  it('takes its driver\'s lock, changes the shadow, and lets the lock go when the device has taken the command or its time is over', async () => {
    for (const [loses, polls] of [['', 1], [', loses: [1]', 3]] as const) {
      const order: string[] = [];
      const { write32, read32 } = ImsStore.prototype; // eslint-disable-line @typescript-eslint/unbound-method -- they are called on a store
      const locked = (): string => (callsNow().some(({ name }) => name === 'queue_sync_unlock') ? 'locked' : 'not locked');
      ImsStore.prototype.write32 = function (offset, value) {
        if (offset === IMS_QUEUE.COMMAND) order.push(`command, ${locked()}`);
        write32.call(this, offset, value);
      };
      ImsStore.prototype.read32 = function (offset) {
        if (offset === IMS_QUEUE.STATUS) order.push(`look, ${locked()}`);
        return read32.call(this, offset);
      };
      try {
        const { results } = await play(head(`${QUEUE}${loses}`), [PROBE, alloc(1), 'request: { device: mdev0 }'], { kernel, check: false });
        assert.deepEqual(results, [0, 0, 0], 'request_irq() cannot fail by it');
      } finally {
        Object.assign(ImsStore.prototype, { write32, read32 });
      }
      assert.deepEqual(order.slice(0, 1 + polls), ['command, locked', ...Array.from({ length: polls }, () => 'look, locked')]);
    }
  });

  it('numbers a part\'s messages by the part from bit 16 on, of which 16 bits are kept: none', async () => {
    const { guest } = await play(head(QUEUE), [PROBE, alloc(2, 'mdev1')], { kernel });
    assert.deepEqual(guest.world.kernel.ims_devices[0].subdevices[1].msi_list.map(({ device_msi }) => device_msi!.hwirq), [0, 1]);
  });

  it('has a chip with disable and enable beside mask and unmask, and its driver\'s functions as chip_data', async () => {
    const { chip, chip_data } = infoOf(await play(head(QUEUE), [PROBE], { kernel }));
    assert.deepEqual([chip.irq_disable, chip.irq_enable], [chip.irq_mask, chip.irq_unmask]);
    assert.deepEqual([chip.irq_bus_lock?.name, chip.irq_bus_sync_unlock?.name, chip.irq_retrigger], ['ims_queue_lock', 'ims_queue_sync_unlock', irq_chip_retrigger_hierarchy]);
    assert.deepEqual(Object.keys(chip_data as object), ['queue_lock', 'queue_sync_unlock', 'queue_get_shadow']);
  });
});
