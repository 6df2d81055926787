import type { Op } from '../../../../stepper/op';
import { mpc_ioapic_id } from '../../../arch/x86/apic/io_apic';
import { pr_err, pr_info } from '../../../lib/printk';
import { kernel } from '../../../world';
import type { dmar_drhd_unit, intel_iommu } from './dmar';

// Which IOAPIC and which HPET is below which unit: this part of drivers/iommu/intel/irq_remapping.c.

export interface ir_scope {
  readonly iommu: intel_iommu;
  readonly id: number;
  readonly requesterId: number;
}

/** Source: drivers/iommu/intel/irq_remapping.c, map_ioapic_to_iommu() */
export const map_ioapic_to_iommu = (apic: number): intel_iommu | undefined => kernel.ir_ioapic.find(({ id }) => id === apic)?.iommu;

/** Source: drivers/iommu/intel/irq_remapping.c, ir_parse_one_ioapic_scope() */
function* ir_parse_ioapic_scope({ iommu, ioapics, reg_base_addr }: dmar_drhd_unit): Op {
  for (const { id, requesterId } of ioapics) {
    kernel.ir_ioapic.push({ iommu, id, requesterId });
    pr_info(`DMAR-IR: IOAPIC id ${id} under DRHD base  0x${reg_base_addr.toString(16)} IOMMU ${iommu.seq_id}`);
  }
}

/** Source: drivers/iommu/intel/irq_remapping.c, ir_parse_one_hpet_scope() */
function* ir_parse_hpet_scope({ iommu, hpets, reg_base_addr }: dmar_drhd_unit): Op {
  for (const { id, requesterId } of hpets) {
    kernel.ir_hpet.push({ iommu, id, requesterId });
    pr_info(`DMAR-IR: HPET id ${id} under DRHD base 0x${reg_base_addr.toString(16)}`);
  }
}

/** @returns 0, or -1 for an IOAPIC below no unit: its interrupts would be blocked. Source: drivers/iommu/intel/irq_remapping.c, parse_ioapics_under_ir() */
export function* parse_ioapics_under_ir(): Op<number> {
  for (const drhd of kernel.dmar_drhd_units) {
    yield* ir_parse_ioapic_scope(drhd);
    yield* ir_parse_hpet_scope(drhd);
  }

  for (let idx = 0; idx < kernel.ioapics.length; idx++) {
    const ioapic_id = mpc_ioapic_id(idx);
    if (!map_ioapic_to_iommu(ioapic_id)) {
      pr_err(`DMAR-IR: [Firmware Bug]: ioapic ${ioapic_id} has no mapping iommu, interrupt remapping will be disabled`);
      return -1;
    }
  }

  return 0;
}
