import { APIC_ESR, APIC_ID, APIC_IRR, APIC_ISR, APIC_LVR, APIC_TMR } from '../../../../hardware/local-apic-registers';
import type { Op } from '../../../../stepper/op';
import { pr_cont, pr_info, printk_open } from '../../../lib/printk';
import { smp_call_function_single } from '../../../smp';
import { kernel } from '../../../world';
import { APIC_QUIET, apic_read, apic_write, read_apic_id } from './apic';
import { print_IO_APICs } from './io_apic_print';

// The interrupt controllers as they are at the end of the boot: this part of arch/x86/kernel/apic/vector.c. What it says by pr_debug() nobody sees.

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');

/** Source: arch/x86/kernel/apic/vector.c, print_APIC_field() */
function* print_APIC_field(base: number): Op {
  printk_open('debug', '');
  for (let i = 0; i < 8; i++) pr_cont(hex8(apic_read(base + i * 0x10)));
  pr_cont('\n');
}

/** Source: arch/x86/kernel/apic/vector.c, print_local_APIC() */
function* print_local_APIC(): Op {
  pr_info(`... APIC ID:      ${hex8(apic_read(APIC_ID))} (${read_apic_id().toString(16)})`);
  pr_info(`... APIC VERSION: ${hex8(apic_read(APIC_LVR))}`);

  yield* print_APIC_field(APIC_ISR);
  yield* print_APIC_field(APIC_TMR);
  yield* print_APIC_field(APIC_IRR);

  apic_write(APIC_ESR, 0);
  pr_cont('\n');
}

/** With apic=verbose or apic=debug, at the end of the boot. Only the boot CPU's local APIC is shown. Source: arch/x86/kernel/apic/vector.c, print_ICs() */
export function* print_ICs(): Op {
  if (kernel.apic_verbosity === APIC_QUIET) return;

  if (!kernel.disable_apic) yield* smp_call_function_single(0, print_local_APIC);
  yield* print_IO_APICs();
}
