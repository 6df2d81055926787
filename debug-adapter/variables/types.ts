// Which kernel structure a value of the model is.

/** Structures that are plain objects in the model, by members that no other has. */
const PLAIN: readonly (readonly [type: string, is: (keys: ReadonlySet<string>) => boolean])[] = [
  ['msi_domain_info', keys => keys.has('ops') && keys.has('chip')],
  ['irq_chip', keys => keys.has('name') && keys.has('flags')],
  ['pci_msi_attrib', keys => keys.has('is_msix')],
  ['platform_msi_desc', keys => keys.has('msi_priv_data')],
  ['device_msi_desc', keys => keys.has('priv_iomem')],
  ['ioapic_alloc_info', keys => keys.has('pin') && keys.has('polarity')],
  ['irq_affinity', keys => keys.has('pre_vectors')],
  ['irq_domain_ops', keys => keys.has('alloc') && keys.has('free')],
  ['msi_domain_ops', keys => keys.has('get_hwirq') || keys.has('msi_prepare') || keys.has('set_desc')],
  ['irq_2_iommu', keys => keys.has('irte_index') && keys.has('sub_handle')],
  ['irq_2_irte', keys => keys.size === 2 && keys.has('devid') && keys.has('index')],
  ['irte', keys => keys.size === 2 && keys.has('low') && keys.has('high')],
  // What a Xen irq_info has for its type.
  ['union', keys => keys.has('virq') && keys.has('ipi')],
  ['pirq', keys => keys.has('pirq') && keys.has('gsi')],
  ['irq_cfg', keys => keys.has('dest_apicid') && keys.has('vector')],
];

/** Classes that are a kernel structure under another name. */
const CLASSES: Readonly<Record<string, string | undefined>> = { apicd_irq_cfg: 'irq_cfg' };

/** "irq_desc", or "" for a plain object of no known kind. */
export function structOf(object: object): string {
  const { constructor } = object as { constructor?: { name: string; struct?: unknown } };
  if (typeof constructor?.struct === 'string') return constructor.struct;
  if (constructor && constructor.name !== 'Object') return CLASSES[constructor.name] ?? constructor.name;
  const keys = new Set(Object.keys(object));
  return PLAIN.find(([, is]) => is(keys))?.[0] ?? '';
}
