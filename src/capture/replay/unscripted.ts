import { apic_chip_data } from '../../kernel/arch/x86/apic/apic_chip_data';
import { hpet_channel } from '../../kernel/arch/x86/hpet';
import { IRQD, type irq_data } from '../../kernel/include/irq';
import type { irq_desc } from '../../kernel/include/irqdesc';
import { msi_desc_to_pci_dev } from '../../kernel/include/msi';
import { irq_chip_ack_parent } from '../../kernel/irq/chip';
import { handle_edge_irq } from '../../kernel/irq/flow';
import type { World } from '../../kernel/world';
import { GRAPH_LINES } from '../reading/graph';
import type { TraceLine } from '../reading/trace';

/** Lets the device of an irq raise it. @returns false where there is no such device */
export function raiseIrq({ kernel, machine }: World, irq: number): boolean {
  const desc = kernel.irq_desc_tree.get(irq);
  if (!desc) return false;
  const msi = desc.irq_common_data.msi_desc;
  if (msi) {
    msi_desc_to_pci_dev(msi).hw.raise(msi.msi_attrib.is_msix ? msi.msi_attrib.entry_nr : irq - msi.irq);
    return true;
  }
  if (machine.hpet && desc.irq_common_data.handler_data instanceof hpet_channel) return machine.hpet.expire(desc.irq_common_data.handler_data.num);
  if (THROUGH_LINT0.includes(desc.irq_data.chip.name)) return machine.raiseIsa(irq);
  const ioapic = machine.ioapics.at(Number(/^IO-APIC-(?:IR-)?(\d+)$/.exec(desc.irq_data.domain?.name ?? '')?.[1]));
  if (!ioapic) return false;
  pulse(machine, ioapic.config.gsiBase + desc.irq_data.hwirq);
  return true;
}

/** Chips of ISA interrupts that come from the 8259 pair. */
const THROUGH_LINT0 = ['XT-PIC', 'local-APIC'];

function pulse(machine: World['machine'], gsi: number): void {
  machine.setGsi(gsi, true);
  machine.setGsi(gsi, false);
}

/** How often an irq came. @param cpus undefined: on all CPUs */
export const total = (desc: irq_desc, cpus?: readonly number[]): number =>
  [...desc.kstat_irqs].reduce((sum, [cpu, count]) => (cpus?.includes(cpu) ?? true ? sum + count : sum), 0);

/**
 * An irq whose interrupt on this CPU does nothing but acknowledge its vector and run its handler: an edge that is not on its way to another CPU.
 * @param mayCount whether another interrupt of an irq is no difference
 */
export function quietIrq(world: World, cpu: number, mayCount: (irq: number) => boolean): number | undefined {
  return irqOn(world, cpu, ({ action, handle_irq, irq_data: { chip }, irq_common_data: { state_use_accessors: state } }, irq) =>
    mayCount(irq) && action !== null && handle_irq === handle_edge_irq && chip.irq_ack === irq_chip_ack_parent && (state & IRQD.IRQ_STARTED) !== 0 && (state & IRQD.SETAFFINITY_PENDING) === 0);
}

/** An irq whose next interrupt on this CPU sets the affinity that somebody has written. */
export const movingIrq = (world: World, cpu: number): number | undefined =>
  irqOn(world, cpu, ({ irq_common_data: { state_use_accessors: state } }) => (state & IRQD.SETAFFINITY_PENDING) !== 0);

/** An event says that an irq's old vector is freed, but the irq has yet to move: of the interrupt in which it did nothing is left among the call trees. */
export function isMovedUnseen({ kernel }: World, { event, line }: TraceLine, irq: number): boolean {
  const state = kernel.irq_desc_tree.get(irq)?.irq_common_data.state_use_accessors ?? 0;
  return event === 'vector_free_moved' && line >= GRAPH_LINES && (state & IRQD.SETAFFINITY_PENDING) !== 0;
}

/** The first irq that has a vector on this CPU, and on no other. */
function irqOn({ kernel }: World, cpu: number, isWanted: (desc: irq_desc, irq: number) => boolean): number | undefined {
  const found = [...kernel.irq_desc_tree].find(([irq, desc]) => {
    const root = rootOf(desc.irq_data).chip_data;
    return root instanceof apic_chip_data && root.cpu === cpu && root.vector !== 0 && !root.move_in_progress && isWanted(desc, irq);
  });
  return found?.[0];
}

function rootOf(data: irq_data): irq_data {
  return data.parent_data ? rootOf(data.parent_data) : data;
}
