// The life of an interrupt behind a VMD, call by call: 2.3 to 2.8 of the facts about platforms, after v5.9's and v5.10's vmd.c.
import assert from 'node:assert/strict';
import { irqd_is_activated } from '../../src/kernel/include/irq';
import type { msi_domain_info } from '../../src/kernel/include/msi';
import { MSI_FLAG } from '../../src/kernel/include/msi';
import type { vmd_irq_entry } from '../../src/kernel/drivers/pci/controller/vmd_types';
import { pci_free_irq_vectors } from '../../src/kernel/drivers/pci/msi_api';
import { srcu_read_lock } from '../../src/kernel/lib/srcu';
import { handle_untracked_irq } from '../../src/kernel/irq/chip';
import type { Recording } from '../../src/recording/call-tree';
import { drain } from '../../src/scenario/drain';
import { chainOf } from '../../src/scenario/invariants/owners';
import { cpumask } from '../../src/kernel/lib/cpumask';
import type { PciDev } from '../../src/kernel/include/pci';
import { play, type Played } from './play';
import { called, passed, recorded } from './recorded';

const [EINVAL, ENOSPC] = [-22, -28];
const HEAD = `machine:
  cpus: 2
  devices:
    - { name: vmd0, kind: vmd, address: 00:0e.0, msix: 3 }
    - { name: vmd1, kind: vmd, address: 00:0f.0, msix: 2 }
    - { name: ssd0, kind: custom, address: 00:02.0, behind: vmd0, class: 0x010802, msix: 8 }
    - { name: eth0, kind: nic, address: 00:03.0 }`;
const alloc = (min: number, max = min): string => `alloc: { device: ssd0, min: ${min}, max: ${max}, flags: [PCI_IRQ_MSIX] }`;
const LIFE = ['probe: vmd0', alloc(1), 'request: { device: ssd0 }', 'raise: { device: ssd0 }', 'free: { device: ssd0 }', 'freeVectors: ssd0', 'suspend: vmd0', 'resume: vmd0', 'remove: vmd0'];

const kernelOf = (p: Played) => p.guest.world.kernel;
const dev = (p: Played, name: string): PciDev => kernelOf(p).pci_devices.find(d => d.hw.config.name === name)!;
const domains = (p: Played) => kernelOf(p).irq_domain_list.filter(({ name }) => name.startsWith('VMD-MSI'));
const child = (p: Played) => p.desc(dev(p, 'ssd0').msi_list[0].irq);

describe('the life of an interrupt behind a VMD', () => {
  let newer: Recording;
  let older: Recording;
  before(async () => {
    newer = await recorded(HEAD, LIFE, 'v5.10');
    older = await recorded(HEAD, LIFE, 'v5.9');
  });

  it('2.3: vectors of the VMD, then its domain, then the token, then the bus and what is on it', () => {
    const order = ['pci_msix_vec_count', 'devm_request_irq', 'vmd_find_free_domain', 'vmd_create_irq_domain', 'irq_domain_update_bus_token', 'pci_create_root_bus', 'pci_scan_child_bus', 'pci_bus_add_devices'];
    const requests = ['devm_request_irq', 'devm_request_irq', 'devm_request_irq'];
    const names = called(newer, 0, order).slice(-10);
    assert.deepEqual(names, [...requests, 'vmd_find_free_domain', 'vmd_create_irq_domain', 'irq_domain_update_bus_token', 'irq_domain_update_bus_token', 'pci_create_root_bus', 'pci_scan_child_bus', 'pci_bus_add_devices']);
    // once by pci_msi_create_irq_domain(), and once more by v2-24
    assert.deepEqual([passed(newer, 0, 'irq_domain_update_bus_token', 'bus_token'), passed(older, 0, 'irq_domain_update_bus_token', 'bus_token')].map(tokens => tokens.length), [2, 1]);
  });

  it('2.5: the capability is checked, then the number (vmd_msi_prepare); for each message a descriptor, hwirq 0, then vmd_msi_init', () => {
    const order = ['pci_msi_domain_check_cap', 'vmd_msi_prepare', 'vmd_set_desc', 'msi_domain_alloc', 'vmd_get_hwirq', 'irq_domain_alloc_irqs_parent', 'vmd_msi_init', 'vmd_next_irq', 'irq_domain_set_info'];
    assert.deepEqual(called(newer, 1, order), order.filter(name => name !== 'irq_domain_alloc_irqs_parent'));
    assert.deepEqual(called(older, 1, order).slice(0, order.length), order, 'v5.9 asks VECTOR first');
  });

  it('2.5: the message is written when it is allocated, and again when it is requested; then it is enabled', () => {
    const order = ['msi_domain_activate', 'vmd_compose_msi_msg', 'pci_msi_domain_write_msg', 'vmd_irq_enable', 'pci_msi_unmask_irq'];
    assert.deepEqual([called(newer, 1, order), called(newer, 2, order)], [order.slice(0, 3), order]);
  });

  it("2.6: the VMD's interrupt is acknowledged by its parents, then its handler calls handle_untracked_irq; the one behind is not acknowledged", () => {
    const order = ['handle_edge_irq', 'irq_chip_ack_parent', 'apic_ack_edge', 'vmd_irq', 'generic_handle_irq', 'handle_untracked_irq', '__handle_irq_event_percpu', 'note_interrupt'];
    assert.deepEqual(called(newer, 3, order), ['handle_edge_irq', 'irq_chip_ack_parent', 'apic_ack_edge', '__handle_irq_event_percpu', 'vmd_irq', 'generic_handle_irq', 'handle_untracked_irq', '__handle_irq_event_percpu', 'note_interrupt']);
  });

  it('2.8: it is masked, then off its list (vmd_irq_disable), then its message is zero', () => {
    assert.deepEqual(called(newer, 4, ['vmd_irq_disable', 'pci_msi_mask_irq', 'msi_domain_deactivate', 'irq_chip_write_msi_msg']), ['vmd_irq_disable', 'pci_msi_mask_irq', 'msi_domain_deactivate', 'irq_chip_write_msi_msg']);
    assert.deepEqual(passed(newer, 4, 'irq_chip_write_msi_msg', 'msg'), ['0x0/0x0']);
    assert.deepEqual(called(newer, 5, ['msi_domain_free', 'vmd_msi_free']), ['msi_domain_free', 'vmd_msi_free']);
  });

  it('2.3: vmd_msi_free waits while the list is read (synchronize_srcu)', async () => {
    const p = await play(HEAD, LIFE.slice(0, 2), { kernel: 'v5.10' });
    const { irq } = child(p).irq_data.chip_data as vmd_irq_entry;
    srcu_read_lock(irq.srcu);
    assert.throws(() => drain(p.guest, 0, () => pci_free_irq_vectors(dev(p, 'ssd0'))), /srcu/);
    assert.equal(irq.count, 1);
  });

  it('2.7: asleep all vectors of the VMD are freed (devm_free_irq), awake requested; v5.9 saves and restores by hand', () => {
    const order = ['vmd_suspend', 'devm_free_irq', 'pci_save_state', 'pci_pm_suspend_noirq', 'pci_restore_state', 'pci_restore_msi_state', 'vmd_resume', 'devm_request_irq'];
    const freed = ['devm_free_irq', 'devm_free_irq', 'devm_free_irq'];
    const requested = ['devm_request_irq', 'devm_request_irq', 'devm_request_irq'];
    assert.deepEqual([called(newer, 6, order), called(newer, 7, order)], [['vmd_suspend', ...freed, 'pci_pm_suspend_noirq', 'pci_save_state'], ['pci_restore_state', 'pci_restore_msi_state', 'vmd_resume', ...requested]]);
    assert.deepEqual([called(older, 6, order), called(older, 7, order)], [['vmd_suspend', ...freed, 'pci_save_state', 'pci_pm_suspend_noirq'], ['pci_restore_state', 'pci_restore_msi_state', 'vmd_resume', ...requested, 'pci_restore_state']]);
  });

  it('2.8: vmd_remove stops and removes the bus, then the domain; the VMD\'s own interrupts go behind it', () => {
    assert.deepEqual(called(newer, 8, ['vmd_remove', 'pci_stop_root_bus', 'pci_remove_root_bus', 'irq_domain_remove', 'devm_irq_release', 'pci_disable_msix']), [
      'vmd_remove', 'pci_stop_root_bus', 'pci_remove_root_bus', 'irq_domain_remove', 'devm_irq_release', 'devm_irq_release', 'devm_irq_release', 'pci_disable_msix',
    ]);
  });
});

describe('what the tables of a VMD say (2.3, 2.4)', () => {
  it('the flags of the domain: no MULTI_PCI_MSI, and activated early', async () => {
    const p = await play(HEAD, ['probe: vmd0'], { kernel: 'v5.10' });
    const { flags } = domains(p)[0].host_data as msi_domain_info;
    const named = Object.entries(MSI_FLAG).flatMap(([name, bit]) => (flags & bit ? [name] : []));
    assert.deepEqual(named.sort(), ['ACTIVATE_EARLY', 'MUST_REACTIVATE', 'PCI_MSIX', 'USE_DEF_CHIP_OPS', 'USE_DEF_DOM_OPS']);
  });

  it('info, operations and chip are those of all VMDs', async () => {
    const p = await play(HEAD, ['probe: vmd0', 'probe: vmd1'], { kernel: 'v5.10' });
    const [first, second] = domains(p);
    assert.equal(first.host_data, second.host_data);
    assert.equal((first.host_data as msi_domain_info).chip, kernelOf(p).vmd_msi_controller);
  });

  it('the chip VMD-MSI: mask, unmask and write_msg are those of PCI, there is no ack, and its irq_set_affinity says -EINVAL', async () => {
    const p = await play(HEAD, LIFE.slice(0, 3), { kernel: 'v5.10' });
    const { vmd_msi_controller: chip, nr_cpu_ids } = kernelOf(p);
    assert.deepEqual([chip.name, chip.irq_mask?.name, chip.irq_unmask?.name, chip.irq_write_msi_msg?.name, chip.irq_ack], ['VMD-MSI', 'pci_msi_mask_irq', 'pci_msi_unmask_irq', 'pci_msi_domain_write_msg', undefined]);
    const results: number[] = [];
    drain(p.guest, 0, function* () {
      results.push(yield* chip.irq_set_affinity!(child(p).irq_data, cpumask.of(nr_cpu_ids, 1), false));
    });
    assert.deepEqual(results, [EINVAL]);
  });

  it('an interrupt behind: handle_untracked_irq without a name, its data the VMD, and one level; two in v5.9 (11.1)', async () => {
    for (const [kernel, chain] of [['v5.10', ['VMD-MSI']], ['v5.9', ['VMD-MSI', 'APIC']]] as const) {
      const p = await play(HEAD, LIFE.slice(0, 2), { kernel });
      const desc = child(p);
      assert.deepEqual([desc.handle_irq, desc.name, desc.irq_data.common.handler_data], [handle_untracked_irq, null, dev(p, 'vmd0').drvdata]);
      assert.deepEqual(chainOf(desc).map(({ chip }) => chip.name), chain);
    }
  });

  // token VMD_MSI counts as PCI_MSI does: msi_check_reservation_mode()
  it('it is reserved when it is allocated, and activated for good when it is requested', async () => {
    for (const kernel of ['v5.9', 'v5.10']) {
      const active = async (steps: number): Promise<boolean> => irqd_is_activated(child(await play(HEAD, LIFE.slice(0, steps), { kernel })).irq_data);
      assert.deepEqual([await active(2), await active(3)], [false, true], kernel);
    }
    const reserved = async (kernel: string): Promise<number> => {
      const [without, with_] = [await play(HEAD, LIFE.slice(0, 1), { kernel }), await play(HEAD, LIFE.slice(0, 2), { kernel })];
      return kernelOf(with_).vector_matrix.global_reserved - kernelOf(without).vector_matrix.global_reserved;
    };
    assert.deepEqual([await reserved('v5.9'), await reserved('v5.10')], [1, 0]);
  });

  it('several on one vector have its irq as their hwirq: the later ones are not in the domain\'s map, and nothing says -EEXIST', async () => {
    const p = await play(HEAD, ['probe: vmd0', alloc(3)], { kernel: 'v5.10' });
    const hwirqs = dev(p, 'ssd0').msi_list.map(({ irq }) => p.desc(irq).irq_data.hwirq);
    const [, own1, own2] = dev(p, 'vmd0').msi_list.map(({ irq }) => irq);
    assert.deepEqual([p.results, hwirqs], [[0, 3], [own1, own2, own1]]);
  });

  // 0.4: any virq that cannot be had is -ENOSPC
  it('without memory for a vmd_irq the interrupt cannot be had: -ENOMEM (vmd_msi_init), which the MSI code makes -ENOSPC of', async () => {
    for (let nth = 1; nth <= 60; nth++) {
      const p = await play(HEAD, ['probe: vmd0', `{ ${alloc(1)}, failNth: ${nth} }`], { kernel: 'v5.10' });
      const fault = p.guest.findings.faults.at(0);
      if (!fault) break;
      if (!fault.site.startsWith('vmd_msi_init')) continue;
      assert.equal(p.results[1], ENOSPC);
      return;
    }
    assert.fail('never reached');
  });

  it('vmd_msi_prepare returns how many there are where more are wanted: a positive number (11.3)', async () => {
    const run = await recorded(HEAD, ['probe: vmd0', alloc(1, 8)], 'v5.10');
    assert.deepEqual(passed(run, 1, 'vmd_msi_prepare', 'nvec'), ['8', '3']);
    assert.equal(run.guest.results[1].value, 3);
  });

  it("the VMD's own interrupts have no thread, also with threadirqs (IRQF_NO_THREAD), and move as others do", async () => {
    const p = await play(`cmdline: threadirqs\n${HEAD}`, ['probe: vmd0', 'probe: eth0', 'affinity: { device: vmd0, vector: 0, cpus: 1 }', 'raise: { device: vmd0, entry: 0 }', 'raise: { device: vmd0, entry: 0 }'], { kernel: 'v5.10' });
    const [own] = dev(p, 'vmd0').msi_list;
    assert.deepEqual([p.desc(own.irq).action!.name, p.desc(own.irq).action!.thread, p.place(own.irq).split(':')[0]], ['vmd', null, '1']);
    assert.notEqual(p.desc(dev(p, 'eth0').msi_list[0].irq).action!.thread, null);
  });

  // 2.7, before the series
  it('in v5.9 the vector that one behind has for nothing stays on a CPU that goes: the top chip says -EINVAL', async () => {
    const p = await play(HEAD, [...LIFE.slice(0, 3)], { kernel: 'v5.9' });
    const [cpu] = p.place(child(p).irq_data.irq).split(':').map(Number);
    assert.equal(cpu, 1);
    const gone = await play(HEAD, [...LIFE.slice(0, 3), 'offline: 1'], { kernel: 'v5.9' });
    assert.ok(gone.log.includes(`IRQ${child(gone).irq_data.irq}: set affinity failed(-22).`));
  });
});
