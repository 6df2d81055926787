import { apic_chip_data } from '../../kernel/arch/x86/apic/apic_chip_data';
import type { Kernel } from '../../kernel/globals';
import type { irq_data } from '../../kernel/include/irq';
import type { irq_desc } from '../../kernel/include/irqdesc';

/** An interrupt that has a VECTOR level. */
export interface VectorIrq {
  readonly irq: number;
  readonly desc: irq_desc;
  readonly apicd: apic_chip_data;
}

/** The levels of an interrupt, the outermost first. */
export function chainOf(desc: irq_desc): irq_data[] {
  const chain: irq_data[] = [];
  for (let data: irq_data | null = desc.irq_data; data; data = data.parent_data) chain.push(data);
  return chain;
}

export function vectorIrqs({ irq_desc_tree, x86_vector_domain }: Kernel): VectorIrq[] {
  return [...irq_desc_tree].flatMap(([irq, desc]) => {
    const { domain, chip_data } = chainOf(desc).at(-1)!;
    return domain === x86_vector_domain && chip_data instanceof apic_chip_data ? [{ irq, desc, apicd: chip_data }] : [];
  });
}
