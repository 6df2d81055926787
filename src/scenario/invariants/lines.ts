import type { Kernel } from '../../kernel/globals';
import { irqd_is_setaffinity_pending } from '../../kernel/include/irq';
import type { World } from '../../kernel/world';
import type { VectorIrq } from './owners';
import { KNOWN, type Report } from './report';

/** Interrupt numbers (I23), moves that are under way (I24, I25), and devices' capabilities (I26). */
export function checkLines(world: World, irqs: readonly VectorIrq[], report: Report): void {
  const { kernel } = world;
  checkNumbers(kernel, report);
  for (const { irq, desc } of irqs) {
    const waits = irqd_is_setaffinity_pending(desc.irq_data);
    report.expect(!waits || !desc.pending_mask.empty, 'I25', () => `irq ${irq} waits for a move to no CPU`);
  }
  checkCleanup(kernel, irqs, report);
  checkCapabilities(world, report);
}

function checkNumbers({ allocated_irqs, irq_desc_tree }: Kernel, report: Report): void {
  for (const irq of irq_desc_tree.keys()) report.expect(allocated_irqs.test(irq), 'I23', () => `irq ${irq} has a descriptor, and its number is free`);
  report.equal(allocated_irqs.weight, irq_desc_tree.size, 'I23', () => 'the number of interrupt numbers in use');
}

/** Who is on a CPU's cleanup_list has left a vector there, and the other way round. */
function checkCleanup({ cleanup_list, cpu_online_mask }: Kernel, irqs: readonly VectorIrq[], report: Report): void {
  const listed = new Set(cleanup_list.flat());
  for (const [cpu, list] of cleanup_list.entries()) {
    for (const { irq, clist, prev_cpu } of list) {
      report.expect(clist === cpu && prev_cpu === cpu, 'I24', () => `irq ${irq} is on the cleanup_list of CPU ${cpu}, and left a vector on CPU ${prev_cpu}`);
    }
    report.expect(list.length === 0 || cpu_online_mask.test(cpu), 'I24', () => `CPU ${cpu} is offline, and ${list.length} vectors wait for its clean-up`);
  }
  for (const { irq, apicd } of irqs) report.expect(apicd.clist === null || listed.has(apicd), 'I24', () => `irq ${irq} waits for the clean-up of CPU ${apicd.clist!}, which does not know`);
}

/** What the registers say of MSI is what the kernel thinks. */
function checkCapabilities({ kernel: { pci_devices }, changes }: World, report: Report): void {
  const left = changes.has('msix-enable-early') ? undefined : KNOWN.MSIX_LEFT_ON;
  for (const { name, hw, msi_enabled, msix_enabled, msi_list } of pci_devices) {
    report.expect(hw.msiEnabled === msi_enabled, 'I26', () => `${name}: MSI is ${onOff(hw.msiEnabled)} in its capability; expected ${onOff(msi_enabled)}`);
    report.expect(hw.msixEnabled === msix_enabled, 'I26', () => `${name}: MSI-X is ${onOff(hw.msixEnabled)} in its capability; expected ${onOff(msix_enabled)}`, hw.msixEnabled && hw.msixAllMasked ? left : undefined);
    report.expect(!(msi_enabled && msix_enabled), 'I26', () => `${name} has MSI and MSI-X at once`);
    // Entries can be given back one by one (msix-alloc-dyn).
    report.expect((msi_list.length > 0) === (msi_enabled || msix_enabled) || (msix_enabled && msi_list.length === 0), 'I26', () => `${name} has ${msi_list.length} message descriptors, and MSI is ${onOff(msi_enabled || msix_enabled)}`);
  }
}

const onOff = (on: boolean): string => (on ? 'on' : 'off');
