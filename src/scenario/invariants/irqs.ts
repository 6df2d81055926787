import { amd_ir_data } from '../../kernel/drivers/iommu/amd/amd_iommu_types';
import { vmd_irq_entry } from '../../kernel/drivers/pci/controller/vmd_types';
import { MANAGED_IRQ_SHUTDOWN_VECTOR } from '../../kernel/arch/x86/hw_irq';
import type { Kernel } from '../../kernel/globals';
import { irqd_affinity_is_managed, irqd_is_activated, irqd_is_managed_and_shutdown, irqd_is_started } from '../../kernel/include/irq';
import type { irq_domain } from '../../kernel/include/irqdomain';
import type { World } from '../../kernel/world';
import type { Drift } from './drift';
import { chainOf, type VectorIrq } from './owners';
import { KNOWN, type Report } from './report';

/** Each interrupt's vector, state and chain: I10, I11, I13, I15, I16, I20 to I22. */
export function checkIrqs({ kernel }: World, irqs: readonly VectorIrq[], drift: Drift, report: Report): void {
  for (const irq of irqs) {
    // A line that Xen has taken over: its vector is used no more.
    if (irq.desc.irq_data.chip === kernel.xen_pirq_chip) continue;
    checkVector(kernel, irq, drift, report);
    checkState(kernel, irq, report);
  }
  checkChains(kernel, report);
  checkDomains(kernel, report);
  checkMsiDescs(kernel, report);
}

function checkVector(kernel: Kernel, { irq, desc, apicd }: VectorIrq, drift: Drift, report: Report): void {
  const { vector_matrix: m, vector_irq, cpu_online_mask } = kernel;
  const { vector, cpu, prev_vector, prev_cpu, move_in_progress, clist, has_reserved, can_reserve, is_managed, hw_irq_cfg } = apicd;
  if (vector !== 0) {
    report.expect(m.maps[cpu].alloc_map.test(vector), 'I10', () => `irq ${irq} has vector ${vector} of CPU ${cpu}, which is not allocated`);
    const installed = vector_irq[cpu][vector] === desc || !cpu_online_mask.test(cpu);
    const forgotten = installed || !drift.hasBeenDown(cpu, true) ? undefined : whyForgotten(kernel, irq, !can_reserve && !is_managed);
    report.expect(installed, 'I10', () => `irq ${irq} has vector ${vector} of CPU ${cpu}, whose table does not lead to it`, forgotten);
  }
  if (prev_vector !== 0) {
    report.expect(m.maps[prev_cpu].alloc_map.test(prev_vector), 'I11', () => `irq ${irq} left vector ${prev_vector} of CPU ${prev_cpu}, which is not allocated`);
  }
  report.expect(!move_in_progress || prev_vector !== 0, 'I11', () => `irq ${irq} is being moved from nowhere`);
  report.expect(clist === null || (prev_vector !== 0 && !move_in_progress), 'I11', () => `irq ${irq} waits for its clean-up without a vector left behind, or while it is being moved`);
  report.expect(!has_reserved || (can_reserve && vector === 0 && hw_irq_cfg.vector === MANAGED_IRQ_SHUTDOWN_VECTOR), 'I13', () => `irq ${irq} is reserved, with vector ${vector} and ${hw_irq_cfg.vector} programmed`);
  report.expect(!is_managed || !can_reserve, 'I13', () => `irq ${irq} is managed and may be reserved`);
}

/** Why a CPU's table does not lead to an interrupt that has a vector there. @param kept it keeps its vector while nobody requests it */
function whyForgotten({ log }: Kernel, irq: number, kept: boolean): string | undefined {
  if (log.some(({ text }) => text.startsWith(`IRQ${irq}: set affinity failed(`))) return KNOWN.LEFT_BEHIND;
  return kept ? KNOWN.FORGOTTEN_VECTOR : undefined;
}

function checkState(kernel: Kernel, { irq, desc, apicd }: VectorIrq, report: Report): void {
  const data = desc.irq_data;
  const { vector, cpu, hw_irq_cfg } = apicd;
  if (irqd_is_activated(data) && vector !== 0) {
    report.equal(hw_irq_cfg.vector, vector, 'I15', () => `irq ${irq}: the vector programmed`);
    report.equal(hw_irq_cfg.dest_apicid >>> 0, destinationOf(kernel, cpu), 'I15', () => `irq ${irq}: the destination programmed, for CPU ${cpu},`);
    const effective = desc.irq_common_data.effective_affinity;
    // Which vector was kept when is not to be seen any more: the wrong mask stays after the clean-up.
    const asAsked = !apicd.can_reserve && !apicd.is_managed ? KNOWN.EFFECTIVE_AFFINITY : undefined;
    report.expect(effective.weight === 1 && effective.test(cpu), 'I15', () => `irq ${irq}: its effective affinity is ${effective.toString()}; expected ${cpu}`, asAsked);
  }
  const started = irqd_is_started(data);
  report.expect(!started || irqd_is_activated(data), 'I16', () => `irq ${irq} is started and not activated`);
  report.expect(!started || !irqd_is_managed_and_shutdown(data), 'I16', () => `irq ${irq} is started and shut down`);
  report.equal(Number(apicd.is_managed), Number(irqd_affinity_is_managed(data)), 'I16', () => `irq ${irq}: is_managed`);
}

/** What apic->calc_dest_apicid() returns. */
export function destinationOf(kernel: Kernel, cpu: number): number {
  if (kernel.apic.irq_dest_mode === 0) return kernel.x86_cpu_to_apicid[cpu] >>> 0;
  return (kernel.x2apic_mode ? kernel.x86_cpu_to_logical_apicid[cpu] : 1 << cpu) >>> 0;
}

function checkChains({ irq_desc_tree }: Kernel, report: Report): void {
  for (const [irq, desc] of irq_desc_tree) {
    for (const { domain, parent_data } of chainOf(desc)) {
      const parent = domain?.parent ?? null;
      report.expect((parent_data?.domain ?? null) === parent, 'I21', () => `irq ${irq}: above ${domain?.name ?? 'nothing'} stands ${parent_data?.domain?.name ?? 'nothing'}; expected ${parent?.name ?? 'nothing'}`);
    }
  }
}

function checkDomains({ irq_domain_list, irq_desc_tree, hyperv_ir_chip }: Kernel, report: Report): void {
  const counts = new Map<irq_domain, number>();
  for (const [irq, desc] of irq_desc_tree) {
    for (const data of chainOf(desc)) {
      const { domain, hwirq } = data;
      if (!domain) continue;
      counts.set(domain, (counts.get(domain) ?? 0) + 1);
      const found = domain.linear_revmap.get(hwirq) ?? domain.revmap_tree.get(hwirq)?.irq;
      // Two interrupts of one number (all MSI-X entries of a device below AMD-Vi): the map has the last one.
      const twin = found === undefined ? undefined : irq_desc_tree.get(found);
      const collides = twin !== undefined && twin !== desc && chainOf(twin).some(d => d.domain === domain && d.hwirq === hwirq);
      const shared = data.chip_data instanceof amd_ir_data ? KNOWN.AMD_HWIRQ : data.chip_data instanceof vmd_irq_entry ? KNOWN.VMD_HWIRQ : data.chip === hyperv_ir_chip ? KNOWN.HYPERV_HWIRQ : undefined;
      report.expect(found === irq || collides, 'I20', () => `${domain.name}: hwirq 0x${hwirq.toString(16)} of irq ${irq} leads to ${found === undefined ? 'none' : `irq ${found}`}`, shared);
    }
  }
  for (const domain of irq_domain_list) report.equal(domain.mapcount, counts.get(domain) ?? 0, 'I20', () => `${domain.name}: mapcount`);
}

function checkMsiDescs({ pci_devices, irq_desc_tree }: Kernel, report: Report): void {
  for (const dev of pci_devices) {
    for (const { irq } of dev.msi_list) report.expect(irq !== 0 && irq_desc_tree.has(irq), 'I22', () => `${dev.name} has a message for irq ${irq}, which is not allocated`);
  }
}
