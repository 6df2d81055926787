import type { Op } from '../../../../stepper/op';
import {
  APIC_EOI, APIC_ESR, APIC_ICR, APIC_ID, APIC_IRR, APIC_ISR, APIC_LVT0, APIC_LVT1, APIC_LVTERR, APIC_SPIV, APIC_TASKPRI, LVT, SPIV,
} from '../../../../hardware/local-apic-registers';
import type { LocalApic } from '../../../../hardware/local-apic';
import { DELIVERY } from '../../../../hardware/message';
import type { ChangeId } from '../../../changes';
import { __fix_to_virt, FIX_APIC_BASE } from '../../../include/fixmap';
import { xen_hvm_domain } from '../../../include/xen';
import { local_irq_restore, local_irq_save } from '../../../lib/locking';
import { EINVAL } from '../../../lib/errno';
import { type LogLevel, pr_info, pr_warn, printk } from '../../../lib/printk';
import { IRQ_REMAP_X2APIC_MODE, irq_remap_enable_fault_handling, irq_remapping_enable, irq_remapping_prepare } from '../../../drivers/iommu/irq_remapping';
import { run_local_timers } from '../../../time/timer';
import { has, kernel, machine } from '../../../world';
import { ERROR_APIC_VECTOR, SPURIOUS_APIC_VECTOR } from '../hw_irq';
import { this_irq_stat } from '../irq';
import { apic_flat, apic_physflat } from './apic_flat_64';
import { apic_timer_globals } from './apic_timer';
import { disable_ioapic_support, enable_IO_APIC, mask_ioapic_entries, restore_ioapic_entries, save_ioapic_entries } from './io_apic';
import { setup_IO_APIC } from './io_apic_domain';
import { lapic_update_legacy_vectors } from './lapic';
import { default_setup_apic_routing } from './probe_64';

// The local APIC: arch/x86/kernel/apic/apic.c and arch/x86/include/asm/apic.h.

/** A way to address CPUs (struct apic): flat, physical flat, and the two of x2APIC. */
export interface apic {
  readonly name: string;
  /** delivery mode of device interrupts: always fixed */
  readonly irq_delivery_mode: number;
  /** 1 = destinations are logical */
  readonly irq_dest_mode: number;
  readonly probe: () => Op<boolean>;
  readonly init_apic_ldr: () => Op;
  /** what a message, IRTE or RTE carries to reach `cpu` */
  readonly calc_dest_apicid: (cpu: number) => Op<number>;
  readonly send_IPI: (cpu: number, vector: number) => Op;
  readonly send_IPI_self: (vector: number) => Op;
}

export const APIC_QUIET = 0;
export const APIC_VERBOSE = 1;
export const APIC_DEBUG = 2;

export type apic_intr_mode_id = 'PIC' | 'VIRTUAL_WIRE' | 'VIRTUAL_WIRE_NO_CONFIG' | 'SYMMETRIC_IO' | 'SYMMETRIC_IO_NO_ROUTING';

export const apic_globals = (changes: ReadonlySet<ChangeId>) => ({
  apic: changes.has('physical-destinations') ? apic_physflat : apic_flat,
  /** local APIC ids, by CPU */
  x86_cpu_to_apicid: [] as number[],
  /** x2APIC cluster mode: cluster << 16 | bit, by CPU */
  x86_cpu_to_logical_apicid: [] as number[],
  boot_cpu_physical_apicid: 0,
  disable_apic: false,
  apic_verbosity: APIC_QUIET as number,
  apic_intr_mode: 'PIC' as apic_intr_mode_id,
  /** MADT or MP table told of an IOAPIC */
  smp_found_config: false,
  acpi_lapic: false,
  acpi_ioapic: false,
  x2apic_mode: false,
  x2apic_state: 'off' as 'off' | 'on' | 'disabled',
  x2apic_phys: false,
  ...apic_timer_globals(),
});

const this_lapic = (): LocalApic => machine.cpus[kernel.this_cpu].lapic;

export const apic_read = (reg: number): number => this_lapic().read(reg);
export const apic_write = (reg: number, value: number): void => this_lapic().write(reg, value);
export const native_x2apic_icr_write = (low: number, id: number): void => this_lapic().write(APIC_ICR, low, id);
/** The id as IPIs and IRTEs have it: in xAPIC mode the register's upper byte. */
export const read_apic_id = (): number => (this_lapic().mode === 'x2apic' ? apic_read(APIC_ID) : apic_read(APIC_ID) >>> 24);
export const ack_APIC_irq = (): void => apic_write(APIC_EOI, 0);

export const x2apic_supported = (): boolean => machine.config.x2apic && !kernel.config.cmdline.includes('nox2apic');
export const x2apic_enabled = (): boolean => x2apic_supported() && this_lapic().mode === 'x2apic';

/** Whether a vector waits in the running CPU's local APIC. */
export const lapic_vector_set_in_irr = (vector: number): boolean => vector_bit(APIC_IRR, vector);

/** @param block APIC_ISR, APIC_TMR or APIC_IRR */
export const vector_bit = (block: number, vector: number): boolean => ((apic_read(block + (vector >>> 5) * 0x10) >>> (vector & 0x1f)) & 1) === 1;

/** Said only with apic=verbose or apic=debug on the command line. */
export function apic_printk(verbosity: number, text: string, level: LogLevel = 'debug'): void {
  if (verbosity <= kernel.apic_verbosity) printk(level, text);
}

/** CPUs that are possible, present and how they are addressed: one local APIC of the MADT. @returns the CPU, or -EINVAL without a place for it. Source: arch/x86/kernel/apic/apic.c, generic_processor_info() */
export function* generic_processor_info(cpu: number, apicid: number): Op<number> {
  if (cpu >= kernel.nr_cpu_ids) {
    pr_warn(`APIC: NR_CPUS/possible_cpus limit of ${kernel.nr_cpu_ids} reached. Processor ${cpu}/0x${apicid.toString(16)} ignored.`);
    return -EINVAL;
  }
  kernel.x86_cpu_to_apicid[cpu] = apicid;
  kernel.cpu_possible_mask.set(cpu);
  kernel.cpu_present_mask.set(cpu);
  return cpu;
}

/** The registers get their fixed place. Source: arch/x86/kernel/apic/apic.c, register_lapic_address() */
export function* register_lapic_address(address: number): Op {
  if (!kernel.x2apic_mode) apic_printk(APIC_VERBOSE, `mapped APIC to ${__fix_to_virt(FIX_APIC_BASE()).toString(16).padStart(16)} (${address.toString(16).padStart(16)})`);
}

/** Source: arch/x86/kernel/apic/apic.c, check_x2apic() */
export function* check_x2apic(): Op {
  if (!x2apic_supported()) kernel.x2apic_state = 'disabled';
}

/** What the command line and the firmware allow. Source: arch/x86/kernel/apic/apic.c, __apic_intr_mode_select() */
function* __apic_intr_mode_select(): Op<apic_intr_mode_id> {
  if (kernel.disable_apic) {
    pr_info('APIC disabled via kernel command line');
    return 'PIC';
  }

  if (!kernel.smp_found_config) {
    yield* disable_ioapic_support();
    if (kernel.acpi_lapic) return 'VIRTUAL_WIRE';
    pr_info('APIC: ACPI MADT or MP tables are not detected');
    return 'VIRTUAL_WIRE_NO_CONFIG';
  }

  if (kernel.setup_max_cpus === 0) {
    pr_info('APIC: SMP mode deactivated');
    return 'SYMMETRIC_IO_NO_ROUTING';
  }

  return 'SYMMETRIC_IO';
}

/** Source: arch/x86/kernel/apic/apic.c, apic_intr_mode_select() */
export function* apic_intr_mode_select(): Op {
  kernel.apic_intr_mode = yield* __apic_intr_mode_select();
}

/** Interrupt delivery of the boot CPU. Source: arch/x86/kernel/apic/apic.c, apic_intr_mode_init() */
export function* apic_intr_mode_init(): Op {
  switch (kernel.apic_intr_mode) {
    case 'PIC':
      pr_info('APIC: Keep in PIC mode(8259)');
      return;
    case 'VIRTUAL_WIRE':
      pr_info('APIC: Switch to virtual wire mode setup');
      yield* default_setup_apic_routing();
      break;
    case 'VIRTUAL_WIRE_NO_CONFIG':
      pr_info('APIC: Switch to virtual wire mode setup with no configuration');
      yield* default_setup_apic_routing();
      break;
    case 'SYMMETRIC_IO':
      pr_info('APIC: Switch to symmetric I/O mode setup');
      yield* default_setup_apic_routing();
      break;
    case 'SYMMETRIC_IO_NO_ROUTING':
      pr_info('APIC: Switch to symmetric I/O mode setup in no SMP routine');
      break;
  }

  if (has('v2-20') && kernel.x86_platform.apic_post_init) yield* kernel.x86_platform.apic_post_init();

  yield* apic_bsp_setup();
}

/** Source: arch/x86/kernel/apic/apic.c, apic_bsp_setup() */
function* apic_bsp_setup(): Op {
  yield* setup_local_APIC();

  yield* enable_IO_APIC();
  yield* end_local_APIC_setup();
  yield* irq_remap_enable_fault_handling();
  yield* setup_IO_APIC();
  if (has('legacy-vectors-no-ioapic')) yield* lapic_update_legacy_vectors();
}

/** The running CPU's local APIC: how it is addressed, that it takes interrupts, which lines of its own it masks. Source: arch/x86/kernel/apic/apic.c, setup_local_APIC() */
function* setup_local_APIC(): Op {
  if (kernel.disable_apic) {
    yield* disable_ioapic_support();
    return;
  }

  apic_write(APIC_SPIV, SPIV.with(apic_read(APIC_SPIV), { enabled: 0 }));

  yield* kernel.apic.init_apic_ldr();

  // Vectors below 32 are exceptions: a task priority of 0x10 keeps 16-31 out.
  apic_write(APIC_TASKPRI, 0x10);

  yield* apic_pending_intr_clear();

  apic_write(APIC_SPIV, SPIV.with(apic_read(APIC_SPIV), { enabled: 1, vector: SPURIOUS_APIC_VECTOR }));

  const boot_cpu = kernel.this_cpu === 0;
  const through_8259 = boot_cpu && (LVT.get(apic_read(APIC_LVT0), 'masked') === 0 || kernel.skip_ioapic_setup);
  apic_printk(APIC_VERBOSE, `${through_8259 ? 'enabled' : 'masked'} ExtINT on CPU#${kernel.this_cpu}`);
  apic_write(APIC_LVT0, LVT.encode({ delivery_mode: DELIVERY.EXTINT, masked: !through_8259 }));

  apic_write(APIC_LVT1, LVT.encode({ delivery_mode: DELIVERY.NMI, masked: !boot_cpu }));
}

/** Errors of its own are interrupts, too; those from before are forgotten. Source: arch/x86/kernel/apic/apic.c, end_local_APIC_setup(), lapic_setup_esr() */
function* end_local_APIC_setup(): Op {
  apic_write(APIC_ESR, 0);
  const oldvalue = apic_read(APIC_ESR);

  apic_write(APIC_LVTERR, LVT.encode({ vector: ERROR_APIC_VECTOR }));

  apic_write(APIC_ESR, 0);
  const value = apic_read(APIC_ESR);
  const hex = (v: number): string => `0x${v.toString(16).padStart(8, '0')}`;
  if (value !== oldvalue) apic_printk(APIC_VERBOSE, `ESR value before enabling vector: ${hex(oldvalue)}  after: ${hex(value)}`);
}

const APIC_IR_REGS = 8;

/** Interrupts left over from before are ended or wait no longer. Source: arch/x86/kernel/apic/apic.c, apic_pending_intr_clear() */
function* apic_pending_intr_clear(): Op {
  for (let i = 0; i < 512; i++) {
    if (!(yield* apic_check_and_ack())) return;
  }
  pr_warn(`APIC: Stale IRR: ${ir_text(APIC_IRR)} ISR: ${ir_text(APIC_ISR)}`);
}

const ir_regs = (block: number): number[] => Array.from({ length: APIC_IR_REGS }, (_, i) => apic_read(block + i * 0x10));

/** The 256 bits of a block as %256pb prints them: the highest word first. */
const ir_text = (block: number): string => ir_regs(block).reverse().map(word => word.toString(16).padStart(8, '0')).join(',');

/** @returns whether something waits or was in service. Source: arch/x86/kernel/apic/apic.c, apic_check_and_ack() */
function* apic_check_and_ack(): Op<boolean> {
  const irr = ir_regs(APIC_IRR);
  let in_service = 0;
  for (const word of ir_regs(APIC_ISR)) {
    for (let isr = word; isr !== 0; isr &= isr - 1) in_service++;
  }
  for (let i = 0; i < in_service; i++) ack_APIC_irq();
  return in_service > 0 || irr.some(word => word !== 0);
}

/** Interrupt remapping first, then x2APIC if that allows it; IOAPIC pins are masked meanwhile. Source: arch/x86/kernel/apic/apic.c, enable_IR_x2apic() */
export function* enable_IR_x2apic(): Op {
  if (kernel.skip_ioapic_setup) {
    pr_info('Not enabling interrupt remapping due to skipped IO-APIC setup');
    return;
  }

  let ir_stat = yield* irq_remapping_prepare();
  if (ir_stat < 0 && !x2apic_supported()) return;

  const ret = yield* save_ioapic_entries();
  if (ret) {
    pr_info(`Saving IO-APIC state failed: ${ret}`);
    return;
  }

  const flags = yield* local_irq_save();
  yield* kernel.legacy_pic.mask_all();
  yield* mask_ioapic_entries();

  if (ir_stat >= 0) ir_stat = yield* irq_remapping_enable();
  yield* try_to_enable_x2apic(ir_stat);

  if (ir_stat < 0) yield* restore_ioapic_entries();
  yield* kernel.legacy_pic.restore_mask();
  yield* local_irq_restore(flags);
}

/** A hypervisor may vouch for x2APIC mode without remapping. Source: arch/x86/kernel/kvm.c, kvm_init_platform(); arch/x86/xen/enlighten.c, xen_x2apic_para_available() */
const x2apic_available = (): boolean => machine.config.hypervisor === 'kvm' || xen_hvm_domain();

/** @param remap_mode what irq_remapping_enable() returned. Source: arch/x86/kernel/apic/apic.c, try_to_enable_x2apic() */
function* try_to_enable_x2apic(remap_mode: number): Op {
  if (kernel.x2apic_state === 'disabled') return;

  if (remap_mode !== IRQ_REMAP_X2APIC_MODE) {
    if (!x2apic_available()) {
      pr_info("x2apic: IRQ remapping doesn't support X2APIC mode");
      kernel.x2apic_mode = false;
      kernel.x2apic_state = 'disabled';
      return;
    }

    // What is not remapped reaches 8 bits of physical ids.
    kernel.x2apic_phys = true;
  }
  yield* x2apic_enable();
}

/** Source: arch/x86/kernel/apic/apic.c, x2apic_enable() */
function* x2apic_enable(): Op {
  if (kernel.x2apic_state !== 'off') return;

  kernel.x2apic_mode = true;
  kernel.x2apic_state = 'on';
  yield* __x2apic_enable();
}

/** Set the mode bit of MSR_IA32_APICBASE. Source: arch/x86/kernel/apic/apic.c, __x2apic_enable() */
function* __x2apic_enable(): Op {
  if (this_lapic().mode === 'x2apic') return;
  this_lapic().mode = 'x2apic';
  if (kernel.this_cpu === 0) pr_info('x2apic enabled');
}

/** A secondary CPU follows the boot CPU into x2APIC mode. Source: arch/x86/kernel/apic/apic.c, x2apic_setup() */
export function* x2apic_setup(): Op {
  if (kernel.x2apic_state === 'on') yield* __x2apic_enable();
}

/** A secondary CPU's local APIC. Source: arch/x86/kernel/apic/apic.c, apic_ap_setup() */
export function* apic_ap_setup(): Op {
  yield* setup_local_APIC();
  yield* end_local_APIC_setup();
}

/** The running CPU goes away: its local APIC takes nothing any more. Source: arch/x86/kernel/apic/apic.c, apic_soft_disable() */
export function* apic_soft_disable(): Op {
  apic_write(APIC_SPIV, SPIV.with(apic_read(APIC_SPIV), { enabled: 0 }));
}

/** Source: arch/x86/kernel/apic/apic.c, sysvec_apic_timer_interrupt() */
export function* sysvec_apic_timer_interrupt(): Op {
  ack_APIC_irq();
  this_irq_stat().apic_timer_irqs++;
  yield* run_local_timers();
}

/** Vectors that no handler was installed for, and what the local APIC itself finds spurious. Source: arch/x86/kernel/apic/apic.c, spurious_interrupt() */
export function* spurious_interrupt(vector: number): Op {
  const where = `(vector 0x${vector.toString(16).padStart(2, '0')}) on CPU#${kernel.this_cpu}`;

  this_irq_stat().irq_spurious_count++;

  // The local APIC's own spurious vector is not in service: no end of interrupt.
  if (vector === SPURIOUS_APIC_VECTOR) {
    pr_info(`Spurious APIC interrupt (vector 0xFF) on CPU#${kernel.this_cpu}, should never happen.`);
    return;
  }

  if (vector_bit(APIC_ISR, vector)) {
    pr_info(`Spurious interrupt ${where}. Acked`);
    ack_APIC_irq();
  } else {
    pr_info(`Spurious interrupt ${where}. Not pending!`);
  }
}

/** Source: arch/x86/kernel/apic/apic.c, sysvec_spurious_apic_interrupt() */
export function* sysvec_spurious_apic_interrupt(): Op {
  yield* spurious_interrupt(SPURIOUS_APIC_VECTOR);
}

/** The local APIC found an error of its own. Source: arch/x86/kernel/apic/apic.c, sysvec_error_interrupt() */
export function* sysvec_error_interrupt(): Op {
  apic_write(APIC_ESR, 0);
  const v = apic_read(APIC_ESR);
  ack_APIC_irq();
  kernel.irq_err_count++;
  apic_printk(APIC_DEBUG, `APIC error on CPU${kernel.this_cpu}: ${v.toString(16).padStart(2, '0')}`);
}

/** CPUs of a mask that an IPI reaches are addressed one by one. Source: arch/x86/kernel/apic/apic.c, apic_default_calc_apicid() */
export function* apic_default_calc_apicid(cpu: number): Op<number> {
  return kernel.x86_cpu_to_apicid[cpu];
}

/** Source: arch/x86/kernel/apic/apic.c, apic_flat_calc_apicid() */
export function* apic_flat_calc_apicid(cpu: number): Op<number> {
  return 1 << cpu;
}

