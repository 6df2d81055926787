// Words of flags and enumerations, by the kernel's names.
import { irq_alloc_type_name, X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_LEGACY, X86_IRQ_ALLOC_TYPE, MSI_FLAG } from '../../src/kernel/include/msi';
import { IRQT, PIRQ_MSI_GROUP, PIRQ_NEEDS_EOI, PIRQ_SHAREABLE } from '../../src/kernel/drivers/xen/events/irq_info';
import * as interrupt from '../../src/kernel/include/interrupt';
import * as irq from '../../src/kernel/include/irq';
import { IRQS } from '../../src/kernel/include/irqdesc';
import { bus_token_name, DOMAIN_BUS, IRQ_DOMAIN_FLAG } from '../../src/kernel/include/irqdomain';
import * as errno from '../../src/kernel/lib/errno';

export type NamedNumbers = Readonly<Record<string, number>>;

/** The numbers of a module whose names match. */
function numbers(module: object, names: RegExp): NamedNumbers {
  return Object.fromEntries(Object.entries(module).filter((entry): entry is [string, number] => typeof entry[1] === 'number' && names.test(entry[0])));
}

const prefixed = (prefix: string, table: NamedNumbers): NamedNumbers => Object.fromEntries(Object.entries(table).map(([name, value]) => [prefix + name, value]));

const IRQD = prefixed('IRQD_', irq.IRQD);
const IRQF = numbers(interrupt, /^(__)?IRQF_(?!TRIGGER_MASK$|TIMER$)/);
const IRQ_STATUS = numbers(irq, /^IRQ_(LEVEL|PER_CPU|NOPROBE|NOREQUEST|NOAUTOEN|NO_BALANCING|MOVE_PCNTXT|NESTED_THREAD|NOTHREAD|PER_CPU_DEVID|IS_POLLED|DISABLE_UNLAZY|HIDDEN)$/);
const IRQ_TYPE = numbers(irq, /^IRQ_TYPE_(?!.*_MASK$)/);
const IRQCHIP = numbers(irq, /^IRQCHIP_/);
const { IOAPIC, HPET, PCI_MSI, PCI_MSIX, DMAR, UV, DEV_MSI } = X86_IRQ_ALLOC_TYPE;
const ALLOC_TYPE = prefixed('X86_IRQ_ALLOC_TYPE_', { IOAPIC, HPET, PCI_MSI, PCI_MSIX, MSI: PCI_MSI, MSIX: PCI_MSIX, DMAR, UV, DEV_MSI });
const prefixedName = (prefix: string, name: string | undefined): string | undefined => (name === undefined ? undefined : prefix + name);
const ALLOC_FLAGS = { X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_LEGACY };
const MSI_FLAGS = prefixed('MSI_FLAG_', MSI_FLAG);
const DOMAIN_FLAGS = prefixed('IRQ_DOMAIN_FLAG_', IRQ_DOMAIN_FLAG);
const BUS_TOKEN = prefixed('DOMAIN_BUS_', DOMAIN_BUS);
const XEN_IRQ_TYPE = prefixed('IRQT_', IRQT);
const PIRQ_FLAGS = { PIRQ_NEEDS_EOI, PIRQ_SHAREABLE, PIRQ_MSI_GROUP };

/** Constants that expressions may use by their C names: `IRQD_ACTIVATED`, `ENOSPC`. */
export const CONSTANTS: NamedNumbers = {
  ...IRQD,
  ...IRQF,
  ...IRQ_STATUS,
  ...IRQ_TYPE,
  ...IRQCHIP,
  ...ALLOC_TYPE,
  ...ALLOC_FLAGS,
  ...MSI_FLAGS,
  ...DOMAIN_FLAGS,
  ...BUS_TOKEN,
  ...XEN_IRQ_TYPE,
  ...PIRQ_FLAGS,
  ...prefixed('IRQS_', IRQS),
  ...numbers(errno, /^E[A-Z]+$/),
  // not the same in all kernels
  get X86_IRQ_ALLOC_TYPE_IOAPIC_GET_PARENT() {
    return X86_IRQ_ALLOC_TYPE.IOAPIC_GET_PARENT;
  },
  get X86_IRQ_ALLOC_TYPE_HPET_GET_PARENT() {
    return X86_IRQ_ALLOC_TYPE.HPET_GET_PARENT;
  },
};

/** "IRQD_ACTIVATED | IRQD_IRQ_STARTED"; bits without a name in hexadecimal; "0" for none. */
function flags(value: number, table: NamedNumbers): string {
  const set = Object.entries(table).filter(([, bit]) => (value & bit) === bit);
  const rest = set.reduce((left, [, bit]) => left & ~bit, value) >>> 0;
  const names = set.map(([name]) => name);
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.join(' | ') || '0';
}

const oneOf = (value: number, table: NamedNumbers): string => Object.entries(table).find(([, v]) => v === value)?.[0] ?? String(value);

/** The low four bits of the state are no flags but the trigger type. */
function irqdState(value: number): string {
  const trigger = oneOf(value & irq.IRQD_TRIGGER_MASK, IRQ_TYPE);
  const rest = value & ~irq.IRQD_TRIGGER_MASK;
  return rest === 0 ? trigger : `${trigger} | ${flags(rest, IRQD)}`;
}

/** Members of structures that are such words. */
const WORDS: Readonly<Record<string, ((value: number) => string) | undefined>> = {
  'irq_common_data.state_use_accessors': irqdState,
  'irq_desc.status_use_accessors': v => flags(v & ~irq.IRQ_TYPE_SENSE_MASK, IRQ_STATUS),
  'irq_desc.istate': v => flags(v, prefixed('IRQS_', IRQS)),
  'irq_chip.flags': v => flags(v, IRQCHIP),
  'irq_domain.flags': v => flags(v, DOMAIN_FLAGS),
  'irq_domain.bus_token': v => prefixedName('DOMAIN_BUS_', bus_token_name(v)) ?? String(v),
  'msi_domain_info.bus_token': v => prefixedName('DOMAIN_BUS_', bus_token_name(v)) ?? String(v),
  'msi_domain_info.flags': v => flags(v, MSI_FLAGS),
  'irq_alloc_info.type': v => prefixedName('X86_IRQ_ALLOC_TYPE_', irq_alloc_type_name(v)) ?? String(v),
  'irq_alloc_info.flags': v => flags(v, ALLOC_FLAGS),
  'irq_info.type': v => oneOf(v, XEN_IRQ_TYPE),
  'pirq.flags': v => flags(v, PIRQ_FLAGS),
  'irqaction.flags': v => flags(v & ~interrupt.IRQF_TRIGGER_MASK, IRQF),
};

/** What a number says in this member of this structure; undefined where it is just a number. */
export const decodedWord = (struct: string, member: string, value: number): string | undefined => WORDS[`${struct}.${member}`]?.(value);
