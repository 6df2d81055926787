import type { Op } from '../../../../stepper/op';
import { down_write, up_write } from '../../../lib/locking';
import { kernel } from '../../../world';
import { dmar_set_interrupt, dmar_table_init } from './dmar';
import { dmar_dev_scope_init, dmar_register_bus_notifier } from './dmar_scope';

// drivers/iommu/intel/iommu.c as far as interrupts go: the units translate addresses, too, and then report faults even where they remap no interrupts.

export const intel_iommu_globals = () => ({
  /** units do not translate addresses */
  dmar_disabled: true,
});

/** intel_iommu= of the command line. Source: drivers/iommu/intel/iommu.c, intel_iommu_setup() */
export function* intel_iommu_setup(value: string): Op {
  for (const word of value.split(',')) {
    if (word.startsWith('on')) kernel.dmar_disabled = false;
    else if (word.startsWith('off')) kernel.dmar_disabled = true;
  }
}

/** @returns 0 or an errno. Source: drivers/iommu/intel/iommu.c, init_dmars() */
function* init_dmars(): Op<number> {
  for (const { iommu } of kernel.dmar_drhd_units) {
    const ret = yield* dmar_set_interrupt(iommu);
    if (ret) return ret;
  }
  return 0;
}

/** Source: drivers/iommu/intel/iommu.c, intel_iommu_init() */
export function* intel_iommu_init(): Op {
  yield* down_write(kernel.dmar_global_lock);
  const failed = (yield* dmar_table_init()) !== 0 || (yield* dmar_dev_scope_init()) < 0;
  yield* up_write(kernel.dmar_global_lock);
  if (failed) return;

  yield* dmar_register_bus_notifier();
  if (kernel.dmar_disabled) return;

  yield* down_write(kernel.dmar_global_lock);
  yield* init_dmars();
  yield* up_write(kernel.dmar_global_lock);
}
