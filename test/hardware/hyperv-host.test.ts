// A Hyper-V host as a guest meets it: packets on a vmbus channel, and a hypercall. Sizes and numbers: drivers/pci/controller/pci-hyperv.c, include/asm-generic/hyperv-tlfs.h.
import assert from 'node:assert/strict';
import { guidBytes } from '../../src/hardware/guid';
import type { HypervHost } from '../../src/hardware/hyperv-host';
import { decodeRetarget, encodeRetarget, HV_PARTITION_ID_SELF, HVCALL_RETARGET_INTERRUPT, type RetargetInterrupt } from '../../src/hardware/hyperv-hypercall';
import {
  devfnOf, pci_bus_relations, pci_create_int_response, pci_create_interrupt, pci_create_interrupt2, pci_delete_interrupt, pci_function_description, pci_function_description2,
  pci_q_res_req_response, pci_resources_assigned, pci_resources_assigned2, pci_response, pci_version_request, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
  STATUS_REVISION_MISMATCH, tran_int_desc, type VmbusPacket, wslotOf,
} from '../../src/hardware/hyperv-vpci';
import type { VpciBus } from '../../src/hardware/hyperv-vpci-bus';
import { Machine } from '../../src/hardware/machine';
import { validateMachineConfig } from '../../src/hardware/validate-machine';
import { rest } from '../../src/hardware/packed';

const GUID = '44c4f61d-4444-4400-9d52-802e27ede19f';
const CONFIG = {
  cpus: [0, 1, 2, 3].map(apicId => ({ apicId, node: 0 })),
  x2apic: false, ioapics: [], isaOverrides: [],
  hyperv: { protocol: 0x10003, buses: [{ name: 'vpci0', instance: GUID }] },
  pci: [{ address: '0000:00:02.1', vendor: 0x15b3, device: 0x1016, class: 0x020000, intxPin: 0, gsi: -1, msix: { entries: 4 }, behind: GUID, node: -1 }],
};
const WSLOT = wslotOf(0x11);

/** With an open channel and power. */
function booted(): { readonly machine: Machine; readonly host: HypervHost; readonly bus: VpciBus; readonly say: (bytes: Uint8Array) => VmbusPacket[] } {
  const machine = new Machine(CONFIG);
  const host = machine.hyperv!;
  const [bus] = host.buses;
  bus.setOpen(true);
  let asked = 0;
  const say = (bytes: Uint8Array): VmbusPacket[] => {
    bus.receive(bytes, ++asked);
    return bus.toGuest.splice(0);
  };
  say(pci_version_request.encode({ type: 0x42490013, protocol_version: 0x10003 }));
  bus.d0 = true;
  return { machine, host, bus, say };
}

const create = (vector: number, count = 1): Uint8Array =>
  pci_create_interrupt2.encode({ type: 0x42490017, wslot: WSLOT, int_desc: { vector, delivery_mode: 0, vector_count: count, processor_count: 1, processor_array: [1] } });
const status = ([{ bytes }]: VmbusPacket[]): number => pci_response.decode(bytes).status >>> 0;

describe('packets of a virtual PCI bus', () => {
  it('have the sizes of the C structures behind their descriptors', () => {
    const sizes = { pci_create_interrupt, pci_create_interrupt2, pci_delete_interrupt, pci_create_int_response, tran_int_desc, pci_resources_assigned, pci_resources_assigned2, pci_q_res_req_response, pci_function_description, pci_function_description2 };
    assert.deepEqual(Object.values(sizes).map(({ size }) => size), [24, 78, 24, 24, 16, 148, 202, 28, 20, 28]);
  });

  it('number slots as Windows does: the device below the function', () => {
    assert.deepEqual([wslotOf(0x11), devfnOf(0x22), wslotOf(0xff)], [0x22, 0x11, 0xff]);
  });

  it('take the parts of an instance as little-endian numbers', () => {
    assert.deepEqual(guidBytes(GUID).slice(0, 10), [0x1d, 0xf6, 0xc4, 0x44, 0x44, 0x44, 0x00, 0x44, 0x9d, 0x52]);
  });
});

describe('a Hyper-V host', () => {
  it('agrees to versions up to its own: else STATUS_REVISION_MISMATCH, 0xc0000059', () => {
    const { say } = booted();
    const ask = (protocol_version: number): number => status(say(pci_version_request.encode({ type: 0x42490013, protocol_version })));
    assert.deepEqual([ask(0x10000), ask(0x10001), ask(0x10003), ask(0x10004)], [STATUS_REVISION_MISMATCH, 0, 0, STATUS_REVISION_MISMATCH]);
  });

  it('lists its functions, from 1.3 on with their nodes', () => {
    const { bus, say } = booted();
    const query = new Uint8Array([1, 0, 0x49, 0x42]);
    const [{ type, transId, bytes }] = say(query);
    assert.deepEqual([type, transId, pci_bus_relations.decode(bytes)], [6, 0, { type: 0x42490019, device_count: 1 }]);
    assert.deepEqual(rest(pci_function_description2, bytes, 8).map(({ v_id, d_id, base_class, win_slot }) => [v_id, d_id, base_class, win_slot]), [[0x15b3, 0x1016, 2, WSLOT]]);
    bus.version = 0x10002;
    assert.equal(pci_bus_relations.decode(say(query)[0].bytes).type, 0x42490000);
  });

  it('answers what it does not know, or what is cut off, and what it cannot do', () => {
    const { bus, say } = booted();
    assert.equal(status(say(new Uint8Array([0x7f, 0, 0x49, 0x42]))), STATUS_NOT_SUPPORTED);
    assert.equal(status(say(create(0x31).slice(0, 40))), STATUS_INVALID_PARAMETER);
    assert.equal(status(say(create(0x31, 0))), STATUS_INVALID_PARAMETER);
    bus.d0 = false;
    assert.equal(status(say(create(0x31))), STATUS_INVALID_PARAMETER);
  });

  it('gives each interrupt an address of its own, and a block one with data from 0 on, aligned', () => {
    const { host, say } = booted();
    const given = [create(0x31), create(0x32), create(0x41, 4)].map(bytes => pci_create_int_response.decode(say(bytes)[0].bytes).int_desc);
    assert.deepEqual(given.map(({ vector_count, data }) => [vector_count, data]), [[1, 0], [1, 0], [4, 0]]);
    assert.equal(new Set(given.map(({ address }) => address)).size, 3);
    assert.deepEqual([...host.irt.entries.values()].map(({ index, data, vector, vps }) => [index, data, vector, vps]), [[1, 0, 0x31, [1]], [2, 0, 0x32, [1]], [4, 0, 0x41, [1]], [5, 1, 0x42, [1]], [6, 2, 0x43, [1]], [7, 3, 0x44, [1]]]);
    // deleted as a block
    say(pci_delete_interrupt.encode({ type: 0x42490015, wslot: WSLOT, int_desc: given[2] }));
    assert.deepEqual([...host.irt.entries.keys()], [1, 2]);
  });

  it('delivers what it has given, to the processor of the entry, and nothing else', () => {
    const { machine, host, say } = booted();
    const { address } = pci_create_int_response.decode(say(create(0x31))[0].bytes).int_desc;
    host.message(GUID, 0x11, 0, Number(address), 0);
    host.message(GUID, 0x11, 0, Number(address), 1);
    host.message(GUID, 0x10, 0, Number(address), 0);
    host.message(GUID, 0x11, 0, 0xfee01000, 0x4031);
    host.message(GUID, 0x11, 0, 0, 0);
    const kinds = machine.events.map(({ kind }) => kind).filter(kind => !['host entries', 'message'].includes(kind));
    assert.deepEqual(kinds, ['redirected', 'lost', 'unknown message', 'unknown message', 'unknown message', 'memory write']);
  });
});

describe('HVCALL_RETARGET_INTERRUPT', () => {
  const retarget = (change: Partial<RetargetInterrupt> = {}): RetargetInterrupt => ({
    partition_id: HV_PARTITION_ID_SELF, device_id: 0x44444401n, source: 1, address: 0xfee00030, data: 0, vector: 0x51, flags: 2, vp_mask: 0n, vp_set: { valid_bank_mask: 1n, bank_contents: [4n] }, ...change,
  });
  const call = (change: Partial<RetargetInterrupt> = {}, control = HVCALL_RETARGET_INTERRUPT | (2 << 17)): number => {
    const { host, say } = booted();
    say(create(0x31));
    return host.hypercall(control, encodeRetarget(retarget(change)));
  };

  it('has an input of 56 bytes, and of 8 more for the mask of banks and for each bank', () => {
    assert.deepEqual([encodeRetarget(retarget()).length, encodeRetarget(retarget({ flags: 0, vp_set: undefined })).length], [72, 56]);
    assert.deepEqual(decodeRetarget(2 << 17, encodeRetarget(retarget())), retarget());
  });

  it('moves an entry to another vector and processor', () => {
    const { host, say } = booted();
    say(create(0x31));
    assert.equal(host.hypercall(HVCALL_RETARGET_INTERRUPT | (2 << 17), encodeRetarget(retarget())), 0);
    assert.deepEqual([...host.irt.entries.values()].map(({ vector, vps, address, retargeted }) => [vector, vps, address, retargeted]), [[0x51, [2], 0xfee00030, true]]);
    assert.equal(host.hypercall(HVCALL_RETARGET_INTERRUPT, encodeRetarget(retarget({ flags: 0, vp_mask: 8n, vp_set: undefined }))), 0);
    assert.deepEqual(host.irt.entries.get(1)!.vps, [3]);
  });

  it('fails for what there is not: the code (2), an input cut off (3), a message, a device, a processor, a partition (5)', () => {
    assert.equal(call({}, 0x7f), 2);
    assert.equal(call({}, HVCALL_RETARGET_INTERRUPT | (1 << 17)), 3);
    assert.deepEqual([call({ data: 1 }), call({ device_id: 0x44444400n }), call({ vp_set: { valid_bank_mask: 1n, bank_contents: [16n] } }), call({ vp_set: { valid_bank_mask: 1n, bank_contents: [0n] } }), call({ partition_id: 7n })], [5, 5, 5, 5, 5]);
    // the upper half of a device id is what the guest's sign left there
    assert.equal(call({ device_id: 0xffffffff44444401n }), 0);
  });
});

describe('a machine with a Hyper-V host', () => {
  const problems = (change: object): string[] => validateMachineConfig({ ...CONFIG, ...change }).map(({ path, message }) => `${path}: ${message}`);
  it('is refused where it cannot be', () => {
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ hyperv: undefined }), [`machine.pci[0].behind: there is no virtual PCI bus ${GUID}`]);
    assert.deepEqual(problems({ hyperv: { protocol: 0x10003, buses: [...CONFIG.hyperv.buses, ...CONFIG.hyperv.buses] } }), [`machine.hyperv.buses[1].instance: ${GUID} is there twice; expected another one`]);
    assert.deepEqual(problems({ pci: [{ ...CONFIG.pci[0], address: '0000:01:02.1' }] }), ['machine.pci[0].address: 0000:01:02.1 is not on bus 00, the only one of a virtual PCI bus']);
    assert.deepEqual(problems({ pci: [{ ...CONFIG.pci[0], intxPin: 1 }] }), ['machine.pci[0].gsi: a function on a virtual PCI bus has no INTx line; expected none']);
  });
});
