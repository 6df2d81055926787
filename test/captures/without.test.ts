import assert from 'node:assert/strict';
import { type Capture, readCapture } from '../../src/capture/capture';
import type { Difference } from '../../src/capture/model-and-capture/compare-events';
import { type Plan, planOf } from '../../src/capture/replay/plan';
import { Replay } from '../../src/capture/replay/replay';

const read = new Map<string, { capture: Capture; plan: Plan }>();

function captured(name: string): { capture: Capture; plan: Plan } {
  const known = read.get(name);
  if (known) return known;
  const capture = readCapture(`test/captures/5.10.0-32-${name}`);
  const found = { capture, plan: planOf(capture) };
  read.set(name, found);
  return found;
}

/** The first difference, as verify() would find it; what is behind it is not performed. */
function firstDifference(name: string, kernel: string): Difference | undefined {
  const { capture, plan } = captured(name);
  const replay = new Replay(capture, plan, [], 0, kernel);
  for (const item of plan.items) {
    replay.perform(item);
    if (replay.differences.length > 0) return replay.differences[0];
  }
  replay.compareLog();
  return replay.differences.at(0);
}

interface Case {
  readonly capture: string;
  readonly without: string;
  readonly where: RegExp;
  readonly captured: RegExp;
  readonly model: RegExp;
  /** what of the change shows there */
  readonly why: string;
}

const REMAPPED = 'n-4cpu-1nvme-min-intelir';
const PLAIN = 'n-4cpu-1nvme-min';

/** A row for each change that a capture exercises: the place where it first shows, and what stands there on both sides. */
const CASES: readonly Case[] = [
  // The series.
  { capture: REMAPPED, without: 'v2-04', where: /^irqlens.txt, snapshot e1000e-probed, irq 25$/, captured: /addr_lo 0xfee00218 data 0x00000000/, model: /addr_lo 0xfee01004 data 0x000040ef/, why: 'the plain message is composed under remapping' },
  { capture: 's6-4cpu-amdir-bridges', without: 'v2-04', where: /^irqlens.txt, snapshot boot, irq 25$/, captured: /addr_lo 0xfee00000 data 0x00000000/, model: /addr_lo 0xfee08004 data 0x00004021/, why: 'the same under AMD remapping, for the first port' },
  { capture: REMAPPED, without: 'v2-19', where: /^graph-tree.txt:38$/, captured: /pci_msi_domain_set_desc/, model: /pci_msi_set_desc/, why: 'the descriptor is set by the operation of x86' },
  { capture: 't2-5cpu-intelir', without: 'v2-18-v2-19', where: /^graph-tree.txt:26$/, captured: /pci_msi_domain_set_desc/, model: /pci_msi_set_desc/, why: 'the same with the old allocation info' },
  { capture: REMAPPED, without: 'v2-31', where: /^sys-kernel-irq.txt, snapshot e1000e-probed, 25$/, captured: /chip_name=IR-PCI-MSI/, model: /chip_name=PCI-MSI/, why: 'the device keeps the domain that every PCI device has' },
  { capture: 's5-4cpu-intelir-bridges', without: 'v2-31', where: /^proc-interrupts.txt, snapshot boot, 25$/, captured: /IR-PCI-MSI 98304-edge/, model: / PCI-MSI 98304-edge/, why: 'the same for the first port' },
  { capture: 's6-4cpu-amdir-bridges', without: 'v2-32', where: /^proc-interrupts.txt, snapshot boot, 25$/, captured: /IR-PCI-MSI 98304-edge/, model: / PCI-MSI 98304-edge/, why: 'the same under AMD remapping' },
  { capture: 'e-4cpu-amdir', without: 'v2-32', where: /^proc-interrupts.txt, snapshot boot, 25$/, captured: /IR-PCI-MSI 212992-edge/, model: / PCI-MSI 212992-edge/, why: 'the same' },
  { capture: REMAPPED, without: 'v2-33', where: /^sys-kernel-irq.txt, snapshot e1000e-probed, 25$/, captured: /chip_name=IR-PCI-MSI/, model: /^$/, why: 'the device has no domain, and no fallback is left (v2-35): MSI-X fails, the pin is used' },
  { capture: REMAPPED, without: 'v2-22-v2-30-v2-33-v2-36-pci-msi-domain-after-arch-init', where: /^sys-kernel-irq.txt, snapshot e1000e-probed, 25$/, captured: /chip_name=IR-PCI-MSI/, model: /^$/, why: 'the same, with the domain created early' },
  { capture: REMAPPED, without: 'dmar-hpet-msi-flags', where: /^boot, boot$/, captured: /^$/, model: /NULL pointer dereference, address: 0+$/, why: "the unit's own interrupt: its domain has no get_hwirq" },
  { capture: 'f-4cpu-hpetmsi', without: 'dmar-hpet-msi-flags', where: /^boot, boot$/, captured: /^$/, model: /NULL pointer dereference, address: 0+$/, why: 'the same in the domain of the HPET' },

  // What else is new in v5.10.
  { capture: PLAIN, without: 'vector-search-order', where: /^trace-vectors.txt:156$/, captured: /irq_matrix_online/, model: /vector_alloc: irq=0 .* ret=-22/, why: 'the search begins on the node: one attempt more' },
  { capture: REMAPPED, without: 'vector-search-order', where: /^trace-vectors.txt:165$/, captured: /irq_matrix_online/, model: /vector_alloc: irq=0 .* ret=-22/, why: 'the same' },
  { capture: 'u6-4cpu-threadirqs', without: 'vector-search-order', where: /^trace-vectors.txt:156$/, captured: /vector_deactivate: irq=0 /, model: /vector_alloc: irq=0 .* ret=-22/, why: 'the same, where the timer is activated once more' },
  { capture: 'b-4cpu-noiommu', without: 'vector-search-order', where: /^trace-vectors.txt:156$/, captured: /irq_matrix_online/, model: /vector_alloc: irq=0 .* ret=-22/, why: 'the same' },
  { capture: PLAIN, without: 'vmm-communication-vector', where: /^trace-vectors.txt:32$/, captured: /assign_system: bit=29 /, model: /assign_system: bit=32 /, why: 'vector 29 has no gate' },
  { capture: PLAIN, without: 'log-empty-continuation', where: /^dmesg.txt, boot$/, captured: /^$/, model: /^number of MP IRQ sources: 15\.$/, why: 'a lone newline makes no line' },

  // Stable releases.
  { capture: PLAIN, without: 'legacy-pic-level', where: /^sys-kernel-irq.txt, snapshot boot, 2$/, captured: /type=level/, model: /type=edge/, why: 'the cascade' },
  { capture: 'l-4cpu-noapic', without: 'legacy-pic-level', where: /^sys-kernel-irq.txt, snapshot boot, 0$/, captured: /type=level/, model: /type=edge/, why: 'without IOAPICs the timer too' },
  { capture: 'l-4cpu-noapic', without: 'legacy-vectors-no-ioapic', where: /^trace-vectors.txt:67$/, captured: /assign_system: bit=48 /, model: /irq_matrix_online/, why: 'vectors of the 8259 pair stay allocated' },
  { capture: PLAIN, without: 'nvme-no-default-node', where: /^irqlens.txt, snapshot load-nvme, irq 20$/, captured: / node -1 /, model: / node 0 /, why: 'the pin belongs to a node' },
  { capture: PLAIN, without: 'vector-leak-cpu-offline', where: /^trace-vectors.txt:366$/, captured: /kp_force_complete/, model: /kp_do_set_affinity/, why: 'a pending clean-up is not completed before the move' },
  { capture: 's5-4cpu-intelir-bridges', without: 'vector-leak-cpu-offline', where: /^trace-vectors.txt:465$/, captured: /kp_force_complete/, model: /kp_do_set_affinity: .* irq=4 /, why: 'the same' },
  { capture: 't2-5cpu-intelir', without: 'vector-leak-cpu-offline', where: /^trace-vectors.txt:386$/, captured: /kp_force_complete/, model: /kp_do_set_affinity: .* irq=8 /, why: 'the same' },
  { capture: PLAIN, without: 'domain-alloc-locked', where: /^graph-tree.txt:28$/, captured: /irq_domain_alloc_irqs_locked/, model: /__irq_alloc_descs/, why: 'descriptors are allocated before the lock is taken' },
  { capture: PLAIN, without: 'affinity-pre-startup', where: /^graph-tree.txt:133$/, captured: /irq_setup_affinity/, model: /__irq_startup/, why: 'started first' },
  { capture: PLAIN, without: 'msi-mask-all-unused', where: /^graph-tree.txt:93$/, captured: /populate_msi_sysfs/, model: /__pci_msix_desc_mask_irq/, why: 'each entry is masked by itself' },
  { capture: 'c-4cpu-intelir', without: 'multi-msi-early-activation', where: /^irqlens.txt, snapshot mmsi-alloc, matrix$/, captured: /global_reserved 13 .* total_allocated 23 /, model: /global_reserved 16 .* total_allocated 20 /, why: 'only the first of a block is activated at allocation' },
];

/** What a capture does not exercise may be taken away: it shows nowhere. */
const UNUSED: readonly (readonly [capture: string, without: string])[] = [
  [PLAIN, 'v2-31'],
  ['s6-4cpu-amdir-bridges', 'v2-37'],
];

describe('a capture of 5.10.223 on a kernel without one of its changes', function () {
  this.timeout(60_000);
  after(() => read.clear());

  for (const { capture, without, where, captured, model, why } of CASES) {
    it(`${capture} without ${without} differs first where it shows: ${why}`, () => {
      const first = firstDifference(capture, `v5.10.223-${without}`);
      assert.ok(first, 'there is no difference');
      assert.match(first.where, where);
      assert.match(first.captured ?? '', captured);
      assert.match(first.model ?? '', model);
    });
  }

  for (const [capture, without] of UNUSED) {
    it(`${capture} without ${without}, which it does not exercise, is the same`, () => {
      assert.equal(firstDifference(capture, `v5.10.223-${without}`), undefined);
    });
  }
});

describe('a capture of 5.10.223 on an older kernel', function () {
  this.timeout(60_000);

  it('differs from v5.10 first in what a stable release has changed of the 8259 pair', () => {
    const first = firstDifference(REMAPPED, 'v5.10')!;
    assert.deepEqual([first.where, /type=level/.test(first.captured!), /type=edge/.test(first.model!)], ['sys-kernel-irq.txt, snapshot boot, 2', true, true]);
  });

  it('differs from v5.9 first in the gate of vector 29', () => {
    for (const name of [PLAIN, REMAPPED, 's6-4cpu-amdir-bridges']) assert.equal(firstDifference(name, 'v5.9')!.where, 'trace-vectors.txt:32');
  });
});
