// The thirty scenarios by which the platforms are told, each by one fact before the series and after it, or without and with what it is about.
import assert from 'node:assert/strict';
import { loadScenario, type ScenarioGuest } from '../../src/scenario/load';
import { toEnd } from '../../src/scenario/to-end';

interface Ran {
  readonly guest: ScenarioGuest;
  /** why the kernel gave up */
  readonly died: string | undefined;
}

type Look = (ran: Ran) => unknown;
type Row = readonly [number: number, what: string, example: string, look: Look, ...sides: (readonly [kernel: string, seen: unknown])[]];

const results: Look = ({ guest }) => guest.results.map(({ value }) => value);
const first: Look = ({ guest }) => guest.results[0].value;
const died: Look = ran => ran.died?.split(/[,!]/)[0];
const faults: Look = ({ guest }) => guest.world.machine.events.flatMap(event => (event.kind === 'fault' ? [event.reason] : []));
const count = (kind: string): Look => ({ guest }) => guest.world.machine.events.filter(event => event.kind === kind).length;
const said = (text: string): Look => ({ guest }) => guest.world.kernel.log.some(line => line.text.includes(text));
const domainOf = (device: string): Look => ({ guest }) => guest.world.kernel.pci_devices.find(({ hw }) => hw.config.name === device)!.msi_domain?.name;
const vectors: Look = ({ guest: { world: { kernel: { vector_matrix: m } } } }) => [m.global_reserved, m.total_allocated];
const calls = (op: string): Look => ({ guest }) => guest.world.machine.events.filter(event => event.kind === 'hypercall' && event.op === op).length;

const [ENODEV, ENOSPC, ENOSYS, ENOTSUPP] = [-19, -28, -38, -524];
const V2 = 'v5.10+device-msi';
const REPOST = 'v5.10+ims-repost';
const PER_DEVICE = 'v5.10.223+msi-device-data+multi-msi-early-reject+msi-parent-domains';

const ROWS: readonly Row[] = [
  [1, 'the pointer of a device', 'series/33-device-domain', domainOf('card'), ['v5.9', undefined], ['v5.10', 'PCI-MSI-3']],
  [2, 'the oops of DMAR', 'series/dmar-hpet-msi-flags', died, ['v5.9', undefined], ['series:19', 'BUG: kernel NULL pointer dereference'], ['v5.10', undefined]],
  [3, 'faults of a virtual function', 'series/31-virtual-functions', faults, ['v5.9', []], ['v5.10-vf-inherits-msi-domain', [0x25]], ['v5.10', []]],
  [4, 'vectors reserved and taken, five of them for what is behind a VMD', 'series/03-vmd-parent', vectors, ['v5.9', [10, 16]], ['v5.10', [10, 11]]],
  [5, 'messages from behind a VMD that it collects', 'vmd', count('collected'), ['v5.9', 6], ['v5.10', 6]],
  [6, 'the refusal of an affinity behind a VMD', 'vmd', said('set affinity failed(-22).'), ['v5.9', true], ['v5.10', true]],
  [7, 'faults behind a VMD that passes messages on', 'vmd-bypass', faults, ['v5.9', []], ['v5.10', []], ['v5.10+vmd-bypass-msi-remap', [0x25]]],
  [8, 'what a PV guest gets', 'xen/domu', first, ['v5.9', 0], ['v5.10', ENOSPC], ['v5.10+pci-msi-domain-after-arch-init', 0]],
  [9, 'pirqs that dom0 gives back', 'xen/dom0', calls('PHYSDEVOP_unmap_pirq'), ['v5.9', 7], ['v5.10', 7]],
  [10, 'what dom0 knows of an old Xen', 'xen/dom0-old-xen', ({ guest }) => guest.world.kernel.pci_seg_supported, ['v5.9', false], ['v5.10', false]],
  [11, 'events that an HVM guest gets', 'xen/hvm', count('event'), ['v5.9', 3], ['v5.10', 3]],
  [12, 'pirqs of an HVM guest with x2APIC virtualisation', 'xen/hvm-x2apic', calls('PHYSDEVOP_get_free_pirq'), ['v5.9', 0], ['v5.10', 0]],
  [13, 'MSI-X in a guest of Xen', 'xen/msix-flag', first, ['v5.9', 3], ['v5.10', 3], ['v5.10.223+msix-early-reject', ENOTSUPP]],
  [14, 'messages that the Hyper-V host makes and deletes', 'hyperv/virtual-function', count('host entries'), ['v5.9', 12], ['v5.10', 12]],
  [15, 'hypercalls that move an interrupt', 'hyperv/affinity', count('retarget'), ['v5.9', 3], ['v5.10', 3]],
  [16, 'messages after an ejection', 'hyperv/eject', count('message'), ['v5.9', 0], ['v5.10', 0]],
  [17, 'the refusal of an APIC id beyond 255', 'hyperv/ioapic', said('IRQ20: set affinity failed(-22).'), ['v5.9', true], ['v5.10', true]],
  [18, 'the life of an IMS interrupt', 'ims/array', first, ['v5.9', ENODEV], ['v5.10', ENODEV], [REPOST, 0]],
  [19, 'slots run out', 'ims/exhaustion', ran => (results(ran) as number[])[1], ['v5.9', ENODEV], [REPOST, ENOSPC]],
  [20, 'IMS below VT-d', 'ims/v2-intel', died, ['v5.9', undefined], [V2, 'kernel BUG at drivers/iommu/intel/irq_remapping.c intel_irq_remapping_prepare_irte'], [REPOST, undefined]],
  [21, 'messages that a device holds back whose bit is the other way round', 'ims/polarity', count('held back'), ['v5.9', 0], [V2, 1]],
  [22, 'a torn message', 'ims/torn-write', said('No irq handler for vector'), ['v5.9', false], [REPOST, true]],
  [23, 'the last two steps: auxiliary data that are refused', 'ims/pasid-race', ran => (results(ran) as number[]).slice(-2), ['v5.9', [ENODEV, ENODEV]], [REPOST, [-22, -22]]],
  [24, 'a command that is lost', 'ims/queue', said('command for message 1 timed out'), ['v5.9', false], [`${V2}+ims-queue-usable`, true]],
  [25, 'a domain that goes with interrupts in it', 'ims/partial-failure', said('irq_domain_remove'), ['v5.9', false], [REPOST, true]],
  [26, 'a message that a guest cannot get', 'ims/guest', count('sent on the host'), ['v5.9', 0], [V2, 1], [REPOST, 0]],
  [27, 'messages that the host does not know', 'hyperv/compose-order', count('unknown message'), ['v5.9', 0], ['series:4', 0], ['v5.10', 0], ['v5.10-v2-04', 1]],
  [28, 'a device without a domain', 'no-apic', first, ['v5.9', ENOSYS], ['v5.10', ENODEV]],
  [29, 'vectors reserved and taken: IMS takes eight at once', 'ims/reservation', vectors, ['v5.9', [17, 7]], ['v5.10', [17, 7]], [REPOST, [18, 15]]],
  [30, 'domains of PCI devices', 'nvme-msix', ({ guest }) => guest.world.kernel.irq_domain_list.map(({ name }) => name).filter(name => name.startsWith('PCI-MSI')).sort(), ['v5.9', ['PCI-MSI-3']], ['v5.10', ['PCI-MSI-3']], [PER_DEVICE, ['PCI-MSIX-0000:00:04.0-12', 'PCI-MSIX-0000:00:05.0-12']]],
];

function play(example: string, kernel: string): Ran {
  const loaded = loadScenario(`examples/${example}.irq.yaml`, undefined, { kernel, expect: false });
  assert.ok(loaded.ok);
  const { guest, error } = toEnd(loaded.make);
  return { guest, died: error?.message };
}

describe('the catalogue of platforms', () => {
  it('has thirty rows', () => assert.deepEqual(ROWS.map(([number]) => number), Array.from({ length: 30 }, (_, i) => i + 1)));

  for (const [number, what, example, look, ...sides] of ROWS) {
    it(`${number}: ${what} (examples/${example}.irq.yaml): ${sides.map(([kernel]) => kernel).join(', ')}`, () => {
      assert.deepEqual(sides.map(([kernel]) => [kernel, look(play(example, kernel))]), sides);
    });
  }
});
