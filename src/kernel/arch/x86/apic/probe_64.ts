import type { Op } from '../../../../stepper/op';
import { pr_info } from '../../../lib/printk';
import { has, kernel } from '../../../world';
import { type apic, enable_IR_x2apic } from './apic';
import { apic_flat, apic_physflat } from './apic_flat_64';
import { apic_x2apic_cluster } from './x2apic_cluster';
import { apic_x2apic_phys } from './x2apic_phys';

// Choice of the APIC mode: arch/x86/kernel/apic/probe_64.c.

/** In the order of the link: the first whose probe says yes. */
const apicdrivers = (): readonly apic[] => [apic_x2apic_phys, apic_x2apic_cluster, apic_physflat, ...(has('physical-destinations') ? [] : [apic_flat])];

/** Source: arch/x86/kernel/apic/probe_64.c, default_setup_apic_routing() */
export function* default_setup_apic_routing(): Op {
  yield* enable_IR_x2apic();

  for (const drv of apicdrivers()) {
    if (yield* drv.probe()) {
      if (kernel.apic !== drv) {
        kernel.apic = drv;
        pr_info(`Switched APIC routing to ${drv.name}.`);
      }
      break;
    }
  }

  if (!has('v2-20') && kernel.x86_platform.apic_post_init) yield* kernel.x86_platform.apic_post_init();
}
