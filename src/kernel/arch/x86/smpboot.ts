import type { Op } from '../../../stepper/op';
import { numa_add_cpu, numa_remove_cpu } from '../../include/topology';
import { local_irq_restore } from '../../lib/locking';
import { kernel } from '../../world';
import { apic_ap_setup, apic_soft_disable, x2apic_setup } from './apic/apic';
import { lapic_can_unplug_cpu, lapic_offline, lapic_online } from './apic/lapic';
import { lock_vector_lock, unlock_vector_lock } from './apic/vector';
import { fixup_irqs } from './irq';

// CPUs come and go: arch/x86/kernel/smpboot.c.

/** What a secondary CPU runs first, on that CPU; its interrupts are off until the end. Source: start_secondary() */
export function* start_secondary(): Op {
  const cpu = kernel.this_cpu;
  kernel.cpus[cpu].irqs_enabled = false;

  yield* smp_callin();

  // Nobody may see the CPU online without its vectors, or the other way round.
  yield* lock_vector_lock();
  kernel.cpu_online_mask.set(cpu);
  yield* lapic_online();
  yield* unlock_vector_lock();

  yield* local_irq_restore(true);
}

/** Source: smp_callin() */
function* smp_callin(): Op {
  yield* x2apic_setup();
  yield* apic_ap_setup();
  numa_add_cpu(kernel.this_cpu);
}

/** Source: cpu_disable_common() */
function* cpu_disable_common(): Op {
  yield* lock_vector_lock();
  yield* remove_cpu_from_maps(kernel.this_cpu);
  yield* unlock_vector_lock();
  yield* fixup_irqs();
  yield* lapic_offline();
}

/** Source: remove_cpu_from_maps() */
function* remove_cpu_from_maps(cpu: number): Op {
  kernel.cpu_online_mask.clear(cpu);
  numa_remove_cpu(cpu);
}

/** The running CPU goes offline; interrupts are off and all other CPUs stand still. @returns 0, or -ENOSPC: its vectors fit nowhere else. Source: native_cpu_disable() */
export function* native_cpu_disable(): Op<number> {
  const ret = yield* lapic_can_unplug_cpu();
  if (ret) return ret;

  yield* cpu_disable_common();

  // Last: what arrives at a disabled local APIC is lost, and fixup_irqs() looks for what has arrived.
  yield* apic_soft_disable();

  return 0;
}
