// The life of one interrupt of a message store, call by call (facts 6.4, 5.3, 0.4), and who composes its message (11.2).
import assert from 'node:assert/strict';
import { brief } from '../../src/recording/brief';
import { type Call, recordCalls, type Recording } from '../../src/recording/call-tree';
import { ENOSPC } from '../../src/kernel/lib/errno';
import { loadScenario } from '../../src/scenario/load';
import { readTextFile } from '../../src/text/files';

const REPOST = 'v5.10+ims-repost';
const V2 = 'v5.10+device-msi';

const LIFE = [
  'probe: accel',
  'msiAlloc: { device: mdev0, vectors: 2 }',
  'auxdata: { device: mdev0, pasid: 5 }',
  'request: { device: mdev0, name: wq }',
  'raise: mdev0',
  'affinity: { device: mdev0, cpus: 1 }',
  'free: { device: mdev0 }',
  'msiFree: mdev0',
];

async function recorded(remap: string, kernel = REPOST, steps: readonly string[] = LIFE, more = ''): Promise<Recording> {
  const machine = `machine: { cpus: 4, remap: ${remap}, devices: [{ name: accel, kind: ims, address: 00:05.0, ims: { slots: 4, subdevices: [mdev0, mdev1]${more} } }, { name: nic, kind: nic, address: 00:03.0 }] }`;
  const loaded = loadScenario('x.irq.yaml', `${machine}\nsteps:\n${steps.map(step => `  - ${step}\n`).join('')}`, { kernel });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return recordCalls(loaded.make, brief);
}

/** All calls of a step, outermost first. */
function calls(call: Call): Call[] {
  return call.items.flatMap(item => ('call' in item ? [item.call, ...calls(item.call)] : []));
}

const called = ({ steps }: Recording, step: number, names: RegExp): string[] => calls(steps[step].call).flatMap(({ name }) => (names.test(name) ? [name] : []));
const argument = ({ steps }: Recording, step: number, fn: string, arg: string): unknown => calls(steps[step].call).find(({ name }) => name === fn)?.args.find(({ name }) => name === arg)?.value;

describe('the life of an IMS interrupt below Intel remapping', function () {
  this.timeout(20_000);
  let run: Recording;
  before(async () => (run = await recorded('intel')));

  it('1: the domain is made by pci_ims_array_create_msi_irq_domain(), on the parent of the device\'s own', () => {
    const order = /^(pci_ims_array_create|pci_subdevice_msi_create|device_msi_create|platform_msi_update_chip_ops|device_msi_update_dom_ops|msi_domain_set_default|msi_create)/;
    assert.deepEqual(called(run, 0, order), [
      'pci_ims_array_create_msi_irq_domain', 'pci_subdevice_msi_create_irq_domain', 'device_msi_create_irq_domain', 'platform_msi_update_chip_ops', 'device_msi_update_dom_ops',
      'msi_domain_set_default_info_flags', 'msi_create_irq_domain',
    ]);
    assert.equal(argument(run, 0, 'msi_create_irq_domain', 'parent'), 'INTEL-IR-0');
  });

  it('3 to 6: descriptors, then the kind of allocation, then slots, then an interrupt for each', () => {
    const order = /^(device_msi_alloc_irqs|alloc_msi_entry|x86_msi_prepare|dev_msi_prepare|pci_msi_prepare|ims_array_alloc_msi_store|ims_array_reset_slot|ims_set_desc|__irq_domain_alloc_irqs)$/;
    assert.deepEqual(called(run, 1, order), [
      'device_msi_alloc_irqs', 'alloc_msi_entry', 'alloc_msi_entry', 'x86_msi_prepare', 'dev_msi_prepare', 'ims_array_alloc_msi_store', 'ims_array_reset_slot', 'ims_array_reset_slot',
      'ims_set_desc', '__irq_domain_alloc_irqs', 'ims_set_desc', '__irq_domain_alloc_irqs',
    ]);
    assert.equal(argument(run, 1, 'ims_set_desc', 'arg'), 'DEV_MSI hwirq 0x0');
  });

  it('6: from the outermost domain inwards, and then hwirq and chip from VECTOR outwards', () => {
    assert.deepEqual(called(run, 1, /^(msi_domain_alloc|intel_irq_remapping_alloc|x86_vector_alloc_irqs|alloc_irte|msi_domain_ops_init)$/).slice(0, 5), [
      'msi_domain_alloc', 'intel_irq_remapping_alloc', 'x86_vector_alloc_irqs', 'alloc_irte', 'msi_domain_ops_init',
    ]);
  });

  it('7: a vector, then the entry, then the slot; no reservation', () => {
    assert.deepEqual(called(run, 1, /^(x86_vector_activate|intel_irq_remapping_activate|msi_domain_activate|intel_ir_compose_msi_msg|x86_vector_msi_compose_msg|ims_array_write_msi_msg)$/).slice(0, 5), [
      'x86_vector_activate', 'intel_irq_remapping_activate', 'msi_domain_activate', 'intel_ir_compose_msi_msg', 'ims_array_write_msi_msg',
    ]);
    assert.equal(argument(run, 1, 'irq_domain_activate_irq', 'reserve'), 'false');
  });

  it('8: irq_set_auxdata() with the PASID from bit 12 on and its enable in bit 3, under the bus lock', () => {
    assert.deepEqual(called(run, 2, /^(irq_set_auxdata|chip_bus_lock|ims_array_set_auxdata|chip_bus_sync_unlock)$/), ['irq_set_auxdata', 'chip_bus_lock', 'ims_array_set_auxdata', 'chip_bus_sync_unlock']);
    assert.equal(argument(run, 2, 'ims_array_set_auxdata', 'auxval'), '0x5008');
  });

  it('9: the request opens the slot', () => assert.deepEqual(called(run, 3, /^(irq_startup|ims_array_unmask_irq|ims_array_mask_irq)$/), ['irq_startup', 'ims_array_unmask_irq']));

  it('10: handle_edge_irq() acknowledges through the parents, before the handler', () => {
    assert.deepEqual(called(run, 4, /^(handle_edge_irq|irq_chip_ack_parent|apic_ack_irq|handle_irq_event)$/), ['handle_edge_irq', 'irq_chip_ack_parent', 'apic_ack_irq', 'handle_irq_event']);
    const hardware = run.steps[4].call.items.flatMap(item => ('hardware' in item ? [item.hardware.kind] : []));
    assert.deepEqual(hardware, ['message', 'remapped', 'accepted']);
  });

  it('11: an affinity write changes the entry, at once, and not the slot', () => {
    const all = called(run, 5, /^(intel_ir_set_affinity|modify_irte|ims_array_write_msi_msg)$/);
    assert.deepEqual(all, ['intel_ir_set_affinity', 'modify_irte']);
  });

  it('12: free_irq() masks the slot, clears it, and then the entry', () => {
    const order = /^(ims_array_mask_irq|msi_domain_deactivate|ims_array_write_msi_msg|intel_irq_remapping_deactivate|x86_vector_deactivate)$/;
    assert.deepEqual(called(run, 6, order), ['ims_array_mask_irq', 'msi_domain_deactivate', 'ims_array_write_msi_msg', 'intel_irq_remapping_deactivate', 'x86_vector_deactivate']);
  });

  it('13: interrupts and entries, then slots, then descriptors', () => {
    const order = /^(irq_domain_free_irqs|intel_irq_remapping_free|ims_array_free_msi_store|ims_array_reset_slot|device_msi_free_msi_entries)$/;
    assert.deepEqual(called(run, 7, order), [
      'irq_domain_free_irqs', 'intel_irq_remapping_free', 'irq_domain_free_irqs', 'intel_irq_remapping_free', 'ims_array_free_msi_store', 'ims_array_reset_slot', 'ims_array_reset_slot',
      'device_msi_free_msi_entries',
    ]);
  });
});

describe('the life of a platform MSI interrupt (4)', () => {
  const steps = ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 1 }', 'request: mdev0', 'msiFree: mdev0'].map(step => step.replace('request: mdev0', 'request: { device: mdev0 }'));

  it('begins with its checks and what its messages share, then a descriptor for each, then interrupts; writes by the callback of its driver', async () => {
    const run = await recorded('none', 'v5.10+device-msi', [...steps.slice(0, 3), 'free: { device: mdev0 }', steps[3]], ', msi: platform');
    const order = /^(platform_msi_domain_alloc_irqs|platform_msi_alloc_priv_data|platform_msi_alloc_descs_with_irq|alloc_msi_entry|msi_domain_alloc_irqs|platform_msi_domain_free_irqs|platform_msi_free_priv_data|msi_domain_free_irqs|platform_msi_free_descs|ims_platform_write_msg)$/;
    assert.deepEqual(called(run, 1, order), ['platform_msi_domain_alloc_irqs', 'platform_msi_alloc_priv_data', 'platform_msi_alloc_descs_with_irq', 'alloc_msi_entry', 'msi_domain_alloc_irqs']);
    assert.deepEqual(called(run, 2, /^(platform_msi_write_msg|ims_platform_write_msg)$/).slice(0, 2), ['platform_msi_write_msg', 'ims_platform_write_msg']);
    // What the messages share goes first, though it is the first descriptor's until the end.
    assert.deepEqual(called(run, 4, order), ['platform_msi_domain_free_irqs', 'platform_msi_free_priv_data', 'msi_domain_free_irqs', 'platform_msi_free_descs']);
  });
});

describe('the life of an IMS interrupt without remapping', function () {
  this.timeout(20_000);

  it('has its message from the APIC chip, and a new one in its next interrupt, while it is masked (11.2, 11.4)', async () => {
    const run = await recorded('none', REPOST, [...LIFE.slice(0, 6), 'raise: mdev0']);
    assert.ok(called(run, 1, /^x86_vector_msi_compose_msg$/).length === 2);
    assert.deepEqual(called(run, 5, /^ims_array_/), []);
    assert.deepEqual(called(run, 6, /^(irq_move_masked_irq|ims_array_\w+)$/), ['ims_array_mask_irq', 'irq_move_masked_irq', 'ims_array_write_msi_msg', 'ims_array_unmask_irq']);
  });

  it('is allocated by V2 without set_desc and without a reset of its slot (5.3, 6.2)', async () => {
    const run = await recorded('none', V2, ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 1 }'], ', bit0: unmasks');
    assert.deepEqual(called(run, 1, /^(ims_set_desc|msi_domain_ops_set_desc|ims_array_reset_slot)$/), ['msi_domain_ops_set_desc']);
  });

  it('is taken back by nobody when the store is full: slots first, then descriptors (I1)', async () => {
    const run = await recorded('none', REPOST, ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 5 }\n    expect: -ENOSPC']);
    assert.equal(run.steps[1].result, -ENOSPC);
    assert.deepEqual(called(run, 1, /^(ims_array_free_msi_store|device_msi_free_msi_entries|__irq_domain_alloc_irqs)$/), ['ims_array_free_msi_store', 'device_msi_free_msi_entries']);
  });

  it('leaves PCI devices to pci_msi_prepare(), through x86_msi_prepare() (5.1)', async () => {
    const run = await recorded('none', V2, ['probe: nic']);
    assert.deepEqual(called(run, 0, /^(x86_msi_prepare|pci_msi_prepare|dev_msi_prepare)$/), ['x86_msi_prepare', 'pci_msi_prepare']);
    assert.equal(argument(run, 0, 'pci_msi_domain_set_desc', 'arg'), 'PCI_MSIX hwirq 0x0');
  });

  it('shows in the kernel\'s files by its slot, its chip IMS, and its domain', async () => {
    const { guest } = await recorded('none', REPOST, LIFE.slice(0, 4));
    assert.match(readTextFile(guest.world, '/proc/interrupts'), /^ 24: +0 +0 +0 +0 +IMS +0-edge +wq$/m);
    const text = readTextFile(guest.world, '/sys/kernel/debug/irq/irqs/24');
    assert.match(text, /^domain: {2}0000:00:05\.0-11\n hwirq: {3}0x0\n chip: {4}IMS\n {2}flags: {3}0x30\n {13}IRQCHIP_SKIP_SET_WAKE\n {13}IRQCHIP_ONESHOT_SAFE\n parent:\n {4}domain: {2}VECTOR$/m);
  });
});
