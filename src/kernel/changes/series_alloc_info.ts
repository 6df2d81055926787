import type { Change } from './change';

/** Patches 12 to 19: group 4. */
export const SERIES_ALLOC_INFO = {
  'v2-12': {
    subject: 'x86/irq: Prepare consolidation of irq_alloc_info',
    group: 4,
    release: 'v5.10',
    effect: 'irq_alloc_info gets devid, hwirq, desc and data beside the union of old',
    removable: true,
  },
  'v2-13': {
    subject: 'x86/msi: Consolidate HPET allocation',
    group: 4,
    release: 'v5.10',
    effect: 'hpet_id, hpet_index and hpet_data of irq_alloc_info become devid, hwirq and data',
    needs: ['v2-12'],
    removable: true,
  },
  'v2-14': {
    subject: 'x86/ioapic: Consolidate IOAPIC allocation',
    group: 4,
    release: 'v5.10',
    effect: 'ioapic_id of irq_alloc_info becomes devid, its other ioapic_* members the struct ioapic',
    needs: ['v2-12'],
    removable: true,
  },
  'v2-15': {
    subject: 'x86/irq: Consolidate DMAR irq allocation',
    group: 4,
    release: 'v5.10',
    effect: 'dmar_id and dmar_data of irq_alloc_info become devid (and hwirq) and data',
    needs: ['v2-12'],
    removable: true,
  },
  'v2-16': {
    subject: 'x86/irq: Consolidate UV domain allocation',
    group: 4,
    release: 'v5.10',
    effect: 'the uv_* members of irq_alloc_info become the struct uv; only SGI UV machines fill them',
    needs: ['v2-12'],
    removable: true,
  },
  'v2-17': {
    subject: 'PCI/MSI: Rework pci_msi_domain_calc_hwirq()',
    group: 4,
    release: 'v5.10',
    effect: 'one argument less, the device: the descriptor knows it',
  },
  'v2-18': {
    subject: 'x86/msi: Consolidate MSI allocation',
    group: 4,
    release: 'v5.10',
    effect: 'msi_dev and msi_hwirq of irq_alloc_info go, the device is that of desc; until v2-33 the lookup in native_setup_msi_irqs() has no desc: under remapping the first MSI is an oops',
    needs: ['v2-09', 'v2-10', 'v2-12', 'v2-17'],
    removable: true,
  },
  'v2-19': {
    commit: '9006c133a422',
    subject: 'x86/msi: Use generic MSI domain ops',
    group: 4,
    release: 'v5.10',
    effect: 'get_hwirq and set_desc are the generic ones; the DMAR and HPET domains have no get_hwirq until dmar-hpet-msi-flags: their first interrupt is a call of NULL',
    needs: ['v2-13', 'v2-15', 'v2-18'],
    removable: true,
  },
} as const satisfies Record<string, Change>;
