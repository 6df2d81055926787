import type { CalledFunction, CallTree } from '../reading/graph';

// What a compiler has made of the functions that count: which calls a call tree can show.

export interface NamedFunction {
  readonly name: string;
  /** its file, without folder and ending */
  readonly file: string;
}

/** What shows of a kernel's functions in its call trees. */
export interface Compiled {
  /** Whether a call shows: the function has code of its own that is traced, and the caller calls it. */
  shows(name: string, caller: NamedFunction | undefined): boolean;
  /** Only the greater part of the function has code of its own: it shows where the part in the caller does not do. */
  isSplit(name: string): boolean;
  /** Whether the tracer, which is told names, starts at this function. */
  isStart(name: string): boolean;
}

/** Functions that the compiler has put into these callers, or made a jump of where they call themselves at their end. `file/name` where several are called so. */
const INTO: Partial<Record<string, readonly string[]>> = {
  __ioapic_write_entry: ['ioapic_configure_entry'],
  __irq_domain_deactivate_irq: ['__irq_domain_deactivate_irq'],
  __irq_set_affinity: ['irq_set_affinity_hint'],
  __irq_set_handler: ['irq_set_chip_and_handler_name'],
  __x2apic_send_IPI_dest: ['x2apic_phys/x2apic_send_IPI'],
  __pci_msix_desc_mask_irq: ['msix_mask_irq', 'pci_msix_shutdown'],
  apic_ack_irq: ['apic_ack_edge'],
  io_apic_modify_irq: ['mask_ioapic_irq'],
  irq_complete_move: ['apic_ack_edge'],
  irq_domain_alloc_irqs_hierarchy: ['irq_domain_alloc_irqs_parent'],
  irq_domain_free_irqs_parent: ['irq_domain_free_irqs_common'],
  irq_domain_reset_irq_data: ['irq_domain_free_irqs_common'],
  irq_set_chip: ['irq_set_chip_and_handler_name'],
  lock_vector_lock: ['lapic_offline'],
  mask_irq: ['__irq_disable'],
  mp_find_ioapic: ['mp_map_gsi_to_irq'],
  pci_msi_vec_count: ['__pci_enable_msi_range'],
  pci_msix_vec_count: ['__pci_enable_msix', 'msix_setup_entries'],
  unlock_vector_lock: ['lapic_offline'],
  unmask_irq: ['irq_enable'],
};

/** The same in builds of which only the trees tell, where these do not show such a call. */
const INTO_ELSEWHERE: typeof INTO = { irq_shutdown: ['irq_shutdown_and_deactivate'] };

interface Build {
  /** in the machine's own words */
  readonly uname: RegExp;
  /** functions without code that is traced: put into each of their callers, or marked so */
  readonly absent: ReadonlySet<string>;
  /** pairs of a caller and a function that its trees show, where only they tell; undefined: INTO holds */
  readonly called?: ReadonlySet<string>;
  /** their greater part is `name.part.0` */
  readonly split: ReadonlySet<string>;
  /** their code has a name with another ending, which the tracer was not told */
  readonly renamed: ReadonlySet<string>;
  /** functions that show whole, too, where `split` has them */
  readonly whole?: ReadonlySet<string>;
}

const setOf = (names: string): ReadonlySet<string> => new Set(names.trim().split(/\s+/));

/** Debian's kernel: its /proc/kallsyms and its tracing/available_filter_functions say so. */
const DEBIAN_5_10_223: Build = {
  uname: /\bDebian 5\.10\.223-1\b/,
  absent: setOf(`
EISA_ELCR __alloc_irq_table __eoi_ioapic_pin __free_irq __handle_domain_irq __irq_can_set_affinity __irq_disable __irq_domain_free_hierarchy
__irq_startup_managed __pci_enable_msix __pci_restore_msi_state __pci_restore_msix_state __remove_pin_from_irq __setup_vector_irq __unmask_ioapic
activate_managed activate_reserved add_pin_to_irq_node alloc_apic_chip_data alloc_clustermask alloc_descs alloc_irq_from_domain alloc_irte
alloc_masks alloc_node_to_cpumask alloc_nodes_vectors amd_iommu_flush_irt_all amd_iommu_set_pci_msi_domain amd_ir_update_irte apic_chip_data
arch_setup_msi_irq arch_setup_msi_irqs arch_teardown_msi_irq arch_teardown_msi_irqs assign_irq_vector assign_irq_vector_policy bad_action_ret
bad_ioapic_register build_inv_irt build_node_to_cpumask check_timer clear_entries clear_ir_pre_enabled clockevent_to_channel cond_unmask_eoi_irq
cond_unmask_irq debugfs_add_domain_dir debugfs_remove_domain_dir default_restore_msi_irq default_teardown_msi_irqs delay_with_tsc delay_without_tsc
delete_irq_desc desc_set_defaults desc_smp_init dmar_get_irq_domain dmar_ir_add dmar_x2apic_optout eisa_irq_trigger find_free_ioapic_entry
free_apic_chip_data free_ioapic_saved_registers free_masks free_node_to_cpumask get_irq_domain_for_devid get_nodes_in_cpumask handle_domain_nmi
handle_edge_eoi_irq handle_fasteoi_ack_irq handle_fasteoi_mask_irq handle_irq hk_should_isolate hpet_cfg_working hpet_clear_mapping hpet_cnt_ahead
hpet_counting hpet_dev_id hpet_disable_rtc_channel hpet_enable_legacy_int hpet_get_unused_clockevent hpet_init_clockevent hpet_is_pc10_damaged
hpet_legacy_clockevent_register hpet_reset_counter hpet_resume_device hpet_rtc_timer_reinit hpet_select_clockevents hpet_select_device_channel
hpet_set_mapping hpet_setup_msi_irq hpet_start_counter hpet_stop_counter hpet_writel init_IO_APIC_traps init_ir_status init_irq_default_affinity
init_one_hpet_msi_clockevent intel_ir_reconfigure_irte intel_irq_remapping_prepare_irte io_apic_base io_apic_eoi io_apic_get_redir_entries
io_apic_get_unique_id io_apic_get_version io_apic_level_ack_pending io_apic_unique_id io_apic_write ioapic_alloc_attr_node ioapic_copy_alloc_attr
ioapic_destroy_irqdomain ioapic_finish_move ioapic_pirq_setup ioapic_prepare_move ioapic_setup_resources ioapic_write_entry iommu_flush_irt
iommu_load_old_irte iommu_poll_ga_log ir_parse_one_hpet_scope ir_parse_one_ioapic_scope ir_pre_enabled irq_alloc_hwirqs irq_build_affinity_masks
irq_check_poll irq_chip_write_msi_msg irq_domain_alloc_irq_data irq_domain_check_hierarchy irq_domain_clear_mapping irq_domain_debug_show
irq_domain_debug_show_one irq_domain_debugfs_init irq_domain_free_irq_data irq_domain_insert_irq irq_domain_insert_irq_data irq_domain_remove_irq
irq_domain_set_mapping irq_domain_translate irq_domain_trim_hierarchy irq_expand_nr_irqs irq_free_hwirqs irq_init_desc irq_init_effective_affinity
irq_insert_desc irq_is_nmi irq_mark_irq irq_matrix_debug_show irq_may_run irq_msi_update_msg irq_needs_fixup irq_nmi_setup irq_nmi_teardown
irq_polarity irq_release_resources irq_remapping_modify_x86_ops irq_remapping_prepare_irte irq_request_resources irq_restore_affinity_of_irq
irq_select_affinity_usr irq_set_affinity_deactivated irq_set_thread_affinity irq_set_affinity_pending irq_setup_forced_threading irq_spread_init_one irq_state_clr_disabled
irq_state_clr_masked irq_state_clr_started irq_state_set_started irq_supports_nmi irq_set_affinity irq_sw_resend irq_sysfs_add irq_sysfs_del irq_thread_set_ready
irq_try_set_affinity irq_validate_effective_affinity irq_wait_for_interrupt irq_wake_secondary is_hpet_capable lapic_register_intr map_dev_to_ir
map_hpet_to_ir map_ioapic_to_iommu map_ioapic_to_ir mask_ack_irq matrix_find_best_cpu matrix_find_best_cpu_managed migrate_one_irq misrouted_irq
mp_alloc_timer_irq mp_ioapic_gsi_routing mp_ioapic_irqdomain mp_ioapic_pin_count mp_irqdomain_get_attr mp_is_legacy_irq mp_pin_to_gsi
mp_register_handler mp_setup_entry msi_capability_init msi_check_reservation_mode msi_domain_update_chip_ops msi_domain_update_dom_ops msi_mask
msi_mask_irq msi_set_mask_bit msi_setup_entry msi_verify_entries msix_capability_init msix_map_region msix_mask_all msix_mask_irq msix_setup_entries
msix_update_entries mwait_pc10_supported name_unique noop_x86_32_early_logical_apicid of_phandle_args_to_fwspec parse_ioapics_under_ir
pci_intx_for_msi pci_msi_desc_is_multi_msi pci_msi_domain_calc_hwirq pci_msi_domain_update_chip_ops pci_msi_domain_update_dom_ops
pci_msi_setup_msi_irqs pci_msi_shutdown pci_msi_supported pci_msi_teardown_msi_irqs pci_msix_desc_addr pci_msix_shutdown pin_2_irq prepare_irte
print_IO_APIC print_PIC print_local_APICs qi_flush_iec read_xapic_id register_default_affinity_proc replace_pin_at_irq_node report_bad_irq
reserve_irq_vector reserve_managed_vector resume_ioapic_id resume_irq set_handle_irq set_hpet_sid set_ioapic_sid set_irq_posting_cap
set_irq_wake_real set_irte_sid set_irte_verify_bus set_msi_sid setup_IO_APIC_irqs setup_ioapic_ids_from_mpc setup_ioapic_ids_from_mpc_nocheck
show_irq_affinity suspend_device_irq try_misrouted_irq try_retrigger unlock_ExtINT_logic vector_assign_managed_shutdown vector_configure_legacy
vector_free_reserved_and_managed wake_threads_waitq warn_no_thread x2apic_fadt_phys x86_vector_debug_show
common_interrupt hpet_readl sysvec_irq_move_cleanup sysvec_kvm_posted_intr_ipi sysvec_kvm_posted_intr_nested_ipi sysvec_kvm_posted_intr_wakeup_ipi
sysvec_x86_platform_ipi`),
  split: setOf('__pci_enable_msix_range hpet_rtc_timer_init intel_setup_irq_remapping iommu_disable_irq_remapping irq_domain_alloc_descs irq_finalize_oneshot'),
  renamed: setOf('write_irq_affinity'),
};

/** What is known of the compiler's work; undefined: nothing, so that the trees have to tell. */
const buildOf = (uname: string): Build | undefined => [DEBIAN_5_10_223].find(build => build.uname.test(uname));

/** Whether it is known which functions of this kernel have code of their own. */
export const isBuildKnown = (uname: string): boolean => buildOf(uname) !== undefined;

/** @param trees of a kernel whose build is not known, a function that none of them shows counts as put into its callers */
export function compiledOf(uname: string, trees: readonly CallTree[]): Compiled {
  const { absent, split, renamed, called, whole } = buildOf(uname) ?? seenIn(trees);
  const into = (name: string, { name: caller, file }: NamedFunction): boolean =>
    called?.has(`${caller} ${name}`) !== true && [caller, `${file}/${caller}`].some(place => INTO[name]?.includes(place) === true || (called !== undefined && INTO_ELSEWHERE[name]?.includes(place) === true));
  return {
    shows: (name, caller) => !absent.has(name) && !(caller !== undefined && into(name, caller)),
    isSplit: name => split.has(name),
    isStart: name => (!split.has(name) || whole?.has(name) === true) && !renamed.has(name),
  };
}

/** Callers with those that they call, `caller name`: what shows there is not put into its caller. */
function callsIn(trees: readonly CallTree[]): ReadonlySet<string> {
  const pairs = new Set<string>();
  for (const { calls } of trees) {
    const callers: CalledFunction[] = [];
    for (const call of calls) {
      while (callers.length > 0 && callers.at(-1)!.indent >= call.indent) callers.pop();
      if (callers.length > 0) pairs.add(`${callers.at(-1)!.name} ${call.name}`);
      callers.push(call);
    }
  }
  return pairs;
}

function seenIn(trees: readonly CallTree[]): Pick<Build, 'split' | 'renamed' | 'called' | 'whole'> & { readonly absent: Pick<ReadonlySet<string>, 'has'> } {
  const calls = trees.flatMap(tree => tree.calls);
  const seen = new Set(calls.map(({ name }) => name));
  const split = new Set(calls.flatMap(({ name, isPart }) => (isPart ? [name] : [])));
  const whole = new Set(calls.flatMap(({ name, isPart }) => (isPart ? [] : [name])));
  return { absent: { has: name => !seen.has(name) }, split, renamed: setOf('write_irq_affinity'), called: callsIn(trees), whole };
}
