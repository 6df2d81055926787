// A Hyper-V host that takes things back, says no, or is not asked: each text and errno of v5.10's pci-hyperv.c and channel.c for it by name.
import assert from 'node:assert/strict';
import type { HardwareEvent } from '../../src/hardware/events';
import type { hv_pcibus_device } from '../../src/kernel/drivers/pci/controller/pci-hyperv_types';
import { pci_irq_vector } from '../../src/kernel/drivers/pci/msi_api';
import type { hv_device } from '../../src/kernel/include/hyperv';
import type { PciDev } from '../../src/kernel/include/pci';
import { request_irq } from '../../src/kernel/irq/manage';
import type { Op } from '../../src/stepper/op';
import { drain } from '../../src/scenario/drain';
import { loadScenario } from '../../src/scenario/load';
import { play, playFile, type Played } from './play';
import { called, recorded } from './recorded';

const [ENODEV, EPROTO, ETIMEDOUT] = [-19, -71, -110];
const v5_10 = { kernel: 'v5.10' };
const GUID = 'f8615163-0001-1000-2000-6045bd2e0a8f';
const PREFIX = `hv_pci ${GUID}: `;
const head = (hyperv = ''): string => `machine:
  cpus: 4
  hypervisor: { hyperv: { ${hyperv}buses: [{ name: vpci0, instance: ${GUID} }] } }
  devices:
    - { name: vf0, kind: custom, address: 00:02.0, behind: vpci0, msix: 4 }`;
const ALLOC = ['probe: vpci0', 'alloc: { device: vf0, min: 2, max: 2, flags: [PCI_IRQ_MSIX] }'];

const kernelOf = (p: Played) => p.guest.world.kernel;
const dev = (p: Played): PciDev => kernelOf(p).pci_devices.find(d => d.hw.config.name === 'vf0')!;
const busOf = (p: Played): hv_device => kernelOf(p).vmbus_devices[0];
const hbusOf = (p: Played): hv_pcibus_device => busOf(p).drvdata as hv_pcibus_device;
const messageOf = (p: Played, entry: number): number[] => Object.values(dev(p).hw.msix!.message(entry));
const said = (p: Played, text: string): string[] => p.log.filter(line => line.includes(text));
const ended = (p: Played): void => assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));
const events = <K extends HardwareEvent['kind']>(p: Played, kind: K): Extract<HardwareEvent, { kind: K }>[] => p.guest.world.machine.events.filter((e): e is Extract<HardwareEvent, { kind: K }> => e.kind === kind);

/** Requests vector 0 of the device behind the scenario's end, where it can meet what no step makes. @returns what the kernel said */
function requested(p: Played): { readonly result: number; readonly log: readonly string[] } {
  const before = kernelOf(p).log.length;
  let result = NaN;
  drain(p.guest, 0, function* (): Op {
    result = yield* request_irq(yield* pci_irq_vector(dev(p), 0), function* () { return 1; }, 0, 'late', dev(p));
  });
  return { result, log: kernelOf(p).log.slice(before).map(({ text }) => text) };
}
const ZERO = [0, 0, 0];

describe('hv_compose_msi_msg() without an answer: a message of zeros, and nobody is told (3.3)', () => {
  // step 1
  it('where the host\'s last list has no such function: without a word', async () => {
    const p = await play(head(), [...ALLOC, 'eject: { device: vf0, unlisted: true }', 'request: { device: vf0, vector: 1 }'], v5_10);
    ended(p);
    assert.deepEqual([p.results, messageOf(p, 1)], [[0, 2, 0, 0], ZERO]);
    // only the hypercall is heard of
    assert.deepEqual(said(p, GUID).slice(-1), [`${PREFIX}hv_irq_unmask() failed: 0x5`]);
  });

  // step 5
  it('where the packet cannot be sent: "Sending request for interrupt failed", from a channel that is rescinded (-ENODEV of vmbus_sendpacket)', async () => {
    const p = await play(head(), ALLOC, v5_10);
    assert.notDeepEqual(messageOf(p, 0), ZERO);
    busOf(p).channel.rescind = true;
    const { result, log } = requested(p);
    assert.deepEqual([result, messageOf(p, 0)], [0, ZERO]);
    assert.ok(log.includes(`${PREFIX}Sending request for interrupt failed: 0x0`));
  });

  // step 6
  it('where the channel has no callback any more: without a word (vmbus_reset_channel_cb)', async () => {
    const p = await play(head(), ALLOC, v5_10);
    busOf(p).channel.onchannel_callback = null;
    const { result, log } = requested(p);
    assert.deepEqual([result, messageOf(p, 0), log.filter(line => line.includes('interrupt'))], [0, ZERO, []]);
  });

  // behind the switch: v5.10 agrees to no such version, so that no host can bring it there
  it('where the version is not known: "Unexpected vPCI protocol, update driver."', async () => {
    for (const version of [0, 0x10000, 0x10004, 0x20001]) {
      const p = await play(head(), ALLOC, v5_10);
      hbusOf(p).protocol_version = version;
      const { result, log } = requested(p);
      assert.deepEqual([result, messageOf(p, 0)], [0, ZERO], version.toString(16));
      assert.ok(log.includes(`${PREFIX}Unexpected vPCI protocol, update driver.`));
    }
  });

  // step 7
  it('where the host refuses: "Request for interrupt failed" with its status', async () => {
    const p = await play(head(), ['probe: vpci0', 'refuse: { device: vf0, at: create }', ALLOC[1]], v5_10);
    assert.deepEqual([messageOf(p, 0), said(p, 'Request')], [ZERO, [`${PREFIX}Request for interrupt failed: 0xc000009a`]]);
    assert.notDeepEqual(messageOf(p, 1), ZERO, 'once');
  });
});

describe('versions of the protocol', () => {
  it('v5.10 agrees to 1.3 with a host that speaks 1.4; with hv-create-interrupt-v3 to 1.4, and asks by PCI_CREATE_INTERRUPT_MESSAGE3', async () => {
    for (const [kernel, version, asked] of [['v5.10', '0x10003', 'hv_compose_msi_req_v2'], ['v5.10+hv-create-interrupt-v3', '0x10004', 'hv_compose_msi_req_v3']] as const) {
      const steps = [...ALLOC, 'request: { device: vf0 }', 'affinity: { device: vf0, cpus: 3 }', 'raise: vf0', 'raise: vf0'];
      const p = await play(head('protocol: 1.4, '), steps, { kernel });
      ended(p);
      assert.deepEqual(said(p, 'Using version'), [`${PREFIX}PCI VMBus probing: Using version ${version}`]);
      assert.deepEqual([p.desc(24).tot_count, p.place(24).split(':')[0]], [2, '3']);
      assert.deepEqual(called(await recorded(head('protocol: 1.4, '), steps, kernel), 2, ['hv_compose_msi_req_v1', 'hv_compose_msi_req_v2', 'hv_compose_msi_req_v3']), [asked]);
    }
  });

  it('with hv-create-interrupt-v3 an older host has its own version', async () => {
    assert.deepEqual(said(await play(head('protocol: 1.2, '), ['probe: vpci0'], { kernel: 'v5.10+hv-create-interrupt-v3' }), 'Using version'), [`${PREFIX}PCI VMBus probing: Using version 0x10002`]);
  });
});

describe('a host that gives a bus no power', () => {
  const refuse = 'refuse: { device: vpci0, at: d0 }';

  it('is asked once more, when the bus was given back: "Retrying D0 Entry"', async () => {
    const p = await play(head(), [refuse, ...ALLOC, 'request: { device: vf0 }', 'raise: vf0'], v5_10);
    ended(p);
    assert.deepEqual([p.results, p.desc(24).tot_count], [[0, 0, 2, 0, 0], 1]);
    assert.deepEqual(said(p, 'D0'), [`${PREFIX}PCI Pass-through VSP failed D0 Entry with status c0000184`, `${PREFIX}Retrying D0 Entry`]);
    const order = ['hv_pci_query_relations', 'hv_pci_enter_d0', 'hv_pci_bus_exit', 'hv_send_resources_released', 'hv_send_resources_allocated'];
    assert.deepEqual(called(await recorded(head(), [refuse, 'probe: vpci0'], 'v5.9'), 1, order), [...order.slice(0, 4), ...order.slice(0, 2), order[4]]);
  });

  it('is not asked a third time: -EPROTO, and nothing is left', async () => {
    const p = await play(head(), [refuse, refuse, 'probe: vpci0', 'probe: vpci0'], v5_10);
    ended(p);
    assert.deepEqual(p.results, [0, 0, EPROTO, 0]);
    assert.equal(said(p, 'Retrying').length, 1);
  });
});

describe('a host that takes a bus back (vmbus_onoffer_rescind)', () => {
  it('hears nothing more: no message is deleted, and no power given back', async () => {
    const run = await recorded(head(), [...ALLOC, 'request: { device: vf0 }', 'eject: vpci0'], 'v5.10');
    const order = ['vmbus_isr', 'vmbus_on_msg_dpc', 'vmbus_onoffer_rescind', 'vmbus_reset_channel_cb', 'vmbus_rescind_cleanup', 'hv_pci_remove', 'pci_stop_root_bus', 'pci_remove_root_bus', 'hv_pci_bus_exit', 'hv_send_resources_released', 'vmbus_close', 'irq_domain_remove', 'hv_process_channel_removal'];
    assert.deepEqual(called(run, 3, order), ['vmbus_isr', 'vmbus_on_msg_dpc', 'vmbus_onoffer_rescind', 'vmbus_reset_channel_cb', 'vmbus_rescind_cleanup', 'hv_pci_remove', 'pci_stop_root_bus', 'pci_remove_root_bus', 'hv_pci_bus_exit', 'vmbus_close', 'vmbus_reset_channel_cb', 'irq_domain_remove', 'hv_process_channel_removal']);
  });

  it('has it back with all that is on it, whatever the kernel does then', async () => {
    for (const probe of [[], ['probe: vpci0']]) {
      const p = await play(head(), [...probe, 'eject: vpci0', 'probe: vpci0', 'remove: vpci0', 'suspend: vpci0', 'eject: vpci0', 'eject: vf0', 'raise: vf0'], v5_10);
      ended(p);
      assert.deepEqual(p.results.slice(probe.length), [0, ...new Array<number>(6).fill(ENODEV)]);
      assert.deepEqual([kernelOf(p).vmbus_devices, kernelOf(p).pci_buses.length, [...kernelOf(p).hvpci_dom_map], [...p.guest.world.machine.hyperv!.irt.entries]], [[], 0, [0], []]);
    }
  });

  it('leaves other buses alone', async () => {
    const two = head().replace(' }] }', ' }, { name: vpci1 }] }').replace('behind: vpci0', 'behind: vpci1');
    const p = await play(two, ['probe: vpci0', 'probe: vpci1', 'alloc: { device: vf0, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'request: { device: vf0 }', 'eject: vpci0', 'raise: vf0'], v5_10);
    ended(p);
    assert.deepEqual([p.desc(24).tot_count, kernelOf(p).vmbus_devices.length], [1, 1]);
  });

  it('does so while the bus is probed: "The device is gone.", -ENODEV (wait_for_response)', async () => {
    const p = await play(head(), ['eject: { device: vpci0, at: d0 }', 'probe: vpci0'], v5_10);
    ended(p);
    assert.deepEqual(p.results, [0, ENODEV]);
    assert.deepEqual(said(p, 'gone'), [`${PREFIX}The device is gone.`]);
    assert.ok(p.log.includes(`hv_vmbus: probe failed for device ${GUID} (-19)`));
    assert.deepEqual([kernelOf(p).vmbus_devices, kernelOf(p).irq_domain_list.filter(({ name }) => name.startsWith('F86'))], [[], []]);
  });

  // hv_pci_bus_exit() waits for 10 seconds for the answer to PCI_BUS_D0EXIT
  it('is not waited for for ever when the bus gives its power back: -ETIMEDOUT (hv_pci_bus_exit)', async () => {
    const p = await play(head(), ['probe: vpci0', 'eject: { device: vpci0, at: d0exit }', 'suspend: vpci0'], v5_10);
    assert.deepEqual(p.results, [0, 0, ETIMEDOUT]);
    const q = await play(head(), [...ALLOC, 'request: { device: vf0 }', 'eject: { device: vpci0, at: d0exit }', 'remove: vpci0', 'probe: vpci0'], v5_10);
    ended(q);
    assert.deepEqual([q.results.slice(3), kernelOf(q).vmbus_devices], [[0, 0, ENODEV], []]);
  });
});

describe('a channel that is closed', () => {
  it('has no ring: hv_ringbuffer_write() reads a NULL pointer', async () => {
    for (const step of ['request: { device: vf0 }', 'freeVectors: vf0']) {
      const p = await play(head(), [...ALLOC, 'suspend: vpci0', step], v5_10);
      assert.match(String(p.stop.error), /NULL pointer dereference, address: 0000000000000004/, step);
    }
  });
});

// H5
describe('a message store on a virtual PCI bus', () => {
  it('has a domain beside that of the bus: the APIC chip composes, the host has no entry for that, and the interrupt is lost', async () => {
    const p = await playFile('examples/hyperv/message-store.irq.yaml');
    ended(p);
    assert.deepEqual(p.results, [0, 0, 0, 0, 0]);
    const names = kernelOf(p).irq_domain_list.filter(({ parent }) => parent === kernelOf(p).x86_vector_domain).map(({ name }) => name);
    assert.ok(names.includes('0001:00:02.0-11') && names.includes('F8615163-0001-1000-2000-6045BD2E0A8F-3'), names.join());
    const [lost] = events(p, 'unknown message');
    assert.deepEqual([lost.requesterId, lost.addressLo >>> 20, lost.data], [0x10, 0xfee, 0x4000 | Number(p.place(24).split(':')[1])]);
    assert.deepEqual([p.desc(24).tot_count, events(p, 'redirected'), events(p, 'sent on the host')], [0, [], []]);
  });

  it('is refused by the re-post, which takes the CPUs\' hypervisor bit for that of a guest: -ENODEV (arch_support_pci_device_ims)', async () => {
    assert.deepEqual((await playFile('examples/hyperv/message-store.irq.yaml', undefined, 'v5.10+ims-repost')).results, [0, ...new Array<number>(4).fill(ENODEV)]);
  });
});

describe('eject and refuse in a scenario', () => {
  const problems = (step: string): string[] => {
    const loaded = loadScenario('x.irq.yaml', `${head()}\nsteps:\n  - ${step}\n`);
    return loaded.ok ? [] : loaded.diagnostics.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  };

  it('are of a bus, or of a device, and each has its own', () => {
    for (const step of ['eject: vpci0', 'eject: { device: vpci0, at: d0 }', 'refuse: { device: vpci0, at: d0 }', 'eject: { device: vf0, unlisted: true }']) assert.deepEqual(problems(step), [], step);
    assert.deepEqual([problems('eject: vpci9'), problems('raise: vpci9')], [['7:12: unknown device vpci9; did you mean vpci0?'], ['7:12: unknown device vpci9; expected vf0']]);
    assert.deepEqual(problems('eject: { device: vpci0, at: create }'), ['7:33: a bus has no messages; expected now, d0 or d0exit']);
    assert.deepEqual(problems('eject: { device: vf0, at: d0 }'), ["7:31: power is a bus's; expected now or create"]);
    assert.deepEqual(problems('eject: { device: vpci0, forced: true }'), ['7:29: the host takes a bus back in one way only; expected neither forced nor unlisted']);
    assert.deepEqual(problems('eject: { device: vf0, at: create, unlisted: true }'), ['7:39: the list is sent at once, and says that the device is gone; expected no at beside it']);
    assert.deepEqual(problems('refuse: { device: vpci0, at: create }'), ['7:34: a bus has no messages; expected at: d0']);
    assert.deepEqual(problems('refuse: { device: vf0, at: d0 }'), ["7:32: power is a bus's; expected create or retarget"]);
  });
});
