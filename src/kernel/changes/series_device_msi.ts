import type { Change } from './change';

/** Patches 39 to 46: groups 6 to 8. None was merged. */
export const SERIES_DEVICE_MSI = {
  'v2-39': {
    subject: 'x86/irq: Add DEV_MSI allocation type',
    group: 6,
    release: null,
    effect: 'X86_IRQ_ALLOC_TYPE_DEV_MSI, between the others and those of *_GET_PARENT',
    needs: ['v2-08'],
  },
  'v2-40': {
    subject: 'x86/msi: Rename and rework pci_msi_prepare() to cover non-PCI MSI',
    group: 6,
    release: null,
    effect: 'x86_msi_prepare() fills the allocation info of devices that are not PCI too',
    needs: ['v2-39'],
  },
  'v2-41': {
    subject: 'platform-msi: Provide default irq_chip:: Ack',
    group: 7,
    release: null,
    effect: 'a platform MSI chip acknowledges through its parent unless it has an irq_ack',
    removable: true,
  },
  'v2-42': {
    subject: 'genirq/proc: Take buslock on affinity write',
    group: 7,
    release: null,
    effect: "an affinity write holds the chip's bus lock, so that a message store in memory can be written asleep",
    removable: true,
  },
  'v2-43': {
    subject: 'genirq/msi: Provide and use msi_domain_set_default_info_flags()',
    group: 7,
    release: null,
    effect: 'early activation and reservation are asked for in one helper, for PCI and others',
  },
  'v2-44': {
    subject: 'platform-msi: Add device MSI infrastructure',
    group: 7,
    release: null,
    effect: 'domains for devices that store their messages themselves, as children of the domain of a PCI device',
    needs: ['v2-29', 'v2-40', 'v2-43'],
  },
  'v2-45': {
    subject: 'irqdomain/msi: Provide msi_alloc/free_store() callbacks',
    group: 8,
    release: null,
    effect: 'a domain can make and free the store that messages go to',
    needs: ['v2-29'],
  },
  'v2-46': {
    subject: 'irqchip: Add IMS (Interrupt Message Storm) driver - NOT FOR MERGING',
    group: 8,
    release: null,
    effect: 'a chip IMS whose messages stand in an array of slots in a BAR, or in queue memory; as posted its C code asks for other CONFIG symbols than its Kconfig has, and nothing of it is built: here it is as it was meant',
    needs: ['v2-44', 'v2-45'],
  },
} as const satisfies Record<string, Change>;
