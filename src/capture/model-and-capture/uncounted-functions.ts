import { names } from './counted-functions';
import { isLater } from '../later-kernels/functions';
import type { Unread } from '../reading/files';
import type { CallTree } from '../reading/graph';
import { placeOf } from '../reading/script';

// Functions in call trees that do not count, by what they are of: a name that is neither here nor counted is one that nobody has looked at.

/** What interrupt code calls, or is called through. */
const AROUND: Record<string, string> = {
  'modules and CPU hotplug': 'module_put try_module_get cpus_read_lock cpus_read_unlock housekeeping_enabled',
  'ACPI and the BIOS': 'acpi_register_gsi acpi_register_gsi_ioapic pcibios_alloc_irq pcibios_free_irq',
  'the PCI core': `pci_intx pci_read_config_word pci_read_config_dword pci_write_config_word pci_write_config_dword pci_for_each_dma_alias
pci_real_dma_dev`,
  'queues of the remapping units': 'qi_submit_sync clflush_cache_range dmar_find_matched_drhd_unit iommu_completion_wait __iommu_queue_command_sync',
  'sending of IPIs': '__default_send_IPI_dest_field __default_send_IPI_shortcut default_send_IPI_single default_send_IPI_single_phys native_smp_send_reschedule',
  procfs: 'pde_put pde_subdir_find remove_proc_entry remove_proc_subtree',
  'sysfs and debugfs': `device_get_ownership __debugfs_create_file current_time debugfs_create_file debugfs_get_inode debugfs_remove get_next_ino
start_creating kmemdup`,
  kprobes: 'kprobe_ftrace_handler get_kprobe copy_from_kernel_nofault copy_from_kernel_nofault_allowed',
  locks: '__init_waitqueue_head _raw_spin_trylock _raw_write_unlock',
  'memory and firmware nodes, of later kernels': '__kmem_cache_alloc_node __kmem_cache_free kmemdup_array fwnode_handle_get',
};

/** What never calls interrupt code: below these nothing needs a name. */
const LEAVES: Record<string, string> = {
  'the scheduler': `__traceiter_sched_switch attach_entity_load_avg available_idle_cpu check_cfs_rq_runtime check_preempt_curr clear_buddies
cpus_share_cache enqueue_entity enqueue_task_fair enter_lazy_tlb finish_task_switch hrtick_update migrate_task_rq_fair pick_next_entity
pick_next_task_fair place_entity psi_flags_change psi_group_change psi_task_change psi_task_switch put_prev_entity record_times
remove_entity_load_avg resched_curr select_task_rq_fair set_next_entity set_task_cpu set_task_rq_fair`,
  'timers, RCU and delays': `__next_timer_interrupt __note_gp_changes note_gp_changes call_timer_fn process_timeout run_timer_softirq try_to_del_timer_sync lock_timer_base detach_if_pending __const_udelay
delay_tsc`,
  'random numbers': `_get_random_bytes blake2s_compress blake2s_compress_generic blake2s_final blake2s_update chacha_block_generic chacha_permute
crng_fast_key_erasure crng_make_state extract_entropy get_random_u32`,
  memory: `__inc_numa_state allocate_slab kernel_init_free_pages kernel_poison_pages mempolicy_slab_node mod_node_page_state page_poisoning_enabled
pmd_clear_huge policy_node policy_nodemask prep_new_page pud_clear_huge put_cpu_partial setup_object should_fail_alloc_page unmap_kernel_range_noflush`,
  'the log and the console': `data_alloc data_push_tail desc_read desc_read_finalized_seq get_data info_print_prefix io_serial_in io_serial_out
record_print_text serial8250_console_putchar serial8250_console_write space_used uart_console_write univ8250_console_write wait_for_xmitr`,
};

const namesOf = (lists: Record<string, string>): ReadonlySet<string> => new Set(Object.values(lists).flatMap(names => names.split(/\s+/)));
const around = namesOf(AROUND);
const leaves = namesOf(LEAVES);

/** Code without a name is made at run time: kprobes and the like. */
const isKnown = (name: string): boolean => names.has(name) || around.has(name) || leaves.has(name) || /^0x[\da-f]+$/.test(name);

/** Code that is known and is not interrupt code. */
export const isForeign = (name: string): boolean => !names.has(name) && isKnown(name);

/** Functions that neither count nor are known not to, each once, where it first stands. @param changes that a later kernel has: functions that they brought are known */
export function unknownFunctions(trees: readonly CallTree[], changes: readonly string[] = []): Unread[] {
  const found = new Map<string, Unread>();
  for (const { calls } of trees) {
    let leaf = Infinity;
    for (const { name, indent, line } of calls) {
      if (indent > leaf) continue;
      leaf = leaves.has(name) ? indent : Infinity;
      if (!isKnown(name) && !isLater(name, changes) && !found.has(name)) found.set(name, { ...placeOf(line), text: `the function ${name}` });
    }
  }
  return [...found.values()];
}
