import { IRTE_GA_HI, IRTE_GA_LO, IRTE_GA_LO_VAPIC } from '../../../../hardware/amd-irte';
import type { Op } from '../../../../stepper/op';
import { irqd_cfg } from '../../../arch/x86/apic/vector';
import type { irq_data } from '../../../include/irq';
import { EINVAL, ENODEV } from '../../../lib/errno';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { pr_debug } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { AMD_IOMMU_GUEST_IR_VAPIC_ON, type amd_iommu_pi_data, type amd_ir_data, irte_ga } from './amd_iommu_types';
import { iommu_completion_wait, iommu_flush_irt } from './commands';
import { search_dev_data } from './device';
import { get_irq_table } from './irq_table';
import { APICID_TO_IRTE_DEST_HI, APICID_TO_IRTE_DEST_LO, modify_irte_ga } from './irte_ops';

// Interrupts that the unit delivers to a guest: this part of drivers/iommu/amd/iommu.c.

/** The entry, if it can be one for a guest. */
const vapic_entry = ({ entry }: amd_ir_data): irte_ga | null => (AMD_IOMMU_GUEST_IR_VAPIC_ON(kernel.amd_iommu_guest_ir) && entry instanceof irte_ga ? entry : null);

const guest_mode = (entry: irte_ga): boolean => IRTE_GA_LO_VAPIC.get(entry.lo, 'guest_mode') === 1;

/** From now on the interrupt goes to the guest, which does not run yet. @returns 0 or an errno. Source: amd_iommu_activate_guest_mode() */
export function* amd_iommu_activate_guest_mode(ir_data: amd_ir_data): Op<number> {
  const entry = vapic_entry(ir_data);
  if (!entry || guest_mode(entry)) return 0;

  const valid = IRTE_GA_LO_VAPIC.get(entry.lo, 'valid');
  entry.lo = IRTE_GA_LO_VAPIC.encode({ valid, guest_mode: 1, ga_log_intr: 1, ga_tag: ir_data.ga_tag });
  entry.hi = IRTE_GA_HI.encode({ ga_root_ptr: ir_data.ga_root_ptr, vector: ir_data.ga_vector });

  return yield* modify_irte_ga(ir_data.irq_2_irte.devid, ir_data.irq_2_irte.index, entry, ir_data);
}

/** The interrupt goes to the host again. @returns 0 or an errno. Source: amd_iommu_deactivate_guest_mode() */
export function* amd_iommu_deactivate_guest_mode(ir_data: amd_ir_data): Op<number> {
  const entry = vapic_entry(ir_data);
  if (!entry || !guest_mode(entry)) return 0;

  const { vector, dest_apicid } = ir_data.cfg!;
  const valid = IRTE_GA_LO.get(entry.lo, 'valid');
  const { irq_dest_mode: dm, irq_delivery_mode: int_type } = kernel.apic;
  entry.lo = IRTE_GA_LO.encode({ valid, dm, int_type, destination: APICID_TO_IRTE_DEST_LO(dest_apicid) });
  entry.hi = IRTE_GA_HI.encode({ vector, destination: APICID_TO_IRTE_DEST_HI(dest_apicid) });

  return yield* modify_irte_ga(ir_data.irq_2_irte.devid, ir_data.irq_2_irte.index, entry, ir_data);
}

/** Nothing happens for a device that was never given to a guest. @param vcpu_info amd_iommu_pi_data. @returns 0 or an errno. Source: amd_ir_set_vcpu_affinity() */
export function* amd_ir_set_vcpu_affinity(data: irq_data, vcpu_info: unknown): Op<number> {
  const pi_data = vcpu_info as amd_iommu_pi_data;
  const vcpu_pi_info = pi_data.vcpu_data;
  const ir_data = data.chip_data as amd_ir_data;
  const { devid } = ir_data.irq_2_irte;
  const dev_data = yield* search_dev_data(devid);

  if (!dev_data?.use_vapic) return 0;

  ir_data.cfg = yield* irqd_cfg(data);
  pi_data.ir_data = ir_data;

  if (!AMD_IOMMU_GUEST_IR_VAPIC_ON(kernel.amd_iommu_guest_ir)) {
    pr_debug('AMD-Vi: amd_ir_set_vcpu_affinity: Fall back to using intr legacy remap');
    pi_data.is_guest_mode = false;
  }

  if (!kernel.amd_iommu_rlookup_table.has(devid)) return -EINVAL;

  let ret: number;
  pi_data.prev_ga_tag = ir_data.cached_ga_tag;
  if (pi_data.is_guest_mode) {
    ir_data.ga_root_ptr = Math.floor(pi_data.base / 4096);
    ir_data.ga_vector = vcpu_pi_info.vector;
    ir_data.ga_tag = pi_data.ga_tag;
    ret = yield* amd_iommu_activate_guest_mode(ir_data);
    if (!ret) ir_data.cached_ga_tag = pi_data.ga_tag;
  } else {
    ret = yield* amd_iommu_deactivate_guest_mode(ir_data);
    // The caller gets the tag back, so that it can forget it.
    if (!ret) ir_data.cached_ga_tag = 0;
  }

  return ret;
}

/** The guest's vCPU begins to run, or stops: only the entry in the table is told. @param cpu APIC id, or negative. @returns 0 or an errno. Source: amd_iommu_update_ga() */
export function* amd_iommu_update_ga(cpu: number, is_run: boolean, ir_data: amd_ir_data): Op<number> {
  const { devid } = ir_data.irq_2_irte;
  const entry = vapic_entry(ir_data);
  const { ref } = ir_data;

  if (!ref || !entry || !guest_mode(entry)) return 0;

  const iommu = kernel.amd_iommu_rlookup_table.get(devid);
  if (!iommu) return -ENODEV;

  const table = yield* get_irq_table(devid);
  if (!table) return -ENODEV;

  const flags = yield* raw_spin_lock_irqsave(table.lock);
  const { memory } = machine;
  let lo = memory.read64(ref);
  if (IRTE_GA_LO_VAPIC.get(lo, 'guest_mode')) {
    if (cpu >= 0) {
      lo = IRTE_GA_LO_VAPIC.with(lo, { destination: APICID_TO_IRTE_DEST_LO(cpu) });
      memory.write64(ref + 8, IRTE_GA_HI.with(memory.read64(ref + 8), { destination: APICID_TO_IRTE_DEST_HI(cpu) }));
    }
    memory.write64(ref, IRTE_GA_LO_VAPIC.with(lo, { is_run }));
  }
  yield* raw_spin_unlock_irqrestore(table.lock, flags);

  yield* iommu_flush_irt(iommu, devid);
  yield* iommu_completion_wait(iommu);
  return 0;
}
