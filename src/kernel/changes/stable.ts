import type { Change } from './change';

/** What four years of stable releases brought to v5.10. */
export const STABLE = {
  'multi-msi-early-activation': {
    commit: '4c457e8cb75e',
    subject: 'genirq/msi: Activate Multi-MSI early when MSI_FLAG_ACTIVATE_EARLY is set',
    release: 'v5.11',
    effect: 'every vector of a multi-MSI block is activated at allocation, not only the first',
    removable: true,
  },
  'affinity-pre-startup': {
    subject: 'genirq: Provide IRQCHIP_AFFINITY_PRE_STARTUP; x86/msi, x86/ioapic: Force affinity setup before startup',
    release: 'v5.14',
    effect: 'irq_startup() sets the affinity before it unmasks, for the MSI and IO-APIC chips',
    removable: true,
  },
  'msix-enable-early': {
    subject: 'PCI/MSI: Enable and mask MSI-X early',
    release: 'v5.14',
    effect: 'MSI-X is enabled with all entries masked before the table is mapped and irqs are allocated',
    removable: true,
  },
  'msix-write-masked': {
    subject: 'PCI/MSI: Enforce that MSI-X table entry is masked for update',
    release: 'v5.14',
    effect: 'an unmasked MSI-X entry is masked around the write of its message',
    removable: true,
  },
  'msi-mask-all-unused': {
    subject: 'PCI/MSI: Mask all unused MSI-X entries',
    release: 'v5.14',
    effect: 'every entry of the table is masked at enable, also those not allocated',
    removable: true,
  },
  'msi-mask-valid-bits': {
    subject: 'PCI/MSI: Do not set invalid bits in MSI mask',
    release: 'v5.14',
    effect: 'unmasking all vectors of an MSI capability no longer sets the mask bits of vectors that it does not have',
    removable: true,
  },
  'msi-mask-lock': {
    subject: 'PCI/MSI: Protect msi_desc::masked for multi-MSI',
    release: 'v5.14',
    effect: 'the mask bits of an MSI capability change under msi_lock',
    removable: true,
  },
  'msi-sysfs-first': {
    subject: 'PCI/MSI: Destroy sysfs before freeing entries',
    effect: 'the directory msi_irqs goes before the interrupts that it lists are freed',
    removable: true,
  },
  'msi-deactivate-on-teardown': {
    subject: 'genirq/msi: Ensure deactivation on teardown',
    release: 'v5.14',
    effect: 'freeing MSIs first deactivates those that are still active',
    removable: true,
  },
  'domain-alloc-locked': {
    subject: 'irqdomain: Refactor __irq_domain_alloc_irqs(), Fix mapping-creation race',
    release: 'v6.3',
    effect: 'descriptors are allocated inside irq_domain_alloc_irqs_locked(), under irq_domain_mutex',
    removable: true,
  },
  'vector-leak-cpu-offline': {
    subject: 'genirq/cpuhotplug, x86/vector: Prevent vector leak during CPU offline',
    release: 'v6.10',
    effect: 'a vector left behind on a dead CPU is freed, not forgotten',
    removable: true,
  },
  'affinity-unbalanced-nodes': {
    subject: 'genirq/affinity: Consider that CPUs on nodes can be unbalanced',
    effect: 'where whole nodes share fewer vectors, a vector gets the present CPUs of a node first, not also those that may be plugged in',
    removable: true,
  },
  'legacy-vectors-no-ioapic': {
    subject: 'x86/apic: Mark _all_ legacy interrupts when IO/APIC is missing',
    release: 'v5.13',
    effect: 'without an IOAPIC the vectors of the 8259 pair become system vectors on all CPUs',
    removable: true,
  },
  'nvme-no-default-node': {
    subject: 'nvme-pci: do not set the NUMA node of device if it has none',
    effect: 'the interrupts of an NVMe drive without a node belong to none, not to the first node with memory',
    removable: true,
  },
  'legacy-pic-level': {
    commit: '5fa55950729d',
    subject: 'x86/i8259: Mark legacy PIC interrupts with IRQ_LEVEL',
    effect: 'interrupts of the 8259 pair are level triggered: irq 2 shows it',
    removable: true,
  },
  'amd-features-one-line': {
    subject: 'iommu/amd: Fix extended features logging',
    effect: "an AMD IOMMU's extended features are logged on one line, without its function",
    removable: true,
  },
} as const satisfies Record<string, Change>;
