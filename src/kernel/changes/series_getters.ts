import type { Change } from './change';

/** Patches 01 to 11: groups 1 to 3. */
export const SERIES_GETTERS = {
  'v2-01': {
    subject: 'iommu/amd: Prevent NULL pointer dereference',
    group: 1,
    release: 'v5.10',
    effect: 'irq_remapping_alloc() of AMD looks for the vector data only after it knows that there is an irq_data; the order of two reads, no other result',
  },
  'v2-02': {
    subject: 'x86/init: Remove unused init ops',
    group: 2,
    release: 'v5.10',
    effect: 'five members of x86_init.mpparse are gone; nobody had overridden them',
  },
  'v2-03': {
    commit: '585dfe8abc44',
    subject: 'PCI: vmd: Dont abuse vector irqomain as parent',
    group: 2,
    release: 'v5.10',
    effect: 'the VMD domain has no parent, so that interrupts behind VMD take no CPU vectors that nothing ever uses',
    removable: true,
  },
  'v2-04': {
    subject: 'genirq/chip: Use the first chip in irq_chip_compose_msi_msg()',
    group: 2,
    release: 'v5.10',
    effect: 'the outermost chip that can compose does it, not the innermost; shows together with v2-05',
    removable: true,
  },
  'v2-05': {
    subject: 'x86/msi: Move compose message callback where it belongs',
    group: 2,
    release: 'v5.10',
    effect: 'the APIC chip composes plain messages, the PCI-MSI, DMAR-MSI and HPET-MSI chips no longer do; without v2-04 remapped interrupts get the plain message too, which the unit blocks',
    removable: true,
  },
  'v2-06': {
    subject: 'x86/msi: Remove pointless vcpu_affinity callback',
    group: 2,
    release: 'v5.10',
    effect: 'the IR-PCI-MSI chip has no irq_set_vcpu_affinity: irq_set_vcpu_affinity() walks to the remapping chip itself, one call less',
    removable: true,
  },
  'v2-07': {
    subject: 'x86/irq: Rename X86_IRQ_ALLOC_TYPE_MSI* to reflect PCI dependency',
    group: 3,
    release: 'v5.10',
    effect: 'X86_IRQ_ALLOC_TYPE_MSI and _MSIX are called _PCI_MSI and _PCI_MSIX',
    removable: true,
  },
  'v2-08': {
    subject: 'x86/irq: Add allocation type for parent domain retrieval',
    group: 3,
    release: 'v5.10',
    effect: 'IOAPIC and HPET ask for their parent domain with types of their own, X86_IRQ_ALLOC_TYPE_*_GET_PARENT',
    removable: true,
  },
  'v2-09': {
    subject: 'iommu/vt-d: Consolidate irq domain getter',
    group: 3,
    release: 'v5.10',
    effect: 'intel_get_irq_domain() answers for IOAPIC and HPET as well as for devices, by the type',
    needs: ['v2-07', 'v2-08'],
    removable: true,
  },
  'v2-10': {
    subject: 'iommu/amd: Consolidate irq domain getter',
    group: 3,
    release: 'v5.10',
    effect: 'get_irq_domain() of AMD answers for IOAPIC and HPET as well; an unknown type is a warning, not a BUG',
    needs: ['v2-07', 'v2-08'],
    removable: true,
  },
  'v2-11': {
    subject: 'iommu/irq_remapping: Consolidate irq domain lookup',
    group: 3,
    release: 'v5.10',
    effect: 'irq_remapping_get_ir_irq_domain() is gone: all ask irq_remapping_get_irq_domain()',
    needs: ['v2-09', 'v2-10'],
    removable: true,
  },
} as const satisfies Record<string, Change>;
