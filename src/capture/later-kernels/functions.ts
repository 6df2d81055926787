import type { CallTree } from '../reading/graph';

// Functions of the files that count which only kernels behind v5.10.223 have, by the change that brought them.

/** Those that the model has, too: they are compared. */
export const COMPARED_LATER =
  'msi_setup_device_data msix_setup_msi_descs irq_set_affinity x86_msi_prepare pci_device_domain_set_desc pci_msix_prepare_desc pci_irq_mask_msi pci_irq_unmask_msi pci_irq_mask_msix pci_irq_unmask_msix ' +
  'msi_create_device_irq_domain msi_match_device_irq_domain x86_init_dev_msi_info __msi_create_irq_domain pci_setup_msi_device_domain pci_setup_msix_device_domain __vector_cleanup';

/** Those that the model does without: their calls are counted, not compared. */
export const LATER_FUNCTIONS: Readonly<Record<string, string>> = {
  'irq-resolve-mapping': '__irq_resolve_mapping',
  'msi-mask-functions': 'pci_msi_update_mask',
  'msi-device-data':
    'msi_find_desc msi_next_desc msi_first_desc msi_add_msi_desc msi_setup_msi_desc msi_sysfs_populate_desc msi_sysfs_remove_desc msi_lock_descs msi_unlock_descs msi_domain_alloc_irqs_descs_locked ' +
    'msi_domain_free_irqs_descs_locked msi_free_msi_descs_range pci_setup_msi_context pci_free_msi_irqs',
  'multi-msi-early-reject': 'pci_msi_domain_supports',
  'msi-parent-domains':
    'msi_get_device_domain msi_ctrl_valid msi_alloc_desc msi_insert_desc msi_domain_insert_msi_desc msi_domain_first_desc msix_prepare_msi_desc msi_domain_alloc_irqs_all_locked __msi_domain_alloc_locked ' +
    'msi_domain_free_irqs_all_locked msi_domain_free_locked msi_domain_free_descs',
  'irq-domain-instantiate': '__irq_domain_instantiate',
  'resend-list': 'irq_resend_init clear_irq_resend',
  'synchronize-nested': '__synchronize_irq',
};

const changeOf = new Map(Object.entries(LATER_FUNCTIONS).flatMap(([change, names]) => names.split(' ').map(name => [name, change] as const)));

/** Whether a function is one that one of these changes brought. */
export const isLater = (name: string, changes: readonly string[]): boolean => changes.includes(changeOf.get(name) ?? '');

/** Calls of such functions in call trees, by change. */
export function laterCalls(trees: readonly CallTree[]): ReadonlyMap<string, number> {
  const calls = new Map<string, number>();
  for (const { name } of trees.flatMap(tree => tree.calls)) {
    const change = changeOf.get(name);
    if (change !== undefined) calls.set(change, (calls.get(change) ?? 0) + 1);
  }
  return calls;
}
