// The life of an interrupt of a virtual function on Hyper-V, call by call: 3.1 to 3.5 of the facts about platforms, after v5.9's and v5.10's pci-hyperv.c.
import assert from 'node:assert/strict';
import * as hypercall from '../../src/hardware/hyperv-hypercall';
import * as vpci from '../../src/hardware/hyperv-vpci';
import { hyperv_irq_remap_ops } from '../../src/kernel/drivers/iommu/hyperv-iommu';
import { IRQ_REMAP_X2APIC_MODE } from '../../src/kernel/drivers/iommu/irq_remapping';
import { irq_alloc_info } from '../../src/kernel/arch/x86/hw_irq';
import { DOMAIN_BUS } from '../../src/kernel/include/irqdomain';
import { MSI_FLAG, type msi_domain_info, X86_IRQ_ALLOC_TYPE } from '../../src/kernel/include/msi';
import type { Op } from '../../src/stepper/op';
import type { Recording } from '../../src/recording/call-tree';
import { drain } from '../../src/scenario/drain';
import { play, type Played } from './play';
import { called, passed, recorded } from './recorded';

const [EINVAL, ENODEV] = [-22, -19];
const HEAD = `machine:
  cpus: 4
  hypervisor: { hyperv: { buses: [{ name: vpci0 }] } }
  devices:
    - { name: vf0, kind: custom, address: 00:02.0, behind: vpci0, msix: 2 }`;
const LIFE = [
  'probe: vpci0',
  'alloc: { device: vf0, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }',
  'request: { device: vf0 }',
  'affinity: { device: vf0, cpus: 1 }',
  'raise: vf0',
  'suspend: vpci0',
  'resume: vpci0',
  'free: { device: vf0 }',
  'freeVectors: vf0',
  'remove: vpci0',
];
const [PROBE, ALLOC, REQUEST, AFFINITY, RAISE, , RESUME, , FREE_VECTORS, REMOVE] = LIFE.keys();

describe('the life of an interrupt on Hyper-V', () => {
  const runs = new Map<string, Recording>();
  const each = (test: (run: Recording, kernel: string) => void): void => runs.forEach(test);
  before(async () => {
    for (const kernel of ['v5.9', 'v5.10']) runs.set(kernel, await recorded(HEAD, LIFE, kernel));
  });

  it('3.2: a bus is agreed upon, gets its domain, is asked for its functions, gets power, and is scanned', () => {
    const order = ['vmbus_open', 'hv_pci_protocol_negotiation', 'hv_pcie_init_irq_domain', 'pci_msi_create_irq_domain', 'hv_pci_query_relations', 'hv_pci_enter_d0', 'hv_send_resources_allocated', 'pci_create_root_bus', 'pci_host_bridge_msi_domain', 'pci_scan_child_bus', 'pci_bus_add_devices'];
    each(run => assert.deepEqual(called(run, PROBE, order), order));
  });

  it('3.2: the bus finds its domain by its fwnode, and the function its bus\'s', () => {
    each(run => assert.equal(passed(run, PROBE, 'irq_find_matching_fwnode', 'bus_token').at(-1), String(DOMAIN_BUS.PCI_MSI)));
  });

  it('3.4, 3.3: when it is allocated, VECTOR reserves, and the host is asked with that', () => {
    const order = ['pci_msi_prepare', 'msi_domain_alloc', 'x86_vector_alloc_irqs', 'x86_vector_activate', 'msi_domain_activate', 'hv_compose_msi_msg', 'get_pcichild_wslot', 'hv_int_desc_free', 'hv_compose_msi_req_v2', 'vmbus_sendpacket', 'hv_pcifront_get_vendor_id', 'hv_pci_onchannelcallback', 'hv_pci_compose_compl', 'put_pcichild', 'pci_msi_domain_write_msg'];
    each(run => assert.deepEqual(called(run, ALLOC, order).slice(0, order.length - 1), order.filter(name => name !== 'hv_int_desc_free')));
    each(run => assert.deepEqual(passed(run, ALLOC, 'hv_compose_msi_req_v2', 'vector'), ['239']));
  });

  it('3.4, 3.3: when it is requested, there is a vector: the first message is deleted, and a second one asked for', () => {
    const order = ['x86_vector_activate', 'hv_compose_msi_msg', 'hv_int_desc_free', 'hv_compose_msi_req_v2', 'hv_pci_compose_compl', 'pci_msi_domain_write_msg', 'hv_irq_unmask', 'hv_do_hypercall', 'pci_msi_unmask_irq'];
    each(run => assert.deepEqual(called(run, REQUEST, order), order));
  });

  it('3.3, step 4: one virtual processor is named, the first of where it goes; the hypercall counts', async () => {
    const p = await play(HEAD, LIFE.slice(0, 3), { kernel: 'v5.10' });
    const cpu = Number(p.place(24).split(':')[0]);
    assert.deepEqual(p.guest.world.machine.events.flatMap(e => (e.kind === 'host entries' && e.made ? [e.vps] : [])), [[0], [cpu]]);
    const [entry] = [...p.guest.world.machine.hyperv!.irt.entries.values()];
    assert.deepEqual([cpu !== 0, entry.vps, entry.retargeted], [true, [cpu], true]);
  });

  it('3.4, 11.4: a move waits for the next interrupt: mask, the parent\'s vector, unmask with a hypercall; no message is composed or written', () => {
    const order = ['handle_edge_irq', 'irq_chip_ack_parent', 'irq_move_masked_irq', 'hv_irq_mask', 'hv_set_affinity', 'apic_set_affinity', 'hv_irq_unmask', 'hv_do_hypercall', 'hv_compose_msi_msg', 'pci_msi_domain_write_msg'];
    each(run => assert.deepEqual(called(run, AFFINITY, order), []));
    each(run => assert.deepEqual(called(run, RAISE, order), ['handle_edge_irq', 'irq_chip_ack_parent', 'hv_irq_mask', 'irq_move_masked_irq', 'hv_set_affinity', 'apic_set_affinity', 'hv_irq_unmask', 'hv_do_hypercall']));
  });

  it('3.4: after hibernation the version that was in use is asked for, and each message is composed anew, but not written', () => {
    const order = ['vmbus_open', 'hv_pci_protocol_negotiation', 'hv_pci_query_relations', 'hv_pci_enter_d0', 'hv_send_resources_allocated', 'hv_pci_restore_msi_state', 'hv_pci_restore_msi_msg', 'hv_compose_msi_msg', 'pci_msi_domain_write_msg'];
    each(run => assert.deepEqual(called(run, RESUME, order), order.slice(0, -1)));
  });

  it('3.4: it is deleted when it is freed, without an answer', () => {
    each(run => assert.deepEqual(called(run, FREE_VECTORS, ['hv_msi_free', 'get_pcichild_wslot', 'hv_int_desc_free', 'vmbus_sendpacket', 'hv_pci_onchannelcallback']), ['hv_msi_free', 'get_pcichild_wslot', 'hv_int_desc_free', 'vmbus_sendpacket']));
  });

  it('the bus goes from the top: devices, what the host is told, the channel, the domain', () => {
    const order = ['pci_stop_root_bus', 'pci_remove_root_bus', 'hv_pci_bus_exit', 'hv_send_resources_released', 'vmbus_close', 'irq_domain_remove'];
    each(run => assert.deepEqual(called(run, REMOVE, order), order));
  });
});

describe('what the tables of Hyper-V say', () => {
  const kernelOf = (p: Played) => p.guest.world.kernel;

  it('3.1: the numbers of messages, of the hypercall and of its flags', () => {
    assert.deepEqual([vpci.PCI_BUS_RELATIONS, vpci.PCI_CREATE_INTERRUPT_MESSAGE, vpci.PCI_DELETE_INTERRUPT_MESSAGE, vpci.PCI_CREATE_INTERRUPT_MESSAGE2, vpci.PCI_CREATE_INTERRUPT_MESSAGE3].map(type => type - 0x42490000), [0, 0x14, 0x15, 0x17, 0x1b]);
    assert.deepEqual([hypercall.HVCALL_RETARGET_INTERRUPT, hypercall.HV_INTERRUPT_SOURCE_MSI, hypercall.HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET, hypercall.HV_HYPERCALL_VARHEAD_OFFSET], [0x7e, 1, 2, 17]);
  });

  it('3.2: the domain has several vectors of an MSI on offer, and edges', async () => {
    const p = await play(HEAD, ['probe: vpci0'], { kernel: 'v5.10' });
    const domain = kernelOf(p).irq_domain_list.find(({ name }) => name.startsWith('F8615163'))!;
    const { flags, handler, handler_name, chip } = domain.host_data as msi_domain_info;
    const named = Object.entries(MSI_FLAG).flatMap(([name, bit]) => (flags & bit ? [name] : []));
    assert.deepEqual(named.sort(), ['ACTIVATE_EARLY', 'MULTI_PCI_MSI', 'MUST_REACTIVATE', 'PCI_MSIX', 'USE_DEF_CHIP_OPS', 'USE_DEF_DOM_OPS']);
    assert.deepEqual([handler?.name, handler_name], ['handle_edge_irq', 'edge']);
    const { name, irq_mask, irq_unmask, irq_ack, irq_set_affinity, irq_compose_msi_msg, irq_write_msi_msg } = chip;
    assert.deepEqual([name, irq_mask, irq_unmask, irq_ack, irq_set_affinity, irq_compose_msi_msg, irq_write_msi_msg].map(f => (typeof f === 'function' ? f.name : f)),
      ['Hyper-V PCIe MSI', 'hv_irq_mask', 'hv_irq_unmask', 'irq_chip_ack_parent', 'hv_set_affinity', 'hv_compose_msi_msg', 'pci_msi_domain_write_msg']);
  });

  it('3.2: hv_msi_ops has get_hwirq and set_desc of its own before the series, and another msi_prepare with its last part', async () => {
    const ops = async (kernel: string): Promise<(string | undefined)[]> => {
      const { hv_msi_ops: { get_hwirq, set_desc, msi_prepare, msi_free } } = kernelOf(await play(HEAD, ['boot'], { kernel }));
      return [get_hwirq, set_desc, msi_prepare, msi_free].map(f => f?.name);
    };
    assert.deepEqual(await ops('v5.9'), ['hv_msi_domain_ops_get_hwirq', 'pci_msi_set_desc', 'pci_msi_prepare', 'hv_msi_free']);
    assert.deepEqual(await ops('v5.10'), [undefined, undefined, 'pci_msi_prepare', 'hv_msi_free']);
    assert.deepEqual(await ops('v5.10+device-msi'), [undefined, undefined, 'x86_msi_prepare', 'hv_msi_free']);
    const made = await play(HEAD, ['probe: vpci0'], { kernel: 'v5.10' });
    const { ops: filled } = kernelOf(made).irq_domain_list.find(({ name }) => name.startsWith('F8615163'))!.host_data as msi_domain_info;
    assert.deepEqual([filled.get_hwirq?.name, filled.set_desc?.name], ['msi_domain_ops_get_hwirq', 'pci_msi_domain_set_desc']);
  });

  it('3.2: without memory for the domain, "Failed to build an MSI IRQ domain" and -ENODEV', async () => {
    for (let nth = 1; nth <= 60; nth++) {
      const p = await play(HEAD, [`{ probe: vpci0, failNth: ${nth} }`], { kernel: 'v5.10' });
      if (p.stop.reason !== 'end') continue;
      const fault = p.guest.findings.faults.at(0);
      if (!fault) break;
      if (!fault.site.startsWith('__irq_domain_add')) continue;
      assert.deepEqual([p.results[0], p.log.some(line => line.endsWith('Failed to build an MSI IRQ domain'))], [ENODEV, true]);
      return;
    }
    assert.fail('never reached');
  });

  function results(p: Played, run: () => Op<unknown>): unknown {
    let value: unknown;
    drain(p.guest, 0, function* () {
      value = yield* run();
    });
    return value;
  }

  it('3.5: HYPERV-IR allocates single pins of IOAPICs alone, else -EINVAL, and is a parent for IOAPICs alone', async () => {
    const p = await play('machine: { cpus: 2, x2apic: true, hypervisor: { hyperv: {} } }', ['boot'], { kernel: 'v5.10' });
    const { ioapic_ir_domain: domain, remap_ops } = kernelOf(p);
    const asked = (type: number): irq_alloc_info => Object.assign(new irq_alloc_info(), { type });
    for (const [nr, info] of [[2, asked(X86_IRQ_ALLOC_TYPE.IOAPIC)], [1, asked(X86_IRQ_ALLOC_TYPE.PCI_MSI)], [1, asked(X86_IRQ_ALLOC_TYPE.HPET)], [1, null]] as const) {
      assert.equal(results(p, () => domain!.ops.alloc!(domain!, 100, nr, info)), EINVAL);
    }
    const getter = (type: number): unknown => results(p, () => remap_ops!.get_irq_domain!(asked(type)));
    assert.deepEqual([X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT, X86_IRQ_ALLOC_TYPE.HPET_GET_PARENT, X86_IRQ_ALLOC_TYPE.PCI_MSI].map(getter), [domain, null, null]);
    assert.equal(results(p, () => remap_ops!.enable()), IRQ_REMAP_X2APIC_MODE);
  });

  it('3.5: it is refused on bare metal, and without x2APIC: -ENODEV (hyperv_prepare_irq_remapping)', async () => {
    for (const machine of ['cpus: 2, x2apic: true', 'cpus: 2, hypervisor: { hyperv: {} }']) {
      const p = await play(`machine: { ${machine} }`, ['boot'], { kernel: 'v5.10' });
      assert.equal(results(p, function* () {
        return yield* hyperv_irq_remap_ops().prepare();
      }), ENODEV);
    }
  });
});
