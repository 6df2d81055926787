import { bitmap } from '../kernel/lib/bitmap';
import { irq_info } from '../kernel/drivers/xen/events/irq_info';
import { irqaction } from '../kernel/include/interrupt';
import { irq_data } from '../kernel/include/irq';
import { irq_desc } from '../kernel/include/irqdesc';
import { irq_domain } from '../kernel/include/irqdomain';
import { msi_desc, msi_msg, irq_alloc_type_name } from '../kernel/include/msi';
import { PciDev } from '../kernel/include/pci';
import { irq_alloc_info } from '../kernel/arch/x86/hw_irq';
import { hex } from '../text/format';

/** Arguments whose figures are read in hexadecimal. */
const HEX_NAMES = /^(hwirq|address|iomem|data|offset|reg|flags|clr|set|val|auxval)$/;

/**
 * A function's argument as one word of a call tree.
 * @returns undefined for what says nothing there
 */
export function brief(name: string, value: unknown): string | undefined {
  switch (typeof value) {
    case 'number':
      return HEX_NAMES.test(name) ? hex(value) : String(value);
    case 'bigint':
      return hex(value);
    case 'boolean':
      return String(value);
    case 'string':
      return value;
    case 'object':
      return value === null ? 'null' : briefObject(value);
    default:
      return undefined;
  }
}

function briefObject(value: object): string | undefined {
  if (value instanceof irq_domain) return value.name;
  if (value instanceof irq_data) return irqData(value);
  if (value instanceof irq_desc) return `irq ${value.irq_data.irq}`;
  if (value instanceof irq_info) return `irq ${value.irq}`;
  if (value instanceof irqaction) return value.name;
  if (value instanceof msi_msg) return `${hex(value.address_lo)}/${hex(value.data)}`;
  if (value instanceof msi_desc) return `${value.dev.name}[${msi_index(value)}]`;
  if (value instanceof PciDev) return value.name;
  if (value instanceof irq_alloc_info) return `${irq_alloc_type_name(value.type) ?? 'no type'} hwirq ${hex(value.hwirq)}`;
  if (value instanceof bitmap) return `{${ranges([...value])}}`;
  if ('pdev' in value && value.pdev instanceof PciDev) return value.pdev.name;
  return 'name' in value && typeof value.name === 'string' ? value.name : undefined;
}

/** Which of its device's messages it is. */
function msi_index(desc: msi_desc): number {
  if (desc.platform) return desc.platform.msi_index;
  return desc.device_msi ? desc.dev.msi_list.indexOf(desc) : desc.msi_attrib.entry_nr;
}

/** The irq, its place in a domain, and what it has there. */
function irqData(data: irq_data): string {
  const chipData = data.chip_data as { vector?: unknown; cpu?: unknown } | null | undefined;
  const vector = typeof chipData?.vector === 'number' && chipData.vector > 0 ? ` vector ${chipData.vector} on CPU ${Number(chipData.cpu)}` : '';
  return `irq ${data.irq} ${data.domain?.name ?? 'no domain'} hwirq ${hex(data.hwirq)}${vector}`;
}

/** [0, 1, 2, 5]: "0-2,5" */
export function ranges(numbers: readonly number[]): string {
  const parts: { first: number; last: number }[] = [];
  for (const n of numbers) {
    const open = parts.at(-1);
    if (open?.last === n - 1) open.last = n;
    else parts.push({ first: n, last: n });
  }
  return parts.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}
