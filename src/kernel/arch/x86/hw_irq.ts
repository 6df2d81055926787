import type { ChangeId } from '../../changes';
import type { cpumask } from '../../lib/cpumask';
import { IRQCHIP_AFFINITY_PRE_STARTUP, IRQCHIP_SKIP_SET_WAKE } from '../../include/irq';
import { irq_desc } from '../../include/irqdesc';
import { type msi_desc, msi_desc_to_pci_dev } from '../../include/msi';
import type { PciDev } from '../../include/pci';
import { has } from '../../world';

// Types of arch/x86/include/asm/hw_irq.h and irq_vectors.h.

export const NR_VECTORS = 256;
export const FIRST_EXTERNAL_VECTOR = 0x20;
export const IRQ_MOVE_CLEANUP_VECTOR = 0x20;
export const ISA_IRQ_VECTOR = (irq: number): number => 0x30 + irq;
export const IA32_SYSCALL_VECTOR = 0x80;
export const LOCAL_TIMER_VECTOR = 0xec;
export const POSTED_MSI_NOTIFICATION_VECTOR = 0xeb;
/** FIRST_SYSTEM_VECTOR: devices have those below. */
export const first_system_vector = (): number => (has('posted-msi-vector') ? POSTED_MSI_NOTIFICATION_VECTOR : LOCAL_TIMER_VECTOR);
export const HYPERV_STIMER0_VECTOR = 0xed;
export const HYPERV_REENLIGHTENMENT_VECTOR = 0xee;
export const MANAGED_IRQ_SHUTDOWN_VECTOR = 0xef;
export const POSTED_INTR_NESTED_VECTOR = 0xf0;
export const POSTED_INTR_WAKEUP_VECTOR = 0xf1;
export const POSTED_INTR_VECTOR = 0xf2;
export const HYPERVISOR_CALLBACK_VECTOR = 0xf3;
export const DEFERRED_ERROR_VECTOR = 0xf4;
export const IRQ_WORK_VECTOR = 0xf6;
export const X86_PLATFORM_IPI_VECTOR = 0xf7;
export const REBOOT_VECTOR = 0xf8;
export const THRESHOLD_APIC_VECTOR = 0xf9;
export const THERMAL_APIC_VECTOR = 0xfa;
export const CALL_FUNCTION_SINGLE_VECTOR = 0xfb;
export const CALL_FUNCTION_VECTOR = 0xfc;
export const RESCHEDULE_VECTOR = 0xfd;
export const ERROR_APIC_VECTOR = 0xfe;
export const SPURIOUS_APIC_VECTOR = 0xff;

/** What a CPU's vector table holds besides descriptors: nothing; a vector taken away; one whose next interrupt was sent again elsewhere. */
export const VECTOR_UNUSED = null;
export const VECTOR_SHUTDOWN = 'VECTOR_SHUTDOWN';
export const VECTOR_RETRIGGERED = 'VECTOR_RETRIGGERED';
export type vector_entry = irq_desc | typeof VECTOR_UNUSED | typeof VECTOR_SHUTDOWN | typeof VECTOR_RETRIGGERED;

/** IS_ERR_OR_NULL() the other way round. */
export const is_irq_desc = (entry: vector_entry): entry is irq_desc => entry instanceof irq_desc;

/** Who keeps a redirection table entry: what C's pointer to it points into. */
export interface ioapic_entry_owner {
  entry: bigint;
}

/** IOAPIC part of irq_alloc_info. */
export interface ioapic_alloc_info {
  pin: number;
  node: number;
  /** 1 = level */
  trigger: number;
  /** 1 = active low */
  polarity: number;
  valid: boolean;
  /** set while the entry is to be filled; a remapping domain fills it and clears this */
  entry: ioapic_entry_owner | null;
}

/** UV part of irq_alloc_info. */
export interface uv_alloc_info {
  /** UV_AFFINITY_* */
  readonly limit: number;
  readonly blade: number;
  /** of the hub's register */
  readonly offset: number;
  readonly name: string;
}

/** What an allocation asks for, handed up the domain hierarchy. */
export class irq_alloc_info {
  /** X86_IRQ_ALLOC_TYPE */
  type = 0;
  /** X86_IRQ_ALLOC_* flags */
  flags = 0;
  /** HPET, IOAPIC or DMAR unit */
  devid = 0;
  hwirq = 0;
  mask: cpumask | null = null;
  desc: msi_desc | null = null;
  data: unknown = null;
  ioapic: ioapic_alloc_info | null = null;
  uv: uv_alloc_info | null = null;
  /** the device of an MSI and the number of its message, before v2-18; then desc and hwirq */
  msi_dev: PciDev | null = null;
  msi_hwirq = 0;
}

/** The device that asks for an MSI. */
export const msi_dev_of = (info: irq_alloc_info): PciDev => (has('v2-18') ? msi_desc_to_pci_dev(info.desc) : info.msi_dev!);

/** What is programmed into the hardware. */
export class irq_cfg {
  dest_apicid = 0;
  vector = 0;
}

/** What the IO-APIC and MSI chips are declared with. */
export const x86_chip_flags = (changes: ReadonlySet<ChangeId>): number =>
  IRQCHIP_SKIP_SET_WAKE | (changes.has('affinity-pre-startup') ? IRQCHIP_AFFINITY_PRE_STARTUP : 0);
