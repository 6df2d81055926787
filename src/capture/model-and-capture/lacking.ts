// Of the functions that count, those that a kernel's source does not have, or does not compile for x86. Entries that DEFINE_IDTENTRY* makes are in all.

/** The fallback of PCI/MSI: no code on x86 since CONFIG_PCI_MSI_ARCH_FALLBACKS is not selected there. */
const FALLBACKS = 'arch_setup_msi_irq arch_setup_msi_irqs arch_teardown_msi_irq arch_teardown_msi_irqs default_teardown_msi_irqs';

/** What the series took away. */
const TAKEN = `arch_init_msi_domain dmar_msi_get_hwirq get_ir_irq_domain hpet_msi_get_hwirq intel_get_ir_irq_domain irq_msi_compose_msg irq_remapping_get_ir_irq_domain
native_setup_msi_irqs native_teardown_msi_irq pci_msi_get_hwirq pci_msi_set_desc ${FALLBACKS}`;

/** What came into v5.10. */
const NEW = `__irq_domain_free_hierarchy __msi_domain_alloc_irqs __msi_domain_free_irqs amd_iommu_set_pci_msi_domain get_irq_domain_for_devid handle_percpu_devid_fasteoi_ipi
intel_irq_remap_add_device irq_create_mapping_affinity irq_domain_disconnect_hierarchy irq_domain_trim_hierarchy map_ioapic_to_iommu native_create_pci_msi_domain
pci_dev_has_special_msi_domain try_retrigger x2apic_set_max_apicid x86_create_pci_msi_domain x86_vector_msi_compose_msg`;

/** What came into the stable kernels after it. */
const STABLE = `__irq_domain_create __irq_domain_publish hpet_is_pc10_damaged irq_create_mapping_affinity_locked irq_domain_alloc_irqs_locked irq_domain_associate_locked
irq_thread_set_ready lapic_update_legacy_vectors msix_mask_all msix_update_entries mwait_pc10_supported wake_up_and_wait_for_irq_thread_ready`;

const setOf = (...names: readonly string[]): ReadonlySet<string> => new Set(names.join(' ').split(/\s+/));

/** By the model's names of the kernels. */
const LACKING: Partial<Record<string, ReadonlySet<string>>> = {
  'v5.9': setOf(NEW, STABLE),
  'v5.10': setOf(TAKEN, STABLE),
  'v5.10.223': setOf(TAKEN, 'irq_create_mapping msix_program_entries'),
};

/** Whether a kernel has this function; undefined where its source is not known here. */
export function hasFunction(kernel: string | undefined, name: string): boolean | undefined {
  const lacking = kernel === undefined ? undefined : LACKING[kernel];
  return lacking && !lacking.has(name);
}
